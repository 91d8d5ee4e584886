import FoundationEssentials
import Glibc
import PluginKit
import PluginKitTesting
import Testing

private struct Users: Codable, Sendable {
    var ids: [Int] = []
}

/// The patterns, and the tester that watches them.
private struct Known: Handler {
    static let name = "tester.known"
    static let argsSchema = Schema.derived.describe("ids", "Who")
    var failures = ItemFailures.end
    func run(_ args: Users, _ context: Context) async throws -> Int {
        var done = 0
        try await context.each(args.ids, stage: "Processing users", unit: "users", failures: self.failures) { id in
            if id == 0 { throw JobFailure("no_such_user", "there is no user 0", retry: .never) }
            done += 1
        }
        return done
    }
}

private struct Counted: Handler {
    static let name = "tester.counted"
    func run(_ args: NoArgs, _ context: Context) async throws -> Int {
        let numbers = AsyncStream<Int> { stream in
            for n in 0..<1250 { stream.yield(n) }
            stream.finish()
        }
        var sum = 0
        try await context.each(numbers, stage: "Scanning") { sum += $0 }
        let kept = try await context.phase("Saving", total: 1, unit: "rows") {
            context.advance()
            return sum
        }
        return await context.measure("query") { kept }
    }
}

private struct Batches: Handler {
    static let name = "tester.batches"
    struct Args: Codable, Sendable {
        var count: Int
        var from: Int
    }
    func run(_ args: Args, _ context: Context) async throws -> [Int] {
        var ends: [Int] = []
        try await context.batches(
            of: Array(0..<args.count), from: args.from, size: 500, stage: "Processing", unit: "rows"
        ) {
            batch, done in
            #expect(batch.endIndex == done)
            ends.append(done)
        }
        return ends
    }
}

private struct Says: Handler {
    static let name = "tester.says"
    struct Args: Codable, Sendable {
        var how: String?
    }
    func run(_ args: Args, _ context: Context) async throws -> String {
        switch args.how {
        case "sleep":
            context.stage("Sleeping")
            try await Task.sleep(for: .seconds(3600))
        case "block":
            context.log.info("blocking")
            while !context.isCancelled { usleep(1000) }
            throw CancellationError()
        case "snooze": throw Snooze(until: Date(timeIntervalSince1970: 1000))
        case "after":
            throw JobFailure(
                "http_503", "busy", retry: .at(Date(timeIntervalSince1970: 2000)),
                details: ["tries": context.attemptNumber])
        case "invalid": throw InvalidInput("/how", "must be better")
        case "late":
            Task.detached {
                while true { context.log.info("still here") }
            }
        case "scratch":
            let path = try #require(context.scratchDirectory)
            #expect(mkdir("\(path)/a", 0o700) == 0)
            #expect(creat("\(path)/a/b", 0o600) >= 0)
            return path
        default: break
        }
        context.log.warning("said", ["n": 7, "list": [1, 2]])
        return "\(context.runID) \(context.jobName) \(context.attemptNumber) \(context.traceparent ?? "-")"
    }
}

@Suite struct TesterTests {
    @Test func aKnownTotal() async throws {
        let outcome = try await HandlerTester(Known()).run(Users(ids: Array(1...3)))
        #expect(try outcome.value() == 3)
        #expect(outcome.json == "3")
        #expect(outcome.progress == TestProgress(stage: "Processing users", current: 3, total: 3, unit: "users"))
        #expect(outcome.progress.line == "Processing users (3 / 3)")
        #expect(TestProgress(stage: "s", current: 1250, total: 1_234_567).line == "s (1,250 / 1,234,567)")
    }

    @Test func oneBadItemEndsTheLoopOrIsCounted() async throws {
        let ids = Users(ids: [1, 0, 2, 0, 3])
        let strict = try await HandlerTester(Known()).run(ids)
        #expect(strict.failure?.code == "no_such_user")
        #expect(strict.failure?.retry == .never)
        #expect(strict.progress.current == 1)

        let lenient = try await HandlerTester(Known(failures: .counted(as: "errors"))).run(ids)
        #expect(try lenient.value() == 3)
        #expect(lenient.progress.counters == ["errors": 2])
        #expect(lenient.progress.current == 5)
        #expect(lenient.log.map(\.message) == Array(repeating: "item skipped: there is no user 0", count: 2))
        #expect(lenient.log.first?.field("code") == "no_such_user")

        let bounded = try await HandlerTester(Known(failures: .counted(as: "errors", atMost: 1))).run(ids)
        #expect(bounded.failure?.code == "too_many_errors")
        #expect(bounded.progress.current == 3)
    }

    @Test func anUnknownTotalPhasesAndMeasures() async throws {
        let outcome = try await HandlerTester(Counted()).run()
        #expect(try outcome.value() == 1249 * 1250 / 2)
        #expect(outcome.stages.map(\.line) == ["0 processed", "Scanning (1,250 processed)", "Saving (1 / 1)"])
        #expect(outcome.progress.counters["query_calls"] == 1)
        #expect(outcome.progress.counters["query_ms"] != nil)
        #expect(outcome.log.first?.field("phase") == "Saving")
    }

    @Test(arguments: [
        (1200, 0, [500, 1000, 1200]), (1200, 500, [1000, 1200]), (1200, 1200, []), (0, 0, []), (3, 9, []),
    ])
    func batchesGoOnWhereTheyStopped(count: Int, from: Int, ends: [Int]) async throws {
        let outcome = try await HandlerTester(Batches()).run(Batches.Args(count: count, from: from))
        #expect(try outcome.value() == ends)
        #expect(outcome.progress.current == count)
        #expect(outcome.progress.counters["batches"] ?? 0 == ends.count)
    }

    @Test func cancellationAtAnItem() async throws {
        let outcome = try await HandlerTester(Known()).run(Users(ids: Array(1...10)), cancel: .afterAdvancing(4))
        #expect(outcome.ending == .cancelled)
        #expect(outcome.result == nil)
        #expect(outcome.progress.current == 4)
        #expect(throws: NoValue.self) { try outcome.value() }
    }

    @Test(arguments: [
        ("sleep", CancelMoment.atStage("Sleeping")), ("sleep", .atStart), ("block", .atLog("blocking")),
    ])
    func cancellationReachesTasksAndLoops(how: String, moment: CancelMoment) async throws {
        let outcome = try await HandlerTester(Says()).run(["how": how], cancel: moment)
        #expect(outcome.ending == .cancelled)
    }

    @Test func aTestMayCancelWhatItStarted() async throws {
        let attempt = try HandlerTester(Says()).start(["how": "sleep"])
        #expect(await attempt.wait { progress, _ in progress.stage == "Sleeping" })
        #expect(attempt.progress.stage == "Sleeping")
        attempt.cancel()
        attempt.cancel()
        #expect(await attempt.outcome().ending == .cancelled)
        attempt.cancel()
        #expect(await attempt.wait { _, log in log.count == 99 } == false)
    }

    @Test func theDeadlineCancels() async throws {
        var tester = HandlerTester(Says())
        tester.timeLimit = .milliseconds(20)
        #expect(try await tester.run(["how": "sleep"]).ending == .cancelled)
    }

    @Test func endings() async throws {
        var tester = HandlerTester(Says())
        tester.attemptNumber = 4
        #expect(try await tester.run(["how": "snooze"]).ending == .snoozed(until: Date(timeIntervalSince1970: 1000)))
        let busy = try await tester.run(["how": "after"])
        #expect(busy.failure?.retry == .at(Date(timeIntervalSince1970: 2000)))
        #expect(busy.failure?.details == #"{"tries":4}"#)
        #expect(throws: TestFailure.self) { try busy.value() }
        let invalid = try await tester.run(["how": "invalid"])
        #expect(invalid.failure?.isInvalidInput == true)
        #expect(try await tester.run(json: #"{"how":7}"#).failure?.message == "args/how: must be a string")
    }

    @Test func whatTheHandlerSees() async throws {
        var tester = HandlerTester(Says())
        tester.runID = "run_0000000000abc"
        tester.jobName = "nightly"
        tester.traceparent = "00-1"
        let outcome = try await tester.run()
        #expect(outcome.json == #""run_0000000000abc nightly 1 00-1""#)
        #expect(outcome.log == [.init(level: .warning, message: "said", fields: #"{"n":7,"list":[1,2]}"#, stage: "")])
        #expect(outcome.log[0].field("list") == [1, 2])
        #expect(outcome.log[0].field("n", as: String.self) == nil)
    }

    @Test func theScratchDirectoryIsRemoved() async throws {
        let path = try await HandlerTester(Says()).run(["how": "scratch"]).value()
        #expect(access(path, F_OK) != 0)
    }

    @Test func schemasAndTheirFaultsShow() throws {
        let schema = try HandlerTester(Known()).argsSchema()
        #expect(schema?.contains(#""description":"Who""#) == true)
        struct Slip: Handler {
            static let name = "tester.slip"
            static let argsSchema = Schema.derived.describe("idz", "Who")
            func run(_ args: Users, _ context: Context) async throws -> NoResult { NoResult() }
        }
        #expect(throws: (any Error).self) { try HandlerTester(Slip()).argsSchema() }
    }
}
