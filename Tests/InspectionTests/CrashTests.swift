import Glibc
import JobCore
import Supervision
import Testing
import UVLoop

@testable import Inspection

extension InspectionSuite {
    /// Crashes of real plugins in real children, from the signal to the line.
    @Suite struct Crashes {
        @Test func aSegmentationFaultInC() async throws {
            try await Lab.open { lab in
                let plugin = try await lab.plugin("c", Programs.plugin(shift: 0))
                let report = try await lab.crash(plugin, "t.parse")
                let crash = try #require(report.crash)
                #expect(crash.signal == SIGSEGV)
                #expect(crash.address == 16)
                #expect(!crash.registers.isEmpty)
                #expect(crash.registers.contains { ["rip", "pc"].contains($0.name) && $0.value == crash.pc })
                let frames = await lab.shop.inspector().symbolize(crash)
                let first = try #require(frames.first)
                #expect(first.function == "csv_parse")
                #expect(first.file?.hasSuffix("c.c") == true)
                #expect(first.line == 2)
                #expect(first.buildID?.isEmpty == false)
                #expect(frames.dropFirst().first?.function == "parse")
                #expect(frames.dropFirst().first?.line == 5)
            }
        }

        @Test func aFileThatWasReplacedIsNotNamed() async throws {
            try await Lab.open { lab in
                let plugin = try await lab.plugin("replaced", Programs.plugin(shift: 0))
                let crash = try #require(try await lab.crash(plugin, "t.parse").crash)
                #expect(crash.modules.first { $0.path == plugin }?.buildID?.count == 40)
                let before = await lab.shop.inspector().symbolize(crash)
                #expect(before.first?.function == "csv_parse")
                // The zygote keeps the old one mapped.
                try await Workshop.run("/bin/rm", [plugin])
                _ = try await lab.plugin("replaced", Programs.plugin(shift: 3))
                let after = await lab.shop.inspector().symbolize(crash)
                #expect(after.first?.function == nil)
                #expect(after.first?.line == nil)
                #expect(after.first?.module == plugin)
                #expect(after.first?.buildID == crash.modules.first { $0.path == plugin }?.buildID)
                #expect(
                    after.contains {
                        $0.function == "start_thread" || $0.function == "__clone3" || $0.function == "run"
                    })
            }
        }

        @Test func anUncaughtExceptionInCXX() async throws {
            try await Lab.open { lab in
                let report = try await lab.crash("\(TestBinaries.directory)/fixtures/cpp_throw.so", "cpp.gives_up")
                let crash = try #require(report.crash)
                #expect(crash.signal == SIGABRT)
                let frames = await lab.shop.inspector().symbolize(crash)
                let telling = try #require(frames.first { !CrashFingerprint.isMachinery($0) && $0.function != nil })
                #expect(telling.function?.hasPrefix("gives_up") == true, "\(frames)")
                #expect(telling.file?.hasSuffix("cpp_throw.cc") == true)
            }
        }

        @Test func aFatalErrorInSwift() async throws {
            try await Lab.open { lab in
                let report = try await lab.crash("\(TestBinaries.directory)/fixtures/swift-ways.so", "ways.trap")
                let crash = try #require(report.crash)
                #expect([SIGILL, SIGTRAP].contains(crash.signal))
                #expect(report.lastLines.contains { $0.message.contains("the sky fell") })
                let frames = await lab.shop.inspector().symbolize(crash)
                let telling = try #require(frames.first { !CrashFingerprint.isMachinery($0) && $0.function != nil })
                #expect(
                    telling.function?.contains("Trap.run") == true,
                    "\(frames.map { "\($0.function ?? "?") \($0.file ?? "") \($0.line ?? 0)" })")
                #expect(telling.file?.hasSuffix("ways.swift") == true)
                #expect(telling.line ?? 0 > 0)
            }
        }

        @Test func equalCrashesAreOneGroupWhereverTheyWereLoaded() async throws {
            try await Lab.open { lab in
                let inspector = lab.shop.inspector()
                let plugin = try await lab.plugin("equal", Programs.plugin(shift: 0))
                var fingerprints: Set<String> = []
                var places: Set<UInt64> = []
                // Each zygote has a layout of its own.
                for version in 0..<3 {
                    let report = try await lab.crash(plugin, "t.parse", version: "equal-\(version)")
                    let crash = try #require(report.crash)
                    places.insert(crash.pc)
                    fingerprints.insert(Self.fingerprint(crash, await inspector.symbolize(crash), "equal"))
                }
                #expect(fingerprints.count == 1)
                #expect(places.count > 1, "the layout was never another")
                let moved = try await lab.plugin("moved", Programs.plugin(shift: 1))
                let crash = try #require(try await lab.crash(moved, "t.parse").crash)
                fingerprints.insert(Self.fingerprint(crash, await inspector.symbolize(crash), "moved"))
                #expect(fingerprints.count == 2, "another line is another crash")
            }
        }

        @Test func aHundredEqualCrashesHaveOneFingerprint() {
            var fingerprints: Set<String> = []
            for load in 0..<100 {
                let base = 0x7f00_0000_0000 + UInt64(load) << 20
                let frames = [
                    StackFrame(address: base + 1, module: "/lib/libc.so.6", offset: 1, function: "abort"),
                    StackFrame(address: base + 2, module: "/p.so", offset: 2, function: "parse", line: 7),
                    StackFrame(address: base + 3, module: "/p.so", offset: 3),
                ]
                var crash = CrashInfo(
                    signal: SIGABRT, code: 0, address: 0, pc: base, threadName: "t\(load)",
                    frames: frames.map(\.address),
                    addressSpaceBytes: 0)
                crash.registers = [RegisterValue(name: "rip", value: base)]
                fingerprints.insert(Self.fingerprint(crash, frames, "p.so"))
            }
            #expect(fingerprints.count == 1)
            #expect(fingerprints.first?.count == 16)
        }

        @Test func aSwiftHandlerInAwaitTellsItsLastLine() async throws {
            try await Lab.open { lab in
                let plugin = "\(TestBinaries.directory)/fixtures/swift-ways.so"
                let run = try await lab.dispatch(plugin, "ways.sleep", version: "ways")
                await lab.recorder.wait { lab.recorder.stages[run] == "sleeping" }
                let text = try #require(await lab.supervisor.diagnose(run, 1))
                let diagnosis = try JSONValue(parsing: text)
                #expect(diagnosis.at("position", "file")?.text?.hasSuffix("ways.swift") == true, "\(text)")
                #expect(diagnosis.at("position", "line")?.integer ?? 0 > 0)
                #expect(diagnosis.at("processes", "0", "threads")?.elements?.isEmpty == false)
                lab.supervisor.terminate(run, 1)
                _ = await lab.recorder.report(run)
            }
        }

        private static func fingerprint(_ crash: CrashInfo, _ frames: [StackFrame], _ plugin: String) -> String {
            CrashFingerprint.of(crash, frames) { $0.module?.hasSuffix(plugin) == true }
        }
    }
}

/// A supervisor, and plugins made on the spot.
@LoopActor
final class Lab {
    let shop: Workshop
    let supervisor: Supervisor
    let recorder = EndRecorder()
    private var loaded: [String: PluginManifest] = [:]
    private var nextRun: Int64 = 1

    private init(_ shop: Workshop) {
        self.shop = shop
        self.supervisor = Supervisor(
            SupervisorConfiguration(
                zygotePath: TestBinaries.zygote, dataDirectory: shop.directory, instance: "inspection-\(getpid())",
                profile: .none, slots: 4, inspectorPath: TestBinaries.inspector), logger: quiet, observer: self.recorder
        )
    }

    nonisolated static func open(_ body: @escaping @LoopActor @Sendable (Lab) async throws -> Void) async throws {
        try await Workshop.open { shop in
            let lab = Lab(shop)
            try await lab.supervisor.start()
            do { try await body(lab) } catch { Issue.record(error) }
            await lab.supervisor.shutdown(killAll: true)
        }
    }

    func plugin(_ name: String, _ source: String) async throws -> String {
        let include = TestSources.directory + "/include"
        return try await self.shop.compile(
            source, name, ["-shared", "-fPIC", "-I\(include)", "-fno-omit-frame-pointer", "-Wl,--build-id=sha1"])
    }

    func dispatch(_ plugin: String, _ handler: String, version: String? = nil) async throws -> RunID {
        let version = version ?? plugin
        if self.loaded[version] == nil {
            var status = stat()
            try #require(stat(plugin, &status) == 0, "\(plugin) is not built")
            self.loaded[version] = try await self.supervisor.load(
                PluginImage(sha256: version, path: plugin, bytes: UInt64(status.st_size), nameHint: "t"))
        }
        let run = RunID(self.nextRun)
        self.nextRun += 1
        let index = try #require(self.loaded[version]?.handlers.firstIndex { $0.name == handler })
        try self.supervisor.dispatch(
            AttemptSpec(
                runID: run, runName: run.description, attempt: 1, version: version, handlerIndex: index,
                jobName: handler, args: Array("{}".utf8), limits: Limits().resolved, environment: [:]))
        return run
    }

    func crash(_ plugin: String, _ handler: String, version: String? = nil) async throws -> AttemptReport {
        let report = await self.recorder.report(try await self.dispatch(plugin, handler, version: version))
        #expect(report.outcome == .crashed, "\(report.sentence)")
        return report
    }
}

enum TestSources {
    /// The repository's.
    static let directory = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
        separator: "/")
}

@LoopActor
final class EndRecorder: AttemptObserver {
    private var reports: [RunID: AttemptReport] = [:]
    private(set) var stages: [RunID: String] = [:]
    private var waiters: [(condition: () -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    var acceptsLogs: Bool { true }

    func wait(_ condition: @escaping () -> Bool) async {
        if condition() { return }
        await withCheckedContinuation { self.waiters.append((condition, $0)) }
    }

    func report(_ run: RunID) async -> AttemptReport {
        await self.wait { self.reports[run] != nil }
        return self.reports[run]!
    }

    func attemptStarted(_ runID: RunID, _ attempt: Int, at: WallTime, pid: Int32?) {}
    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) {}

    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {
        self.stages[runID] = progress.stage
        self.changed()
    }

    func attemptEnded(_ report: AttemptReport) {
        self.reports[report.runID] = report
        self.changed()
    }

    private func changed() {
        let ready = self.waiters.filter { $0.condition() }
        self.waiters.removeAll { $0.condition() }
        for waiter in ready { waiter.continuation.resume() }
    }
}
