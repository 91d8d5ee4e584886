import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// Jobs that somebody defines over handlers.
@Suite struct JobDefinitionTests {
    private static let schema = #"{"type": "object", "required": ["n"]}"#

    private func refusal(_ body: () async throws -> Void) async throws -> StoreError? {
        do {
            try await body()
            return nil
        } catch let error as StoreError {
            return error
        }
    }

    @Test func itHasItsHandlersSideAndItsOwn() async throws {
        try await withBench { bench in
            let store = bench.store
            var wanted = ExecutionSettings()
            wanted.mode = .spawn
            let handler = JobUpsert(
                handler: "test.noop", description: "Does nothing.", argsSchema: Self.schema,
                limits: Limits(wall: .seconds(9), attempts: 5), execution: wanted)
            try await store.registerHandlers(plugin: "test", [handler])
            let made = try await store.createJob(
                JobDefinition(
                    name: "bulk-operation", handler: "test.noop",
                    settings: JobPatch(limits: ["memory_bytes": 1 << 20], queue: "slow")), actor: "me")
            #expect(made.handler == "test.noop" && made.plugin == "test" && made.isDefined)
            #expect(made.description == "Does nothing." && made.argsSchema == Self.schema)
            #expect(made.handlerLimits.wall == .seconds(9) && made.limits == Limits(memoryBytes: 1 << 20))
            #expect(made.handlerExecution.mode == .spawn && made.queue == "slow")
            #expect(try await !store.job("test.noop").isDefined)
            let audited = "SELECT count(*) FROM pawl.audit WHERE action = 'job.create' AND actor = 'me'"
            #expect(try await bench.number(audited) == 1)
            // Args are held against the handler's schema, and the claim says who runs them.
            guard
                case .invalidArgs = try await refusal({
                    _ = try await store.enqueue(NewRun(job: "bulk-operation", args: "{}"))
                })
            else {
                Issue.record("args that do not fit were taken")
                return
            }
            let id = try await store.enqueue(NewRun(job: "bulk-operation", args: #"{"n":1}"#)).id
            let run = try await bench.claim(1)[0]
            #expect(run.id == id && run.job == "bulk-operation" && run.handler == "test.noop" && run.queue == "slow")
            #expect(run.maxAttempts == 5)
            #expect(run.execution.mode == .spawn)
        }
    }

    @Test func whatCannotBeMadeIsRefusedInWords() async throws {
        try await withBench { bench in
            let store = bench.store
            for name in ["", "Upper", "a b", "-dash", "a/b", String(repeating: "a", count: 121)] {
                guard
                    case .invalid(let fault) = try await refusal({
                        _ = try await store.createJob(JobDefinition(name: name, handler: "test.noop"))
                    })
                else {
                    Issue.record("\(name) was taken")
                    continue
                }
                #expect(fault.pointer == "/name")
            }
            guard
                case .notFound(let what, let id, let near) = try await refusal({
                    _ = try await store.createJob(JobDefinition(name: "x", handler: "test.nop"))
                })
            else {
                Issue.record("an unknown handler was taken")
                return
            }
            #expect(what == "handler" && id == "test.nop" && near.contains("test.noop"))
            guard
                case .invalid(let fault) = try await refusal({
                    _ = try await store.createJob(
                        JobDefinition(name: "x", handler: "test.noop", settings: JobPatch(limits: ["wall_ms": 0])))
                })
            else {
                Issue.record("a limit of nothing was taken")
                return
            }
            #expect(fault.pointer == "/settings/limits/wall_ms")
            // Settings that are only found out while they are merged leave no job behind.
            guard
                case .invalid(let late) = try await refusal({
                    _ = try await store.createJob(
                        JobDefinition(
                            name: "x", handler: "test.noop",
                            settings: JobPatch(execution: .object([JSONMember("mode", .string("no such"))]))))
                })
            else {
                Issue.record("an unknown mode was taken")
                return
            }
            #expect(late.pointer == "/settings/execution/mode")
            #expect(try await store.jobs().allSatisfy { $0.name != "x" })
            _ = try await store.createJob(JobDefinition(name: "x", handler: "test.noop"))
            for taken in ["x", "test.sleep"] {
                guard
                    case .conflict("job_exists", _, _) = try await refusal({
                        _ = try await store.createJob(JobDefinition(name: taken, handler: "test.noop"))
                    })
                else {
                    Issue.record("\(taken) was taken twice")
                    continue
                }
            }
        }
    }

    /// A new version of the plugin changes what its handler declares, and nothing else; a removed plugin removes nothing.
    @Test func registrationsFollowTheHandlerAndKeepTheOperatorsWord() async throws {
        try await withBench { bench in
            let store = bench.store
            let patch = JobPatch(limits: ["wall_ms": 5000], priority: 7, retentionDays: 7)
            _ = try await store.createJob(
                JobDefinition(name: "mine", handler: "test.noop", description: "my words", settings: patch))
            _ = try await store.createJob(JobDefinition(name: "other", handler: "test.sleep"))
            // So that this name, which is also a handler's, belongs to somebody already.
            _ = try await store.createJob(JobDefinition(name: "late.handler", handler: "test.sleep"))
            let before = try await store.job("mine")
            let next = JobUpsert(
                handler: "test.noop", description: "New words.", argsSchema: Self.schema,
                limits: Limits(wall: .seconds(1), attempts: 2))
            try await store.registerHandlers(plugin: "second", [next, JobUpsert(handler: "late.handler")])
            let after = try await store.job("mine")
            #expect(
                after.plugin == "second" && after.argsSchema == Self.schema && after.handlerLimits.wall == .seconds(1))
            #expect(after.description == "my words" && after.limits == Limits(wall: .seconds(5)))
            #expect(after.priority == 7 && after.retentionDays == 7 && after.revision == before.revision)
            #expect(try await store.job("test.noop").description == "New words.")
            #expect(try await store.job("other").argsSchema == nil)
            let kept = try await store.job("late.handler")
            #expect(kept.handler == "test.sleep" && kept.plugin == "test")
            // The contract check finds what waits for a handler under every name.
            _ = try await store.enqueue(NewRun(job: "mine", args: #"{"n":1}"#))
            _ = try await store.createSchedule(
                ScheduleInput(
                    job: "mine", spec: .interval(every: .seconds(3600), anchor: WallTime(micros: 0)),
                    args: #"{"n":2}"#))
            let work = try await store.waitingWork(handlers: ["test.noop"])
            #expect(work.contains(WaitingWork(handler: "test.noop", job: "mine", runs: 1, schedules: 1)))
        }
    }

    @Test func removalSaysWhatHangsOnIt() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.createJob(JobDefinition(name: "mine", handler: "test.noop"))
            let revision = try await store.job("mine").revision
            let waiting = try await bench.enqueue(3, job: "mine")
            let later = try await store.enqueue(NewRun(job: "mine", delay: .seconds(3600))).id
            let schedule = try await store.createSchedule(
                ScheduleInput(job: "mine", spec: .interval(every: .seconds(3600), anchor: WallTime(micros: 0))))
            let other = try await bench.enqueue(1)
            let use = try await store.useOfJob("mine")
            #expect(use.waiting == 4 && use.schedules == 1 && use.running == 0 && use.isDefined && !use.isServed)
            func refused(_ code: String, cascade: Bool) async throws {
                guard
                    case .conflict(let found, _, _) = try await refusal({
                        _ = try await store.removeJob("mine", ifRevision: nil, cascade: cascade)
                    })
                else {
                    Issue.record("it was removed")
                    return
                }
                #expect(found == code)
            }
            try await refused("job_in_use", cascade: false)
            let claimed = try await bench.claim(1)
            #expect(claimed.map(\.id) == [waiting[0]])
            try await refused("job_running", cascade: true)
            _ = try await store.settle(
                bench.lease, [Settlement(report: claimed[0].report(.succeeded), decision: .finish(.succeeded))])
            guard case .mismatch(revision) = try await store.removeJob("mine", ifRevision: revision + 1, cascade: true)
            else {
                Issue.record("an old look was enough")
                return
            }
            guard
                case .removed(3, 1) = try await store.removeJob(
                    "mine", ifRevision: revision, cascade: true, actor: "me")
            else {
                Issue.record("it was not removed as it should")
                return
            }
            for id in [waiting[1], waiting[2], later] { #expect(try await store.run(id)?.state == .cancelled) }
            #expect(try await store.run(waiting[0])?.state == .succeeded)
            #expect(try await store.run(other[0])?.state == .queued)
            #expect(try await store.schedules().allSatisfy { $0.id != schedule.id })
            guard case .notFound = try await store.removeJob("mine", ifRevision: nil, cascade: true) else {
                Issue.record("it was removed twice")
                return
            }
            // The name is free again, for another handler too.
            let again = try await store.createJob(JobDefinition(name: "mine", handler: "test.sleep"))
            #expect(again.handler == "test.sleep")
        }
    }

    @Test func aHandlersOwnJobStaysWhileItsPluginServes() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.createJob(JobDefinition(name: "mine", handler: "test.noop"))
            try await bench.side.execute("INSERT INTO pawl.plugin (name, active) VALUES ('test', repeat('a', 64))")
            guard
                case .conflict("job_of_handler", _, _) = try await refusal({
                    _ = try await store.removeJob("test.noop", ifRevision: nil, cascade: true)
                })
            else {
                Issue.record("it was removed")
                return
            }
            // A job that was defined goes all the same.
            guard case .removed = try await store.removeJob("mine", ifRevision: nil, cascade: false) else {
                Issue.record("it was not removed")
                return
            }
            try await bench.side.execute("UPDATE pawl.plugin SET disabled = true")
            guard case .removed = try await store.removeJob("test.noop", ifRevision: nil, cascade: false) else {
                Issue.record("it was not removed")
                return
            }
            // Its handler comes back with its plugin.
            try await store.registerHandlers(plugin: "test", [JobUpsert(handler: "test.noop")])
            #expect(try await !store.job("test.noop").isDefined)
        }
    }
}
