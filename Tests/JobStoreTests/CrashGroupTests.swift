import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct CrashGroupTests {
    private static let crash: CrashInfo = {
        var crash = CrashInfo(
            signal: 11, code: 1, address: 0x10, pc: 0x7000_0000_1234, threadName: "worker",
            frames: [0x7000_0000_1234, 0x7000_0000_2000], addressSpaceBytes: 1 << 30)
        crash.registers = [RegisterValue(name: "rip", value: 0x7000_0000_1234), RegisterValue(name: "rax", value: 0)]
        crash.modules = [
            MappedModule(start: 0x7000_0000_0000, end: 0x7000_0001_0000, fileOffset: 0x1000, path: "/store/a.so"),
            MappedModule(start: 0x7f00_0000_0000, end: 0x7f00_0001_0000, fileOffset: 0, path: "/lib/libelsewhere.so"),
        ]
        return crash
    }()

    private static func report(_ run: ClaimedRun) -> AttemptReport {
        var report = run.report(.crashed, reason: .signal)
        report.crash = Self.crash
        return report
    }

    private static let filing = CrashFiling(
        fingerprint: "0123456789abcdef",
        frames: [
            StackFrame(
                address: 0x7000_0000_1234, module: "/store/a.so", buildID: "ab12", offset: 0x2234,
                function: "boom(int)",
                file: "/src/boom.cc", line: 12),
            StackFrame(address: 0x7000_0000_2000, isInlined: true),
        ], title: "SIGSEGV in boom(int) (boom.cc:12)")

    /// Crashes `count` runs under the bench's lease.
    @LoopActor
    private func crash(_ bench: Bench, _ count: Int) async throws -> [ClaimedRun] {
        _ = try await bench.enqueue(count)
        let runs = try await bench.claim(count)
        let batch = runs.map { Settlement(report: Self.report($0), decision: .finish(.failed)) }
        let results = try await bench.store.settle(bench.lease, batch)
        #expect(results == Array(repeating: .applied, count: count))
        return runs
    }

    @Test func aHundredEqualCrashesAreOneGroup() async throws {
        try await withBench { bench in
            let store = bench.store
            let runs = try await crash(bench, 100)
            var filed = 0
            while true {
                let pending = try await store.pendingCrashes(bench.lease, limit: 16)
                if pending.isEmpty { break }
                for crash in pending {
                    #expect(crash.isOwn && crash.handler == "test.noop" && crash.crash?.frames == Self.crash.frames)
                    if try await store.fileCrash(crash, Self.filing) { filed += 1 }
                    // Again, as after a lost answer: counts once.
                    #expect(try await store.fileCrash(crash, Self.filing) == false)
                }
            }
            #expect(filed == 100)
            let groups = try await store.errorGroups(limit: 10)
            #expect(groups.count == 1)
            let group = try #require(groups.first)
            #expect(group.count == 100 && group.kind == "crash" && group.signal == 11 && group.job == "test.noop")
            #expect(group.title == Self.filing.title && group.firstSeenAt <= group.lastSeenAt)
            #expect(group.lastVersion == String(repeating: "a", count: 64))
            #expect(try await store.errorGroup(group.fingerprint) == group)
            #expect(try await store.errorGroup("nothing") == nil)
            let report = try #require(try await store.crashReport(runs[7].id, attempt: 1))
            #expect(report.frames == Self.filing.frames && report.fingerprint == group.fingerprint)
            #expect(try await store.crashReport(runs[7].id, attempt: 2) == nil)
            #expect(
                try await store.crashReports(group.fingerprint, limit: 5).map(\.runID)
                    == runs.suffix(5).reversed().map(\.id))
            #expect(try await bench.number("SELECT count(*) FROM pawl.crashes") == 1)
        }
    }

    /// Nothing waits for an outcome that was not this host's to settle, and nothing waits twice.
    @Test func onlyWhatWasSettledWaits() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(3)
            let runs = try await bench.claim(3)
            let release = Settlement.release(runs[0].id, attempt: 1, at: runs[0].createdAt)
            _ = try await store.settle(bench.lease, [release])
            var sound = runs[2].report(.outOfMemory)
            sound.crash = Self.crash
            let batch = [
                Settlement(report: Self.report(runs[0]), decision: .finish(.failed)),
                Settlement(report: Self.report(runs[1]), decision: .retry(at: WallTime(micros: 1))),
                Settlement(report: sound, decision: .finish(.failed)),
            ]
            #expect(try await store.settle(bench.lease, batch) == [.fenced, .applied, .applied])
            #expect(try await store.pendingCrashes(bench.lease).map(\.runID) == [runs[1].id])
            // The answer was lost.
            #expect(try await store.settle(bench.lease, [batch[1]]) == [.alreadyDone])
            let pending = try await store.pendingCrashes(bench.lease)
            #expect(pending.count == 1)
            #expect(try await store.fileCrash(pending[0], Self.filing))
            #expect(try await store.settle(bench.lease, [batch[1]]) == [.alreadyDone])
            #expect(try await store.pendingCrashes(bench.lease).isEmpty)
        }
    }

    @Test func aRestartAndOtherHostsFindWhatWaits() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await crash(bench, 1)
            let again = try await store.registerHost(Bench.registration("directory-1")).lease
            #expect(try await store.pendingCrashes(again).count == 1)
            let other = try await store.registerHost(Bench.registration("directory-2")).lease
            #expect(try await store.pendingCrashes(other).isEmpty)
            try await bench.side.execute(
                "UPDATE pawl.host SET heartbeat_at = now() - interval '11 minutes' WHERE id = \(bench.lease.id.rawValue)"
            )
            let foreign = try #require(try await store.pendingCrashes(other).first)
            #expect(!foreign.isOwn)
            // Both find it: one files it.
            let own = try #require(try await store.pendingCrashes(again).first)
            #expect(try await store.fileCrash(foreign, Self.filing))
            #expect(try await store.fileCrash(own, Self.filing) == false)
            #expect(try await store.errorGroups(limit: 1).first?.count == 1)
        }
    }

    @Test func pagesOfGroups() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await crash(bench, 5)
            for (index, crash) in try await store.pendingCrashes(bench.lease).enumerated() {
                var filing = Self.filing
                filing.fingerprint = "group\(index)"
                _ = try await store.fileCrash(crash, filing)
            }
            var seen: [String] = []
            var cursor: ErrorGroupCursor?
            while true {
                let page = try await store.errorGroups(limit: 2, after: cursor)
                guard let last = page.last else { break }
                seen += page.map(\.fingerprint)
                cursor = ErrorGroupCursor(last)
            }
            #expect(seen.count == 5 && Set(seen).count == 5)
        }
    }

    @Test func reportsGoWithTheirAttempts() async throws {
        try await withBench { bench in
            let store = bench.store
            let runs = try await crash(bench, 2)
            for crash in try await store.pendingCrashes(bench.lease) {
                _ = try await store.fileCrash(crash, Self.filing)
            }
            let expired =
                "UPDATE pawl.crash_report SET expires_at = expires_at - interval '30 days' WHERE run_id = \(runs[0].id.rawValue)"
            try await bench.side.execute(expired)
            _ = try await store.maintain(isForced: true)
            #expect(try await store.crashReport(runs[0].id, attempt: 1) == nil)
            #expect(try await store.crashReport(runs[1].id, attempt: 1) != nil)
            // A run that is repeated and removed takes its own along.
            _ = try await store.retry(runs[1].id, RetryChanges(removeOriginal: true))
            #expect(try await store.crashReport(runs[1].id, attempt: 1) == nil)
            #expect(try await store.errorGroups(limit: 1).first?.count == 2)
        }
    }

    @Test func aCrashWhoseAttemptIsGoneIsDropped() async throws {
        try await withBench { bench in
            _ = try await crash(bench, 1)
            try await bench.side.execute("DELETE FROM pawl.attempt")
            let pending = try #require(try await bench.store.pendingCrashes(bench.lease).first)
            #expect(pending.crash == nil)
            try await bench.store.dropCrash(pending)
            #expect(try await bench.store.pendingCrashes(bench.lease).isEmpty)
        }
    }
}
