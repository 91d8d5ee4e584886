import JobCore
import JobStore
import Logging
import UVLoop

/// Which versions of handlers this host gives runs to: the shell of `QuarantineStateMachine`, one for each (handler, version).
///
/// Each host judges by its own attempts. What it decides is written to the database, where the others find it with their next
/// poll; of several hosts one at a time may try a version. While the database is away, decisions hold here and are written
/// later; nothing is tried meanwhile.
@LoopActor
final class QuarantineBook {
    struct Key: Hashable {
        let handler: String
        let version: String
    }

    private enum Change {
        case record(QuarantineStateMachine.Term)
        case lift
    }

    private let store: JobStore
    private let logger: Logger
    private let now: @LoopActor () -> WallTime
    private var machines: [Key: QuarantineStateMachine] = [:]
    /// What the database does not know yet.
    private var unsaved: [Key: Change] = [:]
    private var isSaving = false
    /// When a key was last changed here, as a count of changes: an answer that was asked for before says nothing about it.
    private var changes: [Key: UInt64] = [:]
    private var clock: UInt64 = 0
    private var lease: HostLease?
    /// Versions that this host, and no other, may try, and since when.
    private var permits: [Key: WallTime] = [:]
    /// How long a host without a free slot keeps the right to a trial.
    private static let patience: Duration = .seconds(30)
    /// So many counts of handlers of versions may be kept before those of versions that are gone are dropped.
    private static let remembered = 256
    private var asking: Set<Key> = []
    private let trialTimer = LoopTimer()
    /// Something may be admitted that was not, or the other way round.
    var onChange: (@LoopActor () -> Void)?
    /// Whether this host gives runs to a version: only such are tried.
    var isServed: @LoopActor (Key) -> Bool = { _ in true }
    /// Whether this host has no slot for a trial now.
    var isFull: @LoopActor () -> Bool = { false }
    /// A version has gone out of service, or (false) is back.
    var onTerm: (@LoopActor (Key, Bool) -> Void)?

    /// - Parameter now: the clock of this host.
    init(store: JobStore, logger: Logger, now: @escaping @LoopActor () -> WallTime = { .current }) {
        self.store = store
        self.logger = logger
        self.now = now
    }

    /// Nothing is out of service.
    var isClear: Bool { !self.machines.values.contains { $0.term != nil } }

    /// Whether a run may be given to a version now. `trial` only where this host may try it.
    func admission(_ handler: String, _ version: String) -> QuarantineStateMachine.Admission {
        let key = Key(handler: handler, version: version)
        let admission = self.machines[key]?.admission(at: self.now()) ?? .free
        guard admission == .trial, self.permits[key] == nil else { return admission }
        return .wait(until: nil)
    }

    // MARK: Facts

    /// A registration begins: what was permitted under an earlier one is not any more.
    /// Returns when it is known what is out of service, or that the database does not say.
    func begin(_ lease: HostLease) async {
        self.lease = lease
        self.permits = [:]
        await self.lookOnce()
    }

    func fenced() { self.lease = nil }

    func began(_ handler: String, _ version: String, _ attempt: AttemptKey) {
        self.machines[Key(handler: handler, version: version)]?.began(attempt.run, attempt.attempt)
    }

    func abandoned(_ handler: String, _ version: String, _ attempt: AttemptKey) {
        self.machines[Key(handler: handler, version: version)]?.abandoned(attempt.run, attempt.attempt)
    }

    func ended(_ handler: String, _ version: String, _ report: AttemptReport) {
        let key = Key(handler: handler, version: version)
        let wasTrying = self.machines[key]?.isTrying ?? false
        let effect = self.machines[key, default: QuarantineStateMachine()]
            .ended(report.runID, report.attempt, .init(report.outcome), at: self.now())
        switch effect {
        case .none:
            // A trial that says nothing makes room for the next one.
            if wasTrying, self.machines[key]?.isTrying == false { self.onChange?() }
        case .quarantined(let term):
            self.logger.error(
                "a version keeps crashing and is out of service",
                metadata: Self.words(key).merging([
                    "crashes": "\(term.crashes)", "attempts": "\(term.attempts)", "until": "\(term.until)",
                    "level": "\(term.level)",
                ]) { $1 })
            self.permits[key] = nil
            self.changed(key, .record(term))
            self.onTerm?(key, true)
            self.onChange?()
            self.armTrialTimer()
        case .cleared:
            self.logger.notice("a version that had crashed is served again", metadata: Self.words(key))
            self.permits[key] = nil
            self.machines[key] = nil
            self.changed(key, .lift)
            self.onTerm?(key, false)
            self.onChange?()
        }
    }

    /// Somebody has lifted it, in the database already.
    func lifted(_ handler: String, _ version: String) {
        let key = Key(handler: handler, version: version)
        guard self.machines[key]?.term != nil else { return }
        self.unsaved[key] = nil
        self.touch(key)
        self.liftedElsewhere(key)
        self.onChange?()
    }

    // MARK: The database

    /// Brings what is decided here to the database and what others have decided from there; asks for what may be tried.
    func look() {
        guard self.lease != nil else { return }
        loopTask { await self.lookOnce() }
    }

    func lookOnce() async {
        self.save()
        let asked = self.clock
        do {
            self.adopt(try await self.store.quarantines(), asked: asked)
            self.forgetTheGone()
            // Another host shall have its chance before this one asks again.
            if !self.giveBackTrials() { self.askForTrials() }
        } catch {
            self.logger.debug("no look at quarantines", metadata: ["error": "\(error)"])
        }
    }

    /// What versions did that are gone: each reload would leave its handlers' counts behind for ever.
    private func forgetTheGone() {
        guard self.machines.count > Self.remembered else { return }
        self.machines = self.machines.filter { key, machine in
            machine.term != nil || machine.isTrying || self.isServed(key)
        }
        self.changes = self.changes.filter { self.machines[$0.key] != nil || self.unsaved[$0.key] != nil }
    }

    private func adopt(_ rows: [QuarantineRow], asked: UInt64) {
        var isChanged = false
        var listed: Set<Key> = []
        for row in rows {
            let key = Key(handler: row.handler, version: row.version)
            listed.insert(key)
            guard self.changes[key] ?? 0 <= asked, self.unsaved[key] == nil else { continue }
            let before = self.machines[key]?.term
            self.machines[key, default: QuarantineStateMachine()].adopted(
                .init(
                    since: row.since, until: row.until, level: row.level, crashes: row.crashes, attempts: row.attempts))
            guard self.machines[key]?.term != before else { continue }
            // A right to try it was for the time before.
            self.permits[key] = nil
            isChanged = true
            guard before == nil else { continue }
            self.logger.notice(
                "a version is out of service, says the database",
                metadata: Self.words(key).merging(["until": "\(row.until)"]) { $1 })
            self.onTerm?(key, true)
        }
        for (key, machine) in self.machines where machine.term != nil && !listed.contains(key) {
            guard self.changes[key] ?? 0 <= asked, self.unsaved[key] == nil else { continue }
            isChanged = true
            self.liftedElsewhere(key)
        }
        if isChanged { self.onChange?() }
        self.armTrialTimer()
    }

    private func liftedElsewhere(_ key: Key) {
        self.logger.notice("a version was let back into service", metadata: Self.words(key))
        self.machines[key]?.lifted()
        self.permits[key] = nil
        self.onTerm?(key, false)
    }

    private func changed(_ key: Key, _ change: Change) {
        self.unsaved[key] = change
        self.touch(key)
        self.save()
    }

    private func touch(_ key: Key) {
        self.clock += 1
        self.changes[key] = self.clock
    }

    /// Until all is written; what fails is tried again with the next look.
    private func save() {
        guard !self.isSaving, !self.unsaved.isEmpty else { return }
        self.isSaving = true
        loopTask {
            defer { self.isSaving = false }
            while let (key, change) = self.unsaved.first {
                let stamp = self.changes[key]
                do {
                    switch change {
                    case .record(let term): try await self.record(key, term)
                    case .lift: _ = try await self.store.liftQuarantine(handler: key.handler, version: key.version)
                    }
                } catch {
                    self.logger.warning("a quarantine waits for the database", metadata: ["error": "\(error)"])
                    return
                }
                // An answer to a question from before this was written must not undo it.
                if self.changes[key] == stamp {
                    self.unsaved[key] = nil
                    self.touch(key)
                }
            }
        }
    }

    private func record(_ key: Key, _ term: QuarantineStateMachine.Term) async throws(StoreError) {
        try await self.store.recordQuarantine(
            QuarantineRow(
                handler: key.handler, version: key.version, since: term.since, until: term.until, level: term.level,
                crashes: term.crashes, attempts: term.attempts,
                reason: "\(term.crashes) of its last \(term.attempts) attempts crashed"),
            pause: QuarantineStateMachine.pause(level: term.level))
    }

    // MARK: Trials

    /// Asks for the right to try each version whose pause is over.
    private func askForTrials() {
        guard let lease = self.lease else { return }
        for (key, machine) in self.machines
        where machine.admission(at: self.now()) == .trial && self.permits[key] == nil && !self.asking.contains(key)
            && self.isServed(key)
        {
            self.asking.insert(key)
            loopTask {
                do {
                    if try await self.store.takeTrial(lease, handler: key.handler, version: key.version),
                        lease == self.lease, self.machines[key]?.admission(at: self.now()) == .trial
                    {
                        self.permits[key] = self.now()
                        self.logger.notice("a version is tried again with one run", metadata: Self.words(key))
                        self.onChange?()
                    }
                } catch {
                    self.logger.debug("no right to a trial yet", metadata: ["error": "\(error)"])
                }
                self.asking.remove(key)
            }
        }
    }

    /// Gives back what this host does not come to: it serves another version by now, or has had no free slot for a while.
    /// - Returns: whether there was any.
    private func giveBackTrials() -> Bool {
        guard let lease = self.lease else { return false }
        let unused = self.permits.filter { key, since in
            self.machines[key]?.isTrying != true
                && (!self.isServed(key) || (self.isFull() && self.now() - since >= Self.patience))
        }
        for key in unused.keys {
            self.permits[key] = nil
            // Nor does it ask meanwhile: the answer would be older than the gift.
            self.asking.insert(key)
            loopTask {
                do {
                    try await self.store.giveBackTrial(lease, handler: key.handler, version: key.version)
                } catch {
                    // It is ours still, so the next question for it is answered yes.
                    self.logger.debug("a trial is not given back yet", metadata: ["error": "\(error)"])
                }
                self.asking.remove(key)
            }
        }
        if !unused.isEmpty { self.onChange?() }
        return !unused.isEmpty
    }

    /// At the end of the next pause; the poll is its safety net.
    private func armTrialTimer() {
        let now = self.now()
        let next = self.machines.values.compactMap { machine in machine.term.map(\.until) }.filter { $0 > now }.min()
        guard let next else { return self.trialTimer.stop() }
        self.trialTimer.start(after: max(next - now, .milliseconds(10))) { [weak self] in
            self?.askForTrials()
            self?.armTrialTimer()
        }
    }

    private static func words(_ key: Key) -> Logger.Metadata {
        ["handler": "\(key.handler)", "version": "\(key.version.prefix(12))"]
    }
}
