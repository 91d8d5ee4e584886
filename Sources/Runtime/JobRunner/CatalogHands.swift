import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

/// Between the registry, the delivery loop and the catalog of this host's plugins: each speaks its own language.
@LoopActor
final class CatalogHands: PluginHands, PluginCatalogDelegate {
    private let catalog: PluginCatalog
    private let registry: PluginRegistry

    init(catalog: PluginCatalog, registry: PluginRegistry) {
        self.catalog = catalog
        self.registry = registry
    }

    // MARK: Dispatch

    /// Which version a run goes to.
    func choose(_ handler: String, dice: UInt32, avoiding version: String?) -> Delivery.Serving? {
        self.catalog.choose(handler: handler, dice: dice, avoiding: version).map {
            Delivery.Serving(
                sha256: $0.sha256, handlerIndex: $0.handlerIndex, manifest: $0.manifest, isCanary: $0.isCanary)
        }
    }

    /// The version before, where it can stand in.
    func fallback(_ handler: String) -> Delivery.Serving? {
        self.catalog.fallback(forHandler: handler).map {
            Delivery.Serving(sha256: $0.sha256, handlerIndex: $0.handlerIndex, manifest: $0.manifest)
        }
    }

    func began(_ version: String, _ handler: String) { self.catalog.began(sha256: version, handler: handler) }

    func abandoned(_ version: String, _ handler: String) { self.catalog.abandoned(sha256: version, handler: handler) }

    /// How an attempt ended: see `Delivery.onVerdict`.
    func judged(_ held: Delivery.Held, _ report: AttemptReport) -> Bool {
        guard let version = held.version else { return false }
        guard let verdict = AttemptVerdict(report) else {
            self.catalog.abandoned(sha256: version, handler: held.run.handler)
            return false
        }
        return self.catalog.ended(sha256: version, handler: held.run.handler, verdict: verdict)
    }

    // MARK: What the catalog says

    func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict {
        await self.registry.mayActivate(candidate, replacing: replacing)
    }

    func pluginActivated(_ plugin: ActivePlugin) async { self.registry.activated(plugin) }

    func pluginChanged(_ status: PluginStatus) {
        if let error = status.error {
            self.registry.logger.error("plugin refused", metadata: ["file": "\(status.file)", "error": "\(error)"])
        }
        self.registry.changed()
    }

    func pluginEvent(_ event: PluginEvent) {
        self.registry.happened(NewPluginEvent(event))
        switch event.kind {
        case .canary:
            guard let sha256 = event.sha256 else { break }
            self.record(event.plugin, by: nil)
            self.registry.canaryBegan(event.plugin, sha256, policy: (event.policy ?? CanaryPolicy()).json)
        case .canaryEnded:
            if !event.isConsequence { self.registry.canaryEnded(event.plugin, reason: event.words) }
        case .rolledBack: self.registry.rolledBack(event.plugin, event.sha256, reason: event.words)
        case .held:
            guard let sha256 = event.sha256 else { break }
            self.record(event.plugin, by: nil)
            self.registry.held(event.plugin, sha256, event.problems, event.words)
        case .disabled: self.registry.disabled(event.plugin, true, reason: event.words)
        case .enabled: self.registry.disabled(event.plugin, false, reason: event.words)
        case .withdrawn: self.registry.retired(event.plugin, reason: event.words)
        case .rejected: if let sha256 = event.sha256 { self.registry.lost(event.plugin, sha256) }
        case .staged, .verified, .warming, .active, .draining, .retired, .crashLoop, .recovered, .tampered, .removed:
            break
        }
    }

    func bytesWanted(_ sha256: String, of plugin: String) async -> PluginImage? {
        do throws(PluginHandsFault) {
            return try await self.registry.obtain(sha256, plugin, self)
        } catch {
            self.registry.logger.warning(
                "a version's bytes cannot be had from the database",
                metadata: ["plugin": "\(plugin)", "version": "\(sha256.prefix(12))", "error": "\(error.words)"])
            return nil
        }
    }

    /// Makes what this host has of a plugin known to the others.
    /// - Parameter person: who has brought it; nil: it lay in the directory.
    func record(_ plugin: String, by person: String?) {
        guard let report = self.catalog.plugins.first(where: { $0.name == plugin }) else { return }
        for version in report.versions.reversed() {
            guard let manifest = version.manifest, version.state != .rejected else { continue }
            self.registry.ready(
                PluginVersionRow(
                    sha256: version.sha256, plugin: manifest.name, label: manifest.version,
                    abi: "\(manifest.abiMajor).\(manifest.abiMinor)", sizeBytes: Int64(clamping: version.bytes),
                    manifest: manifest.json, kind: report.kind == .ffi ? .ffi : .native, fileName: report.file,
                    source: person == nil ? .directory : .upload, uploadedBy: person, signedBy: version.signedBy))
        }
    }

    // MARK: What the registry wants

    func image(of sha256: String) -> PluginImage? { self.catalog.image(of: sha256) }

    func take(_ fetched: PluginBytes.Fetched, plugin: String) async throws(PluginHandsFault) -> PluginImage {
        try await self.doing { () async throws(ReloadFault) in
            if let text = fetched.configuration {
                return try await self.catalog.take(
                    text, fileName: "\(plugin).pawl.json", bridge: fetched.library, signature: fetched.signature)
            }
            return try await self.catalog.take(
                fetched.library, fileName: "\(plugin).so", signature: fetched.signature)
        }
    }

    func serve(_ image: PluginImage, plugin: String) async throws(PluginHandsFault) {
        try await self.doing { () async throws(ReloadFault) in
            try await self.catalog.follow(plugin: plugin, version: image)
        }
    }

    func beginCanary(_ image: PluginImage, plugin: String, policy: String) async throws(PluginHandsFault) {
        let wanted: CanaryPolicy
        do throws(JSONFault) { wanted = CanaryPolicy(json: try JSONValue(parsing: policy)) } catch {
            wanted = CanaryPolicy()
        }
        try await self.doing { () async throws(ReloadFault) in
            try await self.catalog.follow(plugin: plugin, version: image, canary: wanted)
        }
    }

    func endCanary(plugin: String) async { await self.catalog.endCanary(plugin: plugin) }
    func retire(plugin: String) async { await self.catalog.withdraw(plugin: plugin) }

    func disable(plugin: String) async throws(PluginHandsFault) {
        try await self.doing { () async throws(ReloadFault) in try await self.catalog.disable(plugin: plugin) }
    }

    func enable(plugin: String) async throws(PluginHandsFault) {
        try await self.doing { () async throws(ReloadFault) in try await self.catalog.enable(plugin: plugin) }
    }

    private func doing<T: Sendable>(
        _ body: @LoopActor () async throws(ReloadFault) -> T
    ) async throws(PluginHandsFault) -> T {
        do throws(ReloadFault) { return try await body() } catch {
            throw PluginHandsFault(
                words: error.words, isTransient: error.code == .unavailable || error.code == .superseded)
        }
    }
}

extension AttemptVerdict {
    /// What an attempt's end says of its version; nil: nothing.
    init?(_ report: AttemptReport) {
        switch report.outcome {
        case .succeeded, .snoozed: self = .ok
        case .timedOut where report.reason == .start: self = .infrastructure
        case .error, .timedOut, .outOfMemory, .cancelled, .terminated: self = .failed
        case .crashed:
            let isHandlers = report.started != nil && report.error?.code != "protocol_error"
            self = isHandlers ? .crashed : .infrastructure
        case .lost where report.reason == .zygote: self = .infrastructure
        case .lost: return nil
        }
    }
}

extension NewPluginEvent {
    init(_ event: PluginEvent) {
        var members: [JSONMember] = []
        if let file = event.file { members.append(JSONMember("file", .string(file))) }
        if let words = event.words { members.append(JSONMember("words", .string(words))) }
        if let policy = event.policy {
            do throws(JSONFault) { members.append(JSONMember("policy", try JSONValue(parsing: policy.json))) } catch {
                preconditionFailure("a policy writes valid JSON")
            }
        }
        if !event.problems.isEmpty {
            members.append(JSONMember("problems", .array(event.problems.map(\.value))))
        }
        self.init(
            plugin: event.plugin, sha256: event.sha256, at: event.at, kind: event.kind.rawValue,
            detail: members.isEmpty ? nil : JSONValue.object(members).json)
    }
}

extension ContractProblem {
    fileprivate var value: JSONValue {
        .object([
            JSONMember("kind", .string(self.kind.rawValue)), JSONMember("handler", .string(self.handler)),
            JSONMember("where", .string(self.where)), JSONMember("words", .string(self.words)),
        ])
    }
}
