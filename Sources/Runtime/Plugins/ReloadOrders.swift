package import JobCore
package import Supervision

/// Where a version came from, or who wants it to serve.
package enum ProposalSource: Sendable, Hashable {
    /// A file of the plugin directory. `isFirstLook`: it was there when the host started.
    case file(String, isFirstLook: Bool)
    /// A file that somebody sent.
    case upload
    /// Somebody chose a version that is here already.
    case order
    /// All hosts are to serve it: nobody is asked whether it may.
    case row
    /// What served before takes its place again, by itself.
    case rollback
}

/// What is to become of a version.
package enum ProposalWish: Sendable, Hashable {
    /// It is loaded once and kept in the store, ready.
    case keep
    /// It serves. `force`: whatever it breaks.
    case activate(force: Bool)
    /// It is tried on some of the runs, and serves if it passes.
    case canary(CanaryPolicy, force: Bool)
}

/// What became of a version that was not refused.
package enum ProposalOutcome: Sendable, Hashable {
    case active
    case canary
    /// Ready, and does not serve: for what it would break, or for another reason that the words name.
    case held([ContractProblem], words: String)
    /// Ready, as it was wished.
    case staged
    /// It serves, or is on trial, already.
    case unchanged
}

/// Whether a version may begin to serve.
package enum ActivationVerdict: Sendable, Hashable {
    case allowed
    /// It would break what waits.
    case held([ContractProblem])
    /// It does not serve for another reason, in words for people: all hosts are to serve another one, say.
    case declined(String)
}

/// The version that a run goes to.
package struct ChosenVersion: Sendable, Hashable {
    package var sha256: String
    package var handlerIndex: Int
    package var manifest: HandlerManifest
    /// It is on trial: a crash is not the run's fault.
    package var isCanary: Bool
}

/// Whose signatures count.
package struct SignaturePolicy: Sendable, Hashable {
    /// Raw Ed25519 public keys, 32 bytes each.
    package var trustedKeys: [[UInt8]]
    /// Nothing is served that none of them has signed.
    package var isRequired: Bool

    package init(trustedKeys: [[UInt8]] = [], isRequired: Bool = false) {
        self.trustedKeys = trustedKeys
        self.isRequired = isRequired
    }
}
