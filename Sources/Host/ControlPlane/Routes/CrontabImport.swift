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
            name: name(entry, command, rules), job: job, spec: entry.spec, timezone: entry.timezone,
            args: JSONValue.object(args).json)
        input.queue = rules.queue
        input.isEnabled = rules.isEnabled
        if !entry.description.isEmpty { input.description = entry.description }
        if let user = entry.user { input.labels = ["crontab_user": user] }
        // cron makes up for nothing that it has missed.
        input.options.missed = MissedPolicy(.none)
        return input
    }

    /// Comes from what the line means, so that the same line has the same name wherever it stands, and after an export.
    private static func name(_ entry: Crontab.Entry, _ command: CrontabCommand, _ rules: Rules) -> String {
        let word = command.command.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        let base = word.split(separator: "/").last.map(String.init) ?? "cron"
        let plain = base.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        let parts = [
            entry.spec.kind, entry.spec.json, entry.timezone, entry.user ?? "", command.command, command.input ?? "",
        ]
        let text = parts.joined(separator: "\n")
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
