/// The one place that decides what somebody may do, for every transport: who asks, what the route needs, and what it is about.
/// Pure: the same question has the same answer.
enum Authorizer {
    enum Verdict: Sendable, Hashable {
        case allowed
        case refused(Refusal)
    }

    enum Refusal: Sendable, Hashable {
        /// Nobody has said who asks.
        case unauthenticated
        case needsRole(Role)
        /// What is asked for is outside of what they are confined to, or is not said to be inside.
        case outside(Part)
        /// It is about everything, and they are confined to something.
        case outsideOfBounds
        /// A browser may not.
        case session
    }

    /// What bounds are made of.
    enum Part: String, Sendable, Hashable, CaseIterable { case queue, job, owner }

    /// - Parameter resource: nil: not known yet. What is allowed so is asked about again when it is.
    static func decide(_ principal: Principal, _ permission: Permission, _ resource: Resource? = nil) -> Verdict {
        guard let needed = permission.role else { return .allowed }
        guard let role = principal.role else { return .refused(.unauthenticated) }
        guard role >= needed else { return .refused(.needsRole(needed)) }
        if permission.refusesSessions, principal.way == .session { return .refused(.session) }
        if principal.bounds.isEmpty { return .allowed }
        switch permission.scope {
        case .neutral: return .allowed
        case .everything: return .refused(.outsideOfBounds)
        case .run, .queue, .job, .list, .enqueue: break
        }
        guard let resource else { return .allowed }
        let bounds = principal.bounds
        let parts: [(Part, patterns: [String], names: Resource.Names)] = [
            (.queue, bounds.queues, resource.queues), (.job, bounds.jobs, resource.jobs),
            (.owner, bounds.owners, resource.owners),
        ]
        for (part, patterns, names) in parts where !patterns.isEmpty {
            let isInside: Bool
            switch names {
            case .any: isInside = false
            case .these(let names):
                isInside = names.allSatisfy { name in patterns.contains { Bounds.matches($0, name) } }
            }
            if !isInside { return .refused(.outside(part)) }
        }
        return .allowed
    }
}

/// What a request is about.
struct Resource: Sendable, Hashable {
    enum Names: Sendable, Hashable {
        /// Nothing says which; it may be any.
        case any
        /// Nothing else than these.
        case these([String])

        mutating func also(_ name: String) {
            switch self {
            case .any: break
            case .these(let names): self = .these(names + [name])
            }
        }
    }

    var queues = Names.any
    var jobs = Names.any
    var owners = Names.any
}

extension Authorizer.Refusal {
    /// For people, and without secrets.
    func detail(for principal: Principal) -> String {
        switch self {
        case .unauthenticated: return "This needs the header Authorization: Bearer TOKEN."
        case .needsRole(let role):
            let own = principal.role.map { "is \($0.rawValue)" } ?? "has no role"
            return "This needs the role \(role.rawValue); \(principal.name.clipped) \(own)."
        case .outside(let part):
            return
                "\(principal.name.clipped) is confined to some \(part.rawValue)s, and this is not said to be about one of them."
        case .outsideOfBounds:
            return
                "\(principal.name.clipped) is confined to some queues, jobs or owners, and this is about all of them."
        case .session: return "A browser may not do this; use a token."
        }
    }
}
