import HTTPTypes
import UVLoop

/// What a route answers. Knows no transport.
struct Answer: Sendable {
    /// Gives the next piece of a body when the client can take more; nil at the end. Called by one task at a time.
    typealias Stream = @LoopActor @Sendable () async throws -> [UInt8]?

    enum Body: Sendable {
        case none
        case bytes([UInt8])
        case stream(Stream)
    }

    var status: HTTPResponse.Status
    var headers: HTTPFields = [:]
    var body: Body = .none

    init(_ status: HTTPResponse.Status = .ok) { self.status = status }

    init(_ status: HTTPResponse.Status = .ok, text: String, type: String) {
        self.status = status
        headers[.contentType] = type
        body = .bytes(Array(text.utf8))
    }

    init(_ status: HTTPResponse.Status = .ok, bytes: [UInt8], type: String) {
        self.status = status
        headers[.contentType] = type
        body = .bytes(bytes)
    }

    /// - Parameter json: JSON text, complete.
    static func json(_ json: String, _ status: HTTPResponse.Status = .ok) -> Answer {
        Answer(status, text: json, type: "application/json")
    }

    static func json(_ object: JSONObject, _ status: HTTPResponse.Status = .ok) -> Answer {
        json(object.text, status)
    }

    static func stream(type: String, _ stream: @escaping Stream) -> Answer {
        var answer = Answer(.ok)
        answer.headers[.contentType] = type
        answer.headers[.cacheControl] = "no-store"
        answer.body = .stream(stream)
        return answer
    }

    func with(_ name: HTTPField.Name, _ value: String) -> Answer {
        var answer = self
        answer.headers[name] = value
        return answer
    }
}

extension HTTPField.Name {
    static let xRequestID = field("X-Request-Id")
    static let idempotencyKey = field("Idempotency-Key")
    static let idempotencyReplayed = field("Idempotency-Replayed")
    static let prefer = field("Prefer")
    static let preferenceApplied = field("Preference-Applied")
    static let deprecation = field("Deprecation")
    static let traceparent = field("traceparent")
    static let secFetchSite = field("Sec-Fetch-Site")
    static let referrerPolicy = field("Referrer-Policy")
    static let crossOriginOpenerPolicy = field("Cross-Origin-Opener-Policy")
    static let crossOriginResourcePolicy = field("Cross-Origin-Resource-Policy")
    static let link = field("Link")
    static let expect = field("Expect")
    static let host = field("Host")
    static let accelBuffering = field("X-Accel-Buffering")
    static let lastEventID = field("Last-Event-ID")
    /// The parameter with which to go on where a page of lines ended early.
    static let logTruncated = field("X-Log-Truncated")
    static let frameOptions = field("X-Frame-Options")

    private static func field(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no name of a header field") }
        return name
    }
}
