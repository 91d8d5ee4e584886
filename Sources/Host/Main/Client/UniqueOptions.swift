import ArgumentParser
import JobCore

/// Which runs a run excludes: `unique` of a request.
struct UniqueOptions: ParsableArguments {
    @Option(
        name: .customLong("unique-key"),
        help: ArgumentHelp("Of the job's runs with this key, one at a time.", valueName: "key"))
    var key: String?

    @Option(
        name: .customLong("unique-by"),
        help: ArgumentHelp(
            "What has to agree: job, queue, owner, organization, args, args.NAME; by commas.",
            discussion: "Otherwise the job, and without a key its arguments.", valueName: "parts"))
    var by: String?

    @Option(
        name: .customLong("unique-until"),
        help: ArgumentHelp("How long it excludes others: until it has started, or finished.", valueName: "state"))
    var until: String?

    @Option(
        name: .customLong("unique-period"),
        help: ArgumentHelp("Excludes others for so long, whatever becomes of it: 30s, 10m, 6h.", valueName: "duration"))
    var period: String?

    @Option(
        name: .customLong("unique-policy"),
        help: ArgumentHelp(
            "If there is one already: reject, return_existing, or replace (it becomes this request, if it has not started).",
            valueName: "policy"))
    var policy: String?

    @Option(
        name: .customLong("unique-if-started"),
        help: ArgumentHelp("With replace, if it has started: reject, or new.", valueName: "choice"))
    var ifStarted: String?

    func check() throws {
        if self.until != nil, self.period != nil {
            throw ValidationError("--unique-until and --unique-period exclude each other.")
        }
        try RunBasics.checkDuration(self.period, of: "--unique-period")
    }

    /// Nil if none was given. The host knows the words.
    var value: JSONValue? {
        var members: [(String, JSONValue)] = []
        if let key { members.append(("key", .string(key))) }
        if let by { members.append(("by", .array(by.split(separator: ",").map { .string(String($0)) }))) }
        if let until { members.append(("until", .string(until))) }
        if let period = self.period.flatMap(Format.parseDuration) { members.append(("period_ms", .int(period))) }
        if let policy { members.append(("policy", .string(policy))) }
        if let ifStarted { members.append(("if_started", .string(ifStarted))) }
        return members.isEmpty ? nil : .object(members.map { JSONMember($0.0, $0.1) })
    }
}
