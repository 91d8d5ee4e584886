public import struct FoundationEssentials.Date

/// An error that says what it means for the run. Conform an error type of your own, or throw ``JobFailure``.
public protocol JobError: Error {
    /// Short and stable, e.g. `"http_503"`: equal codes are grouped. At most 128 bytes are kept.
    var code: String { get }
    /// For people. At most 16 KiB are kept.
    var message: String { get }
    /// Whether another attempt may help; by the job's policy by default.
    var retry: Retry { get }
    /// What helps to understand it, as JSON; at most 64 KiB.
    var details: (any Encodable & Sendable)? { get }
}

extension JobError {
    public var retry: Retry { .byPolicy }
    public var details: (any Encodable & Sendable)? { nil }
}

/// What to do with the run after a failed attempt.
public enum Retry: Sendable, Equatable {
    /// As the job's policy and the number of attempts say.
    case byPolicy
    /// Final: the run ends failed at once.
    case never
    /// Another attempt, also where the policy would not retry this code.
    case yes
    /// Another attempt, not before this much time has passed, e.g. what a `Retry-After` header said.
    case after(Duration)
    /// Another attempt, not before this time.
    case at(Date)
}

/// A ready-made ``JobError``.
public struct JobFailure: JobError {
    public var code: String
    public var message: String
    public var retry: Retry
    public var details: (any Encodable & Sendable)?

    public init(
        _ code: String, _ message: String, retry: Retry = .byPolicy, details: (any Encodable & Sendable)? = nil
    ) {
        self.code = code
        self.message = message
        self.retry = retry
        self.details = details
    }
}

/// The args are wrong in a way that their schema does not say. Never retried.
public struct InvalidInput: Error, Sendable, Equatable {
    /// JSON Pointer (RFC 6901) to the member, e.g. `"/top"`; `""` for the whole object.
    public var pointer: String
    /// What is allowed, e.g. `"must be 1 to 1000"`.
    public var message: String

    public init(_ pointer: String, _ message: String) {
        self.pointer = pointer
        self.message = message
    }
}

/// Thrown to put the run back until later without using up an attempt.
public struct Snooze: Error, Sendable, Equatable {
    public var until: Date

    public init(until: Date) {
        self.until = until
    }

    public init(for duration: Duration) {
        self.until = Date(timeIntervalSinceNow: duration / .seconds(1))
    }
}
