import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

extension SupervisionSuite {
    /// The n-th step of zygote, monitor or child goes wrong: every attempt still ends once, and nothing is left.
    @Suite struct FaultTests {
        private func run(
            _ fault: String, _ profile: SupervisorConfiguration.Profile, limits: Limits = Limits(), count: Int = 3,
            _ check: @escaping @LoopActor @Sendable (AttemptReport) -> Void
        ) async throws {
            let zygote = "\(TestBinaries.fixtures)/pawl-zygote-faults"
            try #require(access(zygote, X_OK) == 0, "\(zygote) is not built")
            try await TestHost.with(profile, zygote: zygote, environment: ["PAWL_FAULT": fault]) { host in
                let runs = try (0..<count).map { _ in try host.dispatch("noop", limits: limits) }
                for run in runs { check(await host.recorder.report(run)) }
            }
        }

        @Test(arguments: profiles, ["kill", "exit", "abort"])
        func childrenThatDieBeforeTheyBeginAreReplacedThreeTimes(
            _ profile: SupervisorConfiguration.Profile, _ action: String
        ) async throws {
            for point in ["child.start", "child.up"] {
                try await self.run("\(point):\(action)", profile) { report in
                    #expect(report.outcome == .crashed && report.started == nil, "\(report)")
                    #expect(report.sentence.contains("before the handler began, 4 times in a row"), "\(report)")
                }
            }
        }

        @Test(arguments: profiles) func childrenThatDieLaterAreCrashes(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await self.run("child.started:kill", profile) { report in
                #expect(report.outcome == .crashed && report.reason == .killed && report.started != nil, "\(report)")
            }
            try await self.run("child.ended:kill", profile) { report in
                #expect(report.outcome == .succeeded || report.outcome == .crashed, "\(report)")
            }
        }

        @Test(arguments: profiles) func aStoppedChildRunsOutOfTime(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            let limits = Limits(
                wall: .milliseconds(200), cancelGrace: .milliseconds(100), termGrace: .milliseconds(100))
            try await self.run("child.started:stop", profile, limits: limits) { report in
                #expect(report.outcome == .timedOut && report.reason == .wall, "\(report)")
            }
        }

        @Test(arguments: profiles, ["zygote.spawn:kill", "zygote.spawned:kill"])
        func zygotesThatDieAtEverySpawnLoseTheirAttempts(
            _ profile: SupervisorConfiguration.Profile, _ fault: String
        ) async throws {
            try await self.run(fault, profile, count: 1) { report in
                #expect(report.outcome == .lost || report.outcome == .succeeded, "\(report)")
            }
        }

        @Test(arguments: profiles) func aZygoteThatDiesWhenItReapsHurtsNobody(
            _ profile: SupervisorConfiguration.Profile
        )
            async throws
        {
            try await self.run("zygote.reap:kill", profile, count: 1) { report in
                #expect(report.outcome == .succeeded, "\(report)")
            }
        }

        @Test(arguments: ["monitor.start:kill", "monitor.spawned:kill", "monitor.spawned:exit"])
        func attemptsOfADeadMonitorAreLost(_ fault: String) async throws {
            try await self.run(fault, .none) { report in
                #expect(report.outcome == .lost || report.outcome == .succeeded, "\(report)")
            }
        }
    }
}
