import JobCore

/// Which JSON Web Tokens (RFC 7519) count, and for what.
package struct JWTRules: Sendable {
    /// Where the keys are: a JWK set (RFC 7517).
    package var source: JWTKeySource
    /// What `iss` must be.
    package var issuer: String
    /// What `aud` must be or hold.
    package var audience: String
    /// The claim that says the role, as a path: `role`, `realm_access.roles`. A text, or a list of which the greatest counts.
    package var roleClaim: [String]
    /// What the claim's words stand for.
    package var roles: [String: Role]
    /// How far clocks may be apart.
    package var leeway: Duration

    package static let ownNames = Dictionary(uniqueKeysWithValues: Role.allCases.map { ($0.rawValue, $0) })

    package init(
        source: JWTKeySource, issuer: String, audience: String, roleClaim: [String] = ["role"],
        roles: [String: Role] = JWTRules.ownNames, leeway: Duration = .seconds(60)
    ) {
        self.source = source
        self.issuer = issuer
        self.audience = audience
        self.roleClaim = roleClaim
        self.roles = roles
        self.leeway = leeway
    }

    /// Whether the keys' file can be read and holds some key that counts. What is elsewhere is not asked for here.
    package var hasKeys: Bool {
        switch source {
        case .file(let path): JWTKeySource.keys(ofFile: path) != nil
        case .address: true
        }
    }
}

/// Why a token does not count. Says nothing of what is in it.
enum JWTFault: String, Error, Sendable, CaseIterable {
    case malformed = "It is no JSON Web Token."
    case algorithm = "Its algorithm is none that counts here: EdDSA, ES256, RS256."
    case key = "No key that counts here is named by it."
    case signature = "Its signature is not valid."
    case expired = "It has expired, or does not say when it does."
    case early = "It is not valid yet."
    case issuer = "It is by another issuer."
    case audience = "It is for somebody else."
    case role = "It gives no role here."
    case bounds = "Its claim pawl holds something else than lists of queues, jobs and owners."
}

extension JWTRules {
    /// More is not looked at, in bytes.
    static let longest = 8192

    /// Whom a token speaks for. Nothing that it says counts before its signature does.
    func principal(of token: some StringProtocol, keys: [JWTKey], now: WallTime) throws(JWTFault) -> Principal {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard token.utf8.count <= Self.longest, parts.count == 3, let signature = Base64URL.decode(parts[2]) else {
            throw .malformed
        }
        let header = try Self.object(parts[0])
        guard let algorithm = header["alg"]?.text.flatMap({ JWTKey.Algorithm(rawValue: $0) }) else { throw .algorithm }
        if let type = header["typ"]?.text?.lowercased(), type != "jwt", type != "at+jwt" { throw .malformed }
        // Extensions that must be understood: none is.
        guard header["crit"] == nil else { throw .malformed }
        // The key says what the algorithm is; the header may only agree.
        let id = header["kid"]?.text
        let fitting = keys.filter { $0.algorithm == algorithm && (id == nil || $0.id == id) }
        guard fitting.count == 1, let key = fitting.first else { throw .key }
        guard key.isValid(signature, for: Array("\(parts[0]).\(parts[1])".utf8)) else { throw .signature }
        return try principal(claims: try Self.object(parts[1]), now: now)
    }

    private func principal(claims: JSONValue, now: WallTime) throws(JWTFault) -> Principal {
        guard let expires = try Self.time(claims["exp"]), expires.advanced(by: leeway) > now else { throw .expired }
        for name in ["nbf", "iat"] {
            if let from = try Self.time(claims[name]), from > now.advanced(by: leeway) { throw .early }
        }
        guard claims["iss"]?.text == issuer else { throw .issuer }
        let audiences = claims["aud"]?.elements?.compactMap(\.text) ?? claims["aud"]?.text.map { [$0] } ?? []
        guard audiences.contains(audience) else { throw .audience }
        let said = roleClaim.reduce(JSONValue?.some(claims)) { $0?[$1] }
        let words = said?.elements?.compactMap(\.text) ?? said?.text.map { [$0] } ?? []
        guard let role = words.compactMap({ roles[$0] }).max() else { throw .role }
        let subject = (claims["sub"]?.text ?? "?").unicodeScalars.prefix(100).map {
            $0.value < 0x21 || $0.value == 0x7f ? "?" : String($0)
        }.joined()
        guard let bounds = Bounds(claims["pawl"] ?? .object([])) else { throw .bounds }
        var principal = Principal(way: .jwt, name: "jwt:\(subject)", role: role)
        principal.bounds = bounds
        principal.expires = expires
        return principal
    }

    /// A part of a token: a JSON object that says nothing twice.
    private static func object(_ part: some StringProtocol) throws(JWTFault) -> JSONValue {
        guard let bytes = Base64URL.decode(part), let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed
        }
        let value: JSONValue
        do throws(JSONFault) {
            value = try JSONValue(parsing: text)
        } catch {
            throw .malformed
        }
        guard case .object(let members) = value, Set(members.map(\.key)).count == members.count else {
            throw .malformed
        }
        return value
    }

    /// Seconds since 1970, perhaps with a fraction.
    private static func time(_ value: JSONValue?) throws(JWTFault) -> WallTime? {
        guard let value else { return nil }
        guard case .number(let text) = value, let seconds = Double(text), seconds.isFinite, abs(seconds) < 1e11 else {
            throw .malformed
        }
        return WallTime(micros: Int64(seconds * 1_000_000))
    }
}
