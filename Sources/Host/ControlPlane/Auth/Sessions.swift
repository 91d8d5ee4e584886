import Crypto
import JobCore
import UVLoop

/// The page's way in: a ticket, good once and for a short time, becomes a signed cookie.
///
/// Cookies are not kept: what makes one valid is its signature and its time. Tickets are, as long as they live.
@LoopActor
final class Sessions {
    static let ticketLife = Duration.seconds(15 * 60)
    static let sessionLife = Duration.seconds(12 * 3600)
    /// More are not kept; the oldest goes first.
    private static let ticketLimit = 100

    private let keys: Keys
    private var tickets: [(ticket: String, expires: LoopInstant)] = []

    init(keys: Keys) { self.keys = keys }

    func makeTicket(now: LoopInstant = .now) -> String {
        let ticket = Base64URL.encode(Self.random(24))
        tickets.removeAll { $0.expires <= now }
        if tickets.count >= Self.ticketLimit { tickets.removeFirst() }
        tickets.append((ticket, now.advanced(by: Self.ticketLife)))
        return ticket
    }

    /// Takes a ticket out of the world; false if there was none.
    func redeem(_ ticket: String, now: LoopInstant = .now) -> Bool {
        // 192 random bits: looking one up tells nothing about another.
        guard let index = tickets.firstIndex(where: { $0.ticket == ticket }) else { return false }
        return tickets.remove(at: index).expires > now
    }

    /// The value of a `Set-Cookie` header that signs a browser in.
    func cookie(now: WallTime) -> String {
        let expires = now.advanced(by: Self.sessionLife)
        let payload = UInt64(bitPattern: expires.micros).bigEndianBytes + Self.random(8)
        let value = Base64URL.encode(payload + code(payload))
        return
            "\(keys.cookieName)=\(value); Path=/; Max-Age=\(Self.sessionLife.components.seconds); HttpOnly; SameSite=Strict"
    }

    /// Whether a `Cookie` header holds a valid session; and whether it should be renewed.
    func check(cookies header: String, now: WallTime) -> (isValid: Bool, isOld: Bool) {
        for pair in header.split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == keys.cookieName,
                let bytes = Base64URL.decode(parts[1].filter { $0 != " " }), bytes.count == 48
            else { continue }
            let payload = Array(bytes[..<16])
            guard
                HMAC<SHA256>.isValidAuthenticationCode(
                    Array(bytes[16...]), authenticating: payload, using: keys.session)
            else { continue }
            let expires = WallTime(micros: Int64(bitPattern: UInt64(bigEndianBytes: payload[..<8])))
            guard expires > now else { continue }
            return (true, expires - now < Self.sessionLife / 2)
        }
        return (false, false)
    }

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
