import ControlPlane
import Glibc
import JobCore
import JobRunner
import JobStore
import Plugins
import Supervision
import UVLoop

/// Plugins, over the catalog that holds this host's versions and the runner that brings decisions to the other hosts.
extension HostControlAdapter {
    // MARK: Views

    func pluginFacts() -> [PluginFacts] { self.catalog.plugins.map(Self.facts) }

    func schemas(ofHandler name: String) -> HandlerSchemas? {
        self.catalog.version(forHandler: name).map {
            HandlerSchemas(
                version: $0.sha256, args: $0.manifest.argsSchema, result: $0.manifest.resultSchema)
        }
    }

    func storedPlugin(version: String) -> StoredPlugin? {
        self.catalog.image(of: version).map { StoredPlugin(path: $0.path, configuration: $0.configuration) }
    }

    private static func facts(_ report: PluginReport) -> PluginFacts {
        PluginFacts(
            name: report.name, file: report.file, kind: report.kind.rawValue,
            versions: report.versions.map(Self.facts),
            held: report.held.map { held in
                HeldVersion(version: held.sha256, problems: held.problems, words: held.words)
            },
            canary: report.canary.map { canary in
                CanaryFacts(
                    version: canary.sha256, percent: canary.policy.percent, runs: canary.policy.runs,
                    minimumRuns: canary.policy.minimumRuns, crashPercentBound: canary.policy.crashPercentBound,
                    deadline: canary.deadline, ended: canary.ended, crashed: canary.crashed)
            })
    }

    private static func facts(_ version: PluginVersionReport) -> PluginVersionFacts {
        PluginVersionFacts(
            version: version.sha256, label: version.label, state: version.state.rawValue, error: version.problem,
            bytes: Int64(clamping: version.bytes), loadedAt: version.loadedAt, signedBy: version.signedBy,
            steps: version.steps.map { step in
                PluginStep(name: step.kind.rawValue, at: step.at, detail: step.words)
            },
            handlers: (version.manifest?.handlers ?? []).map { handler in
                PluginView.Handler(
                    name: handler.name, description: handler.description ?? "", argsSchema: handler.argsSchema,
                    resultSchema: handler.resultSchema, isUnverified: version.declarations?.isUnverified(handler.name))
            },
            runs: version.started, failed: version.failed, crashed: version.crashed, running: version.running,
            notes: version.notes)
    }

    // MARK: Orders

    func order(_ order: PluginOrder) async throws(PluginFault) -> Bool {
        let wish = PluginWish(
            Self.matter(order.action), by: order.actor, reason: order.reason, revision: order.revision,
            isForced: Self.isForced(order.action))
        do throws(ReloadFault) {
            return try await self.runner.asked(order.plugin, wish) { () throws(ReloadFault) in
                try await self.carryOut(order)
            }
        } catch {
            throw PluginFault(error)
        }
    }

    private static func matter(_ action: PluginOrder.Action) -> PluginWish.Matter {
        switch action {
        case .activate(let version, _), .canary(let version, _): .version(version)
        case .rollback: .rollback
        case .disable: .disable
        case .enable: .enable
        case .unquarantine, .pin, .remove: .other
        }
    }

    private static func isForced(_ action: PluginOrder.Action) -> Bool {
        if case .activate(version: _, force: true) = action { true } else { false }
    }

    private func carryOut(_ order: PluginOrder) async throws(ReloadFault) -> Bool {
        let (plugin, catalog) = (order.plugin, self.catalog)
        switch order.action {
        case .activate(let version, let force):
            return try await self.serve(version, of: plugin, .activate(force: force))
        case .canary(let version, let canary):
            return try await self.serve(version, of: plugin, .canary(Self.policy(canary), force: false))
        case .rollback:
            let report = catalog.plugins.first { $0.name == plugin }
            if report?.canary != nil {
                await catalog.endCanary(plugin: plugin, reason: order.reason)
            } else if report?.previous.isEmpty ?? true, let previous = try await self.row(plugin)?.previous {
                // A host that was restarted has not served it itself.
                return try await self.serve(previous, of: plugin, .activate(force: true))
            } else {
                try await catalog.rollback(plugin: plugin)
            }
        case .disable:
            guard self.has(plugin) else { return try await self.decide(.disable, order) }
            try await catalog.disable(plugin: plugin, reason: order.reason)
        case .enable:
            guard self.has(plugin) else { return try await self.decide(.enable, order) }
            try await catalog.enable(plugin: plugin)
        case .unquarantine: try await catalog.unquarantine(plugin: plugin)
        case .pin(let isPinned):
            // Before anything is decided there is nothing to hold fast.
            guard let row = try await self.row(plugin), row.revision > 0 else {
                throw ReloadFault(.notFound, "no version of \(plugin) was ever to serve: there is nothing to pin")
            }
            return try await self.decide(.pin(isPinned), order)
        case .remove(let version): try await self.remove(version, order)
        }
        return true
    }

    // MARK: What this host does not have itself

    private func has(_ plugin: String) -> Bool { self.catalog.plugins.contains { $0.name == plugin } }

    private func row(_ plugin: String) async throws(ReloadFault) -> PluginRow? {
        do throws(StoreError) {
            return try await self.store.plugin(plugin)
        } catch {
            throw ReloadFault(.unavailable, "\(error)")
        }
    }

    /// The other hosts follow the row, whether this one has the plugin or not.
    private func decide(_ change: PluginChange, _ order: PluginOrder) async throws(ReloadFault) -> Bool {
        let answer: PluginAnswer
        do throws(StoreError) {
            answer = try await self.store.changePlugin(
                order.plugin,
                PluginDecision(change, at: WallTime.current, by: order.actor, reason: order.reason),
                ifRevision: order.revision)
        } catch {
            throw ReloadFault(.unavailable, "\(error)")
        }
        switch answer {
        case .changed: return true
        case .unchanged: return false
        case .mismatch: throw ReloadFault(.changed, "somebody else has decided about \(order.plugin) meanwhile")
        }
    }

    /// From this host's store, and from what the others could fetch.
    private func remove(_ version: String, _ order: PluginOrder) async throws(ReloadFault) {
        let plugin = order.plugin
        let row = try await self.row(plugin)
        if let row, row.active == version || row.canary?.sha256 == version {
            throw ReloadFault(.inUse, "version \(version.prefix(12)) is what all hosts are to serve")
        }
        if self.catalog.plugins.first(where: { $0.name == plugin })?.versions.contains(where: { $0.sha256 == version })
            ?? false
        {
            try await self.catalog.remove(plugin: plugin, sha256: version)
        }
        // Nobody shall go back to what is gone.
        if row?.versions.contains(version) ?? false {
            var forgetting = order
            // That holds whatever somebody decides meanwhile.
            forgetting.revision = nil
            _ = try await self.decide(.forget(version), forgetting)
        }
        do throws(StoreError) {
            try await self.store.refusePluginVersion(
                PluginVersionRow(sha256: version, plugin: plugin, state: .removed, problem: "removed by somebody"))
            try await self.store.dropBlob(version)
        } catch {
            throw ReloadFault(.unavailable, "\(error)")
        }
    }

    /// A version that this host has, or else has to fetch first.
    private func serve(_ version: String, of plugin: String, _ wish: ProposalWish) async throws(ReloadFault) -> Bool {
        let outcome: ProposalOutcome
        if self.catalog.image(of: version) != nil {
            switch wish {
            case .canary(let policy, let force):
                outcome = try await self.catalog.setCanary(plugin: plugin, sha256: version, policy, force: force)
            case .activate(let force):
                outcome = try await self.catalog.activate(plugin: plugin, sha256: version, force: force)
            case .keep: preconditionFailure("a person wants it to serve")
            }
        } else {
            let image = try await self.runner.obtain(version, plugin: plugin)
            outcome = try await self.catalog.propose(image, plugin: plugin, source: .order, wish: wish)
        }
        return try Self.unlessHeld(outcome)
    }

    func propose(_ upload: PluginUpload) async throws(PluginFault) -> PluginProposal {
        let intent: ProposalWish =
            if let canary = upload.canary { .canary(Self.policy(canary), force: upload.force) } else {
                upload.activates ? .activate(force: upload.force) : .keep
            }
        let (version, outcome): (String, ProposalOutcome)
        do throws(ReloadFault) {
            let image = try await self.catalog.take(
                upload.path, fileName: upload.fileName,
                signature: upload.signature.flatMap { SigningKeys.signature(base64: $0) })
            version = image.sha256
            let wish = PluginWish(
                .version(version), by: upload.actor, reason: upload.reason, isForced: upload.force && upload.activates)
            outcome = try await self.runner.asked(upload.plugin, wish) { () throws(ReloadFault) in
                try await self.catalog.propose(image, plugin: upload.plugin, source: .upload, wish: intent)
            }
        } catch {
            throw PluginFault(error)
        }
        var proposal = PluginProposal(version: version, state: "active")
        proposal.label =
            self.catalog.plugins.first { $0.name == upload.plugin }?
            .versions.first { $0.sha256 == version }?.label
        switch outcome {
        case .active: break
        case .canary: proposal.state = "canary"
        case .staged: proposal.state = "staged"
        case .unchanged:
            proposal.hasChanged = false
            proposal.detail = "These bytes serve, or are on trial, already."
        case .held(let problems, let words):
            proposal.state = "held"
            proposal.problems = problems
            proposal.detail = words
        }
        return proposal
    }

    /// - Returns: whether anything changed.
    private static func unlessHeld(_ outcome: ProposalOutcome) throws(ReloadFault) -> Bool {
        if case .held(let problems, let words) = outcome { throw ReloadFault(.held, words, problems: problems) }
        return outcome != .unchanged
    }

    private static func policy(_ wish: CanaryWish) -> CanaryPolicy {
        CanaryPolicy(
            percent: wish.percent, runs: wish.runs, minimumRuns: wish.minimumRuns ?? CanaryPolicy.defaultMinimumRuns,
            crashPercentBound: wish.crashPercentBound ?? CanaryPolicy.defaultCrashPercentBound,
            limit: wish.limit ?? CanaryPolicy.defaultLimit)
    }
}

extension PluginFault {
    fileprivate init(_ fault: ReloadFault) {
        let (kind, code): (Kind, String) =
            switch fault.code {
            case .notFound: (.notFound, "version_not_found")
            case .badFile: (.refused, "bad_plugin")
            case .unsigned: (.refused, "plugin_unsigned")
            case .refused: (.refused, "plugin_refused")
            case .conflict: (.conflict, "plugin_conflict")
            case .held: (.conflict, "activation_held")
            case .superseded: (.conflict, "superseded")
            case .changed: (.changed, "etag_mismatch")
            case .inUse: (.conflict, "version_in_use")
            case .disabled: (.conflict, "plugin_disabled")
            case .unavailable: (.unavailable, "plugin_unavailable")
            }
        self.init(kind, code, fault.words, problems: fault.problems)
    }
}
