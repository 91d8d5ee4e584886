import UVLoop

/// When to look for runs whose job is gone, and how far a look has come.
///
/// The counts say whether there are any; finding them means walking over what waits, some at a time. Where the counts say so and
/// nothing is found, the pauses become longer.
struct OrphanBook {
    static let firstPause: Duration = .seconds(10)
    static let longestPause: Duration = .seconds(600)

    /// Jobs whose runs are looked for; empty: no walk is under way.
    private(set) var jobs: [String] = []
    /// The last run that was looked at.
    private(set) var position: Int64 = 0
    private var found: Int64 = 0
    private var pause = OrphanBook.firstPause
    private var nextLook: LoopInstant?

    /// Whether the counts are to be looked at.
    func isDue(now: LoopInstant) -> Bool { jobs.isEmpty && nextLook.map { now >= $0 } ?? true }

    var isWalking: Bool { !jobs.isEmpty }

    /// A job has gone: what is still on its way to its queue will be found soon.
    mutating func jobRemoved() {
        pause = Self.firstPause
        nextLook = nil
    }

    /// What the counts say.
    mutating func counted(_ gone: [String], now: LoopInstant) {
        guard gone.isEmpty else {
            jobs = gone
            position = 0
            found = 0
            return
        }
        jobs = []
        pause = Self.firstPause
        nextLook = now.advanced(by: pause)
    }

    /// A part of the walk.
    /// - Parameter at: nil: it came to the end.
    mutating func walked(to at: Int64?, ended: Int64, now: LoopInstant) {
        found += ended
        if let at {
            position = at
            return
        }
        pause = found > 0 ? Self.firstPause : min(pause * 2, Self.longestPause)
        jobs = []
        nextLook = now.advanced(by: pause)
    }
}
