import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

/// Attempts that are given to pooled children which are not done with others.
extension SupervisionSuite {
    @Suite struct AheadTests {
        /// Dispatches one and, behind it, others; those that come back are dispatched by themselves.
        @LoopActor
        private final class Feeder {
            let host: ModeHost
            private var specs: [RunID: AttemptSpec] = [:]
            private(set) var taken = 0

            init(_ host: ModeHost) {
                self.host = host
                host.recorder.onReturn = { [weak self] run in self?.again(run) }
            }

            func ahead(_ specs: [AttemptSpec]) throws {
                for spec in specs {
                    self.specs[spec.runID] = spec
                    if self.host.supervisor.dispatchAhead(spec) {
                        self.taken += 1
                    } else {
                        try self.host.supervisor.dispatch(spec)
                    }
                }
                self.host.supervisor.flushAhead()
            }

            private func again(_ run: RunID) {
                // Not within the call that gives it back.
                loopTask {
                    do { try self.host.supervisor.dispatch(self.specs[run]!) } catch {
                        Issue.record("\(run): \(error)")
                    }
                }
            }
        }

        /// A child that has had a run and waits.
        @LoopActor
        private static func warm(_ host: ModeHost) async throws -> Int32? {
            let first = try await host.run("state", mode: .pool)
            #expect(first.outcome == .succeeded)
            return first.pid
        }

        @Test(arguments: profiles) func theChildGoesOnByItself(_ profile: SupervisorConfiguration.Profile) async throws
        {
            try await ModeTests.with(profile) { host in
                let pid = try await Self.warm(host)
                let feeder = Feeder(host)
                var runs: [RunID] = []
                for _ in 0..<30 {
                    runs.append(try host.start("state", mode: .pool))
                    let specs = try (0..<8).map { n in
                        try host.spec("state") { $0.environment = ["REUSE_MARK": "mark \(n)"] }
                    }
                    try feeder.ahead(specs)
                    #expect(host.supervisor.running.count(where: { $0.pid == nil }) >= host.supervisor.aheadCount)
                    for (n, spec) in specs.enumerated() {
                        let report = await host.recorder.report(spec.runID)
                        #expect(report.outcome == .succeeded && report.mode == .pool, "\(report)")
                        #expect(try host.state(report)["mark"]?.text == "mark \(n)")
                        #expect(report.resources.userCPU < .seconds(1) && report.leaks.recycled == nil)
                        runs.append(spec.runID)
                    }
                }
                #expect(feeder.taken >= 30 * 8 / 2 && host.recorder.returned.count < feeder.taken)
                #expect(runs.allSatisfy { host.recorder.started[$0] != nil } && host.supervisor.aheadCount == 0)
                #expect(host.recorder.started[runs[0]] == pid)
            }
        }

        @Test(arguments: profiles) func behindALongRunNobodyWaits(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                _ = try await Self.warm(host)
                let long = try host.start("wait", mode: .pool)
                let feeder = Feeder(host)
                let specs = try (0..<8).map { _ in try host.spec("state") }
                try feeder.ahead(specs)
                #expect(feeder.taken == 8 && host.supervisor.aheadCount == 8)
                for spec in specs { #expect(await host.recorder.report(spec.runID).outcome == .succeeded) }
                // In the order in which they can be put back in front of others.
                #expect(host.recorder.returned == specs.map(\.runID).reversed())
                #expect(!host.supervisor.dispatchAhead(try host.spec("state")), "the child is slow")
                host.supervisor.cancel(long, 1)
                #expect(await host.recorder.report(long).outcome == .cancelled)
                let after = try await host.run("state", mode: .pool)
                #expect(after.outcome == .succeeded)
            }
        }

        @Test(arguments: profiles) func aStopReachesTheRightOne(_ profile: SupervisorConfiguration.Profile) async throws
        {
            try await ModeTests.with(profile) { host in
                _ = try await Self.warm(host)
                for round in 0..<40 {
                    let first = try host.start("noop", mode: .pool)
                    let feeder = Feeder(host)
                    let specs = try (0..<6).map { _ in try host.spec("wait") } + [try host.spec("noop")]
                    try feeder.ahead(specs)
                    // Around the moment in which the child takes the first of them.
                    if round % 4 > 0 { await host.recorder.wait { host.recorder.reports[first] != nil } }
                    for spec in specs.dropLast() {
                        if round % 2 == 0 {
                            host.supervisor.cancel(spec.runID, 1)
                        } else {
                            host.supervisor.terminate(spec.runID, 1)
                        }
                    }
                    for spec in specs.dropLast() {
                        // Those that were on their way back are told when they are dispatched again.
                        while host.recorder.reports[spec.runID] == nil {
                            host.supervisor.terminate(spec.runID, 1)
                            do { try await LoopClock.sleep(for: .milliseconds(2)) } catch { return }
                        }
                        let report = await host.recorder.report(spec.runID)
                        #expect([.cancelled, .terminated].contains(report.outcome), "\(report)")
                    }
                    #expect(await host.recorder.report(first).outcome == .succeeded)
                    #expect(await host.recorder.report(specs[6].runID).outcome == .succeeded)
                }
            }
        }

        @Test(arguments: profiles) func theDeathOfAChildIsOneRunsOwn(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                for handler in ["crash", "leak_descriptor", "leave_process", "reset_fails", "litter", "crash"] {
                    _ = try await Self.warm(host)
                    let guilty = try host.start(handler, mode: .pool)
                    let feeder = Feeder(host)
                    let specs = try (0..<8).map { _ in try host.spec("noop") }
                    try feeder.ahead(specs)
                    let report = await host.recorder.report(guilty)
                    #expect(report.outcome == (handler == "crash" ? .crashed : .succeeded), "\(report)")
                    for spec in specs { #expect(await host.recorder.report(spec.runID).outcome == .succeeded) }
                    #expect(host.supervisor.aheadCount == 0)
                }
            }
        }

        @Test(arguments: profiles) func killedFromOutsideOneIsLost(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                for _ in 0..<20 {
                    let pid = try #require(try await Self.warm(host))
                    let first = try host.start("state", mode: .pool)
                    let feeder = Feeder(host)
                    let specs = try (0..<8).map { _ in try host.spec("state") }
                    try feeder.ahead(specs)
                    kill(pid, SIGKILL)
                    var failed = 0
                    for run in [first] + specs.map(\.runID) {
                        let report = await host.recorder.report(run)
                        if report.outcome != .succeeded { failed += 1 }
                    }
                    #expect(failed <= 1 && host.supervisor.aheadCount == 0)
                }
            }
        }

        /// Whatever runs leave, every run ends once, with its own output, and no other's fate.
        @Test(arguments: profiles) func everyRunKeepsItsOwn(_ profile: SupervisorConfiguration.Profile) async throws {
            try await ModeTests.with(profile, slots: 4) { host in
                _ = try await Self.warm(host)
                var random = SplitMix(state: 7)
                var waiting: [AttemptSpec] = []
                var handlers: [RunID: String] = [:]
                let kinds = [
                    "noop", "noop", "noop", "noop", "state", "state", "print", "print", "litter", "change", "crash",
                    "leak_thread", "reset_fails", "grow",
                ]
                for _ in 0..<600 {
                    let kind = kinds[Int(random.next() % UInt64(kinds.count))]
                    var spec = try host.spec(kind)
                    if kind == "print" { spec.args = Array("{\"text\":\"\(spec.runID)\",\"lines\":2}".utf8) }
                    handlers[spec.runID] = kind
                    waiting.append(spec)
                }
                var specs: [RunID: AttemptSpec] = [:]
                for spec in waiting { specs[spec.runID] = spec }
                waiting.reverse()
                host.recorder.onReturn = { waiting.append(specs[$0]!) }
                var taken = 0
                while host.recorder.reports.count < 601 {
                    // As many as there is room for, then on.
                    while let spec = waiting.last {
                        do {
                            try host.supervisor.dispatch(spec)
                            waiting.removeLast()
                        } catch { break }
                    }
                    while waiting.count > 4, let spec = waiting.last, host.supervisor.dispatchAhead(spec) {
                        waiting.removeLast()
                        taken += 1
                    }
                    host.supervisor.flushAhead()
                    let known = host.recorder.reports.count + host.recorder.returned.count
                    await host.recorder.wait { host.recorder.reports.count + host.recorder.returned.count > known }
                }
                #expect(taken > 50 && host.supervisor.aheadCount == 0)
                for (run, kind) in handlers {
                    let report = try #require(host.recorder.reports[run])
                    #expect(report.outcome == (kind == "crash" ? .crashed : .succeeded), "\(kind): \(report)")
                    let lines = host.recorder.messages(run, .stdout) + host.recorder.messages(run, .stderr)
                    #expect(lines == (kind == "print" ? Array(repeating: "\(run)", count: 3) : []), "\(kind)")
                    #expect((report.leaks.scratchFiles > 0) == (kind == "litter"), "\(kind): \(report.leaks)")
                }
            }
        }

        private struct SplitMix: RandomNumberGenerator {
            var state: UInt64

            mutating func next() -> UInt64 {
                self.state &+= 0x9E37_79B9_7F4A_7C15
                var bits = self.state
                bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
                bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
                return bits ^ (bits >> 31)
            }
        }
    }
}
