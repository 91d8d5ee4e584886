import HTTPTypes
import JobCore
import Postgres
import Testing
import UVLoop

@testable import ControlPlane
@testable import JobStore

/// Opaque tokens from their making to their end.
@Suite struct TokenTests {
    static func make(_ plane: Harness, _ body: String) async throws -> (id: String, token: String) {
        let reply = try await plane.post("/api/v1/tokens", body)
        try #require(reply.status == 201, "\(reply.text)")
        #expect(reply.headers[.cacheControl] == "no-store")
        return (try #require(reply["id"]?.text), try #require(reply["token"]?.text))
    }

    @Test func isShownOnceAndKeptAsAHash() async throws {
        try await withOwnPlane { plane in
            let made = try await Self.make(plane, "{\"name\":\"ci\",\"role\":\"operator\"}")
            #expect(made.token.hasPrefix("pawl_") && made.token.utf8.count == 48)
            let list = try await plane.get("/api/v1/tokens")
            #expect(list.items.map { $0["name"]?.text } == ["ci"])
            #expect(!list.text.contains(made.token))
            let row = try #require(try await plane.store.tokens().first)
            let stored = try #require(try await plane.store.token(hash: TokenBook.hash(made.token)))
            #expect(stored == row && made.token.hasPrefix(row.hint) && row.createdBy == "admin")
            #expect(row.hint.utf8.count < 10)
            let person = try await plane.send(.get, "/api/v1/auth/whoami", token: made.token)
            #expect(person["name"]?.text == "token:ci")
            #expect(person["role"]?.text == "operator")
            #expect(person["via"]?.text == "token")
            // Its use is written down.
            for _ in 0..<100 where try await plane.store.tokens().first?.lastUsedAt == nil {
                try await LoopClock.sleep(for: .milliseconds(20))
            }
            #expect(try await plane.store.tokens().first?.lastUsedFrom == "test")
        }
    }

    @Test func endsWhenItIsRevokedOrItsTimeIsOver() async throws {
        try await withOwnPlane { plane in
            let made = try await Self.make(plane, "{\"name\":\"ci\",\"role\":\"owner\"}")
            // A session that came from it ends with it.
            let link = try await plane.send(.post, "/api/v1/auth/links", token: made.token)
            let login = try await plane.send(.get, try #require(link["url"]?.text), token: nil)
            let cookie = String(try #require(login.headers[.setCookie]).prefix { $0 != ";" })
            func page() async throws -> Int {
                try await plane.send(.get, "/api/v1/overview", token: nil, headers: [.cookie: cookie]).status
            }
            #expect(try await page() == 200)
            #expect(try await plane.send(.get, "/api/v1/jobs", token: made.token).status == 200)
            #expect(try await plane.send(.delete, "/api/v1/tokens/\(made.id)").status == 204)
            #expect(try await plane.send(.delete, "/api/v1/tokens/\(made.id)").status == 404)
            #expect(try await plane.send(.get, "/api/v1/jobs", token: made.token).code == "invalid_token")
            #expect(try await page() == 401)
            #expect(try await plane.get("/api/v1/tokens").items.isEmpty)
            #expect(try await plane.get("/api/v1/tokens?revoked=true").items.count == 1)
            // The name is free again.
            _ = try await Self.make(plane, "{\"name\":\"ci\",\"role\":\"viewer\"}")

            let row = try #require(try await plane.store.tokens().first)
            var old = row
            old.expiresAt = row.createdAt.advanced(by: .seconds(10))
            #expect(Principal(old, now: row.createdAt.advanced(by: .seconds(9)))?.role == .viewer)
            #expect(Principal(old, now: row.createdAt.advanced(by: .seconds(10))) == nil)
            old.role = "emperor"
            #expect(Principal(old, now: row.createdAt) == nil)
        }
    }

    @Test func isReplacedByAnotherOfItsName() async throws {
        try await withOwnPlane { plane in
            func status(_ token: String) async throws -> Int {
                try await plane.send(.get, "/api/v1/auth/whoami", token: token).status
            }
            let first = try await Self.make(
                plane, "{\"name\":\"ci\",\"role\":\"viewer\",\"queues\":[\"a*\"],\"expires_in_ms\":86400000}")
            #expect(try await status(first.token) == 200)
            // With grace both count, and it can be seen who comes with which.
            let reply = try await plane.post("/api/v1/tokens/\(first.id)/rotate", "{\"grace_ms\":60000}")
            #expect(reply.status == 201 && reply.headers[.cacheControl] == "no-store", "\(reply.text)")
            let second = (id: try #require(reply["id"]?.text), token: try #require(reply["token"]?.text))
            #expect(second.id != first.id && second.token != first.token && reply["name"]?.text == "ci")
            #expect(reply["replaced"]?["name"]?.text == "ci~\(first.id.dropFirst(4))")
            #expect(reply["role"]?.text == "viewer" && reply["bounds"]?["queues"]?.elements?.first?.text == "a*")
            let both = try await plane.store.tokens().sorted { $0.id < $1.id }
            #expect(both.count == 2)
            let (old, new) = (both[0], both[1])
            let lifetime = try #require(new.expiresAt) - new.createdAt
            #expect(abs((lifetime - .seconds(86400)).wholeMilliseconds) < 1000, "as long as the old one's")
            let left = try #require(old.expiresAt) - new.createdAt
            #expect(abs((left - .seconds(60)).wholeMilliseconds) < 1000)
            #expect(Principal(old, now: new.createdAt.advanced(by: .seconds(61))) == nil)
            #expect(try await status(first.token) == 200)
            #expect(
                try await plane.send(.get, "/api/v1/auth/whoami", token: first.token)["name"]?.text
                    == "token:ci~\(first.id.dropFirst(4))")
            #expect(try await plane.send(.get, "/api/v1/auth/whoami", token: second.token)["name"]?.text == "token:ci")
            let twice = try await plane.post("/api/v1/tokens/\(first.id)/rotate")
            #expect(twice.status == 409 && twice.code == "token_replaced")
            // Without, the old one ends now.
            let third = try await plane.post("/api/v1/tokens/\(second.id)/rotate", "{\"expires_in_ms\":1000}")
            #expect(third.status == 201 && third["replaced"]?["revoked_by"]?.text == "admin")
            #expect(try await status(second.token) == 401)
            #expect(try await plane.post("/api/v1/tokens/\(second.id)/rotate").status == 404)
            #expect(try await plane.post("/api/v1/tokens/tok_999999/rotate").status == 404)
            #expect(try await plane.post("/api/v1/tokens/ci/rotate").status == 404)
            for body in [
                "{\"grace_ms\":-1}", "{\"grace_ms\":99999999999}", "{\"expires_in_ms\":1}", "{\"name\":\"x\"}",
            ] {
                #expect(try await plane.post("/api/v1/tokens/\(second.id)/rotate", body).status == 422)
            }
            let rows = try await plane.get("/api/v1/audit?action=token.rotate").items
            #expect(rows.map { $0["result"]?.text } == ["ok", "token_replaced", "ok"])
            #expect(!reply.text.contains(first.token))
        }
    }

    @Test func wishesAreChecked() async throws {
        try await withOwnPlane { plane in
            _ = try await Self.make(plane, "{\"name\":\"one\",\"role\":\"viewer\"}")
            let again = try await plane.post("/api/v1/tokens", "{\"name\":\"one\",\"role\":\"viewer\"}")
            #expect(again.status == 409 && again.code == "token_exists")
            let cases: [(String, String)] = [
                ("{}", "/name"), ("{\"name\":\"x\"}", "/role"), ("{\"name\":\"\",\"role\":\"viewer\"}", "/name"),
                ("{\"name\":\"a b\",\"role\":\"viewer\"}", "/name"),
                ("{\"name\":\"a~1\",\"role\":\"viewer\"}", "/name"), ("{\"name\":\"x\",\"role\":\"root\"}", "/role"),
                ("{\"name\":\"x\",\"role\":\"viewer\",\"expires_in_ms\":1}", "/expires_in_ms"),
                ("{\"name\":\"x\",\"role\":\"viewer\",\"queues\":\"a\"}", "/queues"),
                ("{\"name\":\"x\",\"role\":\"viewer\",\"queues\":[\"a*b\"]}", "/queues"),
                ("{\"name\":\"x\",\"role\":\"viewer\",\"owners\":[\"\"]}", "/owners"),
                ("{\"name\":\"x\",\"role\":\"viewer\",\"scope\":\"a\"}", "/scope"),
            ]
            for (body, place) in cases {
                let reply = try await plane.post("/api/v1/tokens", body)
                #expect(reply.status == 422 && reply.places.contains(place), "\(body) \(reply.text)")
            }
            for id in ["tok_99999", "1", "tok_x", "tok_"] {
                #expect(try await plane.send(.delete, "/api/v1/tokens/\(id)").status == 404)
            }
        }
    }

    @Test func boundsHoldOverHTTP() async throws {
        try await withOwnPlane { plane in
            let token = try await Self.make(
                plane, "{\"name\":\"mail\",\"role\":\"admin\",\"queues\":[\"mail-*\"],\"jobs\":[\"test.echo\"]}"
            ).token
            func send(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) async throws -> Int {
                let reply = try await plane.send(method, "/api/v1" + path, body, token: token)
                #expect(reply.status != 403 || reply.code == "outside_bounds", "\(reply.text)")
                return reply.status
            }
            let inside = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"mail-out\"}")
            let outside = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"other\"}")
            let otherJob = try await plane.makeRun("{\"job\":\"test.other\",\"queue\":\"mail-out\"}")
            #expect(try await send(.get, "/runs/\(inside)") == 200)
            #expect(try await send(.get, "/runs/\(outside)") == 403)
            #expect(try await send(.get, "/runs/\(otherJob)") == 403)
            #expect(try await send(.post, "/runs/\(outside)/cancel", "{}") == 403)
            // Nothing is carried out of the bounds.
            let tag = try #require(try await plane.get("/api/v1/runs/\(inside)").headers[.eTag])
            let moved = try await plane.send(
                .patch, "/api/v1/runs/\(inside)", "{\"queue\":\"other\"}", token: token, headers: [.ifMatch: tag])
            #expect(moved.status == 403 && moved.code == "outside_bounds")
            // New runs say where they belong.
            #expect(try await send(.post, "/runs", "{\"job\":\"test.echo\",\"queue\":\"mail-in\"}") == 201)
            #expect(try await send(.post, "/runs", "{\"job\":\"test.echo\"}") == 403)
            #expect(try await send(.post, "/runs", "{\"job\":\"test.other\",\"queue\":\"mail-in\"}") == 403)
            let item = "{\"job\":\"test.echo\",\"queue\":\"mail-in\"}"
            #expect(try await send(.post, "/runs/batch", "{\"items\":[\(item),{\"job\":\"test.echo\"}]}") == 403)
            // Lists have to be narrowed, and what is about everything is nothing for it.
            #expect(try await send(.get, "/runs") == 403)
            #expect(try await send(.get, "/runs?queue=mail-out") == 403)
            #expect(try await send(.get, "/runs?queue=mail-out&job=test.echo") == 200)
            #expect(try await send(.get, "/runs?queue=mail-out&queue=other&job=test.echo") == 403)
            #expect(try await send(.get, "/queues/mail-out") == 403)  // it has other jobs' runs too
            #expect(try await send(.get, "/overview") == 403)
            #expect(try await send(.post, "/auth/links", "{}") == 403)
            #expect(try await send(.get, "/system") == 200)
            #expect(try await send(.get, "/auth/whoami") == 200)
        }
    }

    @Test func ownersSeeTheirRunsOnly() async throws {
        try await withOwnPlane { plane in
            let token = try await Self.make(plane, "{\"name\":\"u7\",\"role\":\"operator\",\"owners\":[\"u7\"]}").token
            let own = try await plane.makeRun("{\"job\":\"test.echo\",\"owner\":\"u7\"}")
            let other = try await plane.makeRun("{\"job\":\"test.echo\",\"owner\":\"u8\"}")
            let nobodys = try await plane.makeRun()
            func get(_ path: String) async throws -> Int {
                try await plane.send(.get, "/api/v1/runs" + path, token: token).status
            }
            #expect(try await get("/\(own)") == 200)
            #expect(try await get("/\(other)") == 403)
            #expect(try await get("/\(nobodys)") == 403)
            #expect(try await get("?owner=u7") == 200)
            #expect(try await get("?owner=u8") == 403)
        }
    }

    /// Whoever has another's run answered, or replaced, has reached it.
    @Test func uniqueKeysStayInside() async throws {
        try await withOwnPlane { plane in
            let mine = try await Self.make(plane, "{\"name\":\"u7\",\"role\":\"operator\",\"owners\":[\"u7\"]}").token
            let jobs = try await Self.make(
                plane, "{\"name\":\"echo\",\"role\":\"operator\",\"jobs\":[\"test.echo\"]}"
            ).token
            func body(_ owner: String, _ unique: String) -> String {
                "{\"job\":\"test.echo\",\"owner\":\"\(owner)\",\"unique\":\(unique)}"
            }
            func status(_ token: String, _ owner: String, _ unique: String) async throws -> Int {
                let reply = try await plane.send(.post, "/api/v1/runs", body(owner, unique), token: token)
                #expect(reply.status != 403 || reply.code == "outside_bounds", "\(reply.text)")
                return reply.status
            }
            _ = try await plane.makeRun(body("u8", "{\"key\":\"k\"}"))
            for policy in ["return_existing", "replace", "reject"] {
                #expect(try await status(mine, "u7", "{\"key\":\"k\",\"policy\":\"\(policy)\"}") == 403)
                #expect(try await status(mine, "u7", "{\"policy\":\"\(policy)\"}") == 403)
            }
            let item = body("u7", "{\"key\":\"k\",\"policy\":\"replace\"}")
            let batch = try await plane.send(.post, "/api/v1/runs/batch", "{\"items\":[\(item)]}", token: mine)
            #expect(batch.status == 403 && batch.code == "outside_bounds")
            // Among one's own, one's own.
            let own = "{\"key\":\"k\",\"by\":[\"job\",\"owner\"],\"policy\":\"return_existing\"}"
            #expect(try await status(mine, "u7", own) == 201)
            #expect(try await status(mine, "u7", own) == 200)
            #expect(try await status(mine, "u7", "null") != 403)
            // The job is compared unless somebody says what else is.
            #expect(try await status(jobs, "u8", "{\"key\":\"k\",\"policy\":\"return_existing\"}") == 200)
            #expect(try await status(jobs, "u8", "{\"key\":\"k\",\"by\":[\"owner\"]}") == 403)
            #expect(try await status(jobs, "u8", "{\"key\":\"k\",\"by\":[]}") == 403)
        }
    }

    @Test func boundsThatAreNotUnderstoodConfineWholly() async throws {
        func bounds(_ text: String) throws -> Bounds? { Bounds(try JSONValue(parsing: text)) }
        #expect(try bounds("{}") == Bounds())
        let some = try bounds("{\"queues\":[],\"jobs\":[\"a\"],\"owners\":[\"b*\"]}")
        #expect(some == Bounds(jobs: ["a"], owners: ["b*"]))
        for text in [
            "null", "[]", "\"mail\"", "{\"queue\":[\"mail\"]}", "{\"queues\":\"mail\"}", "{\"queues\":null}",
            "{\"queues\":[\"mail\",7]}", "{\"queues\":{\"a\":\"b\"}}", "{\"queues\":[\"a\"],\"queues\":[]}",
        ] { #expect(try bounds(text) == nil, "\(text)") }
        try await withOwnPlane { plane in
            let made = try await Self.make(plane, "{\"name\":\"ci\",\"role\":\"owner\",\"queues\":[\"mail\"]}")
            try await plane.store.pool.withTransaction { connection in
                try await connection.execute("UPDATE pawl.token SET bounds = '{\"queues\":\"mail\"}'")
            }
            #expect(try await plane.send(.get, "/api/v1/auth/whoami", token: made.token).code == "invalid_token")
            let list = try await plane.get("/api/v1/tokens")
            #expect(list.items.first?["bounds"]?["queues"]?.text == "mail")
        }
    }

    @Test func logoutOfAnOldSessionIsNoRenewal() async throws {
        try await withOwnPlane { plane in
            let then = WallClock.now.advanced(by: .seconds(-7 * 3600))
            let set = plane.plane.gate.sessions.cookie(for: .admin, now: then)
            let headers: [HTTPField.Name: String] = [
                .cookie: String(set.prefix { $0 != ";" }), .secFetchSite: "same-origin",
            ]
            let person = try await plane.send(.get, "/api/v1/auth/whoami", token: nil, headers: headers)
            #expect(person.headers[values: .setCookie].count == 1, "it is renewed")
            let out = try await plane.send(.post, "/api/v1/auth/logout", token: nil, headers: headers)
            let cookies = out.headers[values: .setCookie]
            #expect(out.status == 204 && cookies.count == 1 && cookies[0].contains("Max-Age=0"), "\(cookies)")
        }
    }

    @Test func sessionsOfUsersOfThisMachineEnd() async throws {
        try await withOwnPlane { plane in
            let peer = Principal(way: .peer, name: "unix:7", role: .owner)
            let link = try await plane.send(
                .post, "/api/v1/auth/links", token: nil, isOnLoopback: false, peer: peer)
            let login = try await plane.send(.get, try #require(link["url"]?.text), token: nil)
            let sessions = plane.plane.gate.sessions
            var cookie = String(try #require(login.headers[.setCookie]).prefix { $0 != ";" })
            let found = try #require(sessions.check(cookies: cookie, now: WallClock.now)).principal
            #expect(found.name == "unix:7" && found.role == .owner)
            let end = try #require(found.expires)
            #expect(end <= WallClock.now.advanced(by: Sessions.sessionLife))
            // Renewing does not pass it.
            let late = end.advanced(by: .seconds(-60))
            cookie = String(sessions.cookie(for: found, now: late).prefix { $0 != ";" })
            #expect(sessions.check(cookies: cookie, now: late) != nil)
            #expect(sessions.check(cookies: cookie, now: end) == nil)
            // Those without an end do not count.
            let endless = String(sessions.cookie(for: peer, now: WallClock.now).prefix { $0 != ";" })
            #expect(
                try await plane.send(.get, "/api/v1/auth/whoami", token: nil, headers: [.cookie: endless]).status == 401
            )
        }
    }

    @Test func logoutEndsTheSession() async throws {
        try await withOwnPlane { plane in
            let login = try await plane.send(.get, "/login?ticket=\(plane.plane.loginTicket())", token: nil)
            let cookie = String(try #require(login.headers[.setCookie]).prefix { $0 != ";" })
            let headers: [HTTPField.Name: String] = [.cookie: cookie, .secFetchSite: "same-origin"]
            let person = try await plane.send(.get, "/api/v1/auth/whoami", token: nil, headers: headers)
            #expect(person["via"]?.text == "session" && person["role"]?.text == "owner")
            let out = try await plane.send(.post, "/api/v1/auth/logout", token: nil, headers: headers)
            #expect(out.status == 204 && out.headers[.setCookie]?.contains("Max-Age=0") == true)
            #expect(try await plane.send(.get, "/api/v1/auth/whoami", token: nil, headers: headers).status == 401)
        }
    }

    /// Whatever is wrong with a request, its token is in no answer.
    @Test func noAnswerRepeatsAToken() async throws {
        try await withOwnPlane { plane in
            let made = try await Self.make(plane, "{\"name\":\"ci\",\"role\":\"viewer\"}")
            let wrong = TokenBook.make()
            for target in ["/api/v1/jobs", "/api/v1/nothing", "/api/v1/tokens", "/api/v1/runs/x", "/api/v1/runs?a=b"] {
                for token in [made.token, wrong, made.token + "x"] {
                    let reply = try await plane.send(.get, target, token: token)
                    #expect(!reply.text.contains(token) && !"\(reply.headers)".contains(token))
                }
                let inURL = try await plane.send(.get, target + "?token=\(made.token)", token: nil)
                #expect(!inURL.text.contains(made.token) && inURL.status >= 400)
            }
        }
    }
}
