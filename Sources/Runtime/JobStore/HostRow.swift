package import JobCore

package struct HostRegistration: Sendable, Hashable {
    /// Made once with the data directory: who comes back with the same one is the same host.
    package var dataDirectoryID: String
    package var hostname: String
    package var pid: Int32
    package var version: String
    package var gitSHA: String?
    package var slots: Int
    /// JSON text.
    package var capabilities: String

    package init(
        dataDirectoryID: String, hostname: String, pid: Int32, version: String, gitSHA: String? = nil, slots: Int,
        capabilities: String = "{}"
    ) {
        self.dataDirectoryID = dataDirectoryID
        self.hostname = hostname
        self.pid = pid
        self.version = version
        self.gitSHA = gitSHA
        self.slots = slots
        self.capabilities = capabilities
    }
}

/// What a registration did.
package struct HostRegistered: Sendable, Hashable {
    package var lease: HostLease
    /// Attempts of the predecessor that went back to their queues.
    package var requeued: Int
    /// Attempts of the predecessor whose runs ended (lost too often, or cancellation was asked for).
    package var ended: Int
}

package enum HostState: String, Sendable, CaseIterable {
    case running
    /// Draining; has 60 s without a heartbeat instead of 30 s.
    case stopping
    case stopped
    /// Gave no heartbeat; its attempts were taken from it.
    case silent
}

package struct HostRow: Sendable, Hashable {
    package var id: HostID
    package var epoch: Int64
    package var dataDirectoryID: String
    package var hostname: String
    package var pid: Int32
    package var version: String
    package var gitSHA: String?
    package var slots: Int
    package var capabilities: String
    package var state: HostState
    package var startedAt: WallTime
    package var heartbeatAt: WallTime
    package var stoppedAt: WallTime?
    /// When it says that it lives, in its own words.
    package var liveness = LivenessTimes.standard

    package var isPresent: Bool { state == .running || state == .stopping }
    /// When it will be silent, if no further heartbeat comes. By the database's clock.
    package var silentAt: WallTime {
        heartbeatAt.advanced(by: state == .stopping ? liveness.stoppingSilence : liveness.silence)
    }
}

/// What a sweep found.
package struct HostSweep: Sendable, Hashable {
    /// False: this host's own heartbeats are not unbroken for 30 s yet, so it judges nobody.
    package var isEntitled: Bool
    package var silent: [HostID]
    package var requeued: Int
    package var ended: Int
}
