import PluginABI
import Synchronization
import Testing

@testable import PluginKit

/// A handler whose work is a closure.
struct Work<Args: Decodable & Sendable, Result: Encodable & Sendable>: Handler {
    static var name: String { "test.work" }
    let body: @Sendable (Args, Context) async throws -> Result

    func run(_ args: Args, _ context: Context) async throws -> Result {
        try await self.body(args, context)
    }
}

struct Name: Codable {
    var name: String
    var times: Int?
}

/// One attempt of a handler against the fake host, on a thread of its own as in a child; returns its status.
func attempt<Args: Decodable & Sendable, Result: Encodable & Sendable>(
    _ fake: FakeAttempt, args: String = "{}", _ body: @escaping @Sendable (Args, Context) async throws -> Result
) async -> Int32 {
    guard let box = handlerBox(Work(body: body)) else { return PAWL_E_INTERNAL }
    return await onThread {
        var args = args
        return args.withUTF8 { box.run(fake.handle, pawl_bytes(ptr: $0.baseAddress, len: $0.count)) }
    }
}

/// The handler's box; an issue where its notes are wrong.
func handlerBox<H: Handler>(_ handler: H) -> HandlerBox? {
    do {
        return try HandlerBox(handler)
    } catch {
        Issue.record("\(error)")
        return nil
    }
}

@Suite struct HandlerTests {
    @Test func argsAreDecodedAndTheResultIsEncoded() async {
        let fake = FakeAttempt()
        let status = await attempt(fake, args: #"{"name":"Ada","times":2}"#) { (args: Name, _) in
            ["greeting": String(repeating: "hello \(args.name) ", count: args.times ?? 1)]
        }
        #expect(status == PAWL_OK)
        #expect(fake.record.json == #"{"greeting":"hello Ada hello Ada "}"#)
    }

    @Test func theContextSaysWhatTheHostGave() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, context) in
            #expect(context.runID == "run_0000000000001")
            #expect(context.jobName == "test.job")
            #expect(context.attemptNumber == 3)
            #expect(context.scratchDirectory == "/scratch")
            #expect(context.traceparent == "00-trace-01")
            #expect(context.timeRemaining == .seconds(60))
            #expect(!context.isCancelled)
            return NoResult()
        }
        #expect(status == PAWL_OK)
        #expect(fake.record.json == nil)
        #expect(fake.record.failure == nil)
    }

    @Test func noScratchDirectoryIsNil() async {
        let fake = FakeAttempt(scratch: "")
        _ = await attempt(fake) { (_: NoArgs, context) in
            #expect(context.scratchDirectory == nil)
            return NoResult()
        }
    }

    @Test func logAndProgressReachTheHostInOrder() async {
        let fake = FakeAttempt()
        _ = await attempt(fake) { (_: NoArgs, context) in
            context.log.debug("d")
            context.log.info("i", ["n": 1, "s": "a\"\n\u{1}", "list": [1, 2], "flag": true, "none": Int?.none])
            context.log.warning("w", Fields(["b": 2, "a": 1]))
            context.log.error("e", ["bad": Double.nan])
            context.stage("one")
            context.total(10, unit: "rows")
            context.advance()
            context.advance(-5)
            context.message("m")
            context.progress(3, of: 7, "x")
            context.progress(4, of: nil)
            context.count("errors")
            context.count("net", -2)
            return NoResult()
        }
        let fields = #"{"n":1,"s":"a\"\n\u0001","list":[1,2],"flag":true,"none":null}"#
        #expect(fake.record.log.map(\.level) == [0, 1, 2, 3])
        #expect(fake.record.log.map(\.message) == ["d", "i", "w", "e"])
        #expect(fake.record.log[0].fields == "")
        #expect(fake.record.log[1].fields == fields)
        #expect(fake.record.log[2].fields == #"{"a":1,"b":2}"#)
        #expect(fake.record.log[3].fields.hasPrefix(#"{"bad":"<cannot be encoded"#))
        #expect(
            fake.record.progress == [
                "stage one", "total 10 rows", "advance 1", "advance 0", "message m", "progress 3/7 x",
                "progress 4/? ", "count errors 1", "count net -2",
            ])
    }

    @Test(arguments: [
        (#"{"name":7}"#, "/name", "must be a string"),
        (#"{"times":1}"#, "/name", "is missing"),
        (#"{"name":null}"#, "/name", "must be a string"),
        (#"{"name":"a","times":"x"}"#, "/times", "must be a whole number"),
        (#"{"name":"a","times":1.5}"#, "/times", "must be a whole number of its type's range"),
        (#"{"name":"a","times":1e300}"#, "/times", "must be a whole number of its type's range"),
        (#"["name"]"#, "", "must be an object"),
        ("{", "", "is not valid JSON"),
    ])
    func wrongArgsNameTheMember(json: String, pointer: String, words: String) async {
        let fake = FakeAttempt()
        let status = await attempt(fake, args: json) { (_: Name, _) in
            Issue.record("ran with \(json)")
            return NoResult()
        }
        #expect(status == PAWL_E_INVALID_INPUT)
        let failure = fake.record.failure
        #expect(failure?.code == "invalid_input")
        #expect(failure?.retry == PAWL_RETRY_NEVER)
        #expect(failure?.message == "args\(pointer): \(words)")
        #expect(failure?.details == #"{"pointer":"\#(pointer)"}"#)
    }

    @Test func pathsAreJSONPointers() async {
        struct Inner: Codable { var a: Int }
        struct Odd: Codable {
            var list: [Inner]
            enum CodingKeys: String, CodingKey { case list = "a/b~c" }
        }
        let fake = FakeAttempt()
        _ = await attempt(fake, args: #"{"a/b~c":[{"a":1},{"a":"x"}]}"#) { (_: Odd, _) in NoResult() }
        #expect(fake.record.failure?.details == #"{"pointer":"/a~1b~0c/1/a"}"#)
    }

    @Test func bytesHaveAMediaType() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, _) in Blob([1, 2, 3], mediaType: "image/png") }
        #expect(status == PAWL_OK)
        #expect(fake.record.bytes == [1, 2, 3])
        #expect(fake.record.mediaType == "image/png")
    }

    @Test func aResultThatTheHostRefusesIsAFailureInWords() async {
        let fake = FakeAttempt(resultStatus: PAWL_E_LIMIT)
        let status = await attempt(fake) { (_: NoArgs, _) in "long" }
        #expect(status == PAWL_E_LIMIT)
        #expect(fake.record.failure?.code == "result_too_large")
    }

    @Test func aResultThatCannotBeEncodedIsFinal() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, _) in [Double.infinity] }
        #expect(status == PAWL_E_FAILED)
        #expect(fake.record.failure?.code == "result_not_encodable")
        #expect(fake.record.failure?.retry == PAWL_RETRY_NEVER)
    }
}
