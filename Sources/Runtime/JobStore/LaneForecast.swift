import JobCore

/// The lanes into which requests are likely to come: those of the last ones like them.
///
/// A guess that is wrong costs a look into a lane that has nothing.
struct LaneForecast {
    private struct Kind: Hashable {
        let job: String
        let queue: String?
        let priority: Int32?
    }

    /// More kinds than any host is asked for at once; then the book begins anew.
    private static let mostKinds = 1000

    private var lanes: [Kind: Lane] = [:]

    /// Nil: there was none like it.
    func lane(of run: NewRun) -> Lane? { lanes[Kind(job: run.job, queue: run.queue, priority: run.priority)] }

    mutating func learn(_ run: NewRun, went lane: Lane) {
        let kind = Kind(job: run.job, queue: run.queue, priority: run.priority)
        guard lanes[kind] != lane else { return }
        if lanes.count >= Self.mostKinds { lanes = [:] }
        lanes[kind] = lane
    }
}
