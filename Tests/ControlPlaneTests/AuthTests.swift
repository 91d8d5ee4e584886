import Glibc
import HTTPTypes
import JobCore
import Testing
import UVLoop

@testable import ControlPlane

/// Who may ask.
@Suite struct AuthTests {
    @Test func everythingButTheWayInNeedsCredentials() async throws {
        try await withPlane { plane in
            let open: Set<String> = ["/livez", "/readyz", "/", "/login", "/assets/{name}"]
            for route in plane.plane.responder.routes {
                let target = route.path.replacing("{name}", with: "app.css").split(separator: "/").map {
                    $0.hasPrefix("{") ? "x" : $0
                }.joined(separator: "/")
                let reply = try await plane.send(route.method, "/" + target, token: nil)
                #expect(
                    (reply.status == 401) == !open.contains(route.path), "\(route.method) \(route.path) \(reply.status)"
                )
            }
        }
    }

    @Test func wrongTokensAreToldSo() async throws {
        try await withOwnPlane { plane in
            for header in ["Bearer wrong", "Bearer ", "Basic eDp5", Harness.token, "Bearer \(Harness.token)x"] {
                let reply = try await plane.send(.get, "/api/v1/jobs", token: nil, headers: [.authorization: header])
                #expect(reply.status == 401)
                #expect(reply.headers[.wwwAuthenticate]?.contains("Bearer") == true)
            }
            // Mildly limited; the right token passes all the same.
            var last = 0
            for _ in 0..<40 { last = try await plane.send(.get, "/api/v1/jobs", token: "wrong").status }
            #expect(last == 429)
            #expect(try await plane.get("/api/v1/jobs").status == 200)
        }
    }

    /// They may come from the same proxy, or the same socket, as somebody's guesses.
    @Test func guessesLockNobodyOut() async throws {
        let file = try JWTTests.keyFile()
        defer { unlink(file) }
        try await withOwnPlane {
            $0.jwt = JWTRules(source: .file(file), issuer: "https://id.example", audience: "pawl")
        } _: { plane in
            let made = try await TokenTests.make(plane, "{\"name\":\"ci\",\"role\":\"viewer\"}").token
            let jwt = try JWTTests.current(.viewer)
            var last = 0
            for n in 0..<60 {
                let guess = n % 3 == 0 ? "wrong" : n % 3 == 1 ? TokenBook.make() : jwt + "A"
                last = try await plane.send(.get, "/api/v1/jobs", token: guess).status
            }
            #expect(last == 429)
            // Also among many guesses at once, and though nobody has used it yet.
            async let first = plane.send(.get, "/api/v1/jobs", token: TokenBook.make()).status
            async let second = plane.send(.get, "/api/v1/jobs", token: made).status
            async let third = plane.send(.get, "/api/v1/jobs", token: TokenBook.make()).status
            async let fourth = plane.send(.get, "/api/v1/jobs", token: jwt).status
            let found = try await [first, second, third, fourth]
            #expect(found == [429, 200, 429, 200])
            #expect(try await plane.send(.get, "/api/v1/jobs", token: made).status == 200)
            #expect(try await plane.send(.get, "/api/v1/jobs", token: made + "x").status == 429)
        }
    }

    @Test func tokensInTheQueryAreRefused() async throws {
        try await withPlane { plane in
            for name in ["token", "access_token"] {
                let reply = try await plane.send(.get, "/api/v1/jobs?\(name)=\(Harness.token)", token: nil)
                #expect(reply.status == 400)
                #expect(reply.code == "token_in_query")
                #expect(!reply.text.contains(Harness.token))
            }
        }
    }

    @Test func ticketOpensThePageOnce() async throws {
        try await withPlane { plane in
            let link = try await plane.post("/api/v1/auth/links", "")
            #expect(link.status == 201)
            let url = try #require(link["url"]?.text)
            let login = try await plane.send(.get, url, token: nil)
            #expect(login.status == 303)
            #expect(login.headers[.location] == "/")
            let set = try #require(login.headers[.setCookie])
            #expect(set.contains("HttpOnly") && set.contains("SameSite=Strict"))
            let cookie = String(set.prefix { $0 != ";" })
            #expect(try await plane.send(.get, url, token: nil).status == 403)
            let page = try await plane.send(.get, "/api/v1/overview", token: nil, headers: [.cookie: "a=b; \(cookie)"])
            #expect(page.status == 200)
            let other = cookie.hasSuffix("A") ? "Q" : "A"
            for forged in ["x" + cookie.dropFirst(), String(cookie.dropLast()) + other, "\(cookie)A"] {
                let reply = try await plane.send(
                    .get, "/api/v1/overview", token: nil, headers: [.cookie: String(forged)])
                #expect(reply.status == 401, "\(forged)")
            }
        }
    }

    @Test func cookieChangesNothingForOtherPages() async throws {
        try await withPlane { plane in
            let ticket = plane.plane.loginTicket()
            let login = try await plane.send(.get, "/login?ticket=\(ticket)", token: nil)
            let cookie = String(try #require(login.headers[.setCookie]).prefix { $0 != ";" })
            func post(_ more: [HTTPField.Name: String]) async throws -> Int {
                try await plane.send(
                    .post, "/api/v1/runs", "{\"job\":\"test.echo\"}", token: nil,
                    headers: more.merging([.cookie: cookie]) { $1 }
                ).status
            }
            #expect(try await post([.secFetchSite: "same-origin"]) == 201)
            #expect(try await post([.origin: "http://localhost"]) == 201)
            #expect(try await post([:]) == 403)
            #expect(try await post([.secFetchSite: "cross-site"]) == 403)
            #expect(try await post([.secFetchSite: "same-site", .origin: "http://localhost"]) == 403)
            #expect(try await post([.origin: "http://evil.example"]) == 403)
        }
    }

    @Test func sessionsEnd() async throws {
        try await LoopActor.test {
            let sessions = Sessions(keys: Keys(adminToken: "t"))
            let now = WallTime(micros: 1_000_000_000_000)
            @LoopActor func cookie(_ principal: Principal) -> String {
                String(sessions.cookie(for: principal, now: now).prefix { $0 != ";" })
            }
            @LoopActor func check(_ cookie: String, hours: Int64) -> (principal: Principal, isOld: Bool)? {
                sessions.check(cookies: cookie, now: now.advanced(by: .seconds(hours * 3600)))
            }
            let own = cookie(.admin)
            #expect(check(own, hours: 0)?.isOld == false)
            #expect(check(own, hours: 7)?.isOld == true)
            #expect(check(own, hours: 12) == nil)
            #expect(Sessions(keys: Keys(adminToken: "u")).check(cookies: own, now: now) == nil)
            // It is of whoever made the link, and ends with what that one is known by.
            let viewer = Principal(
                way: .hostToken, name: "token:ci", role: .viewer, tokenID: 7, expires: now.advanced(by: .seconds(3600)))
            let found = try #require(check(cookie(viewer), hours: 0)).principal
            #expect(
                found
                    == Principal(
                        way: .session, name: "token:ci", role: .viewer, tokenID: 7, expires: viewer.expires))
            #expect(check(cookie(viewer), hours: 1) == nil)
            let renewed = String(
                sessions.cookie(for: found, now: now.advanced(by: .seconds(3000))).prefix { $0 != ";" })
            #expect(check(renewed, hours: 1) == nil)
        }
    }

    @Test func otherNamesOfOurAddressAreRefused() async throws {
        try await withPlane { plane in
            for host in ["localhost:8080", "127.0.0.1", "127.1.2.3:1", "[::1]:80", "LOCALHOST"] {
                #expect(try await plane.get("/livez", headers: [.host: host]).status == 200, "\(host)")
            }
            for host in [
                "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::2]", "127.0.0.999",
            ] {
                let reply = try await plane.get("/livez", headers: [.host: host])
                #expect(reply.status == 421, "\(host)")
            }
            // A listener that the network reaches is asked for by many names.
            let reply = try await plane.send(
                .get, "/livez", headers: [.host: "pawl.example"], isOnLoopback: false)
            #expect(reply.status == 200)
        }
        // With names of its own it answers to those, and to addresses, which nobody can point elsewhere.
        try await withOwnPlane {
            $0.allowedHosts = ["Pawl.example"]
        } _: { plane in
            for isOnLoopback in [true, false] {
                for (host, status) in [
                    ("pawl.example:7070", 200), ("localhost", 200), ("evil.example", 421),
                    ("10.1.2.3", isOnLoopback ? 421 : 200), ("[fe80::1]:1", isOnLoopback ? 421 : 200),
                ] {
                    let reply = try await plane.send(
                        .get, "/livez", headers: [.host: host], isOnLoopback: isOnLoopback)
                    #expect(reply.status == status, "\(host) \(isOnLoopback)")
                }
            }
        }
    }

    @Test func pageIsServedWithAStrictPolicy() async throws {
        try await withPlane { plane in
            let page = try await plane.send(.get, "/", token: nil)
            #expect(page.status == 200)
            #expect(page.headers[.contentType] == "text/html; charset=utf-8")
            #expect(page.headers[.contentSecurityPolicy]?.contains("default-src 'none'") == true)
            #expect(page.headers[.contentSecurityPolicy]?.contains("unsafe") == false)
            let tag = try #require(page.headers[.eTag])
            #expect(try await plane.send(.get, "/", token: nil, headers: [.ifNoneMatch: tag]).status == 304)
            #expect(try await plane.send(.get, "/assets/app.js", token: nil).status == 200)
            for name in ["..%2F..%2Fetc%2Fpasswd", "nothing.js", "%2e%2e"] {
                #expect(try await plane.send(.get, "/assets/\(name)", token: nil).status == 404)
            }
        }
    }
}
