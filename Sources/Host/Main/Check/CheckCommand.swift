import ArgumentParser
import Glibc
import JobCore
import Plugins
import Supervision
import UVLoop

/// `pawl check`: what a host would say of a plugin, and what its author should hear.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look at a plugin file as a host would, and say what to mend.",
        discussion: """
            Reads the file's tables without loading it: exported and undefined symbols, needed libraries and where they are \
            found, the oldest glibc it runs with, hardening, thread-local memory, debug information. Then loads it into a \
            process of its own, as a host does, and looks at the ABI, the handlers and their schemas, threads and memory.

            Refused is what no host takes, or what works only where it was built. Warnings are worth mending; notes are for \
            your information.

            A manifest of C functions (*.pawl.json) is compared with the debug information of its library: what does not fit is \
            refused; where there is none, a note says that nothing was compared.

            Exit codes: 0 fine; 1 warnings, with --strict; 2 refused; 66 no such file; 78 this installation is incomplete.

            EXAMPLES
              pawl check hello.so
              pawl check --strict hello.so && cp hello.so plugins/.hello.so && mv plugins/.hello.so plugins/hello.so
              pawl check hello.so --format json | jq '.findings[] | select(.level == "refused")'
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case text, json
    }

    @Argument(help: ArgumentHelp("A plugin, or a manifest of C functions (*.pawl.json).", valueName: "file.so"))
    var file: String

    @Option(help: "text or json.")
    var format = Format.text

    @Flag(help: "Warnings make the exit code 1.")
    var strict = false

    @Flag(help: "Show also what is as it should be, and notes.")
    var all = false

    func run() throws {
        let terminal = Terminal(environment: Terminal.environment())
        let report: CheckReport
        do throws(ClientFailure) {
            report = try self.report()
        } catch {
            terminal.report(error)
            throw error.exit.code
        }
        switch self.format {
        case .text: report.print(to: terminal, all: self.all)
        case .json: terminal.out.writeLine(report.json.pretty)
        }
        if report.level == .refused { throw ExitCode(2) }
        if self.strict && report.level == .warning { throw ExitCode(1) }
    }

    private func report() throws(ClientFailure) -> CheckReport {
        guard access(self.file, R_OK) == 0 else {
            throw ClientFailure(exit: .inputMissing, message: "\(self.file): \(String(cString: strerror(errno)))")
        }
        let installation: Installation
        do throws(Installation.Incomplete) {
            installation = try Installation()
        } catch {
            throw ClientFailure(exit: .configuration, message: "\(error)")
        }
        var report = CheckReport(file: self.file)
        if self.file.hasSuffix(".json") {
            try self.checkManifest(installation, &report)
            return report
        }
        if let why = ELFFile.fault(inFileAt: self.file) {
            report.add(
                CheckFinding(
                    "file", .refused, why, advice: "build it as a shared library for this machine: cc -shared -fPIC"))
            return report
        }
        guard let image = ELFFile(path: self.file) else {
            report.add(CheckFinding("file", .refused, "it cannot be read, or changes while it is read"))
            return report
        }
        for problem in image.problems { report.add(CheckFinding("file", .warning, "it is damaged: \(problem)")) }
        let outcome = Self.probe(self.file, configuration: nil, installation).outcome
        report.manifest = outcome.manifest
        let hasLoaded = outcome.manifest != nil
        report.findings += PluginFileCheck(image, named: self.file).findings().map {
            hasLoaded ? Self.softened($0) : $0
        }
        report.findings += PluginProbeCheck(outcome, image).findings()
        return report
    }

    /// The loader knows more places than its configuration names; where it has found all, so will a host on this machine.
    private static func softened(_ finding: CheckFinding) -> CheckFinding {
        guard finding.level == .refused, finding.check == "libraries" || finding.check == "symbols",
            !finding.words.contains("$ORIGIN")
        else { return finding }
        var finding = finding
        finding.level = .warning
        finding.words += ", though the loader has found it here"
        return finding
    }

    /// Typed calls: what loads is the bridge, with the manifest as its configuration.
    private func checkManifest(_ installation: Installation, _ report: inout CheckReport) throws(ClientFailure) {
        guard let bridge = installation.ffiBridge else {
            throw ClientFailure(
                exit: .configuration, message: "pawl-ffi.so, which serves manifests of C functions, is not installed.")
        }
        guard let text = Self.text(of: self.file) else {
            throw ClientFailure(exit: .inputMissing, message: "\(self.file) is no text of at most 60,000 bytes.")
        }
        let (outcome, declarations) = Self.probe(bridge, configuration: text, installation)
        report.manifest = outcome.manifest
        report.findings += PluginProbeCheck(outcome, nil).findings()
        if let declarations { report.findings += DeclarationFindings(declarations).findings() }
        if self.file.hasSuffix(".ffi.json") {
            report.add(
                CheckFinding(
                    "name", .note, "the ending .ffi.json is an older name of .pawl.json, and goes on working",
                    advice: "rename it when you next touch it"))
        }
    }

    private static func text(of path: String) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 60_001)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { read(fd, $0.baseAddress.map { $0 + count }, $0.count - count) }
            if got <= 0 { break }
            count += got
        }
        return count > 60_000 ? nil : String(validating: bytes[..<count], as: UTF8.self)
    }

    /// Of a manifest also what its library's debug information says; a host asks that first, too.
    private static func probe(
        _ path: String, configuration: String?, _ installation: Installation
    ) -> (outcome: PluginProbe.Outcome, declarations: DeclarationCheck?) {
        do {
            return try LoopActor.runMain {
                var declarations: DeclarationCheck?
                if let configuration {
                    declarations = await DeclarationCheck.of(configuration, inspector: installation.inspector)
                }
                let outcome = try await PluginProbe.load(
                    path, configuration: configuration, zygotePath: installation.zygote)
                return (outcome, declarations)
            }
        } catch {
            return (PluginProbe.Outcome(problem: "\(error)"), nil)
        }
    }
}
