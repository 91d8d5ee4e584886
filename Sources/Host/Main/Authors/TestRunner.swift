import JobCore
import Supervision
import UVLoop

/// What came of one case.
struct TestResult: Sendable {
    var test: TestCase
    var differences: [TestDifference] = []
    /// Why it could not be run.
    var fault: String?
    var actual: TestActual?
    var time: Duration
    /// The case's directories, to be written as `${dir}` and `${tmp}`.
    var directories: (own: String, temporary: String)

    var isPassed: Bool { self.fault == nil && self.differences.isEmpty }

    func unplace(_ text: String) -> String {
        text.replacing(self.directories.temporary, by: TestRunner.temporaryMark)
            .replacing(self.directories.own, by: TestRunner.directoryMark)
    }
}

/// Runs cases one after the other, each in an attempt of its own, without host and database.
struct TestRunner: Sendable {
    /// In strings of args and expectations: the directory of the case's file, and one of the case's own that is removed.
    static let directoryMark = "${dir}"
    static let temporaryMark = "${tmp}"
    /// Unless case or command line say otherwise.
    static let timeout = Duration.seconds(60)

    let image: String
    let installation: Installation
    let local: LocalOptions
    /// Holds the cases' own directories.
    let scratch: String

    /// Throws what makes all cases impossible, such as a plugin that is refused.
    @LoopActor
    func run(_ tests: [TestCase], each: @LoopActor (TestResult) -> Void) async throws -> [TestResult] {
        var results: [TestResult] = []
        for (index, test) in tests.enumerated() {
            let result = try await self.run(test, index)
            each(result)
            results.append(result)
        }
        return results
    }

    @LoopActor
    private func run(_ test: TestCase, _ index: Int) async throws -> TestResult {
        let temporary = "\(self.scratch)/\(index)"
        // A strict child is another user, and has to get through and to write there.
        try Folder.make(temporary, mode: 0o777)
        let own = Folder.real(Folder.parent(of: test.file)) ?? Folder.parent(of: test.file)
        let place: (String) -> String = {
            $0.replacing(Self.directoryMark, by: own).replacing(Self.temporaryMark, by: temporary)
        }
        var limits = Limits()
        limits.wall = test.timeout.map { .milliseconds($0) } ?? Self.timeout
        let how = try self.local.resolved(over: limits)
        let ear = TestEar()
        let start = LoopInstant.now
        var result = TestResult(test: test, time: .zero, directories: (own, temporary))
        do {
            let report = try await LocalRun.execute(
                imagePath: self.image, handler: test.handler, args: Array(test.args.mappingStrings(place).json.utf8),
                limits: how.limits, execution: how.execution, zygotePath: self.installation.zygote,
                inspectorPath: self.installation.inspector, profile: how.profile, sink: ear)
            result.time = LoopInstant.now - start
            let actual = TestActual(report: report, lines: ear.lines)
            var expect = test.expect
            expect.result = expect.result?.mappingStrings(place)
            expect.error = expect.error?.mappingStrings(place)
            expect.log = expect.log?.map { $0.mappingStrings(place) }
            result.actual = actual
            result.differences = TestComparison.differences(expect, isExact: test.isExact, actual)
        } catch let unknown as LocalRun.UnknownHandler {
            result.time = LoopInstant.now - start
            result.fault = "\(unknown)"
        }
        return result
    }
}

/// Keeps what the attempt said.
private final class TestEar: AttemptObserver {
    var acceptsLogs: Bool { true }
    private(set) var lines: [LogLine] = []

    func attemptStarted(_ runID: RunID, _ attempt: Int, at time: WallTime, pid: Int32?) {}
    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) { self.lines += lines }
    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {}
    func attemptEnded(_ report: AttemptReport) {}
}
