import JobCore
import Postgres

/// Opaque tokens. What is kept of one is its hash: nobody can read it here.
extension JobStore {
    /// Throws `.conflict("token_exists")` if a token of this name counts.
    package func createToken(_ token: NewToken, actor: String) async throws(StoreError) -> TokenRow {
        let made = try await withTransaction { connection -> TokenRow? in
            let rows = try await connection.query(
                .tokenAdd,
                [
                    .text(token.name.storable), .bytes(token.hash), .text(token.hint), .text(token.role),
                    .json(token.bounds), .time(orNull: token.expiresAt), .text(actor.storable),
                ])
            guard let row = rows.first else { return nil }
            var detail = [JSONMember("role", .string(token.role))]
            if let expires = token.expiresAt { detail.append(JSONMember("expires_at", .string(expires.rfc3339))) }
            _ = try await connection.query(
                .auditNote,
                Self.auditNote(actor, "token.create", token.name, JSONValue.object(detail).json))
            return try Self.token(row)
        }
        guard let made else {
            throw .conflict(
                code: "token_exists", detail: "there is a token \(token.name) already; revoke it first",
                currentState: nil)
        }
        return made
    }

    /// Also one that was revoked or has expired: the caller looks.
    package func token(hash: [UInt8]) async throws(StoreError) -> TokenRow? {
        try await decoding { try await self.pool.query(.tokenFind, [.bytes(hash)]).first.map(Self.token) }
    }

    package func token(id: Int64) async throws(StoreError) -> TokenRow? {
        try await decoding { try await self.pool.query(.tokenGet, [.int64(id)]).first.map(Self.token) }
    }

    /// Those that count first, by name.
    package func tokens(withRevoked: Bool = false, limit: Int = 1000) async throws(StoreError) -> [TokenRow] {
        try await decoding {
            try await self.pool.query(.tokenList, [.bool(withRevoked), .int64(Int64(limit))]).map(Self.token)
        }
    }

    /// Puts another in the place of one: by the same name, with its role and bounds.
    ///
    /// Throws `.conflict("token_replaced")` for one that was replaced before and still counts.
    /// - Parameters:
    ///   - lifetime: of the new one; nil: as long as the old one's was, from now on.
    ///   - grace: how long the old one still counts, but not past its own end; zero: not at all.
    /// - Returns: nil if there is none, or it was revoked.
    package func rotateToken(
        _ id: Int64, hash: [UInt8], hint: String, lifetime: Duration?, grace: Duration, actor: String
    ) async throws(StoreError) -> TokenRotation? {
        try await withTransaction { connection -> TokenRotation? in
            guard let row = try await connection.query(.tokenLock, [.int64(id)]).first else { return nil }
            let old = try Self.token(row)
            let now = WallTime(micros: try row.micros(12))
            guard !old.name.contains(TokenRow.replacedMark) else {
                throw StoreError.conflict(
                    code: "token_replaced", detail: "\(old.name) was replaced already and ends by itself",
                    currentState: nil)
            }
            let retired = try await connection.query(
                .tokenRetire, [.int64(id), .int64(max(0, grace.wholeMilliseconds)), .text(actor.storable)])
            let span = lifetime ?? old.expiresAt.map { $0 - old.createdAt }
            let made = try await connection.query(
                .tokenAdd,
                [
                    .text(old.name), .bytes(hash), .text(hint), .text(old.role), .json(old.bounds.json),
                    .time(orNull: span.map { now.advanced(by: $0) }), .text(actor.storable),
                ])
            guard let first = retired.first, let second = made.first else {
                throw StoreError.conflict(
                    code: "token_exists", detail: "there is another token \(old.name)", currentState: nil)
            }
            let rotation = TokenRotation(old: try Self.token(first), new: try Self.token(second))
            let detail = [
                "old": "\(id)", "new": "\(rotation.new.id)",
                "old_ends_at": rotation.old.revokedAt == nil ? rotation.old.expiresAt?.rfc3339 : nil,
            ].compactMapValues(\.self)
            _ = try await connection.query(
                .auditNote, Self.auditNote(actor, "token.rotate", old.name, JSONText.object(detail)))
            return rotation
        }
    }

    /// For good.
    /// - Returns: false if there is none that counts.
    package func revokeToken(_ id: Int64, actor: String) async throws(StoreError) -> Bool {
        try await withTransaction { connection in
            let rows = try await connection.query(.tokenRevoke, [.int64(id), .text(actor.storable)])
            guard let row = rows.first else { return false }
            _ = try await connection.query(
                .auditNote, Self.auditNote(actor, "token.revoke", try row.text(0)))
            return true
        }
    }

    /// Notes that it was used; at most once a minute.
    package func touchToken(_ id: Int64, from address: String) async throws(StoreError) {
        _ = try await query(.tokenTouch, [.int64(id), .text(address.storable)])
    }

    private static func token(_ row: PGRow) throws(PGDecodingError) -> TokenRow {
        var reader = RowReader(row)
        return TokenRow(
            id: try reader.int64(), name: try reader.text(), hint: try reader.text(), role: try reader.text(),
            bounds: try reader.jsonOrNil() ?? .object([]), createdAt: try reader.time(),
            createdBy: try reader.textOrNil(), expiresAt: try reader.timeOrNil(), lastUsedAt: try reader.timeOrNil(),
            lastUsedFrom: try reader.textOrNil(), revokedAt: try reader.timeOrNil(), revokedBy: try reader.textOrNil())
    }
}
