import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Supervision
import Testing
import UVLoop

@testable import JobRunner

/// Requests that can begin at once are stored in the commit of the claim that takes them.
@Suite(.serialized) struct StoringWithClaimTests {
    private static let everywhere =
        "SELECT (SELECT count(*) FROM pawl.run_live) + (SELECT count(*) FROM pawl.run) + (SELECT count(*) FROM pawl.run_waiting)"

    /// One run has come and gone, so that the host knows where such runs wait, and rests.
    @LoopActor
    private static func rest(_ stage: Stage) async throws {
        _ = try await stage.enqueue(1)
        try await eventually { stage.running.count == 1 }
        stage.end(.succeeded)
        try await Self.becomesIdle(stage)
        // As a request by itself, which says where the next ones go.
        _ = try await stage.store.enqueue(NewRun(job: "test.noop", attempts: 1))
        stage.delivery.hint()
        try await eventually { stage.running.count == 1 }
        stage.end(.succeeded)
        try await Self.becomesIdle(stage)
    }

    @LoopActor
    private static func becomesIdle(_ stage: Stage) async throws {
        try await eventually("it rests") { stage.delivery.machine.isIdle && !stage.delivery.machine.mayHaveWork }
    }

    @Test func itRunsWhenItsRequestIsAnswered() async throws {
        try await withStage { stage in
            try await Self.rest(stage)
            let answer = try await stage.store.enqueue(NewRun(job: "test.noop", attempts: 1))
            #expect(answer.isClaimed && answer.state == .queued)
            #expect(stage.running.map(\.runID) == [answer.id], "nobody had to be told")
            // Written by one transaction: that one waits more, and that one runs more.
            let counted =
                "SELECT count(*) FROM pawl.counter_delta WHERE job = 'test.noop' AND n > 0"
                + " AND xmin = (SELECT xmin FROM pawl.run_live WHERE state = 'running')"
            #expect(try await stage.number(counted) == 2)
            stage.end(.succeeded)
            try await Self.becomesIdle(stage)
            #expect(try await stage.number("SELECT count(*) FROM pawl.run WHERE state = 'succeeded'") == 3)
        }
    }

    @Test func whatCannotBeginGoesItsOwnWay() async throws {
        try await withStage(slots: 1) { stage in
            try await Self.rest(stage)
            let soon = WallTime.current.advanced(by: .seconds(3600))
            for later in [
                NewRun(job: "test.noop", runAt: soon), NewRun(job: "test.noop", delay: .seconds(3600)),
                NewRun(job: "test.noop", idempotencyKey: "once"),
            ] {
                #expect(try await !stage.store.enqueue(later).isClaimed)
            }
            #expect(stage.running.isEmpty, "the last one waits for a hint")
            _ = try await stage.store.pause(.job("test.noop"))
            let paused = try await stage.store.enqueue(NewRun(job: "test.noop"))
            #expect(!paused.isClaimed && stage.running.isEmpty)
            _ = try await stage.store.resume(.job("test.noop"))
            stage.delivery.hint()
            try await eventually { stage.running.count == 1 }
            let more = try await stage.store.enqueue(NewRun(job: "test.noop"))
            #expect(!more.isClaimed, "the slot is taken")
            stage.delivery.hint()
            try await eventually("all end, each once") {
                while !stage.running.isEmpty { stage.end(.succeeded) }
                return try await stage.number("SELECT count(*) FROM pawl.run_live") == 0
            }
            #expect(try await stage.number("SELECT count(*) FROM pawl.run") == 5)
        }
    }

    /// A host that is full marks itself awake and is told of nothing: what others put in meanwhile it finds with its next free slot.
    @Test func whatOthersPutInMeanwhileIsFound() async throws {
        try await withStage(slots: 1) { stage in
            // Of runs that take long none is claimed ahead.
            _ = try await stage.enqueue(1)
            try await eventually { stage.running.count == 1 }
            try await LoopClock.sleep(for: .milliseconds(30))
            stage.end(.succeeded)
            try await Self.becomesIdle(stage)
            _ = try await stage.store.enqueue(NewRun(job: "test.noop"))
            stage.delivery.hint()
            try await eventually { stage.running.count == 1 }
            try await LoopClock.sleep(for: .milliseconds(30))
            stage.end(.succeeded)
            try await Self.becomesIdle(stage)
            #expect(try await stage.store.enqueue(NewRun(job: "test.noop")).isClaimed)
            try await eventually { stage.delivery.isAsleep == false }
            try await stage.side.execute("SELECT pawl.enqueue('test.noop', '{}', '{}')")
            stage.end(.succeeded)
            try await eventually("without a word from anybody") { stage.running.count == 1 }
        }
    }

    /// Claims wait for whoever changes rules; requests do not, or only for a moment.
    @Test func aChangeOfRulesHoldsUpNoRequest() async throws {
        try await withStage { stage in
            try await Self.rest(stage)
            try await stage.side.execute("BEGIN")
            try await stage.side.execute("SELECT pg_advisory_xact_lock(8097884910729035779)")
            var answered: Enqueued?
            let asked = loopTask { answered = try await stage.store.enqueue(NewRun(job: "test.noop")) }
            try await eventually("it is answered all the same") { answered != nil }
            #expect(stage.running.isEmpty && stage.delivery.machine.isDatabaseUp)
            try await stage.side.execute("ROLLBACK")
            try await asked.value
            let answer = try #require(answered)
            #expect(!answer.isClaimed)
            stage.delivery.hint()
            try await eventually { stage.running.map(\.runID) == [answer.id] }
        }
    }

    /// What the server refuses may be the fault of one of them: the others are stored, once.
    @Test func oneThatIsRefusedHoldsUpNobody() async throws {
        try await withStage { stage in
            try await Self.rest(stage)
            try await stage.side.execute(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                    $$BEGIN IF new.title = 'bad' THEN RAISE EXCEPTION 'no'; END IF; RETURN new; END$$
                """)
            try await stage.side.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON pawl.run_live FOR EACH ROW EXECUTE FUNCTION refuse()")
            let store = stage.store
            let asked = ["first", "good", "bad", "fine"].map { title in
                loopTask { try await store.enqueue(NewRun(job: "test.noop", title: title)) }
            }
            var taken = 0
            for (index, task) in asked.enumerated() {
                switch await task.result {
                case .success: taken += 1
                case .failure(let error):
                    #expect(index == 2)
                    guard case StoreError.database = error else {
                        Issue.record("\(error)")
                        continue
                    }
                }
            }
            #expect(taken == 3)
            #expect(try await stage.number(Self.everywhere) == 5, "two of before, three of now")
            stage.delivery.hint()
            try await eventually { stage.running.count == 3 }
        }
    }

    /// The claims' connection is lost in the middle, and the server says that it undid it: the request goes its own way, once.
    @Test func aLostConnectionStoresNothingTwice() async throws {
        try await withStage { stage in
            try await Self.rest(stage)
            // Only claims have their plans told.
            try await stage.side.execute(
                """
                CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                    IF current_setting('enable_sort') = 'off' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
                    RETURN new; END$$
                """)
            try await stage.side.execute(
                "CREATE TRIGGER cut BEFORE INSERT ON pawl.run_live FOR EACH ROW EXECUTE FUNCTION cut()")
            let answer = try await stage.store.enqueue(NewRun(job: "test.noop", title: "cut"))
            try await stage.side.execute("DROP TRIGGER cut ON pawl.run_live")
            #expect(!answer.isClaimed)
            #expect(try await stage.number(Self.everywhere) == 3)
            stage.delivery.hint()
            try await eventually("claims go on") { stage.running.map(\.runID) == [answer.id] }
            stage.end(.succeeded)
            try await Self.becomesIdle(stage)
            #expect(try await stage.store.enqueue(NewRun(job: "test.noop")).isClaimed)
        }
    }
}
