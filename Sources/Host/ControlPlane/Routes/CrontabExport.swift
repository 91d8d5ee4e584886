import JobCore
import JobStore

/// Schedules as lines of a crontab. What it cannot say stands in comments.
enum CrontabExport {
    static func text(_ schedules: [ScheduleInput]) -> String {
        var lines = ["# Schedules of Pawl, as far as crontab(5) can say them."]
        var settings = Settings()
        // A crontab cannot take back a variable: those with the fewest come first.
        let parts = schedules.map { (schedule: $0, shell: ShellCall($0)) }
        let most = parts.map { $0.shell?.environment.count ?? 0 }.max() ?? 0
        for count in 0...most {
            for part in parts where part.shell?.environment.count ?? 0 == count {
                add(part.schedule, part.shell, &settings, &lines)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What lines above have said of those below.
    private struct Settings {
        var zone = ""
        var variables: [String: String] = [:]
    }

    private static func add(
        _ schedule: ScheduleInput, _ shell: ShellCall?, _ settings: inout Settings, _ lines: inout [String]
    ) {
        let name = line(schedule.name ?? schedule.job)
        lines.append("")
        let times: String
        do throws(FieldFault) {
            times = try schedule.spec.crontabTimes(schedule.options.clocks)
        } catch {
            lines.append("# \(name) is left out: \(line(error.detail))")
            return
        }
        if let lost = lost(schedule) { lines += ["# \(name), not said here: \(lost)", ""] }
        // Its minutes are those of UTC, whatever the zone's are.
        let zone = if case .interval = schedule.spec { "UTC" } else { schedule.timezone }
        if zone != settings.zone {
            settings.zone = zone
            lines.append("CRON_TZ=\(zone)")
        }
        let command: String
        if let shell, Set(settings.variables.keys).isSubset(of: shell.environment.keys) {
            for (name, value) in shell.environment.sorted(by: { $0.key < $1.key })
            where settings.variables[name] != value {
                settings.variables[name] = value
                lines.append("\(name)=\"\(value)\"")
            }
            command = shell.field
        } else {
            command = Self.command(schedule)
        }
        // Nothing but the description, which an import makes of it again.
        for text in (schedule.description ?? "").split(whereSeparator: \.isNewline) { lines.append("# \(text)") }
        lines.append((schedule.isEnabled ? "" : "# switched off: ") + "\(times) \(command)")
    }

    /// Comments have no end of a line within.
    private static func line(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// Asks a host for the run.
    private static func command(_ schedule: ScheduleInput) -> String {
        let args = try? JSONValue(parsing: schedule.args)
        // A percent sign is nothing but part of a string in JSON, where it can be written so that cron sees none.
        let json = (args?.json ?? schedule.args).replacing("%", with: "\\u0025")
        let quoted = "'" + json.replacing("'", with: #"'\''"#) + "'"
        return "pawl run \(schedule.job)" + (args == .object([]) ? "" : " --args \(quoted)")
    }

    private static func lost(_ schedule: ScheduleInput) -> String? {
        let usual = ScheduleOptions()
        var lost: [String] = []
        if schedule.startsAt != nil { lost.append("starts_at") }
        if schedule.endsAt != nil { lost.append("ends_at") }
        if schedule.maxRuns != nil { lost.append("max_runs") }
        if schedule.options.overlap != usual.overlap { lost.append("overlap") }
        if schedule.options.jitter != usual.jitter { lost.append("jitter_ms") }
        if schedule.options.everyNth != usual.everyNth { lost.append("every_nth") }
        if schedule.options.businessDays { lost.append("business_days") }
        if !schedule.options.calendars.isEmpty { lost.append("calendars") }
        if schedule.options.blackouts != usual.blackouts { lost.append("blackouts") }
        return lost.isEmpty ? nil : lost.joined(separator: ", ")
    }
}

/// What an import made of a command: that command again. Everything else a crontab has no words for.
private struct ShellCall {
    /// As it stands behind the times.
    var field: String
    /// `SHELL` included, where it is not the usual one.
    var environment: [String: String] = [:]

    init?(_ schedule: ScheduleInput) {
        guard schedule.job == CrontabImport.job, let args = try? JSONValue(parsing: schedule.args),
            case .object(let members) = args, let argv = args["argv"]?.elements?.compactMap(\.text), argv.count == 3,
            argv[1] == "-c", args["argv"]?.elements?.count == 3
        else { return nil }
        let known: Set = ["argv", "env", "directory", "stdin"]
        guard members.allSatisfy({ known.contains($0.key) }) else { return nil }
        guard let field = CrontabCommand(command: argv[2], input: args["stdin"]?.text).field else { return nil }
        self.field = field
        if argv[0] != "/bin/sh" { environment["SHELL"] = argv[0] }
        for line in args["env"]?.elements ?? [] {
            guard let text = line.text, let cut = text.firstIndex(of: "=") else { return nil }
            environment[String(text[..<cut])] = String(text[text.index(after: cut)...])
        }
        guard args["directory"]?.text == environment["HOME"] else { return nil }
        // Blanks around a value, and its quotes, are cut off where there are none around them.
        let isSaid = environment.allSatisfy { name, value in
            let isName = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            return isName && name.first?.isNumber == false && !value.contains { $0.isNewline || $0 == "\"" }
        }
        guard isSaid, environment["CRON_TZ"] == nil else { return nil }
    }
}
