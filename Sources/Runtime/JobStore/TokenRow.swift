package import JobCore

/// An opaque token, without what makes it one.
package struct TokenRow: Sendable, Equatable {
    package var id: Int64
    package var name: String
    /// Its first characters.
    package var hint: String
    /// `viewer`, `operator`, `admin` or `owner`.
    package var role: String
    /// What it is confined to: a JSON object of lists.
    package var bounds: JSONValue
    package var createdAt: WallTime
    package var createdBy: String?
    package var expiresAt: WallTime?
    /// To the minute.
    package var lastUsedAt: WallTime?
    package var lastUsedFrom: String?
    package var revokedAt: WallTime?
    package var revokedBy: String?

    /// Stands behind the name of one that was replaced and still counts, before its number; in no other name.
    package static let replacedMark: Character = "~"
}

/// A token, and the one that has its name now.
package struct TokenRotation: Sendable, Equatable {
    /// Revoked, or counting until its end by a name of its own.
    package var old: TokenRow
    package var new: TokenRow
}

/// What a token is made from.
package struct NewToken: Sendable {
    package var name: String
    /// SHA-256 of the token.
    package var hash: [UInt8]
    package var hint: String
    package var role: String
    /// JSON text.
    package var bounds: String
    package var expiresAt: WallTime?

    package init(name: String, hash: [UInt8], hint: String, role: String, bounds: String, expiresAt: WallTime?) {
        self.name = name
        self.hash = hash
        self.hint = hint
        self.role = role
        self.bounds = bounds
        self.expiresAt = expiresAt
    }
}
