import HTTPTypes
import JobCore
import UVLoop

/// One method on one path, and what has to be checked before its handler runs.
struct Route: Sendable {
    enum Body: Sendable {
        /// None is expected; one that comes is not looked at.
        case none
        /// JSON, at most of the ordinary size; an empty one is an empty object.
        case json
        /// JSON, at most of the batch size.
        case batch
        /// Bytes that the handler takes piece by piece.
        case stream
    }

    typealias Handler = @LoopActor @Sendable (Call) async throws -> Answer

    let method: HTTPRequest.Method
    /// `/api/v1/runs/{id}`
    let path: String
    /// Names that may stand in the query; `label.` allows every name that begins so.
    let query: [String]
    /// Who may.
    let permission: Permission
    let body: Body
    /// An old path of the seeds.
    let isAlias: Bool
    /// Our path that an alias stands for.
    let successor: String?
    let handler: Handler

    init(
        _ method: HTTPRequest.Method, _ path: String, query: [String] = [], body: Body = .none,
        successor: String? = nil, _ handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.query = query
        permission = .of(method, path)
        self.body = body
        isAlias = successor != nil
        self.successor = successor
        self.handler = handler
    }

    /// Refuses names in the query that the route does not know: a misspelt filter must not show everything.
    func check(_ query: Query) throws(Problem) {
        for (name, _) in query.items {
            if self.query.contains(where: { known in
                known.hasSuffix(".") ? name.hasPrefix(known) && name != known : name == known
            }) {
                continue
            }
            if ["token", "access_token", "api_key"].contains(name) {
                throw Problem(
                    .badRequest, "token_in_query",
                    "A token does not belong into a URL, where logs and histories keep it. Send Authorization: Bearer.")
            }
            let near = NearMatches.find(name, among: self.query)
            throw .invalidParameter(
                name.clipped, "unknown_parameter",
                "is no parameter here" + (near.first.map { "; did you mean \($0)?" } ?? ""))
        }
    }
}
