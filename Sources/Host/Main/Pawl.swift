import ArgumentParser

@main
struct Pawl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pawl",
        abstract: "Runs any shared library as supervised background jobs.",
        discussion: """
            `pawl serve` is the host; everything else talks to one over HTTP, or works without any.

            Examples:
              pawl serve
              pawl run csv.to_jsonl --arg input=/data/a.csv --arg output=/data/a.jsonl --wait
              pawl new job mail.send --lang c && pawl dev mail-send
            """,
        version: ClientVersion.current,
        subcommands: [
            Serve.self, RunLocal.self, CheckCommand.self, ReplayCommand.self, IngestPlugin.self, FetchKeys.self,
        ]
            + AuthorCommands.all
            + ClientCommands.all + [
                UnknownCommand.self
            ],
        defaultSubcommand: UnknownCommand.self)
}
