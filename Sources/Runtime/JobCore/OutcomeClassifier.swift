/// What a child said about its own end.
package enum AttemptEnding: Hashable, Sendable {
    case result(RunResult)
    /// status: what the handler returned, PAWL_E_*.
    case failure(AttemptError, status: Int32)
    case snooze(WallTime)
}

/// Decides what happened to an attempt from all that is known when its tree is empty. Pure; the order is the meaning.
package struct OutcomeClassifier: Sendable {
    /// Said of an attempt that did what it was to do. The database knows it too (`pawl.log_line`).
    package static let plainSuccess = "It succeeded."

    /// What the child said, if it said all of it.
    package var ending: AttemptEnding?
    /// Why the host ended it, if it did.
    package var cause: StopCause?
    /// The host signalled or killed the leader.
    package var wasForced = false
    /// The handler had begun.
    package var hasStarted = false
    /// Nil: nobody knows.
    package var exit: ProcessExit?
    package var crash: CrashInfo?
    package var cpuUsed: Duration = .zero
    package var cpuLimit: Duration?
    package var memoryLimit: Int64 = 0
    /// What else is known of its memory.
    package var memory = MemoryEvidence()
    package var processLimit: Int?
    package var outputLimit: Int64 = 0
    /// What the keeper said when it could make no child.
    package var spawnFailure: String?
    /// Why it could not have its sandbox.
    package var sandboxFault: String?
    /// The forbidden system call that it died of.
    package var violation: String?
    /// How the child broke the protocol.
    package var protocolFault: String?
    /// Children that died before STARTED, this one included.
    package var silentDeaths = 0

    package init() {}

    package struct Verdict: Hashable, Sendable {
        package var outcome: AttemptOutcome
        package var reason: AttemptReason?
        /// A snake-case word that groups failures; nil where there is no failure.
        package var code: String?
        /// One sentence for people.
        package var sentence: String

        package init(_ outcome: AttemptOutcome, _ reason: AttemptReason? = nil, code: String? = nil, _ sentence: String)
        {
            self.outcome = outcome
            self.reason = reason
            self.code = code
            self.sentence = sentence
        }

        /// The attempt's error: the handler's own words if it `said` any, else the host's. A handler that heeds the end of its host has
        /// words for it too; those must not hide whose end it was.
        package func error(said: AttemptError?) -> AttemptError? {
            guard let code, said == nil || code == AttemptReport.hostShutdownCode else { return said }
            return AttemptError(code: code, message: sentence)
        }
    }

    package var verdict: Verdict {
        if let fault = self.protocolFault, self.ending == nil || self.cause == .fault {
            return Verdict(.crashed, .killed, code: "protocol_error", "It broke the protocol and was killed: \(fault).")
        }
        if let said = self.whatItSaid { return said }
        if let forced = self.whatTheHostDid { return forced }
        if let fault = self.sandboxFault {
            return Verdict(
                .error, nil, code: "sandbox_unavailable", "It was not started without its sandbox: \(fault).")
        }
        if let failure = self.spawnFailure {
            return Verdict(.lost, .host, code: "spawn_failed", "The host could not make a process for it: \(failure).")
        }
        return self.howItDied
    }

    // MARK: In this order

    /// What the child said stands; a crash afterwards is only logged. A failure after the host asked it to stop is the
    /// answer to that, not a fault of its own.
    private var whatItSaid: Verdict? {
        switch self.ending {
        case .result: return Verdict(.succeeded, nil, Self.plainSuccess)
        case .snooze(let until): return Verdict(.snoozed, nil, "It asked to be run again at \(until.rfc3339).")
        case .failure(let error, _):
            switch self.cause {
            // Of a fault: what hung was its end, after its words.
            case nil, .fault:
                return Verdict(.error, nil, code: error.code, "The handler failed: \(Self.clause(error.message)).")
            case .cancel, .terminate:
                return Verdict(.cancelled, .requested, code: "cancelled", "It was asked to stop and ended by itself.")
            case .wall, .start:
                return Verdict(.timedOut, .wall, code: "timed_out", "It ran out of time and ended by itself.")
            case .shutdown:
                return Verdict(
                    .lost, .host, code: AttemptReport.hostShutdownCode, "The host shut down and it ended by itself.")
            case .memory: return self.outOfMemory("used more memory than")
            case .cpu: return self.outOfCPU
            case .noProgress:
                return Verdict(
                    .timedOut, .noProgress, code: "no_progress",
                    "It made no progress for too long and ended when asked.")
            case .output, .processes: return nil
            }
        case nil: return nil
        }
    }

    private var whatTheHostDid: Verdict? {
        switch self.cause {
        case nil, .fault: return nil
        case .cancel, .terminate:
            if self.wasForced {
                let how = self.exit == .signal(15) ? "ended by SIGTERM" : "killed"
                return Verdict(.terminated, .requested, code: "terminated", "It was asked to stop, and \(how).")
            }
            return Verdict(
                .cancelled, .requested, code: "cancelled",
                self.hasStarted
                    ? "It was asked to stop and ended by itself." : "It was asked to stop before the handler began.")
        case .wall:
            return Verdict(
                .timedOut, .wall, code: "timed_out",
                self.wasForced ? "It ran longer than allowed and was ended." : "It ran out of time and ended.")
        case .start:
            return Verdict(.timedOut, .start, code: "start_timeout", "Its process did not begin in time.")
        case .shutdown:
            return Verdict(.lost, .host, code: AttemptReport.hostShutdownCode, "The host shut down under it.")
        case .memory: return self.outOfMemory("used more memory than")
        case .processes:
            let limit = self.processLimit.map { "the \($0) processes" } ?? "the number of processes that"
            return Verdict(
                .crashed, .killed, code: "process_limit", "It had more than \(limit) it is allowed, and was killed.")
        case .cpu: return self.outOfCPU
        case .noProgress:
            return Verdict(
                .timedOut, .noProgress, code: "no_progress",
                self.wasForced
                    ? "It made no progress for too long and was ended."
                    : "It made no progress for too long and ended when asked.")
        case .output:
            return Verdict(
                .crashed, .killed, code: "output_limit",
                "It wrote more than the \(self.outputLimit) bytes it is allowed, and its job says to end it then.")
        }
    }

    /// Out of memory before the crash, because a process at its limit often dies of SIGABRT or SIGSEGV, or gives up.
    private var howItDied: Verdict {
        switch self.exit {
        case nil:
            return Verdict(
                .lost, .zygote, code: "zygote_lost", "The process that kept it died; how it ended is unknown.")
        case .code(let code):
            if code != 0, let words = self.memory.explainsExit(crash: self.crash, limit: self.memoryLimit) {
                return self.outOfMemory(words)
            }
            return Verdict(
                .crashed, .noResult, code: "no_result",
                "It ended with exit code \(code) without a result\(self.whenItDied).")
        case .signal(let signal):
            if let words = self.memory.explains(signal: signal, crash: self.crash, limit: self.memoryLimit) {
                return self.outOfMemory(words)
            }
            let name = Self.signalName(signal)
            if signal == Self.sigxcpu || self.isOverCPU(signal) {
                return self.outOfCPU
            }
            if signal == Self.sigsys {
                let call = self.violation.map { "called \($0)" } ?? "made a system call"
                return Verdict(
                    .crashed, .sandbox, code: "sandbox",
                    "The sandbox stopped it: it \(call), which is not allowed (\(name)).")
            }
            if signal == Self.sigxfsz {
                return Verdict(
                    .crashed, .signal, code: "file_size_limit",
                    "It wrote a file larger than it is allowed, and died of \(name)\(self.whenItDied).")
            }
            if Self.foreign.contains(signal) && self.crash == nil {
                return Verdict(
                    .crashed, .killed, code: "killed", "Somebody outside ended it with \(name)\(self.whenItDied).")
            }
            return Verdict(.crashed, .signal, code: "crashed", "It crashed with \(name)\(self.whenItDied).")
        }
    }

    private var whenItDied: String {
        if self.hasStarted { return "" }
        return self.silentDeaths > 1
            ? " before the handler began, \(self.silentDeaths) times in a row" : " before the handler began"
    }

    private var outOfCPU: Verdict {
        Verdict(.timedOut, .cpu, code: "cpu_limit", "It used more processor time than allowed.")
    }

    /// `words`: what it did with "the … MiB it is allowed".
    private func outOfMemory(_ words: String) -> Verdict {
        let allowed = self.memoryLimit > 0 ? "the \(Self.bytes(self.memoryLimit)) it is allowed" : "the machine has"
        return Verdict(.outOfMemory, nil, code: "out_of_memory", "It \(words) \(allowed).")
    }

    private static func bytes(_ count: Int64) -> String {
        count >= 1 << 20 ? "\(count >> 20) MiB" : count >= 1 << 10 ? "\(count >> 10) KiB" : "\(count) bytes"
    }

    /// The kernel kills at the hard limit, a second after SIGXCPU was ignored.
    private func isOverCPU(_ signal: Int32) -> Bool {
        guard signal == Self.sigkill, let limit = self.cpuLimit else { return false }
        return self.cpuUsed >= limit
    }

    private static let sigkill: Int32 = 9
    private static let sigxcpu: Int32 = 24
    private static let sigxfsz: Int32 = 25
    private static let sigsys: Int32 = 31
    /// Signals that a program does not raise by a mistake of its own: HUP, INT, KILL, TERM.
    private static let foreign: Set<Int32> = [1, 2, 9, 15]

    /// The message as the end of a sentence.
    private static func clause(_ message: String) -> String {
        var message = message[...]
        while let last = message.last, last == "." || last.isWhitespace { message = message.dropLast() }
        return message.isEmpty ? "it gave no reason" : String(message.prefix(300))
    }

    /// The name of a signal on Linux (generic numbers: x86-64 and arm64).
    package static func signalName(_ signal: Int32) -> String {
        let names: [Int32: String] = [
            1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
            9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
            16: "SIGSTKFLT", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
        ]
        return names[signal] ?? "signal \(signal)"
    }
}
