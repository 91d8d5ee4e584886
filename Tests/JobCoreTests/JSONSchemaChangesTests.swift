import JobCore
import Testing

/// `!` before what breaks.
private func changes(_ old: String?, _ new: String?, _ role: SchemaRole = .arguments) throws -> [String] {
    let (old, new) = (try old.map { try JSONSchema(parsing: $0) }, try new.map { try JSONSchema(parsing: $0) })
    return JSONSchema.changes(from: old, to: new, role: role).map { ($0.isBreaking ? "! " : "  ") + $0.description }
}

@Suite struct JSONSchemaChangesTests {
    @Test(arguments: [
        ("{}", "{ }", []), (#"{"type":"integer"}"#, #"{"type":"number"}"#, ["  must be a number, was a whole number"]),
        (#"{"type":"number"}"#, #"{"type":"integer"}"#, ["! must be a whole number, was a number"]),
        (#"{"type":"string"}"#, #"{"type":"null"}"#, ["! must be null, was a text"]),
        (
            #"{"enum":["a","b"]}"#, #"{"enum":["b","c"]}"#,
            [#"! "a" is not allowed any more"#, #"  "c" is allowed now"#]
        ),
        (#"{"minimum":1}"#, #"{"minimum":2}"#, ["! the least value is 2, was 1"]),
        (#"{"maximum":1}"#, #"{"maximum":2}"#, ["  the greatest value is 2, was 1"]),
        (#"{"minimum":1}"#, #"{"minimum":1.0}"#, []),
        (#"{"maxLength":5}"#, "{}", ["  the greatest length is gone; it was 5"]),
        (#"{"multipleOf":2}"#, #"{"multipleOf":4}"#, ["! must be a multiple of 4 now"]),
        (#"{"multipleOf":4}"#, #"{"multipleOf":2}"#, ["  must only be a multiple of 2 now"]),
        (#"{"pattern":"a"}"#, #"{"pattern":"b"}"#, ["! must match another pattern now: b"]),
        (
            #"{"uniqueItems":true}"#, #"{"items":{"type":"null"}}"#,
            ["! /*: elements are restricted now", "  elements may repeat now"]
        ),
        ("false", "{}", ["  is allowed now"]), ("{}", "false", ["! is not allowed any more"]),
        (#"{"type":"string","title":"a"}"#, #"{"type":"string","title":"b","description":"c"}"#, []),
        (
            #"{"type":"string","default":"a"}"#, #"{"type":"string","default":"b"}"#,
            [#"  its default is now "b", was "a""#]
        ),
        (
            #"{"anyOf":[{"type":"string"}]}"#, #"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
            ["  1 more form is allowed now"]
        ),
        (
            #"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, #"{"anyOf":[{"type":"string"}]}"#,
            ["! 1 of its forms is not allowed any more"]
        ),
        (##"{"$ref":"#/$defs/a","$defs":{"a":{"minimum":1}}}"##, #"{"minimum":2}"#, ["! the least value is 2, was 1"]),
    ])
    func tells(_ old: String, _ new: String, _ expected: [String]) throws {
        #expect(try changes(old, new) == expected)
        #expect(try changes(new, new) == [])
    }

    @Test func walksIntoObjects() throws {
        let old = #"""
            {"type":"object","required":["a"],"properties":{"a":{"type":"string"},"b":{"type":"array","items":{"maximum":5}},"gone":{}}}
            """#
        let new = #"""
            {"type":"object","required":["b","fresh"],"additionalProperties":false,"properties":
             {"a":{"type":["string","null"]},"b":{"type":"array","items":{"maximum":4}},"fresh":{"type":"string"},"more":{}}}
            """#
        #expect(
            try changes(old, new) == [
                "  /a: must be a text or null, was a text", "! /b/*: the greatest value is 4, was 5",
                "! /gone: is not known any more", "  /more: is new, and need not be there", "! /b: must be there now",
                "! /fresh: is new and must be there", "  /a: need not be there any more",
                "! /*: other members are not allowed any more",
            ])
    }

    @Test func resultsBreakTheOtherWayRound() throws {
        #expect(
            try changes(#"{"type":"integer"}"#, #"{"type":"number"}"#, .result) == [
                "! must be a number, was a whole number"
            ])
        #expect(
            try changes(#"{"required":["a"]}"#, #"{"required":["a","b"]}"#, .result) == [
                "  /b: is new and must be there"
            ])
        #expect(
            try changes(#"{"required":["a","b"]}"#, #"{"required":["a"]}"#, .result) == [
                "! /b: need not be there any more"
            ])
    }

    @Test func aSchemaComesOrGoes() throws {
        #expect(try changes(nil, nil) == [])
        #expect(try changes(nil, #"{"type":"null"}"#) == ["! is described now; before, everything was taken"])
        #expect(try changes(#"{"type":"null"}"#, nil) == ["  is not described any more; everything is taken"])
    }

    @Test func comparesWhatLeadsBackToItself() throws {
        func tree(_ bound: Int) -> String {
            ##"{"type":"object","properties":{"n":{"type":"integer","maximum":\##(bound)},"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}}}"##
        }
        #expect(try changes(tree(1), tree(1) + " ") == [])
        #expect(try changes(tree(2), tree(1)) == ["! /n: the greatest value is 1, was 2"])
    }

    @Test func endsOnEntwinedSchemas() throws {
        func knot(_ word: String) -> String {
            let names = (0..<12).map { "a\($0)" }
            let forms = names.map { ##"{"items":{"$ref":"#/$defs/\##($0)"}}"## }.joined(separator: ",")
            let definitions = names.map {
                #""\#($0)":{"title":"\#(word)","anyOf":[\#(forms),{"const":"\#(word)\#($0)"}]}"#
            }
            return ##"{"$ref":"#/$defs/a0","$defs":{"## + definitions.joined(separator: ",") + "}}"
        }
        // It ends, and says that something may break.
        #expect(try changes(knot("x"), knot("y")).contains { $0.hasPrefix("!") })
    }
}
