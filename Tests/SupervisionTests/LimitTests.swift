import CLinux
import Glibc
import JobCore
import Testing
import UVLoop

@testable import Supervision

extension SupervisionSuite {
    /// What an attempt may not use more of, however it does so, and what its report says of it.
    @Suite struct LimitTests {
        private static func with(
            _ profile: SupervisorConfiguration.Profile, plugin: String,
            _ body: @escaping @LoopActor @Sendable (ModeHost) async throws -> Void
        ) async throws {
            try await TestHost.with(profile) { host in
                let manifest = try await host.load("limits-1", plugin: plugin)
                try await body(ModeHost(host, manifest, "limits-1"))
            }
        }

        /// Malloc that returns NULL and a program that exits, leaves, aborts, looks away; `bad_alloc` that nobody catches.
        @Test(arguments: profiles) func aRefusedAllocatorIsOutOfMemory(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await Self.with(profile, plugin: "\(TestBinaries.fixtures)/memory.so") { host in
                let neighbour = try host.host.dispatch("sleep", "{\"ms\":600000}")
                for handler in ["exits", "leaves", "large", "throws", "looks_away"] {
                    let report = try await host.run(handler, limits: Limits(memoryBytes: 400 << 20), mode: .fork)
                    #expect(report.outcome == .outOfMemory, "\(handler): \(report)")
                    #expect(report.sentence.contains("400 MiB"), "\(handler): \(report.sentence)")
                }
                let said = try await host.run("says_so", limits: Limits(memoryBytes: 400 << 20), mode: .fork)
                #expect(said.outcome == .error, "what it says itself stands: \(said)")
                #expect(host.recorder.reports[neighbour] == nil)
                host.supervisor.terminate(neighbour, 1, grace: .zero)
                // It hears of it before it is killed, and may be quick.
                let ended = await host.recorder.report(neighbour)
                #expect(ended.outcome == .terminated || ended.outcome == .cancelled, "\(ended)")
            }
        }

        /// Several processes, each below the limit, above it together.
        @Test(arguments: profiles) func theMemoryOfTheTreeIsLimited(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await Self.with(profile, plugin: "\(TestBinaries.fixtures)/memory.so") { host in
                let report = try await host.run("spreads", limits: Limits(memoryBytes: 400 << 20), mode: .fork)
                #expect(report.outcome == .outOfMemory, "\(report)")
                #expect(report.ladder.map(\.name) == ["kill", "empty"])
                #expect(report.resources.maxRSSBytes > 400 << 20, "of the tree")
                #expect(report.samples.contains { $0.processes == 5 }, "\(report.samples)")
            }
        }

        @Test(arguments: profiles) func theProcessorTimeOfTheTreeIsLimited(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                let report = try await host.run(
                    "burn", "{\"in_child\":true}",
                    limits: Limits(cpu: .seconds(1), cancelGrace: .milliseconds(100), termGrace: .seconds(1)))
                #expect(report.outcome == .timedOut && report.reason == .cpu, "\(report)")
                #expect(report.ladder.map(\.name).prefix(3) == ["cancel", "diagnose", "term"], "\(report.ladder)")
                let used = report.resources.userCPU + report.resources.systemCPU
                #expect(used > .milliseconds(900), "the child's time is the attempt's: \(used)")
            }
        }

        @Test(arguments: profiles) func aForkBombIsBounded(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let report = try await host.run("bomb", "{\"processes\":400}", limits: Limits(processes: 50))
                // As another user than root the kernel itself refuses; then the handler tells how far it came.
                if geteuid() == 0 {
                    #expect(report.outcome == .crashed && report.error?.code == "process_limit", "\(report)")
                    #expect(report.sentence.contains("50 processes"))
                }
                let after = try await host.run("noop")
                #expect(after.outcome == .succeeded)
            }
        }

        @Test(arguments: profiles) func noProgressEndsWhatStandsStill(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                let limits = Limits(
                    cancelGrace: .milliseconds(100), termGrace: .milliseconds(200), noProgress: .milliseconds(600))
                let moving = try host.dispatch("progress", "{\"steps\":20,\"ms\":100}", limits: limits)
                let report = try await host.run("deadlock", limits: limits)
                #expect(report.outcome == .timedOut && report.reason == .noProgress, "\(report)")
                let diagnosis = try JSONValue(parsing: try #require(report.diagnosis))
                #expect(diagnosis["cause"]?.text == "no_progress")
                #expect(diagnosis["last_line"]?["message"]?.text == "taking both locks")
                #expect(report.lastLines.last { $0.stream == .handler }?.message == "taking both locks")
                let moved = await host.recorder.report(moving)
                #expect(moved.outcome == .succeeded, "\(moved)")
                #expect(moved.lastLines.isEmpty && moved.diagnosis == nil)
            }
        }

        /// A full observer stops the child, which then makes no progress that anybody hears.
        @Test(arguments: profiles) func silenceThatTheHostCausesIsNoFault(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                host.recorder.acceptsLogs = false
                let run = try host.dispatch(
                    "flood", "{\"bytes\":800000}", limits: Limits(cancelGrace: .zero, noProgress: .milliseconds(300)))
                await host.recorder.wait { host.recorder.started[run] != nil }
                try await LoopClock.sleep(for: .milliseconds(1500))
                #expect(host.recorder.reports[run] == nil)
                host.recorder.acceptsLogs = true
                host.supervisor.logsAccepted()
                let report = await host.recorder.report(run)
                #expect(report.outcome == .succeeded && report.droppedOutputBytes == 0, "\(report)")
            }
        }

        /// The inspector is asked while the attempt is still there, and not waited for longer than it may take.
        @Test(arguments: profiles) func aLookThatHangsIsNotWaitedFor(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                let limits = Limits(
                    wall: .milliseconds(200), cancelGrace: .milliseconds(50), termGrace: .milliseconds(100))
                var asked: [Int32] = []
                host.supervisor.inspect = { pids, _ in
                    asked = pids
                    return "{\"processes\":[{\"pid\":\(pids[0])}]}"
                }
                let seen = try await host.run("deaf", limits: limits)
                #expect(seen.reason == .wall && asked == [seen.pid ?? 0], "\(seen)")
                let diagnosis = try JSONValue(parsing: try #require(seen.diagnosis))
                #expect(diagnosis["processes"]?.elements?.count == 1 && diagnosis["cause"]?.text == "wall")
                host.supervisor.inspect = { _, _ in
                    do { try await LoopClock.sleep(for: .seconds(4)) } catch {}
                    return "{}"
                }
                let hung = try await host.run("deaf", limits: limits)
                #expect(hung.reason == .wall && hung.signal == SIGKILL)
                let took = (hung.ladder.last?.atMillis ?? 0) - (hung.ladder.first?.atMillis ?? 0)
                #expect(took > 2000 && took < 4000, "\(hung.ladder)")
            }
        }

        @Test(arguments: profiles) func whoDoesNotBeginIsEnded(_ profile: SupervisorConfiguration.Profile) async throws
        {
            try await TestHost.with(
                profile, zygote: "\(TestBinaries.fixtures)/pawl-zygote-faults",
                environment: ["PAWL_FAULT": "child.start:stop"]
            ) { host in
                let report = try await host.run("noop", limits: Limits(start: .milliseconds(500)))
                #expect(report.outcome == .timedOut && report.reason == .start, "\(report)")
                #expect(report.ladder.map(\.name).contains("diagnose"))
                #expect(report.started == nil)
            }
        }

        @Test(arguments: profiles) func outputBeyondItsLimitKillsWhereTheJobSaysSo(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await Self.with(profile, plugin: TestBinaries.plugin("mischief")) { host in
                let report = try await host.run(
                    "flood", "{\"bytes\":50000000}", limits: Limits(outputBytes: 100_000), mode: .fork
                ) { $0.execution.outputPolicy = .kill }
                #expect(report.outcome == .crashed && report.error?.code == "output_limit", "\(report)")
                #expect(report.ladder.map(\.name) == ["kill", "empty"])
                let kept = host.recorder.messages(report.runID, .stdout).reduce(0) { $0 + $1.utf8.count + 1 }
                #expect(kept <= 100_080 && report.droppedOutputBytes > 0)
            }
        }

        @Test(arguments: profiles) func whatItUsesIsSampled(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("burn", "{\"in_child\":true}")
                await TestHost.eventually("a sample") { (host.supervisor.snapshot(run)?.latest?.cpuMillis ?? 0) > 300 }
                let live = try #require(host.supervisor.snapshot(run)?.latest)
                #expect(live.processes == 2 && live.threads >= 3 && live.rssBytes > 0, "\(live)")
                #expect((4...32).contains(live.descriptors), "\(live)")
                host.supervisor.terminate(run, 1, grace: .zero)
                let report = await host.recorder.report(run)
                #expect(!report.samples.isEmpty)
                #expect(report.resources.userCPU + report.resources.systemCPU >= .milliseconds(live.cpuMillis - 50))
                #expect(report.resources.minorFaults > 0)
            }
        }

        @Test(arguments: profiles) func lookingAtManyIsCheap(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let runs = try (0..<64).map { _ in try host.dispatch("sleep", "{\"ms\":600000}") }
                await host.recorder.wait { host.recorder.startCount == 64 }
                let begin = LoopInstant.now
                for attempt in host.supervisor.attempts.values { _ = attempt.takeSample() }
                let took = LoopInstant.now - begin
                // 60 µs each with cgroups, 110 without, in a debug build on an idle machine; the sampler pauses every 3 ms.
                #expect(took < .milliseconds(64), "64 attempts took \(took)")
                if getenv("PAWL_TEST_VERBOSE") != nil { print("64 samples, \(profile): \(took)") }
                for run in runs { host.supervisor.terminate(run, 1, grace: .zero) }
                for run in runs { _ = await host.recorder.report(run) }
            }
        }

        @Test(arguments: profiles) func whatItLeavesBehindIsReported(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                let left = try await host.run("leave", "{\"children\":3}")
                #expect(left.leaks.processes == 3 && left.survivorsKilled == 3)
                let wrote = try await host.run("write", "{\"bytes\":200000}")
                #expect(wrote.leaks.scratchFiles == 1 && wrote.leaks.scratchBytes >= 200_000, "\(wrote.leaks)")
                let clean = try await host.run("noop")
                #expect(clean.leaks.isClean, "\(clean.leaks)")
            }
        }
    }
}
