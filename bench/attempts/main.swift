import Glibc
import JobCore
import Logging
import Supervision
import UVLoop

// bench-attempts - attempts per second in the four modes, without a database: host loop, zygote and children alone.
//
// usage: bench-attempts ZYGOTE PLUGIN HANDLER ARGS MODE RUNS PARALLEL PROFILE
//
// Prints one JSON line: attempts per second, and the host's processor time per attempt. `bench/run.py` sets it beside bare
// forks of the same run.

/// Keeps `parallel` attempts under way until `runs` have ended.
@LoopActor
final class Flood: AttemptObserver {
    private let supervisor: Supervisor
    private let template: AttemptSpec
    private var left: Int
    private var underWay = 0
    private(set) var failures: [String] = []
    private var nextRun: Int64 = 1
    private var waiter: CheckedContinuation<Void, Never>?
    let acceptsLogs = true

    init(_ supervisor: Supervisor, _ template: AttemptSpec) {
        self.supervisor = supervisor
        self.template = template
        self.left = 0
    }

    func run(_ runs: Int, parallel: Int) async {
        self.left = runs
        for _ in 0..<min(runs, parallel) { self.start() }
        if self.underWay > 0 { await withCheckedContinuation { self.waiter = $0 } }
    }

    private func start() {
        guard self.left > 0 else { return }
        self.left -= 1
        var spec = self.template
        spec.runID = RunID(self.nextRun)
        spec.runName = spec.runID.description
        self.nextRun += 1
        do {
            try self.supervisor.dispatch(spec)
            self.underWay += 1
        } catch { self.failures.append("\(error)") }
    }

    func attemptStarted(_ runID: RunID, _ attempt: Int, at: WallTime, pid: Int32?) {}
    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) {}
    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {}

    func attemptEnded(_ report: AttemptReport) {
        if report.outcome != .succeeded { self.failures.append(report.sentence) }
        self.underWay -= 1
        self.start()
        if self.underWay == 0 {
            self.waiter?.resume()
            self.waiter = nil
        }
    }
}

func processorTime() -> Double {
    var used = rusage()
    getrusage(RUSAGE_SELF.rawValue, &used)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(used.ru_utime) + seconds(used.ru_stime)
}

func fail(_ words: String, _ status: Int32) -> Never {
    var line = "bench-attempts: \(words)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(status)
}

let words = CommandLine.arguments
guard words.count == 9, let mode = ExecutionMode(rawValue: words[5]), let runs = Int(words[6]),
    let parallel = Int(words[7]), let profile = SupervisorConfiguration.Profile(rawValue: words[8])
else { fail("usage: bench-attempts ZYGOTE PLUGIN HANDLER ARGS MODE RUNS PARALLEL PROFILE", 64) }
let (zygote, plugin, handler, args) = (words[1], words[2], words[3], words[4])

do {
    try LoopActor.runMain {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/pawl-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fail("no directory in \(base)", 73) }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let supervisor = Supervisor(
            SupervisorConfiguration(
                zygotePath: zygote, dataDirectory: directory, instance: "bench-\(getpid())", profile: profile,
                slots: parallel),
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        var status = stat()
        guard stat(plugin, &status) == 0 else { fail("no \(plugin)", 66) }
        try await supervisor.start()
        let manifest: PluginManifest
        do {
            manifest = try await supervisor.load(
                PluginImage(sha256: "bench", path: plugin, bytes: UInt64(status.st_size), nameHint: plugin))
        } catch {
            await supervisor.shutdown(killAll: true)
            throw error
        }
        guard let index = manifest.handlers.firstIndex(where: { $0.name == handler }) else {
            await supervisor.shutdown(killAll: true)
            fail("no handler \(handler)", 64)
        }
        var execution = ExecutionSettings().resolved
        execution.mode = mode
        let spec = AttemptSpec(
            runID: RunID(0), runName: "", attempt: 1, version: "bench", handlerIndex: index, jobName: handler,
            args: Array(args.utf8), limits: Limits().resolved, execution: execution)
        let flood = Flood(supervisor, spec)
        supervisor.observer = flood
        await flood.run(parallel * 2, parallel: parallel)  // Warm.
        let (began, used) = (LoopInstant.now, processorTime())
        await flood.run(runs, parallel: parallel)
        let took = LoopInstant.now - began
        let seconds = Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
        let hostMicros = (processorTime() - used) * 1e6 / Double(runs)
        let profile = supervisor.capabilities.profile
        await supervisor.shutdown(killAll: true)
        rmdir(directory)
        if let first = flood.failures.first { fail("\(flood.failures.count) attempts failed: \(first)", 1) }
        let perSecond = Int((Double(runs) / seconds).rounded())
        print(
            """
            {"mode":"\(mode.rawValue)","profile":"\(profile.rawValue)","runs":\(runs),"parallel":\(parallel),\
            "per_second":\(perSecond),"host_us":\((hostMicros * 10).rounded() / 10)}
            """)
    }
} catch { fail("\(error)", 1) }
