import PluginKit
import PluginKitTesting
import Testing

private struct Mail: Codable, Sendable {
    var to: String
}

/// Asks for runs, then ends as it is told.
private struct Import: Handler {
    static let name = "tester.import"
    struct Args: Codable, Sendable {
        var count = 1
        var fails = false
    }
    func run(_ args: Args, _ context: Context) async throws -> NoResult {
        for number in 0..<args.count { try context.enqueue("mail.send", args: Mail(to: "a\(number)")) }
        if args.fails { throw JobFailure("no_luck", "it did not work") }
        return NoResult()
    }
}

private struct WithOptions: Handler {
    static let name = "tester.with_options"
    struct Args: Codable, Sendable {
        var job: String
        var attempts: Int
        var text = false
    }
    func run(_ args: Args, _ context: Context) async throws -> NoResult {
        if args.text { try context.enqueue(args.job, args: "no object") }
        try context.enqueue(
            args.job, after: .microseconds(1_500_001), priority: -2, attempts: args.attempts, queue: "bulk",
            title: "Second", labels: ["a": "b"])
        return NoResult()
    }
}

@Suite("Follow-up runs")
struct FollowUpTests {
    @Test func areRecordedInOrder() async throws {
        let outcome = try await HandlerTester(Import()).run(Import.Args(count: 2))
        #expect(outcome.ending == .succeeded)
        #expect(outcome.followUps.map(\.job) == ["mail.send", "mail.send"])
        #expect(outcome.followUps.map { $0.arg("to", as: String.self) } == ["a0", "a1"])
        #expect(outcome.followUps[0] == TestFollowUp(job: "mail.send", args: #"{"to":"a0"}"#))
    }

    @Test func carryTheirOptions() async throws {
        let outcome = try await HandlerTester(WithOptions()).run(WithOptions.Args(job: "a.b", attempts: 3))
        #expect(
            outcome.followUps == [
                TestFollowUp(
                    job: "a.b", delay: .milliseconds(1501), priority: -2, attempts: 3, queue: "bulk", title: "Second",
                    labels: ["a": "b"])
            ])
    }

    @Test func areNoneWhereTheAttemptFails() async throws {
        let outcome = try await HandlerTester(Import()).run(Import.Args(fails: true))
        #expect(outcome.failure?.code == "no_luck")
        #expect(outcome.followUps.isEmpty)
    }

    @Test func thatAreRefusedFailTheAttemptForGood() async throws {
        let outcome = try await HandlerTester(WithOptions()).run(WithOptions.Args(job: "a.b", attempts: 0))
        let failure = try #require(outcome.failure)
        #expect(failure.code == "follow_up_refused" && failure.retry == .never)
        #expect(failure.message.contains("attempts must be a whole number from 1 to 1000"))
        let many = try await HandlerTester(Import()).run(Import.Args(count: 101))
        #expect(many.failure?.message.contains("at most 100") == true)
        let text = try await HandlerTester(WithOptions()).run(WithOptions.Args(job: "a.b", attempts: 1, text: true))
        #expect(text.failure?.message.contains("the args must be a JSON object") == true)
        let nameless = try await HandlerTester(WithOptions()).run(WithOptions.Args(job: "", attempts: 1))
        #expect(nameless.failure?.message.contains("1 to 200 bytes") == true)
    }
}
