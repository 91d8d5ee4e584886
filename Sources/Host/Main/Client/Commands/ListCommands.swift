import ArgumentParser
import JobCore

extension QueuesCommand {
    /// Who alone serves it: a host, nobody for the moment, or nothing where all hosts do.
    static func exclusive(_ queue: JSONValue) -> String {
        guard queue["exclusive"]?.bool == true else { return "" }
        guard let holder = queue["holder"], let host = holder["host"]?.text else { return "nobody" }
        return holder["name"]?.text.map { "\(host) (\($0))" } ?? host
    }
}

/// `pawl exclusive QUEUE`: one host at a time serves it.
struct ExclusiveCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "exclusive",
        abstract: "Have one host at a time serve a queue, or all again.",
        discussion: """
            The other hosts stand by, and one of them takes over when the holder stops or falls silent. Runs of the queue
            that execute elsewhere go on; the queue gets its holder when they have ended.

            EXAMPLES
              pawl exclusive mail
              pawl exclusive mail --off
              pawl queues
            """)

    @Argument(help: "The queue.") var queue: String
    @Flag(help: "All hosts serve it again.") var off = false
    @OptionGroup var connection: ConnectionOptions

    func execute(_ session: ClientSession) throws {
        let path = "/api/v1/queues/\(ClientSession.escape(self.queue))/exclusive"
        let answer = try session.send("POST", path, .object([JSONMember("exclusive", .boolean(!self.off))])).json
        if session.wantsJSON { return session.printJSON(answer) }
        let changed = answer["changed"]?.bool == true
        let state = off ? "served by all hosts" : "served by one host at a time"
        session.talk("\(queue) is \(changed ? "now" : "already") \(state).")
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
            .init(title: "HOLDS", importance: 3),
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
                .init((host["holds"]?.elements ?? []).compactMap { $0["name"]?.text }.joined(separator: ", ")),
            ])
        }
        table.print(to: session.terminal)
        guard answer["drift"]?.bool == true else { return }
        for difference in answer["differences"]?.elements ?? [] {
            let values = (difference["values"]?.elements ?? []).map { value in
                let hosts = (value["hosts"]?.elements ?? []).compactMap(\.text).joined(separator: ", ")
                return "\(value["value"]?.text ?? "unknown") on \(hosts)"
            }
            session.talk(
                "These hosts differ in \(difference["field"]?.text ?? "")" + ": " + values.joined(separator: "; "))
        }
    }
}
