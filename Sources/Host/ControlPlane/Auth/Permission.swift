import HTTPTypes

/// What a route asks of whoever calls it.
struct Permission: Sendable, Hashable {
    /// What a request is about: where the bounds of those who are confined are looked for.
    enum Scope: Sendable, Hashable {
        /// About nobody's runs, queues or jobs.
        case neutral
        /// About everything at once, or about what has no bounds: nothing for those who are confined.
        case everything
        /// The run that the path names; with a body, also where it would be moved to.
        case run
        /// The queue that the path names.
        case queue
        /// The job that the path names.
        case job
        /// What the query leaves of a list: `queue`, `job`, `owner`.
        case list
        /// The runs that the body describes: `queue`, `job`, `owner` of each have to be said.
        case enqueue
    }

    /// The least that may; nil: everybody.
    var role: Role?
    var scope: Scope
    /// Not with the page's cookie.
    var refusesSessions = false

    init(_ role: Role, _ scope: Scope, refusesSessions: Bool = false) {
        self.role = role
        self.scope = scope
        self.refusesSessions = refusesSessions
    }

    private init() { scope = .neutral }

    /// Without any credentials.
    static let open = Permission()
    /// Of a route that is in no table: nobody less than the owner, until somebody has thought about it.
    static let unknown = Permission(.owner, .everything)

    /// HEAD is asked about as GET.
    static func of(_ method: HTTPRequest.Method, _ path: String) -> Permission {
        table["\(method == .head ? .get : method) \(path)"] ?? unknown
    }
}
