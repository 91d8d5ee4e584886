import JobCore
import Testing

@Suite struct AdmissionTests {
    private typealias Run = (queue: String, job: String)
    private let shared = Lane(queue: "q", rank: 0)
    private let own = Lane(queue: "q", rank: 0, job: "j")
    private let other = Lane(queue: "p", rank: 0)

    @Test func aLaneIsBoundByItsQueueAndItsJob() {
        #expect(Admission.gates(of: shared) == [.queue("q")])
        #expect(Admission.gates(of: own) == [.queue("q"), .job("j")])
        let admission = Admission(rules: [.job("j"): .init(isPaused: true)])
        #expect(admission.isRuled(own) && !admission.isRuled(shared) && !admission.isRuled(other))
        #expect(!Admission().isRuled(own))
    }

    /// Every combination of two limits and of what is held behind them.
    @Test func capsAreWhatThisHostHasLeft() {
        let limits: [Int?] = [nil, 1, 2, 3]
        for queue in limits {
            for job in limits {
                var rules: [Admission.Gate: Admission.Rule] = [:]
                if let queue { rules[.queue("q")] = .init(everywhere: 1, here: queue) }
                if let job { rules[.job("j")] = .init(here: job) }
                let admission = Admission(rules: rules)
                #expect(admission.hasHostLimits == (queue != nil || job != nil))
                for inQueue in 0...4 {
                    for ofJob in 0...inQueue {
                        let held: [Admission.Gate: Int] = [.queue("q"): inQueue, .job("j"): ofJob]
                        let behindQueue = queue.map { max(0, $0 - inQueue) }
                        let behindJob = job.map { max(0, $0 - ofJob) }
                        #expect(admission.cap(shared, held: held) == behindQueue)
                        #expect(admission.cap(own, held: held) == [behindQueue, behindJob].compactMap(\.self).min())
                        #expect(admission.cap(other, held: held) == nil)
                    }
                }
            }
        }
    }

    /// All small batches: a place that this host did not take again is told to others, exactly if it may have left some.
    @Test func placesThatAreLeftAreForOthers() {
        let kinds: [Run] = [("q", "j"), ("q", "k"), ("p", "j"), ("p", "k")]
        let admission = Admission(rules: [.queue("q"): .init(everywhere: 3), .job("j"): .init(everywhere: 3)])
        for freed in 0..<256 {
            for taken in 0..<256 {
                func runs(_ digits: Int) -> [Run] {
                    kinds.indices.flatMap { Array(repeating: kinds[$0], count: digits >> (2 * $0) & 3) }
                }
                let (gone, come) = (runs(freed), runs(taken))
                func count(_ runs: [Run], _ isBehind: (Run) -> Bool) -> Int { runs.count { isBehind($0) } }
                let hasLeftQueue = count(gone) { $0.queue == "q" } > count(come) { $0.queue == "q" }
                let hasLeftJob = count(gone) { $0.job == "j" } > count(come) { $0.job == "j" }
                var expected: Set<String> = []
                for run in gone where run.queue == "q" && hasLeftQueue || run.job == "j" && hasLeftJob {
                    expected.insert(run.queue)
                }
                #expect(admission.left(freed: gone, taken: come, mayLeaveSome: true) == expected)
                #expect(admission.left(freed: gone, taken: come, mayLeaveSome: false).isEmpty)
            }
        }
    }

    @Test func aLimitOfThisHostMayHaveLeftSome() {
        let admission = Admission(rules: [.queue("q"): .init(everywhere: 9, here: 1), .job("j"): .init(everywhere: 1)])
        #expect(admission.left(freed: [("q", "k")], taken: [], mayLeaveSome: false) == ["q"])
        #expect(admission.left(freed: [("q", "k")], taken: [("q", "j")], mayLeaveSome: false).isEmpty)
        #expect(admission.left(freed: [("p", "j")], taken: [], mayLeaveSome: false).isEmpty)
    }
}
