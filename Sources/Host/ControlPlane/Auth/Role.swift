/// What somebody may do, in steps: each role may whatever the ones before it may.
package enum Role: String, Sendable, CaseIterable, Comparable {
    /// Reads what is not secret.
    case viewer
    /// Also makes runs, and acts on single ones.
    case `operator`
    /// Also changes queues, jobs, schedules and plugins, ends runs by force, and acts on many runs at once.
    case admin
    /// Also decides who may what.
    case owner

    package static func < (a: Role, b: Role) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .operator: 1
        case .admin: 2
        case .owner: 3
        }
    }
}

/// What somebody is confined to. An empty list confines nothing; of a list that is not empty, one pattern must match.
package struct Bounds: Sendable, Hashable {
    package var queues: [String]
    package var jobs: [String]
    /// The `owner` of runs.
    package var owners: [String]

    package init(queues: [String] = [], jobs: [String] = [], owners: [String] = []) {
        self.queues = queues
        self.jobs = jobs
        self.owners = owners
    }

    package var isEmpty: Bool { queues.isEmpty && jobs.isEmpty && owners.isEmpty }

    /// A name, or the beginning of one and a star.
    package static func matches(_ pattern: String, _ name: String) -> Bool {
        pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : name == pattern
    }
}
