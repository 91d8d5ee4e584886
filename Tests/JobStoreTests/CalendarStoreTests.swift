import JobCore
import JobStore
import Postgres
import PostgresTestSupport
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

    /// Whoever comes second waits, and then sees what the first has done.
    @Test func namingAndRemovingDoNotPassEachOther() async throws {
        try await withBench { bench in
            let store = bench.store
            // Not the one that holds them up: in a transaction it sees what it saw before.
            let watcher = try await PostgresConnection.connect(bench.configuration, logger: TestDatabase.logger)
            defer { watcher.close() }
            let waiting = PGStatement(
                name: "waiting",
                sql: """
                    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                    """)
            func blocked() async throws {
                for _ in 0..<1000 {
                    if try await watcher.query(waiting)[0].int64(0) > 0 { return }
                    try await LoopClock.sleep(for: .milliseconds(10))
                }
                Issue.record("nobody waits")
            }
            _ = try await store.createCalendar(CalendarInput(name: "c", content: try calendar("2026-12-25")))
            let plain = ScheduleInput(name: "n", job: "test.noop", spec: .cron(try CronExpression("@daily")))
            let made = try await store.createSchedule(plain)
            try await bench.side.execute(
                "BEGIN; UPDATE pawl.schedule SET options = '{\"calendars\": [\"c\"]}' WHERE name = 'n'")
            let removal = Task { @LoopActor in try await store.deleteCalendar("c", ifRevision: nil) }
            try await blocked()
            try await bench.side.execute("COMMIT")
            await #expect(throws: StoreError.self) { try await removal.value }
            #expect(try await store.calendar("c").schedules == 1)
            try await store.deleteSchedule(made.id, ifRevision: nil)

            try await bench.side.execute("BEGIN; DELETE FROM pawl.calendar")
            var input = plain
            input.options.calendars = ["c"]
            let (naming, applying) = (input, input)
            let creation = Task { @LoopActor in _ = try await store.createSchedule(naming) }
            try await blocked()
            try await bench.side.execute("COMMIT")
            await #expect { try await creation.value } throws: { error in
                guard case .invalid(let fault)? = error as? StoreError else { return false }
                return fault.pointer == "/calendars" && fault.detail == "there is no calendar c"
            }
            // Within many changes, the pointer leads to the one.
            try await bench.side.execute("INSERT INTO pawl.calendar (name, content) VALUES ('c', '{}')")
            try await bench.side.execute("BEGIN; DELETE FROM pawl.calendar")
            let apply = Task { @LoopActor in try await store.applyState([("/schedules/7", .createSchedule(applying))]) }
            try await blocked()
            try await bench.side.execute("COMMIT")
            await #expect { try await apply.value } throws: { error in
                guard case .invalid(let fault)? = error as? StoreError else { return false }
                return fault.pointer == "/schedules/7/calendars"
            }
        }
    }

    /// One that could not be read back would keep nothing away.
    @Test func onlyWhatCanBeReadIsWritten() async throws {
        try await withBench { bench in
            let store = bench.store
            let days = (0...10_000).map { 20_000 + 2 * $0...20_000 + 2 * $0 }
            await #expect(throws: StoreError.self) {
                try await store.createCalendar(CalendarInput(name: "c", content: DateCalendar(days: days)))
            }
            let some = DateCalendar(days: Array(days.prefix(10_000)))
            _ = try await store.createCalendar(CalendarInput(name: "c", content: some))
            #expect(try await store.contents(ofCalendars: ["c"])["c"] == some)
            // Made anew, it is another one, though its revision is the same.
            try await store.deleteCalendar("c", ifRevision: nil)
            _ = try await store.createCalendar(CalendarInput(name: "c", content: try calendar("2026-12-25")))
            #expect(try await store.contents(ofCalendars: ["c"])["c"] == (try calendar("2026-12-25")))
            try await bench.side.execute("UPDATE pawl.calendar SET content = '[]', revision = revision + 1")
            #expect(try await store.contents(ofCalendars: ["c"]).isEmpty)
            #expect(try await store.calendar("c").content == DateCalendar())
        }
    }

    @Test func aCalendarInUseIsToldBeforeItIsRemoved() async throws {
        try await withBench { bench in
            let store = bench.store
            let row = try await store.createCalendar(CalendarInput(name: "c", content: try calendar("2026-12-25")))
            var input = ScheduleInput(name: "n", job: "test.noop", spec: .cron(try CronExpression("@daily")))
            input.options.calendars = ["c"]
            let made = try await store.createSchedule(input)
            let removal = (pointer: "", change: StateChange.deleteCalendar("c", revision: row.revision))
            await #expect(throws: StoreError.self) { try await store.checkState([removal]) }
            try await store.checkState([removal, ("", .deleteSchedule(made))])
            var without = input
            without.options.calendars = []
            let both = [removal, (pointer: "", change: StateChange.changeSchedule(made, without))]
            try await store.checkState(both)
            try await store.applyState(both)
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
                try await store.applyState([("", .deleteSchedule(row))])
            }
            #expect(try await store.schedule(named: "n") != nil)
        }
    }
}
