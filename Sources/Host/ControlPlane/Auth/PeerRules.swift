package import NIOLibuv

/// What users of this machine may, who come through the Unix socket.
package struct PeerRules: Sendable, Hashable {
    package struct User: Sendable, Hashable {
        package var name: String
        package var role: Role

        package init(name: String, role: Role) {
            self.name = name
            self.role = role
        }
    }

    /// By their number.
    package var users: [UInt32: User]
    /// Members of groups, by the group's number.
    package var groups: [UInt32: Role]

    package init(users: [UInt32: User] = [:], groups: [UInt32: Role] = [:]) {
        self.users = users
        self.groups = groups
    }

    /// The greatest role that some rule gives; nil if none does.
    package func role(of peer: PeerCredentials) -> Role? {
        let given = [users[peer.uid]?.role] + ([peer.gid] + peer.groups).map { groups[$0] }
        return given.compactMap { $0 }.max()
    }
}

extension Principal {
    /// Names of users of this machine begin so, and no others.
    static let peerPrefix = "unix:"

    /// Nil for whom no rule names.
    init?(_ peer: PeerCredentials, _ rules: PeerRules) {
        guard let role = rules.role(of: peer) else { return nil }
        self.init(way: .peer, name: Self.peerPrefix + (rules.users[peer.uid]?.name ?? String(peer.uid)), role: role)
    }
}
