/// A crontab as schedules to be.
///
/// What is read as in crontab(5) of Debian and cronie: lists of five fields or a macro, `@reboot`, comments, `NAME=value` lines
/// for what follows them, `CRON_TZ` for the zone of what follows it (cronie's reach: the lines below, not the whole file).
package struct Crontab: Sendable {
    package struct Entry: Hashable, Sendable {
        /// From 1.
        package var line: Int
        /// Kind and specification.
        package var spec: ScheduleSpec
        /// Of the last `CRON_TZ` above it.
        package var timezone: String
        /// Of the system's crontab, which has a field for it.
        package var user: String?
        /// As it stands: `%` and what follows it included.
        package var command: String
        /// What the last `NAME=value` lines above it say, without `CRON_TZ`.
        package var environment: [String: String]
        /// The comment lines right above it, or empty.
        package var description: String
    }

    package struct Problem: Equatable, Sendable {
        package var line: Int
        package var fault: FieldFault
    }

    package private(set) var entries: [Entry] = []
    package private(set) var problems: [Problem] = []

    /// - Parameters:
    ///   - timezone: of lines above the first `CRON_TZ`.
    ///   - hasUser: a user stands between times and command, as in /etc/crontab and /etc/cron.d.
    ///   - isZone: whether there is a zone of that name.
    package init(
        _ text: String, timezone: String = "UTC", hasUser: Bool = false, isZone: (String) -> Bool
    ) throws(FieldFault) {
        var zone = timezone
        var environment: [String: String] = [:]
        var length = 0
        var comments: [String] = []
        var number = 0
        // Files from elsewhere have two characters at the end of a line, which are one `Character`.
        for raw in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" }) {
            number += 1
            let line = String(raw).trimmed
            if line.isEmpty {
                // A comment belongs to what stands right below it.
                comments = []
            } else if line.hasPrefix("#") {
                comments.append(String(line.drop { $0 == "#" }).trimmed)
            } else if let (name, value) = Self.assignment(line) {
                if name == "CRON_TZ" || name == "TZ" && value.contains("/") {
                    if let advice = ZoneName.advice(value) {
                        problems.append(
                            Problem(
                                line: number, fault: FieldFault(pointer: "", code: "zone_abbreviation", detail: advice))
                        )
                    } else if !isZone(value) {
                        let detail = "\(value) is no IANA time zone such as Europe/Berlin"
                        problems.append(
                            Problem(line: number, fault: FieldFault(pointer: "", code: "unknown_zone", detail: detail)))
                    } else {
                        zone = value
                    }
                }
                if name != "CRON_TZ" {
                    let former = environment.updateValue(value, forKey: name)
                    length += value.utf8.count - (former?.utf8.count ?? -name.utf8.count)
                }
                guard environment.count <= Self.mostVariables else {
                    throw Self.tooLarge(number, "it sets more than \(Self.mostVariables) variables")
                }
                guard length <= Self.mostVariableBytes else {
                    throw Self.tooLarge(
                        number, "its variables are longer than \(Self.mostVariableBytes) bytes together")
                }
            } else {
                do throws(FieldFault) {
                    entries.append(
                        try Self.entry(line, number, zone, hasUser, environment, comments.joined(separator: "\n")))
                } catch {
                    problems.append(Problem(line: number, fault: error))
                }
                comments = []
            }
            guard entries.count + problems.count <= Self.mostEntries else {
                throw Self.tooLarge(number, "it has more than \(Self.mostEntries) schedules and faults")
            }
        }
    }

    package static let mostEntries = 2000
    package static let mostVariables = 100
    /// Names and values: every entry repeats them.
    package static let mostVariableBytes = 8192

    private static func tooLarge(_ line: Int, _ detail: String) -> FieldFault {
        FieldFault(pointer: "", code: "crontab_too_large", detail: "line \(line): \(detail)")
    }

    private static func entry(
        _ line: String, _ number: Int, _ zone: String, _ hasUser: Bool, _ environment: [String: String],
        _ description: String
    ) throws(FieldFault) -> Entry {
        var rest = line[...]
        func word() -> String {
            let word = rest.prefix { !$0.isWhitespace }
            rest = rest.dropFirst(word.count).drop(while: \.isWhitespace)
            return String(word)
        }
        let first = word()
        let spec: ScheduleSpec
        if first.lowercased() == "@reboot" {
            spec = .event(ScheduleSpec.HostEvent(name: .hostStart, delay: .zero))
        } else {
            let fields = first.hasPrefix("@") ? [first] : [first] + (0..<4).map { _ in word() }
            spec = .cron(try CronExpression(fields.joined(separator: " ")))
        }
        let user = hasUser ? word() : nil
        let command = String(rest)
        guard !command.isEmpty, user?.isEmpty != true else {
            throw FieldFault(pointer: "", code: "crontab_syntax", detail: "there is no command")
        }
        return Entry(
            line: number, spec: spec, timezone: zone, user: user, command: command, environment: environment,
            description: description)
    }

    /// `NAME=value` with blanks around `=`, and quotes around either.
    private static func assignment(_ line: String) -> (String, String)? {
        guard let cut = line.firstIndex(of: "=") else { return nil }
        func bare(_ text: some StringProtocol) -> String {
            let text = text.trimmed
            guard text.utf8.count >= 2, let quote = text.first, quote == "\"" || quote == "'", text.last == quote else {
                return text
            }
            return String(text.dropFirst().dropLast())
        }
        let name = bare(line[..<cut])
        guard let first = name.first, first.isLetter || first == "_",
            name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
        else { return nil }
        return (name, bare(line[line.index(after: cut)...]))
    }
}
