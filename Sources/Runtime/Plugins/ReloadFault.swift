package import JobCore

/// Why something was not done with a plugin or a version.
package struct ReloadFault: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// There is no such plugin, or no such version of it here.
        case notFound = "not_found"
        /// The file cannot be used: no shared library, truncated, for another machine, unreadable.
        case badFile = "bad_file"
        /// It is not signed by a key that this host trusts, or its signature does not fit.
        case unsigned
        /// The version cannot be loaded, or its first process does not start.
        case refused
        /// It calls itself otherwise, or another plugin serves one of its handlers.
        case conflict
        /// It would break what waits (`problems`); can be forced.
        case held
        /// Something newer took its place before it was ready.
        case superseded
        /// Somebody has decided about the plugin since whoever wants this has looked at it.
        case changed
        /// The version serves, is on trial or runs attempts: it cannot be removed.
        case inUse = "in_use"
        /// The plugin is disabled.
        case disabled
        /// The host cannot do it now.
        case unavailable
    }

    package var code: Code
    /// For people; exact.
    package var words: String
    package var problems: [ContractProblem]

    package init(_ code: Code, _ words: String, problems: [ContractProblem] = []) {
        self.code = code
        self.words = words
        self.problems = problems
    }

    init(_ fault: IngestFault) {
        let code: Code =
            switch fault.kind {
            case .unsigned: .unsigned
            case .passing: .unavailable
            case .bad, .change: .badFile
            }
        self.init(code, fault.words)
    }

    package var description: String { self.words }
}
