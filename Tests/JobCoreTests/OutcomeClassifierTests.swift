import JobCore
import Testing

@Suite struct OutcomeClassifierTests {
    private func verdict(_ change: (inout OutcomeClassifier) -> Void) -> (AttemptOutcome, AttemptReason?) {
        var classifier = OutcomeClassifier()
        classifier.hasStarted = true
        classifier.memoryLimit = 1 << 30
        change(&classifier)
        let verdict = classifier.verdict
        #expect(verdict.sentence.hasSuffix("."))
        #expect((verdict.code == nil) == [.succeeded, .snoozed].contains(verdict.outcome))
        return (verdict.outcome, verdict.reason)
    }

    private let failure = AttemptEnding.failure(AttemptError(code: "x", message: "no."), status: 1)

    @Test func whatTheChildSaidStands() {
        #expect(
            self.verdict {
                $0.ending = .result(.none)
                $0.exit = .signal(11)
                $0.cause = .terminate
                $0.wasForced = true
            } == (.succeeded, nil))
        #expect(
            self.verdict {
                $0.ending = .snooze(WallTime(micros: 0))
                $0.exit = .code(0)
            } == (.snoozed, nil))
        #expect(
            self.verdict {
                $0.ending = self.failure
                $0.exit = .code(0)
            } == (.error, nil))
    }

    /// Whose words stand: the handler's, but for the end of its host, which nothing it says may hide.
    @Test func ofAHostThatShutsDownTheHostsWordsStand() {
        let said = AttemptError(code: "x", message: "no.")
        for cause in [StopCause.cancel, .wall, .shutdown] {
            var classifier = OutcomeClassifier()
            classifier.hasStarted = true
            classifier.ending = self.failure
            classifier.cause = cause
            classifier.exit = .code(0)
            let verdict = classifier.verdict
            let error = verdict.error(said: said)
            #expect(error?.code == (cause == .shutdown ? "host_shutdown" : "x"))
            let report = AttemptReport(
                runID: RunID(1), attempt: 1, outcome: verdict.outcome, reason: verdict.reason,
                ended: WallTime(micros: 0), error: error)
            #expect(report.wasHostShutdown == (cause == .shutdown))
            #expect(verdict.error(said: nil)?.code == verdict.code)
        }
    }

    /// Who was asked to stop answers by failing: that is no failure of the job's, and is not retried as one.
    @Test func aFailureAfterARequestIsItsAnswer() {
        let expected: [(StopCause, AttemptOutcome, AttemptReason?)] = [
            (.cancel, .cancelled, .requested), (.terminate, .cancelled, .requested), (.wall, .timedOut, .wall),
            (.shutdown, .lost, .host), (.memory, .outOfMemory, nil), (.fault, .error, nil),
        ]
        for (cause, outcome, reason) in expected {
            #expect(
                self.verdict {
                    $0.ending = self.failure
                    $0.cause = cause
                    $0.exit = .code(0)
                } == (outcome, reason))
        }
    }

    @Test func theHostsReasonComesBeforeTheSignal() {
        let expected: [(StopCause, Bool, AttemptOutcome, AttemptReason?)] = [
            (.cancel, true, .terminated, .requested), (.cancel, false, .cancelled, .requested),
            (.terminate, true, .terminated, .requested), (.wall, true, .timedOut, .wall),
            (.start, true, .timedOut, .start), (.shutdown, true, .lost, .host), (.memory, true, .outOfMemory, nil),
        ]
        for (cause, forced, outcome, reason) in expected {
            #expect(
                self.verdict {
                    $0.cause = cause
                    $0.wasForced = forced
                    $0.exit = .signal(9)
                } == (outcome, reason))
        }
    }

    @Test func deathsByThemselves() {
        #expect(self.verdict { $0.exit = .code(0) } == (.crashed, .noResult))
        #expect(self.verdict { $0.exit = .code(7) } == (.crashed, .noResult))
        #expect(self.verdict { $0.exit = .signal(11) } == (.crashed, .signal))
        #expect(self.verdict { $0.exit = .signal(9) } == (.crashed, .killed))
        #expect(self.verdict { $0.exit = .signal(15) } == (.crashed, .killed))
        #expect(self.verdict { $0.exit = .signal(31) } == (.crashed, .sandbox))
        #expect(self.verdict { $0.exit = .signal(24) } == (.timedOut, .cpu))
        #expect(self.verdict { _ in } == (.lost, .zygote))
        #expect(self.verdict { $0.spawnFailure = "fork: no memory" } == (.lost, .host))
        #expect(
            self.verdict {
                $0.exit = .signal(9)
                $0.cpuLimit = .seconds(1)
                $0.cpuUsed = .seconds(2)
            } == (.timedOut, .cpu))
    }

    @Test func outOfMemoryComesBeforeTheCrash() {
        func crash(_ bytes: UInt64) -> CrashInfo {
            CrashInfo(
                signal: 6, code: 0, address: 0, pc: 0, threadName: "", frames: [], addressSpaceBytes: bytes)
        }
        #expect(
            self.verdict {
                $0.exit = .signal(6)
                $0.crash = crash(1 << 30)
            } == (.outOfMemory, nil))
        #expect(
            self.verdict {
                $0.exit = .signal(6)
                $0.crash = crash(100 << 20)
            } == (.crashed, .signal))
        #expect(
            self.verdict {
                $0.exit = .signal(9)
                $0.memory.oomKills = 1
            } == (.outOfMemory, nil))
    }

    /// Programs whose allocator was refused die in every way but one that says so.
    @Test func refusedAllocatorsAreOutOfMemoryHoweverTheProgramDies() {
        func crash(_ signal: Int32, error: Int32) -> CrashInfo {
            var crash = CrashInfo(
                signal: signal, code: 0, address: 0, pc: 0, threadName: "", frames: [], addressSpaceBytes: 50 << 20)
            crash.error = error
            return crash
        }
        for signal: Int32 in [4, 5, 6, 11] {
            #expect(
                self.verdict {
                    $0.exit = .signal(signal)
                    $0.crash = crash(signal, error: 12)
                } == (.outOfMemory, nil))
            #expect(
                self.verdict {
                    $0.exit = .signal(signal)
                    $0.crash = crash(signal, error: 2)
                } == (.crashed, .signal))
        }
        #expect(
            self.verdict {
                $0.exit = .signal(8)
                $0.crash = crash(8, error: 12)
            } == (.crashed, .signal), "no allocator divides by zero")
    }

    @Test func anExitNearTheLimitIsOutOfMemory() {
        func exit(_ code: Int32, _ change: (inout MemoryEvidence) -> Void) -> AttemptOutcome {
            self.verdict {
                $0.exit = .code(code)
                change(&$0.memory)
            }.0
        }
        #expect(exit(1) { $0.addressSpaceBytes = 1020 << 20 } == .outOfMemory)
        #expect(exit(1) { $0.exitError = 12 } == .outOfMemory)
        #expect(exit(1) { $0.residentBytes = 900 << 20 } == .outOfMemory, "_exit() leaves no note")
        #expect(exit(0) { $0.addressSpaceBytes = 1020 << 20 } == .crashed, "it was content")
        #expect(
            exit(1) {
                $0.addressSpaceBytes = 300 << 20
                $0.exitError = 2
                $0.residentBytes = 300 << 20
            } == .crashed)
    }

    @Test func whatTheHostEnforcesHasItsWords() {
        let expected: [(StopCause, AttemptOutcome, AttemptReason?)] = [
            (.cpu, .timedOut, .cpu), (.noProgress, .timedOut, .noProgress), (.output, .crashed, .killed),
            (.processes, .crashed, .killed), (.memory, .outOfMemory, nil),
        ]
        for (cause, outcome, reason) in expected {
            #expect(
                self.verdict {
                    $0.cause = cause
                    $0.wasForced = true
                    $0.processLimit = 10
                    $0.exit = .signal(9)
                } == (outcome, reason))
        }
    }

    @Test func aBrokenProtocolIsNeverASuccess() {
        #expect(
            self.verdict {
                $0.protocolFault = "a frame of another run"
                $0.cause = .fault
                $0.ending = .result(.none)
                $0.exit = .signal(9)
            } == (.crashed, .killed))
    }
}
