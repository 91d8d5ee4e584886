import HTTPTypes
import JobCore
import JobStore

/// Hosts, in what they differ, and what only one of them may do.
extension Backend {
    var hostRoutes: [Route] {
        [
            Route(.get, "/api/v1/hosts") { [self] in try await listHosts($0) },
            Route(.post, "/api/v1/queues/{queue}/exclusive", body: .json) { [self] in try await setExclusive($0) },
        ]
    }

    private func listHosts(_ call: Call) async throws -> Answer {
        let own = host.hostView()
        let rows = try await store.hosts()
        let holdings = try await store.holdings()
        let items = rows.map { row in
            CatalogJSON.host(row, row.id == own.id ? own : nil, isDraining: host.isDraining, holdings).text
        }
        var object = list(items)
        let drift = HostDrift(rows)
        object.bool("drift", drift.isDrifting)
        object.array("differences", drift.differences.map { HoldingJSON.difference($0).text })
        return .json(object)
    }

    private func setExclusive(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        let isExclusive = reader.bool("exclusive") ?? true
        try reader.finish()
        // As with a pause: a slip of the finger must not make a queue.
        let name = try await store.queue(call.parameter("queue")).name
        let changed = try await store.setExclusive(queue: name, isExclusive, actor: call.principal.name)
        var object = JSONObject()
        object.bool("changed", changed)
        object.object(
            "queue", CatalogJSON.queue(try await store.queue(name), WallClock.now, try await store.holdings()))
        return .json(object)
    }
}

enum HoldingJSON {
    /// - Parameter holding: nil: any number of hosts serve it.
    static func add(_ holding: Holding?, to object: inout JSONObject) {
        object.bool("exclusive", holding != nil)
        object.object(
            "holder",
            holding?.holder.map { holder in
                var object = JSONObject()
                object.string("host", holder.host.description)
                object.string("name", holder.hostname)
                object.time("since", holder.since)
                return object
            })
    }

    static func held(by row: HostRow, among holdings: [Holding]) -> [String] {
        holdings.compactMap { holding in
            guard let holder = holding.holder, holder.host == row.id, holder.epoch == row.epoch else { return nil }
            var object = JSONObject()
            object.string("kind", holding.subject.kind)
            object.string("name", holding.subject.name)
            object.time("since", holder.since)
            return object.text
        }
    }

    static func difference(_ difference: HostDrift.Difference) -> JSONObject {
        var object = JSONObject()
        object.string("field", difference.field.rawValue)
        object.array(
            "values",
            difference.values.map { value in
                var object = JSONObject()
                object.string("value", value.value)
                object.strings("hosts", value.hosts.map(\.description))
                return object.text
            })
        return object
    }
}
