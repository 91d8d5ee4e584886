import JobCore
import JobStore

/// Plugins as clients see them.
enum PluginJSON {
    /// What a list shows beside a file: what all hosts are to serve, and whether they do.
    static func addShared(
        _ facts: PluginFacts?, _ row: PluginRow?, _ hosts: [PluginHostRow], to object: inout JSONObject
    ) {
        object.string("active", row?.active)
        object.string("previous", row?.previous)
        object.bool("disabled", row?.isDisabled ?? false)
        object.bool("pinned", row?.isPinned ?? false)
        object.int("revision", row?.revision ?? 0)
        object.object("canary", canary(facts?.canary, row?.canary))
        object.object("held", facts?.held.map(held))
        object.int("drift", hosts.count { $0.isDrift })
    }

    static func object(
        _ record: Backend.PluginRecord, view: PluginView?, own: HostID?, quarantines: [QuarantineRow],
        changes: PluginChanges?
    ) -> JSONObject {
        let (facts, row) = (record.facts, record.row)
        let serving = facts?.versions.first { $0.version == row?.active } ?? facts?.versions.first
        var object = JSONObject()
        object.string("name", record.name)
        object.string("file", view?.file ?? facts?.file)
        object.string("kind", view?.kind ?? facts?.kind ?? record.versions.first?.kind.rawValue ?? "native")
        object.string("version", view?.version ?? serving?.version)
        object.string("label", view?.label ?? serving?.label)
        object.string("state", view?.state ?? serving?.state ?? "absent")
        object.string("error", view?.error ?? serving?.error)
        object.strings("notes", view?.notes ?? serving?.notes ?? [])
        addShared(facts, row, record.hosts, to: &object)
        object.time("changed_at", row?.changedAt)
        object.string("changed_by", row?.changedBy)
        object.string("reason", row?.reason)
        object.string("origin_host", row?.originHost?.description)
        object.array("versions", record.all.map { version($0, record, quarantines).text })
        object.object("changes", changes?.json)
        object.array("hosts", record.hosts.map { host($0, own: own).text })
        object.array("events", record.events.map { event($0).text })
        return object
    }

    private static func version(
        _ sha256: String, _ record: Backend.PluginRecord, _ quarantines: [QuarantineRow]
    ) -> JSONObject {
        let own = record.facts?.versions.first { $0.version == sha256 }
        let row = record.versions.first { $0.sha256 == sha256 }
        var object = JSONObject()
        object.string("version", sha256)
        object.string("label", own?.label ?? row?.label)
        object.string("state", own?.state ?? state(row, record.row))
        object.string("error", own?.error ?? row?.problem)
        object.string("kind", row?.kind.rawValue ?? record.facts?.kind)
        object.string("file", row?.fileName ?? record.facts?.file)
        object.int("size_bytes", own?.bytes ?? row?.sizeBytes)
        object.string("build_id", row?.buildID)
        object.string("abi", row?.abi)
        object.string("source", row?.source.rawValue)
        object.string("uploaded_by", row?.uploadedBy)
        object.string("signed_by", own?.signedBy ?? row?.signedBy)
        object.bool("stored", row?.hasBytes ?? false)
        object.time("first_seen_at", row?.firstSeenAt)
        object.time("last_active_at", row?.lastActiveAt)
        object.time("loaded_at", own?.loadedAt)
        object.int("runs", own?.runs)
        object.int("failed", own?.failed)
        object.int("crashed", own?.crashed)
        object.int("running", own?.running)
        object.strings("notes", own?.notes ?? [])
        object.array("steps", steps(own?.steps ?? []))
        object.array(
            "handlers",
            (record.handlers(of: sha256) ?? []).map {
                CatalogJSON.handler($0, version: sha256, quarantines).text
            })
        return object
    }

    /// Of a version that this host has not had since its start.
    private static func state(_ row: PluginVersionRow?, _ plugin: PluginRow?) -> String {
        guard let row else { return "absent" }
        if row.state != .usable { return row.state.rawValue }
        if row.sha256 == plugin?.canary?.sha256 { return "canary" }
        return row.sha256 == plugin?.active ? "active" : "retired"
    }

    private static func steps(_ steps: [PluginStep]) -> [String] {
        zip(steps, [nil] + steps.map(\.at)).map { step, before in
            var object = JSONObject()
            object.string("step", step.name)
            object.time("at", step.at)
            object.int("after_ms", before.map { max(0, (step.at - $0).wholeMilliseconds) })
            object.string("detail", step.detail)
            return object.text
        }
    }

    static func problems(_ problems: [ContractProblem]) -> [String] {
        problems.map { problem in
            var object = JSONObject()
            object.string("kind", problem.kind.rawValue)
            object.string("handler", problem.handler)
            object.string("where", problem.where)
            object.string("words", problem.words)
            return object.text
        }
    }

    private static func held(_ held: HeldVersion) -> JSONObject {
        var object = JSONObject()
        object.string("version", held.version)
        object.string("words", held.words)
        object.array("problems", problems(held.problems))
        return object
    }

    /// The one of this host, with its figures; else what all hosts are told.
    private static func canary(_ own: CanaryFacts?, _ shared: PluginRow.Canary?) -> JSONObject? {
        var object = JSONObject()
        if let own {
            object.string("version", own.version)
            object.int("percent", own.percent)
            object.int("runs", own.runs)
            object.int("minimum_runs", own.minimumRuns)
            object.double("crash_percent_bound", own.crashPercentBound)
            object.time("deadline_at", own.deadline)
            var seen = JSONObject()
            seen.int("runs", own.ended)
            seen.int("crashed", own.crashed)
            object.object("seen", seen)
            return object
        }
        guard let shared else { return nil }
        object.string("version", shared.sha256)
        var policy: JSONValue?
        do { policy = try JSONValue(parsing: shared.policy) } catch { policy = nil }
        object.int("percent", policy?["percent"]?.integer)
        object.int("runs", policy?["runs"]?.integer)
        object.int("minimum_runs", policy?["minimum_runs"]?.integer)
        object.double("crash_percent_bound", policy?["crash_percent_bound"]?.double)
        object.raw("deadline_at", policy?["deadline_at"]?.json ?? "null")
        object.raw("seen", "null")
        return object
    }

    private static func host(_ row: PluginHostRow, own: HostID?) -> JSONObject {
        var object = JSONObject()
        object.string("host", row.host.description)
        object.string("name", row.hostname)
        object.string("host_state", row.hostState)
        object.bool("this_host", row.host == own)
        object.string("version", row.note.sha256)
        object.string("candidate", row.note.candidate)
        object.string("state", row.note.state)
        object.string("error", row.note.problem)
        object.time("updated_at", row.updatedAt)
        object.bool("drift", row.isDrift)
        return object
    }

    static func event(_ row: PluginEventRow) -> JSONObject {
        var object = JSONObject()
        object.string("id", String(row.id))
        object.time("at", row.at)
        object.string("kind", row.kind)
        object.string("version", row.sha256)
        object.string("label", row.label)
        object.string("host", row.host?.description)
        object.string("host_name", row.hostname)
        object.raw("detail", row.detail.map(AttemptJSON.checked) ?? "null")
        return object
    }
}

/// What a new version changes in handlers and their schemas.
struct PluginChanges: Sendable {
    struct Change: Sendable {
        /// `args` or `result`.
        var part: String
        var pointer: String
        var words: String
        var isBreaking: Bool
    }

    struct Handler: Sendable {
        var name: String
        /// `added`, `removed` or `changed`.
        var kind: String
        var changes: [Change]
        var isBreaking: Bool { kind == "removed" || changes.contains { $0.isBreaking } }
    }

    var from: String
    var to: String
    var handlers: [Handler]

    init(from: String, to: String, old: [PluginView.Handler], new: [PluginView.Handler]) {
        self.from = from
        self.to = to
        handlers = old.filter { handler in !new.contains { $0.name == handler.name } }
            .map { Handler(name: $0.name, kind: "removed", changes: []) }
        for handler in new {
            guard let before = old.first(where: { $0.name == handler.name }) else {
                handlers.append(Handler(name: handler.name, kind: "added", changes: []))
                continue
            }
            let changes =
                Self.changes("args", before.argsSchema, handler.argsSchema)
                + Self.changes("result", before.resultSchema, handler.resultSchema)
            if !changes.isEmpty { handlers.append(Handler(name: handler.name, kind: "changed", changes: changes)) }
        }
    }

    private static func changes(_ part: String, _ old: String?, _ new: String?) -> [Change] {
        guard old != new else { return [] }
        return JSONSchema.changes(
            from: parsed(old), to: parsed(new), role: part == "args" ? .arguments : .result
        ).map { Change(part: part, pointer: $0.pointer, words: $0.words, isBreaking: $0.isBreaking) }
    }

    /// A text that is no schema allows everything, as at an enqueue.
    private static func parsed(_ text: String?) -> JSONSchema? {
        guard let text, !text.isEmpty else { return nil }
        do {
            return try JSONSchema(parsing: text)
        } catch {
            return nil
        }
    }

    var json: JSONObject {
        var object = JSONObject()
        object.string("from", from)
        object.string("to", to)
        object.array(
            "handlers",
            handlers.map { handler in
                var object = JSONObject()
                object.string("handler", handler.name)
                object.string("kind", handler.kind)
                object.bool("breaking", handler.isBreaking)
                object.array(
                    "changes",
                    handler.changes.map { change in
                        var object = JSONObject()
                        object.string("of", change.part)
                        object.string("pointer", change.pointer)
                        object.string("words", change.words)
                        object.bool("breaking", change.isBreaking)
                        return object.text
                    })
                return object.text
            })
        return object
    }
}
