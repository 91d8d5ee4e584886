import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// Opaque tokens in the database.
@Suite struct TokenStoreTests {
    private static func token(_ name: String, _ byte: UInt8, expires: WallTime? = nil) -> NewToken {
        NewToken(
            name: name, hash: Array(repeating: byte, count: 32), hint: "pawl_abcd", role: "operator",
            bounds: "{\"queues\":[\"a*\"],\"jobs\":[],\"owners\":[]}", expiresAt: expires)
    }

    @Test func aTokensWholeLife() async throws {
        try await withBench { bench in
            let store = bench.store
            let now = try await store.databaseTime()
            let made = try await store.createToken(Self.token("ci", 1, expires: now), actor: "me")
            #expect(made.expiresAt == now && made.createdBy == "me" && made.lastUsedAt == nil && made.revokedAt == nil)
            #expect(made.bounds["queues"]?.elements?.first?.text == "a*")
            #expect(try await store.token(hash: Array(repeating: 1, count: 32)) == made)
            #expect(try await store.token(hash: Array(repeating: 2, count: 32)) == nil)
            #expect(try await store.token(id: made.id) == made)

            // One that counts has its name alone.
            await #expect(throws: StoreError.self) {
                try await store.createToken(Self.token("ci", 2), actor: "me")
            }
            try await store.touchToken(made.id, from: "10.0.0.1")
            try await store.touchToken(made.id, from: "10.0.0.2")
            let used = try #require(try await store.token(id: made.id))
            #expect(used.lastUsedAt != nil && used.lastUsedFrom == "10.0.0.1", "once a minute")

            #expect(try await store.revokeToken(made.id, actor: "me"))
            #expect(try await !store.revokeToken(made.id, actor: "me"))
            let second = try await store.createToken(Self.token("ci", 2), actor: "me")
            #expect(try await store.tokens().map(\.id) == [second.id])
            #expect(try await store.tokens(withRevoked: true).map(\.id) == [second.id, made.id])
            #expect(
                try await bench.number(
                    "SELECT count(*) FROM pawl.audit WHERE action LIKE 'token.%' AND target = 'ci' AND actor = 'me'")
                    == 3)
        }
    }

    /// Eight hosts replace it at once: each time one of them, and at the end one counts.
    @Test func isReplacedOnceAtATime() async throws {
        try await withBench { bench in
            let store = bench.store
            var id = try await store.createToken(Self.token("ci", 0), actor: "me").id
            for round in 0..<5 {
                let current = id
                let made = await withTaskGroup(of: TokenRotation?.self) { group in
                    for byte in 1...8 {
                        group.addTask {
                            do throws(StoreError) {
                                return try await store.rotateToken(
                                    current, hash: Array(repeating: UInt8(round * 8 + byte), count: 32),
                                    hint: "pawl_abcd", lifetime: nil, grace: .zero, actor: "me")
                            } catch {
                                return nil
                            }
                        }
                    }
                    var all: [TokenRotation] = []
                    for await one in group { if let one { all.append(one) } }
                    return all
                }
                #expect(made.count == 1 && made.first?.old.id == current && made.first?.old.revokedAt != nil)
                id = try #require(made.first).new.id
            }
            #expect(try await store.tokens().map(\.id) == [id])
            #expect(try await store.tokens(withRevoked: true).count == 6)
            #expect(try await bench.number("SELECT count(*) FROM pawl.audit WHERE action = 'token.rotate'") == 5)
        }
    }

    /// - Returns: how many of eight hosts could make it.
    private static func makeAtOnce(_ store: JobStore) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            for byte in 1...8 {
                group.addTask {
                    do throws(StoreError) {
                        _ = try await store.createToken(token("one", UInt8(byte)), actor: "me")
                        return true
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    @Test func namesAreTakenOnceHoweverManyAsk() async throws {
        try await withBench { bench in
            let store = bench.store
            let made = await Self.makeAtOnce(store)
            #expect(made == 1)
            let kept = try await store.tokens()
            #expect(kept.count == 1)
        }
    }
}
