import HTTPTypes
import JobCore
import JobStore

/// Jobs that somebody defines: a name of its own over a handler.
extension Backend {
    var definitionRoutes: [Route] {
        [
            Route(.post, "/api/v1/jobs", body: .json) { [self] in try await createJob($0) },
            Route(.delete, "/api/v1/jobs/{name}", query: ["cascade", "dry_run"]) { [self] in
                try await deleteJob($0)
            },
        ]
    }

    private func createJob(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        var reader = try ObjectReader(body: call.body)
        reader.require("name")
        reader.require("handler")
        let name = reader.string("name", limit: 120)
        let handler = reader.string("handler", limit: 200)
        let description = reader.string("description", limit: 2000)
        let settings = reader.decoded("settings") { value throws(FieldFault) in try JobPatch(value) }
        if let name, !JobDefinition.isName(name) { reader.fault("name", "bad_name", JobDefinition.nameRule) }
        try reader.finish()
        guard let name, let handler else { preconditionFailure("finish() throws when one is missing") }
        let definition = JobDefinition(
            name: name, handler: handler, description: description, settings: settings ?? JobPatch())
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
        let answer = Answer.json(CatalogJSON.job(row, Set(host.handlers())), .created)
        guard case .bytes(let bytes) = answer.body else { return answer }
        return answer.with(.location, "/api/v1/jobs/\(name)")
            .with(.eTag, EntityTag.of(bytes, revision: row.revision))
    }

    private func deleteJob(_ call: Call) async throws -> Answer {
        let name = call.parameter("name")
        let cascade = try call.query.flag("cascade") ?? false
        if try call.query.flag("dry_run") ?? false {
            let use = try await store.useOfJob(name)
            try refuseWhileServed(name, !use.isDefined)
            if let refusal = use.refusal(name, cascade: cascade) { throw Problem(refusal) }
            return .json(Self.removal(name, isDry: true, endedRuns: use.waiting, schedules: use.schedules))
        }
        let revision = try EntityTag.revision(call.headers, isRequired: true)
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
