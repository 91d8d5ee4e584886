package import Supervision
package import UVLoop

/// Whoever has to know which handlers there are.
@LoopActor
package protocol PluginCatalogDelegate: AnyObject {
    /// A version serves from now on. Whoever wanted that is told when this returns.
    func pluginActivated(_ plugin: ActivePlugin) async
    /// A plugin's status has changed.
    func pluginChanged(_ status: PluginStatus)
    /// Whether a version that is ready may serve: not if it would break what waits. Not asked for `source` `.row` and `.rollback`,
    /// and where it is forced.
    func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict
    /// Every step, in order. `canary`, `canaryEnded`, `rolledBack`, `disabled`, `enabled`, `withdrawn`: what all hosts are to serve
    /// changes with it, unless they were told so, or it `isConsequence` of another.
    func pluginEvent(_ event: PluginEvent)
    /// The bytes of a version whose file in this host's store is not what it was, from where other hosts have them, back in the
    /// store; nil: they cannot be had.
    func bytesWanted(_ sha256: String, of plugin: String) async -> PluginImage?
}

extension PluginCatalogDelegate {
    package func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict {
        .allowed
    }
    package func pluginEvent(_ event: PluginEvent) {}
    package func bytesWanted(_ sha256: String, of plugin: String) async -> PluginImage? { nil }
}
