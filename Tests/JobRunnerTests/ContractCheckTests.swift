import JobCore
import JobStore
import PostgresTestSupport
import Supervision
import Testing
import UVLoop

@testable import JobRunner

/// What waits against a new version of its plugin.
@Suite(.serialized) struct ContractCheckTests {
    private typealias Contract = ContractCheck.Contract

    private static let loose = "{\"type\":\"object\"}"
    private static let strict = "{\"type\":\"object\",\"required\":[\"path\"]}"

    @LoopActor
    private func check(_ stage: Stage) -> ContractCheck {
        ContractCheck(store: stage.store, logger: TestDatabase.logger)
    }

    /// No look at the database, so none is needed.
    @Test func theSameContractNeedsNoDatabase() async throws {
        try await withStage { stage in
            await stage.store.shutdown()
            let contracts = [
                Contract(handler: "test.noop", argsSchema: Self.strict), Contract(handler: "test.sleep"),
            ]
            let more = contracts + [Contract(handler: "test.new", argsSchema: "{}")]
            #expect(await check(stage).problems(more, replacing: contracts).isEmpty)
        }
    }

    @Test func withoutTheDatabaseOnlyWhatIsSafeMayServe() async throws {
        try await withStage { stage in
            await stage.store.shutdown()
            let old = [Contract(handler: "test.noop", argsSchema: Self.loose)]
            let narrower = await check(stage).problems(
                [Contract(handler: "test.noop", argsSchema: Self.strict)], replacing: old)
            #expect(narrower.map(\.kind) == [.argsIncompatible])
            #expect(await check(stage).problems([Contract(handler: "test.noop")], replacing: old).isEmpty)
            #expect(await check(stage).problems([], replacing: old).map(\.kind) == [.handlerRemoved])
        }
    }

    @Test func aHandlerThatIsGoneHoldsIfSomethingWaits() async throws {
        try await withStage { stage in
            let old = [Contract(handler: "test.noop"), Contract(handler: "test.sleep")]
            let new = [Contract(handler: "test.noop")]
            #expect(await check(stage).problems(new, replacing: old).isEmpty)
            _ = try await stage.store.enqueue(batch: [
                NewRun(job: "test.sleep", delay: .seconds(600)), NewRun(job: "test.sleep", delay: .seconds(600)),
            ])
            _ = try await stage.store.createSchedule(
                ScheduleInput(
                    job: "test.sleep", spec: .interval(every: .seconds(3600), anchor: WallTime(micros: 0))))
            let problems = await check(stage).problems(new, replacing: old)
            #expect(problems.map(\.where) == ["2 waiting runs", "1 schedule"])
            #expect(problems.allSatisfy { $0.kind == .handlerRemoved && $0.handler == "test.sleep" })
        }
    }

    @Test func argsThatWaitAreChecked() async throws {
        try await withStage { stage in
            let old = [Contract(handler: "test.noop", argsSchema: Self.loose)]
            let new = [Contract(handler: "test.noop", argsSchema: Self.strict)]
            let good = (0..<150).map { _ in NewRun(job: "test.noop", args: "{\"path\":\"a\"}", delay: .seconds(600)) }
            _ = try await stage.store.enqueue(batch: good)
            #expect(await check(stage).problems(new, replacing: old).isEmpty)
            let bad = (0..<50).map { _ in NewRun(job: "test.noop", args: "{\"n\":1}", delay: .seconds(600)) }
            let ids = try await stage.store.enqueue(batch: bad).map { try $0.get().id }
            let schedule = ScheduleInput(
                name: "nightly", job: "test.noop", spec: .interval(every: .seconds(3600), anchor: WallTime(micros: 0)))
            _ = try await stage.store.createSchedule(schedule)
            let problems = await check(stage).problems(new, replacing: old)
            #expect(problems.count == ContractCheck.named + 1)
            #expect(problems.first?.where == "schedule nightly" && problems[1].where == "run \(ids[0])")
            #expect(problems[1].words.contains("path"))
            #expect(problems.last?.where == "31 more waiting runs and schedules")
            // What runs already is not asked.
            var capped = check(stage)
            capped.runLimit = 10
            #expect(await capped.problems(new, replacing: old).map(\.where) == ["schedule nightly"])
        }
    }

    @Test func aSchemaThatNobodyCanReadHolds() async throws {
        try await withStage { stage in
            let old = [Contract(handler: "test.noop")]
            let new = [Contract(handler: "test.noop", argsSchema: "{\"type\":\"nonsense\"}")]
            #expect(await check(stage).problems(new, replacing: old).isEmpty, "nothing waits")
            _ = try await stage.store.enqueue(NewRun(job: "test.noop", delay: .seconds(600)))
            #expect(await check(stage).problems(new, replacing: old).map(\.where) == ["all that waits"])
        }
    }

    /// Runs with long args are looked at without keeping the loop: a timer has its turns in between.
    @Test func theLoopGoesOn() async throws {
        try await withStage { stage in
            let old = [Contract(handler: "test.noop", argsSchema: Self.loose)]
            let new = [
                Contract(
                    handler: "test.noop",
                    argsSchema: "{\"type\":\"object\",\"properties\":{\"n\":{\"items\":{\"type\":\"integer\"}}}}")
            ]
            // To look at one takes longer than a slice of the loop's time.
            let args = "{\"n\":[\((0..<5000).map(String.init).joined(separator: ","))]}"
            let runs = 300
            _ = try await stage.store.enqueue(
                batch: (0..<runs).map { _ in NewRun(job: "test.noop", args: args, delay: .seconds(600)) })
            var turns = 0
            let timer = LoopTimer()
            timer.start(after: .milliseconds(1), repeating: .milliseconds(1)) { turns += 1 }
            #expect(await check(stage).problems(new, replacing: old).isEmpty)
            timer.stop()
            // Without breathing there would be a turn or two for each of three pages.
            #expect(turns > runs / 3, "\(turns)")
        }
    }

    @Test func aManifestIsReadAsItWasWritten() {
        let manifest = PluginManifestSample.manifest
        #expect(
            Contract.read(manifest.json) == [
                Contract(handler: "a.b", argsSchema: "{\"type\": \"object\"}"), Contract(handler: "a.c"),
            ])
        #expect(Contract.read("nonsense").isEmpty)
    }
}

private enum PluginManifestSample {
    static let manifest = PluginManifest(
        name: "a", version: "1", abiMajor: 1, abiMinor: 0, flags: 0,
        handlers: [HandlerManifest(name: "a.b", argsSchema: "{\"type\": \"object\"}"), HandlerManifest(name: "a.c")])
}
