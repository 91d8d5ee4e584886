import FoundationEssentials
import PluginABI

/// Runs of other jobs (or of the same one) that follow this run.
extension Context {
    /// Asks for a run of `job` that begins once this run has succeeded.
    ///
    /// Follow-up runs are part of the outcome: they are made in the same transaction that writes down this run's success, each
    /// exactly once, and not at all where the attempt fails, crashes, snoozes or is cancelled, whatever it has asked for. So
    /// a retried attempt doubles nothing, and it does not matter when in the handler this is called.
    ///
    /// Whether there is such a job, and whether its schema takes the args, is looked at when the run ends: if not, the run ends
    /// failed with the code `follow_up_refused` and is not repeated, since its work is done.
    ///
    /// - Parameters:
    ///   - args: encodes to a JSON object.
    ///   - delay: from the end of this run; `nil` for at once.
    ///   - priority, attempts, queue: `nil` for what the job's settings say.
    /// - Throws: ``FollowUpRefused`` where the host refuses it at once: at most 100 of an attempt, 512 KiB together; or what
    ///   the encoder threw.
    public func enqueue(
        _ job: String, args: some Encodable, after delay: Duration? = nil, priority: Int? = nil, attempts: Int? = nil,
        queue: String? = nil, title: String? = nil, labels: [String: String] = [:],
        file: StaticString = #fileID, line: UInt = #line
    ) throws {
        let json = String(decoding: try Coders.encoder().encode(args), as: UTF8.self)
        var options: [(String, JSON)] = []
        if let delay { options.append(("delay_ms", .integer(Self.milliseconds(delay)))) }
        if let priority { options.append(("priority", .integer(priority))) }
        if let attempts { options.append(("attempts", .integer(attempts))) }
        if let queue { options.append(("queue", .string(queue))) }
        if let title { options.append(("title", .string(title))) }
        if !labels.isEmpty {
            let sorted = labels.sorted { $0.key < $1.key }
            options.append(("labels", .object(sorted.map { ($0.key, .string($0.value)) })))
        }
        self.attempt.speak(file, line)
        try self.attempt.enqueue(job, json, options.isEmpty ? "" : JSON.object(options).text)
    }

    /// As ``enqueue(_:args:after:priority:attempts:queue:title:labels:file:line:)``, without args.
    public func enqueue(
        _ job: String, after delay: Duration? = nil, priority: Int? = nil, attempts: Int? = nil, queue: String? = nil,
        title: String? = nil, labels: [String: String] = [:], file: StaticString = #fileID, line: UInt = #line
    ) throws {
        try self.enqueue(
            job, args: [String: String](), after: delay, priority: priority, attempts: attempts, queue: queue,
            title: title, labels: labels, file: file, line: line)
    }

    /// Rounded up: a run never comes too early. What has passed counts as at once.
    private static func milliseconds(_ delay: Duration) -> Int64 {
        let (seconds, attoseconds) = delay.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        // Far beyond what the host takes: it says so.
        if overflow { return .max }
        let part = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return whole.addingReportingOverflow(part).overflow ? .max : whole + part
    }
}

/// The host does not take a follow-up run. Not caught, it fails the attempt for good: the same request would be refused again.
public struct FollowUpRefused: JobError, Equatable, CustomStringConvertible {
    /// The job that was asked for.
    public var job: String
    /// What is wrong with the request.
    public var reason: String

    public var code: String { "follow_up_refused" }
    public var message: String { "a follow-up run of \(self.job): \(self.reason)" }
    public var retry: Retry { .never }
    public var description: String { self.message }
}

extension Attempt {
    /// Any thread.
    func enqueue(_ job: String, _ args: String, _ options: String) throws(FollowUpRefused) {
        guard let table = self.host.pointee.get_extension?(self.host, PAWL_EXT_FOLLOW_UP),
            let enqueue = table.assumingMemoryBound(to: pawl_ext_follow_up.self).pointee.enqueue
        else { throw FollowUpRefused(job: job, reason: "this host is older than follow-up runs") }
        var why = pawl_str()
        let status = job.withPawl { job in
            args.withPawl { args in
                options.withPawl { options in
                    var wanted = pawl_follow_up()
                    wanted.struct_size = UInt32(MemoryLayout<pawl_follow_up>.size)
                    wanted.job = job
                    wanted.args_json = args
                    wanted.options_json = options
                    return enqueue(self.handle, &wanted, &why)
                }
            }
        }
        switch status {
        case PAWL_OK: return
        case PAWL_E_STATE: throw FollowUpRefused(job: job, reason: "the handler has returned")
        default: throw FollowUpRefused(job: job, reason: why.len == 0 ? "status \(status)" : String(borrowed: why))
        }
    }
}
