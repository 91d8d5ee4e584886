import ArgumentParser
import JobCore

/// What the root falls back to: a first word that is no command gets a suggestion, and no word at all the help.
struct UnknownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "unknown-command", shouldDisplay: false)

    @Argument(parsing: .allUnrecognized)
    var words: [String] = []

    func run() throws {
        let terminal = Terminal(environment: Terminal.environment())
        guard let word = self.words.first else { throw CleanExit.helpRequest() }
        var failure = ClientFailure(
            exit: .usage, message: "There is no \(word.hasPrefix("-") ? "option" : "command") \"\(word)\".")
        let near = NearMatches.find(word, among: Self.names)
        if !near.isEmpty {
            failure.details.append("did you mean \(near.map { "pawl \($0)" }.joined(separator: " or "))?")
        }
        failure.details.append("pawl --help lists all commands")
        terminal.report(failure)
        throw failure.exit.code
    }

    private static var names: [String] {
        ["serve", "run-local", "help"]
            + ClientCommands.all.compactMap { $0.configuration.commandName }
    }
}
