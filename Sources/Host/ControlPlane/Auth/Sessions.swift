import Crypto
import JobCore
import UVLoop

/// The page's way in: a ticket, good once and for a short time, becomes a signed cookie.
///
/// Cookies are not kept: what makes one valid is its signature and its time; kept are those that were ended before. Tickets are,
/// as long as they live.
@LoopActor
final class Sessions {
    static let ticketLife = Duration.seconds(15 * 60)
    static let sessionLife = Duration.seconds(12 * 3600)
    /// More are not kept; the oldest goes first.
    private static let ticketLimit = 100

    private let keys: Keys
    private var tickets: [(ticket: String, principal: Principal, expires: LoopInstant)] = []

    /// Sessions that were ended, by their random number.
    private var ended: [Int64: WallTime] = [:]
    private static let endedLimit = 10_000

    /// What every cookie of ours says of itself.
    private let attributes: String

    /// - Parameter isSecure: browsers send the cookie by TLS only.
    init(keys: Keys, isSecure: Bool = false) {
        self.keys = keys
        attributes = "HttpOnly; SameSite=Strict" + (isSecure ? "; Secure" : "")
    }

    /// Whoever redeems it may what `principal` may, and is called the same.
    func makeTicket(for principal: Principal, now: LoopInstant = .now) -> String {
        let ticket = Base64URL.encode(Self.random(24))
        tickets.removeAll { $0.expires <= now }
        if tickets.count >= Self.ticketLimit { tickets.removeFirst() }
        tickets.append((ticket, principal, now.advanced(by: Self.ticketLife)))
        return ticket
    }

    /// Takes a ticket out of the world; nil if there was none.
    func redeem(_ ticket: String, now: LoopInstant = .now) -> Principal? {
        // 192 random bits: looking one up tells nothing about another.
        guard let index = tickets.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        let found = tickets.remove(at: index)
        return found.expires > now ? found.principal : nil
    }

    /// The value of a `Set-Cookie` header that signs a browser in, for as long as the principal's own credentials are good.
    func cookie(for principal: Principal, now: WallTime) -> String {
        precondition(principal.bounds.isEmpty, "a cookie has no room for bounds")
        let limit = principal.expires ?? WallTime(micros: .max)
        let expires = min(now.advanced(by: Self.sessionLife), limit)
        var payload = UInt64(bitPattern: expires.micros).bigEndianBytes + Self.random(8)
        payload += UInt64(bitPattern: limit.micros).bigEndianBytes
        payload += UInt64(bitPattern: principal.tokenID ?? 0).bigEndianBytes
        payload.append(UInt8(principal.role.flatMap { Role.allCases.firstIndex(of: $0) } ?? 0))
        payload += Array(principal.name.utf8)
        let value = Base64URL.encode(payload + code(payload))
        let seconds = max(0, (expires - now).components.seconds)
        return "\(keys.cookieName)=\(value); Path=/; Max-Age=\(seconds); \(attributes)"
    }

    /// Whom a `Cookie` header's session belongs to, and whether it should be renewed; nil if it holds no valid one.
    func check(cookies header: String, now: WallTime) -> (principal: Principal, isOld: Bool)? {
        for pair in header.split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == keys.cookieName,
                let bytes = Base64URL.decode(parts[1].filter { $0 != " " }), bytes.count > 33 + 32
            else { continue }
            let payload = Array(bytes.dropLast(32))
            guard
                HMAC<SHA256>.isValidAuthenticationCode(
                    Array(bytes.suffix(32)), authenticating: payload, using: keys.session)
            else { continue }
            func number(_ at: Int) -> Int64 {
                Int64(bitPattern: UInt64(bigEndianBytes: payload[at..<(at + 8)]))
            }
            let (expires, limit, token) = (WallTime(micros: number(0)), number(16), number(24))
            guard expires > now, ended[number(8)] == nil, Role.allCases.indices.contains(Int(payload[32])) else {
                continue
            }
            let principal = Principal(
                way: .session, name: String(decoding: payload[33...], as: UTF8.self),
                role: Role.allCases[Int(payload[32])], tokenID: token == 0 ? nil : token,
                expires: limit == .max ? nil : WallTime(micros: limit))
            return (principal, expires - now < Self.sessionLife / 2)
        }
        return nil
    }

    /// Makes the session of a `Cookie` header end now.
    func end(cookies header: String, now: WallTime) {
        for pair in header.split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard check(cookies: String(pair), now: now) != nil, parts.count == 2,
                let bytes = Base64URL.decode(parts[1].filter { $0 != " " })
            else { continue }
            ended = ended.filter { $0.value > now }
            if ended.count >= Self.endedLimit { ended = [:] }
            ended[Int64(bitPattern: UInt64(bigEndianBytes: bytes[8..<16]))] = now.advanced(by: Self.sessionLife)
        }
    }

    /// The value of a `Set-Cookie` header that takes the cookie away.
    var farewell: String { "\(keys.cookieName)=; Path=/; Max-Age=0; \(attributes)" }

    private func code(_ payload: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: payload, using: keys.session))
    }

    private static func random(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}

/// Counts wrong credentials by where they come from, so that guessing is answered with "later". Right ones are never refused:
/// nobody can lock the administrator out.
@LoopActor
final class FailedLogins {
    private static let limit = 20
    private static let window = Duration.seconds(60)
    /// Addresses remembered at most; beyond that all count as one.
    private static let addressLimit = 1000

    private var counts: [String: (count: Int, since: LoopInstant)] = [:]

    init() {}

    /// The seconds to wait, if there were too many from there.
    func seconds(for address: String, now: LoopInstant = .now) -> Int? {
        let key = counts[address] == nil && counts.count >= Self.addressLimit ? "" : address
        guard let entry = counts[key], entry.count > Self.limit, now - entry.since < Self.window else { return nil }
        return max(1, Int((Self.window - (now - entry.since)).components.seconds))
    }

    /// Notes one failure. Returns the seconds to wait, if there were too many.
    func failed(from address: String, now: LoopInstant = .now) -> Int? {
        if counts.count >= Self.addressLimit { counts = counts.filter { now - $0.value.since < Self.window } }
        let key = counts.count >= Self.addressLimit && counts[address] == nil ? "" : address
        var entry = counts[key] ?? (0, now)
        if now - entry.since >= Self.window { entry = (0, now) }
        entry.count += 1
        counts[key] = entry
        guard entry.count > Self.limit else { return nil }
        return max(1, Int((Self.window - (now - entry.since)).components.seconds))
    }
}
