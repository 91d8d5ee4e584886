public import struct FoundationEssentials.Date
public import PluginKit

/// How a test's attempt ended, and all that it said.
public struct TestOutcome<Result: Sendable>: Sendable {
    public enum Ending: Sendable, Equatable {
        case succeeded
        case failed(TestFailure)
        case cancelled
        /// The run would be put back until then.
        case snoozed(until: Date)
    }

    public let ending: Ending
    /// What the handler returned, where it did and the host took it.
    public let result: Result?
    /// The result's JSON text, as the host gets it; `nil` for ``NoResult`` and ``Blob``.
    public let json: String?
    /// The lines of the run's log, in order.
    public let log: [TestLogLine]
    /// The picture at the end.
    public let progress: TestProgress
    /// The picture at the end of each stage, the last one included.
    public let stages: [TestProgress]
    /// How often the handler spoke after it had returned: misbehaviour, which the host reports.
    public let lateCalls: Int
    /// The runs that would be made, in order: none where the attempt did not succeed, whatever it has asked for.
    public let followUps: [TestFollowUp]

    /// What the handler returned; throws the ``TestFailure`` of an attempt that failed, or ``NoValue``.
    public func value() throws -> Result {
        if case .failed(let failure) = self.ending { throw failure }
        guard case .succeeded = self.ending, let result = self.result else { throw NoValue(ending: "\(self.ending)") }
        return result
    }

    /// Why it failed, where it did.
    public var failure: TestFailure? {
        if case .failed(let failure) = self.ending { return failure }
        return nil
    }

    init(_ end: AttemptRecord.End, result: Result?) {
        self.ending =
            if let failure = end.failure {
                .failed(failure)
            } else if let until = end.snoozedUntil {
                .snoozed(until: until)
            } else if end.status == AttemptRecord.cancelledStatus {
                .cancelled
            } else if end.status == 0 {
                .succeeded
            } else {
                .failed(TestFailure(code: "status_\(end.status)", message: "", retry: .byPolicy, status: end.status))
            }
        self.result = self.ending == .succeeded ? result : nil
        self.json = end.json
        self.log = end.log
        self.progress = end.progress
        self.stages = end.stages + [end.progress]
        self.lateCalls = end.lateCalls
        self.followUps = self.ending == .succeeded ? end.followUps : []
    }
}

/// Thrown by ``TestOutcome/value()`` for an attempt that was cancelled or put back.
public struct NoValue: Error, CustomStringConvertible {
    let ending: String
    public var description: String { "the attempt has no result: \(self.ending)" }
}

/// Why an attempt failed, as the host gets it.
public struct TestFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public var code: String
    public var message: String
    /// `.byPolicy`, `.never`, `.yes`, or `.at` where there is an earliest time.
    public var retry: Retry
    /// JSON text; empty for none.
    public var details = ""
    /// What the handler's function returned to the host: `PAWL_E_FAILED`, or `PAWL_E_INVALID_INPUT`.
    public var status: Int32

    /// Whether the args were refused.
    public var isInvalidInput: Bool { self.code == "invalid_input" }

    public var description: String { "\(self.code): \(self.message)" }
}

/// One line of the log.
public struct TestLogLine: Sendable, Equatable {
    public var level: LogLevel
    public var message: String
    /// A JSON object as text; empty for none.
    public var fields: String
    /// The stage that it was said in.
    public var stage: String

    public init(level: LogLevel, message: String, fields: String = "", stage: String = "") {
        self.level = level
        self.message = message
        self.fields = fields
        self.stage = stage
    }

    /// One field's value, `nil` where it is absent or of another type.
    public func field<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) -> Value? {
        TestJSON.member(name, of: self.fields, as: type)
    }
}

/// The picture that the host keeps of an attempt.
public struct TestProgress: Sendable, Equatable {
    public var stage = ""
    public var current = 0
    /// `nil`: not known.
    public var total: Int?
    public var unit = ""
    public var message = ""
    public var counters: [String: Int] = [:]

    public init(
        stage: String = "", current: Int = 0, total: Int? = nil, unit: String = "", message: String = "",
        counters: [String: Int] = [:]
    ) {
        self.stage = stage
        self.current = current
        self.total = total
        self.unit = unit
        self.message = message
        self.counters = counters
    }

    /// As people see it: "Processing users (1,250 / 5,000)", or "Scanning (1,250 processed)".
    public var line: String {
        let done =
            if let total { "\(Self.grouped(self.current)) / \(Self.grouped(total))" } else {
                "\(Self.grouped(self.current)) processed"
            }
        return self.stage.isEmpty ? done : "\(self.stage) (\(done))"
    }

    private static func grouped(_ number: Int) -> String {
        let digits = Array(String(number))
        return String(
            digits.enumerated().flatMap { index, digit in
                index > 0 && (digits.count - index).isMultiple(of: 3) ? [",", digit] : [digit]
            })
    }
}
