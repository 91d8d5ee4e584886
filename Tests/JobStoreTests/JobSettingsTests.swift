import JobCore
import JobStore
import Testing
import UVLoop

@Suite struct JobSettingsTests {
    @Test func aPatchMergesAndCounts() async throws {
        try await withBench { bench in
            let store = bench.store
            let before = try await store.job("test.noop")
            let body = try JSONValue(
                parsing: """
                    {"limits": {"wall_ms": 5000, "memory_bytes": 1048576}, "execution": {"mode": "pool", "niceness": 3},
                     "attempts": 7, "backoff": {"type": "fixed", "delay_ms": 10}, "priority": -4, "queue": "slow",
                     "retention_days": 7}
                    """)
            guard
                case .changed(let job) = try await store.patchJob(
                    "test.noop", try JobPatch(body), ifRevision: before.revision, actor: "me")
            else {
                Issue.record("the patch was not taken")
                return
            }
            #expect(job.revision == before.revision + 1 && job.limits.wall == .seconds(5))
            #expect(job.limits.memoryBytes == 1 << 20 && job.execution.mode == .pool && job.execution.niceness == 3)
            #expect(job.attempts == 7 && job.backoff?.kind == .fixed && job.priority == -4 && job.queue == "slow")
            #expect(job.retentionDays == 7 && job.updatedAt > before.updatedAt)

            // Null takes back, what is not named stays.
            let second = try JSONValue(
                parsing:
                    #"{"limits": {"wall_ms": null, "cpu_ms": 9}, "execution": {"mode": null}, "attempts": null, "backoff": null}"#
            )
            guard
                case .changed(let again) = try await store.patchJob(
                    "test.noop", try JobPatch(second), ifRevision: job.revision)
            else {
                Issue.record("the second patch was not taken")
                return
            }
            #expect(again.limits == Limits(cpu: .milliseconds(9), memoryBytes: 1 << 20))
            #expect(again.execution.mode == nil && again.execution.niceness == 3)
            #expect(
                again.attempts == nil && again.backoff == nil && again.queue == "slow"
                    && again.revision == job.revision + 1)

            guard
                case .mismatch(let now) = try await store.patchJob(
                    "test.noop", JobPatch(priority: 1), ifRevision: job.revision)
            else {
                Issue.record("an old revision was accepted")
                return
            }
            #expect(now == again.revision)
            #expect(try await store.job("test.noop").priority == -4)
            guard case .notFound = try await store.patchJob("no.such", JobPatch(priority: 1), ifRevision: nil) else {
                Issue.record("an unknown job was patched")
                return
            }
            let audited = "SELECT count(*) FROM pawl.audit WHERE action = 'job.settings' AND target = 'test.noop'"
            #expect(try await bench.number(audited) == 2)
            #expect(try await bench.number("\(audited) AND actor = 'me'") == 1)
        }
    }

    /// The operator's word over the handler's, and both reach whoever claims.
    @Test func aClaimCarriesThem() async throws {
        try await withBench { bench in
            let store = bench.store
            var wanted = ExecutionSettings()
            wanted.mode = .spawn
            wanted.sandbox = .strict
            wanted.readPaths = ["/srv/data"]
            try await store.registerHandlers(plugin: "test", [JobUpsert(handler: "test.noop", execution: wanted)])
            _ = try await bench.enqueue(1)
            let plain = try await bench.claim(1)[0]
            #expect(plain.execution == wanted.resolved)
            let patch = JobPatch(
                limits: ["no_progress_ms": 5], execution: .object([JSONMember("mode", .string("spare"))]),
                retentionDays: 1)
            _ = try await store.patchJob("test.noop", patch, ifRevision: nil)
            // Registering again, as each start does, takes nothing from the operator.
            try await store.registerHandlers(plugin: "test", [JobUpsert(handler: "test.noop", execution: wanted)])
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            wanted.mode = .spare
            #expect(run.execution == wanted.resolved && run.limits.noProgress == .milliseconds(5))
            let job = try await store.job("test.noop")
            #expect(job.handlerExecution.mode == .spawn && job.execution.mode == .spare)
            #expect(try await store.run(run.id)?.retentionDays == 1)
        }
    }

    @Test(arguments: [
        (#"{"limits": {"wall_ms": 0}}"#, "/limits/wall_ms"), (#"{"limits": {"wall_ms": "x"}}"#, "/limits/wall_ms"),
        (#"{"limits": {"wall": 5}}"#, "/limits/wall"), (#"{"limits": {"attempts": 5}}"#, "/limits/attempts"),
        (#"{"limits": {"queue_ms": 9000000000000000000}}"#, "/limits/queue_ms"), (#"{"limits": 3}"#, "/limits"),
        (#"{"execution": {"mode": "thread"}}"#, "/execution/mode"), (#"{"execution": []}"#, "/execution"),
        (#"{"execution": {"read_paths": ["a"]}}"#, "/execution/read_paths/0"),
        (#"{"execution": {"colour": 1}}"#, "/execution/colour"), (#"{"attempts": 0}"#, "/attempts"),
        (#"{"attempts": "many"}"#, "/attempts"), (#"{"priority": 9999999}"#, "/priority"),
        (#"{"queue": ""}"#, "/queue"),
        (#"{"queue": 1}"#, "/queue"), (#"{"retention_days": 8}"#, "/retention_days"),
        (#"{"backoff": {"type": "sometimes"}}"#, "/backoff/type"), (#"{"handler": "x"}"#, "/handler"), ("[]", ""),
    ])
    func whatIsRefusedSaysWhere(_ body: String, _ pointer: String) async throws {
        try await withBench { bench in
            let before = try await bench.store.job("test.noop")
            do {
                let patch = try JobPatch(try JSONValue(parsing: body))
                let answer = try await bench.store.patchJob("test.noop", patch, ifRevision: nil)
                Issue.record("\(body) was answered by \(answer)")
            } catch let fault as FieldFault {
                #expect(fault.pointer == pointer)
            } catch {
                guard case .invalid(let fault)? = error as? StoreError else { throw error }
                #expect(fault.pointer == pointer)
            }
            #expect(try await bench.store.job("test.noop") == before)
        }
    }
}
