import ArgumentParser
import Glibc
import JobCore
import Supervision
import UVLoop

/// `pawl test`: cases as files, run as `run-local` runs a handler, compared.
struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run the cases of a plugin, without any server, and compare what comes.",
        discussion: """
            Without FILE.so: the one in this folder. Without CASES: tests/ beside the plugin, all its *.json.

            A case is an object; a file holds one, or {"cases": [...]}:
              {"name": "greets", "handler": "hello.world", "args": {"name": "Ada"}, "timeout": "10s", "match": "subset",
               "expect": {"outcome": "succeeded", "result": {"greetings": 1}, "error": {"code": "…"}, "log": ["hello Ada"]}}

            Only handler has to be there. Outcomes are succeeded, error (the handler said that it failed, or the args do not \
            fit), crashed, timed_out, out_of_memory and others. What is not expected is not compared; with "match": "exact" the result may have no \
            more members, and the log no more lines. Log lines are parts of messages, or objects with level, message, \
            stream, stage, fields. "${any}" stands for any value, "${dir}" in strings for the directory of the case's file, \
            "${tmp}" for a new one that is removed.

            Exit codes: 0 all passed, or recorded; 1 some failed; 65 a case cannot be read; 66 no such file; 70 the plugin \
            was refused.

            EXAMPLES
              pawl test
              pawl test hello.so tests/greet.json
              pawl test hello.so tests --update
              pawl test hello.so --format junit > results.xml
            """)

    @Argument(help: ArgumentHelp("The plugin's file, and files or directories of cases.", valueName: "file"))
    var paths: [String] = []

    @Option(help: "text, json or junit.")
    var format = TestFormat.text

    @Flag(help: "Write what came into the files, as what is expected from now on.")
    var update = false

    @Option(
        name: .customLong("case"), help: ArgumentHelp("Only cases whose name has this in it.", valueName: "text"))
    var filter: String?

    @OptionGroup var local: LocalOptions

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
        let image = try self.image()
        let beside = Folder.parent(of: image)
        let given = self.paths.filter { !$0.hasSuffix(".so") }
        let standard = beside == "." ? "tests" : "\(beside)/tests"
        let files = try TestCaseFile.find(given.isEmpty ? [standard] : given).map { path throws(ClientFailure) in
            try TestCaseFile(path)
        }
        let tests = files.flatMap(\.cases).filter { test in self.filter.map { test.name.contains($0) } ?? true }
        guard !tests.isEmpty else {
            throw ClientFailure(
                exit: .inputMissing, message: "There are no cases to run.",
                details: [
                    given.isEmpty ? "looked for *.json in \(standard)" : "looked in \(given.joined(separator: ", "))"
                ])
        }
        _ = try self.local.resolved()
        let results = try self.results(tests, image, terminal)
        let updated = self.update ? results.count { !$0.isPassed && $0.fault == nil } : 0
        if self.update { try self.record(files, results) }
        let report = TestReport(out: terminal.out, isUnicode: terminal.isUnicode, subject: image)
        switch self.format {
        case .text: terminal.out.writeLine(report.summary(results, updated: updated))
        case .json: terminal.out.writeLine(report.json(results).pretty)
        case .junit: terminal.out.write(report.junit(results))
        }
        if results.contains(where: { !$0.isPassed && ($0.fault != nil || !self.update) }) { throw ExitCode(1) }
    }

    private func results(_ tests: [TestCase], _ image: String, _ terminal: Terminal) throws -> [TestResult] {
        let installation: Installation
        do {
            installation = try Installation()
        } catch {
            throw ClientFailure(exit: .configuration, message: "\(error)")
        }
        let scratch = try Folder.temporary("test")
        chmod(scratch, 0o711)
        defer {
            if let why = Folder.remove(scratch) { terminal.talk.writeLine("pawl: \(why)") }
        }
        let runner = TestRunner(image: image, installation: installation, local: self.local, scratch: scratch)
        let report = TestReport(out: terminal.out, isUnicode: terminal.isUnicode, subject: image)
        let (isText, isUpdate) = (self.format == .text, self.update)
        do {
            return try LoopActor.runMain {
                try await runner.run(tests) { result in
                    guard isText else { return }
                    terminal.out.writeLine(report.line(result, isUpdated: isUpdate && result.fault == nil))
                }
            }
        } catch let failure as ClientFailure {
            throw failure
        } catch {
            throw ClientFailure(exit: .bug, message: "\(error)")
        }
    }

    /// The plugin that was named, else the only one here.
    private func image() throws(ClientFailure) -> String {
        let named = self.paths.filter { $0.hasSuffix(".so") }
        if named.count > 1 {
            throw ClientFailure(exit: .usage, message: "Only one plugin can be tested at a time.")
        }
        if let image = named.first {
            guard access(image, R_OK) == 0 else {
                throw ClientFailure(
                    exit: .inputMissing, message: "\(image) cannot be read: \(String(cString: strerror(errno))).")
            }
            return image
        }
        let here = Folder.entries(".").filter { !$0.isDirectory && $0.name.hasSuffix(".so") }.map(\.name)
        guard let image = here.first, here.count == 1 else {
            throw ClientFailure(
                exit: .inputMissing,
                message: here.isEmpty ? "There is no .so in this folder." : "There are several plugins in this folder.",
                details: here.isEmpty ? ["build it first, or name it"] : ["name one of \(here.joined(separator: ", "))"]
            )
        }
        return image
    }

    private func record(_ files: [TestCaseFile], _ results: [TestResult]) throws(ClientFailure) {
        for file in files {
            let own = results.filter { $0.test.file == file.path }
            let text = TestRecording.text(file, own)
            guard text != file.json.pretty + "\n" else { continue }
            try ClientFiles.write(Array(text.utf8), to: file.path, mode: 0o644, isReplacing: true)
        }
    }
}
