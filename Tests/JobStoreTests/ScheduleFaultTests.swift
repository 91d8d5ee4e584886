import JobCore
import Postgres
import Testing
import UVLoop

@testable import JobStore

/// Schedules that change while they fire, or cannot be read; orders that come while something fires.
@Suite struct ScheduleFaultTests {
    // MARK: Changes

    @Test func whatHappenedIsForgottenWithWhatWaitedForIt() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(
                try Bench.after("{\"job\": \"test.noop\", \"delay_ms\": 3600000}"))
            let events = "SELECT count(*) FROM pawl.schedule_event"
            for (text, expected) in [
                // Blanks, and another title, make no other schedule.
                ("{\"delay_ms\": 3600000,  \"job\": \"test.noop\"}", 1 as Int64), ("{\"job\": \"csv.to_jsonl\"}", 0),
            ] {
                if expected == 1 {
                    _ = try await bench.enqueue(1)
                    try await bench.finishAll()
                }
                #expect(try await bench.number(events) == 1)
                let changed = try Bench.after(text).with { $0.title = "t" }
                _ = try await store.updateSchedule(made.id, changed, ifRevision: nil)
                #expect(try await bench.number(events) == expected)
            }
            let timed = try await store.updateSchedule(made.id, Bench.hourly(), ifRevision: nil)
            // As an end that was committed in the same moment would have left it.
            try await bench.addEvents(made.id, 1)
            let answer = try await store.fireDue()
            let now = try await store.schedule(made.id)
            #expect(answer.fired.isEmpty && answer.nextDue == timed.nextAt)
            #expect(now.lastError == nil && now.nextAt == timed.nextAt)
            try await bench.makeDue(made.id, seconds: 5)
            #expect(try await store.fireDue().fired.count == 1)
        }
    }

    @Test func twoThatWouldCloseACircleDoNotBothComeIn() async throws {
        try await withBench { bench in
            let store = bench.store
            let old = try await store.createSchedule(Bench.hourly { $0.job = "test.sleep" })
            let back = try Bench.after("{\"job\": \"test.sleep\"}", job: "test.noop")
            let there = try Bench.after("{\"job\": \"test.noop\"}", job: "test.sleep")
            for isChange in [false, true] {
                // Both have looked before either writes.
                try await bench.side.execute("BEGIN; SELECT pg_advisory_xact_lock(8097884910729035781)")
                let tasks = [
                    loopTask { try await store.createSchedule(back).id },
                    loopTask {
                        isChange
                            ? try await store.updateSchedule(old.id, there, ifRevision: nil).id
                            : try await store.createSchedule(there).id
                    },
                ]
                try await bench.awaitWaiting(2, "advisory")
                try await bench.side.execute("COMMIT")
                var (made, refused): ([Int64], [String]) = ([], [])
                for task in tasks {
                    do {
                        made.append(try await task.value)
                    } catch StoreError.invalid(let fault) {
                        refused.append("\(fault.pointer) \(fault.code)")
                    }
                }
                #expect(refused == ["/spec/job never_ends"])
                for id in made where id != old.id { try await store.deleteSchedule(id, ifRevision: nil) }
            }
        }
    }

    @Test func aTriggerMakesARunOfWhatTheScheduleIsThen() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(Bench.hourly())
            try await bench.side.execute("BEGIN; SELECT FROM pawl.schedule FOR UPDATE")
            let trigger = loopTask { try await store.triggerSchedule(made.id, TriggerChanges()) }
            try await bench.awaitWaiting(1, "transactionid")
            // Its old job goes as well.
            try await bench.side.execute(
                """
                UPDATE pawl.schedule SET job = 'test.sleep', revision = revision + 1;
                DELETE FROM pawl.job WHERE name = 'test.noop'; COMMIT
                """)
            let run = try await trigger.value.id
            #expect(try await store.run(run)?.job == "test.sleep")
        }
    }

    @Test func whatCannotBeReadIsNotReplacedByWhatIsShown() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(Bench.hourly())
            for change in ["spec = '{\"every_ms\": \"later\"}'", "spec = '{}', options = '{\"overlap\": \"later\"}'"] {
                try await bench.side.execute("UPDATE pawl.schedule SET \(change)")
                let shown = try #require(try await store.schedules().first)
                #expect(!shown.isReadable && shown.nextAt == nil && shown.lastError != nil)
                var open = Bench.hourly()
                open.openMembers = ["anchor"]
                for what in 0..<2 {
                    do {
                        if what == 0 { _ = try await store.updateSchedule(made.id, open, ifRevision: nil) }
                        if what == 1 { _ = try await store.triggerSchedule(made.id, TriggerChanges()) }
                        Issue.record("it was taken")
                    } catch StoreError.conflict(let code, _, _) {
                        #expect(code == "schedule_unreadable")
                    }
                }
                // As a whole it may be put right.
                #expect(try await store.updateSchedule(made.id, Bench.hourly(), ifRevision: nil).isReadable)
            }
        }
    }

    @Test func ofEqualNamesTheLaterGetFreeOnes() async throws {
        try await withBench { bench in
            let store = bench.store
            var ids: [Int64] = []
            for _ in 0..<3 { ids.append(try await store.createSchedule(Bench.hourly()).id) }
            try await bench.side.execute(
                """
                DROP INDEX pawl.schedule_name;
                UPDATE pawl.schedule SET name = CASE WHEN id = \(ids[1]) THEN 'n (\(ids[2]))' ELSE 'n' END
                """)
            try await bench.side.execute(
                String(decoding: PackageResources.m0022_schedule_names_up_sql, as: UTF8.self))
            let names = try await store.schedules().map { $0.input.name ?? "" }
            #expect(names == ["n", "n (\(ids[2]))", "n (\(ids[2])) (\(ids[2]))"])
        }
    }

    // MARK: Orders

    @Test func schedulingIsStoppedWhenTheOrderReturns() async throws {
        try await withBench { bench in
            let store = bench.store
            let other = bench.anotherStore()
            let made = try await store.createSchedule(Bench.hourly { $0.options.overlap = .queueOne })
            // The second time, whoever fires does not come back.
            for comesBack in [true, false] {
                try await bench.makeDue(made.id, seconds: 10)
                var firing: Task<[Firing], any Error>?
                var order: Task<Bool, any Error>?
                let hasReturned = Flag()
                try await bench.whileFiringStands {
                    firing = loopTask { try await other.fireDue().fired }
                    try await bench.awaitWaiting(1, "relation")
                    order = loopTask {
                        defer { hasReturned.isUp = true }
                        return try await store.declare(.stopScheduling, reason: "a flood", actor: nil).isNew
                    }
                    try await bench.awaitWaiting(1, "advisory")
                    #expect(!hasReturned.isUp)
                    if !comesBack { #expect(try await order?.value == true) }
                }
                #expect(try await order?.value == true)
                let count = try await store.occurrences(made.id).count
                #expect(count == 1)
                if comesBack {
                    #expect(try await firing?.value.count == 1)
                } else {
                    await #expect(throws: StoreError.self) { try await firing?.value }
                }
                #expect(try await other.fireDue().fired.isEmpty)
                _ = try await store.lift([.stopScheduling], reason: nil, actor: nil)
            }
            // Nor does what was kept back go.
            let second = try await store.fireDue().fired
            #expect(second.map(\.isKeptBack) == [true])
            try await bench.finishAll()
            _ = try await store.declare(.stopScheduling, reason: "a flood", actor: nil)
            #expect(try await other.releaseTurns() == (1, 0))
            _ = try await store.lift([.stopScheduling], reason: nil, actor: nil)
            #expect(try await other.releaseTurns().released == 1)
            await other.shutdown()
        }
    }

    /// Ends are asked for in the order of the runs, as they are settled.
    @Test func theEndOfAllTakesOneRunAfterTheOther() async throws {
        try await withBench { bench in
            let ids = try await bench.enqueue(2)
            _ = try await bench.claim(2)
            // The first lies behind the second in the table.
            try await bench.side.execute(
                """
                WITH gone AS (DELETE FROM pawl.run_live WHERE id = \(ids[0].rawValue) RETURNING *)
                INSERT INTO pawl.run_live SELECT * FROM gone
                """)
            try await bench.side.execute(
                "BEGIN; SELECT FROM pawl.run_live WHERE id = \(ids[0].rawValue) FOR UPDATE")
            let order = loopTask {
                try await bench.store.declare(.terminateAll, reason: "now", actor: nil).ended.count
            }
            try await bench.awaitWaiting(1, "transactionid")
            let free = "SELECT FROM pawl.run_live WHERE id = \(ids[1].rawValue) FOR UPDATE SKIP LOCKED"
            #expect(try await bench.number("SELECT count(*) FROM (\(free)) l") == 1)
            try await bench.side.execute("COMMIT")
            #expect(try await order.value == 2)
        }
    }

    // MARK: Turns

    @Test func aRunByHandThatDoesNotCountHoldsUpNobody() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(
                Bench.hourly {
                    $0.options.overlap = .queueOne
                    $0.options.countsManual = false
                })
            _ = try await store.triggerSchedule(made.id, TriggerChanges())
            let manual = try await bench.claim(1)
            for ago in [30, 20] {
                try await bench.makeDue(made.id, seconds: ago)
                _ = try await store.fireDue()
            }
            #expect(try await store.releaseTurns() == (1, 0))
            try await bench.finishAll()
            #expect(try await store.run(manual[0].id)?.state == .running)
            #expect(try await store.releaseTurns().released == 1)
        }
    }

    @Test func whatWasCancelledOfABackfillIsForgottenAtOnce() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(Bench.hourly())
            let now = try await store.databaseTime()
            let times = (1...1500).reversed().map { now.advanced(by: .seconds(-$0)) }
            let runs = try await store.backfill(made.id, times, maxParallel: 1).runs
            #expect(try await store.releaseTurns() == (1500, 1))
            try await bench.side.execute(
                """
                SELECT pawl.cancel_waiting(id, 'x') FROM pawl.run_waiting
                WHERE state = 'blocked' AND id <> \(runs[1499].rawValue)
                """)
            #expect(try await store.releaseTurns().released == 0)
            _ = try await store.promoteDue(limit: 10)
            try await bench.finishAll()
            #expect(try await store.releaseTurns() == (499, 0))
            #expect(try await store.releaseTurns().released == 1)
            #expect(try await store.run(runs[1499])?.state == .scheduled)
        }
    }
}
