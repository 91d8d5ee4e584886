/// What this host knows of the rules for queues and jobs: how many of their runs may execute at once, here and everywhere.
///
/// The claim's statement decides (`pawl.admit`): it reads the rules of that moment and counts what runs. This is for what
/// comes before and after it: which lanes to ask for, how many runs of each at most, and who must hear of a place that has
/// become free. A lane is bound by *gates*, at present those of its queue and of its job; whatever else may bound runs
/// one day (keys, rates, shares) is a further gate or a further cap.
package struct Admission: Equatable, Sendable {
    /// Something that bounds how many runs may execute.
    package enum Gate: Hashable, Sendable {
        case queue(String)
        case job(String)
    }

    package struct Rule: Hashable, Sendable {
        /// On all hosts together; nil: no limit.
        package var everywhere: Int?
        /// On one host.
        package var here: Int?
        /// Nothing of it is claimed; it may end at any moment.
        package var isPaused: Bool

        package init(everywhere: Int? = nil, here: Int? = nil, isPaused: Bool = false) {
            self.everywhere = everywhere
            self.here = here
            self.isPaused = isPaused
        }
    }

    package let rules: [Gate: Rule]
    /// Whether some rule bounds this host: then it pays to say what is held.
    package let hasHostLimits: Bool

    package init(rules: [Gate: Rule] = [:]) {
        self.rules = rules
        self.hasHostLimits = rules.values.contains { $0.here != nil }
    }

    /// The gates that bound the runs of a lane, as far as the lane tells.
    package static func gates(of lane: Lane) -> [Gate] {
        lane.job.isEmpty ? [.queue(lane.queue)] : [.queue(lane.queue), .job(lane.job)]
    }

    /// Whether a claim from this lane may leave runs there that could be claimed at another time.
    package func isRuled(_ lane: Lane) -> Bool {
        !rules.isEmpty && Self.gates(of: lane).contains { rules[$0] != nil }
    }

    /// How many runs of a lane this host may take at most; nil: no bound.
    /// - Parameter held: how many runs this host executes behind each gate.
    package func cap(_ lane: Lane, held: [Gate: Int]) -> Int? {
        guard !rules.isEmpty else { return nil }
        return Self.gates(of: lane).compactMap { gate in
            rules[gate]?.here.map { max(0, $0 - (held[gate] ?? 0)) }
        }.min()
    }

    /// Queues in which others may claim now what this host did not: places became free, and it took fewer than that again.
    /// - Parameters:
    ///   - freed: runs that ended here under a limit.
    ///   - taken: runs that were claimed under a limit with it or after it.
    ///   - mayLeaveSome: the claim may have left runs that others can take: it had no room for more, or cannot run all jobs.
    ///     A claim that was free to take all has left none, unless a limit of this host's own held it back.
    package func left(
        freed: [(queue: String, job: String)], taken: [(queue: String, job: String)], mayLeaveSome: Bool
    ) -> Set<String> {
        var balance: [Gate: Int] = [:]
        for run in taken {
            balance[.queue(run.queue), default: 0] -= 1
            balance[.job(run.job), default: 0] -= 1
        }
        for run in freed {
            balance[.queue(run.queue), default: 0] += 1
            balance[.job(run.job), default: 0] += 1
        }
        return Set(
            freed.compactMap { run in
                let gates = [Gate.queue(run.queue), .job(run.job)].filter { rules[$0] != nil }
                let mayLeave = mayLeaveSome || gates.contains { rules[$0]?.here != nil }
                return mayLeave && gates.contains { (balance[$0] ?? 0) > 0 } ? run.queue : nil
            })
    }
}
