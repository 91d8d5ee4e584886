import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

/// Whether a version that is ready may serve.
extension PluginRegistry {
    /// First what all hosts are to serve, then what waits. Versions with the same handlers and schemas as what they replace cost
    /// no look at the database.
    func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict {
        let name = candidate.manifest.name
        if case .file(_, let isFirstLook) = candidate.source {
            if isFirstLook { await self.learn(name) }
            if let why = await self.objection(to: candidate, isFirstLook: isFirstLook) { return .declined(why) }
        }
        let old: [ContractCheck.Contract]
        if let replacing { old = replacing.contracts } else { old = await self.declared(name) }
        let problems = await ContractCheck(store: self.store, logger: self.logger)
            .problems(candidate.contracts, replacing: old)
        return problems.isEmpty ? .allowed : .held(problems)
    }

    /// Why a file does not decide what all hosts are to serve; nil: it may.
    private func objection(to candidate: ActivePlugin, isFirstLook: Bool) async -> String? {
        guard let row = self.places[candidate.manifest.name]?.row, row.revision > 0 else { return nil }
        if isFirstLook && row.isDisabled { return "the plugin is disabled" }
        guard let active = row.active, active != candidate.sha256 else { return nil }
        if row.isPinned { return "the plugin is pinned to version \(active.prefix(12))" }
        // A file that was there before this host was: it is the cluster's turn, unless nobody has ever seen such bytes.
        guard isFirstLook else { return nil }
        do throws(StoreError) {
            guard let known = try await self.store.pluginVersion(candidate.sha256),
                known.plugin == candidate.manifest.name, known.lastActiveAt != nil
            else { return nil }
            return "all hosts are to serve version \(active.prefix(12)); this one is older"
        } catch {
            self.logger.warning("nobody can say whether a version is known", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// The row, before this host takes part: what it finds in its directory must be compared with it.
    private func learn(_ name: String) async {
        guard self.places[name]?.row == nil else { return }
        do throws(StoreError) {
            if let row = try await self.store.plugin(name), row.revision > 0 { self.seen(row) }
        } catch {
            self.logger.warning("nobody can say what all hosts are to serve", metadata: ["error": "\(error)"])
        }
    }

    /// What the version that all are to serve has declared, where this host serves none.
    private func declared(_ name: String) async -> [ContractCheck.Contract] {
        guard let active = self.places[name]?.row?.active else { return [] }
        do throws(StoreError) {
            guard let manifest = try await self.store.pluginVersion(active)?.manifest else { return [] }
            return ContractCheck.Contract.read(manifest)
        } catch {
            self.logger.warning("nobody can say what a version has declared", metadata: ["error": "\(error)"])
            return []
        }
    }
}

extension ActivePlugin {
    fileprivate var contracts: [ContractCheck.Contract] {
        self.manifest.handlers.map { ContractCheck.Contract(handler: $0.name, argsSchema: $0.argsSchema) }
    }
}

extension ContractCheck.Contract {
    /// Of a manifest as `PluginManifest.json` writes it.
    static func read(_ manifest: String) -> [ContractCheck.Contract] {
        let value: JSONValue
        do throws(JSONFault) { value = try JSONValue(parsing: manifest) } catch { return [] }
        return (value["handlers"]?.elements ?? []).compactMap { handler in
            handler["name"]?.text.map { ContractCheck.Contract(handler: $0, argsSchema: handler["args_schema"]?.text) }
        }
    }
}
