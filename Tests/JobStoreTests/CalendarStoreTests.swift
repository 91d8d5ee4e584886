import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// Calendars in the database, and what they do to schedules that name them.
@Suite struct CalendarStoreTests {
    private func calendar(_ dates: String) throws -> DateCalendar {
        try DateCalendar(JSONValue(parsing: "{\"dates\":[\"\(dates)\"]}"))
    }

    @Test func aCalendarKeepsASchedulesRunsAway() async throws {
        try await withBench { bench in
            let store = bench.store
            let always = CalendarInput(name: "always", content: try calendar("2000-01-01/2999-12-31"))
            _ = try await store.createCalendar(always, actor: "me")
            let anchor = try await store.databaseTime().advanced(by: .seconds(-60))
            var input = ScheduleInput(
                name: "n", job: "test.noop", spec: .interval(every: .seconds(3600), anchor: anchor))
            input.options.calendars = ["always"]
            let made = try await store.createSchedule(input)
            func come() async throws -> [Firing] {
                try await bench.side.execute(
                    "UPDATE pawl.schedule SET next_at = date_trunc('second', now() - interval '5 seconds')")
                let step = try await store.fireDue()
                return step.fired
            }
            #expect(try await come().isEmpty)
            let rows = try await store.occurrences(made.id)
            #expect(rows.count == 1 && rows[0].reason == .calendar && rows[0].runID == nil)
            // A changed calendar holds from the next time on, also on hosts that had read it before.
            let never = CalendarInput(name: "always", content: try calendar("1999-01-01"))
            #expect(try await store.updateCalendar(never, ifRevision: 1).revision == 2)
            try await bench.side.execute("DELETE FROM pawl.schedule_occurrence")
            #expect(try await come().count == 1)
            // Gone by somebody's hand, it stops the schedule and says so.
            try await bench.side.execute("DELETE FROM pawl.calendar")
            #expect(try await come().isEmpty)
            #expect(try await store.schedule(made.id).lastError?.contains("calendars") == true)
        }
    }

    @Test func whatIsNamedStays() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.createCalendar(CalendarInput(name: "c", content: try calendar("2026-12-25")))
            var input = ScheduleInput(
                name: "n", job: "test.noop", spec: .cron(try CronExpression("@daily")))
            input.options.calendars = ["c", "d"]
            await #expect(throws: StoreError.self) { try await store.createSchedule(input) }
            input.options.calendars = ["c"]
            let made = try await store.createSchedule(input)
            await #expect(throws: StoreError.self) { try await store.deleteCalendar("c", ifRevision: nil) }
            #expect(try await store.calendar("c").schedules == 1)
            try await store.deleteSchedule(made.id, ifRevision: nil)
            try await store.deleteCalendar("c", ifRevision: nil)
            #expect(try await store.calendars().isEmpty)
        }
    }

    /// A fault in the last of many changes leaves nothing of the first.
    @Test func stateIsAppliedWholeOrNotAtAll() async throws {
        try await withBench { bench in
            let store = bench.store
            let calendar = CalendarInput(name: "c", content: try calendar("2026-12-25"))
            var schedule = ScheduleInput(name: "n", job: "mine", spec: .cron(try CronExpression("@daily")))
            schedule.options.calendars = ["c"]
            let job = JobDefinition(name: "mine", handler: "test.noop", settings: JobPatch(attempts: 2))
            let good: [(pointer: String, change: StateChange)] = [
                ("/s", .createSchedule(schedule)), ("/j", .createJob(job)), ("/c", .createCalendar(calendar)),
                ("/q", .limitQueue("slow", ConcurrencyPatch(everywhere: 3), revision: 0)),
            ]
            let late = good + [("/x", StateChange.limitQueue("slow", ConcurrencyPatch(everywhere: 4), revision: 9))]
            await #expect(throws: StoreError.self) { try await store.applyState(late) }
            #expect(try await store.calendars().isEmpty)
            #expect(try await store.schedule(named: "n") == nil)
            let names = AppliedNames(set: "mine", schedules: ["n"], calendars: ["c"])
            try await store.applyState(good, names: names, actor: "me")
            #expect(try await store.job("mine").attempts == 2)
            #expect(try await store.queue("slow").limits.everywhere == 3)
            let row = try #require(try await store.schedule(named: "n"))
            #expect(row.input.options.calendars == ["c"] && row.input.job == "mine")
            #expect(Set(try await store.applied("mine").map(\.name)) == ["n", "c"])
            #expect(try await store.applied("other").isEmpty)
            // Looked at before somebody changed it.
            _ = try await store.pauseSchedule(row.id)
            await #expect(throws: StoreError.self) {
                try await store.applyState([("", .deleteSchedule(row.id, revision: row.revision))])
            }
            #expect(try await store.schedule(named: "n") != nil)
        }
    }
}
