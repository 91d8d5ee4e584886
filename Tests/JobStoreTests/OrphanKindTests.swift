import JobCore
import Postgres
import Testing
import UVLoop

@testable import JobStore

/// Every kind that the database knows, and beside each one that lives.
@Suite struct OrphanKindTests {
    @Test func thePlanIsTheEffectAndNothingLivingIsTouched() async throws {
        try await withBench { bench in
            let store = bench.store
            let gone = bench.anotherStore()
            let lease = try await gone.registerHost(Bench.registration("directory-2")).lease
            // Runs of a host that is gone, one of them lost too often; and one of a host that lives.
            let lost = try await bench.enqueue(3)
            _ = try await gone.claim(lease, ClaimRequest(limit: 3))
            let alive = try await bench.enqueue(1)
            _ = try await bench.claim(1)
            // Waiting runs and a schedule of a job that is gone, and of one that is there.
            _ = try await store.createJob(JobDefinition(name: "mine", handler: "test.noop"))
            let jobless = try await bench.enqueue(2, job: "mine")
            let waiting = try await bench.enqueue(1)
            var schedules: [Int64] = []
            for job in ["mine", "mine", "test.noop"] {
                schedules.append(
                    try await store.createSchedule(
                        ScheduleInput(
                            job: job, spec: .interval(every: .seconds(60), anchor: WallTime(micros: 0)), timezone: "UTC"
                        )
                    ).id)
            }
            // The queue of the host that is gone, and that of one that lives.
            _ = try await store.setExclusive(queue: "theirs", true)
            _ = try await gone.takeHoldings(lease, roles: [])
            _ = try await store.setExclusive(queue: "ours", true)
            _ = try await store.takeHoldings(bench.lease)
            // As a database is that was put back from a copy of two times.
            try await bench.side.execute(
                """
                SET session_replication_role = replica;
                DELETE FROM pawl.job WHERE name = 'mine';
                RESET session_replication_role;
                UPDATE pawl.host SET state = 'stopped', stopped_at = now() WHERE id = \(lease.id.rawValue);
                UPDATE pawl.run_live SET lost_count = \(RetryDecision.lostBound - 1) WHERE id = \(lost[2].rawValue);
                """)
            let plan = try await store.orphans()
            let names = Dictionary(grouping: plan, by: \.kind).mapValues { Set($0.map(\.name)) }
            #expect(names[.runWithoutProcess] == Set(lost.map(\.description)))
            #expect(names[.runWithoutJob] == Set(jobless.map(\.description)))
            #expect(names[.scheduleWithoutJob] == Set(schedules.dropLast().map { "\($0)" }))
            #expect(names[.holdingWithoutHost] == ["queue theirs"])
            #expect(Set(names.keys) == Set(OrphanKind.allCases.filter(\.isShared)))

            // One of them is changed between the plan and the deed: it is another thing now.
            try await bench.side.execute("UPDATE pawl.schedule SET revision = revision + 1 WHERE id = \(schedules[1])")
            let done = try await store.clean(plan)
            let expected = plan.filter { $0.kind != .scheduleWithoutJob || $0.name == "\(schedules[0])" }
            #expect(done == Set(expected.map(\.key)))
            #expect(try await store.run(lost[0])?.state == .queued)
            #expect(try await store.run(lost[1])?.outcome == .lost)
            #expect(try await store.run(lost[2])?.state == .failed)
            for id in jobless { #expect(try await store.run(id)?.state == .cancelled) }
            #expect(try await store.run(alive[0])?.state == .running)
            #expect(try await store.run(waiting[0])?.state == .queued)
            let left = "SELECT count(*) FROM pawl.schedule WHERE id IN (\(schedules[1]), \(schedules[2]))"
            #expect(try await bench.number(left) == 2)
            let held = try await store.holdings()
            #expect(held.filter { $0.holder != nil }.allSatisfy { $0.isHeld(by: bench.lease) })
            #expect(held.contains { $0.subject == .queue("ours") && $0.isHeld(by: bench.lease) })
            // A second time there is the one that was changed, and then nothing.
            let second = try await store.orphans()
            #expect(second.map(\.name) == ["\(schedules[1])"])
            #expect(try await store.clean(plan).isEmpty)
            #expect(try await store.clean(second).count == 1)
            #expect(try await store.orphans().isEmpty)
            let negative = "SELECT count(*) FROM pawl.run_counter WHERE n < 0"
            _ = try await store.maintain(isForced: true)
            #expect(try await bench.number(negative) == 0)
            await gone.shutdown()
        }
    }

    /// Its job comes back between the plan and the deed.
    @Test func whoseJobIsBackIsLeftAlone() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.createJob(JobDefinition(name: "mine", handler: "test.noop"))
            let ids = try await bench.enqueue(3, job: "mine")
            try await bench.side.execute(
                """
                SET session_replication_role = replica;
                DELETE FROM pawl.job WHERE name = 'mine';
                RESET session_replication_role;
                """)
            let plan = try await store.orphans()
            #expect(Set(plan.map(\.name)) == Set(ids.map(\.description)))
            _ = try await store.createJob(JobDefinition(name: "mine", handler: "test.noop"))
            #expect(try await store.clean(plan).isEmpty)
            for id in ids { #expect(try await store.run(id)?.state == .queued) }
        }
    }

    @Test func whatLivesAgainIsLeftAlone() async throws {
        try await withBench { bench in
            let store = bench.store
            let ids = try await bench.enqueue(2)
            _ = try await bench.claim(2)
            try await bench.side.execute("UPDATE pawl.host SET state = 'stopped' WHERE id = \(bench.lease.id.rawValue)")
            let plan = try await store.orphans()
            #expect(plan.map(\.name) == ids.map(\.description))
            try await bench.side.execute("UPDATE pawl.host SET state = 'running' WHERE id = \(bench.lease.id.rawValue)")
            #expect(try await store.clean(plan).isEmpty)
            #expect(try await store.run(ids[0])?.state == .running)
            #expect(try await store.orphans().isEmpty)
        }
    }
}
