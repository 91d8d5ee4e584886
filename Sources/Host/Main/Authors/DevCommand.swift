import ArgumentParser
import Glibc
import JobCore
import UVLoop

/// `pawl dev`: sources in, results out, at each save.
struct DevCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "A host of your own that builds, reloads and runs again at each change of a source file.",
        discussion: """
            Starts a temporary host with a database of its own and watches PATH. At each change it builds, puts the plugin \
            live and repeats the newest run of it; before there is one, its first test case, or its first handler that needs \
            no arguments. Errors of the compiler are shown here and on the plugin's row, and the version before goes on serving.

            PATH is a folder with a Makefile (built by make; every .so in it or in its build/ is a plugin), a folder without \
            one (each .c, .cpp, .swift or .rs file with a plugin in it is compiled by itself), or one such file.

            From another terminal, `pawl run`, `pawl logs` and the rest find this host by themselves if no other runs here. \
            Ctrl-C ends the host and removes everything that it made; --keep DIR keeps its runs for next time.

            Exit codes: 0 ended by Ctrl-C; 64 wrong options; 66 no such path; 70 the host ended by itself; 78 it cannot start.

            EXAMPLES
              pawl dev
              pawl dev hello.c --run hello.world --args '{"name": "Ada"}'
              pawl dev ~/plugins/report --keep ~/.cache/report-dev
            """)

    @Argument(help: "A folder or a source file.")
    var path = "."

    @Option(
        help: ArgumentHelp(
            "Keep the host's data here, and go on with it next time. Default: a temporary directory.", valueName: "dir")
    )
    var keep: String?

    @Option(
        help: ArgumentHelp(
            "Where the host listens. Default: 127.0.0.1 and a free port.", valueName: "address"))
    var listen = "127.0.0.1:0"

    @Option(
        name: .customLong("run"),
        help: ArgumentHelp("Repeat this handler at each change, whatever ran last.", valueName: "handler"))
    var handler: String?

    @Option(
        help: ArgumentHelp(
            "Its arguments: a JSON object or @FILE. Default: those of its newest run.", valueName: "json"))
    var args: String?

    @Option(help: ArgumentHelp("auto, cgroup or none, as for serve.", valueName: "way"))
    var isolation = "auto"

    @Flag(help: "Build and reload, run nothing.")
    var noRun = false

    @Flag(help: "Also the host's own log, in full.")
    var verbose = false

    func validate() throws {
        if self.args != nil, self.handler == nil { throw ValidationError("--args goes with --run.") }
    }

    func run() throws {
        let terminal = Terminal(environment: Terminal.environment())
        do {
            try self.run(terminal)
        } catch let failure as ClientFailure {
            terminal.report(failure)
            throw failure.exit.code
        }
    }

    private func run(_ terminal: Terminal) throws {
        guard let path = Folder.real(self.path) else {
            throw ClientFailure(
                exit: .inputMissing, message: "\(self.path) does not exist: \(String(cString: strerror(errno))).")
        }
        let isFolder = Folder.isDirectory(path)
        guard isFolder || SourceBuild.isSource(path) else {
            throw ClientFailure(
                exit: .inputMissing, message: "\(self.path) is no source file of a plugin.",
                details: ["expected a folder, or a file in C, C++, Swift or Rust"])
        }
        let installation: Installation
        do {
            installation = try Installation()
        } catch {
            throw ClientFailure(exit: .configuration, message: "\(error)")
        }
        let kit = try AuthorKit(executable: installation.executable)
        let directory: String
        if let keep {
            try Folder.makeAll(keep)
            directory = Folder.real(keep) ?? keep
        } else {
            directory = try Folder.temporary("dev")
            // The database's user has to get through; what is secret in there has a mode of its own.
            chmod(directory, 0o711)
        }
        defer {
            if self.keep == nil {
                for left in DevPlace.remove(directory) { terminal.talk.writeLine("pawl: \(left)") }
            }
        }
        try Folder.make(directory + "/plugins")
        try Folder.make(directory + "/build")
        let build = SourceBuild(
            root: isFolder ? path : Folder.parent(of: path), file: isFolder ? nil : Folder.name(of: path), kit: kit,
            output: directory + "/build")
        let wish = try self.wish()
        let settings = DevSession.Settings(
            executable: installation.executable, directory: directory, isKept: self.keep != nil, build: build,
            hostOptions: [
                "--listen", self.listen, "--isolation", self.isolation, "--drain-timeout", "0", "--log-level",
                self.verbose ? "info" : "warning",
            ], wish: wish, isRunning: !self.noRun, isVerbose: self.verbose)
        do {
            try LoopActor.runMain { try await DevSession(settings, terminal: terminal).run() }
        } catch let error as LoopError {
            throw ClientFailure(exit: .configuration, message: "\(error)")
        }
    }

    private func wish() throws(ClientFailure) -> DevRerun.Wish? {
        guard let handler else { return nil }
        guard let args else { return DevRerun.Wish(handler: handler, args: nil) }
        let text = args.hasPrefix("@") ? try Folder.text(String(args.dropFirst())) : args
        do {
            let json = try JSONValue(parsing: text)
            guard json.object != nil else {
                throw ClientFailure(exit: .invalidInput, message: "--args must be a JSON object.")
            }
            return DevRerun.Wish(handler: handler, args: json)
        } catch let fault as JSONFault {
            throw ClientFailure(exit: .invalidInput, message: "--args is no JSON: \(fault).")
        } catch let failure as ClientFailure {
            throw failure
        } catch {
            throw ClientFailure(exit: .invalidInput, message: "--args: \(error).")
        }
    }
}
