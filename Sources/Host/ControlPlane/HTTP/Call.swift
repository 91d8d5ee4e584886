import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// One request as a route sees it: routed, authenticated, its body read. Knows no transport, so that a test can make one.
struct Call: Sendable {
    var method: HTTPRequest.Method
    /// As it was sent, without the query.
    var path: String
    /// By the names in the route's pattern, percent-decoded.
    var parameters: [String: String] = [:]
    var query = Query()
    var headers = HTTPFields()
    /// Nothing if none was sent.
    var body: [UInt8] = []
    /// Gives the next piece of a body that is not read before the handler runs; nil at its end. Throws a `Problem` where the
    /// client broke off, or sends more than it may.
    typealias Pieces = @LoopActor @Sendable () async throws -> [UInt8]?
    /// Of routes that take their body so.
    var pieces: Pieces = { nil }
    /// For logs and answers.
    var requestID: String
    var principal = Principal.anonymous
    /// Where the request came from.
    var address = ""
    /// What it adds to rows of the audit; of requests that leave one.
    var record: AuditContext?
    /// Only what would happen is asked for.
    var isPlan = false
    /// Fires when the client is gone.
    var hangUp: HangUp

    /// A part of the path; the pattern has it, so it is there.
    func parameter(_ name: String) -> String {
        guard let value = parameters[name] else { preconditionFailure("the route's pattern has no {\(name)}") }
        return value
    }

    /// The run that the path names.
    func runID(_ name: String = "id") throws(Problem) -> RunID {
        let text = parameter(name)
        if let id = RunID(parsing: text) { return id }
        // `job#123` shows the number; a bare number would be ambiguous with nothing, but is no id either.
        throw Problem(
            .notFound, "run_not_found", "There is no run \(text.clipped).",
            fields: [.init(.path(name), "malformed_id", "a run's id is run_ and 13 characters of base32")])
    }
}

extension String {
    /// Short enough to be repeated to the one who sent it.
    var clipped: String { count <= 80 ? self : String(prefix(80)) + "…" }
}
