import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// What is left without what it belongs to: a list, what a cleanup would do, and the deed.
///
/// What the database knows is the same for all hosts. Processes, cgroups and files can be seen on their own machine only: here those of
/// the host that is asked.
extension Backend {
    /// Of each kind at most so many.
    private static let mostOrphans = 1000

    /// Orphans that somebody saw before they were put right.
    struct OrphanPlan: Sendable {
        var orphans: [Orphan]
        var kinds: Set<OrphanKind>
    }

    private func orphans(_ kinds: Set<OrphanKind>) async throws -> [Orphan] {
        var found: [Orphan] = []
        if kinds.contains(where: \.isShared) { found += try await store.orphans(limit: Self.mostOrphans) }
        if kinds.contains(where: { !$0.isShared }) { found += await host.orphans() }
        return found.filter { kinds.contains($0.kind) }
    }

    func listOrphans(_ call: Call) async throws -> Answer {
        var kinds: Set<OrphanKind> = []
        for word in call.query.all("kind") {
            guard let kind = OrphanKind(rawValue: word) else {
                throw Problem.invalidParameter("kind", "unknown_word", "must be one of " + Self.kindWords)
            }
            kinds.insert(kind)
        }
        let found = try await orphans(kinds.isEmpty ? Set(OrphanKind.allCases) : kinds)
        var object = list(found.map { SafetyJSON.orphan($0).text })
        object.raw("counts", SafetyJSON.counts(Dictionary(grouping: found, by: \.kind).mapValues(\.count)))
        try await others(&object)
        return .json(object)
    }

    /// Hosts whose machines have to be asked themselves.
    private func others(_ object: inout JSONObject) async throws {
        let own = host.hostView().id
        let others = try await store.hosts().filter { $0.isPresent && $0.id != own }
        object.string("host", own?.description)
        object.strings("hosts_not_seen", others.map(\.id.description))
    }

    private static let kindWords = OrphanKind.allCases.map(\.rawValue).joined(separator: ", ")

    func cleanupOrphans(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        var kinds: Set<OrphanKind> = []
        let isSaid = reader.has("kinds")
        if let value = reader.value("kinds") {
            let words = value.elements ?? []
            kinds = Set(words.compactMap { $0.text.flatMap(OrphanKind.init(rawValue:)) })
            if words.isEmpty || kinds.count != words.count {
                reader.fault("kinds", "unknown_word", "must be a list, without repetitions, of " + Self.kindWords)
            }
        }
        let isDry = reader.bool("dry_run") ?? false
        let name = reader.string("plan", limit: 100)
        let reason = reader.string("reason", limit: 1000)
        if name != nil {
            if isDry { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
            if isSaid { reader.fault("kinds", "exclusive", "cannot stand beside plan, which has its own") }
        } else if !isDry {
            // Nobody knows what there is without a look.
            reader.fault("plan", "required", "is missing; ask with dry_run first")
        }
        try reader.finish()
        guard let name else { return .json(try await show(kinds.isEmpty ? Set(OrphanKind.allCases) : kinds)) }
        return try await once(call) {
            guard let plan = orphanPlans.take(name) else { throw Plans.unknown }
            return .json(try await clean(plan, reason: reason, actor: call.principal.name))
        }
    }

    private func show(_ kinds: Set<OrphanKind>) async throws -> JSONObject {
        let found = try await orphans(kinds)
        var object = JSONObject()
        object.string("plan", orphanPlans.make(OrphanPlan(orphans: found, kinds: kinds)))
        object.bool("dry_run", true)
        object.int("count", found.count)
        object.raw("counts", SafetyJSON.counts(Dictionary(grouping: found, by: \.kind).mapValues(\.count)))
        object.array("sample", found.prefix(100).map { SafetyJSON.orphan($0).text })
        object.strings("kinds", kinds.map(\.rawValue).sorted())
        object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        try await others(&object)
        return object
    }

    /// Each of them is looked at once more: what has an owner again, or is another thing by now, is left alone.
    private func clean(_ plan: OrphanPlan, reason: String?, actor: String) async throws -> JSONObject {
        let began = LoopInstant.now
        var done = try await store.clean(plan.orphans.filter(\.kind.isShared))
        let own = plan.orphans.filter { !$0.kind.isShared }
        if !own.isEmpty { done.formUnion(await host.clean(own)) }
        // A run that goes back to its queue can be started here.
        if done.contains(where: { $0.kind == .runWithoutProcess }) { host.emergencyChanged() }
        var row = SweepRow(kind: .orphans, hasActed: true)
        row.hostID = host.hostView().id
        row.actor = actor
        row.reason = reason
        row.orphans = Dictionary(grouping: plan.orphans, by: \.kind).mapValues(\.count)
        row.cleaned = Dictionary(grouping: done, by: \.kind).mapValues(\.count)
        row.took = LoopInstant.now - began
        await remember(row)
        if !done.isEmpty {
            var detail = JSONObject()
            detail.raw("cleaned", SafetyJSON.counts(row.cleaned))
            detail.string("reason", reason)
            await note(actor, "safety.orphans_cleanup", "orphans", detail)
        }
        var object = JSONObject()
        object.bool("dry_run", false)
        object.int("count", done.count)
        object.raw("cleaned", SafetyJSON.counts(row.cleaned))
        object.int("untouched", plan.orphans.count - done.count)
        object.array(
            "left", plan.orphans.filter { !done.contains($0.key) }.prefix(100).map { SafetyJSON.orphan($0).text })
        return object
    }
}
