import JobCore
import Postgres
import Testing
import UVLoop

@testable import JobStore

/// Much to fire, and others who want the same rows.
@Suite struct FiringStressTests {
    // MARK: Batches

    @Test func aBatchIsNoLargerThanALeaseLasts() async throws {
        try await withBench { bench in
            let store = bench.store
            for _ in 0..<5 {
                let made = try await store.createSchedule(
                    Bench.hourly {
                        $0.spec = .interval(every: .seconds(1), anchor: WallTime(micros: 0))
                        $0.options.missed = MissedPolicy(.all, cap: 1000)
                    })
                try await bench.makeDue(made.id, seconds: 3000)
            }
            // A thousand runs and a thousand rows of missed times each, and none while we look.
            try await bench.side.execute("UPDATE pawl.schedule SET ends_at = now()")
            let first = try await store.fireDue(slice: .zero)
            let count = Set(first.fired.map(\.scheduleID)).count
            // Fewer on a slow machine.
            #expect((1...3).contains(count))
            let due = try #require(first.nextDue)
            #expect(due < first.fired[0].plannedAt)
            #expect(Set(try await store.fireDue().fired.map(\.scheduleID)).count == 5 - count)
        }
    }

    /// A batch that began under a term which is over when it ends stays, and nobody fires the same.
    @Test func anotherLeaderPassesOverWhatIsBeingFired() async throws {
        try await withBench { bench in
            let store = bench.store
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            let made = try await store.createSchedule(Bench.hourly())
            let term = try #require(try await store.lead(bench.lease, limit: .seconds(60)))
            try await bench.makeDue(made.id, seconds: 10)
            var slow: Task<[Firing], any Error>?
            try await bench.whileFiringStands {
                slow = loopTask { try await store.fireDue(term: term).fired }
                try await bench.awaitWaiting(1, "relation")
                try await other.resign(term: term)
                let next = try #require(try await other.lead(second, limit: .seconds(60)))
                #expect(try await other.fireDue(term: next).fired.isEmpty)
            }
            #expect(try await slow?.value.count == 1)
            #expect(try await other.fireDue().fired.isEmpty)
            #expect(try await store.occurrences(made.id).count == 1)
            await other.shutdown()
        }
    }

    @Test func aRenewalThatLiesAheadSaysNothing() async throws {
        try await withBench { bench in
            let second = try await bench.store.registerHost(Bench.registration("directory-2")).lease
            _ = try #require(try await bench.store.lead(bench.lease, limit: .seconds(60)))
            try await bench.side.execute("UPDATE pawl.holding SET renewed_at = now() + interval '59 seconds'")
            #expect(try await bench.store.lead(second, limit: .seconds(60)) == nil)
            try await bench.side.execute("UPDATE pawl.holding SET renewed_at = now() + interval '1 hour'")
            #expect(try await bench.store.lead(second, limit: .seconds(60)) != nil)
        }
    }

    // MARK: Ends of runs

    @Test func endsOfRunsDoNotWaitForFirings() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(try Bench.after("{\"job\": \"test.noop\"}"))
            _ = try await bench.enqueue(3)
            let claimed = try await bench.claim(3)
            _ = try await store.settle(bench.lease, [claimed[0].settlement(.finish(.succeeded))])
            let other = bench.anotherStore()
            for (index, isByHand) in [(1, false), (2, true)] {
                var firing: Task<Int, any Error>?
                try await bench.whileFiringStands {
                    firing = loopTask {
                        guard isByHand else { return try await other.fireDue().fired.count }
                        return try await other.triggerSchedule(made.id, TriggerChanges()).isNew ? 1 : 0
                    }
                    try await bench.awaitWaiting(1, "relation")
                    let hasSettled = Flag()
                    let settling = loopTask {
                        let answers = try await store.settle(
                            bench.lease, [claimed[index].settlement(.finish(.succeeded))])
                        hasSettled.isUp = true
                        return answers
                    }
                    try await eventually { hasSettled.isUp }
                    if hasSettled.isUp { #expect(try await settling.value == [.applied]) }
                }
                #expect(try await firing?.value == 1)
            }
            await other.shutdown()
            #expect(try await bench.number("SELECT count(*) FROM pawl.schedule_event") == 2)
        }
    }

    @Test func manyEndsFireInFewTransactions() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = try await store.createSchedule(
                try Bench.after("{\"job\": \"test.noop\"}").with { $0.options.everyNth = 2 })
            let timed = try await store.createSchedule(Bench.hourly())
            try await bench.addEvents(made.id, 500)
            try await bench.makeDue(timed.id, seconds: 1)
            let first = try await store.fireDue(slice: .zero)
            #expect(first.fired.first?.scheduleID == timed.id && first.fired.count == 101)
            #expect(try await bench.number("SELECT count(*) FROM pawl.schedule_event") == 300)
            let rest = try await store.fireDue().fired
            #expect(rest.count == 150)
            #expect(Set((first.fired + rest).map(\.plannedAt)).count == 251)
            let after = try await store.schedule(made.id)
            #expect(after.runCount == 250 && after.ordinal == 500 && after.nextAt == nil)
            let events = "SELECT count(DISTINCT event) FROM pawl.schedule_occurrence WHERE source = 'after'"
            #expect(try await bench.number(events) == 250)
        }
    }

    @Test func manyEventsOverlapEachOther() async throws {
        try await withBench { bench in
            let store = bench.store
            for (overlap, runs, blocked) in [(OverlapPolicy.skip, 1, 0), (.queueOne, 2, 1), (.cancelRunning, 1, 0)] {
                let made = try await store.createSchedule(
                    try Bench.after("{\"job\": \"test.noop\"}").with { $0.options.overlap = overlap })
                try await bench.addEvents(made.id, 5)
                let fired = try await store.fireDue().fired
                #expect(fired.count == runs && fired.count(where: \.isKeptBack) == blocked, "\(overlap)")
                #expect(try await store.occurrences(made.id).count { $0.reason == .overlap } == 5 - runs)
            }
        }
    }

    /// What is put off does not hide what others wait for.
    @Test func manyEventsOfOneThatCannotFireHideNobodys() async throws {
        try await withBench { bench in
            let store = bench.store
            let broken = try await store.createSchedule(try Bench.after("{\"job\": \"test.noop\"}"))
            let good = try await store.createSchedule(try Bench.after("{\"job\": \"test.noop\"}"))
            try await bench.addEvents(broken.id, 150, seconds: 60)
            try await bench.side.execute(
                "UPDATE pawl.schedule SET retry_at = now() + interval '1 minute' WHERE id = \(broken.id)")
            try await bench.addEvents(good.id, 1)
            #expect(try await store.fireDue().fired.map(\.scheduleID) == [good.id])
        }
    }

    // MARK: Giving way

    @Test func allThatGoGiveWayAtOnce() async throws {
        try await withBench { bench in
            let store = bench.store
            let input = Bench.hourly()
            let made = try await store.createSchedule(input)
            for ago in [40, 30, 20] {
                try await bench.makeDue(made.id, seconds: ago)
                _ = try await store.fireDue()
            }
            let running = try await bench.claim(2).map(\.id)
            _ = try await store.updateSchedule(
                made.id, Bench.hourly { $0.options.overlap = .terminateRunning }, ifRevision: nil)
            try await bench.makeDue(made.id, seconds: 10)
            #expect(try await store.fireDue().fired.count == 1)
            let signals = try await store.pendingSignals(bench.lease)
            #expect(Set(signals.map(\.runID)) == Set(running) && signals.allSatisfy { $0.action == .terminate })
            let cancelled = "SELECT count(*) FROM pawl.run WHERE cancel_reason = 'its schedule has come again'"
            #expect(try await bench.number(cancelled + " AND state = 'cancelled'") == 1)
            let asked = "SELECT count(*) FROM pawl.run_event WHERE actor = 'schedule'"
            #expect(try await bench.number(asked + " AND kind = 'terminate_requested'") == 2)
        }
    }
}
