import FoundationEssentials
import Glibc
import PluginABI
import PluginKit

/// A run that the handler asked for.
public struct TestFollowUp: Sendable, Equatable {
    public var job: String
    /// The args as JSON text.
    public var args: String
    public var delay: Duration?
    public var priority: Int?
    public var attempts: Int?
    public var queue: String?
    public var title: String?
    public var labels: [String: String]

    public init(
        job: String, args: String = "{}", delay: Duration? = nil, priority: Int? = nil, attempts: Int? = nil,
        queue: String? = nil, title: String? = nil, labels: [String: String] = [:]
    ) {
        self.job = job
        self.args = args
        self.delay = delay
        self.priority = priority
        self.attempts = attempts
        self.queue = queue
        self.title = title
        self.labels = labels
    }

    /// One member of the args, `nil` where it is absent or of another type.
    public func arg<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) -> Value? {
        TestJSON.member(name, of: self.args, as: type)
    }
}

/// Extension `pawl.follow-up/1` in a test, with the host's own bounds.
enum TestFollowUps {
    private static let mostRuns = 100
    private static let mostBytes = 512 << 10

    static func table(_ id: UnsafePointer<CChar>?) -> UnsafeRawPointer? {
        guard let id, strcmp(id, PAWL_EXT_FOLLOW_UP) == 0 else { return nil }
        return self.made.start
    }

    // Unchecked, because it holds a pointer: written once, then only read.
    private struct Table: @unchecked Sendable {
        let start: UnsafeRawPointer
    }

    private static let made: Table = {
        let table = UnsafeMutablePointer<pawl_ext_follow_up>.allocate(capacity: 1)
        table.initialize(
            to: pawl_ext_follow_up(
                struct_size: UInt32(MemoryLayout<pawl_ext_follow_up>.size), reserved0: 0,
                enqueue: { handle, wanted, why in TestFollowUps.enqueue(handle, wanted, why) }))
        return Table(start: UnsafeRawPointer(table))
    }()

    private static func enqueue(
        _ handle: UnsafeMutablePointer<pawl_attempt>?, _ wanted: UnsafePointer<pawl_follow_up>?,
        _ why: UnsafeMutablePointer<pawl_str>?
    ) -> Int32 {
        guard let wanted = wanted?.pointee else { return PAWL_E_INVALID_INPUT }
        let bytes = wanted.job.len + wanted.args_json.len + wanted.options_json.len
        let read = self.read(wanted)
        var status = PAWL_OK
        var words = ""
        let said = TestHost.record(handle).say { end in
            let before = end.followUps.reduce(0) { $0 + $1.job.utf8.count + $1.args.utf8.count }
            if end.followUps.count >= self.mostRuns {
                (status, words) = (
                    PAWL_E_LIMIT, "an attempt may ask for at most \(self.mostRuns) follow-up runs"
                )
            } else if before + bytes > self.mostBytes {
                (status, words) = (
                    PAWL_E_LIMIT, "the follow-up runs of an attempt have more than \(self.mostBytes) bytes"
                )
            } else {
                switch read {
                case .success(let run): end.followUps.append(run)
                case .failure(let fault): (status, words) = (PAWL_E_INVALID_INPUT, fault.words)
                }
            }
        }
        // It lives as long as the process; only faults cost it.
        if status != PAWL_OK { why?.pointee = TestHost.immortal(words) }
        return said == PAWL_OK ? status : said
    }

    private struct Fault: Error {
        var words: String
    }

    private struct Options: Decodable {
        // swift-format-ignore: AlwaysUseLowerCamelCase
        var delay_ms: Int64?
        var priority: Int?
        var attempts: Int?
        var queue: String?
        var title: String?
        var labels: [String: String]?
    }

    /// What the host looks at as well, for requests as PluginKit writes them.
    private static func read(_ wanted: pawl_follow_up) -> Result<TestFollowUp, Fault> {
        let (job, args) = (TestHost.string(wanted.job), TestHost.string(wanted.args_json))
        guard (1...200).contains(job.utf8.count) else {
            return .failure(Fault(words: "the job's name must have 1 to 200 bytes, without U+0000"))
        }
        guard JSONScan(bytes: Array(args.utf8)).members(at: 0) != nil else {
            return .failure(Fault(words: "the args must be a JSON object"))
        }
        let json = wanted.options_json.len == 0 ? "{}" : TestHost.string(wanted.options_json)
        let options: Options
        do {
            options = try JSONDecoder().decode(Options.self, from: Data(json.utf8))
        } catch {
            return .failure(Fault(words: "the options: \(error)"))
        }
        func whole<Number: BinaryInteger>(_ name: String, _ value: Number?, _ range: ClosedRange<Number>) -> Fault? {
            guard let value, !range.contains(value) else { return nil }
            return Fault(
                words: "the option \(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        if let fault = whole("delay_ms", options.delay_ms, 0...315_360_000_000)
            ?? whole("priority", options.priority, -1_000_000...1_000_000)
            ?? whole("attempts", options.attempts, 1...1000)
        {
            return .failure(fault)
        }
        if let queue = options.queue, !(1...120).contains(queue.utf8.count) {
            return .failure(Fault(words: "the option queue must be a string of 1 to 120 bytes, without U+0000"))
        }
        return .success(
            TestFollowUp(
                job: job, args: args, delay: options.delay_ms.map { .milliseconds($0) }, priority: options.priority,
                attempts: options.attempts, queue: options.queue, title: options.title, labels: options.labels ?? [:]))
    }
}
