import FoundationEssentials
import Glibc
import PluginABI
import PluginKit

/// The host's table in a test: each function finds its attempt's record behind the handle.
enum TestHost {
    enum Text {
        case runID, jobName, scratch, traceparent
    }

    /// What a handle points to.
    struct Handle {
        var attempt: pawl_attempt
        var record: Unmanaged<AttemptRecord>
    }

    // Unchecked, because it holds a pointer: written once, then only read.
    private struct Table: @unchecked Sendable {
        let start: UnsafePointer<pawl_host>
    }

    static var table: UnsafePointer<pawl_host> { self.made.start }

    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    static func immortal(_ text: String) -> pawl_str {
        let bytes = UnsafeMutableBufferPointer<CChar>.allocate(capacity: max(1, text.utf8.count))
        let count = text.utf8.enumerated().reduce(0) { _, byte in
            bytes.initializeElement(at: byte.offset, to: CChar(bitPattern: byte.element))
            return byte.offset + 1
        }
        return pawl_str(ptr: UnsafePointer(bytes.baseAddress), len: count)
    }

    private static func record(_ handle: UnsafePointer<pawl_attempt>?) -> AttemptRecord {
        guard let handle else { preconditionFailure("a call without an attempt") }
        return UnsafeRawPointer(handle).assumingMemoryBound(to: Handle.self).pointee.record.takeUnretainedValue()
    }

    static func record(_ handle: UnsafeMutablePointer<pawl_attempt>?) -> AttemptRecord {
        self.record(UnsafePointer(handle))
    }

    private static func text(_ handle: UnsafePointer<pawl_attempt>?, _ text: Text) -> pawl_str {
        self.record(handle).texts[text] ?? pawl_str()
    }

    static func string(_ text: pawl_str) -> String {
        String(decoding: UnsafeRawBufferPointer(start: text.ptr, count: text.len), as: UTF8.self)
    }

    private static let made: Table = {
        var host = pawl_host()
        host.struct_size = UInt32(MemoryLayout<pawl_host>.size)
        host.abi_major = PAWL_ABI_MAJOR
        host.abi_minor = PAWL_ABI_MINOR
        Self.addQuestions(to: &host)
        Self.addProgress(to: &host)
        Self.addEndings(to: &host)
        let table = UnsafeMutablePointer<pawl_host>.allocate(capacity: 1)
        table.initialize(to: host)
        return Table(start: UnsafePointer(table))
    }()

    private static func addQuestions(to host: inout pawl_host) {
        host.get_extension = { _, id in TestFollowUps.table(id) }
        host.run_id = { TestHost.text($0, .runID) }
        host.job_name = { TestHost.text($0, .jobName) }
        host.scratch_dir = { TestHost.text($0, .scratch) }
        host.traceparent = { TestHost.text($0, .traceparent) }
        host.attempt_number = { UInt32(clamping: TestHost.record($0).number) }
        host.deadline_ns = { TestHost.record($0).deadlineNanoseconds }
        host.now_ns = { TestHost.now() }
        host.is_cancelled = { TestHost.record($0).isCancelled ? 1 : 0 }
        host.cancel_fd = { TestHost.record($0).cancelFD }
    }

    private static func addProgress(to host: inout pawl_host) {
        host.log = { handle, level, message, fields in
            TestHost.record(handle).say { end in
                end.log.append(
                    TestLogLine(
                        level: LogLevel(rawValue: level) ?? .error, message: TestHost.string(message),
                        fields: TestHost.string(fields), stage: end.progress.stage))
            }
        }
        host.set_progress = { handle, current, total, message in
            TestHost.record(handle).say { end in
                end.progress.current = Int(clamping: current)
                end.progress.total = total == .max ? nil : Int(clamping: total)
                if message.len > 0 { end.progress.message = TestHost.string(message) }
            }
        }
        host.set_stage = { handle, stage in
            TestHost.record(handle).say { end in
                end.stages.append(end.progress)
                end.progress = TestProgress(stage: TestHost.string(stage), counters: end.progress.counters)
            }
        }
        host.set_total = { handle, total, unit in
            TestHost.record(handle).say { end in
                end.progress.total = total == .max ? nil : Int(clamping: total)
                if unit.len > 0 { end.progress.unit = TestHost.string(unit) }
            }
        }
        host.advance = { handle, count in
            TestHost.record(handle).say { $0.progress.current += Int(clamping: count) }
        }
        host.set_message = { handle, message in
            TestHost.record(handle).say { $0.progress.message = TestHost.string(message) }
        }
        host.count = { handle, kind, count in
            var isFull = false
            let status = TestHost.record(handle).say { end in
                let kind = TestHost.string(kind)
                // The host's own bounds.
                isFull =
                    kind.utf8.count > 64 || (end.progress.counters[kind] == nil && end.progress.counters.count == 64)
                if !isFull { end.progress.counters[kind, default: 0] += Int(count) }
            }
            return isFull ? PAWL_E_LIMIT : status
        }
    }

    private static func addEndings(to host: inout pawl_host) {
        host.result_json = { handle, json in
            guard json.len <= 64 << 20 else { return PAWL_E_LIMIT }
            return TestHost.record(handle).sayLast { $0.json = TestHost.string(json) }
        }
        host.result_bytes = { handle, bytes, _ in
            guard bytes.len <= 64 << 20 else { return PAWL_E_LIMIT }
            return TestHost.record(handle).sayLast { _ in }
        }
        host.fail = { handle, failure in
            guard let failure = failure?.pointee else { return PAWL_E_INTERNAL }
            let record = TestHost.record(handle)
            _ = record.say { end in
                let retry: Retry =
                    switch (failure.retry, failure.not_before_unix_ms) {
                    case (_, 1...): .at(Date(timeIntervalSince1970: Double(failure.not_before_unix_ms) / 1000))
                    case (PAWL_RETRY_NEVER, _): .never
                    case (PAWL_RETRY_YES, _): .yes
                    default: .byPolicy
                    }
                end.failure = TestFailure(
                    code: TestHost.string(failure.code), message: TestHost.string(failure.message), retry: retry,
                    details: TestHost.string(failure.details_json),
                    status: TestHost.string(failure.code) == "invalid_input" ? PAWL_E_INVALID_INPUT : PAWL_E_FAILED)
            }
            return PAWL_E_FAILED
        }
        host.snooze = { handle, until in
            TestHost.record(handle).sayLast { $0.snoozedUntil = Date(timeIntervalSince1970: Double(until) / 1000) }
        }
    }
}
