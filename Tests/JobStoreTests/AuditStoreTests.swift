import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// What is done and its row in the audit are one.
@Suite struct AuditStoreTests {
    /// Where no row can be written, nothing is done either.
    @Test func withoutARowNothingIsDone() async throws {
        try await withBench { bench in
            let store = bench.store
            let ids = try await bench.enqueue(3, queue: "mail")
            let late = try await store.enqueue(
                NewRun(job: "test.noop", runAt: try await store.databaseTime().advanced(by: .seconds(3600))))
            _ = try await store.pause(.queue("paused"), actor: "me")
            _ = try await store.pause(.job("test.sleep"), actor: "me")
            let token = try await store.createToken(
                NewToken(
                    name: "ci", hash: Array(repeating: 1, count: 32), hint: "pawl_", role: "viewer", bounds: "{}",
                    expiresAt: nil), actor: "me")
            _ = try await store.requestCancel(ids[2], reason: nil)
            let now = try await store.databaseTime()
            try await store.recordQuarantine(
                QuarantineRow(
                    handler: "test.noop", version: "v1", since: now, until: now, level: 1, crashes: 5, attempts: 5,
                    reason: "it crashes", plugin: nil, label: nil, isTried: false), pause: .seconds(3600))
            try await bench.side.execute(
                """
                CREATE FUNCTION pawl.test_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON pawl.audit FOR EACH ROW EXECUTE FUNCTION pawl.test_refuse();
                """)
            func picture() async throws -> String {
                var parts: [String] = []
                for table in ["queue", "job", "run_live", "run", "token", "quarantine", "safety_policy", "emergency"] {
                    let hash = try await bench.number(
                        "SELECT coalesce(sum(hashtextextended(t::text, 0) / 1000), 0)::bigint FROM pawl.\(table) t")
                    parts.append("\(table) \(hash)")
                }
                return parts.joined(separator: " ")
            }
            let before = try await picture()
            let actions: [(String, @LoopActor (JobStore) async throws -> Void)] = [
                ("pause", { _ = try await $0.pause(.queue("mail"), actor: "me") }),
                ("drain", { _ = try await $0.pause(.job("test.noop"), isDrain: true, actor: "me") }),
                ("resume", { _ = try await $0.resume(.queue("paused"), actor: "me") }),
                ("resume job", { _ = try await $0.resume(.job("test.sleep"), actor: "me") }),
                ("limit", { _ = try await $0.limitQueue("mail", ConcurrencyPatch(everywhere: 3), actor: "me") }),
                ("exclusive", { _ = try await $0.setExclusive(queue: "mail", true, actor: "me") }),
                ("change", { _ = try await $0.change(ids[0], RunChanges(priority: 7), actor: "me") }),
                ("hurry", { try await $0.hurry(late.id, actor: "me") }),
                ("remove", { try await $0.remove(ids[2], actor: "me") }),
                ("lift", { _ = try await $0.liftQuarantine(handler: "test.noop", version: "v1", actor: "me") }),
                (
                    "rotate",
                    {
                        _ = try await $0.rotateToken(
                            token.id, hash: Array(repeating: 2, count: 32), hint: "pawl_", lifetime: nil, grace: .zero,
                            actor: "me")
                    }
                ),
                ("revoke", { _ = try await $0.revokeToken(token.id, actor: "me") }),
                (
                    "policy",
                    { _ = try await $0.setSafetyPolicy(SafetyPolicy(mode: .off), ifRevision: nil, actor: "me") }
                ),
                ("emergency", { _ = try await $0.declare(.refuseNew, reason: "a fire", actor: "me") }),
            ]
            for (name, act) in actions {
                var hasThrown = false
                do { try await act(store) } catch { hasThrown = true }
                #expect(hasThrown, "\(name)")
                #expect(try await picture() == before, "\(name)")
            }
            try await bench.side.execute("DROP TRIGGER refuse ON pawl.audit")
            let rows = try await bench.number("SELECT count(*) FROM pawl.audit")
            // The rotated one is revoked already.
            for (name, act) in actions where name != "revoke" { try await act(store) }
            #expect(try await bench.number("SELECT count(*) FROM pawl.audit") == rows + Int64(actions.count) - 1)
        }
    }
}
