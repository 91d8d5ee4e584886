import JobCore

/// Who asks.
struct Principal: Sendable, Hashable {
    /// How it is known who it is.
    enum Way: String, Sendable, Hashable {
        case none
        /// The token in the data directory of this host.
        case hostToken = "host_token"
        /// A token that was made by the API.
        case token
        /// A user of this machine, by the Unix socket.
        case peer
        /// A JSON Web Token of an identity provider.
        case jwt
        /// The page's cookie.
        case session
    }

    var way: Way
    /// For fingerprints and the audit. Never a secret.
    var name: String
    /// Nil: may what everybody may.
    var role: Role?
    var bounds = Bounds()
    /// The stored token that it is known by, also through a cookie: what is revoked ends everywhere.
    var tokenID: Int64?
    /// When what it is known by ends.
    var expires: WallTime?

    static let anonymous = Principal(way: .none, name: "anonymous", role: nil)
    /// Whoever can read the host's data directory.
    static let admin = Principal(way: .hostToken, name: "admin", role: .owner)
}
