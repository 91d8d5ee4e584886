import CLinux
import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

extension SupervisionSuite {
    @Suite struct ZygoteTests {
        @Test(arguments: profiles) func attemptsOfADeadZygoteAreLostAndTheNextOneServes(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                let runs = try (0..<3).map { _ in try host.dispatch("sleep", "{\"ms\":600000}") }
                let escape = try host.dispatch("escape", "{\"children\":3}")
                await host.recorder.wait {
                    host.recorder.startCount == 4 && host.recorder.messages(escape).last == "all have escaped"
                }
                let pids =
                    host.recorder.messages(escape).compactMap { Int32($0.split(separator: " ").last ?? "") }
                    + host.recorder.started.values
                let zygote = try #require(TestHost.children().first)
                // Safe: our own unreaped child.
                kill(zygote, SIGKILL)
                for run in runs + [escape] {
                    let report = await host.recorder.report(run)
                    #expect(report.outcome == .lost && report.reason == .zygote, "\(report)")
                }
                #expect(!pids.contains(where: isAlive))
                // Waits for the next zygote, which comes after a second.
                let after = try await host.run("noop")
                #expect(after.outcome == .succeeded, "\(after)")
            }
        }

        /// What has dropped its marker and lost monitor and zygote comes to the host as subreaper. It is told from other
        /// orphans by what a zygote cannot take back.
        @Test(.enabled(if: !(readText("/proc/self/status") ?? "").contains("NoNewPrivs:\t1")))
        func orphansOfADeadZygoteAreKilledAndOthersAreNot() async throws {
            try await TestHost.with(.none) { host in
                let run = try host.dispatch("sleep", "{\"ms\":600000}")
                await host.recorder.wait { host.recorder.started[run] != nil }
                let zygote = try #require(TestHost.children().first)
                let escape = "/bin/sleep 600 >/dev/null 2>&1 & echo $!"
                let marked = try await Self.orphan("/usr/bin/setpriv", ["--no-new-privs", "/bin/sh", "-c", escape])
                let other = try await Self.orphan("/bin/sh", ["-c", escape])
                #expect(isAlive(marked) && isAlive(other))
                kill(zygote, SIGKILL)
                #expect(await host.recorder.report(run).outcome == .lost)
                await TestHost.eventually("the orphan is dead") { !isAlive(marked) }
                #expect(isAlive(other))
                // Safe: our own unreaped child.
                kill(other, SIGKILL)
                #expect(waitpid(other, nil, 0) == other)
            }
        }

        private static func orphan(_ program: String, _ arguments: [String]) async throws -> Int32 {
            let spec = ChildProcess.Spec(executable: program, arguments: arguments)
            let output = try await ChildProcess.run(spec, timeout: .seconds(10))
            return try #require(output.stdoutText.split(separator: "\n").first.flatMap { Int32($0) })
        }

        /// The handler's processes come to the zygote then, which says when they are gone.
        @Test func aDeadMonitorLeavesNothingBehind() async throws {
            try await TestHost.with(.none) { host in
                let run = try host.dispatch("escape", "{\"children\":3}")
                await host.recorder.wait { host.recorder.messages(run).last == "all have escaped" }
                let pids = host.recorder.messages(run).compactMap { Int32($0.split(separator: " ").last ?? "") }
                let leader = try #require(host.recorder.started[run])
                let stat = try #require(readText("/proc/\(leader)/stat"))
                let fields = stat[stat.index(after: try #require(stat.lastIndex(of: ")")))...].split(separator: " ")
                let monitor = try #require(Int32(fields[1]))
                kill(monitor, SIGKILL)
                let report = await host.recorder.report(run)
                #expect(report.outcome == .lost, "\(report)")
                #expect(!report.sentence.contains("cannot be killed"), "\(report)")
                #expect(pids.count == 3 && !pids.contains(where: isAlive) && !isAlive(leader))
            }
        }

        @Test(arguments: profiles) func aStoppedZygoteDoesNotKeepATreeAlive(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let run = try host.dispatch("sleep", "{\"ms\":600000}")
                await host.recorder.wait { host.recorder.started[run] != nil }
                kill(try #require(TestHost.children().first), SIGSTOP)
                host.supervisor.terminate(run, 1, grace: .zero)
                let report = await host.recorder.report(run)
                // It may have heard of the cancellation before the kill.
                #expect([.terminated, .cancelled, .lost].contains(report.outcome), "\(report)")
                let pid = try #require(report.pid)
                #expect(!isAlive(pid))
                kill(try #require(TestHost.children().first), SIGCONT)
                let after = try await host.run("noop")
                #expect(after.outcome == .succeeded, "\(after)")
            }
        }

        @Test(arguments: profiles) func aRetiredVersionFinishesItsAttempts(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                _ = try await host.load("mischief-2")
                let run = try host.dispatch("sleep", "{\"ms\":300}")
                host.supervisor.retire(TestHost.version)
                #expect(throws: DispatchError.retired(version: TestHost.version)) { try host.dispatch("noop") }
                let other = try host.dispatch("noop", version: "mischief-2")
                #expect(await host.recorder.report(other).outcome == .succeeded)
                #expect(await host.recorder.report(run).outcome == .succeeded)
                await TestHost.eventually("the retired zygote is gone") { !host.supervisor.isLoaded(TestHost.version) }
            }
        }

        @Test func badPluginsAreRefusedWithTheReason() async throws {
            try await TestHost.with(.none) { host in
                let directory = TestBinaries.fixtures
                let fixtures = names(in: directory).filter { $0.hasSuffix(".so") }
                try #require(!fixtures.isEmpty, "no fixtures in \(directory)")
                for fixture in fixtures {
                    var status = stat()
                    #expect(stat("\(directory)/\(fixture)", &status) == 0)
                    do throws(PluginRefusal) {
                        let manifest = try await host.supervisor.load(
                            PluginImage(
                                sha256: fixture, path: "\(directory)/\(fixture)", bytes: UInt64(status.st_size),
                                nameHint: fixture), timeout: .seconds(2))
                        // Some are odd, not bad: they load.
                        #expect(!manifest.handlers.isEmpty, "\(fixture)")
                        host.supervisor.retire(fixture)
                    } catch {
                        #expect(error.message.utf8.count > 10, "\(fixture): \(error)")
                    }
                }
                let after = try await host.run("noop")
                #expect(after.outcome == .succeeded, "\(after)")
            }
        }

        @Test func aMissingOrChangedImageIsRefused() async throws {
            try await TestHost.with(.none) { host in
                let plugin = TestBinaries.plugin("mischief")
                for (path, bytes) in [("/nonexistent/plugin.so", UInt64(1)), (plugin, 7)] {
                    await #expect(throws: PluginRefusal.self) {
                        _ = try await host.supervisor.load(
                            PluginImage(sha256: "x\(bytes)", path: path, bytes: bytes, nameHint: "x"))
                    }
                }
            }
        }

        /// What a host of the same instance left behind is killed before anything is dispatched.
        @Test(arguments: profiles) func leftoversOfAPredecessorAreKilled(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let left = try ChildProcess.spawn(
                    .init(
                        executable: "/bin/sleep", arguments: ["600"],
                        environment: ["PAWL_INSTANCE": "\(host.instance)-next"]))
                let other = try ChildProcess.spawn(
                    .init(
                        executable: "/bin/sleep", arguments: ["600"],
                        environment: ["PAWL_INSTANCE": "\(host.instance)-other"]))
                let next = Supervisor(
                    SupervisorConfiguration(
                        zygotePath: TestBinaries.zygote, dataDirectory: host.directory,
                        instance: "\(host.instance)-next", profile: profile), logger: quiet)
                try await next.start()
                #expect(await left.wait() == .signal(SIGKILL))
                #expect(other.status == nil)
                await next.shutdown(killAll: true)
                other.signal(SIGKILL)
                _ = await other.wait()
                mkdir("\(host.directory)/scratch", 0o700)
            }
        }

        @Test(arguments: profiles) func manyAtOnce(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile, slots: 300) { host in
                let runs = try (0..<300).map { _ in try host.dispatch("noop") }
                #expect(throws: DispatchError.noSlot(300)) { try host.dispatch("noop") }
                for run in runs { #expect(await host.recorder.report(run).outcome == .succeeded) }
            }
        }

        @Test(arguments: profiles) func aLocalRunNeedsNoDatabase(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await LoopActor.test {
                let recorder = Recorder()
                let report = try await LocalRun.execute(
                    imagePath: TestBinaries.plugin("mischief"), handler: "mischief.log",
                    args: Array("{\"lines\":3}".utf8), zygotePath: TestBinaries.zygote, profile: profile, sink: recorder
                )
                #expect(report.outcome == .succeeded)
                #expect(recorder.messages(RunID(0)).count == 3)
                await #expect(throws: LocalRun.UnknownHandler.self) {
                    _ = try await LocalRun.execute(
                        imagePath: TestBinaries.plugin("mischief"), handler: "mischief.nobody", args: [],
                        zygotePath: TestBinaries.zygote, profile: profile)
                }
            }
        }
    }
}
