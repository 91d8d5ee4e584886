import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// Args of requests against what their job's handler declares.
@Suite struct ArgsSchemaTests {
    private static let schema = """
        {"type":"object","properties":{"path":{"type":"string"},"n":{"type":"integer","minimum":1}},\
        "required":["path"],"additionalProperties":false}
        """

    @LoopActor
    private func declare(_ bench: Bench, _ schema: String?, by store: JobStore? = nil) async throws {
        try await (store ?? bench.store).registerHandlers(
            plugin: "test", [JobUpsert(handler: "test.noop", argsSchema: schema)])
    }

    @LoopActor
    private func faults(_ store: JobStore, _ args: String) async throws -> [FieldFault] {
        do throws(StoreError) {
            _ = try await store.enqueue(NewRun(job: "test.noop", args: args))
            return []
        } catch {
            guard case .invalidArgs(let faults) = error else { throw error }
            return faults
        }
    }

    @Test func argsThatDoNotFitAreRefusedWithPointers() async throws {
        try await withBench { bench in
            try await declare(bench, Self.schema)
            #expect(try await faults(bench.store, "{\"path\":\"/x\",\"n\":3}").isEmpty)
            let found = try await faults(bench.store, "{\"n\":0,\"more\":true}")
            #expect(Set(found.map(\.pointer)) == ["/args/path", "/args/n", "/args/more"])
            #expect(Set(found.map(\.code)) == ["required", "minimum", "additionalProperties"])
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 1)
        }
    }

    @Test func ofABatchOnlyTheBadOnes() async throws {
        try await withBench { bench in
            try await declare(bench, Self.schema)
            let answers = try await bench.store.enqueue(batch: [
                NewRun(job: "test.noop", args: "{\"path\":\"a\"}"), NewRun(job: "test.noop", args: "{}"),
                NewRun(job: "no.such", args: "{}"), NewRun(job: "test.sleep", args: "{\"whatever\":1}"),
            ])
            let words = answers.map { answer -> String in
                switch answer {
                case .success: "taken"
                case .failure(.invalidArgs(let faults)): faults.map(\.pointer).joined(separator: " ")
                case .failure(.notFound): "unknown"
                case .failure(let error): "\(error)"
                }
            }
            #expect(words == ["taken", "/args/path", "unknown", "taken"])
        }
    }

    @Test func schedulesAndRepetitionsToo() async throws {
        try await withBench { bench in
            let id = try await bench.store.enqueue(NewRun(job: "test.noop", args: "{}")).id
            let run = try await bench.claim(1)[0]
            _ = try await bench.store.settle(bench.lease, [run.settlement(.finish(.failed), .error)])
            try await declare(bench, Self.schema)
            let spec = ScheduleSpec.interval(every: .seconds(60), anchor: WallTime(micros: 0))
            await #expect(throws: StoreError.self) {
                try await bench.store.createSchedule(ScheduleInput(job: "test.noop", spec: spec, args: "{}"))
            }
            let schedule = try await bench.store.createSchedule(
                ScheduleInput(job: "test.noop", spec: spec, args: "{\"path\":\"a\"}", queueTime: .seconds(9)))
            #expect(schedule.input.queueTime == .seconds(9))
            var changed = schedule.input
            changed.args = "{\"path\":1}"
            let bad = changed
            await #expect(throws: StoreError.self) {
                try await bench.store.updateSchedule(schedule.id, bad, ifRevision: nil)
            }
            await #expect(throws: StoreError.self) { try await bench.store.retry(id, RetryChanges()) }
            let again = try await bench.store.retry(
                id, RetryChanges(queueTime: .seconds(600), dataOverrides: "{\"path\":\"a\"}"))
            let expiry = try #require(try await bench.store.run(again.id)?.expiresAt)
            let runAt = try #require(try await bench.store.run(again.id)?.runAt)
            #expect(expiry - runAt == .seconds(600))
        }
    }

    /// What an application puts in itself is not looked at: it happens in its session.
    @Test func theSQLFunctionDoesNotCheck() async throws {
        try await withBench { bench in
            try await declare(bench, Self.schema)
            try await bench.side.execute("SELECT pawl.enqueue('test.noop', '{}')")
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 1)
        }
    }

    /// A new version's schema counts at once where it is registered, and a moment later elsewhere.
    @Test func aNewSchemaCountsEverywhere() async throws {
        try await withBench { bench in
            let other = bench.anotherStore()
            try await other.listen(
                host: HostID(78), onWake: { _ in }, onSignal: { _ in }, onPlugin: { _ in }, onReconnect: {})
            #expect(try await faults(other, "{}").isEmpty)
            try await declare(bench, Self.schema)
            #expect(try await faults(bench.store, "{}").count == 1)
            try await eventually { try await !faults(other, "{}").isEmpty }
            try await declare(bench, nil, by: other)
            #expect(try await faults(other, "{}").isEmpty)
            await other.shutdown()
        }
    }

    @Test func aSchemaThatNobodyCanReadRefusesNothing() async throws {
        try await withBench { bench in
            try await declare(bench, "{\"type\":\"nonsense\"}")
            #expect(try await faults(bench.store, "{}").isEmpty)
        }
    }
}
