import JobCore
import JobStore
import Postgres
import Supervision
import Testing
import UVLoop

@testable import JobRunner

@Suite(.serialized) struct DeliveryQuarantineTests {
    /// Crashes runs of a job, one after the other, until its version is out of service.
    @LoopActor
    private func trip(_ stage: Stage) async throws {
        _ = try await stage.enqueue(5)
        for _ in 0..<5 {
            try await eventually { !stage.running.isEmpty }
            #expect(stage.end(.crashed, reason: .signal).version == "v2")
        }
        #expect(!stage.quarantine.isClear)
        try await eventually { try await stage.store.quarantines().count == 1 }
    }

    /// Makes the pause end now, on the host and in the database.
    @LoopActor
    private func endPause(_ stage: Stage) async throws {
        try await stage.side.execute("UPDATE pawl.quarantine SET until = now() - interval '1 s'")
        stage.ahead += .seconds(7200)
        await stage.quarantine.lookOnce()
    }

    @Test func runsWaitAndNothingSpins() async throws {
        try await withStage { stage in
            try await trip(stage)
            let row = try #require(try await stage.store.quarantines().first)
            #expect(row.handler == "test.noop" && row.version == "v2" && row.level == 1 && row.crashes == 5)
            let waiting = try await stage.enqueue(20)
            let others = try await stage.enqueue(3, job: "test.sleep")
            for _ in others {
                try await eventually { !stage.running.isEmpty }
                #expect(stage.end(.succeeded).jobName == "test.sleep")
            }
            try await eventually {
                try await stage.number("SELECT count(*) FROM pawl.run WHERE state = 'succeeded'") == 3
            }
            for _ in 0..<20 {
                stage.delivery.hint()
                try await LoopClock.sleep(for: .milliseconds(5))
            }
            #expect(stage.running.isEmpty)
            // A few may have been claimed before the list of jobs was there; then no more.
            let claims = try await stage.number("SELECT sum(attempt) FROM pawl.run_live WHERE job = 'test.noop'")
            #expect(claims <= 4)
            #expect(
                try await stage.number("SELECT count(*) FROM pawl.run_live WHERE state = 'queued'")
                    == Int64(waiting.count))
        }
    }

    @Test func oneRunTriesAndClears() async throws {
        try await withStage { stage in
            try await trip(stage)
            _ = try await stage.enqueue(6)
            try await endPause(stage)
            try await eventually("a trial is started") { stage.running.count == 1 }
            for _ in 0..<20 {
                stage.delivery.hint()
                try await LoopClock.sleep(for: .milliseconds(5))
            }
            #expect(stage.running.count == 1, "one at a time")
            stage.end(.succeeded)
            try await eventually("the others follow") { stage.running.count == 4 }
            try await eventually { try await stage.store.quarantines().isEmpty }
            #expect(stage.quarantine.isClear)
            for _ in 0..<5 {
                try await eventually { !stage.running.isEmpty }
                stage.end(.succeeded)
            }
            try await eventually {
                try await stage.number("SELECT count(*) FROM pawl.run WHERE state = 'succeeded'") == 6
            }
        }
    }

    @Test func aTrialThatCrashesPutsItBack() async throws {
        try await withStage { stage in
            try await trip(stage)
            _ = try await stage.enqueue(2)
            try await endPause(stage)
            try await eventually { stage.running.count == 1 }
            stage.end(.crashed, reason: .noResult)
            try await eventually { try await stage.store.quarantines().first?.level == 2 }
            let row = try #require(try await stage.store.quarantines().first)
            #expect(row.until > WallTime.current.advanced(by: .seconds(100)) && !row.isTried)
            #expect(stage.running.isEmpty && stage.startCount == 6)
        }
    }

    @Test func theVersionBeforeStandsIn() async throws {
        try await withStage { stage in
            stage.fallback["test.noop"] = "v1"
            try await trip(stage)
            _ = try await stage.enqueue(3)
            for _ in 0..<3 {
                try await eventually { !stage.running.isEmpty }
                #expect(stage.end(.succeeded).version == "v1")
            }
            // Its trial goes to the version itself, one at a time, the rest goes on.
            try await endPause(stage)
            try await eventually { stage.quarantine.admission("test.noop", "v2") == .trial }
            _ = try await stage.enqueue(3)
            try await eventually { stage.running.count == 3 }
            #expect(stage.running.map(\.version).sorted() == ["v1", "v1", "v2"])
        }
    }

    @Test func aLiftLetsThemGo() async throws {
        try await withStage { stage in
            try await trip(stage)
            _ = try await stage.enqueue(2)
            #expect(try await stage.store.liftQuarantine(handler: "test.noop", version: "v2", actor: "me"))
            stage.quarantine.lifted("test.noop", "v2")
            try await eventually { stage.running.count == 2 }
        }
    }

    /// Lifted through another host: found at the next look.
    @Test func aLiftElsewhereIsFound() async throws {
        try await withStage { stage in
            try await trip(stage)
            _ = try await stage.enqueue(2)
            try await eventually {
                // What is written here must have been written before somebody else can lift it.
                try await stage.store.liftQuarantine(handler: "test.noop", version: "v2")
            }
            try await eventually {
                stage.quarantine.look()
                return stage.running.count == 2
            }
        }
    }

    @Test func whatAnotherHostDecidedHoldsHere() async throws {
        try await withStage { stage in
            let now = try await stage.store.databaseTime()
            try await stage.store.recordQuarantine(
                QuarantineRow(
                    handler: "test.noop", version: "v2", since: now, until: now, level: 1, crashes: 5, attempts: 5,
                    reason: "it crashed there"), pause: .seconds(60))
            stage.quarantine.look()
            try await eventually { !stage.quarantine.isClear }
            _ = try await stage.enqueue(2)
            _ = try await stage.enqueue(1, job: "test.sleep")
            try await eventually { stage.running.count == 1 }
            #expect(stage.running.first?.jobName == "test.sleep")
        }
    }

    @Test func aJobMayWantNone() async throws {
        try await withStage { stage in
            let off = JSONValue.object([JSONMember("quarantine", .boolean(false))])
            _ = try await stage.store.patchJob("test.noop", JobPatch(execution: off), ifRevision: nil)
            _ = try await stage.enqueue(30)
            for _ in 0..<30 {
                try await eventually { !stage.running.isEmpty }
                stage.end(.crashed, reason: .signal)
            }
            #expect(stage.quarantine.isClear)
            #expect(try await stage.store.quarantines().isEmpty)
        }
    }

    /// Whatever is not a crash of the handler's own making.
    @Test func otherEndsDoNotCount() async throws {
        try await withStage { stage in
            let outcomes: [AttemptOutcome] = [.error, .timedOut, .outOfMemory, .terminated, .succeeded]
            _ = try await stage.enqueue(25)
            for index in 0..<25 {
                try await eventually { !stage.running.isEmpty }
                stage.end(outcomes[index % 5])
            }
            #expect(stage.quarantine.isClear)
        }
    }

    /// A version that this host does not serve is for others to try.
    @Test func whatIsNotServedHereIsNotTried() async throws {
        try await withStage { stage in
            stage.quarantine.isServed = { stage.active[$0.handler] == $0.version }
            try await trip(stage)
            stage.active["test.noop"] = "v3"
            stage.delivery.reachChanged()
            _ = try await stage.enqueue(1)
            try await eventually { stage.running.count == 1 }
            #expect(stage.running.first?.version == "v3")
            try await endPause(stage)
            for _ in 0..<20 {
                stage.quarantine.look()
                try await LoopClock.sleep(for: .milliseconds(5))
            }
            #expect(try await stage.store.quarantines().first?.isTried == false)
        }
    }

    /// The right to a trial is one host's: where it cannot be used, another host gets it.
    @Test func aTrialThatThisHostDoesNotComeToIsGivenBack() async throws {
        try await withStage { stage in
            stage.quarantine.isServed = { stage.active[$0.handler] == $0.version }
            @LoopActor func isTried() async throws -> Bool {
                try await stage.store.quarantines().first?.isTried == true
            }
            @LoopActor func mayTry() async throws -> Bool {
                await stage.quarantine.lookOnce()
                return try await isTried()
            }
            try await trip(stage)
            _ = try await stage.enqueue(4, job: "test.sleep")
            try await eventually("all slots are taken") { stage.running.count == 4 }
            try await endPause(stage)
            try await eventually("it may try") { try await mayTry() }
            #expect(try await mayTry(), "not at once")
            stage.ahead += .seconds(31)
            // One look: the next one would ask for it again.
            await stage.quarantine.lookOnce()
            try await eventually("it is given back") { try await !isTried() }
            for _ in 0..<4 { stage.end(.succeeded) }
            try await eventually("it may try again") { try await mayTry() }
            // Another version serves here by now; somebody else may serve this one still.
            stage.active["test.noop"] = "v3"
            try await eventually("it is given back again") { try await !mayTry() }
        }
    }
}
