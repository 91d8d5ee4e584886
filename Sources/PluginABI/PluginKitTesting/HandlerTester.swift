public import PluginKit

/// Runs a handler in a unit test, as a host would: args as JSON text through the handler's own decoder, an attempt that can be
/// cancelled, and every word that it says kept.
///
/// ```swift
/// @Test func greets() async throws {
///     let outcome = try await HandlerTester(Hello()).run(["name": "Ada"])
///     #expect(try outcome.value().greeting == "hello Ada")
///     #expect(outcome.log.map(\.message) == ["greeting"])
/// }
/// ```
///
/// There is no host, no zygote and no other process: a crash of the handler is a crash of the test. Each attempt runs on a
/// thread of its own, as in a child, so that blocking calls are allowed; several may run at once.
public struct HandlerTester<H: Handler>: Sendable {
    private let handler: H
    /// What the handler sees as ``Context/attemptNumber``.
    public var attemptNumber = 1
    /// What the handler sees as ``Context/runID``.
    public var runID = "run_0000000000001"
    /// What the handler sees as ``Context/jobName``.
    public var jobName = H.name
    /// What the handler sees as ``Context/traceparent``.
    public var traceparent: String?
    /// From the start of an attempt to its deadline, at which it is cancelled; `nil` for none.
    public var timeLimit: Duration? = .seconds(60)

    public init(_ handler: H) {
        self.handler = handler
    }

    /// The schema that the plugin declares for the handler's args, as JSON text; `nil` for "anything". Throws where a note
    /// names a member that is not there: the host would refuse the plugin.
    public func argsSchema() throws -> String? { try HandlerBox(self.handler).argsSchema }

    /// The schema of the result.
    public func resultSchema() throws -> String? { try HandlerBox(self.handler).resultSchema }

    /// One attempt from its start to its end.
    ///
    /// - Parameters:
    ///   - args: anything that encodes to the args' JSON object; they pass the handler's decoder, so wrong ones can be tested.
    ///   - cancel: when somebody asks the attempt to stop.
    public func run(_ args: some Encodable & Sendable, cancel: CancelMoment = .never) async throws
        -> TestOutcome<H.Result>
    {
        try await self.start(args, cancel: cancel).outcome()
    }

    /// One attempt without args.
    public func run(cancel: CancelMoment = .never) async throws -> TestOutcome<H.Result> {
        try await self.start(json: "{}", cancel: cancel).outcome()
    }

    /// One attempt with args as JSON text.
    public func run(json: String, cancel: CancelMoment = .never) async throws -> TestOutcome<H.Result> {
        try await self.start(json: json, cancel: cancel).outcome()
    }

    /// Begins an attempt; the test goes on beside it.
    public func start(_ args: some Encodable & Sendable, cancel: CancelMoment = .never) throws -> TestAttempt<H.Result>
    {
        try self.start(json: TestJSON.text(of: args), cancel: cancel)
    }

    /// Begins an attempt with args as JSON text.
    public func start(json: String, cancel: CancelMoment = .never) throws -> TestAttempt<H.Result> {
        let result = ResultSlot<H.Result>()
        let box = try HandlerBox(Spy(handler: self.handler, result: result))
        let record = try AttemptRecord(
            runID: self.runID, jobName: self.jobName, number: self.attemptNumber, traceparent: self.traceparent,
            timeLimit: self.timeLimit, cancel: cancel)
        let attempt = TestAttempt(record: record, result: result)
        attempt.begin(box, json)
        return attempt
    }
}

/// When a test's attempt is asked to stop.
public enum CancelMoment: Sendable, Equatable {
    case never
    /// Before the handler begins.
    case atStart
    /// When a stage of this name begins.
    case atStage(String)
    /// When this many items are done in any stage.
    case afterAdvancing(Int)
    /// When a line with this message is logged.
    case atLog(String)
}

/// The author's handler, with a look at what it returns.
private struct Spy<H: Handler>: Handler {
    let handler: H
    let result: ResultSlot<H.Result>

    static var name: String { H.name }
    static var argsSchema: Schema { H.argsSchema }
    static var resultSchema: Schema { H.resultSchema }

    func run(_ args: H.Args, _ context: Context) async throws -> H.Result {
        let result = try await self.handler.run(args, context)
        self.result.set(result)
        return result
    }
}
