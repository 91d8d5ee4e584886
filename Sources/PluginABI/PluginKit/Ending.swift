import FoundationEssentials
import PluginABI

/// How an attempt ended, before the host is told.
enum Ending: Sendable {
    case json(Data)
    case bytes(Blob)
    case nothing
    case snoozed(untilMillis: Int64)
    case cancelled
    case failed(Failure)

    /// What `pawl_failure` says.
    struct Failure: Sendable, Equatable {
        var status: Int32
        var retry: Int32
        var code: String
        var message: String
        var details: String
        var notBeforeMillis: Int64

        init(
            status: Int32 = PAWL_E_FAILED, retry: Int32 = PAWL_RETRY_BY_POLICY, code: String, message: String,
            details: String = "", notBeforeMillis: Int64 = 0
        ) {
            self.status = status
            self.retry = retry
            self.code = code
            self.message = message
            self.details = details
            self.notBeforeMillis = notBeforeMillis
        }
    }

    /// Encodes what a handler returned.
    init(result: some Encodable) {
        do {
            switch result {
            case is NoResult: self = .nothing
            case let blob as Blob: self = .bytes(blob)
            default: self = .json(try Coders.encoder().encode(result))
            }
        } catch {
            self = .failed(
                Failure(
                    retry: PAWL_RETRY_NEVER, code: "result_not_encodable",
                    message: "the handler's result cannot be encoded as JSON: \(error)"))
        }
    }

    /// Says what an error that a handler threw means. Errors of decoding the args are made by
    /// ``init(undecodable:as:_:)``.
    init(thrown error: any Error, isCancelled: Bool, now: Date = Date()) {
        switch error {
        case is CancellationError where isCancelled: self = .cancelled
        case is CancellationError:
            self = .failed(
                Failure(
                    code: "CancellationError",
                    message: "the handler threw CancellationError, but nobody had cancelled the attempt"))
        case let snooze as Snooze: self = .snoozed(untilMillis: snooze.until.millisSince1970)
        case let input as InvalidInput: self = .failed(Failure(invalid: input))
        case let failure as any JobError: self = .failed(Failure(failure, now: now))
        default:
            self = .failed(Failure(code: Self.code(of: error), message: String(describing: error)))
        }
    }

    /// The code and the words of any error.
    static func failure(of error: any Error) -> Failure {
        if case .failed(let failure) = Ending(thrown: error, isCancelled: false) { return failure }
        return Failure(code: self.code(of: error), message: String(describing: error))
    }

    /// A stable name for an error of a type that Pawl knows nothing of: the type's, and an enumeration's case without its
    /// values, so that equal failures are grouped.
    private static func code(of error: any Error) -> String {
        let type = String(describing: type(of: error))
        let mirror = Mirror(reflecting: error)
        guard mirror.displayStyle == .enum else { return type }
        return "\(type).\(mirror.children.first?.label ?? String(describing: error))"
    }
}

extension Ending.Failure {
    init(invalid input: InvalidInput) {
        let place = input.pointer.isEmpty ? "args" : "args\(input.pointer)"
        self.init(
            status: PAWL_E_INVALID_INPUT, retry: PAWL_RETRY_NEVER, code: "invalid_input",
            message: "\(place): \(input.message)", details: JSON.object([("pointer", .string(input.pointer))]).text)
    }

    init(_ error: any JobError, now: Date) {
        self.init(
            code: error.code, message: error.message, details: error.details.map { JSON(encoding: $0).text } ?? "")
        switch error.retry {
        case .byPolicy: break
        case .never: self.retry = PAWL_RETRY_NEVER
        case .yes: self.retry = PAWL_RETRY_YES
        case .after(let duration):
            self.retry = PAWL_RETRY_YES
            self.notBeforeMillis = now.addingTimeInterval(duration / .seconds(1)).millisSince1970
        case .at(let date):
            self.retry = PAWL_RETRY_YES
            self.notBeforeMillis = date.millisSince1970
        }
    }
}

extension InvalidInput {
    /// In the decoder's words, with the path as a JSON Pointer.
    init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(_, let context): self.init(Self.pointer(context.codingPath), context.debugDescription)
        case .valueNotFound(_, let context): self.init(Self.pointer(context.codingPath), context.debugDescription)
        case .keyNotFound(let key, let context):
            self.init(Self.pointer(context.codingPath + [key]), "is missing")
        case .dataCorrupted(let context): self.init(Self.pointer(context.codingPath), context.debugDescription)
        @unknown default: self.init("", String(describing: error))
        }
    }

    private static func pointer(_ path: [any CodingKey]) -> String {
        path.map { key in key.intValue.map { "/\($0)" } ?? self.pointer(to: key.stringValue) }.joined()
    }

    /// One step of a JSON Pointer (RFC 6901): ~ and / are written ~0 and ~1.
    static func pointer(to member: String) -> String {
        "/" + member.replacing("~", with: "~0").replacing("/", with: "~1")
    }
}

extension Date {
    /// Rounded up, so that a moment that is not over yet stays in the future. Clamped to what the ABI can say.
    var millisSince1970: Int64 {
        Int64(exactly: (self.timeIntervalSince1970 * 1000).rounded(.up)) ?? (self.timeIntervalSince1970 < 0 ? 0 : .max)
    }
}
