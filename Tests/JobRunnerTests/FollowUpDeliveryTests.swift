import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Supervision
import Testing
import UVLoop

@testable import JobRunner

/// What follow-up runs mean for versions and for other hosts; and what is claimed while something cannot be started.
@Suite(.serialized) struct FollowUpDeliveryTests {
    /// A handler that asks for what cannot be has not succeeded: no trial is passed by that.
    @Test func whoAsksForWhatCannotBeHasFailed() async throws {
        try await withStage { stage in
            var verdicts: [AttemptOutcome] = []
            stage.delivery.onVerdict = { _, report in
                verdicts.append(report.outcome)
                return false
            }
            _ = try await stage.enqueue(3)
            try await eventually { stage.running.count == 3 }
            let bad = stage.end(.succeeded, asking: [FollowUp(job: "test.nop")])
            #expect(verdicts.isEmpty, "nobody knows yet")
            try await eventually { verdicts == [.error] }
            #expect(stage.delivery.counters.ended[.error] == 1 && stage.delivery.counters.ended[.succeeded] == nil)
            #expect(try await stage.store.run(bad.runID)?.error?.code == JobStore.followUpRefusedCode)
            let good = stage.end(.succeeded, asking: [FollowUp(job: "test.sleep", delay: .seconds(3600))])
            try await eventually { verdicts == [.error, .succeeded] }
            #expect(try await stage.store.run(good.runID)?.state == .succeeded)
            stage.end(.succeeded)
            #expect(verdicts == [.error, .succeeded, .succeeded], "who asks for nothing is judged at once")
        }
    }

    /// A host that cannot take them all at once wakes those that sleep, and only then.
    @Test func sleepersAreToldOfWhatThisHostCannotTake() async throws {
        try await withStage { stage in
            var told: [String] = []
            try await stage.side.listen("pawl_wake") { told.append($0.payload) }
            // Another host than this one.
            let sleep = "INSERT INTO pawl.sleeper (queue, host_id) VALUES ('*', 999) ON CONFLICT DO NOTHING"
            _ = try await stage.enqueue(1)
            try await eventually { stage.running.count == 1 }
            // So long that nothing is claimed ahead.
            try await LoopClock.sleep(for: .milliseconds(40))
            try await stage.side.execute(sleep)
            stage.end(.succeeded, asking: [FollowUp(job: "test.sleep")])
            try await eventually { stage.running.first?.jobName == "test.sleep" }
            try await stage.side.execute("NOTIFY pawl_wake, 'end'")
            try await eventually { told.contains("end") }
            #expect(told == ["end"], "it took the run itself")
            _ = try await stage.enqueue(3)
            try await eventually { stage.running.count == 4 }
            try await LoopClock.sleep(for: .milliseconds(40))
            let many = (0..<5).map { _ in FollowUp(job: "test.sleep", queue: "others") }
            stage.end(.succeeded, asking: many)
            try await eventually("others are woken") { told.contains("others") }
        }
    }

    /// Its zygote cannot be started: its runs go back once, and are not claimed again and again.
    @Test func whatCannotBeStartedIsNotClaimedAgain() async throws {
        try await withStage { stage in
            stage.delivery.isAllServed = { stage.unloaded.isEmpty }
            stage.unloaded = ["v2"]
            stage.active["test.sleep"] = "v9"
            _ = try await stage.enqueue(3)
            let waiting = "SELECT count(*) FROM pawl.run_live WHERE job = 'test.noop' AND state = 'queued'"
            // In this order: before they are claimed they wait as well.
            try await eventually {
                guard stage.delivery.counters.claimed == 3 else { return false }
                return try await stage.number(waiting) == 3
            }
            _ = try await stage.enqueue(1, job: "test.sleep")
            try await eventually { stage.running.count == 1 }
            for _ in 0..<20 {
                stage.delivery.lookAtReach()
                stage.delivery.hint()
                try await LoopClock.sleep(for: .milliseconds(10))
            }
            #expect(stage.delivery.counters.claimed == 4)
            #expect(try await stage.number(waiting) == 3)
            stage.unloaded = []
            stage.delivery.reachChanged()
            try await eventually { stage.running.count == 4 }
        }
    }

    /// What others have changed while the list of jobs is on its way may not be in it.
    @Test func aLookDuringALoadIsMadeUpFor() async throws {
        try await withStage { stage in
            var loads = 0
            var gate: CheckedContinuation<Void, Never>?
            stage.delivery.isAllServed = { false }
            stage.delivery.loadReach = { () async throws(StoreError) in
                loads += 1
                if loads == 1 { await withCheckedContinuation { gate = $0 } }
                return Reach(jobs: loads == 1 ? ["test.noop"] : ["test.noop", "test.sleep"])
            }
            stage.delivery.reachChanged()
            try await eventually { gate != nil }
            stage.delivery.lookAtReach()
            stage.delivery.lookAtReach()
            gate?.resume()
            try await eventually { stage.delivery.reach.jobs == ["test.noop", "test.sleep"] }
            #expect(loads == 2)
        }
    }
}
