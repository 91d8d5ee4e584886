import JobCore
import Testing

@testable import ControlPlane

/// From facts to words: every state, outcome and reason, and every way to wait.
@Suite struct ExplanationTests {
    private static let now = WallTime(micros: 1_800_000_000_000_000)

    private static func facts(_ state: RunState, _ change: (inout RunFacts) -> Void = { _ in }) -> RunFacts {
        var facts = RunFacts(id: RunID(1), job: "etl.load", state: state, now: now)
        change(&facts)
        return facts
    }

    private static func ended(
        _ outcome: AttemptOutcome, _ reason: AttemptReason? = nil, code: String? = nil,
        _ change: (inout AttemptFacts) -> Void = { _ in }
    ) -> RunFacts {
        facts(
            outcome == .succeeded ? .succeeded : outcome == .cancelled || outcome == .terminated ? .cancelled : .failed
        ) {
            $0.outcome = outcome
            $0.reason = reason
            $0.attempt = 3
            $0.attemptsUsed = 3
            var last = AttemptFacts(attempt: 3, outcome: outcome, reason: reason)
            last.code = code
            change(&last)
            $0.last = last
        }
    }

    @Test func everyCauseHasWordsAndNoneIsLeftUnfilled() {
        for cause in Cause.allCases {
            #expect(Explanation.summaries[cause] != nil, "\(cause)")
            let entry = Explanation.entry(cause)
            let phrases = Phrases(Self.facts(.queued))
            for text in [Explanation.summaries[cause] ?? "", entry.because]
                + entry.steps.flatMap({ [$0.command, $0.why] })
            {
                let filled = phrases.fill(text)
                #expect(!filled.contains("{") && !filled.contains("}"), "\(filled)")
                #expect(!filled.isEmpty)
            }
            #expect(!entry.steps.isEmpty, "\(cause): what to type next?")
        }
    }

    @Test func everyOutcomeAndReasonIsToldApart() {
        let table: [(AttemptOutcome, AttemptReason?, String?, Cause)] = [
            (.succeeded, nil, nil, .succeeded), (.error, nil, "io", .error), (.crashed, .signal, nil, .crashSignal),
            (.crashed, .noResult, nil, .crashNoResult), (.crashed, .sandbox, nil, .crashSandbox),
            (.crashed, .killed, nil, .crashKilled), (.crashed, .killed, "output_limit", .outputLimit),
            (.crashed, .killed, "protocol_error", .protocolError), (.timedOut, .wall, nil, .wall),
            (.timedOut, .cpu, nil, .cpu), (.timedOut, .noProgress, nil, .noProgress), (.timedOut, .start, nil, .start),
            (.outOfMemory, nil, nil, .outOfMemory), (.cancelled, .requested, nil, .cancelled),
            (.terminated, .requested, nil, .terminated), (.lost, .host, nil, .lostHost),
            (.lost, .zygote, nil, .lostZygote),
        ]
        for (outcome, reason, code, cause) in table {
            let explanation = Explanation(Self.ended(outcome, reason, code: code))
            #expect(explanation.cause == cause)
            #expect(explanation.attemptCause == nil)
        }
        // What no attempt is behind.
        for (reason, cause) in [
            (AttemptReason.expired, Cause.expired), (.lost, .lostTooOften), (.stale, .stale),
        ] {
            #expect(Explanation(Self.facts(.failed) { $0.reason = reason }).cause == cause)
        }
        #expect(Explanation(Self.facts(.failed)).cause == .failed)
        #expect(Explanation(Self.facts(.cancelled)).cause == .cancelledWaiting)
    }

    @Test func cancelledBetweenAttemptsIsNotTheFailureBefore() {
        let facts = Self.facts(.cancelled) {
            $0.attempt = 1
            $0.outcome = .crashed
            $0.reason = .signal
        }
        #expect(Explanation(facts).cause == .cancelledWaiting)
    }

    @Test func waitingIsExplained() {
        let table: [(Cause, (inout RunFacts) -> Void)] = [
            (
                .emergency,
                {
                    $0.emergency = EmergencyFacts(mode: "pause_queues", reason: "a fire")
                    $0.isQueuePaused = true
                }
            ),
            (.exclusive, { $0.exclusive = ExclusiveFacts(holder: "blue", isHere: false) }),
            (
                .exclusive,
                {
                    $0.exclusive = ExclusiveFacts(holder: nil, isHere: false)
                    $0.hasHandler = false
                    ($0.slots, $0.busySlots) = (4, 4)
                }
            ),
            (
                .limitReached,
                {
                    $0.exclusive = ExclusiveFacts(holder: "blue", isHere: false)
                    $0.fullLimit = LimitFacts(runs: 1, of: "queue default")
                }
            ),
            (.noHandler, { ($0.exclusive, $0.hasHandler) = (ExclusiveFacts(holder: "here", isHere: true), false) }),
            (.queuePaused, { $0.isQueuePaused = true }), (.jobPaused, { $0.isJobPaused = true }),
            (.limitReached, { $0.fullLimit = LimitFacts(runs: 3, of: "queue default") }), (.noHost, { $0.hosts = 0 }),
            (
                .quarantined,
                { $0.quarantine = QuarantineFacts(version: "ab", until: nil, crashes: 9, attempts: 12, reason: "") }
            ),
            (.noHandler, { $0.hasHandler = false }), (.draining, { $0.isDraining = true }),
            (.slotsFull, { ($0.slots, $0.busySlots) = (4, 4) }), (.behindOthers, { ($0.slots, $0.position) = (4, 3) }),
            (.nextInLine, { ($0.slots, $0.position) = (4, 1) }),
        ]
        for (cause, change) in table {
            let explanation = Explanation(Self.facts(.queued, change))
            #expect(explanation.cause == cause)
            #expect(explanation.evidence.contains { $0.fact == "waits" })
        }
        #expect(Explanation(Self.facts(.blocked)).cause == .blocked)
        #expect(Explanation(Self.facts(.scheduled)).cause == .notDue)
        #expect(Explanation(Self.facts(.scheduled) { $0.outcome = .snoozed }).cause == .snoozed)
    }

    /// Of several reasons that one is told which has to be mended first.
    @Test func whatHasToBeMendedFirstIsToldFirst() {
        let all: @Sendable (inout RunFacts) -> Void = {
            $0.isQueuePaused = true
            $0.pauseReason = "repairs"
            $0.hosts = 0
            $0.hasHandler = false
            $0.busySlots = 1
            $0.position = 7
        }
        let first = Explanation(Self.facts(.queued, all))
        #expect(first.cause == .queuePaused)
        #expect(first.summary == "It waits because queue default is paused: repairs.")
        #expect(first.next.first?.command == "pawl api POST /api/v1/queues/default/resume")
        #expect(first.evidence.contains { $0.fact == "position" && $0.value == "7" })
        var facts = Self.facts(.queued, all)
        facts.isQueuePaused = false
        #expect(Explanation(facts).cause == .noHost)
        facts.hosts = 1
        #expect(Explanation(facts).cause == .noHandler)
    }

    @Test func runningStatesAreToldApart() {
        func cause(_ change: (inout RunFacts) -> Void) -> Cause { Explanation(Self.facts(.running, change)).cause }
        var live = LiveAttempt(runID: RunID(1), attempt: 1, startedAt: Self.now.advanced(by: .seconds(-90)))
        #expect(cause { _ in } == .starting)
        #expect(cause { $0.live = live } == .running)
        #expect(cause { $0.otherHost = "b" } == .runningElsewhere)
        #expect(
            cause {
                $0.live = live
                $0.cancelRequestedAt = Self.now
            } == .cancelling)
        #expect(cause { $0.terminateRequestedAt = Self.now } == .terminating)
        live.isFrozen = true
        #expect(cause { $0.live = live } == .frozen)
        live.isFrozen = false
        live.deadline = Self.now.advanced(by: .seconds(30))
        live.latest = ResourceSample(
            atMillis: 90_000, cpuMillis: 89_000, rssBytes: 3 << 20, processes: 2, threads: 5, descriptors: 7)
        let explanation = Explanation(
            Self.facts(.running) {
                $0.live = live
                $0.startedAt = live.startedAt
            })
        #expect(explanation.summary == "It has been running for 1 m 30 s.")
        let texts = explanation.evidence.map(\.text)
        #expect(texts.contains("Its time is over in 30 s."))
        #expect(
            texts.contains("It has used 1 m 29 s of processor time and holds 3 MiB in 2 processes with 5 threads."))
        #expect(texts.contains("It has reported no progress."))
    }

    @Test func aCrashNamesItsPlaceAndItsNeighbours() throws {
        var facts = Self.ended(.crashed, .signal) {
            $0.signal = 11
            $0.crashAddress = 0
            $0.crashThread = "pawl-worker"
            $0.sentence = "It crashed with SIGSEGV."
            $0.frames = [
                StackFrame(address: 1, module: "/lib/x86_64-linux-gnu/libc.so.6", function: "strlen"),
                StackFrame(address: 2, module: "/p/etl.so", function: "parse", file: "/src/etl.c", line: 41),
            ]
            $0.lastLines = ["row 7", "row 8"]
            $0.ladder = [LadderStep(name: "kill", atMillis: 1500)]
        }
        facts.group = CrashGroupFacts(
            fingerprint: "00ff", title: "", count: 12, firstSeen: Self.now.advanced(by: .seconds(-3600)),
            lastSeen: Self.now, firstVersion: "aa", lastVersion: "bb")
        let explanation = Explanation(facts)
        #expect(explanation.summary == "It crashed with SIGSEGV in parse (etl.c:41).")
        let texts = explanation.evidence.map(\.text)
        #expect(texts.contains("It touched address 0x0, the null pointer, on thread pawl-worker."))
        #expect(texts.contains("Its last words: row 8"))
        #expect(texts.contains("12 crashes had this stack; the first 1 h ago."))
        #expect(texts.contains("To end it: kill after 1.5 s."))
        #expect(explanation.next.first?.command == "pawl replay run_0000000000001 --gdb")
        for item in explanation.evidence { _ = try JSONValue(parsing: item.value) }
        #expect(try JSONValue(parsing: explanation.json.text)["cause"]?.text == "crashed_signal")
    }

    @Test func limitsAreNamedWithWhatToTypeToRaiseThem() {
        var facts = Self.ended(.timedOut, .wall)
        facts.limits = Limits(wall: .seconds(30), memoryBytes: 512 << 20).resolved
        var explanation = Explanation(facts)
        #expect(explanation.summary == "It ran longer than the 30 s that it is allowed.")
        #expect(explanation.next.contains { $0.command == "pawl jobs settings etl.load --set limits.wall=1m" })
        facts = Self.ended(.outOfMemory) { $0.peakBytes = 500 << 20 }
        facts.limits = Limits(memoryBytes: 512 << 20).resolved
        explanation = Explanation(facts)
        #expect(explanation.next.contains { $0.command == "pawl jobs settings etl.load --set limits.memory=1G" })
        #expect(explanation.because.contains("500 MiB"))
    }

    /// What is to be typed is understood when it is typed: one unit, and no more than a setting may be.
    @Test(arguments: [
        (Duration.milliseconds(750), "1500ms"), (.seconds(45), "90s"), (.seconds(100), "200s"), (.seconds(3600), "2h"),
        (.milliseconds(Int64.max), "87600h"),
    ])
    func twiceAsLong(duration: Duration, text: String) { #expect(Words.twice(duration) == text) }

    @Test(arguments: [
        (Int64(700), "1400"), (1_000_000_001, "2000000002"), (48 << 20, "96M"), (1 << 30, "2G"), (.max, "1048576G"),
    ])
    func twiceAsMuch(bytes: Int64, text: String) { #expect(Words.twice(bytes) == text) }

    /// A plugin may declare whatever fits into the numbers of its descriptor.
    @Test func theLargestLimitsAreExplained() {
        let longest = Duration.milliseconds(Int64.max)
        for cause in [AttemptReason.wall, .cpu, .noProgress, .start] {
            var facts = Self.ended(.timedOut, cause) {
                $0.took = longest
                $0.cpu = longest
                $0.peakBytes = .max
                $0.droppedOutputBytes = .max
            }
            facts.limits =
                Limits(
                    wall: longest, cpu: longest, memoryBytes: .max, outputBytes: .max, cancelGrace: longest,
                    termGrace: longest, queue: longest, start: longest, noProgress: longest
                ).resolved
            let explanation = Explanation(facts)
            #expect(explanation.evidence.contains { $0.fact == "took" })
        }
    }

    /// A queue's name is anybody's, and the commands are made to be copied into a shell.
    @Test func whatIsToBeTypedIsNothingElse() {
        let name = "a; touch 'x' $(id)/ü"
        var facts = Self.facts(.queued) { ($0.queue, $0.slots, $0.position) = (name, 4, 3) }
        var commands = Explanation(facts).next.map(\.command)
        #expect(commands.contains(#"pawl runs --queue 'a; touch '\''x'\'' $(id)/ü' --state queued"#), "\(commands)")
        facts.isQueuePaused = true
        commands = Explanation(facts).next.map(\.command)
        let path = "/api/v1/queues/a%3B%20touch%20%27x%27%20%24%28id%29%2F%C3%BC/resume"
        #expect(commands.contains("pawl api POST \(path)"), "\(commands)")
        facts = Self.facts(.queued) {
            $0.quarantine = QuarantineFacts(
                version: "0123456789abcdef", until: nil, crashes: 9, attempts: 12, reason: "", handler: "etl.other")
        }
        commands = Explanation(facts).next.map(\.command)
        #expect(commands.contains("pawl quarantines lift etl.other 0123456789ab"), "\(commands)")
    }

    /// The line is walked only so far: beyond that the place is a lower bound.
    @Test func aPlaceFarBehindIsABound() {
        let explanation = Explanation(
            Self.facts(.queued) { ($0.slots, $0.position, $0.isPositionBound) = (4, 1001, true) })
        #expect(explanation.summary.contains("at place beyond 1000"), "\(explanation.summary)")
        #expect(explanation.evidence.contains { $0.text == "At least 1000 runs of queue default come before it." })
    }

    @Test func aRetryTellsWhyTheAttemptBeforeFailed() {
        let facts = Self.facts(.retrying) {
            $0.runAt = Self.now.advanced(by: .seconds(12))
            $0.attempt = 1
            $0.attemptsUsed = 1
            $0.outcome = .timedOut
            $0.reason = .noProgress
            var last = AttemptFacts(attempt: 1, outcome: .timedOut, reason: .noProgress)
            last.sentence = "It made no progress for too long and was ended."
            $0.last = last
        }
        let explanation = Explanation(facts)
        #expect(explanation.cause == .retryWait)
        #expect(explanation.attemptCause == .noProgress)
        #expect(
            explanation.summary
                == "It waits for another attempt (1 of 3 used up), due in 12 s. Attempt 1 before: It made no progress for "
                + "too long and was ended.")
        // A run that is tried again by itself needs no retry by hand.
        #expect(!explanation.next.contains { $0.command.hasPrefix("pawl retry") })
    }

    @Test func whatItLeftBehindIsEvidence() {
        let facts = Self.ended(.error) {
            $0.leaks = LeakReport(processes: 2, scratchFiles: 1, descriptors: 3)
            $0.droppedOutputBytes = 2048
            $0.droppedLogLines = 1
            $0.hasDiagnosis = true
        }
        let texts = Explanation(facts).evidence.map(\.text)
        #expect(texts.contains("2 processes of its tree outlived it and had to be killed."))
        #expect(texts.contains("It left behind 1 scratch file and 3 descriptors."))
        #expect(texts.contains("2 KiB of output were dropped."))
        #expect(texts.contains("1 log line were dropped.") || texts.contains("1 log line was dropped."))
    }

    @Test func theCulpritIsTheHandlersOwnFrame() {
        let abort = StackFrame(address: 1, module: "/usr/lib/libc.so.6", function: "abort")
        let runtime = StackFrame(
            address: 2, module: "/p/h.so", function: "Swift._assertionFailure(_: Swift.StaticString) -> Swift.Never")
        let own = StackFrame(address: 3, module: "/p/h.so", function: "h.work()", file: "/s/h.swift", line: 9)
        #expect([abort, runtime, own].culprit == own)
        #expect([abort].culprit == abort)
        #expect([StackFrame]().culprit == nil)
        #expect(StackFrame(address: 255).words == "0xff")
        #expect(StackFrame(address: 255, module: "/p/h.so", offset: 16).words == "h.so+0x10")
    }

    @Test(arguments: [
        (Duration.milliseconds(85), "85 ms"), (.milliseconds(4_200), "4.2 s"), (.seconds(30), "30 s"),
        (.seconds(60), "1 m"), (.seconds(200), "3 m 20 s"), (.seconds(3600), "1 h"), (.seconds(3_900), "1 h 05 m"),
        (.seconds(183_600), "2 d 3 h"), (.seconds(-1), "0 ms"), (.milliseconds(Int64.max), "106751991167 d 7 h"),
    ])
    func spans(duration: Duration, text: String) { #expect(Words.span(duration) == text) }

    @Test(arguments: [
        (Int64(512), "512 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (1 << 20, "1 MiB"), (1 << 30, "1 GiB"),
        (5 << 40, "5 TiB"), (1023 << 10, "1023 KiB"), (.max, "8388607.9 TiB"),
    ])
    func sizes(bytes: Int64, text: String) { #expect(Words.bytes(bytes) == text) }

    @Test func aDiagnosisNamesThePlace() {
        let text = """
            {"processes":[{"pid":1,"threads":[{"stack":[{"function":"__libc_read","module":"/lib/libc.so.6"},
            {"function":"wait_for","module":"/p/etl.so","file":"/src/etl.c","line":40}]}]}]}
            """
        #expect(Diagnosis(parsing: text)?.place == "wait_for (etl.c:40)")
        #expect(Diagnosis(parsing: "{}")?.place == nil)
        #expect(Diagnosis(parsing: "no json") == nil)
    }
}
