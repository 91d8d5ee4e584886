/// A function that people can run as a job: typed args in, a typed result out.
///
/// ```swift
/// struct Hello: Handler {
///     static let name = "hello.world"
///     struct Args: Codable { var name: String? }
///     struct Result: Codable { var greeting: String }
///
///     func run(_ args: Args, _ context: Context) async throws -> Result {
///         Result(greeting: "hello, \(args.name ?? "world")")
///     }
/// }
/// ```
///
/// `run` executes in a child process of its own: a crash, a leak or a lost thread hurts this attempt only. It starts on the
/// child's worker thread and returns there to after each `await` where it can; blocking calls are allowed.
public protocol Handler: Sendable {
    /// What the run's args (a JSON object) are decoded into. What does not decode never reaches `run`: the attempt ends
    /// with `invalid_input` and a pointer to the member, and is not retried. Dates are ISO 8601, `Data` is base64.
    associatedtype Args: Decodable & Sendable

    /// What `run` returns, encoded as JSON. ``NoResult`` for none, ``Blob`` for bytes of a media type.
    associatedtype Result: Encodable & Sendable

    /// Dotted, `[a-z0-9_]+(\.[a-z0-9_]+)+`, at most 120 bytes, e.g. `"csv.to_jsonl"`. Jobs, runs and logs show it.
    static var name: String { get }

    /// One sentence for people; empty by default.
    static var summary: String { get }

    /// The JSON Schema of the args, checked when a run is created. By default it is derived from `Args`.
    static var argsSchema: Schema { get }

    /// The JSON Schema of the result. By default it is derived from `Result` where that is also `Decodable`.
    static var resultSchema: Schema { get }

    /// Limits that the host's settings may override; the host's defaults by default.
    static var limits: Limits { get }

    /// Does the work of one attempt. What it throws ends the attempt: a ``JobError`` with its own code and advice on
    /// retrying, ``InvalidInput``, ``Snooze``, `CancellationError` after a cancellation, or any other error, which is
    /// retried by the job's policy under the code `Type.case`.
    func run(_ args: Args, _ context: Context) async throws -> Result
}

extension Handler {
    public static var summary: String { "" }
    public static var argsSchema: Schema { .derived }
    public static var resultSchema: Schema { .derived }
    public static var limits: Limits { Limits() }
}

/// Args of a handler that takes none: an empty object.
public struct NoArgs: Codable, Sendable {
    public init() {}
}

/// The result of a handler that has none: JSON `null`.
public struct NoResult: Codable, Sendable {
    public init() {}
}

/// A result that is not JSON: bytes of a media type, at most 64 MiB.
public struct Blob: Encodable, Sendable {
    public var bytes: [UInt8]
    /// E.g. `"image/png"`.
    public var mediaType: String

    public init(_ bytes: [UInt8], mediaType: String = "application/octet-stream") {
        self.bytes = bytes
        self.mediaType = mediaType
    }
}

/// Limits of one attempt. What is `nil` is the host's default; the host's settings override all of them.
public struct Limits: Sendable, Equatable {
    /// At most this many attempts, the first included.
    public var attempts: UInt32?
    /// From the start of the attempt to its end.
    public var wall: Duration?
    /// User and system CPU time of the process.
    public var cpu: Duration?
    /// Address space, and resident memory where the machine can account for it.
    public var memoryBytes: UInt64?
    /// Standard output and error together.
    public var outputBytes: UInt64?
    /// Size of one file.
    public var fileBytes: UInt64?
    public var openFiles: UInt32?
    /// Processes of the attempt's whole tree.
    public var processes: UInt32?
    /// From the request to cancel to SIGTERM.
    public var cancelGrace: Duration?
    /// From SIGTERM to the kill.
    public var termGrace: Duration?

    public init(
        attempts: UInt32? = nil, wall: Duration? = nil, cpu: Duration? = nil, memoryBytes: UInt64? = nil,
        outputBytes: UInt64? = nil, fileBytes: UInt64? = nil, openFiles: UInt32? = nil, processes: UInt32? = nil,
        cancelGrace: Duration? = nil, termGrace: Duration? = nil
    ) {
        self.attempts = attempts
        self.wall = wall
        self.cpu = cpu
        self.memoryBytes = memoryBytes
        self.outputBytes = outputBytes
        self.fileBytes = fileBytes
        self.openFiles = openFiles
        self.processes = processes
        self.cancelGrace = cancelGrace
        self.termGrace = termGrace
    }
}
