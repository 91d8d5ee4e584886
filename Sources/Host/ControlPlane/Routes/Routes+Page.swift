import Dashboard
import HTTPTypes
import JobCore
import JobStore

/// A file of the page.
enum DashboardAsset {
    /// - Parameter name: as the page asks for it, without a slash in front.
    static func named(_ name: String) -> (bytes: [UInt8], contentType: String)? {
        withUnsafeTemporaryAllocation(of: dashboard_asset.self, capacity: 1) { place in
            guard let asset = place.baseAddress, name.withCString({ dashboard_find($0, asset) }) else {
                return nil
            }
            return (
                Array(UnsafeBufferPointer(start: asset.pointee.bytes, count: asset.pointee.length)),
                String(cString: asset.pointee.content_type)
            )
        }
    }
}

extension Backend {
    /// The files are no secret and are served to everybody; what they show is asked for with the cookie or a token.
    var pageRoutes: [Route] {
        [
            Route(.get, "/", query: ["theme"]) { call in try Self.asset("index.html", call) },
            Route(.get, "/assets/{name}") { call in try Self.asset(call.parameter("name"), call) },
            Route(.get, "/login", query: ["ticket"]) { [self] in try login($0) },
        ]
    }

    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

    private static func asset(_ name: String, _ call: Call) throws(Problem) -> Answer {
        guard let asset = DashboardAsset.named(name) else { throw .notFound("file", name) }
        var answer = Answer(bytes: asset.bytes, type: asset.contentType)
        answer.headers[.contentSecurityPolicy] = policy
        answer.headers[.referrerPolicy] = "no-referrer"
        answer.headers[.crossOriginOpenerPolicy] = "same-origin"
        answer.headers[.crossOriginResourcePolicy] = "same-origin"
        answer.headers[.frameOptions] = "DENY"
        return answer.tagged(call)
    }

    /// Changes a ticket for a cookie.
    private func login(_ call: Call) throws(Problem) -> Answer {
        guard let ticket = try call.query.one("ticket") else {
            throw .invalidParameter("ticket", "required", "is missing")
        }
        guard let principal = gate.sessions.redeem(ticket) else {
            throw Problem(
                .forbidden, "ticket_invalid", "The link was used before, or is too old. Make a new one: pawl ui")
        }
        var answer = Answer(.seeOther)
        answer.headers[.location] = "/"
        answer.headers[.setCookie] = gate.sessions.cookie(for: principal, now: WallClock.now)
        answer.headers[.cacheControl] = "no-store"
        answer.headers[.referrerPolicy] = "no-referrer"
        return answer
    }
}
