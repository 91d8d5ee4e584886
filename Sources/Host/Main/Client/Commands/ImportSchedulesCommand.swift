import ArgumentParser
import JobCore

/// `pawl schedules import`: the lines of a crontab, or exported schedules, as schedules.
struct ImportSchedulesCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make schedules of a crontab, or of exported JSON.",
        discussion: """
            Of a crontab, each command becomes runs of shell.exec (by SHELL, or /bin/sh), with the variables above it; CRON_TZ is \
            its zone, the comments above it are its description. Names come from the command, so that importing the same crontab \
            again changes nothing. What cannot be read is told by line; then nothing is written, unless --skip-faulty is given.

            Exit codes: 0 done, 2 done without the faulty lines, 65 a line is wrong. With --dry-run, 2 something would change.

            EXAMPLES
              pawl schedules import crontab.txt --dry-run
              crontab -l | pawl schedules import - --tz Europe/Berlin
              pawl schedules import /etc/crontab --user --disabled
              pawl schedules import schedules.json
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "A crontab or JSON, or - for standard input.") var file: String
    @Option(help: "crontab or json; else as the file looks.") var format: String?
    @Flag(help: "A user stands between times and command, as in /etc/crontab.") var user = false
    @Option(
        name: [.customLong("tz"), .customLong("timezone")],
        help: ArgumentHelp("The zone of lines above the first CRON_TZ.", valueName: "zone"))
    var timezone: String?
    @Option(help: "What all names begin with.") var prefix: String?
    @Option(help: "The queue of the runs.") var queue: String?
    @Flag(help: "Make them switched off.") var disabled = false
    @Flag(name: .customLong("skip-faulty"), help: "Write what can be read.") var skipFaulty = false
    @Flag(name: .customLong("dry-run"), help: "Only say what would be written.") var dryRun = false

    func validate() throws {
        if let format, !["crontab", "json"].contains(format) { throw ValidationError("--format is crontab or json.") }
    }

    func execute(_ session: ClientSession) throws {
        let text = try ScheduleFiles.text(self.file)
        let looksLikeJSON = text.first { !$0.isWhitespace } == "{"
        var body: JSONValue
        if self.format == "json" || self.format == nil && looksLikeJSON {
            do {
                let items = try JSONValue(parsing: text)["schedules"]
                body = .members(["format": .string("json"), "schedules": items ?? .array([])])
            } catch {
                throw ClientFailure(exit: .invalidInput, message: "\(self.file) is no JSON: \(error)")
            }
        } else {
            body = .members(["format": .string("crontab"), "text": .string(text)])
            if self.user { body = body.setting("user", to: .boolean(true)) }
            if let timezone { body = body.setting("timezone", to: .string(timezone)) }
            if let prefix { body = body.setting("prefix", to: .string(prefix)) }
            if let queue { body = body.setting("queue", to: .string(queue)) }
            if self.disabled { body = body.setting("enabled", to: .boolean(false)) }
        }
        if self.skipFaulty { body = body.setting("skip_faulty", to: .boolean(true)) }
        if self.dryRun { body = body.setting("dry_run", to: .boolean(true)) }
        let answer = try session.send("POST", "/api/v1/schedules/import", body).json
        let changes = answer["changes"]?.elements ?? []
        if session.wantsJSON {
            session.printJSON(answer)
        } else {
            StateOptions.printChanges(answer, session)
            session.talk(
                changes.isEmpty ? "nothing to change" : "\(self.dryRun ? "to change" : "changed"): \(changes.count)")
        }
        try ScheduleFiles.tellProblems(answer, session)
        if self.dryRun, !changes.isEmpty { throw ClientExit.partly.code }
    }
}
