import PluginKit
import PluginKitTesting
import Testing

@testable import Hello

@Suite struct HelloTests {
    let tester = HandlerTester(Hello())

    @Test func greetsTheWorldByDefault() async throws {
        let outcome = try await self.tester.run()
        #expect(try outcome.value() == Hello.Result(greetings: 1))
        #expect(outcome.log.map(\.message) == ["hello world"])
        #expect(outcome.progress.line == "Greeting (1 / 1)")
    }

    @Test func oneBadNameIsCounted() async throws {
        let outcome = try await self.tester.run(["names": ["Ada", "", "Grace"]])
        #expect(outcome.progress.counters == ["greeted": 2, "errors": 1])
    }

    @Test func wrongArgsNameTheMember() async throws {
        let outcome = try await self.tester.run(["names": 7])
        #expect(outcome.failure?.isInvalidInput == true)
        #expect(outcome.failure?.message == "args/names: must be an array")
    }

    @Test func stopsWhenCancelled() async throws {
        let outcome = try await self.tester.run(Hello.Args(names: ["a", "b", "c"]), cancel: .afterAdvancing(1))
        #expect(outcome.ending == .cancelled)
        #expect(outcome.progress.current == 1)
    }
}
