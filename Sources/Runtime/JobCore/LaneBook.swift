/// A place to wait: runs of one queue and one priority, in the order in which they entered.
///
/// Runs of a job that has rules of its own (a limit, a pause) wait in a lane by themselves: nobody has to walk over them
/// while they may not be claimed.
package struct Lane: Hashable, Sendable {
    package let queue: String
    /// The negated priority.
    package let rank: Int32
    /// The job whose lane it is; empty: that of all others.
    package let job: String

    package init(queue: String, rank: Int32, job: String = "") {
        self.queue = queue
        self.rank = rank
        self.job = job
    }
}

/// What a host knows of the lanes, and how far it has read each of them.
///
/// A claim reads on behind its *watermark*, the last position it has taken, so that it does not walk over rows that are
/// finished and cannot be removed yet because somebody holds an old snapshot (measured: without it a drain falls to a
/// quarter). A row can become visible behind the watermark, when its transaction took a position early and committed late:
/// the watermark steps back for those that this host hears of, and a slow *sweep* forgets all watermarks for the others.
package struct LaneBook: Sendable {
    /// A lane and the position to read on from.
    package struct Reading: Hashable, Sendable {
        package let lane: Lane
        package let after: Int64

        package init(lane: Lane, after: Int64) {
            self.lane = lane
            self.after = after
        }
    }

    /// Shortest time between two sweeps.
    package static let sweepInterval: UInt64 = 1_000_000_000
    /// A sweep may use this share of the time, so that one which has much to walk over does not become the load.
    package static let sweepShare: UInt64 = 20

    private var watermarks: [Lane: Int64] = [:]
    /// Lowest position heard of in each lane since a claim went out: its snapshot may be older.
    private var heardMeanwhile: [Lane: Int64] = [:]
    private var claimsUnderWay = 0
    /// Heard of since a sweep went out: its answer may not know them.
    private var heardDuringSweep: Set<Lane>?
    private var nextSweep: UInt64 = 0
    private var isSweepForced = true
    /// Up to here the first claim after a sweep has seen everything that was committed.
    private var sweepPosition: Int64 = 0
    /// Rotates queues of the same rank, so that none starves the others.
    private var turn = 0

    package init() {}

    /// A run entered a lane, as far as this host knows committed.
    package mutating func entered(_ lane: Lane, at position: Int64) {
        watermarks[lane] = min(watermarks[lane] ?? 0, position - 1)
        heardDuringSweep?.insert(lane)
        if claimsUnderWay > 0 { heardMeanwhile[lane] = min(heardMeanwhile[lane] ?? .max, position) }
    }

    /// A run is about to enter this lane, if what is known of its job still holds: the claim that follows looks there.
    package mutating func expects(_ lane: Lane) { if watermarks[lane] == nil { watermarks[lane] = 0 } }

    /// Somebody else put something into a queue, or its rules have changed; nobody knows at which rank and position.
    /// - Parameter queue: `*`: any.
    package mutating func woken(queue: String) {
        for lane in watermarks.keys where queue == "*" || lane.queue == queue { watermarks[lane] = 0 }
        isSweepForced = true
    }

    /// Anything may have happened: after an outage, or when this host can run other jobs than before.
    package mutating func forget() { isSweepForced = true }

    /// Whether to look for lanes before the next claim.
    /// - Parameters:
    ///   - isBusy: claims follow closely on each other; an idle host sweeps only when a claim has found nothing.
    ///   - now: monotonic nanoseconds.
    package func isSweepDue(isBusy: Bool, now: UInt64) -> Bool { isSweepForced || (isBusy && now >= nextSweep) }

    package mutating func sweepStarted() {
        isSweepForced = false
        heardDuringSweep = []
    }

    package mutating func sweepFailed() {
        isSweepForced = true
        heardDuringSweep = nil
    }

    /// - Parameters:
    ///   - lanes: all that have queued runs.
    ///   - position: the last one drawn by anybody before it looked.
    ///   - duration: how long it took, nanoseconds.
    package mutating func swept(_ lanes: [Lane], position: Int64, duration: UInt64, now: UInt64) {
        sweepPosition = position
        let known = Set(lanes).union(heardDuringSweep ?? [])
        watermarks = Dictionary(uniqueKeysWithValues: known.map { ($0, 0) })
        heardDuringSweep = nil
        // No sweep takes a fortnight; the bound keeps the product from overflowing.
        nextSweep = now + max(Self.sweepInterval, min(duration, 1 << 50) * Self.sweepShare)
    }

    /// The lanes to claim from, highest priority first.
    /// - Parameter queues: nil: all.
    package mutating func readings(queues: Set<String>?) -> [Reading] {
        turn &+= 1
        let lanes = watermarks.keys.filter { queues?.contains($0.queue) ?? true }
            .sorted { ($0.rank, $0.queue, $0.job) < ($1.rank, $1.queue, $1.job) }
        var order: [Lane] = []
        order.reserveCapacity(lanes.count)
        var start = 0
        while start < lanes.count {
            let end = lanes[start...].firstIndex { $0.rank != lanes[start].rank } ?? lanes.count
            let shift = turn % (end - start)
            order += lanes[(start + shift)..<end]
            order += lanes[start..<(start + shift)]
            start = end
        }
        return order.map { Reading(lane: $0, after: watermarks[$0] ?? 0) }
    }

    package mutating func claimStarted() {
        if claimsUnderWay == 0 { heardMeanwhile = [:] }
        claimsUnderWay += 1
    }

    /// The claim answered.
    /// - Parameters:
    ///   - taken: lanes and positions of the claimed runs.
    ///   - exhausted: lanes in which it left nothing but runs that this host cannot take (their jobs or queue forbid it), so
    ///     that the next claim need not walk over those again.
    package mutating func claimEnded(taken: [(lane: Lane, position: Int64)], exhausted: [Lane]) {
        claimsUnderWay -= 1
        var last: [Lane: Int64] = [:]
        for lane in exhausted { last[lane] = sweepPosition }
        for (lane, position) in taken { last[lane] = max(last[lane] ?? 0, position) }
        for (lane, position) in last {
            let limit = heardMeanwhile[lane].map { $0 - 1 } ?? .max
            watermarks[lane] = min(max(watermarks[lane] ?? 0, position), limit)
        }
    }

    /// A claim failed: what it took, if anything, is unknown.
    package mutating func claimFailed() {
        claimsUnderWay -= 1
        isSweepForced = true
    }
}
