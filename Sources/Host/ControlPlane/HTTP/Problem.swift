import HTTPTypes
import JobCore
import JobStore

/// An answer that is no success: `application/problem+json` (RFC 9457).
struct Problem: Error, Sendable {
    /// Where in the request the fault is.
    enum Place: Sendable, Hashable {
        /// RFC 6901 into the body.
        case pointer(String)
        case parameter(String)
        case path(String)
        case header(String)
    }

    struct Field: Sendable, Hashable {
        var place: Place
        var code: String
        var detail: String

        init(_ place: Place, _ code: String, _ detail: String) {
            self.place = place
            self.code = code
            self.detail = detail
        }

        var json: String {
            var object = JSONObject()
            switch place {
            case .pointer(let pointer): object.string("pointer", pointer)
            case .parameter(let name): object.string("parameter", name)
            case .path(let name): object.string("path_parameter", name)
            case .header(let name): object.string("header", name)
            }
            object.string("code", code)
            object.string("detail", detail)
            return object.text
        }
    }

    var status: HTTPResponse.Status
    /// Stable, for programs.
    var code: String
    /// One sentence for people.
    var detail: String
    var fields: [Field] = []
    /// Whether the same request may succeed later.
    var isRetryable = false
    /// In seconds; a header.
    var retryAfter: Int?
    /// Names that are like the one that was not found.
    var nearMatches: [String] = []
    /// The state that forbids it.
    var currentState: RunState?
    /// The run that stands in the way.
    var existingRun: RunID?
    /// JSON objects: what an activation would break.
    var problems: [String] = []
    /// A JSON object: the plan as it is now.
    var plan: String?
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ code: String, _ detail: String, fields: [Field] = []) {
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = fields
    }

    func answer(requestID: String, instance: String) -> Answer {
        var object = JSONObject()
        object.string("type", "urn:pawl:problem:\(code)")
        object.string("title", status.reasonPhrase)
        object.int("status", status.code)
        object.string("code", code)
        object.string("detail", detail)
        object.string("instance", instance)
        object.string("request_id", requestID)
        object.bool("retryable", isRetryable)
        if !fields.isEmpty { object.array("errors", fields.map(\.json)) }
        if !problems.isEmpty { object.array("problems", problems) }
        if let plan { object.raw("plan", plan) }
        if !nearMatches.isEmpty { object.strings("near_matches", nearMatches) }
        if let existingRun { object.string("existing_run", existingRun.description) }
        if let currentState { object.string("current_state", currentState.rawValue) }
        var answer = Answer(status, text: object.text, type: "application/problem+json")
        answer.headers.append(contentsOf: headers)
        if let retryAfter { answer.headers[.retryAfter] = String(retryAfter) }
        answer.headers[.cacheControl] = "no-store"
        return answer
    }
}

extension Problem {
    /// Faults in the body, all at once.
    static func invalid(_ faults: [FieldFault]) -> Problem {
        let detail = faults.count == 1 ? faults[0].description : "\(faults.count) fields are not right."
        return Problem(
            .unprocessableContent, "invalid_fields", detail,
            fields: faults.map { Field(.pointer($0.pointer), $0.code, $0.detail) })
    }

    /// Arguments that are not what their job takes; the codes are keywords of its schema.
    static func invalidArgs(_ faults: [FieldFault]) -> Problem {
        let detail =
            faults.count == 1
            ? faults[0].description : "The arguments do not fit the job: \(faults.count) things are wrong."
        return Problem(
            .unprocessableContent, "invalid_args", detail,
            fields: faults.map { Field(.pointer($0.pointer), $0.code, $0.detail) })
    }

    static func invalidParameter(_ name: String, _ code: String, _ detail: String) -> Problem {
        Problem(
            .badRequest, "invalid_parameter", "\(name): \(detail)", fields: [Field(.parameter(name), code, detail)])
    }

    static func invalidHeader(_ name: String, _ code: String, _ detail: String) -> Problem {
        Problem(.badRequest, "invalid_header", "\(name): \(detail)", fields: [Field(.header(name), code, detail)])
    }

    static func notFound(_ what: String, _ id: String, near: [String] = []) -> Problem {
        var detail = "There is no \(what) \(id.clipped)."
        if !near.isEmpty { detail += " Did you mean \(near.joined(separator: " or "))?" }
        var problem = Problem(.notFound, "\(what.replacing(" ", with: "_"))_not_found", detail)
        problem.nearMatches = near
        return problem
    }

    /// Nothing new is accepted while the host is on its way out.
    static var draining: Problem {
        var problem = Problem(.serviceUnavailable, "draining", "This host is shutting down; ask another, or later.")
        problem.isRetryable = true
        problem.retryAfter = 5
        return problem
    }

    /// - Parameter pointer: where the store's input comes from in the body; the store's own pointers go below it.
    init(_ error: StoreError, under pointer: String = "") {
        switch error {
        case .unavailable where error.isOverBudget:
            self.init(
                .serviceUnavailable, "over_budget",
                "That would take the database too long. Narrow it: by time, by state, or by job.")
            isRetryable = true
            retryAfter = 1
        case .unavailable:
            self.init(.serviceUnavailable, "database_unavailable", "The database cannot be reached just now.")
            isRetryable = true
            retryAfter = 1
        case .invalid(let fault):
            self = .invalid([fault.under(pointer)])
        case .invalidArgs(let faults):
            self = .invalidArgs(faults.map { $0.under(pointer) })
        case .conflict(let code, let detail, let state):
            self.init(code == "idempotency_key_reused" ? .unprocessableContent : .conflict, code, detail)
            currentState = state
            isRetryable = code == "key_busy"
        case .held(let run, let state):
            self.init(.conflict, "unique_conflict", "\(run) holds this unique key.")
            existingRun = run
            currentState = state
        case .notFound(let what, let id, let near):
            self = .notFound(what, id, near: near)
        case .incompatibleSchema:
            self.init(
                .serviceUnavailable, "incompatible_schema",
                "The database's tables do not fit this program. The host's log says more.")
        case .database:
            // The cause is logged with the request's id; what it says is nobody's business outside.
            self.init(.internalServerError, "internal_error", "The database refused. The host's log says more.")
        }
    }
}

extension StoreError {
    /// The same, where the arguments have another name than `/args` in the request.
    func withArgs(at pointer: String) -> StoreError {
        guard case .invalidArgs(let faults) = self else { return self }
        return .invalidArgs(
            faults.map { fault in
                guard fault.pointer.hasPrefix("/args") else { return fault }
                return FieldFault(
                    pointer: pointer + fault.pointer.dropFirst("/args".count), code: fault.code, detail: fault.detail)
            })
    }
}
