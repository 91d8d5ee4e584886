package import JobCore
package import Supervision
internal import UVLoop

/// What others may want of the plugins. Each call returns when it is done.
extension PluginCatalog {
    /// Takes a file that is not in the plugin directory into the content store: sent by somebody, or fetched from where other
    /// hosts can get it. The file stays where it is.
    /// - Parameters:
    ///   - fileName: tells by its ending what it is (`.so`, `.ffi.json`); never used as a path.
    ///   - bridge: for a manifest of C functions: the library that serves it; nil: this host's own.
    ///   - signature: detached, 64 bytes, of the file.
    package func take(
        _ path: String, fileName: String, bridge: String? = nil, signature: [UInt8]? = nil
    ) async throws(ReloadFault) -> PluginImage {
        throw ReloadFault(.unavailable, "not yet")
    }

    /// A version that is in this host's content store; nil: it is not.
    package func image(of sha256: String) -> PluginImage? { nil }

    /// Does with a version in the store what is wished, the same way as with a file that appears: loads it, tries a first
    /// process, asks whether it may serve.
    /// - Parameter plugin: what it must call itself; nil: whatever it does.
    package func propose(
        _ image: PluginImage, plugin: String? = nil, source: ProposalSource = .upload,
        wish: ProposalWish = .activate(force: false)
    ) async throws(ReloadFault) -> ProposalOutcome {
        throw ReloadFault(.unavailable, "not yet")
    }

    /// All hosts are to serve this version, or (with a policy) to try it beside the one that serves.
    package func follow(
        plugin: String, version: PluginImage, canary policy: CanaryPolicy? = nil
    ) async throws(ReloadFault) {
        throw ReloadFault(.unavailable, "not yet")
    }

    /// Serves a version that is here.
    package func activate(
        plugin: String, sha256: String, force: Bool = false
    ) async throws(ReloadFault) -> ProposalOutcome {
        throw ReloadFault(.unavailable, "not yet")
    }

    /// Serves the version before the active one again, whatever it breaks.
    package func rollback(plugin: String) async throws(ReloadFault) {
        throw ReloadFault(.unavailable, "not yet")
    }

    /// Tries a version that is here.
    package func setCanary(
        plugin: String, sha256: String, _ policy: CanaryPolicy, force: Bool = false
    ) async throws(ReloadFault) -> ProposalOutcome {
        throw ReloadFault(.unavailable, "not yet")
    }

    /// Ends a trial without a judgement; does nothing where there is none.
    package func endCanary(plugin: String, reason: String? = nil) async {}

    /// Serves none of its handlers until `enable`. What runs goes on.
    package func disable(plugin: String, reason: String? = nil) async throws(ReloadFault) {
        throw ReloadFault(.unavailable, "not yet")
    }

    package func enable(plugin: String) async throws(ReloadFault) { throw ReloadFault(.unavailable, "not yet") }

    /// Serves nothing of it any more, as if its file had been removed.
    package func withdraw(plugin: String, reason: String? = nil) async {}

    /// Starts the zygote of the version that serves again, though it died too often.
    package func unquarantine(plugin: String) async throws(ReloadFault) {
        throw ReloadFault(.unavailable, "not yet")
    }

    /// Forgets a version and removes its bytes from this host's store, unless it is in use.
    package func remove(plugin: String, sha256: String) async throws(ReloadFault) {
        throw ReloadFault(.unavailable, "not yet")
    }

    // MARK: Dispatch

    /// The version that a run goes to now.
    /// - Parameters:
    ///   - dice: 0 ..< 10,000, fixed for the run.
    ///   - avoided: a version on trial that it must not go to (again).
    package func choose(handler: String, dice: UInt32, avoiding avoided: String? = nil) -> ChosenVersion? {
        self.version(forHandler: handler).map {
            ChosenVersion(sha256: $0.sha256, handlerIndex: $0.handlerIndex, manifest: $0.manifest, isCanary: false)
        }
    }

    /// A run was given to a version.
    package func began(sha256: String) {}

    /// It was given back without having begun: it says nothing of the version.
    package func abandoned(sha256: String) {}

    /// An attempt has ended that `began` was called for.
    /// - Returns: whether the crash is the version's business alone: it uses no attempt of the run, which goes to another version.
    @discardableResult
    package func ended(sha256: String, handler: String, verdict: AttemptVerdict) -> Bool { false }

    // MARK: Views

    /// By name.
    package var plugins: [PluginReport] { [] }
}
