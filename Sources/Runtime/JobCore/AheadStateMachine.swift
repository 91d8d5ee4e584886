/// What a pooled child may be sent while it has another run: how much of it and until when, and what becomes of it when the child
/// dies.
///
/// Who has a run that was sent ahead, the child or the host again, is said by the page that both share (pawl_wire.h); what a child
/// may serve at all, by `PooledChildStateMachine`. Time is an argument: a `Duration` on any clock that only goes forward.
package struct AheadStateMachine: Sendable {
    /// A child that has had a run for longer gives back the others, and gets none.
    package static let presentAtMost = Duration.milliseconds(5)
    /// So long it may have gone on with another run, by the page, without a word about it: it says so within microseconds, and one
    /// that does not is as good as hanging.
    package static let silentAtMost = Duration.seconds(1)
    /// So many runs get none behind them, after one that has left something: what waited had to be taken back.
    package static let runsAloneAfterLeavings = 16

    /// RUN frames that it may have and has not begun; what was taken back lies with it until it comes to it.
    private let capacity: UInt64
    /// RUN frames so far, which of them is its present run, and up to which one it has begun them.
    private var sent: UInt64 = 0
    private var present: UInt64 = 0
    private var begun: UInt64 = 0
    private var presentSince: Duration
    /// It has had the present run for too long, or is wanted for something else.
    private var isSlow = false
    private var runsAlone = 0
    private var silentSince: Duration?
    /// All that it has said was read, to the end of its socket; some of it was not heeded.
    private var isHeardOut = false
    private var hasBeenIgnored = false

    package init(capacity: Int, at now: Duration) {
        self.capacity = UInt64(capacity)
        self.presentSince = now
    }

    // MARK: Facts

    /// It is given a run that it is to begin at once: it has no other.
    package mutating func gets(at now: Duration) {
        if self.runsAlone > 0 { self.runsAlone -= 1 }
        self.goesOn(with: self.sends(), at: now)
    }

    /// It is sent a run behind its present one. The number of its frame.
    package mutating func sends() -> UInt64 {
        self.sent += 1
        return self.sent
    }

    /// It has said that it is done with the present run, and has gone on with this one.
    package mutating func goesOn(with number: UInt64, at now: Duration) {
        self.present = number
        self.presentSince = now
        self.isSlow = false
        self.silentSince = nil
    }

    /// It has said that the present run is started.
    package mutating func started() { self.begun = self.present }

    /// Its present run takes long, or is to be disturbed: nothing more behind it.
    package mutating func slow() { self.isSlow = true }

    /// Its present run has left something, and `count` were waiting behind it.
    package mutating func leftSomething(before count: Int) {
        if count > 0 { self.runsAlone = Self.runsAloneAfterLeavings }
    }

    /// It has said something about another run than the present one, which nobody heeds: it is being killed.
    package mutating func ignored() { self.hasBeenIgnored = true }

    /// Its socket was read to its end, or, `false`, can not be read any more.
    package mutating func heard(toTheEnd isWhole: Bool) { self.isHeardOut = isWhole }

    // MARK: Questions

    /// Whether one more may be sent behind the `count` that it has, of `most`.
    package func hasRoom(behind count: Int, most: Int, at now: Duration) -> Bool {
        !self.isSlow && self.runsAlone == 0 && count < most && self.sent - self.begun < self.capacity
            && !self.isOverdue(at: now)
    }

    /// Whether it has had its present run for too long.
    package func isOverdue(at now: Duration) -> Bool { now - self.presentSince > Self.presentAtMost }

    /// It has gone on with another run, by the page, and has not said so. True: its words may still be waited for.
    package mutating func mayStillSay(at now: Duration) -> Bool {
        let since = self.silentSince ?? now
        self.silentSince = since
        return now - since < Self.silentAtMost
    }

    /// It is dead. Whether what it had taken, by the page, without a word about it has not begun for certain: a run begins with a
    /// word, and all its words are known.
    package var hasBegunNothingElse: Bool { self.isHeardOut && !self.hasBeenIgnored }
}
