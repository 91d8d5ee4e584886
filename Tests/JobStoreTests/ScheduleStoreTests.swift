import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct ScheduleStoreTests {
    private func interval(_ every: Duration = .seconds(60), anchor: WallTime = WallTime(micros: 0)) -> ScheduleInput {
        ScheduleInput(job: "test.noop", spec: .interval(every: every, anchor: anchor), args: "{\"a\": 1}")
    }

    @Test func isKeptAsItWasSaid() async throws {
        try await withBench { bench in
            let store = bench.store
            var input = ScheduleInput(
                name: "nightly", job: "test.noop", spec: .cron(try CronExpression("30 2 * * MON-FRI")),
                timezone: "Europe/Berlin", args: "{\"a\": [1, 2]}", queue: "q", priority: 4, attempts: 2,
                timeout: .seconds(9), title: "t", description: "d", labels: ["k": "v"], owner: "o",
                startsAt: WallTime(micros: 0), endsAt: WallTime(rfc3339: "2100-01-01T00:00:00Z"), maxRuns: 10)
            let made = try await store.createSchedule(input)
            #expect(made.input == input && made.revision == 1 && made.nextAt != nil && made.runCount == 0)
            #expect(try await store.schedules(job: "test.noop").map(\.id) == [made.id])
            #expect(try await store.schedules(job: "test.sleep").isEmpty)

            input.isEnabled = false
            input.spec = .calendar(CalendarRule(days: .weekdays([1, 3]), secondOfDay: 3600))
            let changed = try await store.updateSchedule(made.id, input, ifRevision: 1)
            #expect(changed.input == input && changed.revision == 2 && changed.nextAt == nil)
            for attempt in [0, 1] {
                do {
                    if attempt == 0 { _ = try await store.updateSchedule(made.id, input, ifRevision: 1) }
                    if attempt == 1 { try await store.deleteSchedule(made.id, ifRevision: 1) }
                    Issue.record("an old revision was taken")
                } catch StoreError.conflict(let code, _, _) {
                    #expect(code == "revision_mismatch")
                }
            }
            try await store.deleteSchedule(made.id, ifRevision: 2)
            do {
                _ = try await store.schedule(made.id)
                Issue.record("it is still there")
            } catch StoreError.notFound(let what, _, _) {
                #expect(what == "schedule")
            }
        }
    }

    @Test func whatNeverFiresIsRefused() async throws {
        try await withBench { bench in
            let past = ScheduleInput(job: "test.noop", spec: .once(at: WallTime(micros: 0)))
            let never = ScheduleInput(job: "test.noop", spec: .cron(try CronExpression("0 0 30 2 *")))
            let nowhere = ScheduleInput(
                job: "test.noop", spec: .cron(try CronExpression("@daily")), timezone: "Mars/Base")
            let escape = ScheduleInput(
                job: "test.noop", spec: .cron(try CronExpression("@daily")), timezone: "../../etc/passwd")
            for (input, pointer) in [(past, "/spec"), (never, "/spec"), (nowhere, "/timezone"), (escape, "/timezone")] {
                do {
                    _ = try await bench.store.createSchedule(input)
                    Issue.record("it was taken")
                } catch StoreError.invalid(let fault) {
                    #expect(fault.pointer == pointer)
                }
            }
            do {
                _ = try await bench.store.createSchedule(ScheduleInput(job: "test.nop", spec: past.spec))
                Issue.record("it was taken")
            } catch StoreError.notFound(_, _, let near) {
                #expect(near == ["test.noop"])
            }
        }
    }

    @Test func aPlannedTimeFiresOnceOnHoweverManyHosts() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(interval(.seconds(3600)))
            // Due nine hours ago: nine firings were missed, the latest counts. A minute could turn while this runs.
            let now = try await store.databaseTime()
            let due = WallTime(micros: now.micros / 3_600_000_000 * 3_600_000_000 - 9 * 3_600_000_000)
            try await bench.side.execute("UPDATE pawl.schedule SET next_at = '\(due.rfc3339)'")
            let other = bench.anotherStore()
            let tasks = [store, other, store, other].map { store in
                loopTask { () -> [Firing] in
                    do { return try await store.fireDue().fired } catch {
                        Issue.record(error)
                        return []
                    }
                }
            }
            var fired: [Firing] = []
            for task in tasks { fired += await task.value }
            await other.shutdown()
            #expect(fired.count == 1)
            let run = try #require(try await store.run(fired[0].run.id))
            #expect(run.scheduleID == made.id && run.plannedAt == fired[0].plannedAt && run.trigger == "schedule")
            #expect(run.args == "{\"a\": 1}")
            let after = try await store.schedule(made.id)
            #expect(after.runCount == 1 && after.lastRunID == run.id)
            let next = try #require(after.nextAt)
            #expect(next == fired[0].plannedAt.advanced(by: .seconds(3600)))
            let occurrence = try #require(try await store.occurrences(made.id).first)
            #expect(occurrence.missed >= 9 && occurrence.runID == run.id)
            #expect(try await store.fireDue().nextDue == next)
            #expect(try await store.dueSchedules(within: .seconds(7200)).map(\.id) == [made.id])
            #expect(try await store.dueSchedules(within: .zero).isEmpty)
        }
    }

    @Test func optionsPausesAndSkipsAreKept() async throws {
        try await withBench { bench in
            let store = bench.store
            var input = interval()
            input.spec = .onCalendar(try OnCalendar("*:*:00"))
            input.options.clocks = ClockChangeRule(gap: .skip, fold: .both)
            input.options.missed = MissedPolicy(.all, window: .seconds(3600), cap: 3)
            input.options.jitter = .seconds(5)
            input.options.blackouts = DateCalendar(days: [0...1])
            let made = try await store.createSchedule(input)
            #expect(made.input == input && made.ordinal == 0 && made.pausedAt == nil)
            let paused = try await store.pauseSchedule(made.id, reason: "upkeep")
            #expect(paused.pausedAt != nil && paused.pauseReason == "upkeep" && paused.revision == 2)
            try await bench.side.execute("UPDATE pawl.schedule SET next_at = next_at - interval '2 minutes'")
            #expect(try await store.fireDue().fired.isEmpty)
            let rows = try await store.occurrences(made.id)
            #expect(!rows.isEmpty && rows.allSatisfy { $0.reason == .paused && $0.runID == nil })
            let resumed = try await store.resumeSchedule(made.id)
            #expect(resumed.pausedAt == nil && resumed.pauseReason == nil && resumed.ordinal == rows.count)
            let skipping = try await store.skipSchedule(made.id, next: 1)
            #expect(skipping.skipNext == 1)
            input.options.overlap = .queueOne
            #expect(try await store.updateSchedule(made.id, input, ifRevision: nil).input == input)
        }
    }

    @Test func missedTimesAndOverlapsHaveRows() async throws {
        try await withBench { bench in
            let store = bench.store
            // 35, 25, 15 and 5 minutes ago.
            let first = try await store.databaseTime().advanced(by: .seconds(-2100))
            var input = interval(.seconds(600), anchor: first)
            input.options.missed = MissedPolicy(.all, cap: 2)
            input.options.overlap = .skip
            let made = try await store.createSchedule(input)
            try await bench.side.execute("UPDATE pawl.schedule SET next_at = '\(first.rfc3339)'")
            let fired = try await store.fireDue().fired
            // Four are due, of which two are too many for the cap; of the other two the first goes, and stands in the second's way.
            #expect(fired.count == 1)
            let reasons = try await store.occurrences(made.id).map { $0.reason?.rawValue ?? "fired" }
            #expect(reasons == ["overlap", "fired", "missed", "missed"])
            #expect(try await store.occurrences(made.id)[1].missed == 2)
            #expect(try await store.schedule(made.id).runCount == 1)
        }
    }

    @Test(arguments: [OverlapPolicy.cancelRunning, .terminateRunning])
    func aRunGivesWayToTheNext(_ policy: OverlapPolicy) async throws {
        try await withBench { bench in
            let store = bench.store
            // Far from its own times, which would be due as well.
            let now = try await store.databaseTime()
            var input = interval(.seconds(7200), anchor: now.advanced(by: .seconds(-3600)))
            input.options.overlap = policy
            _ = try await store.createSchedule(input)
            var fired: [Firing] = []
            for _ in 0..<2 {
                try await bench.side.execute(
                    "UPDATE pawl.schedule SET next_at = now() - interval '10 seconds'")
                fired += try await store.fireDue().fired
            }
            try #require(fired.count == 2)
            #expect(try await store.run(fired[0].run.id)?.state == .cancelled)
            #expect(try await store.run(fired[1].run.id)?.state == .queued)
        }
    }

    @Test func endsAfterItsNumberOfRuns() async throws {
        try await withBench { bench in
            let store = bench.store
            var input = interval()
            input.maxRuns = 2
            let made = try await store.createSchedule(input)
            for count in 1...2 {
                // The same planned time again would rightly not fire: forget that it did.
                try await bench.side.execute(
                    "DELETE FROM pawl.schedule_occurrence; UPDATE pawl.schedule SET next_at = next_at - interval '1 hour'"
                )
                #expect(try await store.fireDue().fired.count == 1)
                #expect(try await store.schedule(made.id).runCount == count)
            }
            #expect(try await store.schedule(made.id).nextAt == nil)
            #expect(try await store.fireDue().nextDue == nil)
        }
    }

    @Test func aBrokenOneDoesNotHoldUpTheOthers() async throws {
        try await withBench { bench in
            let store = bench.store
            let broken = try await store.createSchedule(interval())
            let fine = try await store.createSchedule(interval())
            try await bench.side.execute(
                """
                UPDATE pawl.schedule SET next_at = now() - interval '1 hour';
                UPDATE pawl.schedule SET spec = '{"x": 1}', next_at = now() - interval '2 hours' WHERE id = \(broken.id)
                """)
            #expect(try await store.fireDue().fired.map(\.scheduleID) == [fine.id])
            #expect(
                try await bench.number("SELECT count(*) FROM pawl.schedule WHERE last_error LIKE '%specification%'")
                    == 1)
            #expect(try await store.schedules().count == 2)
            // Mended, it fires at the time that was planned, not at the time of the next try.
            let planned = try await bench.number(
                "SELECT (extract(epoch FROM next_at) * 1e6)::bigint FROM pawl.schedule WHERE id = \(broken.id)")
            #expect(
                try await bench.number(
                    "SELECT count(*) FROM pawl.schedule WHERE retry_at > now() AND next_at < now() - interval '1 hour'")
                    == 1)
            let spec = interval().spec.json
            try await bench.side.execute(
                "UPDATE pawl.schedule SET spec = '\(spec)', retry_at = now() WHERE id = \(broken.id)")
            let fired = try await store.fireDue().fired
            #expect(fired.count == 1 && fired[0].scheduleID == broken.id)
            let times = try await store.occurrences(broken.id, limit: 1000).map(\.plannedAt.micros)
            #expect(times.last == planned && times.dropLast().allSatisfy { $0 % 60_000_000 == 0 })
        }
    }
}
