import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct AttemptDetailTests {
    @Test func allThatIsKnownOfAnAttemptComesBack() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            var report = run.report(.timedOut, reason: .noProgress)
            report.mode = .pool
            report.samples = (0..<120).map {
                ResourceSample(
                    atMillis: Int64($0) * 1000, cpuMillis: 7, rssBytes: 1 << 40, processes: 2, threads: 3,
                    descriptors: 4)
            }
            report.leaks = LeakReport(
                processes: 1, scratchFiles: 2, scratchBytes: 3, descriptors: 4, threads: 5, growthBytes: -6,
                restored: ["cwd", "umask"], recycled: "it grew")
            report.diagnosis = #"{"processes":[{"pid":12345678901234567890,"wchan":"futex_wait"}]}"#
            report.ladder = [LadderStep(name: "cancel", atMillis: 1), LadderStep(name: "kill", atMillis: 2)]
            report.lastLines = [
                LogLine(
                    time: run.createdAt, level: .warning, stream: .stderr, stage: "Copying", message: "a \"line\"\n")
            ]
            var crash = CrashInfo(
                signal: 6, code: -6, address: 0, pc: 0x1100, threadName: "main", frames: [0x1100, 0x2100, .max],
                addressSpaceBytes: 9)
            crash.registers = [RegisterValue(name: "rip", value: .max), RegisterValue(name: "rsp", value: 1)]
            let used = MappedModule(start: 0x1000, end: 0x2000, fileOffset: 0x10, path: "/a \u{e9}.so")
            let other = MappedModule(start: 0x2000, end: 0x3000, fileOffset: 0, path: "/b.so")
            crash.modules = [used, MappedModule(start: 0x5000, end: 0x6000, fileOffset: 0, path: "/unused.so"), other]
            report.crash = crash
            #expect(
                try await store.settle(bench.lease, [Settlement(report: report, decision: .finish(.failed))]) == [
                    .applied
                ])
            let attempt = try #require(try await store.attempts(run.id).first)
            #expect(attempt.mode == .pool && attempt.samples == report.samples && attempt.leaks == report.leaks)
            #expect(attempt.diagnosis == report.diagnosis && attempt.ladder == report.ladder)
            #expect(attempt.lastLines == report.lastLines)
            crash.modules = [used, other]
            #expect(attempt.crash == crash)
        }
    }

    /// One that says nothing, one that fails, one with a result in bytes: in one statement, in any order, each keeps its own.
    @Test(arguments: [[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    func eachAttemptOfABatchKeepsItsOwn(_ order: [Int]) async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(3)
            let runs = try await bench.claim(3).sorted { $0.id < $1.id }
            var mute = runs[order[0]].report()
            (mute.started, mute.exitCode, mute.pid, mute.version) = (nil, nil, nil, nil)
            (mute.progress, mute.sentence) = (Progress(), "")
            let error = AttemptError(code: "no_file", message: "It is gone.", detailsJSON: #"{"path":"/a"}"#)
            var failing = runs[order[1]].report(.crashed, reason: .signal, error: error)
            failing.signal = 11
            let later = runs[0].createdAt.advanced(by: .seconds(3600))
            let giving = runs[order[2]].report(result: .bytes([1, 0, 2], mediaType: "image/png"))
            let settled = try await store.settle(
                bench.lease,
                [
                    Settlement(report: mute, decision: .finish(.succeeded)),
                    Settlement(report: failing, decision: .retry(at: later)),
                    Settlement(report: giving, decision: .finish(.succeeded)),
                ])
            #expect(settled == [.applied, .applied, .applied])
            let first = try #require(try await store.attempts(mute.runID).first)
            #expect(first.startedAt == nil && first.exitCode == nil && first.pid == nil && first.version == nil)
            #expect(first.signal == nil && first.error == nil && first.sentence == "" && first.progress == Progress())
            #expect(try await store.run(mute.runID)?.result ?? RunResult.none == RunResult.none)
            let second = try #require(try await store.attempts(failing.runID).first)
            #expect(second.signal == 11 && second.reason == .signal && second.error == error && second.pid == 4711)
            #expect(second.sentence == "It did it." && second.progress == failing.progress)
            let waiting = try #require(try await store.run(failing.runID))
            #expect(waiting.state == .retrying && waiting.runAt == later)
            let third = try #require(try await store.run(giving.runID))
            #expect(third.state == .succeeded && third.result == giving.result && third.error == nil)
            #expect(third.pid == 4711 && third.startedAt == giving.started)
        }
    }

    /// Rows stay small: what went well has nothing to tell.
    @Test func anOrdinaryAttemptHasNoDetail() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(2)
            let runs = try await bench.claim(2)
            var batch = runs.map { $0.settlement(.finish(.succeeded)) }
            batch[1].report.lastLines = [
                LogLine(time: runs[1].createdAt, level: .info, stream: .handler, message: "fine")
            ]
            _ = try await store.settle(bench.lease, batch)
            #expect(try await bench.number("SELECT count(*) FROM pawl.attempt WHERE detail IS NULL") == 2)
            let attempt = try #require(try await store.attempts(runs[1].id).first)
            #expect(
                attempt.mode == .fork && attempt.samples.isEmpty && attempt.leaks.isClean && attempt.lastLines.isEmpty)
            _ = try await bench.enqueue(1)
            let live = try await bench.claim(1)[0]
            #expect(try await store.attempts(live.id).first?.mode == nil)
        }
    }

    /// Of a run that has snoozed for months, the newest attempts are read, and the live one is among them.
    @Test func theNewestOfManyAttempts() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            try await bench.side.execute(
                """
                INSERT INTO pawl.attempt (run_id, attempt, retention, ended_at, job, outcome)
                SELECT \(run.id.rawValue), n, 30, now(), 'test.noop', 'snoozed' FROM generate_series(-500, 0) n
                """)
            #expect(try await store.attempts(run.id).map(\.attempt) == Array(-198...1))
            let last = try await store.attempts(run.id, newest: 2)
            #expect(last.map(\.attempt) == [0, 1] && last[0].outcome == .snoozed && last[1].outcome == nil)
        }
    }

    /// A tool's words that are no JSON spoil nothing else.
    @Test func aDiagnosisThatIsNoJSON() async throws {
        try await withBench { bench in
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            var report = run.report(.timedOut)
            report.diagnosis = "{half"
            report.survivorsKilled = 3
            _ = try await bench.store.settle(bench.lease, [Settlement(report: report, decision: .finish(.failed))])
            let attempt = try #require(try await bench.store.attempts(run.id).first)
            #expect(attempt.diagnosis == #""{half""# && attempt.survivorsKilled == 3)
        }
    }

    /// What the database refuses in every form ends its run all the same.
    @Test func whatCannotBeStoredAtAllEndsItsRun() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(3)
            let runs = try await bench.claim(3)
            var bad = runs[0].settlement(.finish(.succeeded))
            // No timestamp of the database's.
            bad.report.ended = WallTime(micros: .max)
            let results = try await store.settle(bench.lease, [runs[1].settlement(.finish(.succeeded)), bad])
            guard case .refused? = results.last, results.first == .applied else {
                Issue.record("\(results)")
                return
            }
            let run = try #require(try await store.run(runs[0].id))
            #expect(
                run.state == .failed && run.error?.code == "unsettleable" && run.outcome == .error
                    && run.attemptsUsed == 1)
            let attempt = try #require(try await store.attempts(run.id).first)
            #expect(attempt.outcome == .error && attempt.error?.code == "unsettleable" && !attempt.sentence.isEmpty)
            let counts = try await store.job("test.noop").counts.filter { $0.value != 0 }
            #expect(counts == [.succeeded: 1, .failed: 1, .running: 1])
            // Guarded as any settlement.
            var late = runs[2].settlement(.finish(.succeeded))
            late.report.ended = WallTime(micros: .max)
            _ = try await store.settle(bench.lease, [.release(runs[2].id, attempt: 1, at: runs[2].createdAt)])
            #expect(try await store.settle(bench.lease, [late]) == [.fenced])
            #expect(try await store.run(runs[2].id)?.state == .queued)
        }
    }
}
