import JobCore
import JobStore

/// Lines of a crontab as schedules: runs of `shell.exec`, as cron would have started them.
struct CrontabImport {
    struct Rules {
        /// What all names begin with.
        var prefix = ""
        var queue: String?
        var isEnabled = true
    }

    struct Problem {
        var line: Int
        var fault: FieldFault

        var json: String {
            var object = JSONObject()
            object.int("line", line)
            object.string("code", fault.code)
            object.string("detail", fault.detail)
            return object.text
        }
    }

    var schedules: [(pointer: String, input: ScheduleInput)]
    var problems: [Problem]

    init(schedules: [(pointer: String, input: ScheduleInput)], problems: [Problem]) {
        self.schedules = schedules
        self.problems = problems
    }

    init(_ crontab: Crontab, _ rules: Rules) {
        self.init(schedules: [], problems: crontab.problems.map { Problem(line: $0.line, fault: $0.fault) })
        var names: [String: Int] = [:]
        for entry in crontab.entries {
            var input = Self.input(entry, rules)
            let name = input.name ?? ""
            // The same line twice fires twice, as it does in cron.
            let count = names[name, default: 0] + 1
            names[name] = count
            if count > 1 { input.name = "\(name)-\(count)" }
            schedules.append((Self.pointer(entry.line), input))
        }
    }

    private static func input(_ entry: Crontab.Entry, _ rules: Rules) -> ScheduleInput {
        let command = CrontabCommand(field: entry.command)
        let shell = entry.environment["SHELL"] ?? "/bin/sh"
        var args = [JSONMember("argv", .array([.string(shell), .string("-c"), .string(command.command)]))]
        // Mail is cron's own; what a run prints stands in its log.
        let environment = entry.environment.filter { !["SHELL", "MAILTO", "MAILFROM"].contains($0.key) }
        if !environment.isEmpty {
            let lines = environment.sorted { $0.key < $1.key }.map { JSONValue.string("\($0.key)=\($0.value)") }
            args.append(JSONMember("env", .array(lines)))
        }
        if let home = entry.environment["HOME"] { args.append(JSONMember("directory", .string(home))) }
        if let text = command.input { args.append(JSONMember("stdin", .string(text))) }
        var input = ScheduleInput(
            name: name(entry, rules), job: job, spec: entry.spec, timezone: entry.timezone,
            args: JSONValue.object(args).json)
        input.queue = rules.queue
        input.isEnabled = rules.isEnabled
        if !entry.description.isEmpty { input.description = entry.description }
        if let user = entry.user { input.labels = ["crontab_user": user] }
        // cron makes up for nothing that it has missed.
        input.options.missed = MissedPolicy(.none)
        return input
    }

    /// Comes from what the line says, so that the same line has the same name wherever it stands.
    private static func name(_ entry: Crontab.Entry, _ rules: Rules) -> String {
        let word = entry.command.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        let base = word.split(separator: "/").last.map(String.init) ?? "cron"
        let plain = base.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        let text = [entry.spec.kind, entry.spec.json, entry.timezone, entry.user ?? "", entry.command].joined(
            separator: "\n")
        // FNV-1a (RFC 9923): tells lines of the same command apart, resists nobody.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = String(hash >> 40, radix: 16)
        return rules.prefix + (plain.isEmpty ? "cron" : String(plain.prefix(40))) + "-"
            + String(repeating: "0", count: 6 - digits.count) + digits
    }

    static let job = "shell.exec"

    private static func pointer(_ line: Int) -> String { "/text:\(line)" }

    /// 0: it comes from no line.
    static func line(_ pointer: String) -> Int { Int(pointer.dropFirst("/text:".count).prefix { $0 != "/" }) ?? 0 }

    /// A fault in what a line has become, as one of the text.
    static func placed(_ error: StoreError) -> StoreError {
        func placed(_ fault: FieldFault) -> FieldFault {
            guard fault.pointer.hasPrefix("/text:") else { return fault }
            return FieldFault(
                pointer: "/text", code: fault.code, detail: "line \(line(fault.pointer)): \(fault.detail)")
        }
        switch error {
        case .invalid(let fault): return .invalid(placed(fault))
        case .invalidArgs(let faults): return .invalidArgs(faults.map(placed))
        default: return error
        }
    }
}

/// Schedules as lines of a crontab. What it cannot say stands in comments.
enum CrontabExport {
    static func text(_ schedules: [ScheduleInput]) -> String {
        var lines = ["# Schedules of Pawl, as far as crontab(5) can say them."]
        var zone = ""
        for schedule in schedules {
            let name = schedule.name ?? schedule.job
            lines.append("")
            for line in (schedule.description ?? name).split(whereSeparator: \.isNewline) { lines.append("# \(line)") }
            guard let command = command(schedule) else {
                lines.append("# \(name) is left out: a command in a crontab has one line")
                continue
            }
            do throws(FieldFault) {
                let times = try schedule.spec.crontabTimes(schedule.options.clocks)
                if let lost = lost(schedule) { lines.append("# not said here: \(lost)") }
                if schedule.timezone != zone {
                    zone = schedule.timezone
                    lines.append("CRON_TZ=\(zone)")
                }
                lines.append((schedule.isEnabled ? "" : "# switched off: ") + "\(times) \(command)")
            } catch {
                lines.append("# \(name) is left out: \(error.detail)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What an import made of a command is that command again; everything else is asked of a host.
    private static func command(_ schedule: ScheduleInput) -> String? {
        let args = try? JSONValue(parsing: schedule.args)
        if schedule.job == CrontabImport.job, let argv = args?["argv"]?.elements?.compactMap(\.text), argv.count == 3,
            argv[1] == "-c", argv[0].hasSuffix("sh")
        {
            return CrontabCommand(command: argv[2], input: args?["stdin"]?.text).field
        }
        let quoted = "'" + schedule.args.replacing("'", with: #"'\''"#) + "'"
        let run = "pawl run \(schedule.job)" + (args == .object([]) ? "" : " --args \(quoted)")
        return CrontabCommand(command: run).field
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
