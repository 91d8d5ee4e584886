import Inspection
import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@testable import JobRunner

@Suite(.serialized) struct CrashFilerTests {
    private static let naming = CrashNaming(
        frames: { crash in
            Inspector.rawFrames(crash).enumerated().map { index, frame in
                var frame = frame
                frame.function = "f\(index)"
                frame.file = "/src/a.c"
                frame.line = 10 + index
                return frame
            }
        }, fingerprint: { crash, frames, isPlugin in "\(crash.signal)-\(frames.filter(isPlugin).count)" })

    @LoopActor
    private func crash(_ stage: Stage, _ count: Int) async throws {
        _ = try await stage.store.enqueue(batch: (0..<count).map { _ in NewRun(job: "test.noop") })
        let runs = try await stage.store.claim(stage.lease, ClaimRequest(limit: count))
        var crash = CrashInfo(
            signal: 11, code: 1, address: 0, pc: 0x1010, threadName: "t", frames: [0x1010, 0x2020, 0x9999],
            addressSpaceBytes: 1)
        crash.modules = [
            MappedModule(start: 0x1000, end: 0x2000, fileOffset: 0x100, path: "/store/v2.so"),
            MappedModule(start: 0x2000, end: 0x3000, fileOffset: 0, path: "/lib/libc.so.6"),
        ]
        let batch = runs.map { run in
            var report = AttemptReport(
                runID: run.id, attempt: run.attempt, outcome: .crashed, reason: .signal, ended: .current, version: "v2")
            report.crash = crash
            return Settlement(report: report, decision: .finish(.failed))
        }
        _ = try await stage.store.settle(stage.lease, batch)
    }

    @Test func whatWaitedSinceBeforeTheStartIsFiled() async throws {
        try await withStage { stage in
            stage.delivery.fenced()
            try await crash(stage, 20)
            let filer = CrashFiler(store: stage.store, naming: Self.naming, logger: TestDatabase.logger)
            filer.begin(stage.lease)
            try await eventually { filer.filed == 20 }
            let groups = try await stage.store.errorGroups(limit: 10)
            #expect(groups.map(\.count) == [20] && groups.first?.fingerprint == "11-1")
            #expect(groups.first?.title == "SIGSEGV in f0 (a.c:10)")
            let report = try #require(try await stage.store.crashReports("11-1", limit: 1).first)
            #expect(report.frames.map(\.module) == ["/store/v2.so", "/lib/libc.so.6", nil])
            #expect(report.frames.map(\.offset) == [0x110, 0x20, nil])
            // One more comes while it lives; two filers at once count it once.
            let second = CrashFiler(store: stage.store, naming: Self.naming, logger: TestDatabase.logger)
            try await crash(stage, 9)
            second.begin(stage.lease)
            filer.look()
            filer.look()
            try await eventually { filer.filed + second.filed == 29 }
            #expect(try await stage.store.errorGroups(limit: 10).map(\.count) == [29])
            filer.stop()
            second.stop()
        }
    }

    /// Without the tool, or its files, a crash is filed all the same: by its places in files.
    @Test func withoutNamesPlacesInFilesAreFiled() async throws {
        try await withStage { stage in
            stage.delivery.fenced()
            try await crash(stage, 2)
            let filer = CrashFiler(store: stage.store, naming: CrashNaming(nil), logger: TestDatabase.logger)
            filer.begin(stage.lease)
            try await eventually { filer.filed == 2 }
            let group = try #require(try await stage.store.errorGroups(limit: 10).first)
            #expect(group.count == 2 && group.title == "SIGSEGV in test.noop" && group.fingerprint.utf8.count == 16)
            let report = try #require(try await stage.store.crashReports(group.fingerprint, limit: 1).first)
            #expect(
                report.frames.map(\.offset) == [0x110, 0x20, nil] && report.frames.allSatisfy { $0.function == nil })
            filer.stop()
        }
    }

    /// What the database refuses keeps nothing else waiting, however many there are.
    @Test func whatIsRefusedIsSetAside() async throws {
        try await withStage { stage in
            stage.delivery.fenced()
            try await stage.side.execute(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF (SELECT count(*) FROM pawl.run WHERE id < NEW.run_id) < 20 THEN RAISE EXCEPTION 'never'; END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON pawl.crash_report FOR EACH ROW EXECUTE FUNCTION refuse();
                """)
            try await crash(stage, 23)
            let filer = CrashFiler(store: stage.store, naming: Self.naming, logger: TestDatabase.logger)
            filer.begin(stage.lease)
            try await eventually { filer.filed == 3 && filer.setAside.count == 20 }
            #expect(try await stage.number("SELECT count(*) FROM pawl.crash_pending") == 20)
            // Mended meanwhile: the next start files them.
            try await stage.side.execute("DROP TRIGGER refuse ON pawl.crash_report")
            filer.stop()
            let next = CrashFiler(store: stage.store, naming: Self.naming, logger: TestDatabase.logger)
            next.begin(stage.lease)
            try await eventually { next.filed == 20 }
            #expect(try await stage.store.errorGroups(limit: 10).map(\.count) == [23])
            next.stop()
        }
    }
}
