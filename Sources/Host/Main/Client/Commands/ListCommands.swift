import ArgumentParser
import JobCore

/// `pawl queues`: how much waits and runs.
struct QueuesCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "queues",
        abstract: "List queues with their counts.",
        discussion: """
            EXAMPLES
              pawl queues
              pawl queues --json
              pawl queues | cut -f1,2
            """)

    @OptionGroup var connection: ConnectionOptions

    func execute(_ session: ClientSession) throws {
        let answer = try session.get("/api/v1/queues")
        if session.wantsJSON { return session.printJSON(answer) }
        let states = ["scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled"]
        var table = Table(
            [.init(title: "QUEUE", importance: 10)]
                + states.map {
                    .init(
                        title: $0.uppercased(), importance: $0 == "queued" || $0 == "running" ? 9 : 5, alignsRight: true
                    )
                }
                + [.init(title: "PAUSED", importance: 8)])
        for queue in answer["items"]?.elements ?? [] {
            let counts = queue["counts"] ?? queue
            table.rows.append(
                [.init(queue["name"]?.text ?? queue["queue"]?.text ?? "")]
                    + states.map { .init(counts[$0]?.integer.map { Format.count($0) } ?? "") }
                    + [.init(queue["paused"]?.bool == true ? "paused" : "", .yellow)])
        }
        if table.rows.isEmpty { return session.talk("No queue has been used yet.") }
        table.print(to: session.terminal)
    }
}

/// `pawl hosts`: who serves this database.
struct HostsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "hosts",
        abstract: "List the hosts that serve this database.",
        discussion: """
            EXAMPLES
              pawl hosts
              pawl hosts --json
              pawl hosts --server http://other:7070
            """)

    @OptionGroup var connection: ConnectionOptions

    func execute(_ session: ClientSession) throws {
        let answer = try session.get("/api/v1/hosts")
        if session.wantsJSON { return session.printJSON(answer) }
        var table = Table([
            .init(title: "HOST", importance: 10), .init(title: "STATE", importance: 9),
            .init(title: "RUNNING", importance: 8, alignsRight: true),
            .init(title: "SLOTS", importance: 6, alignsRight: true),
            .init(title: "PID", importance: 4, alignsRight: true), .init(title: "VERSION", importance: 5),
            .init(title: "STARTED", importance: 6), .init(title: "HEARTBEAT", importance: 7),
        ])
        let now = wallMicroseconds()
        for host in answer["items"]?.elements ?? [] {
            table.rows.append([
                .init(host["name"]?.text ?? host["id"]?.text ?? ""), .init(host["state"]?.text ?? ""),
                .init(host["running"]?.integer.map(String.init) ?? ""),
                .init(host["slots"]?.integer.map(String.init) ?? ""),
                .init(host["pid"]?.integer.map(String.init) ?? ""), .init(host["version"]?.text ?? ""),
                .init(Format.relative(host["started_at"]?.text, now: now)),
                .init(Format.relative((host["heartbeat_at"] ?? host["last_heartbeat_at"])?.text, now: now)),
            ])
        }
        table.print(to: session.terminal)
    }
}
