import JobCore
import Postgres
import Testing
import UVLoop

@testable import JobStore

@Suite struct EmergencyTests {
    @Test func nothingIsClaimedUntilItIsLifted() async throws {
        try await withBench { bench in
            let store = bench.store
            // It has not looked since, as another host would not have.
            let other = bench.anotherStore()
            let lease = try await other.registerHost(Bench.registration("directory-2")).lease
            for mode in [EmergencyMode.pauseQueues, .terminateAll] {
                let ids = try await bench.enqueue(4)
                let first = try await bench.claim(1)
                let declared = try await store.declare(mode, reason: "a fire", actor: "me")
                #expect(declared.isNew)
                // With what the other host has run since the first of them was lifted.
                #expect(declared.ended.count == (mode == .terminateAll ? 4 : 0))
                #expect(store.emergency[mode]?.reason == "a fire" && store.emergency[mode]?.actor == "me")
                #expect(try await bench.claim(10).isEmpty)
                #expect(!other.emergency.isOn)
                #expect(try await other.claim(lease, ClaimRequest(limit: 10)).isEmpty)
                try await other.lookForEmergency()
                #expect(other.emergency.haltsClaims)
                // What runs goes on to its end.
                #expect(
                    try await store.settle(bench.lease, [first[0].settlement(.finish(.succeeded))]) == [.applied])
                #expect(try await store.declare(mode, reason: "again", actor: nil).isNew == false)
                #expect(store.emergency[mode]?.reason == "a fire")
                #expect(try await store.lift([mode], reason: "out", actor: "me") == [mode])
                #expect(try await store.lift([mode], reason: nil, actor: nil) == [])
                #expect(try await other.lookForEmergency())
                #expect(try await other.claim(lease, ClaimRequest(limit: 10)).map(\.id) == Array(ids.dropFirst()))
            }
            let audit = "SELECT count(*) FROM pawl.audit WHERE action LIKE 'emergency.%' AND actor = 'me'"
            #expect(try await bench.number(audit) == 4)
            await other.shutdown()
        }
    }

    /// A host that has not looked yet asks; one that has does not.
    @Test func beforeTheFirstLookTheDatabaseIsAsked() async throws {
        try await withBench { bench in
            _ = try await bench.store.declare(.refuseNew, reason: "a fire", actor: nil)
            let other = bench.anotherStore()
            #expect(!other.emergency.isOn)
            #expect(try await other.order(.refuseNew)?.reason == "a fire")
            _ = try await bench.store.lift([.refuseNew], reason: nil, actor: nil)
            #expect(try await other.order(.refuseNew) != nil)
            try await other.lookForEmergency()
            #expect(try await other.order(.refuseNew) == nil)
            await other.shutdown()
        }
    }

    /// A look that began before something was declared may end after it.
    @Test func anOlderLookDoesNotCount() {
        var looks = LookOrder()
        #expect(!looks.hasTaken)
        let (first, second, third) = (looks.begin(), looks.begin(), looks.begin())
        #expect(looks.takes(second) && looks.hasTaken)
        #expect(!looks.takes(first) && !looks.takes(second) && looks.takes(third))
    }

    /// They are claimed by another statement.
    @Test func limitedQueuesObeyToo() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.limitQueue("default", ConcurrencyPatch(everywhere: .some(50)))
            let other = bench.anotherStore()
            let lease = try await other.registerHost(Bench.registration("directory-2")).lease
            _ = try await bench.enqueue(3)
            #expect(try await other.claim(lease, ClaimRequest(limit: 1)).count == 1)
            _ = try await store.declare(.pauseQueues, reason: "a fire", actor: nil)
            #expect(try await other.claim(lease, ClaimRequest(limit: 10)).isEmpty && !other.emergency.isOn)
            _ = try await store.lift([.pauseQueues], reason: nil, actor: nil)
            other.lanes.woken(queue: "*")
            #expect(try await other.claim(lease, ClaimRequest(limit: 10)).count == 2)
            await other.shutdown()
        }
    }

    @Test func everythingThatRunsIsToldToEnd() async throws {
        try await withBench { bench in
            let store = bench.store
            var signals: [HostSignal] = []
            try await store.listen(
                host: bench.lease.id, onWake: { _ in }, onSignal: { signals.append($0) }, onReconnect: {})
            let ids = try await bench.enqueue(20)
            _ = try await bench.claim(20)
            #expect(try await store.declare(.terminateAll, reason: "now", actor: "me").ended.count == 20)
            try await eventually { signals.count == 20 }
            #expect(Set(signals.map(\.runID)) == Set(ids) && signals.allSatisfy { $0.action == .terminate })
            #expect(try await store.pendingSignals(bench.lease).count == 20)
            #expect(try await store.declare(.terminateAll, reason: "now", actor: "me").ended.isEmpty)
        }
    }

    @Test func noScheduleFiresAndApplicationsAreRefused() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.createSchedule(
                ScheduleInput(
                    job: "test.noop", spec: .interval(every: .seconds(86_400), anchor: WallTime(micros: 0)),
                    timezone: "UTC"
                ))
            try await bench.side.execute("UPDATE pawl.schedule SET next_at = now() - interval '1 second'")
            _ = try await store.declare(.stopScheduling, reason: "a flood", actor: nil)
            #expect(try await store.fireDue().fired.isEmpty)
            let ask = PGStatement(name: "t_ask", sql: "SELECT pawl.enqueue('test.noop')")
            _ = try await bench.side.query(ask)
            _ = try await store.declare(.refuseNew, reason: "we move", actor: nil)
            do {
                _ = try await bench.side.query(ask)
                Issue.record("it was taken")
            } catch let error as PostgresError {
                #expect(error.sqlState == SQLState("55000") && error.message.contains("we move"))
            }
            #expect(store.emergency.orders.map(\.mode) == [.refuseNew, .stopScheduling])
            #expect(!store.emergency.haltsClaims)
            _ = try await store.lift(Set(EmergencyMode.allCases), reason: nil, actor: nil)
            #expect(try await store.fireDue().fired.count == 1)
            _ = try await bench.side.query(ask)
        }
    }
}
