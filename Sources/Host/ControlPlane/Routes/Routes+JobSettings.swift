import HTTPTypes
import JobCore
import JobStore

extension Backend {
    var settingRoutes: [Route] {
        [Route(.patch, "/api/v1/jobs/{name}/settings", body: .json) { [self] in try await patchSettings($0) }]
    }

    private func patchSettings(_ call: Call) async throws -> Answer {
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        // Strict about the outer object: repeated names, and what is no object.
        let reader = try ObjectReader(body: call.body)
        if !reader.faults.isEmpty { throw Problem.invalid(reader.faults) }
        let patch: JobPatch
        do throws(FieldFault) {
            patch = try JobPatch(Self.settings(call.body))
        } catch {
            throw Problem.invalid([error])
        }
        let job = call.parameter("name")
        switch try await store.patchJob(job, patch, ifRevision: revision, actor: call.principal.name) {
        case .changed(let row):
            return Answer.json(CatalogJSON.job(row, Set(host.handlers()))).tagged(call, revision: row.revision)
        case .mismatch:
            throw try await changedMeanwhile(job)
        case .notFound:
            _ = try await store.job(job)  // Throws, with the names that are near.
            throw Problem.notFound("job", job)
        }
    }

    /// The body without what is anybody's own (`x_…`).
    private static func settings(_ body: [UInt8]) throws(FieldFault) -> JSONValue {
        guard !body.isEmpty else { return .object([]) }
        do throws(JSONFault) {
            let value = try JSONValue(parsing: String(decoding: body, as: UTF8.self))
            guard case .object(let members) = value else { return value }
            return .object(members.filter { !$0.key.hasPrefix("x_") })
        } catch {
            throw FieldFault(pointer: "", code: "malformed_json", detail: error.problem)
        }
    }
}

/// A job's settings: what holds, and who said so.
enum SettingsJSON {
    /// Every limit that holds; null: unlimited.
    static func limits(_ limits: ResolvedLimits) -> JSONObject {
        var object = JSONObject()
        object.int("wall_ms", limits.wall.wholeMilliseconds)
        object.int("cpu_ms", limits.cpu?.wholeMilliseconds)
        object.int("memory_bytes", limits.memoryBytes)
        object.int("output_bytes", limits.outputBytes)
        object.int("file_bytes", limits.fileBytes)
        object.int("open_files", limits.openFiles)
        object.int("processes", limits.processes)
        object.int("cancel_grace_ms", limits.cancelGrace.wholeMilliseconds)
        object.int("term_grace_ms", limits.termGrace.wholeMilliseconds)
        object.int("queue_ms", limits.queue?.wholeMilliseconds)
        object.int("start_ms", limits.start.wholeMilliseconds)
        object.int("no_progress_ms", limits.noProgress?.wholeMilliseconds)
        return object
    }

    static func execution(_ execution: ResolvedExecution) -> JSONObject {
        var object = JSONObject()
        object.string("mode", execution.mode.rawValue)
        object.string("sandbox", execution.sandbox.rawValue)
        object.strings("read_paths", execution.readPaths)
        object.strings("write_paths", execution.writePaths)
        object.bool("network", execution.network)
        object.string("output_policy", execution.outputPolicy.rawValue)
        object.string("log_policy", execution.logPolicy.rawValue)
        object.int("log_retention_days", execution.logRetentionDays)
        object.int("niceness", execution.niceness)
        object.bool("quarantine", execution.quarantine)
        object.int("pool_runs", execution.poolRuns)
        object.int("pool_age_ms", execution.poolAge.wholeMilliseconds)
        object.int("pool_growth_bytes", execution.poolGrowthBytes)
        object.int("pool_ahead", execution.poolAhead)
        return object
    }

    /// For each member of `effective`: `job`, `handler` or `default`.
    /// - Parameters: JSON objects; the first two without what is not said.
    static func sources(job: String, handler: String, effective: JSONObject) -> String {
        let (own, theirs) = (names(job), names(handler))
        let pairs = names(effective.text).map { name in
            "\(JSONText.quoted(name)):\"\(own.contains(name) ? "job" : theirs.contains(name) ? "handler" : "default")\""
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    private static func names(_ object: String) -> [String] {
        do {
            return try JSONText.members(of: object)?.map(\.key) ?? []
        } catch {
            preconditionFailure("our own JSON is none: \(error)")
        }
    }
}
