import ArgumentParser
import ControlPlane
import Glibc

/// Reads what users of this machine may: `alice=admin`, `1000=viewer`, `@staff=operator`.
enum PeerOption {
    /// Root and the host's own user are owner, unless a rule says something else.
    static func rules(_ texts: [String]) throws -> PeerRules {
        var rules = PeerRules()
        for user in [0, geteuid()] { rules.users[user] = PeerRules.User(name: self.name(of: user), role: .owner) }
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, let role = Role(rawValue: parts[1]) else {
                let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--peer is \"\(text)\"; allowed: USER=ROLE or @GROUP=ROLE, with one of \(roles)")
            }
            if parts[0].hasPrefix("@") {
                let name = String(parts[0].dropFirst())
                guard let group = UInt32(name) ?? getgrnam(name)?.pointee.gr_gid else {
                    throw ValidationError("--peer \(text): there is no group \(name) on this machine")
                }
                rules.groups[group] = role
            } else {
                guard let user = UInt32(parts[0]) ?? getpwnam(parts[0])?.pointee.pw_uid else {
                    throw ValidationError("--peer \(text): there is no user \(parts[0]) on this machine")
                }
                rules.users[user] = PeerRules.User(name: self.name(of: user), role: role)
            }
        }
        return rules
    }

    private static func name(of user: UInt32) -> String {
        getpwuid(user).map { String(cString: $0.pointee.pw_name) } ?? String(user)
    }

    /// Whether others than root and the host's user have to reach the socket.
    static func isShared(_ rules: PeerRules) -> Bool {
        !rules.groups.isEmpty || rules.users.keys.contains { $0 != 0 && $0 != geteuid() }
    }
}
