import JobCore
import JobStore
import UVLoop

/// One plugin on this host: what all hosts are to serve of it, what this one serves, and what lies between. Pure: time is an
/// argument.
struct PluginPlace {
    /// What to do next so that this host serves what it should.
    enum Step: Equatable {
        case nothing
        case serve(String)
        case beginCanary(PluginRow.Canary)
        case endCanary
        case retire
        case disable
        case enable
    }

    /// Why a version that this host should have is not here.
    struct Failure: Equatable {
        var sha256: String
        var words: String
        /// False: it may come any moment, and what serves may go on until then.
        var isFinal: Bool
        /// The decision that asked for it: another one is another chance.
        var revision: Int64
        var firstAt: LoopInstant
        var retryAt: LoopInstant
        var tries: Int
    }

    /// Bytes that are not in the database after this long will not come: their host is gone.
    static let patience: Duration = .seconds(60)
    private static let firstPause: Duration = .seconds(2)
    private static let longestPause: Duration = .seconds(60)

    let name: String
    /// As it was seen last.
    var row: PluginRow?
    /// What this host serves.
    var active: String?
    /// What it tries beside that.
    var canary: String?
    /// What it has and was not allowed to serve, with the reason.
    var held: (sha256: String, words: String)?
    var isDisabled = false
    /// What it has and the others cannot have, with the reason.
    var unshared: (sha256: String, words: String)?
    /// Every handler that it has served here.
    var handlers: Set<String> = []
    /// Its file was taken away here: until the next decision this host goes without.
    var renounced: Int64?
    private(set) var failure: Failure?
    /// A step is being taken.
    var isMoving = false
    /// Something was announced since the last failure: what a step under way does not find may be there by its end.
    private var wasHinted = false

    init(name: String) { self.name = name }

    /// - Parameter isDeciding: this host has decided something that is not written yet.
    func step(isDeciding: Bool, now: LoopInstant) -> Step {
        guard let row, row.revision > 0, !isDeciding, !self.isMoving else { return .nothing }
        if row.isDisabled != self.isDisabled { return row.isDisabled ? .disable : .enable }
        if row.isDisabled { return .nothing }
        guard row.active == self.active else {
            guard let wanted = row.active else { return .retire }
            return self.renounced == row.revision || !self.mayTry(wanted, now) ? .nothing : .serve(wanted)
        }
        guard row.canary?.sha256 != self.canary else { return .nothing }
        guard let wanted = row.canary else { return .endCanary }
        return self.mayTry(wanted.sha256, now) ? .beginCanary(wanted) : .nothing
    }

    private func mayTry(_ sha256: String, _ now: LoopInstant) -> Bool {
        guard let failure, failure.sha256 == sha256, failure.revision == self.row?.revision else { return true }
        return now >= failure.retryAt
    }

    /// It cannot be had, or not yet.
    mutating func failed(_ sha256: String, _ words: String, isTransient: Bool, now: LoopInstant) {
        let revision = self.row?.revision ?? 0
        let before = self.failure.flatMap { $0.sha256 == sha256 && $0.revision == revision ? $0 : nil }
        let firstAt = before?.firstAt ?? now
        let tries = (before?.tries ?? 0) + 1
        let isFinal = !isTransient || now - firstAt >= Self.patience || before?.isFinal == true
        let pause: Duration
        if self.wasHinted {
            pause = .zero
        } else {
            pause = isTransient ? Self.firstPause : min(Self.firstPause * (1 << min(tries, 6)), Self.longestPause)
        }
        self.wasHinted = false
        self.failure = Failure(
            sha256: sha256, words: words, isFinal: isFinal, revision: revision, firstAt: firstAt,
            retryAt: now.advanced(by: pause), tries: tries)
    }

    mutating func succeeded() { self.failure = nil }

    /// A step was taken, whether or not there was anything to do for it.
    mutating func took(_ step: Step) {
        self.failure = nil
        self.wasHinted = false
        switch step {
        case .nothing: break
        case .serve(let sha256): self.active = sha256
        case .beginCanary(let canary): self.canary = canary.sha256
        case .endCanary: self.canary = nil
        case .retire:
            self.active = nil
            self.canary = nil
        case .disable:
            self.isDisabled = true
            self.canary = nil
        case .enable: self.isDisabled = false
        }
    }

    /// Something was announced: what was missing may be there now.
    mutating func hinted(now: LoopInstant) {
        self.failure?.retryAt = now
        self.wasHinted = self.isMoving
    }

    /// Whether its handlers get no runs here: others serve a version that cannot be loaded here, and what still runs here is
    /// not what all are to serve.
    var isBlocked: Bool {
        guard let failure, failure.isFinal, let wanted = self.row?.wanted else { return false }
        return failure.sha256 == wanted && self.active != wanted
    }

    /// What this host says of it to the others.
    var note: PluginHostNote {
        let alone = [self.active, self.canary, self.held?.sha256].contains(self.unshared?.sha256) ? self.unshared : nil
        let problem = self.failure?.words ?? self.held?.words ?? alone.map { "other hosts cannot have it: \($0.words)" }
        let candidate = self.canary ?? self.held?.sha256 ?? self.failure?.sha256
        return PluginHostNote(
            plugin: self.name, sha256: self.isDisabled ? nil : self.active, candidate: candidate, state: self.state,
            problem: problem)
    }

    private var state: String {
        if self.isDisabled { return "disabled" }
        if let failure { return failure.isFinal ? "failed" : "waiting" }
        if self.isMoving { return "loading" }
        if self.canary != nil { return "canary" }
        if self.held != nil { return "held" }
        return self.active == nil ? "retired" : "active"
    }
}
