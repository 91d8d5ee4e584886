import HTTPTypes
import JobCore
import JobStore

/// Versions that were taken out of service because they kept crashing.
extension Backend {
    var quarantineRoutes: [Route] {
        [
            Route(.get, "/api/v1/quarantines") { [self] in try await listQuarantines($0) },
            Route(.delete, "/api/v1/quarantines/{handler}/{version}") { [self] in
                _ = try await lift($0)
                return Answer(.noContent)
            },
            Route(.post, "/api/v1/quarantines/{handler}/{version}/lift", body: .json) { [self] call in
                var reader = try ObjectReader(body: call.body)
                try reader.finish()
                let lifted = try await lift(call)
                var object = JSONObject()
                object.bool("changed", true)
                object.object("quarantine", QuarantineJSON.object(lifted))
                return .json(object)
            },
        ]
    }

    private func listQuarantines(_ call: Call) async throws -> Answer {
        .json(list(try await store.quarantines().map { QuarantineJSON.object($0).text }))
    }

    /// Serves the version again. Its hash may be shortened as long as it is the only one.
    private func lift(_ call: Call) async throws -> QuarantineRow {
        let (handler, version) = (call.parameter("handler"), call.parameter("version"))
        let all = try await store.quarantines()
        let found = all.filter { $0.handler == handler && $0.version.hasPrefix(version) && version.utf8.count >= 4 }
        guard let row = found.first else {
            let near = NearMatches.find(handler, among: all.map(\.handler))
            throw Problem.notFound("quarantine", "\(handler) \(version)", near: near)
        }
        guard found.count == 1 else {
            throw Problem(.conflict, "ambiguous_version", "More than one version begins with \(version.clipped).")
        }
        guard
            try await store.liftQuarantine(
                handler: row.handler, version: row.version, actor: call.principal.name)
        else { throw Problem.notFound("quarantine", "\(handler) \(version)") }
        host.quarantineLifted(handler: row.handler, version: row.version)
        return row
    }
}

enum QuarantineJSON {
    static func object(_ row: QuarantineRow) -> JSONObject {
        var object = JSONObject()
        object.string("handler", row.handler)
        object.string("version", row.version)
        object.string("plugin", row.plugin)
        object.string("label", row.label)
        object.time("since", row.since)
        object.time("until", row.until)
        object.int("level", row.level)
        object.int("crashes", row.crashes)
        object.int("attempts", row.attempts)
        object.string("reason", row.reason)
        object.bool("on_trial", row.isTried)
        return object
    }
}
