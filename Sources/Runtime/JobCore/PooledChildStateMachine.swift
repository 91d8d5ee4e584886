/// The life of a child that is made before a run needs it (spare), or serves one run after the other (pooled).
///
/// What happens within a run is its attempt's business (`ChildStateMachine`); this is what happens around runs. Time is an
/// argument: a `Duration` on any clock that only goes forward.
package struct PooledChildStateMachine: Sendable {
    package enum Kind: Sendable {
        /// Serves one run, and ends with it.
        case spare
        case pooled
    }

    /// When a child has served long enough.
    package struct Bounds: Hashable, Sendable {
        package var runs: Int
        package var age: Duration
        /// Beyond what it had after its first run.
        package var growthBytes: Int64
        /// Without a run.
        package var idle: Duration

        package init(runs: Int, age: Duration, growthBytes: Int64, idle: Duration) {
            self.runs = runs
            self.age = age
            self.growthBytes = growthBytes
            self.idle = idle
        }
    }

    /// What it found when it looked at itself after a run.
    package struct Audit: Hashable, Sendable {
        /// Status of the handler's `reset`; 0: done, or there is none.
        package var resetStatus: Int32
        /// Descendants that have not ended, descriptors and threads that were not there before.
        package var processes: Int
        package var descriptors: Int
        package var threads: Int
        /// Resident now; 0: not known.
        package var rssBytes: Int64
        /// It could not put back what the run changed.
        package var isUnfit: Bool

        package var isClean: Bool {
            self.resetStatus == 0 && self.processes == 0 && self.descriptors == 0 && self.threads == 0 && !self.isUnfit
        }

        package init(
            resetStatus: Int32 = 0, processes: Int = 0, descriptors: Int = 0, threads: Int = 0, rssBytes: Int64 = 0,
            isUnfit: Bool = false
        ) {
            self.resetStatus = resetStatus
            self.processes = processes
            self.descriptors = descriptors
            self.threads = threads
            self.rssBytes = rssBytes
            self.isUnfit = isUnfit
        }
    }

    package enum State: Equatable, Sendable {
        /// Its zygote was asked for it.
        case starting
        /// Takes a run; since when it waits.
        case waiting(since: Duration)
        /// An attempt has it.
        case running
        /// It is told to end, or has said why it must; nobody gets it any more.
        case leaving
        case gone
    }

    package enum Order: Equatable, Sendable {
        case nothing
        /// It can be given a run.
        case offer
        /// The run is over, and the child has gone on with the next one that it was given.
        case proceed
        /// The run is over, and the child has to end before the run is reported.
        case recycle(String)
        /// Nobody's run is in it: end it.
        case dismiss
        /// It has died with nobody's run in it: prove its tree empty.
        case bury
        /// It said what it may not say now: kill it.
        case fault(String)
    }

    package private(set) var state: State
    package let kind: Kind
    private let bounds: Bounds
    private let born: Duration
    /// Runs that have ended in it.
    package private(set) var runs = 0
    /// Resident after its first run.
    private var firstRSSBytes: Int64 = 0
    /// It ends after the present run.
    private var isUnwanted = false

    /// `forRun`: it is made for an attempt that is there.
    package init(_ kind: Kind, bounds: Bounds, forRun: Bool, at now: Duration) {
        self.kind = kind
        self.bounds = bounds
        self.born = now
        self.state = forRun ? .running : .starting
    }

    // MARK: Facts

    /// It listens.
    package mutating func up(at now: Duration) -> Order {
        switch self.state {
        case .starting:
            self.state = .waiting(since: now)
            return .offer
        case .leaving, .gone: return .nothing
        case .waiting, .running: return .fault("a child came up twice")
        }
    }

    /// An attempt takes it. Only while it waits.
    package mutating func taken() {
        guard case .waiting = self.state else { preconditionFailure("a child was taken that does not wait") }
        self.state = .running
    }

    /// The run is over, and it has looked at itself.
    package mutating func idle(_ audit: Audit, at now: Duration) -> Order {
        guard case .running = self.state, self.kind == .pooled else {
            return .fault("a child said that its run was over when it had none")
        }
        self.runs += 1
        if self.runs == 1 { self.firstRSSBytes = audit.rssBytes }
        if let reason = self.reasonToEnd(audit, now) {
            self.state = .leaving
            return .recycle(reason)
        }
        self.state = .waiting(since: now)
        return .offer
    }

    /// The run is over, nothing of it is left, and the child has gone on with a run that it was given ahead of its time. What would
    /// end it ends it when it has none of those any more.
    package mutating func wentOn(_ audit: Audit, at now: Duration) -> Order {
        guard case .running = self.state, self.kind == .pooled, audit.isClean else {
            return .fault("a child went on with another run when it could not")
        }
        self.runs += 1
        if self.runs == 1 { self.firstRSSBytes = audit.rssBytes }
        if audit.rssBytes - self.firstRSSBytes > self.bounds.growthBytes || now - self.born >= self.bounds.age {
            self.isUnwanted = true
        }
        return .proceed
    }

    /// Whether it may be given a run while it has another and, behind that one, `count` that it was given already.
    package func mayTakeAhead(behind count: Int) -> Bool {
        guard case .running = self.state, self.kind == .pooled else { return false }
        // The first run shows whether it comes up.
        return !self.isUnwanted && self.runs > 0 && self.runs + count + 2 <= self.bounds.runs
    }

    private func reasonToEnd(_ audit: Audit, _ now: Duration) -> String? {
        if audit.processes > 0 { return "processes" }
        if audit.resetStatus != 0 { return "reset" }
        if audit.isUnfit { return "unfit" }
        if audit.descriptors > 0 { return "descriptors" }
        if audit.threads > 0 { return "threads" }
        if self.isUnwanted { return "retired" }
        if audit.rssBytes - self.firstRSSBytes > self.bounds.growthBytes { return "growth" }
        if self.runs >= self.bounds.runs { return "runs" }
        if now - self.born >= self.bounds.age { return "age" }
        return nil
    }

    /// Nobody wants it any more: its version is retired, the host goes, or memory is short. One that runs ends after its
    /// run.
    package mutating func unwanted() -> Order {
        switch self.state {
        case .starting, .waiting:
            self.state = .leaving
            return .dismiss
        case .running:
            self.isUnwanted = true
            return .nothing
        case .leaving, .gone: return .nothing
        }
    }

    /// Ends what has waited for too long, and what has become too old meanwhile.
    package mutating func tick(at now: Duration) -> Order {
        guard case .waiting(let since) = self.state,
            now - since >= self.bounds.idle || (self.kind == .pooled && now - self.born >= self.bounds.age)
        else { return .nothing }
        return self.unwanted()
    }

    /// Its process has ended, or its keeper has, which comes to the same. Within a run it is the attempt's business.
    package mutating func died() -> Order {
        defer { self.state = .gone }
        switch self.state {
        case .starting, .waiting: return .bury
        case .running, .leaving, .gone: return .nothing
        }
    }
}
