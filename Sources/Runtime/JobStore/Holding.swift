package import JobCore

/// Work that one host at a time does for all, so that it is not done several times over. Each is also safe if two do it.
package enum HostRole: String, Sendable, CaseIterable {
    /// Folds counters, makes and drops partitions, forgets what is old.
    case upkeep
    /// Fires schedules. Renewed with each look rather than with the heartbeat: `JobStore.lead`.
    case scheduler
}

/// Something that only one host at a time may do.
package struct Holding: Sendable, Hashable {
    package enum Subject: Sendable, Hashable {
        case queue(String)
        case role(HostRole)
    }

    package struct Holder: Sendable, Hashable {
        package var host: HostID
        package var epoch: Int64
        package var hostname: String
        package var since: WallTime
    }

    package var subject: Subject
    /// Nil: nobody, for the moment.
    package var holder: Holder?

    package func isHeld(by lease: HostLease) -> Bool { holder?.host == lease.id && holder?.epoch == lease.epoch }
}

extension Holding.Subject {
    /// `queue` or `role`.
    package var kind: String {
        switch self {
        case .queue: "queue"
        case .role: "role"
        }
    }

    package var name: String {
        switch self {
        case .queue(let name): name
        case .role(let role): role.rawValue
        }
    }
}
