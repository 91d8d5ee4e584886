import Glibc
import PluginABI
import Synchronization

/// A host's table in this process: keeps what a handler says, and answers as a test wants.
// Unchecked, because it holds pointers; all state is behind a Mutex, and the memory lives as long as the process.
final class FakeAttempt: @unchecked Sendable {
    struct LogLine: Equatable {
        var level: Int32
        var message: String
        var fields: String
    }
    struct Failure: Equatable {
        var retry: Int32
        var code: String
        var message: String
        var details: String
        var notBefore: Int64
    }
    struct Record {
        var log: [LogLine] = []
        /// Each progress call in words, e.g. `stage counting`.
        var progress: [String] = []
        var json: String?
        var bytes: [UInt8]?
        var mediaType: String?
        var failure: Failure?
        var snoozedUntil: Int64?
    }

    let handle: UnsafeMutablePointer<pawl_attempt>
    private let state = Mutex(Record())
    private let cancelled = Atomic<Bool>(false)
    private let cancelPipe: [Int32]
    private let texts: [pawl_str]
    /// Answered by result_json and result_bytes.
    private let resultStatus: Int32

    init(cancellable: Bool = true, scratch: String = "/scratch", resultStatus: Int32 = PAWL_OK) {
        var ends: [Int32] = [-1, -1]
        if cancellable { precondition(pipe(&ends) == 0) }
        self.cancelPipe = ends
        self.texts = ["run_0000000000001", "test.job", scratch, "00-trace-01"].map { FakeHost.immortal($0) }
        self.resultStatus = resultStatus
        self.handle = .allocate(capacity: 1)
        self.handle.initialize(to: pawl_attempt(host: FakeHost.table))
        FakeHost.attempts.withLock { $0[UInt(bitPattern: self.handle)] = self }
    }

    var record: Record { self.state.withLock { $0 } }

    func note(_ change: (inout Record) -> Void) {
        self.state.withLock { change(&$0) }
    }

    /// What CANCEL does in a child. `silently`: only the flag, as if the descriptor were late.
    func cancel(silently: Bool = false) {
        self.cancelled.store(true, ordering: .sequentiallyConsistent)
        if !silently { precondition(write(self.cancelPipe[1], "c", 1) == 1) }
    }

    /// Runs handler number `index` of a descriptor on the calling thread, as a child's worker does.
    func run(_ plugin: UnsafePointer<pawl_plugin>, _ index: Int = 0, args: String) -> Int32 {
        let handler = plugin.pointee.handlers[index]
        var args = args
        return args.withUTF8 { handler.run(handler.user, self.handle, pawl_bytes(ptr: $0.baseAddress, len: $0.count)) }
    }

    fileprivate var isCancelled: Bool { self.cancelled.load(ordering: .sequentiallyConsistent) }
    fileprivate var cancelFD: Int32 { self.cancelPipe[0] }
    fileprivate func text(_ index: Int) -> pawl_str { self.texts[index] }
    fileprivate var answer: Int32 { self.resultStatus }
}

enum FakeHost {
    /// Attempts by the address of their handle. They live as long as the process.
    fileprivate static let attempts = Mutex<[UInt: FakeAttempt]>([:])
    /// What was said without an attempt.
    static let complaints = Mutex<[String]>([])

    static func immortal(_ text: String) -> pawl_str {
        let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: text.utf8.count)
        for (index, byte) in text.utf8.enumerated() { copy[index] = CChar(bitPattern: byte) }
        return pawl_str(ptr: UnsafePointer(copy.baseAddress), len: copy.count)
    }

    fileprivate static func attempt(_ handle: UnsafePointer<pawl_attempt>?) -> FakeAttempt {
        self.attempts.withLock { $0[UInt(bitPattern: handle)] }!
    }

    private static func say(_ handle: UnsafeMutablePointer<pawl_attempt>?, _ words: String) -> Int32 {
        self.attempt(UnsafePointer(handle)).note { $0.progress.append(words) }
        return PAWL_OK
    }

    fileprivate static func string(_ text: pawl_str) -> String {
        String(decoding: UnsafeRawBufferPointer(start: text.ptr, count: text.len), as: UTF8.self)
    }

    // Unsafe, because it is a pointer: written once, then only read.
    nonisolated(unsafe) static let table: UnsafePointer<pawl_host> = {
        var host = pawl_host()
        host.struct_size = UInt32(MemoryLayout<pawl_host>.size)
        host.abi_major = PAWL_ABI_MAJOR
        host.abi_minor = PAWL_ABI_MINOR
        host.get_extension = { _, id in id.flatMap { FakeHost.configuration($0) } }
        host.run_id = { FakeHost.attempt($0).text(0) }
        host.job_name = { FakeHost.attempt($0).text(1) }
        host.attempt_number = { _ in 3 }
        host.deadline_ns = { _ in 61_000_000_000 }
        host.now_ns = { 1_000_000_000 }
        host.scratch_dir = { FakeHost.attempt($0).text(2) }
        host.traceparent = { FakeHost.attempt($0).text(3) }
        host.is_cancelled = { FakeHost.attempt($0).isCancelled ? 1 : 0 }
        host.cancel_fd = { FakeHost.attempt($0).cancelFD }
        host.log = { handle, level, message, fields in
            guard let handle else {
                FakeHost.complaints.withLock { $0.append(FakeHost.string(message)) }
                return PAWL_OK
            }
            FakeHost.attempt(handle).note {
                $0.log.append(
                    .init(level: level, message: FakeHost.string(message), fields: FakeHost.string(fields)))
            }
            return PAWL_OK
        }
        host.set_progress = { FakeHost.say($0, "progress \($1)/\($2 == .max ? "?" : "\($2)") \(FakeHost.string($3))") }
        host.set_stage = { FakeHost.say($0, "stage \(FakeHost.string($1))") }
        host.set_total = { FakeHost.say($0, "total \($1) \(FakeHost.string($2))") }
        host.advance = { FakeHost.say($0, "advance \($1)") }
        host.set_message = { FakeHost.say($0, "message \(FakeHost.string($1))") }
        host.count = { FakeHost.say($0, "count \(FakeHost.string($1)) \($2)") }
        host.result_json = { handle, json in
            let attempt = FakeHost.attempt(handle)
            attempt.note { $0.json = FakeHost.string(json) }
            return attempt.answer
        }
        host.result_bytes = { handle, bytes, mediaType in
            let attempt = FakeHost.attempt(handle)
            attempt.note {
                $0.bytes = Array(UnsafeRawBufferPointer(start: bytes.ptr, count: bytes.len))
                $0.mediaType = FakeHost.string(mediaType)
            }
            return attempt.answer
        }
        host.fail = { handle, failure in
            guard let failure = failure?.pointee else { return PAWL_E_INTERNAL }
            FakeHost.attempt(handle).note {
                $0.failure = .init(
                    retry: failure.retry, code: FakeHost.string(failure.code),
                    message: FakeHost.string(failure.message), details: FakeHost.string(failure.details_json),
                    notBefore: failure.not_before_unix_ms)
            }
            return PAWL_E_FAILED
        }
        host.snooze = { handle, until in
            FakeHost.attempt(handle).note { $0.snoozedUntil = until }
            return PAWL_OK
        }
        let table = UnsafeMutablePointer<pawl_host>.allocate(capacity: 1)
        table.initialize(to: host)
        return UnsafePointer(table)
    }()

    // MARK: pawl.config/1

    /// The text that extension pawl.config/1 hands out; nil: the extension is absent.
    static let configurationText = Mutex<String?>(nil)

    private static func configuration(_ id: UnsafePointer<CChar>) -> UnsafeRawPointer? {
        guard strcmp(id, "pawl.config/1") == 0 else { return nil }
        guard self.configurationText.withLock({ $0 }) != nil else { return nil }
        typealias Text = @convention(c) () -> pawl_str
        let text: Text = { FakeHost.immortal(FakeHost.configurationText.withLock { $0 } ?? "") }
        let table = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
        table.storeBytes(of: 16, as: UInt32.self)
        table.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        table.storeBytes(of: text, toByteOffset: 8, as: Text.self)
        return UnsafeRawPointer(table)
    }
}
