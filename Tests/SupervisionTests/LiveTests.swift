import Glibc
import JobCore
import Testing
import UVLoop

@testable import Supervision

extension SupervisionSuite {
    /// What can be done with an attempt while it runs.
    @Suite struct LiveTests {
        /// User and system time of a process so far, in clock ticks, and its state.
        private static func look(_ pid: Int32) -> (ticks: UInt64, state: UInt8) {
            let facts = ProcessFacts(pid)
            return (facts?.ticks ?? 0, facts?.state ?? 0)
        }

        @Test(arguments: profiles) func theFrozenStandStillWithTheirClocks(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch(
                    "escape", "{\"children\":3}",
                    limits: Limits(wall: .milliseconds(800), cancelGrace: .zero, termGrace: .milliseconds(100)))
                await host.recorder.wait { host.recorder.messages(run).last == "all have escaped" }
                let pids = host.recorder.messages(run).compactMap { Int32($0.split(separator: " ").last ?? "") }
                #expect(host.supervisor.freeze(run, 1))
                #expect(!host.supervisor.freeze(run, 1), "it is already")
                let snapshot = try #require(host.supervisor.snapshot(run))
                #expect(snapshot.isFrozen && snapshot.deadline != nil)
                let all = pids + [try #require(snapshot.pid)]
                if profile == .none {
                    await TestHost.eventually("all stand still") {
                        all.allSatisfy { Self.look($0).state == UInt8(ascii: "T") }
                    }
                }
                // Longer than its wall time.
                try await LoopClock.sleep(for: .milliseconds(1500))
                #expect(host.recorder.reports[run] == nil)
                #expect(host.supervisor.thaw(run, 1))
                #expect(!host.supervisor.thaw(run, 1))
                let report = await host.recorder.report(run)
                #expect(report.outcome == .timedOut && report.reason == .wall, "\(report)")
                #expect((report.ladder.first?.atMillis ?? 0) > 2000, "\(report.ladder)")
                #expect(!all.contains(where: isAlive))
            }
        }

        @Test(arguments: profiles) func theFrozenUseNoTime(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("spin")
                await host.recorder.wait { host.recorder.started[run] != nil }
                let pid = try #require(host.recorder.started[run])
                await TestHost.eventually("it spins") { Self.look(pid).ticks > 5 }
                #expect(host.supervisor.freeze(run, 1))
                try await LoopClock.sleep(for: .milliseconds(200))
                let before = Self.look(pid).ticks
                try await LoopClock.sleep(for: .milliseconds(500))
                #expect(Self.look(pid).ticks == before)
                #expect(host.supervisor.thaw(run, 1))
                await TestHost.eventually("it goes on") { Self.look(pid).ticks > before }
                host.supervisor.terminate(run, 1, grace: .zero)
                #expect(await host.recorder.report(run).outcome == .terminated)
            }
        }

        /// Cancelled, terminated, killed and killed from outside: the ladder does not stand still, and the place of a frozen
        /// attempt can be used again.
        @Test(arguments: profiles) func theFrozenCanBeEnded(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile, slots: 1) { host in
                for way in 0..<4 {
                    let run = try host.dispatch("sleep", "{\"ms\":600000}")
                    await host.recorder.wait { host.recorder.started[run] != nil }
                    #expect(host.supervisor.freeze(run, 1))
                    switch way {
                    case 0: host.supervisor.cancel(run, 1)
                    case 1: host.supervisor.terminate(run, 1)
                    case 2: host.supervisor.terminate(run, 1, grace: .zero)
                    default: kill(try #require(host.recorder.started[run]), SIGKILL)
                    }
                    let report = await host.recorder.report(run)
                    let outcomes: [[AttemptOutcome]] = [
                        [.cancelled], [.terminated, .cancelled], [.terminated, .cancelled], [.crashed],
                    ]
                    #expect(outcomes[way].contains(report.outcome), "\(way): \(report)")
                    if way < 3 { #expect(report.ladder.first?.name == "thaw") }
                    let after = try await host.run("noop")
                    #expect(after.outcome == .succeeded)
                }
            }
        }

        @Test(arguments: profiles) func aDeadlineIsExtended(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("sleep", "{\"ms\":900}", limits: Limits(wall: .milliseconds(500)))
                #expect(host.supervisor.extend(run, 1, by: .seconds(1)) == nil, "it has not begun")
                await host.recorder.wait { host.recorder.started[run] != nil }
                let before = try #require(host.supervisor.snapshot(run)?.deadline)
                let after = try #require(host.supervisor.extend(run, 1, by: .seconds(60)))
                let moved = (after.micros - before.micros) / 1000
                #expect((59_900...60_100).contains(moved), "\(moved) ms")
                #expect(await host.recorder.report(run).outcome == .succeeded)
                #expect(host.supervisor.extend(run, 1, by: .seconds(1)) == nil, "it is over")
                #expect(!host.supervisor.freeze(run, 1) && !host.supervisor.setNiceness(run, 1, 3))
            }
        }

        @Test(arguments: profiles) func theWholeTreeIsReniced(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("escape", "{\"children\":2}")
                await host.recorder.wait { host.recorder.messages(run).last == "all have escaped" }
                let pids = host.recorder.messages(run).compactMap { Int32($0.split(separator: " ").last ?? "") }
                let leader = try #require(host.recorder.started[run])
                func niceness(_ pid: Int32) -> Int32 {
                    getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(pid))
                        - getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
                }
                #expect(niceness(leader) == 5)
                #expect(host.supervisor.setNiceness(run, 1, 9))
                #expect((pids + [leader]).allSatisfy { niceness($0) == 9 })
                #expect(host.supervisor.snapshot(run)?.niceness == 9)
                host.supervisor.terminate(run, 1, grace: .zero)
                _ = await host.recorder.report(run)
            }
        }

        @Test(arguments: profiles) func aLiveAttemptIsLookedAt(_ profile: SupervisorConfiguration.Profile) async throws
        {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("read")
                await host.recorder.wait { host.recorder.messages(run).last == "reading" }
                #expect(await host.supervisor.diagnose(run, 1) == nil, "there is no inspector")
                host.supervisor.inspect = { pids, _ in "{\"processes\":[{\"pid\":\(pids[0])}]}" }
                let text = try #require(await host.supervisor.diagnose(run, 1))
                let found = try JSONValue(parsing: text)
                #expect(
                    found["processes"]?.elements?.first?["pid"]?.integer == host.recorder.started[run].map(Int64.init))
                #expect(found["last_line"]?["message"]?.text == "reading" && found["cause"] == .null)
                host.supervisor.terminate(run, 1, grace: .zero)
                _ = await host.recorder.report(run)
                #expect(await host.supervisor.diagnose(run, 1) == nil)
            }
        }
    }

    /// Kernel files, as they were found on machines.
    @Suite struct ProcessFactsTests {
        @Test func aStatLineIsReadFromBehindTheName() throws {
            let line =
                "4711 (a) name) (x) S 4242 4711 4711 0 -1 4194560 2301 50 3 0 120 34 7 8 25 5 6 0 8812 268435456 "
                + "1234 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0"
            let facts = Array(line.utf8).withUnsafeBytes { ProcessFacts(stat: $0) }
            let found = try #require(facts)
            #expect(found.state == UInt8(ascii: "S") && found.parent == 4242)
            #expect(found.ticks == 154 && found.waitedTicks == 15 && found.threads == 6)
            #expect(found.addressSpaceBytes == 268_435_456 && found.residentPages == 1234)
            #expect(!found.isDead)
        }

        @Test func tornStatLinesAreNothing() {
            for line in ["", "1", "1 (sh", "1 (sh) S", "1 (sh) S 1 2 3", "no process"] {
                #expect(Array(line.utf8).withUnsafeBytes { ProcessFacts(stat: $0) } == nil, "\(line)")
            }
        }

        @Test func aCgroupCountsWithoutItsController() {
            let text =
                "usage_usec 81234\nuser_usec 61000\nsystem_usec 20234\nnice_usec 0\ncore_sched.force_idle_usec 0\n"
            let cpu = CgroupCPU(stat: text)
            #expect(cpu?.usage == .microseconds(81234) && cpu?.user == .milliseconds(61))
            #expect(CgroupCPU(stat: "usage_usec 1\n") == nil)
            #expect(CgroupCPU(stat: "") == nil)
        }
    }
}
