import Logging
import PluginKit
import PluginKitLogging
import PluginKitTesting
import Testing

private struct Talks: Handler {
    static let name = "logging.talks"
    func run(_ args: NoArgs, _ context: Context) async throws -> NoResult {
        var logger = context.logger("client")
        logger[metadataKey: "b"] = "outer"
        logger[metadataKey: "a"] = "1"
        logger.trace("not at this level")
        logger.notice("n", metadata: ["b": "inner", "list": ["x", .stringConvertible(7)], "map": ["k": "v"]])
        logger.warning("w")
        logger.critical("c")
        return NoResult()
    }
}

@Suite struct LoggingTests {
    @Test func eventsBecomeLines() async throws {
        let outcome = try await HandlerTester(Talks()).run()
        #expect(outcome.ending == .succeeded)
        #expect(outcome.log.map(\.level) == [.info, .warning, .error])
        #expect(outcome.log.map(\.message) == ["n", "w", "c"])
        #expect(
            outcome.log.first?.fields
                == #"{"logger":"client","a":"1","b":"inner","list":["x","7"],"map":{"k":"v"}}"#)
    }
}
