import JobCore

/// What most attempts do not have: kept together in one JSON column, null for them.
struct AttemptDetail {
    var crash: CrashInfo?
    var ladder: [LadderStep] = []
    var outputHead = ""
    var outputTail = ""
    var droppedLogLines: UInt64 = 0
    var droppedOutputBytes: UInt64 = 0
    var survivorsKilled = 0
    var mode = ExecutionMode.fork
    var samples: [ResourceSample] = []
    var leaks = LeakReport()
    /// A JSON value as text.
    var diagnosis: String?
    var lastLines: [LogLine] = []

    init(_ report: AttemptReport) {
        crash = report.crash
        ladder = report.ladder
        outputHead = report.outputHead
        outputTail = report.outputTail
        droppedLogLines = report.droppedLogLines
        droppedOutputBytes = report.droppedOutputBytes
        survivorsKilled = report.survivorsKilled
        mode = report.mode
        samples = report.samples
        leaks = report.leaks
        diagnosis = report.diagnosis
        switch report.outcome {
        // The whole log is there; only who looks for a fault wants its end at hand.
        case .succeeded, .snoozed, .cancelled: break
        case .error, .crashed, .timedOut, .outOfMemory, .terminated, .lost: lastLines = report.lastLines
        }
    }

    /// Nil if there is nothing to tell.
    var json: String? {
        var text = ""
        func add(_ key: String, _ json: String) { text += (text.isEmpty ? "{\"" : ",\"") + key + "\":" + json }
        if mode != .fork { add("mode", "\"\(mode.rawValue)\"") }
        if let crash { add("crash", crash.json) }
        if !ladder.isEmpty {
            add("ladder", list(ladder) { "{\"name\":\(JSONText.quoted($0.name)),\"at_ms\":\($0.atMillis)}" })
        }
        if !samples.isEmpty { add("samples", list(samples, \.json)) }
        if !leaks.isClean { add("leaks", leaks.json) }
        if let diagnosis { add("diagnosis", Self.checked(diagnosis)) }
        if !outputHead.isEmpty { add("output_head", JSONText.quoted(outputHead)) }
        if !outputTail.isEmpty { add("output_tail", JSONText.quoted(outputTail)) }
        if !lastLines.isEmpty { add("last_lines", list(lastLines, \.json)) }
        if droppedLogLines != 0 { add("dropped_log_lines", String(droppedLogLines)) }
        if droppedOutputBytes != 0 { add("dropped_output_bytes", String(droppedOutputBytes)) }
        if survivorsKilled != 0 { add("survivors_killed", String(survivorsKilled)) }
        return text.isEmpty ? nil : text + "}"
    }

    private func list<T>(_ elements: [T], _ json: (T) -> String) -> String {
        "[" + elements.map(json).joined(separator: ",") + "]"
    }

    /// What a tool wrote goes in as it is, if it is JSON; as a text otherwise, so that it spoils nothing.
    private static func checked(_ text: String) -> String {
        do throws(JSONFault) {
            _ = try JSONText.check(text)
            return text
        } catch {
            return JSONText.quoted(text)
        }
    }

    /// What is missing or of another kind is left empty.
    init(_ value: JSONValue?) {
        guard let value else { return }
        crash = value["crash"].map { CrashInfo($0) }
        ladder = (value["ladder"]?.elements ?? []).map {
            LadderStep(name: $0["name"]?.text ?? "", atMillis: $0["at_ms"]?.integer ?? 0)
        }
        outputHead = value["output_head"]?.text ?? ""
        outputTail = value["output_tail"]?.text ?? ""
        droppedLogLines = UInt64(clamping: value["dropped_log_lines"]?.integer ?? 0)
        droppedOutputBytes = UInt64(clamping: value["dropped_output_bytes"]?.integer ?? 0)
        survivorsKilled = Int(clamping: value["survivors_killed"]?.integer ?? 0)
        mode = value["mode"]?.text.flatMap { ExecutionMode(rawValue: $0) } ?? .fork
        samples = (value["samples"]?.elements ?? []).map { ResourceSample($0) }
        leaks = value["leaks"].map { LeakReport($0) } ?? LeakReport()
        diagnosis = value["diagnosis"]?.json
        lastLines = (value["last_lines"]?.elements ?? []).compactMap { LogLine($0) }
    }
}
