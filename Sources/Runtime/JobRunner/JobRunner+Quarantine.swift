import JobCore
import JobStore
import Plugins
import UVLoop

/// What quarantines mean for plugins and claims.
extension JobRunner {
    /// Somebody has lifted a quarantine, in the database already. Other hosts learn of it with their next poll.
    package func quarantineLifted(handler: String, version: String) { self.quarantine.lifted(handler, version) }

    /// The version before stands in for one that is out of service, as long as that is so.
    func quarantineChanged(_ key: QuarantineBook.Key, _ isOut: Bool) {
        guard self.catalog.version(forHandler: key.handler)?.sha256 == key.version else { return }
        guard isOut else { return self.dropFallback(key) }
        loopTask {
            guard await self.catalog.loadFallback(forHandler: key.handler) else { return }
            // Its time may be over already.
            if self.quarantine.admission(key.handler, key.version) == .free {
                self.dropFallback(key)
            } else {
                self.delivery.reachChanged()
            }
        }
    }

    /// The version before stands in for all handlers of the file that are out: it goes with the last of them.
    private func dropFallback(_ key: QuarantineBook.Key) {
        self.catalog.dropFallback(
            forHandler: key.handler, unless: { self.quarantine.admission($0, key.version) != .free })
    }

    /// What of these jobs can be claimed here now.
    func reach(of jobs: [JobRow]) -> Reach {
        Reach(
            jobs, quarantine: self.quarantine,
            active: { self.registry.mayServe($0) ? self.catalog.ready(forHandler: $0) : nil },
            hasFallback: { self.delivery.cleanFallback($0) != nil })
    }
}
