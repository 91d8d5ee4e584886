/// What a host's delivery loop does next: how many finished runs to settle and how many waiting runs to claim.
///
/// One *exchange* with the database is on its way at a time. It settles what has finished since the last one and claims
/// what there is room for, in one commit; the next goes out when it has returned. So the batch is one run without any
/// delay while a host is idle, and grows by itself under load (no flush timer).
///
/// Nothing here knows the time, the database or a run's content: events come in as facts, `next()` answers with an order.
package struct DeliveryStateMachine: Sendable {
    /// One exchange: settle this many of the oldest pending outcomes, claim at most this many runs.
    package struct Exchange: Equatable, Sendable {
        package var settle: Int
        package var claim: Int

        package init(settle: Int, claim: Int) {
            self.settle = settle
            self.claim = claim
        }
    }

    /// How many attempts may execute at once on this host.
    package let slots: Int
    /// The most outcomes that one exchange settles: beyond about 500 rows a commit gains nothing (measured), and a huge
    /// batch would delay the claims behind it.
    package static let settleLimit = 1000
    /// So many outcomes that have gathered while an exchange is on its way are settled beside it: the database need not wait until
    /// its answer has been worked off here.
    package let asideAt: Int
    /// The most runs that are claimed ahead of free slots.
    package static let lookaheadLimit = 1000
    /// Of runs as short as those of late, so many are claimed ahead as the slots execute in this time: several round trips to
    /// the database, so that it and the slots work at the same time and not in turns; little enough that no host hoards
    /// what another could start.
    static let horizonMicros: Int64 = 40_000
    /// Longer ones are claimed when there is a slot for them.
    static let shortRunMicros: Int64 = 10_000
    /// So short ones are worth being dispatched ahead of their time.
    static let briefRunMicros: Int64 = 1000
    /// Arguments of runs claimed ahead take about so much memory at most.
    package static let lookaheadBytes = 8 << 20
    /// More unsettled outcomes than this stop the claims, so that memory stays bounded while the database is away.
    package static let unsettledLimit = 10_000

    /// Attempts handed to supervision and not ended.
    package private(set) var executing = 0
    /// Claimed runs that wait here for a slot.
    package private(set) var buffered = 0
    /// Attempts that ended and whose log lines are not committed yet: their outcome must not become visible before.
    package private(set) var flushing = 0
    /// Outcomes that may be committed and are not, those of a running exchange included.
    package private(set) var unsettled = 0
    /// Whether an exchange is on its way.
    package private(set) var isExchanging = false
    /// Outcomes that the running exchange settles.
    private var settling = 0
    /// Outcomes that are being settled beside the running exchange.
    package private(set) var settlingAside = 0
    /// Whether the database answered last time.
    package private(set) var isDatabaseUp = true
    /// Whether claims have ended for good (drain).
    package private(set) var isDraining = false
    /// Whether there may be something to claim: set by every hint, cleared by a claim that came back short.
    package private(set) var mayHaveWork = true
    /// A hint that came while an exchange was on its way: its claim may have looked before the run was there.
    private var hintedMeanwhile = false
    /// Smoothed execution time in microseconds; nil before the first attempt ended.
    private var smoothedMicros: Int64?
    /// Of the arguments of a run, as claimed of late.
    private var meanBytes = 0

    package init(slots: Int, asideAt: Int = 200) {
        precondition(slots > 0 && asideAt > 0, "a host without slots runs nothing")
        self.slots = slots
        self.asideAt = asideAt
    }

    // MARK: Facts

    /// Something may be waiting: an enqueue through this host, a notification, a due run, the safety-net poll.
    package mutating func hinted() {
        self.mayHaveWork = true
        if self.isExchanging { self.hintedMeanwhile = true }
    }

    /// A claimed run went from the buffer to supervision.
    package mutating func dispatched() {
        precondition(self.buffered > 0, "dispatched a run that was not claimed")
        self.buffered -= 1
        self.executing += 1
    }

    /// A run that was dispatched ahead of its time has not begun, and waits here again.
    package mutating func returned() {
        precondition(self.executing > 0, "a run came back that was not dispatched")
        self.executing -= 1
        self.buffered += 1
    }

    /// A claimed run was handed back without being dispatched; its release is an outcome like any other.
    package mutating func released() {
        precondition(self.buffered > 0, "released a run that was not claimed")
        self.buffered -= 1
        self.unsettled += 1
    }

    /// An attempt ended after `micros` of execution; its log lines are on their way to the database.
    package mutating func ended(micros: Int64) {
        precondition(self.executing > 0, "an attempt ended that was not executing")
        self.executing -= 1
        self.flushing += 1
        let sample = max(0, micros)
        // An eighth of each new sample, as TCP smooths its round trips (RFC 6298).
        self.smoothedMicros = self.smoothedMicros.map { $0 + (sample - $0) / 8 } ?? sample
    }

    /// All log lines of an ended attempt are committed: its outcome may be settled.
    package mutating func flushed() {
        precondition(self.flushing > 0, "flushed an attempt that had not ended")
        self.flushing -= 1
        self.unsettled += 1
    }

    /// The exchange returned: `settled` outcomes are decided (committed, fenced or found done), `claimed` runs came, with
    /// arguments of so many bytes in all.
    package mutating func exchanged(_ exchange: Exchange, claimed: Int, bytes: Int = 0) {
        precondition(self.isExchanging && claimed <= exchange.claim, "an answer to no question")
        self.isExchanging = false
        self.isDatabaseUp = true
        self.unsettled -= exchange.settle
        self.settling = 0
        self.buffered += claimed
        if claimed > 0 {
            // At once upward, slowly downward: the next claim may bring more of the large ones.
            let mean = bytes / claimed
            self.meanBytes = max(mean, self.meanBytes + (mean - self.meanBytes) / 8)
        }
        if exchange.claim > 0 && claimed < exchange.claim && !self.hintedMeanwhile { self.mayHaveWork = false }
        self.hintedMeanwhile = false
    }

    /// Runs turned up that are this host's by a claim whose answer was lost: their release is an outcome like any other.
    package mutating func foundUnknown(_ runs: Int) {
        precondition(runs >= 0, "found less than nothing")
        self.unsettled += runs
    }

    /// The exchange failed for a passing reason: its outcomes are pending again.
    package mutating func exchangeFailed() {
        precondition(self.isExchanging, "a failure of nothing")
        self.isExchanging = false
        self.settling = 0
        self.isDatabaseUp = false
        self.hintedMeanwhile = false
        self.mayHaveWork = true
    }

    /// What was settled beside an exchange is decided.
    package mutating func settledAside() {
        precondition(self.settlingAside > 0, "an answer to no question")
        self.unsettled -= self.settlingAside
        self.settlingAside = 0
    }

    /// It failed for a passing reason: its outcomes are pending again.
    package mutating func asideFailed() {
        precondition(self.settlingAside > 0, "a failure of nothing")
        self.settlingAside = 0
        self.isDatabaseUp = false
        self.mayHaveWork = true
    }

    /// The database may be tried again.
    package mutating func databaseReturned() {
        self.isDatabaseUp = true
        self.mayHaveWork = true
    }

    /// No more claims. What executes goes on and is settled.
    package mutating func drain() { self.isDraining = true }

    // MARK: Orders

    /// The exchange to make now, or nil to wait for the next fact.
    package mutating func next() -> Exchange? {
        guard !self.isExchanging, self.isDatabaseUp else { return nil }
        let exchange = Exchange(
            settle: min(self.unsettled - self.settlingAside, Self.settleLimit), claim: self.mayHaveWork ? self.room : 0)
        guard exchange.settle > 0 || exchange.claim > 0 else { return nil }
        self.isExchanging = true
        self.settling = exchange.settle
        return exchange
    }

    /// The exchange to make now for so many requests that can begin at once: it stores them and claims them in one commit. Nil: they go
    /// their own way, since there is no free slot for each, or other work comes first.
    package mutating func nextStoring(_ requests: Int) -> Exchange? {
        guard !self.isExchanging, self.isDatabaseUp, !self.mayHaveWork, self.unsettled == 0, self.buffered == 0 else {
            return nil
        }
        guard requests > 0, requests <= min(self.room, self.slots - self.executing) else { return nil }
        self.isExchanging = true
        // A claim that comes back full does not show that nothing else waits.
        self.mayHaveWork = true
        return Exchange(settle: 0, claim: self.room)
    }

    /// Whether outcomes may be settled beside an exchange now, if enough of them are plain: asked before they are looked at.
    package var maySettleAside: Bool {
        self.isExchanging && self.settlingAside == 0 && self.isDatabaseUp
            && self.unsettled - self.settling >= self.asideAt
    }

    /// How many of the oldest pending outcomes to settle now beside the running exchange, or nil. `plain`: so many of them ask for
    /// nothing but to be settled.
    package mutating func nextAside(plain: Int) -> Int? {
        let count = min(self.unsettled - self.settling, plain, Self.settleLimit)
        guard self.maySettleAside, count >= self.asideAt else { return nil }
        self.settlingAside = count
        return count
    }

    /// How many claimed runs may be dispatched now. `ahead`: of those that were dispatched, so many wait for their turn and take no
    /// slot.
    package func freeSlots(ahead: Int = 0) -> Int { max(0, min(self.buffered, self.slots - self.executing + ahead)) }

    /// How many claimed runs may be dispatched ahead of their time: of short ones all but as many as the slots will ask for next, so
    /// that none of these stays empty while another has several.
    package var spare: Int { self.isBrief ? max(0, self.buffered - self.slots) : 0 }

    private var isBrief: Bool { self.smoothedMicros.map { $0 < Self.briefRunMicros } ?? false }

    /// Whether everything that was claimed has been settled.
    package var isIdle: Bool {
        self.executing == 0 && self.buffered == 0 && self.flushing == 0 && self.unsettled == 0 && !self.isExchanging
    }

    /// Whether this host would take more runs now.
    package var hasRoom: Bool { self.room > 0 }

    /// How many more runs this host should hold.
    private var room: Int {
        guard !self.isDraining, self.flushing + self.unsettled < Self.unsettledLimit else { return 0 }
        return max(0, self.slots + self.lookahead - self.executing - self.buffered)
    }

    /// Runs claimed ahead.
    private var lookahead: Int {
        guard let micros = self.smoothedMicros, micros < Self.shortRunMicros else { return 0 }
        let most = min(Self.lookaheadLimit, Self.lookaheadBytes / max(self.meanBytes, 1))
        return min(most, self.slots * Int(Self.horizonMicros / max(micros, 100)))
    }
}
