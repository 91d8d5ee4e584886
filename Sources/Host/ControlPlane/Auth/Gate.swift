import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// Decides who asks, before a route sees the request.
@LoopActor
final class Gate {
    let keys: Keys
    let sessions: Sessions
    let tokens: TokenBook
    /// Nil: no JSON Web Tokens count.
    let jwt: JWTBook?
    private let failures = FailedLogins()
    /// The last look-up of each address that guesses.
    private var turns: [String: Task<TokenBook.Answer, Never>] = [:]
    private let allowedHosts: Set<String>

    init(keys: Keys, tokens: TokenBook, jwt: JWTBook? = nil, allowedHosts: [String], hasTLS: Bool = false) {
        self.keys = keys
        self.tokens = tokens
        self.jwt = jwt
        sessions = Sessions(keys: keys, isSecure: hasTLS)
        self.allowedHosts = Set(allowedHosts.map { $0.lowercased() })
    }

    /// What is known of a request before its route is run.
    struct Visitor: Sendable {
        /// Address of the peer, for counting failures; `unix` for a Unix socket.
        var address: String
        /// The listener is reachable from this machine only by IP: a browser's page may be the one that asks.
        var isOnLoopback: Bool
        /// Who connected, if it is a Unix socket and some rule names them.
        var peer: Principal?
    }

    /// A page on the web can make its own name point to 127.0.0.1 and then talk to us as "same origin". What it cannot do is
    /// send a `Host` header with a name of ours.
    func checkHost(_ request: HTTPRequest, _ visitor: Visitor) throws(Problem) {
        // Elsewhere the names are known only if somebody has said them; a socket's path is not reached by names.
        guard visitor.isOnLoopback || (!allowedHosts.isEmpty && visitor.address != "unix") else { return }
        let authority = request.authority ?? ""
        let isOurs =
            Self.isLoopback(host: authority) || allowedHosts.contains(Self.host(of: authority))
            || (!visitor.isOnLoopback && Self.isAddress(host: authority))
        guard isOurs else {
            throw Problem(
                .misdirectedRequest, "host_not_allowed",
                "This host does not answer to the name \(authority.clipped).",
                fields: [.init(.header("Host"), "host_not_allowed", "use localhost or the address itself")])
        }
    }

    /// - Returns: who it is, and a cookie to set if the session should be renewed.
    func authenticate(
        _ request: HTTPRequest, _ visitor: Visitor, now: WallTime
    ) async throws(Problem) -> (Principal, cookie: String?) {
        if let header = request.headerFields[.authorization] {
            let parts = header.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "bearer" else {
                throw refused(visitor, "invalid_request", "Authorization must be: Bearer TOKEN.")
            }
            return (try await bearer(parts[1].drop { $0 == " " }, visitor, now: now), nil)
        }
        if let peer = visitor.peer { return (peer, nil) }
        guard let cookies = request.headerFields[.cookie], let session = sessions.check(cookies: cookies, now: now)
        else { return (.anonymous, nil) }
        try checkOrigin(request)
        guard let principal = try await standing(session.principal, now: now) else { return (.anonymous, nil) }
        return (principal, session.isOld ? sessions.cookie(for: principal, now: now) : nil)
    }

    /// Right credentials pass, whatever was sent from the same address before: it may be that of a proxy, or a socket's.
    private func bearer(
        _ token: Substring, _ visitor: Visitor, now: WallTime
    ) async throws(Problem) -> Principal {
        if keys.accepts(token: token) { return .admin }
        if let jwt, token.contains(".") {
            do throws(JWTFault) {
                return try await jwt.principal(of: token, now: now)
            } catch {
                throw refused(visitor, "invalid_token", "The token is not valid. \(error.rawValue)")
            }
        }
        // What none of ours looks like is not looked up.
        if TokenBook.isOurs(token) {
            switch await find(TokenBook.hash(token), visitor) {
            case .found(let row):
                guard let principal = Principal(row, now: now) else { break }
                tokens.used(row.id, from: visitor.address)
                return principal
            case .unknown: break
            case .unavailable: throw Self.unavailable
            }
        }
        throw refused(visitor, "invalid_token", "The token is not valid.")
    }

    /// Guesses from one address are looked up one after the other, so that they do not take the database from all; tokens that
    /// are known do not wait for them.
    private func find(_ hash: [UInt8], _ visitor: Visitor) async -> TokenBook.Answer {
        let address = visitor.address
        guard !tokens.knows(hash), failures.seconds(for: address) != nil else { return await tokens.find(hash: hash) }
        let before = turns[address]
        let turn = loopTask { [tokens] in
            _ = await before?.value
            return await tokens.find(hash: hash)
        }
        turns[address] = turn
        let answer = await turn.value
        if turns[address] == turn { turns[address] = nil }
        return answer
    }

    /// A session ends with the token that it came from, and may no more than that may now.
    private func standing(_ principal: Principal, now: WallTime) async throws(Problem) -> Principal? {
        guard let id = principal.tokenID else {
            // Users of this machine: their sessions have an end, or are of an older program.
            return principal.name.hasPrefix(Principal.peerPrefix) && principal.expires == nil ? nil : principal
        }
        switch await tokens.find(id: id) {
        case .found(let row):
            guard var current = Principal(row, now: now), current.bounds.isEmpty else { return nil }
            current.way = .session
            return current
        case .unknown: return nil
        case .unavailable: throw Self.unavailable
        }
    }

    private static var unavailable: Problem {
        var problem = Problem(
            .serviceUnavailable, "database_unavailable", "Tokens cannot be looked up while the database is away.")
        problem.isRetryable = true
        problem.retryAfter = 1
        return problem
    }

    /// Asks the authorizer, and answers for it where it refuses.
    static func authorize(
        _ principal: Principal, _ permission: Permission, _ resource: Resource? = nil
    ) throws(Problem) {
        guard case .refused(let refusal) = Authorizer.decide(principal, permission, resource) else { return }
        let detail = refusal.detail(for: principal)
        var problem: Problem
        switch refusal {
        case .unauthenticated:
            problem = Problem(.unauthorized, "unauthenticated", detail)
            problem.headers[.wwwAuthenticate] = "Bearer realm=\"pawl\""
        case .needsRole(let role):
            problem = Problem(.forbidden, "insufficient_scope", detail)
            problem.headers[.wwwAuthenticate] =
                "Bearer realm=\"pawl\", error=\"insufficient_scope\", scope=\"\(role.rawValue)\""
        case .outside, .outsideOfBounds:
            problem = Problem(.forbidden, "outside_bounds", detail)
        case .session:
            problem = Problem(.forbidden, "token_needed", detail)
        }
        throw problem
    }

    /// A browser sends the cookie with whatever its pages ask for; only our own page may change things with it.
    private func checkOrigin(_ request: HTTPRequest) throws(Problem) {
        switch request.method {
        case .get, .head, .options: return
        default: break
        }
        if let site = request.headerFields[.secFetchSite] {
            if site == "same-origin" { return }
        } else if let origin = request.headerFields[.origin], let authority = request.authority,
            origin == "http://\(authority)" || origin == "https://\(authority)"
        {
            return
        }
        throw Problem(.forbidden, "cross_site", "A page of another origin may not change anything here.")
    }

    private func refused(_ visitor: Visitor, _ error: String, _ detail: String) -> Problem {
        if let seconds = failures.failed(from: visitor.address) { return Self.later(seconds) }
        var problem = Problem(.unauthorized, error, detail)
        problem.headers[.wwwAuthenticate] = "Bearer realm=\"pawl\", error=\"\(error)\""
        return problem
    }

    private static func later(_ seconds: Int) -> Problem {
        var problem = Problem(.tooManyRequests, "too_many_failures", "Too many wrong credentials; wait a little.")
        problem.retryAfter = seconds
        problem.isRetryable = true
        return problem
    }

    /// The name without port and brackets, in lower case.
    private static func host(of authority: String) -> String {
        var text = authority.lowercased()[...]
        if text.hasPrefix("[") { return String(text.dropFirst().prefix { $0 != "]" }) }
        if let colon = text.lastIndex(of: ":") { text = text[..<colon] }
        return String(text)
    }

    /// A literal address: no name that somebody could have pointed here.
    private static func isAddress(host authority: String) -> Bool {
        let name = host(of: authority)
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return name.contains(":") || (parts.count == 4 && parts.allSatisfy { UInt8($0) != nil })
    }

    private static func isLoopback(host authority: String) -> Bool {
        let name = host(of: authority)
        if name == "localhost" || name == "::1" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
