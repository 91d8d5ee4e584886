import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

extension SupervisionSuite {
    /// Every way to end, in every profile.
    @Suite struct OutcomeTests {
        @Test(arguments: profiles) func aHandlerThatDoesNothingSucceeds(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let report = try await host.run("noop")
                #expect(report.outcome == .succeeded)
                #expect(report.exitCode == 0)
                #expect(report.result == .none)
                #expect(report.ladder.isEmpty)
                #expect(report.survivorsKilled == 0)
                #expect(report.pid == host.recorder.started[report.runID])
                #expect(report.resources.maxRSSBytes > 0)
                #expect(report.version == TestHost.version)
            }
        }

        @Test(arguments: profiles) func resultsComeBackWhole(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let echo = try await host.run("echo", "{\"a\":[1,2,\"ü\"]}")
                #expect(echo.result == .json("{\"a\":[1,2,\"ü\"]}"))
                for size in [0, 1, 65_536, 3_000_000] {
                    let report = try await host.run("result", "{\"bytes\":\(size)}")
                    guard case .json(let text) = report.result else {
                        Issue.record("\(report)")
                        continue
                    }
                    #expect(text.utf8.count == size + 2)
                }
                let report = try await host.run("bytes", "{\"bytes\":100000}")
                guard case .bytes(let bytes, let media) = report.result else {
                    Issue.record("\(report)")
                    return
                }
                #expect(media == "application/x-mischief")
                #expect(bytes.count == 100_000 && bytes[257] == 1)
            }
        }

        @Test(arguments: profiles) func largeArgsArrive(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                // Far more than a socket holds.
                let args = "{\"text\":\"\(String(repeating: "x", count: 4_000_000))\"}"
                let echo = try await host.run("echo", args)
                #expect(echo.result == .json(args))
            }
        }

        @Test(arguments: profiles) func failuresSayWhy(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let report = try await host.run("fail", "{\"message\":\"no luck\",\"code\":\"luck\",\"final\":true}")
                #expect(report.outcome == .error)
                #expect(report.error == AttemptError(code: "luck", message: "no luck", retry: .never))
                #expect(report.sentence.contains("no luck"))
                let snoozed = try await host.run("snooze", "{\"ms\":60000}")
                #expect(snoozed.outcome == .snoozed)
                let until = try #require(snoozed.snoozeUntil)
                #expect(until > snoozed.ended.advanced(by: .seconds(50)))
                let wrong = try await host.run("sleep", "{\"ms\":\"soon\"}")
                #expect(wrong.outcome == .error && wrong.error?.retry == .never, "\(wrong)")
            }
        }

        @Test(arguments: profiles) func crashesTellWhere(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let report = try await host.run("segv")
                #expect(report.outcome == .crashed && report.reason == .signal)
                #expect(report.signal == SIGSEGV)
                let crash = try #require(report.crash)
                #expect(crash.signal == SIGSEGV && crash.address == 42 && crash.frames.count > 1)
                #expect(report.sentence.contains("SIGSEGV"))
                let aborted = try await host.run("abort")
                #expect(aborted.outcome == .crashed && aborted.signal == SIGABRT)
                #expect(aborted.outputHead.contains("calling abort()"))
                #expect(host.recorder.messages(aborted.runID, .stderr) == ["mischief: calling abort()"])
                for handler in ["overflow", "jump", "thread_segv"] {
                    let report = try await host.run(handler)
                    #expect(report.outcome == .crashed && report.crash != nil, "\(handler): \(report)")
                }
                let after = try await host.run("noop")
                #expect(after.outcome == .succeeded, "the zygote lives on")
            }
        }

        @Test(arguments: profiles) func anExitWithoutResultIsACrash(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                for code in [0, 7] {
                    let report = try await host.run("exit", "{\"code\":\(code)}")
                    #expect(report.outcome == .crashed && report.reason == .noResult)
                    #expect(report.exitCode == Int32(code))
                }
                let replaced = try await host.run("exec")
                #expect(replaced.outcome == .crashed && replaced.reason == .noResult, "\(replaced)")
            }
        }

        @Test(arguments: profiles) func outOfMemoryIsNamedSo(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let report = try await host.run("hog", "{\"mb\":2000}", limits: Limits(memoryBytes: 300 << 20))
                #expect(report.outcome == .outOfMemory, "\(report)")
                #expect(report.sentence.contains("300 MiB"))
            }
        }

        @Test(arguments: profiles) func processorTimeIsLimited(_ profile: SupervisorConfiguration.Profile) async throws
        {
            try await TestHost.with(profile) { host in
                let report = try await host.run(
                    "spin", limits: Limits(wall: .seconds(60), cpu: .seconds(1), cancelGrace: .milliseconds(100)))
                #expect(report.outcome == .timedOut && report.reason == .cpu, "\(report)")
            }
        }

        @Test(arguments: profiles) func aChildGetsWhatItIsPromised(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let report = try await host.run("facts")
                guard case .json(let text) = report.result else {
                    Issue.record("\(report)")
                    return
                }
                let facts = try JSONValue(parsing: text)
                #expect(facts["run_id"]?.text == report.runID.description)
                #expect(facts["job"]?.text == "mischief.facts")
                let fds = facts["fds"]?.elements?.compactMap(\.integer) ?? []
                #expect(fds.prefix(5) == [0, 1, 2, 3, 4] && fds.count <= 8, "descriptors \(fds)")
                let environment = facts["environment"]?.elements?.compactMap(\.text) ?? []
                #expect(environment.contains("PAWL_TEST=yes"))
                #expect(environment.contains("PGAPPNAME=pawl:\(report.runID)"))
                #expect(environment.contains("PAWL_INSTANCE=\(host.instance)"))
                let scratch = try #require(facts["scratch"]?.text)
                #expect(scratch.hasPrefix(host.directory))
                #expect(names(in: scratch).isEmpty)
            }
        }
    }
}
