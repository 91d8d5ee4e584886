import HTTPTypes
import JobCore
import JobStore

/// S4: safety and schedules.
extension Backend {
    var seedSafetyRoutes: [Route] {
        [
            Route(.get, "/api/jobs/safety/health", successor: "/api/v1/safety/health") { [self] _ in
                .json(try await healthReport())
            },
            Route(
                .post, "/api/jobs/safety/cleanup-stale", body: .json, successor: "/api/v1/safety/cleanup-stale"
            ) { [self] in try await seedCleanup($0) },
            Route(
                .post, "/api/jobs/safety/terminate/{id}", body: .json, successor: "/api/v1/safety/terminate/{id}"
            ) { [self] in try await stop($0, .terminate, actor: "\($0.principal.name) (via alias)") },
        ]
    }

    var seedScheduleRoutes: [Route] {
        [
            Route(.post, "/api/jobs/schedules", body: .json, successor: "/api/v1/schedules") { [self] in
                try await seedCreateSchedule($0)
            },
            Route(.get, "/api/jobs/schedules/due/list", query: ["within_ms"], successor: "/api/v1/schedules/due") {
                [self] in try await seedDue($0)
            },
            Route(.get, "/api/jobs/schedules/{id}", successor: "/api/v1/schedules/{id}") { [self] in
                .json(ScheduleJSON.object(try await store.schedule(try seedScheduleID($0))))
            },
            Route(.put, "/api/jobs/schedules/{id}", body: .json, successor: "/api/v1/schedules/{id}") { [self] in
                try await seedReplaceSchedule($0)
            },
            Route(.delete, "/api/jobs/schedules/{id}", successor: "/api/v1/schedules/{id}") { [self] in
                let id = try seedScheduleID($0)
                let revision = try EntityTag.revision($0.headers, isRequired: false)
                try await guarded(id) { try await self.store.deleteSchedule(id, ifRevision: revision) }
                return Answer(.noContent)
            },
            Route(.get, "/api/jobs/{id}/schedules", successor: "/api/v1/jobs/{name}/schedules") { [self] in
                try await seedSchedulesOfJob($0)
            },
        ]
    }

    // MARK: Safety

    /// Acts at once: S4 knows no plan.
    private func seedCleanup(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        var request = CleanupRequest()
        if let age = reader.milliseconds("older_than_ms", to: RunInput.longestMilliseconds) { request.olderThan = age }
        try reader.finish()
        return .json(try await cleanup(request, actor: "\(call.principal.name) (via alias)"))
    }

    // MARK: Schedules

    /// S4 numbers its schedules; ours have a prefix.
    private func seedScheduleID(_ call: Call) throws(Problem) -> Int64 {
        let text = call.parameter("id")
        guard let id = ScheduleJSON.parse(text) ?? ScheduleJSON.parse("sch_" + text) else {
            throw .notFound("schedule", text)
        }
        return id
    }

    private func seedCreateSchedule(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        let row = try await store.createSchedule(try await seedScheduleInput(call))
        return .json(ScheduleJSON.object(row), .created)
    }

    private func seedReplaceSchedule(_ call: Call) async throws -> Answer {
        let id = try seedScheduleID(call)
        let revision = try EntityTag.revision(call.headers, isRequired: false)
        let input = try await seedScheduleInput(call)
        return .json(
            ScheduleJSON.object(
                try await guarded(id) { try await self.store.updateSchedule(id, input, ifRevision: revision) }))
    }

    /// Our fields, and S4's words for some of them.
    private static let seedScheduleWords = [
        "job_id": "job", "parameters": "args", "max_executions": "max_runs", "end_date": "ends_at",
        "start_date": "starts_at",
    ]

    private func seedScheduleInput(_ call: Call) async throws -> ScheduleInput {
        var body = call.body
        if let text = String(validating: body, as: UTF8.self), let members = Self.members(of: text) {
            let renamed = members.map { JSONText.quoted(Self.seedScheduleWords[$0.key] ?? $0.key) + ":" + $0.value }
            body = Array("{\(renamed.joined(separator: ","))}".utf8)
        }
        var reader = try ObjectReader(body: body)
        var input = try scheduleInput(&reader)
        // A run's id stands for its job.
        if let id = RunID(parsing: input.job), let run = try await store.run(id) { input.job = run.job }
        return input
    }

    /// Nil for what the reader will refuse, and say why.
    private static func members(of text: String) -> [(key: String, value: String)]? {
        do {
            return try JSONText.members(of: text)
        } catch {
            return nil
        }
    }

    private func seedDue(_ call: Call) async throws -> Answer {
        let within = try call.query.int("within_ms", in: 0...RunInput.longestMilliseconds) ?? 3_600_000
        return .json(seedSchedules(try await store.dueSchedules(within: .milliseconds(within))))
    }

    /// By a job's name, or by one of its runs.
    private func seedSchedulesOfJob(_ call: Call) async throws -> Answer {
        let text = call.parameter("id")
        var name = text
        if let id = RunID(parsing: text) { name = try await existingRun(id).job }
        let job = try await store.job(name)
        return .json(seedSchedules(try await store.schedules(job: job.name)))
    }

    private func seedSchedules(_ rows: [ScheduleRow]) -> JSONObject {
        var object = JSONObject()
        object.array("schedules", rows.map { ScheduleJSON.object($0).text })
        object.int("count", rows.count)
        return object
    }
}
