import CLinux
import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

extension SupervisionSuite {
    /// Ending attempts, whatever they do against it. A report is the proof that the tree is empty.
    @Suite struct StopTests {
        @Test(arguments: profiles) func theWallTimeEndsALoop(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let report = try await host.run(
                    "spin",
                    limits: Limits(wall: .milliseconds(300), cancelGrace: .milliseconds(100), termGrace: .seconds(5)))
                #expect(report.outcome == .timedOut && report.reason == .wall)
                #expect(report.signal == SIGTERM)
                #expect(report.ladder.map(\.name) == ["cancel", "diagnose", "term", "empty"])
                let pid = try #require(report.pid)
                #expect(!isAlive(pid))
            }
        }

        @Test(arguments: profiles) func cancellingIsHeard(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("sleep", "{\"ms\":600000}")
                await host.recorder.wait { host.recorder.started[run] != nil }
                host.supervisor.cancel(run, 1)
                let report = await host.recorder.report(run)
                #expect(report.outcome == .cancelled, "\(report)")
                #expect(report.ladder.first?.name == "cancel" && !report.ladder.contains { $0.name == "kill" })
            }
        }

        @Test(arguments: profiles) func terminateEndsTheDeaf(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("deaf")
                await host.recorder.wait { host.recorder.lines[run] != nil }
                let start = LoopInstant.now
                host.supervisor.terminate(run, 1, grace: .milliseconds(400))
                let report = await host.recorder.report(run)
                let took = LoopInstant.now - start
                #expect(report.outcome == .terminated && report.signal == SIGKILL, "\(report)")
                #expect(report.ladder.map(\.name) == ["cancel", "term", "kill", "empty"])
                #expect(took >= .milliseconds(400) && took < .milliseconds(1400), "took \(took)")
            }
        }

        @Test(arguments: profiles) func nobodyEscapes(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("escape", "{\"children\":5}")
                await host.recorder.wait { host.recorder.messages(run).last == "all have escaped" }
                let pids = host.recorder.messages(run).compactMap { Int32($0.split(separator: " ").last ?? "") }
                try #require(pids.count == 5 && pids.allSatisfy(isAlive))
                host.supervisor.terminate(run, 1, grace: .zero)
                let report = await host.recorder.report(run)
                #expect(report.outcome == .terminated)
                // At the very moment of the report, not a little later.
                #expect(!pids.contains(where: isAlive))
            }
        }

        @Test(arguments: profiles) func whatASuccessLeavesBehindIsKilled(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let report = try await host.run("leave", "{\"children\":3}")
                let pids = host.recorder.messages(report.runID).compactMap {
                    Int32($0.split(separator: " ").last ?? "")
                }
                #expect(report.outcome == .succeeded && report.survivorsKilled == 3, "\(report)")
                #expect(pids.count == 3 && !pids.contains(where: isAlive))
                #expect(report.sentence.contains("3 processes"))
                let after = try await host.run("noop")
                #expect(after.outcome == .succeeded, "\(after)")
            }
        }

        @Test(arguments: profiles) func aKillFromOutsideIsNamedSo(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("sleep", "{\"ms\":600000}")
                await host.recorder.wait { host.recorder.started[run] != nil }
                // Safe: our descendant, unreaped until the report.
                kill(try #require(host.recorder.started[run]), SIGKILL)
                let report = await host.recorder.report(run)
                #expect(report.outcome == .crashed && report.reason == .killed, "\(report)")
            }
        }

        /// Either outcome is right, two are not (the recorder looks).
        @Test(arguments: profiles) func aCancelMayRaceTheEnd(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                var outcomes: Set<AttemptOutcome> = []
                for delay in 0..<60 {
                    let run = try host.dispatch("sleep", "{\"ms\":2}")
                    await host.recorder.wait { host.recorder.started[run] != nil }
                    if delay % 3 > 0 { try await LoopClock.sleep(for: .milliseconds(delay % 3)) }
                    if delay % 2 == 0 { host.supervisor.cancel(run, 1) } else { host.supervisor.terminate(run, 1) }
                    outcomes.insert(await host.recorder.report(run).outcome)
                }
                #expect(outcomes.isSubset(of: [.succeeded, .cancelled, .terminated]), "\(outcomes)")
            }
        }

        /// Before the child has even said that it is up.
        @Test(arguments: profiles) func anAttemptCanBeStoppedAtOnce(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                for round in 0..<20 {
                    let run = try host.dispatch("sleep", "{\"ms\":600000}")
                    if round % 2 == 0 {
                        host.supervisor.cancel(run, 1)
                    } else {
                        host.supervisor.terminate(run, 1, grace: .zero)
                    }
                    let report = await host.recorder.report(run)
                    #expect(report.outcome == .cancelled || report.outcome == .terminated, "\(report)")
                }
            }
        }

        @Test(arguments: profiles) func aDeadlineCanBeMoved(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("sleep", "{\"ms\":700}", limits: Limits(wall: .milliseconds(300)))
                await host.recorder.wait { host.recorder.started[run] != nil }
                #expect(host.supervisor.extend(run, 1, by: .seconds(30)) != nil)
                #expect(await host.recorder.report(run).outcome == .succeeded)
            }
        }

        @Test(arguments: profiles) func aShutdownCostsNoAttempt(_ profile: SupervisorConfiguration.Profile) async throws
        {
            try await TestHost.with(profile) { host in
                let (hearing, deaf) = (try host.dispatch("sleep", "{\"ms\":600000}"), try host.dispatch("spin"))
                await host.recorder.wait { host.recorder.startCount == 2 }
                await host.supervisor.shutdown(killAll: true)
                for run in [hearing, deaf] {
                    let report = await host.recorder.report(run)
                    #expect(report.outcome == .lost && report.reason == .host, "\(report)")
                    #expect(report.wasHostShutdown, "\(report)")
                }
                #expect(throws: DispatchError.draining) { try host.dispatch("noop") }
            }
        }

        /// A handler that heeds it fails with words of its own: it is the host's end all the same.
        @Test(arguments: profiles) func whoHeedsAShutdownIsNotBlamedForIt(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("sleep", "{\"ms\":600000}")
                await host.recorder.wait { host.recorder.startCount == 1 }
                host.supervisor.cancel(run, 1, reason: .shutdown, grace: .seconds(60))
                let report = await host.recorder.report(run)
                #expect(report.sentence == "The host shut down and it ended by itself.")
                #expect(report.wasHostShutdown, "\(report)")
            }
        }
    }
}
