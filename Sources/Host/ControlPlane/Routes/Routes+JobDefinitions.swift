import HTTPTypes
import JobCore
import JobStore

/// Jobs that somebody defines: a name of its own over a handler, with settings and schedules.
extension Backend {
    var definitionRoutes: [Route] {
        [
            Route(.post, "/api/v1/jobs", body: .json) { [self] in try await createJob($0) },
            Route(.put, "/api/v1/jobs/{name}", body: .json) { [self] in try await putJob($0) },
            Route(.delete, "/api/v1/jobs/{name}", query: ["cascade", "dry_run", "plan"]) { [self] in
                try await deleteJob($0)
            },
        ]
    }

    private func createJob(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        var reader = try ObjectReader(body: call.body)
        reader.require("name")
        let name = reader.string("name", limit: 120)
        return try await createJob(name, &reader, call)
    }

    private func createJob(_ name: String?, _ reader: inout ObjectReader, _ call: Call) async throws -> Answer {
        reader.require("handler")
        let handler = reader.string("handler", limit: 200)
        let description = reader.string("description", limit: 2000)
        let settings = reader.decoded("settings") { value throws(FieldFault) in try JobPatch(value) }
        let schedules = scheduleInputs(&reader, of: name)
        if let name, !JobDefinition.isName(name) { reader.fault("name", "bad_name", JobDefinition.nameRule) }
        try reader.finish()
        guard let name, let handler else { preconditionFailure("finish() throws when one is missing") }
        let definition = JobDefinition(
            name: name, handler: handler, description: description, settings: settings ?? JobPatch(),
            schedules: schedules ?? [])
        let row: JobRow
        do throws(StoreError) {
            row = try await store.createJob(definition, actor: call.principal.name)
        } catch {
            guard case .notFound(let what, let id, let near) = error, what == "handler" else { throw error }
            // The body names it, not the path.
            let detail = "no plugin brought a handler \(id.clipped)"
            var problem = Problem.invalid([FieldFault(pointer: "/handler", code: "unknown_handler", detail: detail)])
            problem.nearMatches = near
            throw problem
        }
        return shown(row, .created).with(.location, "/api/v1/jobs/\(name)")
    }

    /// With `If-None-Match: *` as `POST /jobs`, else a replacement of what stands in the body.
    private func putJob(_ call: Call) async throws -> Answer {
        let name = call.parameter("name")
        try refuseWhileDraining()
        var reader = try ObjectReader(body: call.body)
        if let given = reader.string("name", limit: 200), given != name {
            reader.fault("name", "differs", "must be that in the path, or left out")
        }
        if let header = call.headers[.ifNoneMatch] {
            guard header == "*" else {
                throw Problem.invalidHeader("If-None-Match", "malformed", "must be *: make it if there is none")
            }
            return try await createJob(name, &reader, call)
        }
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        var wish = JobReplacement()
        wish.handler = reader.string("handler", limit: 200)
        wish.description = reader.string("description", limit: 2000)
        wish.settings = reader.decoded("settings") { value throws(FieldFault) in try JobPatch(value) }
        wish.schedules = scheduleInputs(&reader, of: name)
        try reader.finish()
        switch try await store.replaceJob(name, wish, ifRevision: revision, actor: call.principal.name) {
        case .changed(let row): return shown(row)
        case .mismatch: throw try await changedMeanwhile(name)
        case .notFound: throw Problem.notFound("job", name)
        }
    }

    /// With the job's tag, which is that of `GET /jobs/{name}`.
    private func shown(_ row: JobRow, _ status: HTTPResponse.Status = .ok) -> Answer {
        let object = CatalogJSON.job(row, Set(host.handlers()))
        return Answer.json(object, status).with(.eTag, EntityTag.of(object.text.utf8, revision: row.revision))
    }

    /// The schedules that stand in the body of a job; nil: it says nothing of them.
    private func scheduleInputs(_ reader: inout ObjectReader, of job: String?) -> [ScheduleInput]? {
        guard let value = reader.value("schedules") else { return nil }
        guard let elements = value.elements, elements.count <= Self.mostSchedules else {
            reader.fault("schedules", "wrong_type", "must be a list of at most \(Self.mostSchedules) schedules")
            return nil
        }
        var inputs: [ScheduleInput] = []
        for (index, element) in elements.enumerated() {
            do throws(Problem) {
                var inner = try ObjectReader(element.json, under: "/schedules/\(index)")
                inputs.append(try scheduleInput(&inner, job: job ?? ""))
            } catch {
                reader.add(error.fieldFaults)
            }
        }
        return inputs
    }

    /// Of one job in one request.
    private static let mostSchedules = 100

    // MARK: Removal

    private func deleteJob(_ call: Call) async throws -> Answer {
        let name = call.parameter("name")
        var cascade = try call.query.flag("cascade") ?? false
        let plan = try call.query.one("plan")
        if try call.query.flag("dry_run") ?? false {
            if plan != nil { throw Problem.invalidParameter("plan", "exclusive", "cannot stand beside dry_run") }
            return .json(try await showRemoval(name, cascade: cascade))
        }
        // A plan has seen the job already.
        var revision = try EntityTag.revision(call.headers, isRequired: plan == nil)
        if let plan {
            let seen = try await takeRemoval(plan, name, cascade: try call.query.flag("cascade"))
            cascade = seen.cascade
            revision = revision ?? seen.use.revision
        }
        let row = try await store.job(name)
        try refuseWhileServed(name, !row.isDefined)
        switch try await store.removeJob(name, ifRevision: revision, cascade: cascade, actor: call.principal.name) {
        case .removed(let endedRuns, let schedules):
            return .json(Self.removal(name, isDry: false, endedRuns: endedRuns, schedules: schedules))
        case .mismatch:
            throw try await changedMeanwhile(name)
        case .notFound:
            throw Problem.notFound("job", name)
        }
    }

    private func showRemoval(_ name: String, cascade: Bool) async throws -> JSONObject {
        let use = try await store.useOfJob(name)
        try refuseWhileServed(name, !use.isDefined)
        if let refusal = use.refusal(name, cascade: cascade) { throw Problem(refusal) }
        var object = Self.removal(name, isDry: true, endedRuns: use.waiting, schedules: use.schedules)
        object.string("plan", removalPlans.make(RemovalPlan(job: name, use: use, cascade: cascade)))
        object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        return object
    }

    /// The plan, if what would go now is what it showed.
    private func takeRemoval(_ plan: String, _ name: String, cascade: Bool?) async throws -> RemovalPlan {
        guard let seen = removalPlans.take(plan) else { throw Plans.unknown }
        guard seen.job == name, cascade == nil || cascade == seen.cascade else {
            removalPlans.put(seen, plan)
            throw Plans.mismatch("The request asks for something else than the plan.")
        }
        let now = try await store.useOfJob(name)
        // Schedules are few: one more is one that nobody has looked at.
        if Plans.hasGrown(from: seen.use.waiting, to: now.waiting) || now.schedules > seen.use.schedules {
            let new = try await showRemoval(name, cascade: seen.cascade)
            throw Plans.changed(
                from: seen.use.waiting, to: now.waiting,
                "of \(name) wait (schedules: \(now.schedules), \(seen.use.schedules) in the plan)", plan: new)
        }
        return seen
    }

    /// What was shown to somebody who wants to remove a job.
    struct RemovalPlan: Sendable {
        var job: String
        var use: JobUse
        var cascade: Bool
    }

    /// What this host loads by itself (a file in its directory, the database away at that time) may not stand in the database yet.
    private func refuseWhileServed(_ name: String, _ isOfHandler: Bool) throws(Problem) {
        guard isOfHandler, host.handlers().contains(name) else { return }
        throw Problem(
            .conflict, "job_of_handler",
            "\(name) is the own job of a handler whose plugin is in service; disable the plugin first.")
    }

    /// 412 with the tag of what is there now.
    func changedMeanwhile(_ job: String) async throws -> Problem {
        var problem = Problem(
            .preconditionFailed, "etag_mismatch", "The job was changed meanwhile. Look at it again.",
            fields: [.init(.header("If-Match"), "etag_mismatch", "is not the present ETag")])
        let row = try await store.job(job)
        let present = CatalogJSON.job(row, Set(host.handlers())).text.utf8
        problem.headers[.eTag] = EntityTag.of(present, revision: row.revision)
        return problem
    }

    private static func removal(_ job: String, isDry: Bool, endedRuns: Int64, schedules: Int64) -> JSONObject {
        var object = JSONObject()
        object.string("job", job)
        object.bool("dry_run", isDry)
        object.int("ended_runs", endedRuns)
        object.int("removed_schedules", schedules)
        return object
    }
}
