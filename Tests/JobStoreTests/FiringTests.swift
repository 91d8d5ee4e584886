import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// What fires, and what waits for its turn.
@Suite struct FiringTests {
    private func hourly(_ overlap: OverlapPolicy = .allow) -> ScheduleInput {
        var input = ScheduleInput(
            job: "test.noop", spec: .interval(every: .seconds(3600), anchor: WallTime(micros: 1_800_000_000)))
        input.options.overlap = overlap
        input.options.missed = MissedPolicy(.all)
        return input
    }

    /// Its next planned time is this long ago.
    @LoopActor
    private func makeDue(_ bench: Bench, _ id: Int64, _ ago: Int) async throws {
        try await bench.side.execute(
            "UPDATE pawl.schedule SET next_at = now() - \(ago) * interval '1 second' WHERE id = \(id)")
    }

    @LoopActor
    private func finish(_ bench: Bench, _ decision: Settlement.Decision = .finish(.succeeded)) async throws -> [RunID] {
        let claimed = try await bench.claim(10)
        _ = try await bench.store.settle(bench.lease, claimed.map { $0.settlement(decision) })
        return claimed.map(\.id)
    }

    // MARK: Overlap

    @Test func oneWaitsAndFurtherOnesAreLeftOut() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(hourly(.queueOne))
            var fired: [Firing] = []
            for ago in [30, 20, 10] {
                try await makeDue(bench, made.id, ago)
                fired += try await store.fireDue().fired
            }
            try #require(fired.count == 2)
            #expect(!fired[0].isKeptBack && fired[1].isKeptBack)
            #expect(try await store.run(fired[0].run.id)?.state == .queued)
            #expect(try await store.run(fired[1].run.id)?.state == .blocked)
            let reasons = try await store.occurrences(made.id).map { $0.reason?.rawValue ?? "fired" }
            #expect(reasons == ["overlap", "fired", "fired"])
            #expect(try await store.releaseTurns() == (1, 0))
            _ = try await store.promoteDue(limit: 10)
            #expect(try await store.run(fired[1].run.id)?.state == .blocked)

            #expect(try await finish(bench) == [fired[0].run.id])
            #expect(try await store.releaseTurns().released == 1)
            #expect(try await store.releaseTurns() == (0, 0))
            _ = try await store.promoteDue(limit: 10)
            #expect(try await finish(bench) == [fired[1].run.id])
            #expect(try await bench.number("SELECT count(*) FROM pawl.schedule_turn") == 0)
            try await makeDue(bench, made.id, 5)
            #expect(try await store.fireDue().fired.map(\.isKeptBack) == [false])
        }
    }

    @Test func aWaitingOneThatIsCancelledMakesRoom() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(hourly(.queueOne))
            var fired: [Firing] = []
            for ago in [30, 20] {
                try await makeDue(bench, made.id, ago)
                fired += try await store.fireDue().fired
            }
            try await bench.side.execute("SELECT pawl.cancel('\(fired[1].run.id)', 'not needed')")
            #expect(try await store.run(fired[1].run.id)?.state == .cancelled)
            #expect(try await store.releaseTurns() == (0, 0))
            try await makeDue(bench, made.id, 10)
            #expect(try await store.fireDue().fired.map(\.isKeptBack) == [true])
        }
    }

    @Test func runsMadeByHandCountAsChosen() async throws {
        try await withBench { bench in
            let store = bench.store
            for counts in [true, false] {
                var input = hourly(.skip)
                input.options.countsManual = counts
                let made = try await store.createSchedule(input)
                let manual = try await store.triggerSchedule(made.id, TriggerChanges())
                #expect(manual.isNew)
                try await makeDue(bench, made.id, 10)
                #expect(try await store.fireDue().fired.count == (counts ? 0 : 1))
                #expect(try await store.occurrences(made.id).map(\.source) == [.manual, .time])
            }
        }
    }

    // MARK: By hand

    @Test func aTriggerWithAKeyIsDoneOnce() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(hourly(.skip))
            let other = try await store.createSchedule(hourly(.allow))
            var changes = TriggerChanges()
            changes.idempotencyKey = "once"
            changes.idempotencyFingerprint = "this"
            // As two hosts that have been given the same request.
            let both = [0, 1].map { [changes] _ in
                loopTask { try await store.triggerSchedule(made.id, changes, actor: "ada") }
            }
            var runs: [Enqueued] = []
            for task in both { runs.append(try await task.value) }
            #expect(runs[0].id == runs[1].id && runs.filter(\.isReplay).count == 1)
            // It is going, which a second run would be refused for.
            #expect(try await store.triggerSchedule(made.id, changes).isReplay)
            #expect(try await store.occurrences(made.id).count == 1)
            #expect(try await store.auditRows(AuditFilter(), limit: 10).count == 1)
            changes.idempotencyFingerprint = "that"
            for id in [made.id, other.id] {
                do {
                    _ = try await store.triggerSchedule(id, changes)
                    Issue.record("another request was taken for the first one")
                } catch StoreError.conflict(let code, _, _) {
                    #expect(code == "idempotency_key_reused")
                }
            }
            #expect(try await store.occurrences(other.id).isEmpty)
        }
    }

    @Test func aTriggerChangesWhatItSays() async throws {
        try await withBench { bench in
            let store = bench.store
            var input = hourly(.skip)
            input.isEnabled = false
            input.labels = ["a": "1", "b": "2"]
            input.priority = 3
            let made = try await store.createSchedule(input)
            var changes = TriggerChanges()
            changes.args = "{\"n\": 7}"
            changes.queue = "other"
            changes.labels = ["b": "3"]
            let first = try await store.triggerSchedule(made.id, changes, actor: "ada")
            let run = try #require(try await store.run(first.id))
            #expect(run.args == "{\"n\": 7}" && run.queue == "other" && run.labels == ["a": "1", "b": "3"])
            #expect(run.priority == 3 && run.trigger == "manual" && run.scheduleID == made.id)
            #expect(run.plannedAt == (try await store.occurrences(made.id).first?.plannedAt))
            do {
                _ = try await store.triggerSchedule(made.id, changes)
                Issue.record("it was taken")
            } catch StoreError.conflict(let code, let detail, _) {
                #expect(code == "overlap" && detail.contains("\(run.id)"))
            }
            let audit = try await store.auditRows(AuditFilter(), limit: 10)
            #expect(audit.map(\.action) == ["schedule.trigger"] && audit.first?.actor == "ada")
            #expect(audit.first?.target == "sch_\(made.id)")
            for (overlap, state) in [(OverlapPolicy.queueOne, RunState.blocked), (.allow, .queued)] {
                changes.overlap = overlap
                let next = try await store.triggerSchedule(made.id, changes)
                #expect(try await store.run(next.id)?.state == state)
            }
            changes.overlap = .cancelRunning
            let last = try await store.triggerSchedule(made.id, changes)
            #expect(try await store.run(first.id)?.state == .cancelled)
            #expect(try await store.run(last.id)?.state == .queued)
            let after = try await store.schedule(made.id)
            #expect(after.runCount == 0 && after.lastRunID == last.id && after.nextAt == nil)
            #expect(try await store.occurrences(made.id).count == 4)
        }
    }

    @Test func skipToNowLeavesOutWhatIsDue() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(hourly())
            try await makeDue(bench, made.id, 30)
            _ = try await store.skipScheduleToNow(made.id)
            #expect(try await store.fireDue().fired.isEmpty)
            #expect(try await store.occurrences(made.id).map(\.reason) == [.skipped])
            #expect(try await store.schedule(made.id).nextAt != nil)
        }
    }

    // MARK: Backfill

    @Test func aBackfillKeepsItsCap() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(hourly())
            let now = try await store.databaseTime()
            let hour = WallTime(micros: now.micros / 3_600_000_000 * 3_600_000_000 + 1_800_000_000)
            let last = hour <= now ? hour : hour.advanced(by: .seconds(-3600))
            let from = last.advanced(by: .seconds(-4 * 3600))
            // One of them fired at its time, one was left out.
            try await bench.side.execute(
                """
                INSERT INTO pawl.schedule_occurrence (schedule_id, planned_at, run_id) VALUES (\(made.id), '\(last.rfc3339)', 1);
                INSERT INTO pawl.schedule_occurrence (schedule_id, planned_at, reason)
                VALUES (\(made.id), '\(from.rfc3339)', 'missed')
                """)
            let plan = try await store.planBackfill(made.id, from: from, to: last)
            #expect(plan.times.count == 4 && plan.times.first == from && plan.existing == 1 && plan.excluded == 0)
            let done = try await store.backfill(made.id, plan.times, maxParallel: 2, actor: "ada")
            #expect(done.id != nil && done.runs.count == 4)
            #expect(try await store.backfill(made.id, plan.times, maxParallel: 2, actor: "ada").runs.isEmpty)
            #expect(try await store.auditRows(AuditFilter(), limit: 10).map(\.action) == ["schedule.backfill"])
            var order: [RunID] = []
            for round in 0..<2 {
                #expect(try await store.releaseTurns().released == 2)
                #expect(try await store.releaseTurns().released == 0)
                _ = try await store.promoteDue(limit: 10)
                let ended = try await finish(bench)
                #expect(ended.count == 2)
                order += ended
                guard round == 0 else { continue }
                let rows = try await store.occurrences(made.id)
                #expect(rows.count == 5 && rows.allSatisfy { $0.runID != nil && $0.reason == nil })
                #expect(try await store.planBackfill(made.id, from: from, to: last).times.isEmpty)
                // The rest goes on without its schedule.
                try await store.deleteSchedule(made.id, ifRevision: nil)
            }
            #expect(order == done.runs)
            #expect(try await store.releaseTurns() == (0, 0))
            _ = try await store.releaseTurns()
            #expect(
                try await bench.number("SELECT count(*) FROM pawl.schedule_backfill WHERE ended_at IS NOT NULL") == 1)
            _ = try await store.maintain(isForced: true)
            #expect(try await bench.number("SELECT count(*) FROM pawl.schedule_backfill") == 1)
            try await bench.side.execute(
                """
                UPDATE pawl.schedule_backfill SET ended_at = now() - interval '91 days';
                UPDATE pawl.schedule_occurrence SET fired_at = now() - interval '91 days'
                """)
            _ = try await store.maintain(isForced: true)
            #expect(try await bench.number("SELECT count(*) FROM pawl.schedule_backfill") == 0)
            #expect(try await bench.number("SELECT count(*) FROM pawl.schedule_occurrence") == 0)
        }
    }

    @Test func aBackfillOfNonsenseIsRefused() async throws {
        try await withBench { bench in
            let store = bench.store
            var input = hourly()
            input.spec = .interval(every: .seconds(1), anchor: WallTime(micros: 0))
            let made = try await store.createSchedule(input)
            let now = try await store.databaseTime()
            let cases: [(Int, Int, String, String)] = [
                (-10, 3600, "/to", "out_of_range"), (-10, -20, "/to", "out_of_range"),
                (-20_000, -1, "/from", "too_many"),
            ]
            for (from, to, pointer, code) in cases {
                do {
                    _ = try await store.planBackfill(
                        made.id, from: now.advanced(by: .seconds(from)), to: now.advanced(by: .seconds(to)))
                    Issue.record("it was taken")
                } catch StoreError.invalid(let fault) {
                    #expect(fault.pointer == pointer && fault.code == code)
                }
            }
        }
    }

    /// What ran long ago is forgotten, and must not run again by mistake.
    @Test func aBackfillOfWhatIsForgottenHasToBeWanted() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(hourly())
            let now = try await store.databaseTime()
            let from = now.advanced(by: .seconds(-91 * 86_400))
            let to = from.advanced(by: .seconds(86_400))
            // A schedule that is younger has run nothing then.
            #expect(try await store.planBackfill(made.id, from: from, to: to).times.count >= 24)
            try await bench.side.execute("UPDATE pawl.schedule SET created_at = now() - interval '1 year'")
            do {
                _ = try await store.planBackfill(made.id, from: from, to: to)
                Issue.record("it was taken")
            } catch StoreError.invalid(let fault) {
                #expect(fault.pointer == "/from" && fault.code == "forgotten")
            }
            #expect(
                try await store.planBackfill(made.id, from: from, to: to, includesForgotten: true).times.count >= 24)
        }
    }

    // MARK: Events

    private func after(_ text: String, job: String = "test.sleep") throws -> ScheduleInput {
        ScheduleInput(
            job: job,
            spec: try ScheduleSpec(
                kind: "after", spec: try JSONValue(parsing: text), now: WallTime(micros: 0), zone: UTCRules()))
    }

    @Test func eachEndOfAnotherJobFiresOnce() async throws {
        try await withBench { bench in
            let store = bench.store
            let good = try await store.createSchedule(try after("{\"job\": \"test.noop\"}"))
            let bad = try await store.createSchedule(try after("{\"job\": \"test.noop\", \"on\": [\"failed\"]}"))
            let any = try await store.createSchedule(
                try after("{\"job\": \"test.noop\", \"on\": [\"succeeded\", \"failed\", \"cancelled\"]}"))
            var off = try after("{\"job\": \"test.noop\"}")
            off.isEnabled = false
            let disabled = try await store.createSchedule(off)
            let later = try await store.createSchedule(
                try after("{\"job\": \"test.noop\", \"delay_ms\": 3600000}"))
            let ids = try await bench.enqueue(4)
            let claimed = try await bench.claim(2)
            _ = try await store.settle(
                bench.lease,
                [
                    claimed[0].settlement(.finish(.succeeded)),
                    claimed[1].settlement(.finish(.failed), .error),
                ])
            try await bench.side.execute("SELECT pawl.cancel('\(ids[2])', 'x')")
            let other = bench.anotherStore()
            let tasks = [store, other].map { store in
                loopTask { () -> [Firing] in
                    do { return try await store.fireDue().fired } catch {
                        Issue.record(error)
                        return []
                    }
                }
            }
            var fired: [Firing] = []
            for task in tasks { fired += await task.value }
            fired += try await store.fireDue().fired
            await other.shutdown()
            func count(_ row: ScheduleRow) -> Int { fired.count { $0.scheduleID == row.id } }
            #expect(count(good) == 1 && count(bad) == 1 && count(any) == 3 && count(disabled) == 0 && count(later) == 0)
            let rows = try await store.occurrences(any.id)
            #expect(rows.allSatisfy { $0.source == .after && $0.runID != nil })
            #expect(Set(rows.compactMap(\.event)) == Set(ids.prefix(3).map(\.description)))
            #expect(try await store.schedule(any.id).runCount == 3)
            #expect(try await bench.number("SELECT count(*) FROM pawl.schedule_event") == 1)
            try await bench.side.execute("UPDATE pawl.schedule_event SET due_at = now() - interval '2 hours'")
            #expect(try await store.fireDue().fired.map(\.scheduleID) == [later.id])
        }
    }

    @Test func whatWouldGoOnForEverIsRefused() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.createSchedule(try after("{\"job\": \"test.noop\"}"))
            let cases = [
                ("test.sleep", "test.noop", "never_ends"), ("test.noop", "test.noop", "never_ends"),
                ("test.none", "test.noop", "unknown_value"),
            ]
            for (job, runs, code) in cases {
                do {
                    _ = try await store.createSchedule(try after("{\"job\": \"\(job)\"}", job: runs))
                    Issue.record("it was taken")
                } catch StoreError.invalid(let fault) {
                    #expect(fault.pointer == "/spec/job" && fault.code == code)
                }
            }
            let chain = try await store.createSchedule(try after("{\"job\": \"test.sleep\"}", job: "csv.to_jsonl"))
            // Replaced by itself, it does not stand in its own way.
            #expect(try await store.updateSchedule(chain.id, chain.input, ifRevision: nil).revision == 2)
        }
    }

    @Test func aStartFiresOncePerLifeOfAHost() async throws {
        try await withBench { bench in
            let store = bench.store
            var input = ScheduleInput(
                job: "test.noop",
                spec: try ScheduleSpec(
                    kind: "event", spec: try JSONValue(parsing: "{\"event\": \"host_start\"}"),
                    now: WallTime(micros: 0), zone: UTCRules()))
            let made = try await store.createSchedule(input)
            #expect(made.nextAt == nil && made.input == input)
            for _ in 0..<2 {
                try await store.hostStarted(bench.lease)
                _ = try await store.fireDue()
            }
            #expect(try await store.schedule(made.id).runCount == 1)
            let again = try await store.registerHost(Bench.registration("directory-1")).lease
            try await store.hostStarted(again)
            #expect(try await store.fireDue().fired.count == 1)
            _ = try await store.pauseSchedule(made.id, reason: "x")
            let third = try await store.registerHost(Bench.registration("directory-1")).lease
            try await store.hostStarted(third)
            #expect(try await store.fireDue().fired.isEmpty)
            #expect(try await store.occurrences(made.id).map(\.reason) == [.paused, nil, nil])
            input.isEnabled = false
            #expect(try await store.updateSchedule(made.id, input, ifRevision: nil).input.isEnabled == false)
        }
    }

    // MARK: Leader

    @Test func oneHostFiresAndAnotherTakesOver() async throws {
        try await withBench { bench in
            let store = bench.store
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            let made = try await store.createSchedule(hourly())
            let term = try #require(try await store.lead(bench.lease, limit: .seconds(60)))
            #expect(try await store.lead(bench.lease, limit: .seconds(60)) == term)
            #expect(try await other.lead(second, limit: .seconds(60)) == nil)
            #expect(
                try await store.holdings().contains { $0.subject == .role(.scheduler) && $0.isHeld(by: bench.lease) })
            // It was not heard of for too long.
            try await bench.side.execute("UPDATE pawl.holding SET renewed_at = now() - interval '61 seconds'")
            let next = try #require(try await other.lead(second, limit: .seconds(60)))
            #expect(next > term)
            try await makeDue(bench, made.id, 10)
            #expect(try await store.fireDue(term: term).fired.isEmpty)
            #expect(try await store.lead(bench.lease, limit: .seconds(60)) == nil)
            #expect(try await other.fireDue(term: next).fired.count == 1)
            try await other.resign(term: next)
            #expect(try await other.fireDue(term: next).fired.isEmpty)
            #expect(try #require(try await store.lead(bench.lease, limit: .seconds(60))) > next)
            await other.shutdown()
        }
    }

    @Test func manyFireInFewStatements() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(hourly())
            try await bench.side.execute(
                """
                INSERT INTO pawl.schedule (name, job, kind, spec, timezone, args, next_at)
                SELECT n::text, s.job, s.kind, s.spec, s.timezone, s.args, now() - n * interval '10 milliseconds'
                FROM pawl.schedule s, generate_series(1, 1200) n WHERE s.id = \(made.id);
                UPDATE pawl.schedule SET spec = '{"x": 1}' WHERE name = '700'
                """)
            let answer = try await store.fireDue()
            #expect(answer.fired.count == 1199 && Set(answer.fired.map(\.scheduleID)).count == 1199)
            #expect(answer.fired.map(\.plannedAt).min() == answer.fired.first?.plannedAt)
            #expect(try await store.fireDue().fired.isEmpty)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 1199)
        }
    }

    // MARK: Time zones

    @Test func anotherReleaseMovesTheNextTimes() async throws {
        try await withBench { bench in
            let store = bench.store
            guard store.zoneFiles.release != nil else { return }
            let input = ScheduleInput(
                job: "test.noop", spec: .cron(try CronExpression("30 2 * * *")), timezone: "Europe/Berlin")
            let made = try await store.createSchedule(input)
            let due = try await store.createSchedule(input)
            let utc = try await store.createSchedule(hourly())
            // As another release had it: an hour later.
            try await bench.side.execute(
                "UPDATE pawl.schedule SET next_at = next_at + interval '1 hour' WHERE id = \(made.id)")
            try await makeDue(bench, due.id, 10)
            let before = try await store.schedule(due.id).nextAt
            #expect(try await store.followZoneRelease() == 1)
            #expect(try await store.schedule(made.id).nextAt == made.nextAt)
            #expect(try await store.schedule(due.id).nextAt == before)
            #expect(try await store.schedule(utc.id).nextAt == utc.nextAt)
            #expect(try await store.followZoneRelease() == nil)
            try await bench.side.execute("UPDATE pawl.schedule_clock SET zone_release = '1999z'")
            #expect(try await store.followZoneRelease() == 0)
        }
    }
}
