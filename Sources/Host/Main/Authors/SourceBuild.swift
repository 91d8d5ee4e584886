import Glibc
import UVLoop

/// How a folder, or a file, becomes plugins.
struct SourceBuild: Sendable {
    /// One call of a compiler or of make.
    struct Step: Sendable {
        /// What people call it: a source file, or "make".
        var name: String
        var words: [String]
        /// The plugin that it makes, as `NAME.so`; nil where that is known afterwards only.
        var product: String?
    }

    struct Outcome: Sendable {
        var step: Step
        var isSuccess: Bool
        /// Everything that was said.
        var words: String
        var time: Duration
    }

    let root: String
    /// The only source; nil: all of the folder.
    let file: String?
    let kit: AuthorKit
    /// Where compilers write to.
    let output: String

    /// A folder with a Makefile is built by make, as its author wrote it.
    var hasMakefile: Bool {
        self.file == nil
            && ["GNUmakefile", "makefile", "Makefile"].contains { access("\(self.root)/\($0)", R_OK) == 0 }
    }

    /// What to do now: read anew each time, as files come and go.
    /// - Parameter changed: files below the root; empty for all.
    func steps(changed: Set<String>) -> [Step] {
        if self.hasMakefile { return [Step(name: "make", words: ["make"], product: nil)] }
        let sources = self.present
        // A header or a file that others include may be part of any of them.
        let isPart = changed.isEmpty || !changed.allSatisfy { sources.contains($0) || $0.hasSuffix(".json") }
        return sources.filter { isPart || changed.contains($0) }.compactMap(self.step)
    }

    /// The sources that there are: the one file, if it is there, or those of the folder.
    private var present: [String] {
        self.file.map { access("\(self.root)/\($0)", F_OK) == 0 ? [$0] : [] } ?? self.sources
    }

    /// The plugins that the sources make, as `NAME.so`. Without a Makefile.
    var expectedProducts: Set<String> { Set(self.present.compactMap { self.step($0)?.product }) }

    /// The plugins' sources of a folder without Makefile: files that have a plugin's entry in them.
    private var sources: [String] {
        Folder.entries(self.root).filter { !$0.isDirectory && SourceFilter.matters(file: $0.name) }.map(\.name)
            .filter { Self.marks[Folder.suffix(of: $0)] != nil && self.hasEntry($0) }
    }

    private static let marks: [String: [String]] = [
        "c": ["PAWL_PLUGIN", "pawl_plugin_entry"], "cpp": ["PAWL_PLUGIN", "pawl_plugin_entry"],
        "cc": ["PAWL_PLUGIN", "pawl_plugin_entry"], "cxx": ["PAWL_PLUGIN", "pawl_plugin_entry"],
        "swift": ["@main"], "rs": ["plugin!", "pawl_plugin_entry"],
    ]

    static func isSource(_ name: String) -> Bool { self.marks[Folder.suffix(of: name)] != nil }

    private func hasEntry(_ name: String) -> Bool {
        // The bindings define what others use.
        guard name != "pawl.rs", case .success(let bytes) = ClientFiles.read("\(self.root)/\(name)") else {
            return false
        }
        let text = String(decoding: bytes, as: UTF8.self)
        return (Self.marks[Folder.suffix(of: name)] ?? []).contains { text.contains($0) }
    }

    private func step(_ source: String) -> Step? {
        guard let command = self.command(source) else { return nil }
        return Step(name: source, words: command, product: Folder.stem(of: source) + ".so")
    }

    /// The commands of docs/plugins.md.
    private func command(_ source: String) -> [String]? {
        let target = "\(self.output)/\(Folder.stem(of: source)).so"
        let shared = [
            "-Wall", "-Wextra", "-O2", "-g", "-fstack-protector-strong", "-shared", "-fPIC", "-fvisibility=hidden",
            "-Wl,-z,relro,-z,now",
        ]
        switch Folder.suffix(of: source) {
        case "c": return ["cc", "-std=gnu11"] + shared + ["-I", self.kit.headers, "-o", target, source, "-lm"]
        case "cpp", "cc", "cxx":
            return ["c++", "-std=c++17"] + shared
                + ["-Wl,--version-script=\(self.kit.exports)", "-I", self.kit.headers, "-o", target, source]
        case "swift": return ["swiftc", "@\(self.kit.swiftFlags)", "-o", target, source]
        case "rs":
            let name = "plugin_" + String(Folder.stem(of: source).map { $0.isLetter || $0.isNumber ? $0 : "_" })
            return [
                "rustc", "--edition", "2021", "--crate-type", "cdylib", "--crate-name", name, "-C", "opt-level=2", "-g",
                "-o", target, source,
            ]
        default: return nil
        }
    }

    /// Libraries that a build by make has left: in the folder itself, or in build/.
    var products: [String] {
        ["", "build/"].flatMap { folder in
            Folder.entries(folder.isEmpty ? self.root : "\(self.root)/\(folder)")
                .filter { !$0.isDirectory && $0.name.hasSuffix(".so") && !$0.name.hasPrefix(".") }
                .map { "\(self.root)/\(folder)\($0.name)" }
        }
    }

    /// Carries a step out. The compiler is ended when the task is cancelled.
    @LoopActor
    func run(_ step: Step, environment: [String: String]) async -> Outcome {
        let start = LoopInstant.now
        func outcome(_ isSuccess: Bool, _ words: String) -> Outcome {
            Outcome(step: step, isSuccess: isSuccess, words: words, time: LoopInstant.now - start)
        }
        guard let program = Self.find(step.words[0], environment) else {
            return outcome(false, "\(step.words[0]) is not installed: it is not on PATH\n")
        }
        var environment = environment
        // For Makefiles that ask where Pawl is; who has said it himself is right.
        if environment["PREFIX"] == nil { environment["PREFIX"] = self.kit.prefix }
        var spec = ChildProcess.Spec(
            executable: program, arguments: Array(step.words.dropFirst()), environment: environment,
            workingDirectory: self.root)
        // Both together, in their order.
        let collected = CollectedOutput()
        spec.stdout = .stream { collected.add($0) }
        spec.stderr = .stream { collected.add($0) }
        do {
            let output = try await ChildProcess.run(spec, timeout: .seconds(1800))
            var words = collected.text
            if !output.status.isSuccess, step.words[0] == "rustc", words.contains("for module `pawl`") {
                words += "hint: copy the bindings here: cp \(self.kit.rustBindings) .\n"
            }
            if words.isEmpty, !output.status.isSuccess { words = "\(step.name) ended with \(output.status)\n" }
            return outcome(output.status.isSuccess, words)
        } catch {
            return outcome(false, collected.text + "\(error)\n")
        }
    }

    private static func find(_ program: String, _ environment: [String: String]) -> String? {
        let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }
}

/// What a compiler says, up to a bound that nobody reads beyond.
@LoopActor
private final class CollectedOutput {
    private var bytes: [UInt8] = []

    func add(_ piece: [UInt8]) {
        if self.bytes.count < 256 << 10 { self.bytes += piece }
    }

    var text: String { String(decoding: self.bytes, as: UTF8.self) }
}
