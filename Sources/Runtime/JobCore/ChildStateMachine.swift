/// How a process ended. Never 128+n.
package enum ProcessExit: Hashable, Sendable {
    case code(Int32)
    case signal(Int32)
}

/// One dispatch of an attempt: a child from the request to fork it until its process tree is proven empty.
///
/// Facts come from three sources that do not wait for each other: the child's own frames, its keeper (who forked it and
/// holds its zombie), and the tree. The machine accepts them in every order in which a correct child and keeper can be
/// seen, and answers with the one thing to do next. A death before STARTED may be made good by another child.
package struct ChildStateMachine: Sendable {
    /// How far the child itself has said to be.
    package enum Stage: Int, Comparable, Sendable {
        /// It has said nothing.
        case silent
        /// Its supervision thread listens.
        case up
        /// The handler was about to be called: from here on the attempt counts.
        case started
        /// It has said how it ended.
        case finished

        package static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
    }

    /// What the keeper and the tree have told.
    package enum Life: Equatable, Sendable {
        /// The keeper was asked for a child.
        case spawning
        case alive
        /// The leader has ended; what is left of its tree is being killed.
        case sweeping(ProcessExit?)
        /// Nothing of it is left.
        case gone(ProcessExit?)
    }

    package enum Order: Equatable, Sendable {
        case nothing
        /// The handler begins: tell everybody.
        case announceStart
        /// The leader is gone: kill what it left and prove that the tree is empty.
        case sweep
        /// Nothing happened that counts: start another child for the same attempt.
        case redispatch
        /// Everything is known: report.
        case report
        /// The child broke the protocol: kill it.
        case fault(String)
    }

    package private(set) var stage = Stage.silent
    package private(set) var life = Life.spawning
    /// Whether the keeper could not make a child at all.
    package private(set) var spawnFailed = false
    /// Whether the keeper died before it could tell how the child ended.
    package private(set) var isKeeperLost = false
    /// More children may be tried, should this one die before STARTED.
    private var redispatches: Int

    package init(redispatches: Int) { self.redispatches = redispatches }

    // MARK: What the keeper says

    package mutating func spawned() -> Order {
        switch self.life {
        case .spawning:
            self.life = .alive
            return .nothing
        case .alive: return .fault("the keeper reported one child twice")
        // The keeper's word may be read after its death was noticed.
        case .sweeping, .gone: return .nothing
        }
    }

    /// No child was made, so there is no tree either.
    package mutating func couldNotSpawn() -> Order {
        guard case .spawning = self.life else { return .nothing }
        self.spawnFailed = true
        self.life = .gone(nil)
        return self.conclusion
    }

    /// The leader has ended. All its frames have been given to the machine before.
    package mutating func exited(_ exit: ProcessExit) -> Order {
        switch self.life {
        case .spawning, .alive:
            self.life = .sweeping(exit)
            return .sweep
        case .sweeping(nil):
            // The keeper was thought lost, and its last word came after all.
            self.life = .sweeping(exit)
            return .nothing
        case .sweeping, .gone: return .nothing
        }
    }

    /// The keeper is gone and will not tell the exit any more.
    package mutating func keeperLost() -> Order {
        switch self.life {
        case .spawning, .alive:
            self.isKeeperLost = true
            self.life = .sweeping(nil)
            return .sweep
        case .sweeping, .gone: return .nothing
        }
    }

    // MARK: What the child says

    package mutating func up() -> Order { self.advance(to: .up, from: .silent) }

    package mutating func started() -> Order {
        if case .gone = self.life { return .nothing }
        let order = self.advance(to: .started, from: .up)
        return order == .nothing ? .announceStart : order
    }

    /// RESULT, FAILURE or SNOOZE is complete.
    package mutating func finished() -> Order { self.advance(to: .finished, from: .started) }

    private mutating func advance(to next: Stage, from expected: Stage) -> Order {
        if case .gone = self.life { return .nothing }
        guard self.stage == expected else {
            return .fault("the child said \(next) when it was \(self.stage)")
        }
        self.stage = next
        return .nothing
    }

    // MARK: What the tree says

    /// No process of the tree is left, or those that are cannot be killed and nobody waits for them any longer.
    package mutating func emptied() -> Order {
        guard case .sweeping(let exit) = self.life else { return .nothing }
        self.life = .gone(exit)
        return self.conclusion
    }

    /// Somebody wants the attempt to end: a death is final now.
    package mutating func stopWanted() { self.redispatches = 0 }

    private var conclusion: Order {
        self.stage < .started && self.redispatches > 0 ? .redispatch : .report
    }

    /// The exit, once known.
    package var exit: ProcessExit? {
        switch self.life {
        case .spawning, .alive: nil
        case .sweeping(let exit), .gone(let exit): exit
        }
    }

    /// Begins anew with another child. Only after `redispatch`.
    package mutating func redispatched() {
        guard case .gone = self.life, self.stage < .started, self.redispatches > 0 else {
            preconditionFailure("nothing to dispatch again")
        }
        self = ChildStateMachine(redispatches: self.redispatches - 1)
    }
}
