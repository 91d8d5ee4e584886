/// The versions of one plugin, from the first sight of new bytes until the old ones are gone.
///
/// Work on candidates never overlaps, and the latest wish wins: what comes while an older candidate is being looked at is looked at
/// next, and what came in between is skipped. What serves keeps serving until something better is ready. A wish for a trial takes no
/// place of one that is to serve: the trial begins beside it.
package struct ReloadStateMachine: Sendable {
    /// What a candidate is wanted for.
    package enum Goal: Hashable, Sendable {
        /// It is loaded once and kept in the store.
        case keep
        /// It serves all runs.
        case serve
        /// It serves some of them, on trial.
        case trial
    }

    package struct Request: Hashable, Sendable {
        package enum What: Hashable, Sendable {
            /// Whatever the plugin's file holds now.
            case file
            /// These bytes, which are in the store.
            case image(String)
        }

        /// Unique: whose answer it is.
        package var number: Int
        package var what: What
        package var goal: Goal
        /// Somebody is to be asked whether it may serve.
        package var asks: Bool
        /// It takes the place of one that has failed: that one is no version to go back to.
        package var isRollback: Bool
        /// Nobody wants it but the one that has failed, which is named here: whatever else is wanted goes on, and nothing is to be done
        /// once that one serves no more.
        package var takesBack: String?

        package init(
            _ number: Int, _ what: What, goal: Goal = .serve, asks: Bool = true, isRollback: Bool = false,
            takesBack: String? = nil
        ) {
            self.number = number
            self.what = what
            self.goal = goal
            self.asks = asks
            self.isRollback = isRollback
            self.takesBack = takesBack
        }
    }

    package enum Candidate: Equatable, Sendable {
        case none
        /// The file is being copied, hashed and checked.
        case verifying(Request)
        /// These bytes are being loaded.
        case warming(String, Request)
        /// They are ready, and somebody is being asked.
        case asking(String, Request)

        package var request: Request? {
            switch self {
            case .none: nil
            case .verifying(let request), .warming(_, let request), .asking(_, let request): request
            }
        }

        package var hash: String? {
            switch self {
            case .none, .verifying: nil
            case .warming(let hash, _), .asking(let hash, _): hash
            }
        }
    }

    package enum Answer: Hashable, Sendable {
        case serves, onTrial, staged, unchanged, superseded, disabled
        case held
        case rejected(String)
    }

    package enum Order: Equatable, Sendable {
        /// Take the file into the store and check it.
        case ingest
        /// Start a zygote for these bytes, and a first child.
        case load(String)
        /// Ask whether they may serve.
        case ask(String)
        /// New attempts go to these bytes from now on; then tell the request's owner.
        case serve(String, replaces: String?, request: Int?)
        /// Some of the new attempts go to these bytes.
        case beginTrial(String, request: Int)
        /// They serve nothing any more: let them drain.
        case retire(String)
        /// They serve nothing any more, but stay loaded for a while: somebody may want them back.
        case keepWarm(String)
        case answer(Int, Answer)
    }

    package private(set) var candidate = Candidate.none
    /// What comes after the candidate. At most one of them is to serve, the latest, and one is to be tried.
    private var queue: [Request] = []
    /// Serves now.
    package private(set) var active: String?
    /// Is on trial beside it.
    package private(set) var canary: String?
    /// Served before the active one, the latest first.
    package private(set) var previous: [String] = []
    /// The latest of them, as long as it is loaded.
    package private(set) var warm: String?
    /// It stands in for the active one: it stays.
    package var isStandingIn = false
    /// Ready, and not allowed to serve.
    package private(set) var held: String?
    /// Versions that finish their attempts.
    package private(set) var draining: Set<String> = []
    /// Why the newest bytes cannot be served; nil when they can.
    package private(set) var rejection: String?
    /// The zygote of the active version died too often.
    package private(set) var isCrashLooping = false
    /// The file is gone, or all are to do without.
    package private(set) var isRemoved = false
    package private(set) var isDisabled = false
    /// What serves again when the plugin is enabled.
    package private(set) var resting: String?
    /// The wish of a file that is gone, under way still.
    private var unwanted: Int?
    /// How often in a row bytes were skipped because newer ones had come.
    private var skips = 0

    /// So many versions are kept to go back to.
    package static let kept = 2
    /// A file that changes faster than it can be loaded is served now and then all the same.
    package static let skipsAtMost = 3
    /// Wishes that wait, at most.
    private static let queueLimit = 16

    package init() {}

    /// Nothing is under way or waiting.
    package var isIdle: Bool { self.candidate == .none && self.queue.isEmpty }

    /// Something newer waits for the end of the work on a candidate.
    package var isWaitedFor: Bool { self.candidate != .none && self.isStale }

    /// These bytes serve, or may at once: they must stay loaded.
    package func uses(_ hash: String) -> Bool { hash == self.active || hash == self.canary || hash == self.warm }

    /// Bytes that must stay in the store.
    package var needed: Set<String> {
        var needed = self.draining.union(self.previous)
        for hash in [self.active, self.canary, self.held, self.resting, self.warm, self.candidate.hash] {
            if let hash { needed.insert(hash) }
        }
        for case .image(let hash) in self.queue.map(\.what) { needed.insert(hash) }
        return needed
    }

    // MARK: Wishes

    /// The file is there, or has changed; or somebody wants certain bytes.
    package mutating func wanted(_ request: Request) -> [Order] {
        if request.goal != .keep { self.isRemoved = false }
        guard self.candidate == .none else { return self.enqueue(request) }
        return self.begin(request)
    }

    private mutating func enqueue(_ request: Request) -> [Order] {
        guard request.takesBack == nil else {
            let waiting = self.queue.filter { $0.takesBack != nil }
            self.queue.removeAll { $0.takesBack != nil }
            // First what is known to be better, then what may be.
            self.queue.insert(request, at: 0)
            return waiting.map { .answer($0.number, .superseded) }
        }
        var orders: [Order] = []
        if request.goal != .keep {
            let isOver = { (waiting: Request) in Self.overtakes(request, waiting) }
            orders = self.queue.filter(isOver).map { .answer($0.number, .superseded) }
            self.queue.removeAll(where: isOver)
        } else if self.queue.count >= Self.queueLimit {
            return [.answer(request.number, .superseded)]
        }
        self.queue.append(request)
        return orders
    }

    /// Whether a wish makes an earlier one pointless. The state of a file says nothing about whether the version that serves is to be
    /// taken back, and a trial takes nobody's place.
    private static func overtakes(_ new: Request, _ old: Request) -> Bool {
        guard new.goal != .keep, old.goal != .keep, new.takesBack == nil else { return false }
        if new.goal == .trial { return old.goal == .trial }
        return old.takesBack == nil || new.what != .file
    }

    private mutating func begin(_ request: Request) -> [Order] {
        if self.isPointless(request) { return self.end(request, .superseded) }
        switch request.what {
        case .file:
            self.candidate = .verifying(request)
            return [.ingest]
        case .image(let hash): return self.load(hash, request)
        }
    }

    private mutating func load(_ hash: String, _ request: Request) -> [Order] {
        if hash == self.active || (hash == self.canary && request.what == .file) {
            self.rejection = nil
            return self.end(request, .unchanged)
        }
        self.candidate = .warming(hash, request)
        return [.load(hash)]
    }

    /// The file is gone, or all are to do without the plugin: it retires.
    package mutating func removed() -> [Order] {
        var orders: [Order] = self.queue.map { .answer($0.number, .superseded) }
        self.queue = []
        self.isRemoved = true
        self.rejection = nil
        self.held = nil
        self.isCrashLooping = false
        self.resting = nil
        orders += self.stopServing()
        self.previous = []
        return orders
    }

    /// The file is gone, and what serves did not come from it: nobody wants any more what the file held.
    /// - Parameter dropsHeld: what is held came from there.
    package mutating func fileRemoved(dropsHeld: Bool) -> [Order] {
        let over = self.queue.filter { $0.what == .file }
        self.queue.removeAll { $0.what == .file }
        if let request = self.candidate.request, request.what == .file { self.unwanted = request.number }
        self.rejection = nil
        if dropsHeld { self.held = nil }
        return over.map { .answer($0.number, .superseded) }
    }

    private mutating func stopServing() -> [Order] {
        var orders: [Order] = []
        for hash in [self.active, self.canary, self.warm] {
            guard let hash else { continue }
            self.draining.insert(hash)
            orders.append(.retire(hash))
        }
        self.active = nil
        self.canary = nil
        self.warm = nil
        self.isStandingIn = false
        return orders
    }

    /// It serves nothing until it is enabled.
    package mutating func disabled() -> [Order] {
        guard !self.isDisabled else { return [] }
        self.isDisabled = true
        self.isCrashLooping = false
        self.resting = self.active ?? self.resting
        return self.stopServing()
    }

    /// - Returns: what to want now; nil: nothing.
    package mutating func enabled() -> String? {
        self.isDisabled = false
        return self.resting
    }

    // MARK: What became of the orders

    /// The bytes are in the store under this hash.
    package mutating func ingested(_ hash: String) -> [Order] {
        guard case .verifying(let request) = self.candidate else { return [] }
        if self.isRemoved || self.isUnwanted(request) { return self.end(request, .superseded) }
        if self.isStale, self.skips < Self.skipsAtMost {
            self.skips += 1
            return self.end(request, .superseded)
        }
        self.candidate = .none
        return self.load(hash, request)
    }

    /// The bytes cannot be taken into the store: no shared library, or unreadable.
    package mutating func ingestFailed(_ why: String) -> [Order] {
        guard case .verifying(let request) = self.candidate else { return [] }
        return self.reject(request, why)
    }

    /// They are ready.
    package mutating func loaded(_ hash: String) -> [Order] {
        guard case .warming(hash, let request) = self.candidate else { return [] }
        if self.mustDrop(hash, request) { return self.drop(hash, request) }
        if request.goal == .keep { return self.let(hash, request, .staged) }
        if request.asks {
            self.candidate = .asking(hash, request)
            return [.ask(hash)]
        }
        return self.place(hash, request)
    }

    /// They cannot be served.
    package mutating func refused(_ hash: String, _ why: String) -> [Order] {
        guard case .warming(hash, let request) = self.candidate else { return [] }
        return self.reject(request, why)
    }

    package mutating func allowed(_ hash: String) -> [Order] {
        guard case .asking(hash, let request) = self.candidate else { return [] }
        return self.mustDrop(hash, request) ? self.drop(hash, request) : self.place(hash, request)
    }

    /// They may not serve.
    package mutating func denied(_ hash: String) -> [Order] {
        guard case .asking(hash, let request) = self.candidate else { return [] }
        if self.mustDrop(hash, request) { return self.drop(hash, request) }
        self.held = hash
        self.rejection = nil
        return self.let(hash, request, .held)
    }

    /// The trial was passed.
    package mutating func promoted(_ hash: String) -> [Order] {
        guard hash == self.canary else { return [] }
        return self.serve(hash, request: nil, isRollback: false)
    }

    /// The trial was not passed, or is not wanted any more.
    package mutating func trialEnded(_ hash: String) -> [Order] {
        guard hash == self.canary else { return [] }
        self.canary = nil
        return self.release(hash)
    }

    /// What serves is worse than what served before, which is still loaded and takes its place.
    /// - Returns: nil: it is not loaded; want it.
    package mutating func takenBack(_ hash: String) -> [Order]? {
        guard hash == self.active, let last = self.previous.first, last == self.warm else { return nil }
        return self.serve(last, request: nil, isRollback: true)
    }

    /// The time is over for which the version before is kept loaded.
    package mutating func cooled() -> [Order] {
        guard let warm = self.warm, !self.isStandingIn else { return [] }
        self.warm = nil
        return self.release(warm)
    }

    /// The version before was loaded again, to stand in.
    package mutating func warmed(_ hash: String) {
        guard hash == self.previous.first else { return }
        self.warm = hash
        self.draining.remove(hash)
    }

    /// Nothing of a draining version is left.
    package mutating func retired(_ hash: String) { self.draining.remove(hash) }

    /// The zygote of the active version died, or has come back.
    package mutating func crashLoop(_ hash: String, _ isLooping: Bool) {
        if hash == self.active { self.isCrashLooping = isLooping }
    }

    /// Nobody can go back to it any more.
    /// - Returns: false: it is in use.
    package mutating func forget(_ hash: String) -> Bool {
        guard hash != self.active, hash != self.canary, hash != self.warm, hash != self.resting,
            hash != self.candidate.hash, !self.draining.contains(hash)
        else { return false }
        self.previous.removeAll { $0 == hash }
        if self.held == hash { self.held = nil }
        return true
    }

    // MARK: Inside

    /// Something newer takes the candidate's place.
    private var isStale: Bool {
        guard let request = self.candidate.request else { return false }
        return self.queue.contains { request.goal == .keep ? $0.goal != .keep : Self.overtakes($0, request) }
    }

    /// What it was to take the place of serves no more.
    private func isPointless(_ request: Request) -> Bool { request.takesBack.map { $0 != self.active } ?? false }

    private func isUnwanted(_ request: Request) -> Bool { request.number == self.unwanted }

    /// Nobody wants the candidate any more. A newer state of the same file is no reason: it would starve one that changes often.
    /// And who wants the same once more wants it all the same.
    private func mustDrop(_ hash: String, _ request: Request) -> Bool {
        if self.isRemoved { return request.goal != .keep }
        return self.isPointless(request) || self.isUnwanted(request)
            || self.queue.contains {
                Self.overtakes($0, request) && $0.what != .file && !($0.what == .image(hash) && $0.goal == request.goal)
            }
    }

    private mutating func drop(_ hash: String, _ request: Request) -> [Order] {
        self.let(hash, request, .superseded)
    }

    /// The candidate is loaded, and not needed so.
    private mutating func `let`(_ hash: String, _ request: Request, _ answer: Answer) -> [Order] {
        self.candidate = .none
        let orders = self.end(request, answer)
        // The next wish may be for the same bytes.
        return self.candidate.hash == hash ? orders : self.release(hash) + orders
    }

    /// Lets bytes drain, unless they are needed loaded.
    private mutating func release(_ hash: String) -> [Order] {
        guard hash != self.active, hash != self.canary, hash != self.warm else { return [] }
        self.draining.insert(hash)
        return [.retire(hash)]
    }

    private mutating func place(_ hash: String, _ request: Request) -> [Order] {
        self.candidate = .none
        self.rejection = nil
        self.held = nil
        self.skips = 0
        if self.isDisabled {
            // What is only to be tried must not serve all runs later.
            if request.goal == .serve { self.resting = hash }
            return self.let(hash, request, .disabled)
        }
        guard request.goal == .trial, self.active != nil else {
            return self.serve(hash, request: request.number, isRollback: request.isRollback) + self.beginNext()
        }
        let old = self.canary
        self.canary = hash
        self.draining.remove(hash)
        var orders: [Order] = [.beginTrial(hash, request: request.number)]
        if let old, old != hash { orders += self.release(old) }
        return orders + self.beginNext()
    }

    private mutating func serve(_ hash: String, request: Int?, isRollback: Bool) -> [Order] {
        let old = self.active
        let trial = self.canary
        let warm = self.warm
        self.active = hash
        self.canary = nil
        self.resting = nil
        self.isCrashLooping = false
        self.isStandingIn = false
        self.draining.remove(hash)
        self.previous.removeAll { $0 == hash || $0 == old }
        if let old, !isRollback { self.previous.insert(old, at: 0) }
        self.previous = Array(self.previous.prefix(Self.kept))
        self.warm = isRollback ? nil : old
        var orders: [Order] = [.serve(hash, replaces: old, request: request)]
        for gone in [warm, trial] {
            if let gone, gone != hash, gone != old { orders += self.release(gone) }
        }
        guard let old else { return orders }
        if isRollback { return orders + self.release(old) }
        return orders + [.keepWarm(old)]
    }

    private mutating func reject(_ request: Request, _ why: String) -> [Order] {
        // A newer change makes the answer about an older one pointless.
        guard !self.isStale, !self.isRemoved, !self.isUnwanted(request) else {
            return self.end(request, .rejected(why))
        }
        self.rejection = why
        return self.end(request, .rejected(why))
    }

    private mutating func end(_ request: Request, _ answer: Answer) -> [Order] {
        self.candidate = .none
        return [.answer(request.number, answer)] + self.beginNext()
    }

    private mutating func beginNext() -> [Order] {
        guard self.candidate == .none, !self.queue.isEmpty else { return [] }
        return self.begin(self.queue.removeFirst())
    }
}
