package import JobCore

/// Which runs a clear takes away: of one queue or one job, in some states. Running ones never.
package struct ClearRequest: Sendable, Hashable {
    package enum Scope: Sendable, Hashable {
        case queue(String)
        case job(String)
    }

    package var scope: Scope
    package var states: Set<RunState>
    /// Finished before, or, if they wait, created before: what comes while it works stays.
    package var before: WallTime

    package init(scope: Scope, states: Set<RunState>, before: WallTime) {
        self.scope = scope
        self.states = states.subtracting([.running])
        self.before = before
    }
}

/// How far a clear, or a count, has come. Pieces go from table to table, in each by key.
package struct ClearCursor: Sendable, Hashable {
    enum Place: Sendable, Hashable {
        case waiting(after: Int64)
        /// Of a queue: by the claim's index.
        case lane(rank: Int32, job: String, position: Int64)
        /// Of a job: by id.
        case queued(after: Int64)
        case finished(after: Int64)
    }

    var place: Place

    /// The beginning. Runs move from waiting to queued to finished; so do we, and meet them if they are quick.
    package init() { place = .waiting(after: 0) }

    init(_ place: Place) { self.place = place }
}

/// A piece of a clear.
package struct ClearStep: Sendable {
    /// How many were taken away, by what they were.
    package var removed: [RunState: Int64]
    /// Nil: nothing is left to look at.
    package var next: ClearCursor?
}

extension ClearRequest {
    var queue: String? { if case .queue(let name) = scope { name } else { nil } }
    var job: String? { if case .job(let name) = scope { name } else { nil } }

    /// Which of its states a table has.
    func states(at place: ClearCursor.Place) -> Set<RunState> {
        switch place {
        case .waiting: states.filter(\.isWaiting)
        case .lane, .queued: states.intersection([.queued])
        case .finished: states.filter(\.isTerminal)
        }
    }

    /// Where to go on behind a table.
    func place(behind place: ClearCursor.Place) -> ClearCursor.Place? {
        switch place {
        case .waiting: queue == nil ? .queued(after: 0) : .lane(rank: .min, job: "", position: 0)
        case .lane, .queued: .finished(after: 0)
        case .finished: nil
        }
    }
}
