internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

/// What two attempts must have in common to run in children of one make: everything that is settled when a child is made.
struct ChildMake: Hashable {
    var version: String
    var kind: PooledChildStateMachine.Kind
    var memoryBytes: Int64
    /// Of a spare child; a pooled one gets its limit with each run.
    var cpu: Duration?
    var fileBytes: Int64?
    var openFiles: Int?
    var processes: Int?
    var execution: ResolvedExecution

    init(_ spec: AttemptSpec, _ kind: PooledChildStateMachine.Kind) {
        let limits = spec.limits
        self.version = spec.version
        self.kind = kind
        self.memoryBytes = limits.memoryBytes
        self.cpu = kind == .spare ? limits.cpu : nil
        self.fileBytes = limits.fileBytes
        self.openFiles = limits.openFiles
        self.processes = limits.processes
        self.execution = spec.execution
        // The host's own business, with each attempt.
        self.execution.outputPolicy = .drop
        self.execution.logPolicy = .block
        self.execution.logRetentionDays = nil
        self.execution.quarantine = true
    }

    /// Makes of one version differ in little else.
    func hash(into hasher: inout Hasher) {
        hasher.combine(self.version)
        hasher.combine(self.memoryBytes)
    }

    var bounds: PooledChildStateMachine.Bounds {
        PooledChildStateMachine.Bounds(
            runs: self.execution.poolRuns, age: self.execution.poolAge, growthBytes: self.execution.poolGrowthBytes,
            idle: ChildPool.idleLimit)
    }
}

/// Children without a run: spare ones that wait for theirs, and pooled ones between two.
///
/// Pooled children come back from attempts. Spare ones are made here, as many as have lately been missed.
@LoopActor
final class ChildPool {
    /// A child that nobody needed for so long is ended.
    nonisolated static let idleLimit = Duration.seconds(30)
    /// Spare children of one make, at most; more would only move the work of a flood of attempts.
    private static let sparesAtMost = 8
    /// After a spare child died by itself: no new ones for so long.
    private static let pauseAfterDeath = Duration.seconds(5)
    /// Below this part of the machine's memory, children that only wait are too much.
    private static let memoryReserve = 0.05

    private unowned let supervisor: Supervisor
    private let epoch = LoopInstant.now
    private var shelves: [ChildMake: Shelf] = [:]
    /// Pooled children within a run, some of which may have left it.
    private var serving: [ChildMake: [RunChild]] = [:]
    /// Waiting and starting, of all makes.
    private(set) var count = 0

    /// Children of one make.
    private struct Shelf {
        /// Newest last: what was used a moment ago is still warm.
        var waiting: [RunChild] = []
        var starting: [RunChild] = []
        /// How many spares there should be.
        var wanted = 0
        var lastTaken: LoopInstant
        var pausedUntil: LoopInstant?
        /// What a new spare is made after.
        var zygote: Zygote
        var limits: ResolvedLimits
    }

    init(supervisor: Supervisor) { self.supervisor = supervisor }

    private var now: Duration { .now - self.epoch }

    /// Process ids of those that wait.
    var waiting: [Int32] { self.shelves.values.flatMap { $0.waiting.compactMap(\.pid) } }

    // MARK: For attempts

    /// A child that waits, or nil. It has no owner any more.
    func take(_ make: ChildMake) -> RunChild? {
        guard self.shelves[make] != nil else { return nil }
        self.shelves[make]!.lastTaken = .now
        // One whose socket is closed has died, and its keeper is about to say so.
        guard let index = self.shelves[make]!.waiting.lastIndex(where: { $0.data >= 0 }) else { return nil }
        let child = self.shelves[make]!.waiting.remove(at: index)
        self.count -= 1
        child.life?.taken()
        self.serves(child, make)
        return child
    }

    /// Makes a child for an attempt into one that will come back.
    func adopt(_ child: RunChild, _ make: ChildMake) {
        child.make = make
        child.life = PooledChildStateMachine(make.kind, bounds: make.bounds, forRun: true, at: self.now)
        self.serves(child, make)
    }

    private func serves(_ child: RunChild, _ make: ChildMake) {
        guard make.kind == .pooled, make.execution.poolAhead > 0 else { return }
        if self.serving[make]?.contains(where: { $0 === child }) ?? false { return }
        self.serving[make, default: []].append(child)
    }

    /// A child within a run that may be sent one more. They are filled one after the other, each when it has used up half of what
    /// it had, so that one message carries several.
    func childWithRoom(_ make: ChildMake, most: Int) -> RunChild? {
        guard var children = self.serving[make] else { return nil }
        if children.contains(where: { $0.attempt == nil }) {
            children.removeAll { $0.attempt == nil }
            self.serving[make] = children.isEmpty ? nil : children
        }
        if let child = children.first(where: { $0.isFilling && $0.hasRoomAhead(most) }) { return child }
        let child = children.filter { $0.ahead.count <= most / 2 && $0.hasRoomAhead(most) }
            .min { $0.ahead.count < $1.ahead.count }
        child?.isFilling = true
        return child
    }

    /// The run in the child is over, and the child has gone on with the next. Returns what is wrong with that.
    func wentOn(_ child: RunChild, _ audit: PooledChildStateMachine.Audit) -> String? {
        if child.zygote.isRetired || self.supervisor.phase != .running { _ = child.life?.unwanted() }
        guard
            case .fault(let why) = child.life?.wentOn(audit, at: self.now)
                ?? .fault("a child that serves one attempt went on")
        else {
            return nil
        }
        return why
    }

    /// The run in the child is over.
    func audited(_ child: RunChild, _ audit: PooledChildStateMachine.Audit) -> PooledChildStateMachine.Order {
        if child.zygote.isRetired || self.supervisor.phase != .running { _ = child.life?.unwanted() }
        return child.life?.idle(audit, at: self.now)
            ?? .fault("a child that serves one attempt said that it could more")
    }

    /// It waits for the next run.
    func giveBack(_ child: RunChild) {
        guard let make = child.make, case .waiting = child.life?.state else {
            preconditionFailure("a child came back that does not wait")
        }
        self.count += 1
        self.shelves[make, default: self.shelf(child.zygote, child.limits)].waiting.append(child)
        if self.count > self.supervisor.configuration.slots { self.dismissOldest() }
    }

    /// An attempt wanted a spare child. Sees to it that the next one finds one.
    func refill(_ make: ChildMake, for attempt: Attempt, missed: Bool) {
        var shelf = self.shelves[make] ?? self.shelf(attempt.zygote, attempt.spec.limits)
        shelf.lastTaken = .now
        shelf.zygote = attempt.zygote
        shelf.limits = attempt.spec.limits
        let most = min(Self.sparesAtMost, max(1, self.supervisor.configuration.slots / 2))
        if missed || shelf.wanted == 0 { shelf.wanted = min(max(1, shelf.wanted * 2), most) }
        self.shelves[make] = shelf
        self.makeSpares(make)
    }

    private func shelf(_ zygote: Zygote, _ limits: ResolvedLimits) -> Shelf {
        Shelf(lastTaken: .now, zygote: zygote, limits: limits)
    }

    private func makeSpares(_ make: ChildMake) {
        guard self.supervisor.phase == .running else { return }
        while let shelf = self.shelves[make], shelf.waiting.count + shelf.starting.count < shelf.wanted,
            self.count < self.supervisor.configuration.slots, shelf.zygote.isReady
        {
            if let until = shelf.pausedUntil {
                if LoopInstant.now < until { return }
                self.shelves[make]!.pausedUntil = nil
            }
            let child = RunChild(zygote: shelf.zygote, supervisor: self.supervisor, limits: shelf.limits)
            child.make = make
            child.life = PooledChildStateMachine(.spare, bounds: make.bounds, forRun: false, at: self.now)
            do throws(LoopError) { try child.order(.init(make: make, limits: shelf.limits)) } catch {
                child.abandon()
                self.supervisor.logger.warning("a spare child cannot be made: \(error)")
                self.shelves[make]!.pausedUntil = LoopInstant.now.advanced(by: Self.pauseAfterDeath)
                return
            }
            self.shelves[make]!.starting.append(child)
            self.count += 1
        }
    }

    // MARK: What children without a run do

    func isUp(_ child: RunChild) {
        guard let make = child.make, let order = child.life?.up(at: self.now) else { return }
        switch order {
        case .offer:
            self.shelves[make]?.starting.removeAll { $0 === child }
            self.shelves[make]?.waiting.append(child)
        case .fault(let why): self.broke(child, why)
        case .nothing, .proceed, .recycle, .dismiss, .bury: break
        }
    }

    /// It said what it may not say, or closed what it may not close.
    func broke(_ child: RunChild, _ why: String) {
        // One that only has to come up is over by its end, or by its time.
        guard child.make != nil else { return }
        self.supervisor.logger.warning("a child without a run broke the rules and is ended: \(why)")
        self.perform(child.life?.unwanted() ?? .nothing, child, kill: true)
    }

    /// Its process or its keeper has ended. Returns who proves its tree empty.
    func died(_ child: RunChild) -> Attempt {
        if child.attempt != nil {
            // Its last word may be that it could take another run.
            _ = child.life?.unwanted()
            child.takeBack()
            child.drainData()
        }
        if let attempt = child.attempt { return attempt }
        _ = child.life?.died()
        if child.make?.kind == .spare, let make = child.make {
            self.shelves[make]?.pausedUntil = LoopInstant.now.advanced(by: Self.pauseAfterDeath)
        }
        self.remove(child)
        return self.supervisor.bury(child)
    }

    /// It was never made.
    func failed(_ child: RunChild, _ why: String) {
        _ = child.life?.died()
        self.supervisor.logger.warning("a spare child could not be made: \(why)")
        if let make = child.make {
            self.shelves[make]?.pausedUntil = LoopInstant.now.advanced(by: Self.pauseAfterDeath)
        }
        self.remove(child)
        child.leavePlace(isEmpty: true)
        child.forget(isKeeperLost: false)
    }

    // MARK: Ending what waits

    /// The supervisor's look, once a second.
    func tick(_ seconds: Int) {
        self.serving = self.serving.mapValues { $0.filter { $0.attempt != nil } }.filter { !$0.value.isEmpty }
        guard !self.shelves.isEmpty else { return }
        if seconds % 5 == 0, self.count > 0, Self.isMemoryShort {
            self.supervisor.logger.warning("memory is short: \(self.count) children that wait for a run are ended")
            self.dismissAll()
        }
        for (make, shelf) in self.shelves {
            for child in shelf.waiting { self.perform(child.life?.tick(at: self.now) ?? .nothing, child) }
            if LoopInstant.now - shelf.lastTaken >= Self.idleLimit { self.shelves[make]!.wanted = 0 }
            self.makeSpares(make)
            let left = self.shelves[make]!
            if left.waiting.isEmpty && left.starting.isEmpty && left.wanted == 0 { self.shelves[make] = nil }
        }
    }

    /// Ends all that wait, of one zygote or of all. Children within a run end after it.
    func dismissAll(of zygote: Zygote? = nil) {
        for (make, shelf) in self.shelves {
            if zygote == nil || shelf.zygote === zygote { self.shelves[make]!.wanted = 0 }
            // Of one make are children of every process that had the version.
            for child in shelf.waiting + shelf.starting where zygote == nil || child.zygote === zygote {
                self.perform(child.life?.unwanted() ?? .nothing, child)
            }
        }
    }

    private func dismissOldest() {
        let oldest = self.shelves.values.compactMap(\.waiting.first).min { $0.serial < $1.serial }
        if let oldest { self.perform(oldest.life?.unwanted() ?? .nothing, oldest) }
    }

    private func perform(_ order: PooledChildStateMachine.Order, _ child: RunChild, kill: Bool = false) {
        guard case .dismiss = order else { return }
        self.remove(child)
        let farewell = self.supervisor.bury(child)
        if kill { farewell.kill(.fault) } else { farewell.sayBye() }
    }

    private func remove(_ child: RunChild) {
        guard let make = child.make, var shelf = self.shelves[make] else { return }
        let before = shelf.waiting.count + shelf.starting.count
        shelf.waiting.removeAll { $0 === child }
        shelf.starting.removeAll { $0 === child }
        self.count -= before - shelf.waiting.count - shelf.starting.count
        self.shelves[make] = shelf
    }

    private static var isMemoryShort: Bool {
        var sizes: [String: Double] = [:]
        for line in (SmallFiles.text("/proc/meminfo") ?? "").split(separator: "\n").prefix(5) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            if words.count > 1 { sizes[String(words[0])] = Double(words[1]) }
        }
        guard let total = sizes["MemTotal"], let available = sizes["MemAvailable"] else { return false }
        return available < total * Self.memoryReserve
    }
}
