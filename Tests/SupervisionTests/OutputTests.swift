import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

extension SupervisionSuite {
    /// What handlers write while they run.
    @Suite struct OutputTests {
        @Test(arguments: profiles) func logLinesComeInOrder(_ profile: SupervisorConfiguration.Profile) async throws {
            try await TestHost.with(profile) { host in
                let report = try await host.run("log", "{\"lines\":500}")
                #expect(report.outcome == .succeeded && report.droppedLogLines == 0)
                let messages = host.recorder.messages(report.runID)
                #expect(messages == (1...500).map { "line \($0) of 500" })
                #expect(host.recorder.lines[report.runID]?.first?.fields == "{\"line\":1}")
            }
        }

        @Test(arguments: profiles) func linesThatFindNoRoomAreCounted(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let report = try await host.run("log", "{\"lines\":100000}")
                #expect(report.outcome == .succeeded)
                guard case .json(let text) = report.result else {
                    Issue.record("\(report)")
                    return
                }
                let dropped = try JSONValue(parsing: text)["dropped"]?.integer
                #expect(report.droppedLogLines == UInt64(dropped ?? -1))
                #expect(host.recorder.messages(report.runID).count + Int(report.droppedLogLines) == 100_000)
            }
        }

        @Test(arguments: profiles) func progressShowsTheLastPicture(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let report = try await host.run("progress", "{\"steps\":5,\"ms\":1}")
                #expect(report.progress.line == "Taking steps (5 / 5)")
                #expect(report.progress.counters == [.init(kind: "steps", value: 5)])
            }
        }

        @Test(arguments: profiles) func outputIsSplitIntoLinesAndLimited(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                let small = try await host.run("flood", "{\"bytes\":160000}")
                let lines = host.recorder.messages(small.runID, .stdout)
                #expect(lines.count == 2000 && lines.allSatisfy { $0 == String(repeating: ".", count: 79) })
                #expect(small.droppedOutputBytes == 0)
                let large = try await host.run("flood", "{\"bytes\":20000000}", limits: Limits(outputBytes: 1 << 20))
                #expect(large.outcome == .succeeded)
                #expect(large.droppedOutputBytes == 20_000_000 - UInt64(1 << 20))
                #expect(host.recorder.messages(large.runID, .host).count == 1)
                #expect(large.outputTail.utf8.count == 48 << 10)
            }
        }

        /// Nothing is lost while the observer is full, the child only waits.
        @Test(arguments: profiles) func aFullObserverStopsTheChild(_ profile: SupervisorConfiguration.Profile)
            async throws
        {
            try await TestHost.with(profile) { host in
                host.recorder.acceptsLogs = false
                let run = try host.dispatch("flood", "{\"bytes\":800000}")
                await host.recorder.wait { host.recorder.started[run] != nil }
                // Pipes hold 64 KiB: after that the child stands still. Longer than any scheduling delay.
                try await LoopClock.sleep(for: .milliseconds(300))
                #expect(host.recorder.reports[run] == nil && host.recorder.lines[run] == nil)
                host.recorder.acceptsLogs = true
                host.supervisor.logsAccepted()
                let report = await host.recorder.report(run)
                #expect(report.outcome == .succeeded && report.droppedOutputBytes == 0)
                #expect(host.recorder.messages(run, .stdout).count == 10_000)
            }
        }
    }
}
