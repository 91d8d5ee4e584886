import ArgumentParser
import JobCore

extension ClientSession {
    /// The path of a schedule that a person names, by its name or its id.
    static func schedulePath(_ reference: String, _ action: String = "") -> String {
        "/api/v1/schedules/\(Self.escape(reference))" + (action.isEmpty ? "" : "/\(action)")
    }

    /// Changes a schedule as it was seen: somebody else's change in between is refused.
    func changeSchedule(
        _ reference: String, _ method: String, _ action: String = "", _ body: JSONValue?
    ) throws(ClientFailure) -> JSONValue {
        let tag = try self.getTagged(Self.schedulePath(reference)).tag
        let headers = tag.map { [(name: "If-Match", value: $0)] } ?? []
        return try self.send(method, Self.schedulePath(reference, action), body, headers: headers).json
    }

    /// Says when a schedule fires next, or prints it as JSON.
    func tellSchedule(_ schedule: JSONValue, _ word: String) {
        if self.wantsJSON { return self.printJSON(schedule) }
        let name = schedule["name"]?.text ?? schedule["id"]?.text ?? ""
        let next =
            schedule["next_at"]?.text.map { ", next run \($0) (\(Format.relative($0, now: wallMicroseconds())))" } ?? ""
        self.talk("\(word) \(name)\(next)")
    }
}

/// `pawl schedules set`.
struct SetScheduleCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change a schedule. What is not said stays.",
        discussion: """
            With --create, a schedule of this name is made if there is none; it then needs --job and a time. Saying the same \
            again changes nothing.

            EXAMPLES
              pawl schedules set nightly --cron '0 3 * * *' --tz Europe/Berlin
              pawl schedules set nightly --overlap skip --catch-up none --calendar-name holidays
              pawl schedules set pulse --create --job mischief.noop --every 30s
              pawl schedules set nightly --json-patch '{"max_runs": null}'
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The schedule's name or id.") var schedule: String
    @Option(help: "The job to run.") var job: String?
    @OptionGroup(title: "When") var times: SchedulesCommand.Times
    @OptionGroup(title: "How it fires") var options: ScheduleOptionFlags
    @Option(name: .customLong("rename"), help: "Its new name.") var name: String?
    @Option(
        name: .customLong("args"),
        help: ArgumentHelp("All arguments: JSON, @FILE, or - for standard input.", valueName: "json"))
    var arguments: String?
    @OptionGroup(title: "How its runs are run") var terms: RunTerms
    @Option(
        name: .customLong("json-patch"),
        help: ArgumentHelp("A JSON Merge Patch (RFC 7396): null takes a word back.", valueName: "json"))
    var patch: String?
    @Flag(help: "Make it if there is none of this name.") var create = false

    func validate() throws {
        try self.times.check(isRequired: false)
        try self.terms.check()
    }

    func execute(_ session: ClientSession) throws {
        let body = try self.body()
        let path = ClientSession.schedulePath(self.schedule)
        let changed: JSONValue
        do throws(ClientFailure) {
            changed = try session.changeSchedule(self.schedule, "PATCH", "", body)
        } catch {
            // A job that is not there is another thing.
            guard self.create, error.code == "schedule_not_found" else { throw error }
            let headers = [(name: "If-None-Match", value: "*")]
            return session.tellSchedule(try session.send("PUT", path, body, headers: headers).json, "created")
        }
        session.tellSchedule(changed, "changed")
    }

    private func body() throws -> JSONValue {
        var body = JSONValue.object([])
        if let job { body = body.setting("job", to: .string(job)) }
        body = try self.times.apply(to: body)
        for (name, value) in self.options.fields + self.terms.fields { body = body.setting(name, to: value) }
        if let arguments = try ArgumentsBuilder.build(whole: self.arguments, members: []) {
            body = body.setting("args", to: arguments)
        }
        if let name { body = body.setting("name", to: .string(name)) }
        guard let patch else { return body }
        do {
            return Self.overlaid(body, try JSONValue(parsing: patch))
        } catch {
            throw ClientFailure(exit: .usage, message: "--json-patch is no JSON: \(error)")
        }
    }

    /// Nulls must arrive: they take words back.
    private static func overlaid(_ body: JSONValue, _ patch: JSONValue) -> JSONValue {
        (patch.object ?? []).reduce(body) { $0.setting($1.key, to: $1.value) }
    }
}

/// `pawl schedules pause`.
struct PauseScheduleCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Make no runs until further notice. Its times are written down as paused.",
        discussion: """
            EXAMPLES
              pawl schedules pause nightly --reason 'the archive moves'
              pawl schedules pause nightly weekly --for 2h
            """)
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var pause: PauseOptions
    @Argument(help: "Names or ids of schedules.") var schedules: [String]

    func execute(_ session: ClientSession) throws {
        for schedule in self.schedules {
            let answer = try session.changeSchedule(schedule, "POST", "pause", self.pause.body)
            session.tellSchedule(answer, "paused")
        }
    }
}

/// `pawl schedules resume`.
struct ResumeScheduleCommand: ClientCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "End the pause of schedules.")
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Names or ids of schedules.") var schedules: [String]

    func execute(_ session: ClientSession) throws {
        for schedule in self.schedules {
            session.tellSchedule(try session.changeSchedule(schedule, "POST", "resume", nil), "resumed")
        }
    }
}

/// `pawl schedules skip`.
struct SkipScheduleCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "skip",
        abstract: "Leave out the next times of a schedule, or all up to a time.",
        discussion: """
            What is left out is written down as skipped.

            EXAMPLES
              pawl schedules skip nightly
              pawl schedules skip nightly --next 3
              pawl schedules skip nightly --until 2027-01-02T00:00:00Z
              pawl schedules skip nightly --until now
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Its name or id.") var schedule: String
    @Option(help: "So many of its next times; 1 unless --until is given.") var next: Int?
    @Option(help: ArgumentHelp("All times up to this one (RFC 3339, or now).", valueName: "time")) var until: String?

    func validate() throws {
        if self.next != nil, self.until != nil { throw ValidationError("Give --next or --until, not both.") }
        if let next, next < 0 { throw ValidationError("--next is 0 or more.") }
        if let until, until != "now", WallTime(rfc3339: until) == nil {
            throw ValidationError("\"\(until)\" is no time: write 2027-01-01T08:00:00Z, or now.")
        }
    }

    func execute(_ session: ClientSession) throws {
        var body = JSONValue.members(["next": .int(self.next ?? 1)])
        if let until {
            let time = until == "now" ? WallTime(micros: wallMicroseconds()).rfc3339 : until
            body = .members(["until": .string(time)])
        }
        session.tellSchedule(try session.changeSchedule(self.schedule, "POST", "skip", body), "skipping times of")
    }
}

/// `pawl schedules enable`.
struct EnableScheduleCommand: ClientCommand {
    static let configuration = CommandConfiguration(commandName: "enable", abstract: "Have schedules fire again.")
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Names or ids of schedules.") var schedules: [String]

    func execute(_ session: ClientSession) throws {
        for schedule in self.schedules {
            let body = JSONValue.members(["enabled": .boolean(true)])
            session.tellSchedule(try session.changeSchedule(schedule, "PATCH", "", body), "enabled")
        }
    }
}

/// `pawl schedules disable`.
struct DisableScheduleCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Switch schedules off. Their times are not written down; see: pawl schedules pause")
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Names or ids of schedules.") var schedules: [String]

    func execute(_ session: ClientSession) throws {
        for schedule in self.schedules {
            let body = JSONValue.members(["enabled": .boolean(false)])
            session.tellSchedule(try session.changeSchedule(schedule, "PATCH", "", body), "disabled")
        }
    }
}
