import JobCore
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        ("{}", JSONKind.object), (" [1, -0.5e+10, \"\\u0000\\n\", true, null, {\"a\":{\"a\":1,\"a\":2}}] \n", .array),
        ("\"é\\ud83d\\ude00\"", .string), ("0", .number), ("-0", .number), ("1E5", .number), ("false", .boolean),
        ("null", .null),
    ])
    func takesWhatIsJSON(_ text: String, _ kind: JSONKind) throws {
        #expect(try JSONText.check(text) == kind)
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "01", "1.", ".5", "+1", "-", "1e", "NaN", "tru",
        "nulll",
        "\"\u{1}\"", "\"\\x\"", "\"\\u12g4\"", "\"abc", "[1 2]", "{} {}", "// c\n1", "'a'", "\u{FEFF}1",
        String(repeating: "[", count: 129) + String(repeating: "]", count: 129),
    ])
    func refusesWhatIsNot(_ text: String) {
        #expect(throws: JSONFault.self) { try JSONText.check(text) }
        #expect(throws: JSONFault.self) { try JSONValue(parsing: text) }
    }

    @Test func refusesBytesThatAreNoText() {
        #expect(throws: JSONFault.self) { try JSONText.check([0x22, 0xFF, 0x22]) }
    }

    @Test func takesTheDeepestAllowed() throws {
        let text = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(try JSONText.check(text) == .array)
    }

    @Test func mergesTheTopLevelOnly() throws {
        let merged = try JSONText.merging(
            "{ \"b\" : {\"x\": 1e400}, \"new\\u0021\": [ ] }", over: " {\"a\":1.0, \"b\":{\"y\":2}} ")
        #expect(merged == "{\"a\":1.0,\"b\":{\"x\": 1e400},\"new!\":[ ]}")
        #expect(throws: JSONFault.self) { try JSONText.merging("[]", over: "{}") }
        #expect(throws: JSONFault.self) { try JSONText.merging("{}", over: "1") }
    }

    @Test func valuesKeepWhatWasWritten() throws {
        let text = "{\"a\":[1,2.50,\"x\\\"\",null,true],\"b\":{}}"
        #expect(try JSONValue(parsing: text).json == text)
        let value = try JSONValue(
            parsing: "{\"n\":9007199254740993,\"d\":1.0,\"h\":1.5,\"s\":\"\\ud83d\\ude00\\ud83d\"}")
        #expect(value["n"]?.integer == 9_007_199_254_740_993 && value["d"]?.integer == 1 && value["h"]?.integer == nil)
        #expect(value["s"]?.text == "\u{1F600}\u{FFFD}")
    }

    @Test func quotesWhatMustBe() throws {
        let text = "a\"b\\c\n\r\t\u{0}\u{1F}é\u{1F600}"
        #expect(try JSONValue(parsing: JSONText.quoted(text)).text == text)
        #expect(JSONText.object(["b": "2", "a": "\""]) == "{\"a\":\"\\\"\",\"b\":\"2\"}")
    }
}
