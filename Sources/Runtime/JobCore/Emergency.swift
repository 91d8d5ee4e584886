/// Something that everybody must stop doing, until it is lifted.
package enum EmergencyMode: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Nothing new is claimed; what runs goes on.
    case pauseQueues = "pause_queues"
    /// No schedule fires.
    case stopScheduling = "stop_scheduling"
    /// No runs are taken from outside. Schedules and handlers make theirs.
    case refuseNew = "refuse_new"
    /// What runs is ended by force, and nothing new is claimed.
    case terminateAll = "terminate_all"

    package var haltsClaims: Bool { self == .pauseQueues || self == .terminateAll }

    package static func < (left: EmergencyMode, right: EmergencyMode) -> Bool { left.rawValue < right.rawValue }
}

/// What stands, who said so and why.
package struct Emergency: Sendable, Hashable {
    package struct Order: Sendable, Hashable {
        package var mode: EmergencyMode
        package var since: WallTime
        package var actor: String?
        package var reason: String

        package init(mode: EmergencyMode, since: WallTime, actor: String?, reason: String) {
            self.mode = mode
            self.since = since
            self.actor = actor
            self.reason = reason
        }
    }

    /// By mode, each once.
    package private(set) var orders: [Order]

    package init(_ orders: [Order] = []) { self.orders = orders.sorted { $0.mode < $1.mode } }

    package subscript(_ mode: EmergencyMode) -> Order? { orders.first { $0.mode == mode } }
    package var isOn: Bool { !orders.isEmpty }
    package var haltsClaims: Bool { orders.contains { $0.mode.haltsClaims } }
}
