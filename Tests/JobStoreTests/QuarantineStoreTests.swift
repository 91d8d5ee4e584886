import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct QuarantineStoreTests {
    private static let version = String(repeating: "b", count: 64)

    private static func row(_ level: Int, since: WallTime) -> QuarantineRow {
        QuarantineRow(
            handler: "test.noop", version: version, since: since, until: since, level: level, crashes: 5, attempts: 6,
            reason: "5 of its last 6 attempts crashed")
    }

    @Test func aQuarantinesWholeLife() async throws {
        try await withBench { bench in
            let store = bench.store
            let now = try await store.databaseTime()
            try await store.recordQuarantine(Self.row(1, since: now), pause: .seconds(60))
            let first = try #require(try await store.quarantines().first)
            #expect(
                first.level == 1 && first.since == now && first.crashes == 5 && first.attempts == 6 && !first.isTried)
            #expect(first.until > now.advanced(by: .seconds(59)) && first.until < now.advanced(by: .seconds(90)))
            // Another host says the same, and then one says less: the longest holds.
            try await store.recordQuarantine(Self.row(2, since: now), pause: .seconds(120))
            try await store.recordQuarantine(Self.row(1, since: now), pause: .seconds(60))
            let second = try #require(try await store.quarantines().first)
            #expect(try await store.quarantines().count == 1)
            #expect(second.level == 2 && second.until > first.until && second.since == now)
            #expect(try await store.liftQuarantine(handler: "test.noop", version: Self.version, actor: "me"))
            #expect(try await !store.liftQuarantine(handler: "test.noop", version: Self.version, actor: "me"))
            #expect(try await store.quarantines().isEmpty)
            #expect(
                try await bench.number(
                    "SELECT count(*) FROM pawl.audit WHERE action = 'quarantine.lift' AND actor = 'me'") == 1)
        }
    }

    @Test func oneHostAtATimeTries() async throws {
        try await withBench { bench in
            let store = bench.store
            let now = try await store.databaseTime()
            let second = try await store.registerHost(Bench.registration("directory-2")).lease
            func take(_ lease: HostLease) async throws -> Bool {
                try await store.takeTrial(lease, handler: "test.noop", version: Self.version)
            }
            #expect(try await !take(bench.lease))
            try await store.recordQuarantine(Self.row(1, since: now), pause: .seconds(60))
            #expect(try await !take(bench.lease), "the pause is not over")
            try await bench.side.execute("UPDATE pawl.quarantine SET until = now()")
            #expect(try await take(bench.lease))
            #expect(try await take(bench.lease), "its own right is its own")
            #expect(try await !take(second))
            #expect(try await store.quarantines().first?.isTried == true)
            // A trial that crashed gives the right back.
            try await store.recordQuarantine(Self.row(2, since: now), pause: .milliseconds(1))
            try await eventually { try await take(second) }
            #expect(try await !take(bench.lease))
            // Its host is gone: another may.
            try await store.hostStopped(second)
            #expect(try await take(bench.lease))
        }
    }
}
