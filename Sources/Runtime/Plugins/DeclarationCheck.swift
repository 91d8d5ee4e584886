internal import FoundationEssentials
internal import Glibc
internal import JobCore
package import UVLoop

/// What the debug information of a library says of a manifest's declarations: `pawl-inspect calls`, read.
///
/// A wrong declaration is a wrong call, at best a crash. Where the library says itself how its functions are called, the host asks it
/// first; where it does not, nobody can.
package struct DeclarationCheck: Sendable, Hashable {
    package enum State: String, Sendable {
        /// The declaration is what the library says.
        case checked
        /// Nothing was compared; `words` say why.
        case unchecked
        /// It is not what the library says; `words` have both.
        case mismatch
    }

    package struct Function: Sendable, Hashable {
        /// In the manifest, e.g. `functions[2]`.
        package var place: String
        /// Of the handler.
        package var name: String
        package var state: State
        package var words: String
    }

    /// As the manifest names it.
    package var library: String
    /// The file that has the debug information; nil: there is none.
    package var debug: String?
    package var functions: [Function]
    /// Why nothing could be compared at all.
    package var problem: String?

    package init(library: String = "", debug: String? = nil, functions: [Function] = [], problem: String? = nil) {
        self.library = library
        self.debug = debug
        self.functions = functions
        self.problem = problem
    }

    /// Reading debug information of a large library takes about a second on a slow machine.
    private static let limit = Duration.seconds(30)

    /// So much longer a tool is waited for that was told to end: one that hangs in the kernel (on a file system that does not answer)
    /// cannot be ended, and must not keep its plugin from reloads.
    private static let patience = Duration.seconds(5)

    package typealias Runner = @LoopActor @Sendable (ChildProcess.Spec) async throws(LoopError) -> ChildProcess.Output

    /// Compares; never fails, never blocks the loop, and answers within a bounded time, whatever becomes of the tool.
    /// - Parameters:
    ///   - inspector: path of `pawl-inspect`; nil: it is not installed.
    ///   - atMost: when it is given up; nil: as is usual.
    ///   - run: runs the tool to its end, instead of `ChildProcess`.
    @LoopActor
    package static func of(
        _ manifest: String, inspector: String?, atMost: Duration? = nil, run: Runner? = nil
    ) async -> DeclarationCheck {
        guard let inspector else { return DeclarationCheck(problem: "pawl-inspect is not installed") }
        // A zygote's environment is built, without LD_LIBRARY_PATH: so its loader looks where the system says.
        let spec = ChildProcess.Spec(
            executable: inspector, arguments: ["calls"], environment: [:], stdin: .bytes(Array(manifest.utf8)),
            stdout: .capture(limit: 4 << 20))
        let bound = atMost ?? Self.limit + Self.patience
        let output: ChildProcess.Output
        let answer: Result<ChildProcess.Output, LoopError>? = await Self.race(bound) {
            do throws(LoopError) {
                guard let run else { return .success(try await ChildProcess.run(spec, timeout: Self.limit)) }
                return .success(try await run(spec))
            } catch { return .failure(error) }
        }
        switch answer {
        case .success(let answer): output = answer
        case .failure(let error): return DeclarationCheck(problem: "pawl-inspect did not answer: \(error)")
        case nil:
            return DeclarationCheck(
                problem: "pawl-inspect has not answered for \(bound.wholeMilliseconds) ms and could not be ended")
        }
        guard output.status.isSuccess else {
            return DeclarationCheck(problem: "reading the debug information ended with \(output.status)")
        }
        return DeclarationCheck(answer: String(decoding: output.stdout, as: UTF8.self))
    }

    /// The answer, or nil when the time is over first; then nobody hears of it any more.
    @LoopActor
    private static func race<T: Sendable>(
        _ bound: Duration, _ body: @escaping @LoopActor @Sendable () async -> T
    ) async -> T? {
        await withCheckedContinuation { continuation in
            var waiter: CheckedContinuation<T?, Never>? = continuation
            func end(_ answer: T?) {
                waiter?.resume(returning: answer)
                waiter = nil
            }
            let timer = LoopTimer()
            timer.start(after: bound) { end(nil) }
            loopTask {
                let answer = await body()
                timer.stop()
                end(answer)
            }
        }
    }

    /// Reads what `pawl-inspect calls` has printed.
    package init(answer: String) {
        self.init()
        do throws(JSONFault) {
            let value = try JSONValue(parsing: answer)
            self.library = value["library"]?.text ?? ""
            self.debug = value["debug"]?.text
            self.problem = value["problem"]?.text
            self.functions = (value["functions"]?.elements ?? []).compactMap { function in
                guard let name = function["name"]?.text, let state = State(rawValue: function["state"]?.text ?? "")
                else { return nil }
                return Function(
                    place: function["place"]?.text ?? "", name: name, state: state,
                    words: function["words"]?.text ?? "")
            }
        } catch {
            self.problem = "what pawl-inspect says of it cannot be read"
        }
    }

    /// One sentence for each declaration that is wrong, at most four of them; nil: none is.
    package var refusal: String? {
        let wrong = self.functions.filter { $0.state == .mismatch }
        guard !wrong.isEmpty else { return nil }
        var sentences = wrong.prefix(4).map { "\($0.place) (\($0.name)): \($0.words)" }
        if wrong.count > 4 { sentences.append("and \(wrong.count - 4) more") }
        return "it does not declare what \(self.library) has: " + sentences.joined(separator: "; ")
    }

    /// Whether nobody has compared the declaration of this handler's function.
    package func isUnverified(_ handler: String) -> Bool {
        self.problem != nil || self.functions.contains { $0.name == handler && $0.state == .unchecked }
    }

    /// What nobody has compared, grouped by the reason.
    package var notes: [String] {
        if let problem { return ["unchecked: its declarations were not compared with the library: \(problem)"] }
        var reasons: [String] = []
        var names: [String: [String]] = [:]
        for function in self.functions where function.state == .unchecked {
            if names[function.words] == nil { reasons.append(function.words) }
            names[function.words, default: []].append(function.name)
        }
        return reasons.map { reason in
            let names = names[reason, default: []]
            let listed =
                names.count == self.functions.count
                ? "its declarations" : names.prefix(6).joined(separator: ", ") + (names.count > 6 ? ", …" : "")
            return "unchecked: \(listed) \(names.count == 1 && listed == names[0] ? "was" : "were") not compared with "
                + "\(self.library): \(reason)"
        }
    }
}
