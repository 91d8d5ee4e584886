import CLinux
import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

/// What becomes of children that serve several attempts, and of those that wait for one.
extension SupervisionSuite {
    @Suite struct PoolTests {
        @Test(arguments: profiles) func leaksEndTheChild(_ profile: SupervisorConfiguration.Profile) async throws {
            try await ModeTests.with(profile) { host in
                for (handler, reason) in [
                    ("leak_descriptor", "descriptors"), ("leak_thread", "threads"), ("leave_process", "processes"),
                    ("reset_fails", "reset"),
                ] {
                    let first = try await host.run("state", mode: .pool)
                    let leaky = try await host.run(handler, mode: .pool)
                    #expect(leaky.outcome == .succeeded, "\(leaky)")
                    #expect(leaky.leaks.recycled == reason, "\(handler): \(leaky.leaks)")
                    #expect(leaky.leaks.descriptors == (reason == "descriptors" ? 1 : 0))
                    #expect(leaky.leaks.threads == (reason == "threads" ? 1 : 0))
                    #expect(leaky.pid == first.pid)
                    #expect(!isAlive(leaky.pid ?? 0))
                    let next = try await host.run("state", mode: .pool)
                    #expect(next.outcome == .succeeded && next.pid != leaky.pid)
                }
            }
        }

        @Test(arguments: profiles) func growthEndsTheChild(_ profile: SupervisorConfiguration.Profile) async throws {
            try await ModeTests.with(profile) { host in
                var reports: [AttemptReport] = []
                for _ in 0..<4 {
                    reports.append(
                        try await host.run("grow", mode: .pool) { $0.execution.poolGrowthBytes = 40 << 20 })
                }
                // 24 MiB each; the first does not count.
                #expect(reports.map(\.leaks.recycled) == [nil, nil, "growth", nil])
                #expect(reports[1].leaks.growthBytes > 20 << 20)
                #expect(Set(reports.map(\.pid)).count == 2)
            }
        }

        @Test(arguments: profiles) func runsAndAgeEndTheChild(_ profile: SupervisorConfiguration.Profile) async throws {
            try await ModeTests.with(profile) { host in
                var reports: [AttemptReport] = []
                for _ in 0..<5 {
                    reports.append(try await host.run("noop", mode: .pool) { $0.execution.poolRuns = 2 })
                }
                #expect(reports.map(\.leaks.recycled) == [nil, "runs", nil, "runs", nil])
                #expect(Set(reports.map(\.pid)).count == 3)
                let old = try await host.run("work", mode: .pool) { $0.execution.poolAge = .milliseconds(1) }
                #expect(old.leaks.recycled == "age")
            }
        }

        @Test(arguments: profiles) func whatARunChangedIsPutBack(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                let before = try await host.run("state", mode: .pool)
                let changing = try await host.run("change", mode: .pool)
                #expect(changing.leaks.restored == ["cwd", "umask", "environment", "signals", "locale"])
                #expect(changing.leaks.recycled == nil)
                let after = try await host.run("state", mode: .pool)
                #expect(after.pid == before.pid)
                for key in ["cwd", "umask", "mark", "path", "usr2_blocked", "usr1_default", "locale", "tmpdir"] {
                    #expect(try host.state(before)[key] == host.state(after)[key], "\(key)")
                }
                #expect(try host.state(after)["cwd"] == host.state(after)["tmpdir"])
            }
        }

        @Test(arguments: profiles) func eachRunHasItsOwnEnvironment(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                for mode in [ExecutionMode.pool, .spare, .fork, .pool, .spare, .spawn] {
                    let report = try await host.run("state", mode: mode) {
                        $0.environment = ["REUSE_MARK": "\($0.runID)", "PATH": "/own"]
                    }
                    let state = try host.state(report)
                    #expect(state["mark"]?.text == report.runID.description)
                    #expect(state["path"]?.text == "/own")
                    let plain = try host.state(try await host.run("state", mode: mode))
                    #expect(plain["mark"]?.text == "" && plain["path"]?.text != "/own")
                }
            }
        }

        @Test(arguments: profiles) func filesOfARunAreGoneForTheNext(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                let first = try await host.run("state", mode: .pool)
                let place = try #require(try host.state(first)["cwd"]?.text)
                #expect(names(in: place).isEmpty)
                for _ in 0..<3 {
                    let report = try await host.run("litter", mode: .pool)
                    #expect(report.outcome == .succeeded && report.pid == first.pid)
                    #expect(names(in: place).isEmpty)
                }
            }
        }

        @Test(arguments: profiles) func resourcesAreOfTheRunAlone(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                for _ in 0..<4 {
                    let busy = try await host.run("work", mode: .pool)
                    let cpu = busy.resources.userCPU + busy.resources.systemCPU
                    #expect(cpu >= .milliseconds(49) && cpu < .milliseconds(95), "\(cpu)")
                    let calm = try await host.run("noop", mode: .pool)
                    #expect(calm.resources.userCPU + calm.resources.systemCPU < .milliseconds(30))
                }
                // Its last run ends with the process: what the process used, without the earlier runs.
                let last = try await host.run("work", mode: .pool) { $0.execution.poolRuns = 1 }
                #expect(last.leaks.recycled == "runs")
                let crashed = try await host.run("crash", mode: .pool)
                #expect(crashed.resources.userCPU < .milliseconds(40), "\(crashed.resources)")
            }
        }

        @Test(arguments: profiles) func processorTimeIsLimitedPerRun(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                for _ in 0..<24 {
                    let report = try await host.run("work", limits: Limits(cpu: .seconds(1)), mode: .pool)
                    #expect(report.outcome == .succeeded, "\(report)")
                }
                let report = try await host.run("spin", limits: Limits(cpu: .seconds(1)), mode: .pool)
                #expect(report.outcome == .timedOut && report.reason == .cpu, "\(report)")
            }
        }

        @Test(arguments: profiles) func aResetThatHangsEndsTheChild(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                let report = try await host.run("reset_hangs", mode: .pool)
                #expect(report.outcome == .succeeded, "\(report)")
                #expect(try await host.run("noop", mode: .pool).pid != report.pid)
            }
        }

        @Test(arguments: profiles) func aChildThatDiesIdleIsNobodysLoss(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                for mode in [ExecutionMode.pool, .spare] {
                    let report = try await host.run("state", mode: mode)
                    let waiting = try await Self.waiting(host, mode, after: report)
                    let pidfd = linux_pidfd_open(waiting)
                    #expect(pidfd >= 0 && linux_pidfd_send_signal(pidfd, SIGKILL) == 0)
                    close(pidfd)
                    await TestHost.eventually("the child is gone") { !isAlive(waiting) }
                    let next = try await host.run("state", mode: mode)
                    #expect(next.outcome == .succeeded && next.pid != waiting, "\(next)")
                }
            }
        }

        /// A child without a run.
        @LoopActor
        static func waiting(_ host: ModeHost, _ mode: ExecutionMode, after report: AttemptReport) async throws -> Int32
        {
            if mode == .pool { return try #require(report.pid) }
            // Spare children of the version: those that wait carry no handler's name yet, and the zygote's name.
            var found: Int32?
            await TestHost.eventually("a spare child waits") {
                found = host.supervisor.waitingChildren.first
                return found != nil
            }
            return try #require(found)
        }

        @Test(arguments: profiles) func retiringEndsThoseThatWait(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                let pooled = try await host.run("state", mode: .pool)
                _ = try await host.run("state", mode: .spare)
                let busy = try host.start("wait", mode: .pool)
                await host.recorder.wait { host.recorder.messages(busy).contains("waiting") }
                await TestHost.eventually("a spare child waits") { !host.supervisor.waitingChildren.isEmpty }
                let waiting = host.supervisor.waitingChildren
                host.supervisor.retire(host.version)
                await TestHost.eventually("those that wait are gone") { waiting.allSatisfy { !isAlive($0) } }
                #expect(host.supervisor.isLoaded(host.version))
                #expect(host.recorder.reports[busy] == nil)
                host.supervisor.cancel(busy, 1)
                let report = await host.recorder.report(busy)
                #expect(report.outcome == .cancelled && report.leaks.recycled == "retired")
                await TestHost.eventually("the version is gone") { !host.supervisor.isLoaded(host.version) }
                #expect(!isAlive(pooled.pid ?? 0))
            }
        }

        @Test(arguments: profiles) func aZygotesDeathEndsItsPool(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                let idle = try await host.run("state", mode: .pool)
                _ = try await host.run("state", mode: .spare)
                let busy = try host.start("wait", mode: .pool)
                await host.recorder.wait { host.recorder.messages(busy).contains("waiting") }
                // Without cgroups the parent is a monitor, and its parent the zygote.
                var zygote = Self.parent(of: try #require(idle.pid))
                if profile == .none { zygote = Self.parent(of: zygote) }
                #expect(kill(zygote, SIGKILL) == 0)
                let report = await host.recorder.report(busy)
                #expect(report.outcome == .lost && report.reason == .zygote, "\(report)")
                #expect(!isAlive(idle.pid ?? 0))
                await TestHost.eventually("none waits") { host.supervisor.waitingChildren.isEmpty }
                #expect(try await host.run("state", mode: .pool).outcome == .succeeded)
            }
        }

        static func parent(of pid: Int32) -> Int32 {
            guard let stat = readText("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return -1 }
            let fields = stat[stat.index(after: end)...].split(separator: " ")
            return fields.count > 1 ? Int32(fields[1]) ?? -1 : -1
        }

        @Test(arguments: profiles) func jobsOfOtherLimitsGetChildrenOfTheirOwn(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                let small = try await host.run("noop", limits: Limits(memoryBytes: 256 << 20), mode: .pool)
                let large = try await host.run("noop", limits: Limits(memoryBytes: 512 << 20), mode: .pool)
                #expect(small.pid != large.pid)
                #expect(
                    try await host.run("noop", limits: Limits(memoryBytes: 256 << 20), mode: .pool).pid == small.pid)
            }
        }

        @Test(arguments: profiles) func aSpareChildIsThereForTheNext(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await ModeTests.with(profile) { host in
                _ = try await host.run("noop", mode: .spare)
                for _ in 0..<5 {
                    await TestHost.eventually("a spare child waits") { !host.supervisor.waitingChildren.isEmpty }
                    let waiting = host.supervisor.waitingChildren
                    let report = try await host.run("state", mode: .spare)
                    #expect(waiting.contains(report.pid ?? 0))
                    #expect(try host.state(report)["runs"]?.integer == 1)
                    #expect(!isAlive(report.pid ?? 0))
                }
            }
        }

        @Test(arguments: profiles) func aPluginThatCannotBeReusedIsForked(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                let manifest = try await host.load("wait-1", plugin: "\(TestBinaries.fixtures)/getters.so")
                let host = ModeHost(host, manifest, "wait-1")
                let name = String(manifest.handlers[0].name.split(separator: ".").last ?? "")
                let report = try await host.run(name, mode: .pool)
                #expect(report.mode == .fork)
                #expect(host.supervisor.remarks(on: "wait-1").count == 1)
                _ = try await host.run(name, mode: .pool)
                #expect(host.supervisor.remarks(on: "wait-1").count == 1)
            }
        }

        @Test(arguments: profiles) func aPluginThatCannotBeForkedWorksInAllModes(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                for fixture in ["no_fork", "thread_in_entry", "late_thread"] {
                    let manifest = try await host.load(fixture, plugin: "\(TestBinaries.fixtures)/\(fixture).so")
                    let host = ModeHost(host, manifest, fixture)
                    for mode in ExecutionMode.allCases {
                        var reports: [AttemptReport] = []
                        for _ in 0..<3 { reports.append(try await host.run("run", mode: mode)) }
                        #expect(reports.allSatisfy { $0.outcome == .succeeded }, "\(fixture) \(mode): \(reports)")
                    }
                }
            }
        }
    }
}
