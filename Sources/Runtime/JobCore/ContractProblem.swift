/// One thing that a new version of a plugin would break if it became active.
package struct ContractProblem: Hashable, Sendable {
    package enum Kind: String, Sendable {
        /// The new version has no handler of this name any more.
        case handlerRemoved = "handler_removed"
        /// Its schema refuses args that are waiting or scheduled.
        case argsIncompatible = "args_incompatible"
    }

    package var kind: Kind
    /// The dotted name.
    package var handler: String
    /// Who would break: `run run_0000000000042`, `schedule nightly`, `12 waiting runs`.
    package var `where`: String
    /// What is wrong there, for people; with a pointer into the args where there is one.
    package var words: String

    package init(kind: Kind, handler: String, where: String, words: String) {
        self.kind = kind
        self.handler = handler
        self.where = `where`
        self.words = words
    }
}
