/// When an attempt last did something, told from looks at it: said something, or used the processor.
package struct RunActivity: Sendable, Hashable {
    /// A tree that uses less than this share of one processor does nothing: timers and the runtime alone use that much.
    package static let idleShare = 0.01

    /// Its last progress or log line.
    package private(set) var progressedAt: WallTime
    /// When its processes were last seen to have used the processor.
    package private(set) var busyAt: WallTime
    private var progress: Progress
    private var countedAt: WallTime
    private var countedMillis: Int64 = 0

    /// - Parameter startedAt: nothing is known of before the first look: both count from then on.
    package init(startedAt: WallTime, progress: Progress = Progress()) {
        progressedAt = startedAt
        busyAt = startedAt
        countedAt = startedAt
        self.progress = progress
    }

    /// - Parameters:
    ///   - loggedAt: of its last line; nil: none.
    ///   - cpuMillis: of the whole tree since it began; nil: nobody has looked.
    package mutating func looked(at now: WallTime, progress: Progress, loggedAt: WallTime?, cpuMillis: Int64?) {
        if progress != self.progress {
            self.progress = progress
            progressedAt = max(progressedAt, now)
        }
        if let loggedAt { progressedAt = max(progressedAt, loggedAt) }
        guard let cpuMillis, now > countedAt else { return }
        let used = cpuMillis - countedMillis
        if used > 0, Double(used) >= Double((now - countedAt).wholeMilliseconds) * Self.idleShare {
            busyAt = max(busyAt, now)
        }
        countedAt = now
        countedMillis = cpuMillis
    }
}
