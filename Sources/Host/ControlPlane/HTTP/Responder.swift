import HTTPTypes
import Hummingbird
import JobCore
import JobStore
import Logging
import NIOCore
import UVLoop

/// From a request's head and body to an answer, without a socket: finds the route, asks the gate, reads the body, runs the
/// handler, and turns whatever goes wrong into a problem.
@LoopActor
final class Responder {
    struct Limits: Sendable {
        var body: Int
        var batch: Int
        /// Of a file.
        var upload: Int
    }

    let routes: [Route]
    private(set) var meter = HTTPMeter()
    private let gate: Gate
    /// What a request is about; asked for those only who are confined to something.
    private let resource: Backend.ResourceLookup
    private let audit: Backend.Recorder
    private let limits: Limits
    private let logger: Logger
    private var date = HTTPDate()
    private var router: RouterResponder<ExchangeContext>!

    /// Methods that a path is asked for; those that it does not have are 405.
    nonisolated static let methods: [HTTPRequest.Method] = [
        .get, .head, .post, .put, .patch, .delete, .options, .trace, .connect,
    ]

    init(
        routes: [Route], gate: Gate, limits: Limits, logger: Logger, resource: @escaping Backend.ResourceLookup,
        audit: @escaping Backend.Recorder
    ) {
        self.routes = routes
        self.gate = gate
        self.resource = resource
        self.audit = audit
        self.limits = limits
        self.logger = logger
        router = makeRouter()
    }

    /// Never throws for what a client can cause; throws when the client is gone.
    func respond(to request: HTTPRequest, exchange: Exchange) async throws -> Response {
        let start = LoopInstant.now
        let response: Response
        do {
            try gate.checkHost(request, exchange.visitor)
            var routed = request
            // A method that nobody here knows is as impossible as one that no route has.
            if !Self.methods.contains(request.method) { routed.method = .trace }
            let found = try await router.respond(
                to: Request(head: routed, body: RequestBody(buffer: ByteBuffer())),
                context: ExchangeContext(source: .init(exchange: exchange, logger: logger)))
            // Where no handler of ours was called, the router answers by itself, and not in our words.
            guard exchange.route != nil else {
                throw Problem(
                    .notFound, "route_not_found", "There is nothing at this path. GET /api/v1/openapi.json lists all.")
            }
            response = found
        } catch {
            var answer = problem(error, exchange).answer(requestID: exchange.id, instance: Self.instance(request))
            if request.method == .head { answer.body = .none }
            response = self.response(answer, exchange)
        }
        let duration = LoopInstant.now - start
        meter.note(
            route: exchange.route ?? "none",
            method: Self.methods.contains(request.method) ? request.method.rawValue : "other",
            code: response.status.code, duration: duration)
        // Never with the query, which may hold a ticket.
        logger.debug(
            "answered",
            metadata: [
                "request": "\(exchange.id)", "method": "\(request.method.rawValue)",
                "path": "\(Self.instance(request))", "code": "\(response.status.code)",
                "microseconds": "\(duration.wholeMicroseconds)",
            ])
        return response
    }

    /// Whether to tell a client that asks first (`Expect: 100-continue`) to send its body. Where not, the answer that follows
    /// says why.
    func welcomesBody(of request: HTTPRequest, _ exchange: Exchange) async -> Bool {
        let declared = request.headerFields[.contentLength].flatMap { Int($0) } ?? 0
        guard declared <= max(limits.batch, limits.upload) else { return false }
        do {
            return try await gate.authenticate(request, exchange.visitor, now: WallClock.now).0.role != nil
        } catch {
            return false
        }
    }

    // MARK: The router

    private func makeRouter() -> RouterResponder<ExchangeContext> {
        let router = Router(context: ExchangeContext.self)
        var byPattern: [String: [Route]] = [:]
        for route in routes { byPattern[Self.pattern(route.path), default: []].append(route) }
        for (pattern, routes) in byPattern {
            var allowed = routes.map(\.method)
            if allowed.contains(.get) { allowed.append(.head) }
            let allow = allowed.map(\.rawValue).sorted().joined(separator: ", ")
            for method in Self.methods {
                let wanted = method == .head ? HTTPRequest.Method.get : method
                let route = routes.first { $0.method == method } ?? routes.first { $0.method == wanted }
                let path = routes[0].path
                router.on(RouterPath(pattern), method: method) { [self] request, context in
                    try await serve(route, at: path, allow: allow, request.head, context)
                }
            }
        }
        return router.buildResponder()
    }

    /// The router wants one name for one place; ours come from the route afterwards.
    nonisolated static func pattern(_ path: String) -> String {
        path.split(separator: "/").enumerated().map { $1.hasPrefix("{") ? ":p\($0)" : String($1) }.joined(
            separator: "/")
    }

    /// - Parameters:
    ///   - route: nil: the path has no such method.
    ///   - path: the pattern, as we write it.
    private func serve(
        _ route: Route?, at path: String, allow: String, _ request: HTTPRequest, _ context: ExchangeContext
    ) async throws -> Response {
        let exchange = context.exchange
        exchange.route = path
        let instance = Self.instance(request)
        var answer: Answer
        do {
            guard let route else {
                var problem = Problem(
                    .methodNotAllowed, "method_not_allowed", "This method is not possible here; \(allow) are.")
                problem.headers[.allow] = allow
                throw problem
            }
            answer = try await run(route, request, instance, context)
            if let successor = route.successor {
                answer.headers[.deprecation] = "@1795219200"
                answer.headers.append(HTTPField(name: .link, value: "<\(successor)>; rel=\"successor-version\""))
            }
        } catch {
            answer = problem(error, exchange).answer(requestID: exchange.id, instance: instance)
        }
        if request.method == .head, case .bytes(let bytes) = answer.body {
            answer.headers[.contentLength] = String(bytes.count)
        }
        if request.method == .head { answer.body = .none }
        return response(answer, exchange)
    }

    private func run(
        _ route: Route, _ request: HTTPRequest, _ instance: String, _ context: ExchangeContext
    ) async throws -> Answer {
        let exchange = context.exchange
        var call = Call(method: request.method, path: instance, requestID: exchange.id, hangUp: exchange.hangUp)
        call.headers = request.headerFields
        call.address = exchange.visitor.address
        var cookie: String?
        if route.permission.role != nil {
            (call.principal, cookie) = try await gate.authenticate(request, exchange.visitor, now: WallClock.now)
        }
        let target = request.path ?? "/"
        if let mark = target.firstIndex(of: "?") {
            guard let query = Query(parsing: target[target.index(after: mark)...]) else {
                throw Problem(.badRequest, "malformed_query", "The query holds a broken percent-escape, or no UTF-8.")
            }
            call.query = query
        }
        // Before the credentials are missed: a token in the URL must be told about.
        try route.check(call.query)
        var answer: Answer
        if let action = AuditTrail.action(route.method, route.path, route.permission), call.principal.role != nil {
            answer = try await recorded(action, route, request, &call, context)
        } else {
            answer = try await perform(route, request, &call, context)
        }
        // Not after one that takes it away.
        if let cookie, answer.headers[.setCookie] == nil {
            answer.headers.append(HTTPField(name: .setCookie, value: cookie))
        }
        return answer
    }

    /// The same, and a row in the audit of what came of it.
    private func recorded(
        _ action: String, _ route: Route, _ request: HTTPRequest, _ call: inout Call, _ context: ExchangeContext
    ) async throws -> Answer {
        do {
            let answer = try await perform(route, request, &call, context)
            // What was done once is told of once.
            if answer.headers[.idempotencyReplayed] == nil,
                let result = AuditTrail.result(status: answer.status.code, code: nil)
            {
                let target = AuditTrail.target(call, route, location: answer.headers[.location])
                await audit(AuditTrail.action(action, of: call), target, call, result)
            }
            return answer
        } catch {
            let problem = problem(error, context.exchange)
            if let result = AuditTrail.result(status: problem.status.code, code: problem.code) {
                await audit(
                    AuditTrail.action(action, of: call), AuditTrail.target(call, route, location: nil), call, result)
            }
            throw problem
        }
    }

    /// All but the credentials: whether it may be, what it is about, and then the handler.
    private func perform(
        _ route: Route, _ request: HTTPRequest, _ call: inout Call, _ context: ExchangeContext
    ) async throws -> Answer {
        let exchange = context.exchange
        for (index, part) in route.path.split(separator: "/").enumerated() where part.hasPrefix("{") {
            guard let text = context.parameters.get("p\(index)"), let value = Query.decode(text) else {
                throw Problem(.badRequest, "malformed_path", "The path holds a broken percent-escape, or no UTF-8.")
            }
            call.parameters[String(part.dropFirst().dropLast())] = value
        }
        try Gate.authorize(call.principal, route.permission)
        let declared = request.headerFields[.contentLength].flatMap { Int($0) }
        if route.body == .stream {
            call.pieces = try exchange.pieces(limit: limits.upload, declared: declared)
        } else if route.body != .none {
            call.body = try await exchange.collect(
                limit: route.body == .batch ? limits.batch : limits.body, declared: declared)
            if !call.body.isEmpty { try Self.checkType(request.headerFields[.contentType]) }
        }
        if !call.principal.bounds.isEmpty, let resource = try await resource(call, route.permission.scope) {
            try Gate.authorize(call.principal, route.permission, resource)
        }
        guard let action = AuditTrail.action(route.method, route.path, route.permission) else {
            return try await route.handler(call)
        }
        let wish = AuditTrail.wish(call)
        call.isPlan = wish.isPlan
        let record = AuditContext(
            action: AuditTrail.action(action, of: call), reason: wish.reason, request: call.requestID,
            address: call.address)
        call.record = record
        let asked = call
        return try await AuditContext.$current.withValue(record) { try await route.handler(asked) }
    }

    private static func checkType(_ header: String?) throws(Problem) {
        let type = (header ?? "").prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        guard type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json")) else {
            var problem = Problem(
                .unsupportedMediaType, "unsupported_media_type",
                header == nil ? "Send Content-Type: application/json." : "The body must be application/json.",
                fields: [.init(.header("Content-Type"), "unsupported_media_type", "must be application/json")])
            problem.headers[.accept] = "application/json"
            throw problem
        }
    }

    /// The path without its query: that may hold what logs and answers should not.
    private nonisolated static func instance(_ request: HTTPRequest) -> String {
        String((request.path ?? "/").prefix { $0 != "?" }).clipped
    }

    // MARK: Answers

    private func problem(_ error: any Error, _ exchange: Exchange) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let error as StoreError:
            if case .database = error {
                logger.error(
                    "the database refused a request", metadata: ["request": "\(exchange.id)", "error": "\(error)"])
            }
            return Problem(error)
        case is CancellationError:
            return .draining
        default:
            logger.error("a request failed", metadata: ["request": "\(exchange.id)", "error": "\(error)"])
            return Problem(.internalServerError, "internal_error", "This is a fault of ours. The host's log says more.")
        }
    }

    private func response(_ answer: Answer, _ exchange: Exchange) -> Response {
        var headers = answer.headers
        headers[.xRequestID] = exchange.id
        headers[.date] = date.text(at: WallClock.now)
        headers[.server] = "pawl"
        headers[.xContentTypeOptions] = "nosniff"
        let body: ResponseBody
        switch answer.body {
        case .none: body = ResponseBody()
        case .bytes(let bytes): body = ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        case .stream(let next):
            body = ResponseBody { writer in
                while let piece = try await next() { try await writer.write(ByteBuffer(bytes: piece)) }
                try await writer.finish(nil)
            }
        }
        var response = Response(status: answer.status, headers: headers, body: body)
        if answer.status == .noContent || answer.status == .notModified { response.headers[.contentLength] = nil }
        return response
    }
}
