import CLinux
import Glibc
import JobCore
import Testing
import UVLoop

@testable import Supervision

/// Profile strict from the host's side: who an attempt is, what it reaches, and what becomes of one that cannot have it.
extension SupervisionSuite {
    @Suite struct SandboxTests {
        /// A host whose directory others may pass through, with the fixture that looks at itself.
        static func with(
            _ profile: SupervisorConfiguration.Profile, plugin: String = "\(TestBinaries.fixtures)/inside.so",
            _ body: @escaping @LoopActor @Sendable (ModeHost) async throws -> Void
        ) async throws {
            try await TestHost.with(profile, slots: 16) { host in
                #expect(chmod(host.directory, 0o711) == 0)
                let manifest = try await host.load("sandbox-1", plugin: plugin)
                try await body(ModeHost(host, manifest, "sandbox-1"))
            }
        }

        /// Profile strict, with whatever else.
        static func strict(
            read: [String] = [], write: [String] = [], network: Bool = false
        ) -> (inout AttemptSpec) -> Void {
            { spec in
                spec.execution.sandbox = .strict
                spec.execution.readPaths = read
                spec.execution.writePaths = write
                spec.execution.network = network
            }
        }

        @Test(arguments: ModeTests.cases) func everyModeIsSandboxed(_ which: ModeTests.Case) async throws {
            try await Self.with(which.profile) { host in
                var users: Set<Int64> = []
                for _ in 0..<2 {
                    let report = try await host.run("look", mode: which.mode, change: Self.strict())
                    #expect(report.outcome == .succeeded, "\(report.sentence)")
                    let seen = try host.state(report)
                    #expect(seen["status"]?["Seccomp"]?.text == "2")
                    #expect(seen["status"]?["NoNewPrivs"]?.text == "1")
                    #expect(seen["status"]?["CapEff"]?.text == "0000000000000000")
                    let user = try #require(seen["uid"]?.integer)
                    #expect(seen["cwd_uid"]?.integer == user && seen["cwd_mode"]?.integer == 0o700)
                    if geteuid() == 0 { #expect((61184...65519).contains(user)) }
                    users.insert(user)
                }
                // A pooled child stays who it is.
                if geteuid() == 0 { #expect(users.count == (which.mode == .pool ? 1 : 2)) }
            }
        }

        @Test(arguments: profiles) func theHostAndItsFilesAreOutOfReach(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await Self.with(profile) { host in
                let secret = "\(host.host.directory)/admin-token"
                #expect(Self.make(secret))
                chmod(secret, 0o666)
                for (what, path) in [
                    ("read", secret), ("write", secret), ("unlink", secret), ("list", host.host.directory),
                    ("list", "\(host.host.directory)/scratch"), ("read", "/proc/\(getpid())/environ"),
                    ("write", "/tmp/pawl-strict"),
                ] {
                    let report = try await host.run(
                        "try", #"{"do":"\#(what)","path":"\#(path)"}"#, mode: .fork, change: Self.strict())
                    let seen = try host.state(report)
                    let error = seen["errno"]?.integer
                    #expect(error == Int64(EACCES) || error == Int64(EPERM), "\(what) \(path): \(seen.json)")
                }
                let killed = try await host.run(
                    "try", #"{"do":"kill","pid":\#(getpid()),"number":9}"#, mode: .fork, change: Self.strict())
                #expect(try host.state(killed)["errno"]?.integer == Int64(EPERM))
                unlink(secret)
            }
        }

        private static func make(_ path: String) -> Bool {
            let fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o666)
            return fd >= 0 && write(fd, "secret", 6) == 6 && close(fd) == 0
        }

        @Test(arguments: profiles) func namedPathsAreOpenAsTheyWereNamed(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await Self.with(profile) { host in
                let directory = temporaryDirectory()
                chmod(directory, 0o777)
                let args = #"{"do":"write","path":"\#(directory)/new"}"#
                let closed = try await host.run("try", args, mode: .fork, change: Self.strict(read: [directory]))
                #expect(try host.state(closed)["errno"]?.integer == Int64(EACCES))
                let open = try await host.run("try", args, mode: .fork, change: Self.strict(write: [directory]))
                #expect(try host.state(open)["result"]?.integer == 1)
                unlink("\(directory)/new")
                rmdir(directory)
            }
        }

        @Test(arguments: profiles) func aForbiddenCallIsNamed(_ profile: SupervisorConfiguration.Profile) async throws {
            #if arch(x86_64)
                let mount = 165
            #else
                let mount = 40
            #endif
            try await Self.with(profile) { host in
                let report = try await host.run(
                    "try", #"{"do":"call","number":\#(mount)}"#, mode: .fork, change: Self.strict())
                #expect(report.outcome == .crashed && report.reason == .sandbox, "\(report.sentence)")
                #expect(report.signal == SIGSYS && report.error?.code == "sandbox")
                #expect(report.sentence.contains("mount"), "\(report.sentence)")
            }
        }

        @Test(arguments: profiles) func withoutItsSandboxNothingIsStarted(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await Self.with(profile) { host in
                let missing = try await host.run(
                    "look", mode: .fork, change: Self.strict(read: ["/does/not/exist"]))
                #expect(missing.outcome == .error && missing.error?.code == "sandbox_unavailable")
                #expect(missing.sentence.contains("/does/not/exist: No such file"), "\(missing.sentence)")
                #expect(missing.started == nil)
                for path in ["/", host.host.directory, "\(host.host.directory)/scratch/../store"] {
                    let own = try await host.run("look", mode: .fork, change: Self.strict(write: [path]))
                    #expect(own.error?.code == "sandbox_unavailable" && own.pid == nil, "\(path): \(own.sentence)")
                }
                host.supervisor.capabilities.features["strict"] = false
                host.supervisor.capabilities.features["landlock"] = false
                let lacking = try await host.run("look", mode: .fork, change: Self.strict())
                #expect(lacking.error?.code == "sandbox_unavailable" && lacking.pid == nil)
                #expect(lacking.sentence.contains("landlock"), "\(lacking.sentence)")
                let basic = try await host.run("look", mode: .fork)
                #expect(basic.outcome == .succeeded)
                #expect(try host.state(basic)["status"]?["Seccomp"]?.text == "0")
            }
        }

        @Test(arguments: profiles) func aStrictTreeIsKilledAndItsFilesGo(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await Self.with(profile, plugin: TestBinaries.plugin("mischief")) { host in
                for handler in ["spin", "deaf", "escape", "roll"] {
                    var limits = Limits()
                    limits.termGrace = .milliseconds(50)
                    let run = try host.start(handler, limits: limits, mode: .fork, change: Self.strict())
                    await host.recorder.wait { host.recorder.started[run] != nil }
                    host.supervisor.terminate(run, 1, grace: .milliseconds(20))
                    let report = await host.recorder.report(run)
                    #expect(
                        report.outcome == .terminated || report.outcome == .cancelled, "\(handler): \(report.sentence)")
                }
                let written = try await host.run("write", #"{"bytes":100}"#, mode: .fork, change: Self.strict())
                #expect(written.outcome == .succeeded)
                // The next one finds nothing of it, whoever it is.
                let again = try await host.run("write", #"{"bytes":100}"#, mode: .fork)
                #expect(again.outcome == .succeeded)
            }
        }

        @Test(arguments: profiles) func swiftWithItsRuntimeWorks(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await Self.with(profile, plugin: "\(TestBinaries.fixtures)/swift-ways.so") { host in
                for handler in ["async", "main_queue", "contended", "libraries"] {
                    // Foundation's Process talks to itself over the Internet's sockets; only root gets a network for that.
                    let network = handler == "libraries" && geteuid() != 0
                    let report = try await host.run(handler, mode: .fork, change: Self.strict(network: network))
                    #expect(report.outcome == .succeeded, "\(handler): \(report.sentence)")
                }
            }
        }

        @Test(arguments: profiles) func csvWorksOnNamedPaths(_ profile: SupervisorConfiguration.Profile) async throws {
            try await Self.with(profile, plugin: TestBinaries.plugin("csv")) { host in
                let directory = temporaryDirectory()
                mkdir("\(directory)/in", 0o755)
                mkdir("\(directory)/out", 0o777)
                chmod(directory, 0o755)
                chmod("\(directory)/out", 0o777)
                let input = "\(directory)/in/a.csv"
                let fd = open(input, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)
                #expect(write(fd, "a,b\n1,2\n", 8) == 8)
                close(fd)
                let args = #"{"input":"\#(input)","output":"\#(directory)/out/a.jsonl"}"#
                let refused = try await host.run("to_jsonl", args, mode: .fork, change: Self.strict())
                #expect(refused.outcome == .error, "\(refused.sentence)")
                let report = try await host.run(
                    "to_jsonl", args, mode: .fork,
                    change: Self.strict(read: ["\(directory)/in"], write: ["\(directory)/out"]))
                #expect(report.outcome == .succeeded, "\(report.sentence)")
                #expect(readText("\(directory)/out/a.jsonl") == "{\"a\":\"1\",\"b\":\"2\"}\n")
                await removeTree(directory)
            }
        }
    }

    @Suite struct SandboxUsersTests {
        @Test func nobodyIsSomebodyElse() async throws {
            try await LoopActor.test {
                let users = SandboxUsers(100...103, instance: "a")
                let first = (0..<4).compactMap { _ in users.take() }
                #expect(Set(first) == [100, 101, 102, 103] && users.take() == nil)
                users.giveBack(first[1])
                users.giveBack(first[0])
                // In turn, so that a number rests as long as possible.
                #expect(users.take() == first[0] && users.take() == first[1] && users.take() == nil)
            }
        }
    }
}
