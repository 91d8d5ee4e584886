import ArgumentParser
import Crypto
import FoundationEssentials
import Glibc
import JobCore
import Supervision
import UVLoop

/// `pawl replay`: an attempt once more, here and by itself.
struct ReplayCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Repeat an attempt here, outside the database: same plugin bytes, arguments and environment.",
        discussion: """
            Takes the run's arguments and the very bytes that its attempt ran from the host, and executes the handler once on \
            this machine, in a scratch directory that is removed afterwards. Nothing is written to the database, and what the \
            handler changes outside its scratch directory it changes again.

            With --gdb, --valgrind or --strace the plugin is loaded and the handler runs in one process under that tool, \
            without fork, sandbox or limits. --gdb stops at the crash; without a terminal it prints the stack and ends.

            Exit codes as of run-local; with a tool, the tool's own.

            EXAMPLES
              pawl replay @last-failed
              pawl replay etl.load#1234 --gdb
              pawl replay etl.load#1234 --attempt 2 --valgrind
              pawl replay etl.load#1234 --version 3f5a3f5a3f5a --set limits.memory=2G
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.")
    var run: String

    @Option(help: "Which attempt's bytes; the last one unless told.")
    var attempt: Int?

    @Option(
        name: .customLong("version"),
        help: ArgumentHelp("Other bytes of the plugin, by their SHA-256 or how that begins.", valueName: "sha256"))
    var wantedVersion: String?

    @Flag(help: "Under the debugger.")
    var gdb = false

    @Flag(help: "Under valgrind's memory checker.")
    var valgrind = false

    @Flag(help: "With every system call on standard error.")
    var strace = false

    @OptionGroup var local: LocalOptions

    func validate() throws {
        if [self.gdb, self.valgrind, self.strace].count(where: { $0 }) > 1 {
            throw ValidationError("Only one of --gdb, --valgrind and --strace can watch it.")
        }
    }

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.run)
        let subject = try ReplaySubject(id, attempt: self.attempt, version: self.wantedVersion, session)
        let installation: Installation
        do {
            installation = try Installation()
        } catch {
            throw ClientFailure(exit: .configuration, message: "\(error)")
        }
        let scratch = try ScratchPlace()
        defer { scratch.remove() }
        let image = try subject.image(in: scratch, session, self.connection)
        session.talk(
            "replay of \(id), attempt \(subject.attempt): \(subject.handler) of \(subject.version.prefix(12)) in \(scratch.path)"
        )
        if let tool = self.tool {
            let code = try tool.run(subject, image: image, zygote: installation.zygote, in: scratch)
            if code != 0 { throw ExitCode(code) }
            return
        }
        let how = try self.local.resolved(over: subject.limits, subject.execution)
        let report: AttemptReport
        do {
            report = try LoopActor.runMain { [subject] in
                try await LocalRun.execute(
                    imagePath: image.path, handler: subject.handler, args: Array(subject.args.utf8), limits: how.limits,
                    execution: how.execution,
                    identity: LocalRun.Identity(
                        run: subject.id, attempt: subject.attempt, job: subject.job, traceparent: subject.traceparent),
                    zygotePath: installation.zygote, inspectorPath: installation.inspector, profile: how.profile,
                    configuration: image.configuration, sink: LocalSink())
            }
        } catch {
            throw LocalOutput.failure(70, "\(error)")
        }
        try LocalOutput.finish(report)
    }

    private var tool: ReplayTool? { self.gdb ? .gdb : self.valgrind ? .valgrind : self.strace ? .strace : nil }
}

/// What is repeated.
struct ReplaySubject: Sendable {
    let id: RunID
    let attempt: Int
    let job: String
    let handler: String
    /// SHA-256 of the plugin's bytes.
    let version: String
    /// JSON text.
    let args: String
    let traceparent: String?
    /// What the job says.
    let limits: Limits
    let execution: ExecutionSettings

    init(_ id: String, attempt wanted: Int?, version: String?, _ session: ClientSession) throws {
        let run = try session.run(id, include: "args,result")
        let attempts = try session.get("/api/v1/runs/\(id)/attempts")["items"]?.elements ?? []
        let found = wanted.map { number in attempts.first { $0["attempt"]?.integer == Int64(number) } } ?? attempts.last
        if let wanted, found == nil {
            throw ClientFailure(exit: .notFound, message: "Run \(id) has no attempt \(wanted).")
        }
        guard let runID = RunID(parsing: id) else { preconditionFailure("a resolved run has an id") }
        self.id = runID
        self.attempt = Int(found?["attempt"]?.integer ?? 1)
        self.job = run.job
        self.args = (run.json["args"]?.present ?? .object([])).json
        self.traceparent = run.json["traceparent"]?.text
        let job = try session.get("/api/v1/jobs/\(ClientSession.escape(run.job))")
        self.handler = job["handler"]?.text ?? run.job
        self.version = try Self.version(version ?? found?["version"]?.text, handler: self.handler, session)
        do {
            var limits = try Limits(Self.known(job["limits"]))
            // As at the host's: what the run says goes over what its job says.
            if let timeout = run.json["timeout_ms"]?.integer { limits.wall = .milliseconds(timeout) }
            self.limits = limits
            self.execution = try ExecutionSettings(Self.known(job["execution"]))
        } catch {
            throw ClientFailure(exit: .bug, message: "The job's settings cannot be read: \(error)")
        }
    }

    /// Whole, from how it begins; that of the loaded plugin where no attempt says any.
    private static func version(_ text: String?, handler: String, _ session: ClientSession) throws(ClientFailure)
        -> String
    {
        if let text, text.utf8.count == 64 { return text }
        let plugins = try session.get("/api/v1/plugins")["items"]?.elements ?? []
        let serving = plugins.filter { plugin in
            (plugin["handlers"]?.elements ?? []).contains { $0["name"]?.text == handler }
        }
        let versions = serving.compactMap { $0["version"]?.text }.filter { $0.hasPrefix(text ?? "") }
        guard let version = versions.first, Set(versions).count == 1 else {
            throw ClientFailure(
                exit: .notFound,
                message: text.map { "No loaded plugin with \(handler) has a version \($0)." }
                    ?? "Nothing says which bytes the run had, and no loaded plugin has \(handler).",
                details: ["give all 64 digits of --version for one that is not loaded any more"])
        }
        return version
    }

    private static func known(_ value: JSONValue?) -> JSONValue {
        .object((value?.object ?? []).filter { $0.value != .null })
    }

    /// The plugin's file and what goes with it: the host's own where this user can read it, else fetched. What is run is
    /// what the version's hash names, or nothing.
    func image(
        in scratch: ScratchPlace, _ session: ClientSession, _ connection: ConnectionOptions
    ) throws(ClientFailure) -> ReplayImage {
        if let origin = session.client.server.origin, origin.hasSuffix("/host.json") {
            let stored = String(origin.dropLast("host.json".count) + "store/\(self.version).so")
            if access(stored, R_OK) == 0 {
                guard case .success(let bytes) = ClientFiles.read(stored) else {
                    throw ClientFailure(exit: .inputMissing, message: "\(stored) cannot be read.")
                }
                try self.check(bytes, nil)
                return ReplayImage(path: stored, configuration: nil)
            }
        }
        let bytes = try self.fetch("bytes", session, isOptional: false) ?? []
        let configuration = try self.fetch("configuration", session, isOptional: true)
        try self.check(bytes, configuration)
        return ReplayImage(
            path: try scratch.write("\(self.version).so", bytes),
            configuration: configuration.map { String(decoding: $0, as: UTF8.self) })
    }

    /// - Parameter isOptional: nil for a part that this version does not have.
    private func fetch(
        _ part: String, _ session: ClientSession, isOptional: Bool
    ) throws(ClientFailure) -> [UInt8]? {
        let path = "/api/v1/plugins/versions/\(self.version)/\(part)"
        let response = try session.client.send(.init(path: path))
        if isOptional, response.status == 404 { return nil }
        guard response.isSuccess else {
            throw ProblemDetails.failure(status: response.status, body: response.body, request: "GET \(path)")
        }
        return response.body
    }

    private func check(_ bytes: [UInt8], _ configuration: [UInt8]?) throws(ClientFailure) {
        let library = Self.hash(bytes)
        // A version that is made of a manifest has the name of both.
        let found = configuration.map { Self.hash(Array("pawl-ffi \(library) \(Self.hash($0))".utf8)) } ?? library
        guard found == self.version else {
            throw ClientFailure(
                exit: .conflict, message: "The host's bytes are not those of version \(self.version.prefix(12)).",
                details: ["their SHA-256 is \(found)", "nothing was run"])
        }
    }

    private static func hash(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// What a zygote loads.
struct ReplayImage: Sendable {
    var path: String
    /// The text of a manifest of C functions.
    var configuration: String?
}

/// A directory of its own, beside which nothing is written.
struct ScratchPlace: Sendable {
    /// Holds the fetched plugin and the arguments.
    private let root: String
    /// The handler's working directory.
    let path: String

    init() throws(ClientFailure) {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/pawl-replay-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Self.fault("cannot make a directory in \(base)") }
        self.root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.path = self.root + "/scratch"
        guard mkdir(self.path, 0o700) == 0 else { throw Self.fault("cannot make \(self.path)") }
    }

    /// - Returns: the file's path.
    func write(_ name: String, _ bytes: [UInt8]) throws(ClientFailure) -> String {
        let file = "\(self.root)/\(name)"
        let fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o500)
        guard fd >= 0 else { throw Self.fault("cannot write \(file)") }
        defer { close(fd) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Self.fault("cannot write \(file)") }
            rest = rest.dropFirst(count)
        }
        return file
    }

    /// With everything in it; what cannot be removed is left, and said.
    func remove() {
        do {
            try FileManager.default.removeItem(atPath: self.root)
        } catch {
            LocalOutput.print("pawl: \(self.root) is left behind: \(error)\n", to: STDERR_FILENO)
        }
    }

    private static func fault(_ what: String) -> ClientFailure {
        ClientFailure(exit: .configuration, message: "\(what): \(String(cString: strerror(errno)))")
    }
}
