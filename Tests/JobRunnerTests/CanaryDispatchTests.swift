import JobCore
import JobStore
import Supervision
import Testing
import UVLoop

@testable import JobRunner

/// Runs and the version on trial: who meets it, and what its crashes cost.
@Suite(.serialized) struct CanaryDispatchTests {
    @Test func theDiceAreEvenAndTheSameForEveryAttempt() {
        var share = 0
        var last = 0
        for number: Int64 in 1...100_000 {
            let dice = Delivery.dice(RunID(number))
            #expect(dice < 10_000)
            if dice < 500 { share += 1 }
            if dice >= 9_500 { last += 1 }
        }
        // Five in a hundred, within five standard deviations.
        #expect((4_650...5_350).contains(share) && (4_650...5_350).contains(last))
        #expect(Delivery.dice(RunID(77)) == Delivery.dice(RunID(77)))
    }

    @Test func aCrashOnTrialUsesNothingAndGoesToTheOldVersion() async throws {
        try await withStage { stage in
            stage.canary["test.noop"] = "v3"
            stage.canaryShare = 10_000
            let id = try #require(try await stage.enqueue(1, attempts: 1).first)
            try await eventually { stage.running.count == 1 }
            #expect(stage.end(.crashed, reason: .signal).version == "v3")
            try await eventually {
                _ = try await stage.store.promoteDue()
                stage.delivery.hint()
                return stage.running.count == 1
            }
            let again = try #require(stage.running.first)
            #expect(again.runID == id && again.version == "v2" && again.attempt == 2)
            stage.end(.succeeded)
            try await eventually { try await stage.store.run(id)?.state == .succeeded }
            let attempts = try await stage.store.attempts(id)
            #expect(attempts.map(\.outcome) == [.crashed, .succeeded])
            #expect(attempts.map(\.version) == ["v3", "v2"])
            #expect(try await stage.store.run(id)?.attemptsUsed == 1)
        }
    }

    /// The run's own faults stay the run's.
    @Test func anErrorOnTrialIsTheRuns() async throws {
        try await withStage { stage in
            stage.canary["test.noop"] = "v3"
            stage.canaryShare = 10_000
            let id = try #require(try await stage.enqueue(1, attempts: 1).first)
            try await eventually { stage.running.count == 1 }
            stage.end(.error)
            try await eventually { try await stage.store.run(id)?.state == .failed }
        }
    }

    @Test func onlyTheShareIsTried() async throws {
        try await withStage { stage in
            stage.canary["test.noop"] = "v3"
            stage.canaryShare = 3_000
            let ids = try await stage.enqueue(60)
            var tried: Set<RunID> = []
            for _ in ids {
                try await eventually { !stage.running.isEmpty }
                let spec = stage.end(.succeeded)
                if spec.version == "v3" { tried.insert(spec.runID) }
            }
            #expect(tried == Set(ids.filter { Delivery.dice($0) < 3_000 }))
        }
    }

    /// The version is judged, whatever becomes of the run; a guard that takes it back makes the crash the version's fault.
    @Test func theJudgeDecidesWhoseFaultItWas() async throws {
        try await withStage { stage in
            var verdicts: [(String?, AttemptOutcome)] = []
            stage.delivery.onVerdict = { held, report in
                verdicts.append((held.version, report.outcome))
                guard report.outcome == .crashed else { return false }
                stage.active["test.noop"] = "v1"
                return true
            }
            let id = try #require(try await stage.enqueue(1, attempts: 1).first)
            try await eventually { stage.running.count == 1 }
            #expect(stage.end(.crashed, reason: .signal).version == "v2")
            try await eventually {
                _ = try await stage.store.promoteDue()
                stage.delivery.hint()
                return stage.running.count == 1
            }
            #expect(stage.end(.succeeded).version == "v1")
            try await eventually { try await stage.store.run(id)?.state == .succeeded }
            #expect(verdicts.map(\.0) == ["v2", "v1"] && verdicts.map(\.1) == [.crashed, .succeeded])
        }
    }

    /// A version that is gone for the moment holds up only its own runs, and those not for ever.
    @Test func whatIsNotLoadedHoldsUpNobodyElse() async throws {
        try await withStage { stage in
            stage.active["test.sleep"] = "v9"
            stage.unloaded = ["v2"]
            // More than there are slots, and the oldest.
            let waiting = try await stage.enqueue(6)
            _ = try await stage.enqueue(2, job: "test.sleep")
            try await eventually { stage.running.count == 2 }
            #expect(stage.running.allSatisfy { $0.jobName == "test.sleep" })
            try await eventually {
                try await stage.number(
                    "SELECT count(*) FROM pawl.run_live WHERE job = 'test.noop' AND state = 'queued'")
                    == 6
            }
            stage.unloaded = []
            stage.delivery.reachChanged()
            for _ in 0..<2 { stage.end(.succeeded) }
            for _ in waiting {
                try await eventually { !stage.running.isEmpty }
                stage.end(.succeeded)
            }
            let last = try #require(waiting.last)
            try await eventually { try await stage.store.run(last)?.state == .succeeded }
            #expect(try await stage.store.run(last)?.attemptsUsed == 1)
        }
    }

    /// While all are to serve what this host cannot load, it claims nothing for it; the rest goes on.
    @Test func whatCannotBeServedIsNotClaimed() async throws {
        try await withStage { stage in
            let blocked = stage.active.removeValue(forKey: "test.noop")
            stage.delivery.isAllServed = { stage.active["test.noop"] != nil }
            stage.delivery.reachChanged()
            _ = try await stage.enqueue(5)
            _ = try await stage.enqueue(1, job: "test.sleep")
            try await eventually { stage.running.count == 1 }
            #expect(stage.running.first?.jobName == "test.sleep")
            #expect(
                try await stage.number(
                    "SELECT coalesce(max(attempt), 0)::bigint FROM pawl.run_live WHERE job = 'test.noop'") == 0)
            stage.active["test.noop"] = blocked
            stage.delivery.reachChanged()
            try await eventually { stage.running.count == 4 }
        }
    }
}
