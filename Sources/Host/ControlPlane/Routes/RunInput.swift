import HTTPTypes
import JobCore
import JobStore

/// Reads what a client says of a new run.
enum RunInput {
    /// Longer waits and time limits are mistakes.
    static let longestMilliseconds: Int64 = 3660 * 86_400_000
    /// Ten years, as in the settings of jobs.
    static let longestQueueMilliseconds: Int64 = 315_360_000_000

    static func read(_ reader: inout ObjectReader, argsLimit: Int) -> NewRun {
        reader.require("job")
        var run = NewRun(job: reader.string("job", limit: 200, isEmptyAllowed: false) ?? "")
        run.args = reader.objectText("args", limitBytes: argsLimit) ?? "{}"
        // The whole body has been looked at.
        run.isArgsChecked = true
        run.queue = reader.string("queue", limit: 100, isEmptyAllowed: false)
        run.priority = priority(&reader)
        run.runAt = reader.time("run_at")
        run.delay = reader.milliseconds("delay_ms", to: longestMilliseconds)
        if run.runAt != nil, run.delay != nil { reader.fault("delay_ms", "exclusive", "cannot stand beside run_at") }
        run.attempts = reader.int("attempts", in: 1...1000).map { Int($0) }
        run.backoff = reader.decoded("backoff") { value throws(FieldFault) in try BackoffPolicy(value) }
        run.timeout = reader.milliseconds("timeout_ms", from: 1, to: longestMilliseconds)
        run.queueTime = reader.milliseconds("queue_ms", from: 1, to: longestQueueMilliseconds)
        run.title = reader.string("title", limit: 500)
        run.description = reader.string("description", limit: 10_000)
        run.labels = labels(&reader)
        run.owner = reader.string("owner", limit: 200)
        run.organization = reader.string("organization", limit: 200)
        run.unique = reader.decoded("unique") { value throws(FieldFault) in try UniqueRule(value) }
        return run
    }

    static func priority(_ reader: inout ObjectReader, _ name: String = "priority") -> Int32? {
        // One less than the type has: ranks are negative priorities.
        reader.int(name, in: -Int64(Int32.max)...Int64(Int32.max)).map { Int32($0) }
    }

    static func labels(_ reader: inout ObjectReader) -> [String: String] {
        let labels = reader.strings("labels", limit: 64) ?? [:]
        for (name, value) in labels where name.isEmpty || name.utf8.count > 100 || value.utf8.count > 500 {
            reader.fault("labels", "out_of_range", "have names of 1 to 100 bytes and values of at most 500")
            break
        }
        return labels
    }

    /// The trace context of the request, if it is well formed (W3C Trace Context, level 1).
    static func traceparent(_ call: Call) -> String? {
        guard let text = call.headers[.traceparent], text.utf8.count == 55, text.hasPrefix("00-"),
            text.split(separator: "-").map(\.count) == [2, 32, 16, 2],
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || $0 == 0x2D })
        else { return nil }
        return text
    }
}

/// Reads what a client wants a retry to do differently.
enum RetryInput {
    /// Of one run and of many.
    static func read(_ reader: inout ObjectReader, argsLimit: Int) -> RetryChanges {
        var changes = RetryChanges()
        changes.priority = RunInput.priority(&reader)
        changes.attempts = reader.int("attempts", in: 1...1000).map { Int($0) }
        changes.backoff = reader.decoded("backoff") { value throws(FieldFault) in try BackoffPolicy(value) }
        changes.queue = reader.string("queue", limit: 100, isEmptyAllowed: false)
        changes.timeout = reader.milliseconds("timeout_ms", from: 1, to: RunInput.longestMilliseconds)
        changes.queueTime = reader.milliseconds("queue_ms", from: 1, to: RunInput.longestQueueMilliseconds)
        changes.title = reader.string("title", limit: 500)
        changes.args = reader.objectText("args", limitBytes: argsLimit)
        changes.dataOverrides = reader.objectText("data_overrides", limitBytes: argsLimit)
        if changes.args != nil, changes.dataOverrides != nil {
            reader.fault("data_overrides", "exclusive", "cannot stand beside args")
        }
        changes.removeOriginal = reader.bool("remove_original") ?? false
        changes.runAt = reader.time("run_at")
        changes.delay = reader.milliseconds("delay_ms", to: RunInput.longestMilliseconds)
        if changes.runAt != nil, changes.delay != nil {
            reader.fault("delay_ms", "exclusive", "cannot stand beside run_at")
        }
        return changes
    }
}
