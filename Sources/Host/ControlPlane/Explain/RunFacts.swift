import JobCore

/// All that an explanation of a run is made from. Values only: gathered by `Backend`, made up by tests.
struct RunFacts: Sendable, Hashable {
    var now: WallTime
    var id: RunID
    var job: String
    var queue: String
    var state: RunState
    var runAt: WallTime
    var startedAt: WallTime?
    var finishedAt: WallTime?
    /// Fencing number: how often it was claimed.
    var attempt = 0
    var attemptsUsed = 0
    var maxAttempts = 3
    var lostCount = 0
    var cancelRequestedAt: WallTime?
    var terminateRequestedAt: WallTime?
    var cancelReason: String?
    /// Of the last attempt that ended, or of the run.
    var outcome: AttemptOutcome?
    var reason: AttemptReason?
    var error: AttemptError?
    /// What it runs, or would run, under.
    var limits = Limits().resolved
    var progress = Progress()

    // Why it waits.
    /// What halts all claims, in the words of whoever declared it.
    var emergency: EmergencyFacts?
    /// Its queue is served by one host at a time.
    var exclusive: ExclusiveFacts?
    var isQueuePaused = false
    var isJobPaused = false
    /// A limit that is used up: how many runs, of what.
    var fullLimit: LimitFacts?
    var pauseReason: String?
    /// 1: the next one of its queue. Nil: not queued, or not known.
    var position: Int?
    /// Whether the position is only a lower bound.
    var isPositionBound = false
    /// Whether this host has the job's handler loaded.
    var hasHandler = true
    /// Why not, if a plugin says so.
    var pluginError: String?
    /// Hosts that give heartbeats.
    var hosts = 1
    var slots = 1
    var busySlots = 0
    var isDraining = false
    var quarantine: QuarantineFacts?

    // What runs.
    var live: LiveAttempt?
    /// Where it runs, if on another host.
    var otherHost: String?

    /// The last attempt that ended.
    var last: AttemptFacts?
    var group: CrashGroupFacts?

    init(id: RunID, job: String, state: RunState, now: WallTime, queue: String = "default", runAt: WallTime? = nil) {
        self.id = id
        self.job = job
        self.state = state
        self.now = now
        self.queue = queue
        self.runAt = runAt ?? now
    }
}

/// A version that was taken out of service for a handler.
struct QuarantineFacts: Sendable, Hashable {
    var version: String
    var until: WallTime?
    var crashes: Int
    var attempts: Int
    var reason: String
    /// Nil: of the job's name.
    var handler: String?
}

/// An attempt that has ended.
struct AttemptFacts: Sendable, Hashable {
    var attempt: Int
    var outcome: AttemptOutcome
    var reason: AttemptReason?
    /// The host's own word for it: `output_limit`, `protocol_error`, …
    var code: String?
    var sentence = ""
    var exitCode: Int32?
    var signal: Int32?
    var took: Duration?
    var mode: ExecutionMode?
    var ladder: [LadderStep] = []
    var cpu = Duration.zero
    var peakBytes: Int64 = 0
    var leaks = LeakReport()
    var survivorsKilled = 0
    var droppedOutputBytes: UInt64 = 0
    var droppedLogLines: UInt64 = 0
    /// The address that it touched; nil: no crash record.
    var crashAddress: UInt64?
    var crashThread = ""
    /// Innermost first, as far as they could be named.
    var frames: [StackFrame] = []
    /// Its frames are being named just now.
    var isStackPending = false
    /// Oldest first.
    var lastLines: [String] = []
    var hasDiagnosis = false
    /// What it was found doing, in one line.
    var found: String?

    init(attempt: Int, outcome: AttemptOutcome, reason: AttemptReason? = nil) {
        self.attempt = attempt
        self.outcome = outcome
        self.reason = reason
    }
}

/// Crashes with the same stack.
struct CrashGroupFacts: Sendable, Hashable {
    var fingerprint: String
    var title: String
    var count: Int64
    var firstSeen: WallTime
    var lastSeen: WallTime
    var firstVersion: String?
    var lastVersion: String?
}

extension [StackFrame] {
    /// The frame to name: the innermost one of the handler's own code.
    var culprit: StackFrame? {
        let named = filter { $0.function != nil }
        return named.first { !$0.isOfRuntime && $0.file != nil } ?? named.first { !$0.isOfRuntime } ?? named.first
    }
}

extension StackFrame {
    /// `parse (csv.c:41)`.
    var words: String {
        let name = function ?? module.map { Words.fileName($0) + (offset.map { "+0x" + String($0, radix: 16) } ?? "") }
        let place = file.map { Words.fileName($0) + (line.map { ":\($0)" } ?? "") }
        return (name ?? "0x" + String(address, radix: 16)) + (place.map { " (\($0))" } ?? "")
    }

    /// Of the C library, the language's runtime, or the program that runs the handler: where faults surface, not where
    /// they are made.
    var isOfRuntime: Bool {
        let module = self.module.map(Words.fileName) ?? ""
        if ["libc.so", "libc-", "libpthread", "ld-linux", "libm.so", "libstdc++", "libgcc_s", "pawl-zygote", "[vdso]"]
            .contains(where: module.hasPrefix)
        {
            return true
        }
        guard let function else { return false }
        return [
            "abort", "raise", "__libc_", "__pthread_kill", "gsignal", "pthread_kill", "_swift_", "swift::", "swift_",
        ]
        .contains(where: function.hasPrefix) || function.contains("assertionFailure")
            || function.contains("fatalErrorMessage")
    }
}

/// An emergency that lets no run begin.
struct EmergencyFacts: Sendable, Hashable {
    /// `pause_queues`, `terminate_all`.
    var mode: String
    var reason: String
}

/// Who serves an exclusive queue.
struct ExclusiveFacts: Sendable, Hashable {
    /// Nil: nobody, for the moment.
    var holder: String?
    /// It is the host that is asked.
    var isHere: Bool
}

/// How many runs of what may execute at once.
struct LimitFacts: Sendable, Hashable {
    var runs: Int
    /// "queue mail".
    var of: String
}
