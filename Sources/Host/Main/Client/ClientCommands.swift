import ArgumentParser
import JobCore

/// The commands that talk to a running host, in the order in which the help lists them.
enum ClientCommands {
    static let all: [any ParsableCommand.Type] = [
        RunCommand.self, EnqueueCommand.self, RunsCommand.self, ShowCommand.self, LogsCommand.self, WatchCommand.self,
        WaitCommand.self,
        CancelCommand.self, TerminateCommand.self, RetryCommand.self, RunNowCommand.self, ChangeCommand.self,
        BulkCommand.self, ExplainCommand.self, DiagnoseCommand.self,
        FreezeCommand.self, ThawCommand.self, ExtendCommand.self, ReniceCommand.self,
        JobsCommand.self, PluginsCommand.self, QueuesCommand.self, ExclusiveCommand.self, PausesCommand.self,
        StatsCommand.self, HostsCommand.self, SchedulesCommand.self,
        CrashesCommand.self, QuarantinesCommand.self, SafetyCommand.self, TokensCommand.self, WhoamiCommand.self,
        AuditCommand.self,
        UICommand.self, APICommand.self,
        VersionCommand.self,
    ]
}

/// What every client command takes.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The host's address: http://HOST:PORT or unix:/PATH.",
            discussion: "Otherwise PAWL_URL, otherwise the host on this machine.", valueName: "url"))
    var server: String?

    @Option(help: ArgumentHelp("The token to sign in with. Otherwise PAWL_TOKEN, otherwise the host's own file."))
    var token: String?

    @Option(
        name: .customLong("ca-file"),
        help: ArgumentHelp(
            "Certificates that an https server's own must come from, PEM. Otherwise PAWL_CA_FILE, otherwise the system's.",
            valueName: "file"))
    var authorities: String?

    @Option(
        name: .customLong("data-dir"),
        help: ArgumentHelp("Take address and token from this data directory of a host. Otherwise PAWL_DATA_DIR."))
    var dataDirectory: String?

    @Flag(help: "Print the server's JSON instead of words.")
    var json = false
}

/// A command that talks to a host: sets up the session, and turns failures into words on standard error and an exit code.
protocol ClientCommand: ParsableCommand {
    var connection: ConnectionOptions { get }
    /// Does the work. Throws `ClientFailure`, or an `ExitCode` when everything has been said already.
    func execute(_ session: ClientSession) throws
}

extension ClientCommand {
    func run() throws { try self.runWithServer() }

    /// Finds the host and executes the command against it.
    func runWithServer() throws {
        let environment = Terminal.environment()
        let terminal = Terminal(environment: environment)
        do {
            let locator = ServerLocator(
                server: self.connection.server, token: self.connection.token,
                dataDirectory: self.connection.dataDirectory, authorities: self.connection.authorities,
                environment: environment)
            let client = try HTTPClient(server: locator.locate())
            try self.execute(ClientSession(client: client, terminal: terminal, wantsJSON: self.connection.json))
        } catch let failure as ClientFailure {
            terminal.report(failure)
            throw failure.exit.code
        }
    }
}

extension Terminal {
    /// Says on standard error why a command cannot go on.
    func report(_ failure: ClientFailure) {
        self.talk.writeLine(self.talk.paint("error:", .red) + " " + Table.printable(failure.message))
        for detail in failure.details { self.talk.writeLine("  " + Table.printable(detail)) }
    }
}
