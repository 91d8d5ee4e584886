internal import CWire
internal import JobCore
internal import UVLoop

/// Runs that a pooled child is sent before it is done with the present one, so that it goes on without asking. Until it takes one
/// the host may have it back; which of the two has been faster, the board says.
extension RunChild {
    struct Offer {
        var attempt: Attempt
        var place: UInt32
        var number: UInt64
    }

    /// Whether it may be sent one more now.
    func hasRoomAhead(_ most: Int) -> Bool {
        guard let attempt, self.board != nil, self.data >= 0, attempt.ladder.cause == nil, !attempt.ladder.isFrozen,
            !self.zygote.isRetired
        else { return false }
        return self.life?.mayTakeAhead(behind: self.ahead.count) ?? false
            && self.aheadState.hasRoom(behind: self.ahead.count, most: most, at: Self.now)
    }

    /// Whether a run of the wire is one that it has ahead.
    func has(_ wireID: UInt64) -> Bool { self.ahead.contains { $0.attempt.spec.wireID == wireID } }

    /// To be sent with the next `flushAhead`.
    func offer(_ attempt: Attempt, environment: [UInt8]) {
        guard let place = self.board?.offer() else {
            preconditionFailure("a run is sent ahead to a child without a board")
        }
        self.unsent += self.order(attempt.spec, place: place, isAhead: true, environment)
        self.ahead.append(Offer(attempt: attempt, place: place, number: self.aheadState.sends()))
        attempt.holder = self
    }

    /// Sends what was offered.
    func flushAhead() {
        guard self.data >= 0, !self.unsent.isEmpty else { return }
        let bytes = self.unsent
        self.unsent = []
        self.write(bytes)
    }

    /// True: it has not begun and will not; it is nobody's now.
    func withdraw(_ attempt: Attempt) -> Bool {
        guard let index = self.ahead.firstIndex(where: { $0.attempt === attempt }),
            self.board?.withdraw(self.ahead[index].place) ?? false
        else { return false }
        self.ahead.remove(at: index)
        attempt.holder = nil
        self.supervisor.aheadCount -= 1
        return true
    }

    /// Gives back all that it has not begun. False: it has begun one.
    @discardableResult
    func takeBack() -> Bool {
        // The last first: so they lie in their order where they come from.
        for offer in self.ahead.reversed() where self.withdraw(offer.attempt) {
            self.supervisor.returned(offer.attempt)
        }
        return self.ahead.isEmpty
    }

    /// It is proven dead. What it had not taken has not begun, nor has what it had taken without a word, if all its words were heard.
    func loseAhead() {
        self.takeBack()
        let taken = self.ahead
        self.ahead = []
        for offer in taken.reversed() {
            offer.attempt.holder = nil
            self.supervisor.aheadCount -= 1
            if self.aheadState.hasBegunNothingElse {
                self.supervisor.returned(offer.attempt)
            } else {
                offer.attempt.endUnstarted("its process died when it had just been given to it")
            }
        }
    }

    /// Reads what it had to say before its end, by whichever of its attempts.
    func drainData() {
        // Not within what it is just saying.
        for _ in 0..<16 where !self.isReading {
            guard let attempt, attempt.readData() else { return }
        }
    }

    /// Whether what it says is of the run before the one that it has gone on with: the next of those that it was sent.
    func goesOn(after body: pawl_f_idle) -> Bool { body.flags & PAWL_IDLE_CLEAN != 0 && !self.ahead.isEmpty }
}
