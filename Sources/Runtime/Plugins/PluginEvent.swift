package import JobCore

/// One step in the life of a plugin or of one of its versions, for the record.
package struct PluginEvent: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        /// New bytes were noticed, or are waiting for their turn.
        case staged
        /// They are in the content store.
        case verified
        /// They are being loaded.
        case warming
        /// They begin a trial on some of the runs (`policy`).
        case canary
        /// The trial is over without them serving: taken back by somebody, or overtaken.
        case canaryEnded = "canary_ended"
        /// They would break something that waits (`problems`), or may not serve for another reason (`words`).
        case held
        /// They serve.
        case active
        /// They serve no new attempts; some are still running.
        case draining
        /// Nothing of them runs any more.
        case retired
        /// They cannot be served (`words`).
        case rejected
        /// They served or were on trial, and were taken back (`words`).
        case rolledBack = "rolled_back"
        /// Their zygote dies again and again.
        case crashLoop = "crash_loop"
        /// It does not any more, or somebody has said that it may be tried again.
        case recovered
        /// Their file in the content store is not what it was (`words`).
        case tampered
        /// The plugin serves no runs, by somebody's order.
        case disabled
        case enabled
        /// The version was removed by somebody.
        case removed
        /// The plugin's file is gone from the directory, or all hosts are to do without it: nothing of it serves.
        case withdrawn
    }

    package var plugin: String
    /// Name of the file in the plugin directory, where there is one.
    package var file: String?
    package var sha256: String?
    package var kind: Kind
    package var at: WallTime
    /// For people.
    package var words: String?
    package var problems: [ContractProblem]
    /// Of a `canary`.
    package var policy: CanaryPolicy?
    /// It follows from another step, which is told too: nothing that all hosts are to serve changes with it.
    package var isConsequence = false

    package init(
        plugin: String, file: String? = nil, sha256: String? = nil, kind: Kind, at: WallTime, words: String? = nil,
        problems: [ContractProblem] = [], policy: CanaryPolicy? = nil
    ) {
        self.plugin = plugin
        self.file = file
        self.sha256 = sha256
        self.kind = kind
        self.at = at
        self.words = words
        self.problems = problems
        self.policy = policy
    }
}
