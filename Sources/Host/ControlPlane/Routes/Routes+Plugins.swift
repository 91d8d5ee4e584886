import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// Plugins: what there is, side by side, and what happened to it.
extension Backend {
    var pluginRoutes: [Route] {
        [
            Route(.get, "/api/v1/plugins") { [self] in try await listPlugins($0) },
            Route(.get, "/api/v1/plugins/{plugin}", query: ["from", "to"]) { [self] in try await showPlugin($0) },
            Route(.get, "/api/v1/plugins/{plugin}/events", query: ["limit", "cursor"]) { [self] in
                try await listPluginEvents($0)
            },
            Route(.get, "/api/v1/jobs/{name}/schema", query: ["part"]) { [self] in try await showSchema($0) },
        ]
    }

    // MARK: The list

    private func listPlugins(_ call: Call) async throws -> Answer { .json(list(try await pluginItems())) }

    /// Files of the plugin directory first, then what is known of plugins beyond them.
    func pluginItems() async throws -> [String] {
        let quarantines = try await knownQuarantines()
        let facts = Dictionary(uniqueKeysWithValues: host.pluginFacts().map { ($0.name, $0) })
        let (rows, hosts) = try await sharedPlugins()
        var items: [String] = []
        var listed: Set<String> = []
        for plugin in host.plugins() {
            var object = CatalogJSON.plugin(plugin, quarantines)
            PluginJSON.addShared(
                facts[plugin.name], rows.first { $0.name == plugin.name && !plugin.name.isEmpty },
                hosts.filter { $0.note.plugin == plugin.name }, to: &object)
            items.append(object.text)
            listed.insert(plugin.name)
        }
        // Of other hosts, or without a file here.
        for row in rows where !listed.contains(row.name) && (row.active != nil || facts[row.name] != nil) {
            let known = facts[row.name]
            let serving = known?.versions.first { $0.version == row.active }
            let view = PluginView(
                name: row.name, file: known?.file ?? "", version: row.active, label: serving?.label,
                state: serving?.state ?? "absent", error: serving?.error, handlers: serving?.handlers ?? [],
                loadedAt: serving?.loadedAt, kind: known?.kind ?? "native")
            var object = CatalogJSON.plugin(view, quarantines)
            PluginJSON.addShared(known, row, hosts.filter { $0.note.plugin == row.name }, to: &object)
            items.append(object.text)
        }
        return items
    }

    /// What all hosts share; nothing while the database is away: what is loaded here is known without it.
    func sharedPlugins(_ name: String? = nil) async throws -> (rows: [PluginRow], hosts: [PluginHostRow]) {
        do throws(StoreError) {
            let rows = try await store.plugins().filter { name == nil || $0.name == name }
            return (rows, try await store.pluginHosts(plugin: name))
        } catch {
            guard case .unavailable = error else { throw error }
            return ([], [])
        }
    }

    // MARK: One

    /// All that is known of a plugin, here and elsewhere.
    struct PluginRecord {
        var name: String
        var facts: PluginFacts?
        var row: PluginRow?
        var versions: [PluginVersionRow]
        var hosts: [PluginHostRow]
        var events: [PluginEventRow]

        var revision: Int64 { row?.revision ?? 0 }
        /// SHA-256 of all versions; those of this host first.
        var all: [String] {
            var names = facts?.versions.map(\.version) ?? []
            for version in versions where version.state != .removed && !names.contains(version.sha256) {
                names.append(version.sha256)
            }
            return names
        }
    }

    static let eventsShown = 50

    /// Throws 404 with near matches.
    func pluginRecord(_ name: String) async throws -> PluginRecord {
        let facts = host.pluginFacts()
        let known = facts.first { $0.name == name }
        var record = PluginRecord(name: name, facts: known, versions: [], hosts: [], events: [])
        do throws(StoreError) {
            record.row = try await store.plugin(name)
            record.versions = try await store.pluginVersions(plugin: name)
            record.hosts = try await store.pluginHosts(plugin: name)
            record.events = try await store.pluginEvents(plugin: name, limit: Self.eventsShown)
        } catch {
            // What this host knows by itself is shown without the database.
            guard case .unavailable = error, known != nil else { throw error }
        }
        guard known != nil || record.row != nil else {
            let names = Set(facts.map(\.name) + (try await store.plugins().map(\.name)))
            throw Problem.notFound("plugin", name, near: NearMatches.find(name, among: names.sorted()))
        }
        return record
    }

    private func showPlugin(_ call: Call) async throws -> Answer {
        let record = try await pluginRecord(call.parameter("plugin"))
        var span: (from: String, to: String)?
        if let from = try call.query.one("from"), let to = try call.query.one("to") {
            span = (try version(from, of: record), try version(to, of: record))
        } else if call.query.items.contains(where: { $0.name == "from" || $0.name == "to" }) {
            throw Problem.invalidParameter("from", "incomplete", "goes with to: two versions are compared")
        }
        return Answer.json(try await pluginObject(record, comparing: span)).tagged(call, revision: record.revision)
    }

    func pluginObject(
        _ record: PluginRecord, comparing span: (from: String, to: String)? = nil
    ) async throws -> JSONObject {
        let view = host.plugins().first { $0.name == record.name }
        return PluginJSON.object(
            record, view: view, own: host.hostView().id, quarantines: try await knownQuarantines(),
            changes: changes(of: record, comparing: span))
    }

    /// The version that a person means: whole, or how it begins.
    func version(_ text: String, of record: PluginRecord) throws(Problem) -> String {
        let wanted = text.lowercased()
        let found = record.all.filter { $0.hasPrefix(wanted) && wanted.utf8.count >= 4 }
        guard let version = found.first else { throw .notFound("version", text) }
        guard found.count == 1 else {
            throw Problem(.conflict, "ambiguous_version", "More than one version begins with \(text.clipped).")
        }
        return version
    }

    private func listPluginEvents(_ call: Call) async throws -> Answer {
        let limit = try call.query.int("limit", in: 1...200) ?? 50
        var before: Int64?
        if let cursor = try call.query.one("cursor") {
            guard let id = Int64(cursor), id > 0 else {
                throw Problem(
                    .badRequest, "invalid_cursor", "The cursor is none of ours.",
                    fields: [.init(.parameter("cursor"), "invalid_cursor", "must be taken from next_cursor as it was")])
            }
            before = id
        }
        let name = call.parameter("plugin")
        let events = try await store.pluginEvents(plugin: name, before: before, limit: Int(limit) + 1)
        if events.isEmpty, before == nil { _ = try await pluginRecord(name) }
        var object = JSONObject()
        object.array("items", events.prefix(Int(limit)).map { PluginJSON.event($0).text })
        object.string("next_cursor", events.count > Int(limit) ? String(events[Int(limit) - 1].id) : nil)
        object.raw("prev_cursor", "null")
        object.time("as_of", WallClock.now)
        return .json(object)
    }

    // MARK: Schemas

    private func showSchema(_ call: Call) async throws -> Answer {
        let job = try await store.job(call.parameter("name"))
        let own = host.schemas(ofHandler: job.handler)
        let (args, result) = own.map { ($0.args, $0.result) } ?? (job.argsSchema, job.resultSchema)
        if let part = try call.query.one("part") {
            guard let schema = part == "args" ? args : part == "result" ? result : nil else {
                guard ["args", "result"].contains(part) else {
                    throw Problem.invalidParameter("part", "unknown_word", "must be args or result")
                }
                throw Problem(.notFound, "no_schema", "\(job.name) declares no schema of its \(part).")
            }
            return Answer(bytes: Array(CatalogJSON.schema(schema).utf8), type: "application/schema+json").tagged(call)
        }
        var object = JSONObject()
        object.string("job", job.name)
        object.string("handler", job.handler)
        object.string("plugin", job.plugin)
        object.string("version", own?.version)
        object.raw("args", CatalogJSON.schema(args))
        object.raw("result", CatalogJSON.schema(result))
        return Answer.json(object).tagged(call)
    }

    /// What changes in handlers and schemas: between two versions that somebody named, or from what serves to what wants to.
    private func changes(of record: PluginRecord, comparing span: (from: String, to: String)?) -> PluginChanges? {
        let active = record.row?.active ?? record.facts?.versions.first { $0.state == "active" }?.version
        let candidate =
            record.facts?.held?.version ?? record.facts?.canary?.version ?? record.row?.canary?.sha256
        let pair: (from: String?, to: String?) =
            if let span { (span.from, span.to) } else if let candidate, candidate != active {
                (active, candidate)
            } else { (record.row?.previous, active) }
        guard let from = pair.from, let to = pair.to, from != to, let old = record.handlers(of: from),
            let new = record.handlers(of: to)
        else { return nil }
        return PluginChanges(from: from, to: to, old: old, new: new)
    }
}

extension Backend.PluginRecord {
    /// Of this host's own knowledge, or as the version said of itself when another host loaded it. Nil: nobody knows.
    func handlers(of version: String) -> [PluginView.Handler]? {
        if let own = facts?.versions.first(where: { $0.version == version }), !own.handlers.isEmpty {
            return own.handlers
        }
        guard let text = versions.first(where: { $0.sha256 == version })?.manifest else { return nil }
        do {
            return try JSONValue(parsing: text)["handlers"]?.elements?.map { handler in
                func schema(_ name: String) -> String? {
                    switch handler[name] {
                    case nil, .null?: nil
                    // Older rows have it as a text.
                    case .string(let text)?: text
                    case let value?: value.json
                    }
                }
                return PluginView.Handler(
                    name: handler["name"]?.text ?? "", description: handler["description"]?.text ?? "",
                    argsSchema: schema("args_schema"), resultSchema: schema("result_schema"))
            }
        } catch {
            return nil
        }
    }
}
