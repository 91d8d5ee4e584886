package import JobCore

/// A version of a handler that is not served because it kept crashing.
package struct QuarantineRow: Sendable, Hashable {
    package var handler: String
    /// SHA-256 of the plugin's bytes.
    package var version: String
    package var since: WallTime
    /// From then on one run at a time tries it.
    package var until: WallTime
    /// How often it was taken out in a row, from 1.
    package var level: Int
    /// What decided: crashed among the last attempts.
    package var crashes: Int
    package var attempts: Int
    /// For people.
    package var reason: String
    package var plugin: String?
    /// The author's label of the version.
    package var label: String?
    /// A living host may try it now.
    package var isTried: Bool

    package init(
        handler: String, version: String, since: WallTime, until: WallTime, level: Int, crashes: Int, attempts: Int,
        reason: String, plugin: String? = nil, label: String? = nil, isTried: Bool = false
    ) {
        self.handler = handler
        self.version = version
        self.since = since
        self.until = until
        self.level = level
        self.crashes = crashes
        self.attempts = attempts
        self.reason = reason
        self.plugin = plugin
        self.label = label
        self.isTried = isTried
    }
}
