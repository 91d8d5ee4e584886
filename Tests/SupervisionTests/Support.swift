import CLinux
import Glibc
import JobCore
import Logging
import Supervision
import Testing
import UVLoop

/// All suites of this target, one after the other: they share the loop, and count descriptors and children.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SupervisionSuite {}

/// Where the built programs are: PAWL_TEST_BIN, else the package's release directory.
enum TestBinaries {
    static let directory: String = {
        if let set = getenv("PAWL_TEST_BIN") { return String(cString: set) }
        var path = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        path.removeLast(3)
        return path.joined(separator: "/") + "/.build/release"
    }()

    /// The host's program, for its helpers: beside the tests, where the same build put it.
    static let host: String = {
        let beside = CommandLine.arguments[0].split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let path = beside.joined(separator: "/") + "/pawl"
        return access(path, X_OK) == 0 ? path : "\(Self.directory)/pawl"
    }()

    static var zygote: String { "\(self.directory)/pawl-zygote" }
    static func plugin(_ name: String) -> String { "\(self.directory)/plugins/\(name).so" }
    static var fixtures: String { "\(self.directory)/fixtures" }
}

/// The profiles that this machine has. Without a writable cgroup v2 hierarchy only `none`.
let profiles: [SupervisorConfiguration.Profile] = {
    let mounts = (readText("/proc/self/mountinfo") ?? "").split(separator: "\n")
    let writable = mounts.contains { line in
        let fields = line.split(separator: " ")
        guard line.contains(" - cgroup2 "), fields.count > 4 else { return false }
        return access(String(fields[4]), W_OK) == 0
    }
    return writable ? [.cgroup, .none] : [.none]
}()

func readText(_ path: String) -> String? {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = read(fd, &buffer, buffer.count)
        if count <= 0 { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

func temporaryDirectory() -> String {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/pawl-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { preconditionFailure("mkdtemp: errno \(errno)") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func removeTree(_ path: String) async {
    let rm = ChildProcess.Spec(executable: "/bin/rm", arguments: ["-rf", "--", path])
    do { _ = try await ChildProcess.run(rm, timeout: .seconds(30)) } catch { Issue.record("rm \(path): \(error)") }
}

func isAlive(_ pid: Int32) -> Bool {
    guard let stat = readText("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return false }
    return !stat[end...].hasPrefix(") Z")
}

let quiet = Logger(label: "test") { _ in
    guard getenv("PAWL_TEST_VERBOSE") != nil else { return SwiftLogNoOpLogHandler() }
    return StreamLogHandler.standardError(label: "test")
}

/// Hears everything, and lets tests wait for it.
@LoopActor
final class Recorder: AttemptObserver {
    /// Process ids of the runs that began; of a dead zygote's child it may be unknown.
    private(set) var started: [RunID: Int32] = [:]
    private var startedRuns: Set<RunID> = []
    private(set) var startCount = 0
    private(set) var lines: [RunID: [LogLine]] = [:]
    private(set) var progress: [RunID: Progress] = [:]
    private(set) var reports: [RunID: AttemptReport] = [:]
    private(set) var lineCount = 0
    /// Attempts dispatched ahead that have not begun.
    private(set) var returned: [RunID] = []
    var acceptsLogs = true
    /// Called after each report.
    var onEnd: ((AttemptReport) -> Void)?
    var onReturn: ((RunID) -> Void)?
    private var waiters: [(condition: () -> Bool, continuation: CheckedContinuation<Void, Never>)] = []

    /// Waits for a fact. A test that hangs here is ended by its time limit.
    func wait(_ condition: @escaping () -> Bool) async {
        if condition() { return }
        await withCheckedContinuation { self.waiters.append((condition, $0)) }
    }

    func report(_ run: RunID) async -> AttemptReport {
        await self.wait { self.reports[run] != nil }
        return self.reports[run]!
    }

    func messages(_ run: RunID, _ stream: LogStream = .handler) -> [String] {
        (self.lines[run] ?? []).filter { $0.stream == stream }.map(\.message)
    }

    func attemptStarted(_ runID: RunID, _ attempt: Int, at: WallTime, pid: Int32?) {
        #expect(self.startedRuns.insert(runID).inserted, "started twice")
        if let pid {
            #expect(pid > 0)
            self.started[runID] = pid
        }
        self.startCount += 1
        self.changed()
    }

    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) {
        #expect(self.reports[runID] == nil, "a line after the end")
        self.lines[runID, default: []] += lines
        self.lineCount += lines.count
        self.changed()
    }

    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {
        self.progress[runID] = progress
        self.changed()
    }

    func attemptReturned(_ runID: RunID, _ attempt: Int) {
        #expect(self.reports[runID] == nil && !self.startedRuns.contains(runID), "it has begun")
        self.returned.append(runID)
        self.onReturn?(runID)
        self.changed()
    }

    func attemptEnded(_ report: AttemptReport) {
        #expect(self.reports[report.runID] == nil, "ended twice")
        self.reports[report.runID] = report
        self.onEnd?(report)
        self.changed()
    }

    private func changed() {
        if self.waiters.isEmpty { return }
        let ready = self.waiters.filter { $0.condition() }
        self.waiters.removeAll { $0.condition() }
        for waiter in ready { waiter.continuation.resume() }
    }
}

/// A supervisor with the plugin of bad manners, and everything that must hold when it is gone.
@LoopActor
final class TestHost {
    let supervisor: Supervisor
    let recorder = Recorder()
    let directory: String
    let instance: String
    private(set) var manifest = PluginManifest(
        name: "", version: "", abiMajor: 0, abiMinor: 0, flags: 0, handlers: [])
    private var nextRun: Int64 = 1
    private static var count = 0
    static let version = "mischief-1"

    private init(
        profile: SupervisorConfiguration.Profile, slots: Int, zygote: String, environment: [String: String]
    ) {
        Self.count += 1
        self.directory = temporaryDirectory()
        self.instance = "test-\(getpid())-\(Self.count)"
        self.supervisor = Supervisor(
            SupervisorConfiguration(
                zygotePath: zygote, dataDirectory: self.directory, instance: self.instance, profile: profile,
                slots: slots, environment: environment),
            logger: quiet, observer: self.recorder)
    }

    /// Starts it, runs `body`, shuts it down, and looks for what is left: descriptors, children, cgroups, files.
    nonisolated static func with(
        _ profile: SupervisorConfiguration.Profile, slots: Int = 64, killAll: Bool = true,
        zygote: String = TestBinaries.zygote, environment: [String: String] = [:],
        _ body: @escaping @LoopActor @Sendable (TestHost) async throws -> Void
    ) async throws {
        try await LoopActor.test {
            // Whatever the loop and the runtime open once is open now.
            _ = try await ChildProcess.run(.init(executable: "/bin/true"), timeout: .seconds(10))
            let before = names(in: "/proc/self/fd").count
            let (directory, cgroup) = try await Self.life(
                TestHost(profile: profile, slots: slots, zygote: zygote, environment: environment), killAll, body)
            if let cgroup { #expect(access(cgroup, F_OK) != 0, "the cgroup is still there") }
            #expect(names(in: "\(directory)/scratch").isEmpty, "scratch directories are still there")
            await removeTree(directory)
            await Self.eventually("no children are left") { Self.children().isEmpty }
            await Self.eventually("no descriptors are left") { names(in: "/proc/self/fd").count <= before }
        }
    }

    private static func life(
        _ host: TestHost, _ killAll: Bool,
        _ body: @escaping @LoopActor @Sendable (TestHost) async throws -> Void
    ) async throws -> (directory: String, cgroup: String?) {
        try await host.supervisor.start()
        #expect(host.supervisor.capabilities.profile == host.supervisor.configuration.profile)
        host.manifest = try await host.load(Self.version)
        do { try await body(host) } catch { Issue.record(error) }
        await host.supervisor.shutdown(killAll: killAll)
        #expect(host.supervisor.running.isEmpty)
        return (host.directory, host.supervisor.capabilities.cgroupRoot)
    }

    /// For what the kernel or the loop finishes a moment later.
    static func eventually(_ what: String, _ condition: () -> Bool) async {
        let deadline = LoopInstant.now.advanced(by: .seconds(10))
        while !condition() {
            guard LoopInstant.now < deadline else {
                Issue.record("not within 10 s: \(what)")
                return
            }
            do { try await LoopClock.sleep(for: .milliseconds(5)) } catch { return }
        }
    }

    static func children() -> [Int32] {
        names(in: "/proc/self/task").flatMap { task in
            (readText("/proc/self/task/\(task)/children") ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    func load(_ version: String, plugin: String = TestBinaries.plugin("mischief")) async throws -> PluginManifest {
        var status = stat()
        try #require(stat(plugin, &status) == 0, "\(plugin) is not built")
        return try await self.supervisor.load(
            PluginImage(sha256: version, path: plugin, bytes: UInt64(status.st_size), nameHint: "mischief"))
    }

    @discardableResult
    func dispatch(
        _ handler: String, _ args: String = "{}", limits: Limits = Limits(), version: String = TestHost.version
    ) throws -> RunID {
        let run = RunID(self.nextRun)
        self.nextRun += 1
        let name = "mischief.\(handler)"
        let index = try #require(self.manifest.handlers.firstIndex { $0.name == name }, "no handler \(name)")
        try self.supervisor.dispatch(
            AttemptSpec(
                runID: run, runName: run.description, attempt: 1, version: version, handlerIndex: index, jobName: name,
                args: Array(args.utf8), limits: limits.resolved, environment: ["PAWL_TEST": "yes"]))
        return run
    }

    func run(_ handler: String, _ args: String = "{}", limits: Limits = Limits()) async throws -> AttemptReport {
        await self.recorder.report(try self.dispatch(handler, args, limits: limits))
    }
}
