import ArgumentParser

/// `pawl new`: what one begins with.
struct NewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Begin a plugin of your own.", subcommands: [NewJobCommand.self])
}

struct NewJobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Make a folder with a handler that compiles, passes its tests and can be installed as it is.",
        discussion: """
            The folder has the source, a Makefile, test cases and a README. It needs the installed Pawl and the language's \
            compiler, and no network.

            NAME is the handler's: small letters, digits and _, in parts with dots between them, such as mail.send; one \
            without a dot becomes NAME.run. An existing folder must be empty.

            Exit codes: 0 done; 64 a name or language that does not exist; 73 the folder is not empty; 78 the folder cannot \
            be written, or the templates are not installed.

            EXAMPLES
              pawl new job mail.send --lang c && cd mail-send && make test
              pawl new job report.monthly --lang swift ~/plugins/report
            """)

    enum Language: String, CaseIterable, ExpressibleByArgument {
        case swift, c, cpp, rust
    }

    @Argument(help: "The handler's name.")
    var name: String

    @Option(help: "swift, c, cpp or rust.")
    var lang: Language

    @Argument(help: ArgumentHelp("The folder to make; by default the name with - for each dot.", valueName: "dir"))
    var directory: String?

    func validate() throws {
        guard Self.isHandlerName(self.handler) else {
            throw ValidationError(
                "\"\(self.name)\" cannot be a handler's name; allowed: a-z, 0-9 and _, with single dots between, at most 64"
            )
        }
        if self.lang == .rust, self.plugin == "pawl" {
            throw ValidationError("\"pawl\" is the name of the bindings' file in Rust; choose another.")
        }
    }

    func run() throws {
        let terminal = Terminal(environment: Terminal.environment())
        do {
            try self.make(terminal)
        } catch let failure as ClientFailure {
            terminal.report(failure)
            throw failure.exit.code
        }
    }

    private var handler: String { self.name.contains(".") ? self.name : self.name + ".run" }
    private var plugin: String { String(self.name.map { $0 == "." ? "-" : $0 }) }

    static func isHandlerName(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count >= 2 && name.utf8.count <= 64
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy {
                        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
                    }
            }
    }

    private func make(_ terminal: Terminal) throws {
        let installation: Installation
        do {
            installation = try Installation()
        } catch {
            throw ClientFailure(exit: .configuration, message: "\(error)")
        }
        let kit = try AuthorKit(executable: installation.executable)
        let target = self.directory ?? self.plugin
        let template = PluginTemplate(
            kit: kit, language: self.lang, handler: self.handler, plugin: self.plugin)
        let files = try template.write(to: target)
        for file in files { terminal.out.writeLine("\(target)/\(file)") }
        terminal.talk.writeLine("next: cd \(target) && make test, or pawl dev \(target)")
    }
}
