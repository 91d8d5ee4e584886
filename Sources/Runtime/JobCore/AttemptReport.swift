/// All that is known of an attempt at its end. Whoever supervised it writes one, exactly once.
package struct AttemptReport: Hashable, Sendable {
    package var runID: RunID
    /// The fencing number of the claim.
    package var attempt: Int
    package var outcome: AttemptOutcome
    package var reason: AttemptReason?
    /// When the handler was told to begin; nil if it never came to that.
    package var started: WallTime?
    package var ended: WallTime
    /// At most one of `exitCode` and `signal`.
    package var exitCode: Int32?
    package var signal: Int32?
    package var result: RunResult
    package var error: AttemptError?
    /// With outcome `snoozed`.
    package var snoozeUntil: WallTime?
    package var resources: ResourceUsage
    package var crash: CrashInfo?
    /// What was done to end it, in order.
    package var ladder: [LadderStep]
    /// The last state the handler reported.
    package var progress: Progress
    /// First and last part of stdout and stderr, for the crash report; the whole is in the log.
    package var outputHead: String
    package var outputTail: String
    package var droppedLogLines: UInt64
    package var droppedOutputBytes: UInt64
    /// Processes that were left of its tree and were killed.
    package var survivorsKilled: Int
    package var pid: Int32?
    /// Version that ran, SHA-256 in hexadecimal.
    package var version: String?
    /// One sentence for people.
    package var sentence: String
    /// How its process was made.
    package var mode = ExecutionMode.fork
    /// What it used while it ran, thinned.
    package var samples: [ResourceSample] = []
    /// What it was found doing before it was ended, as JSON; nil: nobody looked.
    package var diagnosis: String?
    /// What it left behind.
    package var leaks = LeakReport()
    /// The last lines of its log, oldest first, for the crash report.
    package var lastLines: [LogLine] = []
    /// Runs that it asked for, in order; only of an attempt that succeeded.
    package var followUps: [FollowUp] = []

    package init(
        runID: RunID, attempt: Int, outcome: AttemptOutcome, reason: AttemptReason? = nil, started: WallTime? = nil,
        ended: WallTime, exitCode: Int32? = nil, signal: Int32? = nil, result: RunResult = .none,
        error: AttemptError? = nil, snoozeUntil: WallTime? = nil, resources: ResourceUsage = ResourceUsage(),
        crash: CrashInfo? = nil, ladder: [LadderStep] = [], progress: Progress = Progress(), outputHead: String = "",
        outputTail: String = "", droppedLogLines: UInt64 = 0, droppedOutputBytes: UInt64 = 0, survivorsKilled: Int = 0,
        pid: Int32? = nil, version: String? = nil, sentence: String = ""
    ) {
        self.runID = runID
        self.attempt = attempt
        self.outcome = outcome
        self.reason = reason
        self.started = started
        self.ended = ended
        self.exitCode = exitCode
        self.signal = signal
        self.result = result
        self.error = error
        self.snoozeUntil = snoozeUntil
        self.resources = resources
        self.crash = crash
        self.ladder = ladder
        self.progress = progress
        self.outputHead = outputHead
        self.outputTail = outputTail
        self.droppedLogLines = droppedLogLines
        self.droppedOutputBytes = droppedOutputBytes
        self.survivorsKilled = survivorsKilled
        self.pid = pid
        self.version = version
        self.sentence = sentence
    }
}

/// What a handler gave back.
package enum RunResult: Hashable, Sendable {
    case none
    /// Checked JSON text.
    case json(String)
    case bytes([UInt8], mediaType: String)
}

/// Why an attempt failed, in the handler's or the host's words.
package struct AttemptError: Hashable, Sendable {
    package enum Retry: Int, Sendable {
        case byPolicy = 0
        case never = 1
        case yes = 2
    }

    /// Short and stable: groups failures.
    package var code: String
    package var message: String
    /// A JSON value as text.
    package var detailsJSON: String?
    package var retry: Retry
    /// Earliest time of the next attempt.
    package var notBefore: WallTime?

    package init(
        code: String, message: String, detailsJSON: String? = nil, retry: Retry = .byPolicy, notBefore: WallTime? = nil
    ) {
        self.code = code
        self.message = message
        self.detailsJSON = detailsJSON
        self.retry = retry
        self.notBefore = notBefore
    }
}

/// What the kernel counted for the attempt's processes, as in getrusage(2).
package struct ResourceUsage: Hashable, Sendable {
    package var userCPU: Duration
    package var systemCPU: Duration
    /// Largest resident size of one process.
    package var maxRSSBytes: Int64
    package var minorFaults: Int64
    package var majorFaults: Int64
    /// Blocks of 512 bytes read from and written to devices.
    package var blocksIn: Int64
    package var blocksOut: Int64
    package var voluntarySwitches: Int64
    package var involuntarySwitches: Int64

    package init(
        userCPU: Duration = .zero, systemCPU: Duration = .zero, maxRSSBytes: Int64 = 0, minorFaults: Int64 = 0,
        majorFaults: Int64 = 0, blocksIn: Int64 = 0, blocksOut: Int64 = 0, voluntarySwitches: Int64 = 0,
        involuntarySwitches: Int64 = 0
    ) {
        self.userCPU = userCPU
        self.systemCPU = systemCPU
        self.maxRSSBytes = maxRSSBytes
        self.minorFaults = minorFaults
        self.majorFaults = majorFaults
        self.blocksIn = blocksIn
        self.blocksOut = blocksOut
        self.voluntarySwitches = voluntarySwitches
        self.involuntarySwitches = involuntarySwitches
    }
}

/// What a dying child wrote down about its fault.
package struct CrashInfo: Hashable, Sendable {
    package var signal: Int32
    /// `si_code`.
    package var code: Int32
    /// The address it touched.
    package var address: UInt64
    /// Where it was.
    package var pc: UInt64
    package var threadName: String
    /// Return addresses, innermost first.
    package var frames: [UInt64]
    package var addressSpaceBytes: UInt64
    /// `errno` of the crashing thread: ENOMEM tells of an allocator that was refused.
    package var error: Int32 = 0
    /// Of the crashing thread, in the machine's order.
    package var registers: [RegisterValue] = []
    /// Code that was mapped, for naming the frames.
    package var modules: [MappedModule] = []

    package init(
        signal: Int32, code: Int32, address: UInt64, pc: UInt64, threadName: String, frames: [UInt64],
        addressSpaceBytes: UInt64
    ) {
        self.signal = signal
        self.code = code
        self.address = address
        self.pc = pc
        self.threadName = threadName
        self.frames = frames
        self.addressSpaceBytes = addressSpaceBytes
    }
}

/// One step toward the end of an attempt.
package struct LadderStep: Hashable, Sendable {
    /// `cancel`, `term`, `kill`, `empty`, …
    package var name: String
    /// Since the attempt's start.
    package var atMillis: Int64

    package init(name: String, atMillis: Int64) {
        self.name = name
        self.atMillis = atMillis
    }
}

extension AttemptReport {
    static let hostShutdownCode = "host_shutdown"

    /// Its host stopped in good order and said so itself. That is nothing to count against the run, however often it happens;
    /// what a host took along when it died may be the run's own fault.
    package var wasHostShutdown: Bool { outcome == .lost && reason == .host && error?.code == Self.hostShutdownCode }
}
