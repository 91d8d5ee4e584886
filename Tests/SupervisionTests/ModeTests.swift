import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

/// One behaviour in four modes.
extension SupervisionSuite {
    @Suite struct ModeTests {
        struct Case: CustomTestStringConvertible, Sendable {
            var profile: SupervisorConfiguration.Profile
            var mode: ExecutionMode
            var testDescription: String { "\(self.mode) \(self.profile)" }
        }

        static let cases = profiles.flatMap { profile in ExecutionMode.allCases.map { Case(profile: profile, mode: $0) }
        }

        /// A host with the fixture that may be reused.
        static func with(
            _ profile: SupervisorConfiguration.Profile, slots: Int = 16,
            _ body: @escaping @LoopActor @Sendable (ModeHost) async throws -> Void
        ) async throws {
            try await TestHost.with(profile, slots: slots) { host in
                let manifest = try await host.load("reuse-1", plugin: "\(TestBinaries.fixtures)/reuse.so")
                try await body(ModeHost(host, manifest, "reuse-1"))
            }
        }

        @Test(arguments: cases) func runsSucceedOneAfterTheOther(_ which: Case) async throws {
            try await Self.with(which.profile) { host in
                var pids: Set<Int> = []
                for round in 1...5 {
                    let report = try await host.run("state", mode: which.mode)
                    #expect(report.outcome == .succeeded, "\(report)")
                    #expect(report.mode == which.mode)
                    let state = try host.state(report)
                    #expect(state["run_id"]?.text == report.runID.description)
                    #expect(state["runs"]?.integer == (which.mode == .pool ? Int64(round) : 1))
                    #expect(report.pid == state["pid"]?.integer.map(Int32.init))
                    pids.insert(Int(report.pid ?? 0))
                    #expect(report.leaks.isClean, "\(report.leaks)")
                }
                #expect(pids.count == (which.mode == .pool ? 1 : 5))
            }
        }

        @Test(arguments: cases) func whatARunWritesIsItsOwn(_ which: Case) async throws {
            try await Self.with(which.profile) { host in
                for round in 0..<20 {
                    let report = try await host.run(
                        "print", #"{"text":"round \#(round)","lines":50}"#, mode: which.mode)
                    #expect(report.outcome == .succeeded)
                    let run = report.runID
                    let lines = host.recorder.messages(run, .stdout)
                    #expect(lines == [String](repeating: "round \(round)", count: 50))
                    #expect(host.recorder.messages(run, .stderr) == ["round \(round)"])
                }
            }
        }

        @Test(arguments: cases) func cancellingAndKillingHitTheAttemptOnly(_ which: Case) async throws {
            try await Self.with(which.profile) { host in
                let bystander = try host.start("wait", mode: which.mode)
                await host.recorder.wait { host.recorder.messages(bystander).contains("waiting") }
                let asked = try host.start("wait", mode: which.mode)
                await host.recorder.wait { host.recorder.messages(asked).contains("waiting") }
                host.supervisor.cancel(asked, 1)
                #expect(await host.recorder.report(asked).outcome == .cancelled)
                let deaf = try host.start("spin", mode: which.mode)
                await host.recorder.wait { host.recorder.messages(deaf).contains("spinning") }
                host.supervisor.terminate(deaf, 1, grace: .zero)
                #expect(await host.recorder.report(deaf).outcome == .terminated)
                let slow = try host.start(
                    "spin",
                    limits: Limits(
                        wall: .milliseconds(100), cancelGrace: .milliseconds(20), termGrace: .milliseconds(20)),
                    mode: which.mode)
                let report = await host.recorder.report(slow)
                #expect(report.outcome == .timedOut && report.reason == .wall)
                #expect(host.recorder.reports[bystander] == nil)
                host.supervisor.cancel(bystander, 1)
                #expect(await host.recorder.report(bystander).outcome == .cancelled)
                #expect(try await host.run("state", mode: which.mode).outcome == .succeeded)
            }
        }

        @Test(arguments: cases) func aCrashIsToldAndTheNextRunGoesOn(_ which: Case) async throws {
            try await Self.with(which.profile) { host in
                #expect(try await host.run("noop", mode: which.mode).outcome == .succeeded)
                let report = try await host.run("crash", mode: which.mode)
                #expect(report.outcome == .crashed && report.signal == SIGABRT && report.crash != nil)
                #expect(try await host.run("noop", mode: which.mode).outcome == .succeeded)
            }
        }

        @Test(arguments: cases) func processesLeftBehindAreKilled(_ which: Case) async throws {
            try await Self.with(which.profile) { host in
                let report = try await host.run("leave_process", mode: which.mode)
                #expect(report.outcome == .succeeded && report.survivorsKilled >= 1, "\(report)")
                #expect(report.leaks.recycled == (which.mode == .pool ? "processes" : nil))
                #expect(try await host.run("noop", mode: which.mode).outcome == .succeeded)
            }
        }

        /// async, actors, Dispatch, `@MainActor` and Foundation, one after the other in the same mode.
        @Test(arguments: cases) func swiftWorks(_ which: Case) async throws {
            try await TestHost.with(which.profile) { host in
                let ways = try await host.load("ways-1", plugin: "\(TestBinaries.fixtures)/swift-ways.so")
                let host = ModeHost(host, ways, "ways-1")
                var pids: Set<Int32> = []
                for round in 0..<6 {
                    for (handler, result) in [("async", "5100"), ("main_queue", nil), ("contended", "19900")] {
                        let report = try await host.run(handler, mode: which.mode)
                        #expect(report.outcome == .succeeded && report.mode == which.mode, "\(report)")
                        if let result { #expect(report.result == .json(result)) }
                        // What runtimes keep for good is no leak.
                        #if compiler(>=6.3)
                            #expect(report.leaks.recycled == nil, "\(handler), round \(round): \(report.leaks)")
                        #else
                            // Its Dispatch gives its threads no name: they cannot be told from the handler's own.
                            let known = [nil, "threads"].contains(report.leaks.recycled)
                            #expect(known, "\(handler), round \(round): \(report.leaks)")
                        #endif
                        pids.insert(report.pid ?? 0)
                    }
                }
                #if compiler(>=6.3)
                    #expect(pids.count == (which.mode == .pool ? 1 : 18))
                #else
                    #expect(which.mode == .pool || pids.count == 18)
                #endif
                let foundation = try await host.run("libraries", mode: which.mode)
                #expect(foundation.outcome == .succeeded, "\(foundation)")
                let asleep = try host.start("sleep", mode: which.mode)
                await host.recorder.wait { host.recorder.progress[asleep]?.stage == "sleeping" }
                host.supervisor.cancel(asleep, 1)
                #expect(await host.recorder.report(asleep).outcome == .cancelled)
                #expect(try await host.run("async", mode: which.mode).outcome == .succeeded)
            }
        }

        @Test(arguments: profiles) func manyRunsInAllModesAtOnce(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await Self.with(profile, slots: 12) { host in
                var left = 400
                var wanted: [RunID] = []
                @LoopActor func more() {
                    while left > 0, host.supervisor.running.count < 12 {
                        let mode = ExecutionMode.allCases[left % (left % 5 == 0 ? 4 : 3)]
                        do { wanted.append(try host.start("noop", mode: mode)) } catch {
                            Issue.record(error)
                            return
                        }
                        left -= 1
                    }
                }
                host.recorder.onEnd = { report in
                    #expect(report.outcome == .succeeded, "\(report)")
                    more()
                }
                more()
                await host.recorder.wait { left == 0 && wanted.allSatisfy { host.recorder.reports[$0] != nil } }
                host.recorder.onEnd = nil
            }
        }
    }
}

/// The fixture's handlers in any mode.
@LoopActor
final class ModeHost {
    let host: TestHost
    let manifest: PluginManifest
    let version: String
    private static var nextRun: Int64 = 1_000_000
    var supervisor: Supervisor { self.host.supervisor }
    var recorder: Recorder { self.host.recorder }

    init(_ host: TestHost, _ manifest: PluginManifest, _ version: String) {
        self.host = host
        self.manifest = manifest
        self.version = version
    }

    func start(
        _ handler: String, _ args: String = "{}", limits: Limits = Limits(), mode: ExecutionMode,
        change: (inout AttemptSpec) -> Void = { _ in }
    ) throws -> RunID {
        let spec = try self.spec(handler, args, limits: limits, mode: mode, change: change)
        try self.supervisor.dispatch(spec)
        return spec.runID
    }

    func spec(
        _ handler: String, _ args: String = "{}", limits: Limits = Limits(), mode: ExecutionMode = .pool,
        change: (inout AttemptSpec) -> Void = { _ in }
    ) throws -> AttemptSpec {
        let run = RunID(Self.nextRun)
        Self.nextRun += 1
        let index = try #require(self.manifest.handlers.firstIndex { $0.name.hasSuffix(".\(handler)") })
        var execution = ExecutionSettings().resolved
        execution.mode = mode
        execution.poolAhead = 8
        var spec = AttemptSpec(
            runID: run, runName: run.description, attempt: 1, version: self.version, handlerIndex: index,
            jobName: handler, args: Array(args.utf8), limits: limits.resolved, execution: execution)
        change(&spec)
        return spec
    }

    func run(
        _ handler: String, _ args: String = "{}", limits: Limits = Limits(), mode: ExecutionMode,
        change: (inout AttemptSpec) -> Void = { _ in }
    ) async throws -> AttemptReport {
        await self.recorder.report(try self.start(handler, args, limits: limits, mode: mode, change: change))
    }

    func state(_ report: AttemptReport) throws -> JSONValue {
        guard case .json(let text) = report.result else {
            Issue.record("no result: \(report)")
            return .null
        }
        return try JSONValue(parsing: text)
    }
}
