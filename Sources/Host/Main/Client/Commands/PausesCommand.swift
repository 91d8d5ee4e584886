import ArgumentParser
import JobCore

/// `pawl pauses`: of what nothing new starts, and why.
struct PausesCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "pauses",
        abstract: "List the queues and jobs that are paused or drained.",
        discussion: """
            The oldest first, with reason and end. `pawl queues resume` and `pawl jobs resume` end a pause.

            EXAMPLES
              pawl pauses
              pawl pauses --json
              pawl queues resume mail
            """)

    @OptionGroup var connection: ConnectionOptions

    func execute(_ session: ClientSession) throws {
        let answer = try session.get("/api/v1/pauses")
        if session.wantsJSON { return session.printJSON(answer) }
        let items = answer["items"]?.elements ?? []
        guard !items.isEmpty else { return session.talk("Nothing is paused.") }
        var table = Table([
            .init(title: "KIND", importance: 9), .init(title: "NAME", importance: 10),
            .init(title: "STATE", importance: 8), .init(title: "SINCE", importance: 6),
            .init(title: "UNTIL", importance: 7), .init(title: "REASON", importance: 5),
        ])
        let now = wallMicroseconds()
        for pause in items {
            table.rows.append([
                .init(pause["kind"]?.text ?? ""), .init(pause["name"]?.text ?? ""),
                .init(pause["drain"]?.bool == true ? "draining" : "paused"),
                .init(Format.relative(pause["since"]?.text, now: now)),
                .init(Format.relative(pause["until"]?.text, now: now)), .init(pause["reason"]?.text ?? ""),
            ])
        }
        table.print(to: session.terminal)
    }
}
