import HTTPTypes
import JobCore
import JobStore

/// Opaque tokens, and who somebody is.
extension Backend {
    var tokenRoutes: [Route] {
        [
            Route(.get, "/api/v1/tokens", query: ["revoked"]) { [self] in try await listTokens($0) },
            Route(.post, "/api/v1/tokens", body: .json) { [self] in try await createToken($0) },
            Route(.delete, "/api/v1/tokens/{id}") { [self] in try await revokeToken($0) },
            Route(.post, "/api/v1/tokens/{id}/rotate", body: .json) { [self] in try await rotateToken($0) },
            Route(.get, "/api/v1/auth/whoami") { call in .json(Self.person(call.principal)) },
            Route(.post, "/api/v1/auth/logout", body: .json) { [self] in try logout($0) },
        ]
    }

    private static let mostPatterns = 100

    private func listTokens(_ call: Call) async throws -> Answer {
        let rows = try await store.tokens(withRevoked: try call.query.flag("revoked") ?? false)
        return Answer.json(list(rows.map { TokenJSON.object($0).text })).with(.cacheControl, "no-store")
    }

    /// The only answer that ever holds a token.
    private func createToken(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        reader.require("name")
        reader.require("role")
        let name = reader.string("name", limit: 100, isEmptyAllowed: false) ?? ""
        if name.contains(TokenRow.replacedMark)
            || name.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value == 0x7f })
        {
            reader.fault("name", "malformed", "must have no spaces, control characters or ~")
        }
        let role = reader.word("role", Role.self)
        let lifetime = Self.lifetime(&reader)
        let bounds = Bounds(
            queues: Self.patterns("queues", &reader), jobs: Self.patterns("jobs", &reader),
            owners: Self.patterns("owners", &reader))
        try reader.finish()
        let token = TokenBook.make()
        let row = try await store.createToken(
            NewToken(
                name: name, hash: TokenBook.hash(token), hint: String(token.prefix(9)), role: role?.rawValue ?? "",
                bounds: bounds.json.text, expiresAt: lifetime.map { WallClock.now.advanced(by: $0) }),
            actor: call.principal.name)
        var object = TokenJSON.object(row)
        object.string("token", token)
        return Answer.json(object, .created).with(.cacheControl, "no-store").with(
            .location, "/api/v1/tokens/\(TokenJSON.id(row.id))")
    }

    private static func patterns(_ name: String, _ reader: inout ObjectReader) -> [String] {
        guard let value = reader.value(name) else { return [] }
        let texts = value.elements?.compactMap(\.text) ?? []
        guard let elements = value.elements, texts.count == elements.count, texts.count <= mostPatterns else {
            reader.fault(name, "wrong_type", "must be a list of at most \(mostPatterns) names")
            return []
        }
        let isGood = texts.allSatisfy {
            !$0.isEmpty && $0.utf8.count <= 200 && !$0.utf8.contains(0) && !$0.dropLast().contains("*")
        }
        if !isGood {
            reader.fault(name, "malformed", "must hold names, or beginnings of names with a star at the end")
        }
        return texts
    }

    private func revokeToken(_ call: Call) async throws -> Answer {
        let text = call.parameter("id")
        guard let id = TokenJSON.parse(text), try await store.revokeToken(id, actor: call.principal.name) else {
            throw Problem.notFound("token", text)
        }
        gate.tokens.forget()
        return Answer(.noContent)
    }

    private static func lifetime(_ reader: inout ObjectReader) -> Duration? {
        reader.milliseconds("expires_in_ms", from: 1000, to: 10 * 366 * 86_400_000)
    }

    /// The other answer that holds a token. One that is lost is no harm: the new one is rotated in its turn.
    private func rotateToken(_ call: Call) async throws -> Answer {
        let text = call.parameter("id")
        var reader = try ObjectReader(body: call.body)
        let lifetime = Self.lifetime(&reader)
        let grace = reader.milliseconds("grace_ms", from: 0, to: 30 * 86_400_000) ?? .zero
        _ = reader.string("reason", limit: 1000)
        try reader.finish()
        let token = TokenBook.make()
        guard let id = TokenJSON.parse(text),
            let rotation = try await store.rotateToken(
                id, hash: TokenBook.hash(token), hint: String(token.prefix(9)), lifetime: lifetime, grace: grace,
                actor: call.principal.name)
        else { throw Problem.notFound("token", text) }
        gate.tokens.forget()
        var object = TokenJSON.object(rotation.new)
        object.string("token", token)
        object.object("replaced", TokenJSON.object(rotation.old))
        return Answer.json(object, .created).with(.cacheControl, "no-store").with(
            .location, "/api/v1/tokens/\(TokenJSON.id(rotation.new.id))")
    }

    private static func person(_ principal: Principal) -> JSONObject {
        var object = JSONObject()
        object.string("name", principal.name)
        object.string("role", principal.role?.rawValue)
        object.string("via", principal.way.rawValue)
        object.object("bounds", principal.bounds.json)
        object.time("expires_at", principal.expires)
        return object
    }

    /// Ends the page's session; whoever came with a token has nothing to end.
    private func logout(_ call: Call) throws(Problem) -> Answer {
        var reader = try ObjectReader(body: call.body)
        try reader.finish()
        var answer = Answer(.noContent)
        if let cookies = call.headers[.cookie] {
            gate.sessions.end(cookies: cookies, now: WallClock.now)
            answer.headers[.setCookie] = gate.sessions.farewell
        }
        return answer
    }
}

enum TokenJSON {
    static func id(_ id: Int64) -> String { "tok_\(id)" }

    static func parse(_ text: String) -> Int64? {
        text.hasPrefix("tok_") ? Int64(text.dropFirst(4)) : nil
    }

    static func object(_ row: TokenRow) -> JSONObject {
        var object = JSONObject()
        object.string("id", id(row.id))
        object.string("name", row.name)
        object.string("hint", row.hint)
        object.string("role", row.role)
        // As they stand there, where they are of a newer program.
        object.raw("bounds", Bounds(row.bounds)?.json.text ?? row.bounds.json)
        object.time("created_at", row.createdAt)
        object.string("created_by", row.createdBy)
        object.time("expires_at", row.expiresAt)
        object.time("last_used_at", row.lastUsedAt)
        object.string("last_used_from", row.lastUsedFrom)
        object.time("revoked_at", row.revokedAt)
        object.string("revoked_by", row.revokedBy)
        return object
    }
}
