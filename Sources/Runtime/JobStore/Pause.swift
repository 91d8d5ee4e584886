package import JobCore

/// Nothing new of a queue or job is claimed; what runs goes on.
package struct Pause: Sendable, Hashable {
    /// Nothing of it was claimed from then on.
    package var since: WallTime
    package var reason: String?
    /// Then it ends by itself; nil: somebody ends it.
    package var until: WallTime?
    /// Somebody waits until nothing of it runs any more.
    package var isDrain: Bool

    package init(since: WallTime, reason: String? = nil, until: WallTime? = nil, isDrain: Bool = false) {
        self.since = since
        self.reason = reason
        self.until = until
        self.isDrain = isDrain
    }
}

/// Whether a queue's or job's runs are claimed.
package enum ServiceState: String, Sendable {
    case active
    case paused
    /// Nothing new is claimed, and some of its runs still execute.
    case draining
    /// As `draining`, and none executes any more.
    case drained

    package init(_ pause: Pause?, running: Int64) {
        switch pause {
        case nil: self = .active
        case let pause? where pause.isDrain: self = running > 0 ? .draining : .drained
        case .some: self = .paused
        }
    }
}

/// How many runs of a queue or job may execute at once; nil: as many as there are slots.
package struct ConcurrencyLimits: Sendable, Hashable {
    /// On all hosts together.
    package var everywhere: Int?
    /// On one host.
    package var here: Int?

    /// A queue that should run nothing is paused instead.
    package static let range = 1...1_000_000

    package init(everywhere: Int? = nil, here: Int? = nil) {
        self.everywhere = everywhere
        self.here = here
    }
}

/// Changes to limits: an outer nil leaves one as it is, an inner nil takes it away.
package struct ConcurrencyPatch: Sendable, Hashable {
    package var everywhere: Int??
    package var here: Int??

    package init(everywhere: Int?? = nil, here: Int?? = nil) {
        self.everywhere = everywhere
        self.here = here
    }

    package var isEmpty: Bool { everywhere == nil && here == nil }

    /// With a pointer to what is out of range.
    package func check() throws(FieldFault) {
        let changes: [(name: String, value: Int?)] = [
            ("concurrency", everywhere ?? nil), ("host_concurrency", here ?? nil),
        ]
        for (name, value) in changes {
            guard let value, !ConcurrencyLimits.range.contains(value) else { continue }
            throw FieldFault(
                pointer: "/\(name)", code: "out_of_range",
                detail: "must be 1 to \(ConcurrencyLimits.range.upperBound), or null for no limit")
        }
    }
}
