import JobCore
import JobStore
import Logging
import UVLoop

/// Limits: what this host says about itself when it claims, and who hears of a place that has become free.
///
/// The end of an attempt that counts behind a limit asks for a claim in the exchange that settles it: so this host fills the
/// place in the same transaction. What it leaves empty, others that sleep are told of. So nothing waits for the poll.
extension Delivery {
    /// A limited queue or job that another host is just claiming from is asked again after this long; after twice as long each
    /// time, since that host may have been stopped in the middle of it.
    static let shortestGatePause: Duration = .milliseconds(3)
    private static let longestGatePause: Duration = .milliseconds(200)

    /// How many runs this host executes behind each gate; nothing while no rule bounds a single host.
    var heldBehindGates: [Admission.Gate: Int] {
        guard self.store.admission.hasHostLimits else { return [:] }
        var held: [Admission.Gate: Int] = [:]
        for item in self.held.values where !item.hasEnded && item.run.isLimited {
            held[.queue(item.run.queue), default: 0] += 1
            held[.job(item.run.job), default: 0] += 1
        }
        return held
    }

    /// The runs of these settlements that counted behind a limit. Before they are forgotten.
    func limited(_ batch: [Settlement]) -> [(queue: String, job: String)] {
        batch.compactMap { item in
            let run = self.held[AttemptKey(run: item.report.runID, attempt: item.report.attempt)]?.run
            return run.flatMap { $0.isLimited ? ($0.queue, $0.job) : nil }
        }
    }

    /// - Parameter freed: what the exchange settled behind limits.
    func placesFreed(
        _ freed: [(queue: String, job: String)], _ exchange: DeliveryStateMachine.Exchange,
        _ answer: JobStore.Exchanged,
        _ lease: HostLease
    ) {
        let isShort = answer.claimed.count < exchange.claim
        if answer.gatesElsewhere > 0 && isShort {
            self.gateTimer.start(after: self.gatePause) { [weak self] in self?.hint() }
            self.gatePause = min(self.gatePause * 2, Self.longestGatePause)
        } else if exchange.claim > 0 {
            self.gatePause = Self.shortestGatePause
        }
        guard !freed.isEmpty else { return }
        // The places became free only behind the claim.
        if answer.isLate { self.hint() }
        let taken = answer.claimed.filter(\.isLimited).map { (queue: $0.queue, job: $0.job) }
        let left = self.store.admission.left(
            freed: freed, taken: taken, mayLeaveSome: !isShort || self.reach.jobs != nil)
        guard !left.isEmpty else { return }
        loopTask {
            do { try await self.store.wakeForPlaces(in: left, besides: lease.id) } catch {
                self.logger.debug("others were not told of free places", metadata: ["error": "\(error)"])
            }
        }
    }
}
