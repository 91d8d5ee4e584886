import Glibc
import JobCore
import Testing
import UVLoop

@testable import Supervision

extension SupervisionSuite {
    /// What is on the machine and belongs to no run.
    @Suite struct OrphanTests {
        @Test(arguments: profiles) func whatBelongsToNoRunIsFoundAndPutRight(
            _ profile: SupervisorConfiguration.Profile
        ) async throws {
            try await TestHost.with(profile) { host in
                // Its children are in sessions of their own: they belong to it all the same.
                let run = try host.dispatch("escape", "{\"children\":3}")
                await host.recorder.wait { host.recorder.messages(run).last == "all have escaped" }
                let living = host.recorder.messages(run).compactMap { Int32($0.split(separator: " ").last ?? "") }
                #expect(await host.supervisor.orphans().isEmpty)

                let shell = ChildProcess.Spec(
                    executable: "/bin/sh",
                    // It is a shell until it has become what it is to be.
                    arguments: [
                        "-c",
                        "sleep 600 > /dev/null 2>&1 & until [ $(cat /proc/$!/comm) = sleep ]; do :; done; echo $!",
                    ],
                    environment: ["PAWL_INSTANCE": host.instance, "PATH": "/bin:/usr/bin"])
                let output = try await ChildProcess.run(shell, timeout: .seconds(10)).stdout
                let text = String(decoding: output, as: UTF8.self)
                let stray = try #require(Int32(text.filter(\.isNumber)))
                let scratch = "\(host.directory)/scratch/slot-900"
                mkdir(scratch, 0o700)
                var kinds: Set<OrphanKind> = [.processWithoutRun, .scratchWithoutRun]
                if profile == .cgroup, let root = host.supervisor.capabilities.cgroupRoot {
                    mkdir("\(root)/slot-900", 0o755)
                    kinds.insert(.cgroupWithoutRun)
                }
                let found = await host.supervisor.orphans()
                #expect(Set(found.map(\.kind)) == kinds && found.count == kinds.count, "\(found)")
                var another = try #require(found.first { $0.kind == .processWithoutRun })
                #expect(another.name == "\(stray)" && another.detail == "sleep")
                // The number is somebody else's by now.
                another.mark = "1"
                #expect(await host.supervisor.clean([another]).isEmpty && isAlive(stray))
                #expect(await host.supervisor.clean(found) == Set(found.map(\.key)))
                await TestHost.eventually("it has ended") { !isAlive(stray) }
                #expect(access(scratch, F_OK) != 0)
                #expect(await host.supervisor.orphans().isEmpty)
                #expect(living.allSatisfy(isAlive) && host.recorder.reports[run] == nil)
                host.supervisor.terminate(run, 1, grace: .zero)
                _ = await host.recorder.report(run)
            }
        }
    }
}
