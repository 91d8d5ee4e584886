import ArgumentParser
import JobCore

/// What a schedule does besides naming times: as members of its JSON.
struct ScheduleOptionFlags: ParsableArguments {
    @Option(
        help:
            "What a time does while a run of the schedule goes: allow, skip, queue_one, cancel_running, terminate_running."
    )
    var overlap: String?

    @Option(name: .customLong("catch-up"), help: "Times that passed without a host: none, latest or all.")
    var catchUp: String?

    @Option(help: "Times that clocks skip: shift or skip.") var gap: String?

    @Option(help: "Times that clocks show twice: first, last or both.") var fold: String?

    @Option(help: ArgumentHelp("Each run starts up to this much later.", valueName: "duration")) var jitter: String?

    @Option(name: .customLong("every-nth"), help: "Only each n-th of its times counts.") var everyNth: Int?

    @Flag(name: .customLong("business-days"), help: "Monday to Friday only.") var businessDays = false

    @Option(name: .customLong("calendar-name"), help: "A calendar on whose days nothing runs; may be repeated.")
    var calendars: [String] = []

    @Option(help: ArgumentHelp("No firing before this time (RFC 3339).", valueName: "time")) var starts: String?

    @Option(help: ArgumentHelp("No firing after this time (RFC 3339).", valueName: "time")) var ends: String?

    @Option(name: .customLong("max-runs"), help: "No firing after so many.") var maxRuns: Int?

    @Option(help: "What it is for.") var description: String?

    func validate() throws {
        if let jitter, (Format.parseDuration(jitter) ?? -1) < 0 {
            throw ValidationError("\"\(jitter)\" is no duration: write 500ms, 30s or 10m.")
        }
    }

    /// Only what was said.
    var fields: [(String, JSONValue)] {
        var fields: [(String, JSONValue)] = []
        func text(_ name: String, _ value: String?) { if let value { fields.append((name, .string(value))) } }
        text("overlap", self.overlap)
        if let catchUp { fields.append(("catch_up", .members(["policy": .string(catchUp)]))) }
        if self.gap != nil || self.fold != nil {
            fields.append(
                ("dst", .members(["gap": self.gap.map { .string($0) }, "fold": self.fold.map { .string($0) }])))
        }
        if let jitter = self.jitter.flatMap(Format.parseDuration) { fields.append(("jitter_ms", .int(jitter))) }
        if let everyNth { fields.append(("every_nth", .int(everyNth))) }
        if self.businessDays { fields.append(("business_days", .boolean(true))) }
        if !self.calendars.isEmpty { fields.append(("calendars", .array(self.calendars.map { .string($0) }))) }
        text("starts_at", self.starts)
        text("ends_at", self.ends)
        if let maxRuns { fields.append(("max_runs", .int(maxRuns))) }
        text("description", self.description)
        return fields
    }
}
