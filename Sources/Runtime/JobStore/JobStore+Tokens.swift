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
