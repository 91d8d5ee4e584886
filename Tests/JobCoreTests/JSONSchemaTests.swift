import JobCore
import Testing

/// `pointer: words` of each problem.
private func problems(_ schema: String, _ value: String, assertFormats: Bool = false) throws -> [String] {
    try JSONSchema(parsing: schema, assertFormats: assertFormats).validate(json: value).map(\.description)
}

@Suite struct JSONSchemaTests {
    /// Schema, values that fit, values that do not.
    @Test(arguments: [
        ("true", ["1", "{}"], []), ("false", [], ["1", "null"]), ("{}", ["null"], []),
        (#"{"type":"integer"}"#, ["1", "1.0", "10e-1", "-0", "1e400"], ["1.5", "\"1\"", "true", "null"]),
        (#"{"type":["number","null"]}"#, ["1.5", "null"], ["\"\"", "false"]),
        (#"{"const":1.0}"#, ["1", "10e-1"], ["true", "1.0000000000000000000001"]),
        (#"{"const":{"a":[1,null],"b":2}}"#, [#"{"b":2.0,"a":[1,null]}"#], [#"{"a":[1],"b":2}"#, "{}"]),
        (#"{"enum":["é",0,false]}"#, ["\"é\"", "0.0", "false"], ["\"e\u{301}\"", "null", "1"]),
        (#"{"minimum":9007199254740993}"#, ["9007199254740993", "1e30"], ["9007199254740992", "-1e999999999999"]),
        (#"{"exclusiveMaximum":0.3}"#, ["0.29999999999999999999"], ["0.3", "0.30"]),
        (#"{"multipleOf":0.01}"#, ["0.29", "19.99", "1e300", "0"], ["0.295", "1e-3"]),
        (#"{"multipleOf":7}"#, ["14", "7e20", "123456789012345678901234567890"], ["1e20", "15"]),
        (#"{"minLength":2,"maxLength":3}"#, ["\"é😀\"", "5"], ["\"é\"", "\"abcd\""]),
        (
            #"{"required":["a"],"minProperties":1,"maxProperties":2}"#, [#"{"a":1}"#, "[]"],
            ["{}", #"{"a":1,"b":1,"c":1}"#]
        ),
        (
            #"{"properties":{"a":{"type":"string"}},"patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":false}"#,
            [#"{"a":"","x-1":2}"#, "{}"], [#"{"a":1}"#, #"{"x-1":""}"#, #"{"b":1}"#]
        ),
        (#"{"propertyNames":{"maxLength":2}}"#, [#"{"ab":1}"#], [#"{"abc":1}"#]),
        (#"{"dependentRequired":{"a":["b"]}}"#, ["{}", #"{"a":1,"b":1}"#], [#"{"a":1}"#]),
        (#"{"dependentSchemas":{"a":{"required":["b"]}}}"#, ["{}", #"{"a":1,"b":1}"#], [#"{"a":1}"#]),
        (#"{"prefixItems":[{"type":"string"},true],"items":false}"#, [#"["a",1]"#, "[]"], [#"[1]"#, #"["a",1,2]"#]),
        (#"{"items":{"type":"integer"},"minItems":1,"maxItems":2}"#, ["[1]"], ["[]", "[1,2,3]", "[1.5]"]),
        (#"{"contains":{"const":1},"minContains":2,"maxContains":3}"#, ["[1,0,1]"], ["[1]", "[1,1,1,1]"]),
        (#"{"contains":{"const":1},"minContains":0}"#, ["[]", "[2]"], []),
        (#"{"uniqueItems":true}"#, ["[1,true,\"1\",[1],[true]]"], ["[1,1.0]", #"[{"a":1,"b":2},{"b":2,"a":1}]"#]),
        (#"{"allOf":[{"minimum":1},{"maximum":3}]}"#, ["2"], ["0", "4"]),
        (#"{"anyOf":[{"type":"string"},{"minimum":3}]}"#, ["\"\"", "3"], ["2"]),
        (#"{"oneOf":[{"type":"integer"},{"minimum":3}]}"#, ["1", "3.5"], ["3", "1.5"]),
        (#"{"not":{"type":"null"}}"#, ["1"], ["null"]),
        (
            #"{"if":{"properties":{"k":{"const":"a"}},"required":["k"]},"then":{"required":["x"]},"else":{"required":["y"]}}"#,
            [#"{"k":"a","x":1}"#, #"{"y":1}"#], [#"{"k":"a","y":1}"#, "{}"]
        ),
        (
            ##"{"$defs":{"t":{"type":"object","properties":{"next":{"$ref":"#/$defs/t"}},"additionalProperties":false}},"$ref":"#/$defs/t"}"##,
            [#"{"next":{"next":{}}}"#], [#"{"next":{"next":{"last":1}}}"#]
        ),
        (##"{"$defs":{"a":{"$anchor":"num","type":"number"}},"items":{"$ref":"#num"}}"##, ["[1]"], ["[\"\"]"]),
        (##"{"$defs":{"a/b~c":{"type":"null"}},"$ref":"#/$defs/a~1b~0c"}"##, ["null"], ["1"]),
        (
            ##"{"$id":"https://x.example/root","$defs":{"a":{"$id":"part","$defs":{"n":{"type":"null"}},"items":{"$ref":"#/$defs/n"}}},"$ref":"part"}"##,
            ["[null]"], ["[1]"]
        ),
        (
            #"{"allOf":[{"properties":{"a":true}}],"properties":{"b":true},"unevaluatedProperties":false}"#,
            [#"{"a":1,"b":2}"#], [#"{"c":1}"#]
        ),
        (
            #"{"anyOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":true}}],"unevaluatedProperties":false}"#,
            [#"{"a":1}"#, #"{"a":1,"b":2}"#, #"{"b":1}"#], [#"{"a":2}"#]
        ),
        (#"{"prefixItems":[true],"contains":{"const":5},"unevaluatedItems":false}"#, ["[1,5,5]"], ["[1,5,6]"]),
        (#"{"minimum":1,"minimum":5}"#, ["5"], ["4"]),
        (#"{"format":"uuid","x-unknown":{"type":7},"title":"t"}"#, ["\"no\"", "1"], []),
    ])
    func decides(_ schema: String, _ fitting: [String], _ others: [String]) throws {
        let schema = try JSONSchema(parsing: schema)
        for value in fitting { #expect(try schema.validate(json: value) == [], "\(value)") }
        for value in others { #expect(try !schema.validate(json: value).isEmpty, "\(value)") }
    }

    @Test func saysWhatAndWhere() throws {
        let schema = #"""
            {"type":"object","required":["input","format"],"additionalProperties":false,"properties":{
             "input":{"type":"string","minLength":1},"format":{"enum":["csv","json","jsonl"]},
             "limit":{"type":"integer","minimum":1,"exclusiveMaximum":1000},
             "a/b":{"type":"array","items":{"type":"string","pattern":"^[a-z]+$"},"uniqueItems":true},
             "mode":{"oneOf":[{"properties":{"kind":{"const":"fast"},"n":{"type":"integer"}},"required":["kind","n"]},
                              {"properties":{"kind":{"const":"slow"}},"required":["kind"]}]},
             "size":{"anyOf":[{"type":"integer"},{"const":"all"}]}}}
            """#
        let value = #"""
            {"inptu":1,"format":"cvs","limit":1e3,"a/b":["ok","Bad","ok"],"mode":{"kind":"fast"},"size":"most","x":1}
            """#
        #expect(
            try problems(schema, value) == [
                #"/input: is missing; there is "inptu""#,
                #"/inptu: is not known here; did you mean "input"?"#,
                #"/format: must be one of "csv", "json" or "jsonl", not the text "cvs"; did you mean "csv"?"#,
                "/limit: must be below 1000, not 1e3",
                #"/a~1b/1: must match the pattern ^[a-z]+$, unlike the text "Bad""#,
                "/a~1b/2: is the same as element 0, and all must differ",
                "/mode/n: is missing",
                #"/size: is the text "most", which is none of the allowed forms: a whole number or "all""#,
                #"/x: is not known here; known are "input", "format", "limit", "a/b", "mode", "size""#,
            ])
        #expect(try problems(schema, "[1]") == ["must be an object, not a list of 1"])
        #expect(
            try problems(#"{"propertyNames":{"minLength":2}}"#, #"{"a":1}"#).first?.hasPrefix("/a: its name must")
                == true)
        #expect(
            try problems(#"{"oneOf":[{"type":"integer"},{"title":"a share","minimum":0}]}"#, "3")
                == ["fits both a whole number and a share, where exactly one form is allowed"])
    }

    @Test func namesNoMoreThanAsked() throws {
        let schema = try JSONSchema(parsing: #"{"items":{"type":"null"}}"#)
        let value = "[" + Array(repeating: "1", count: 100).joined(separator: ",") + "]"
        #expect(try schema.validate(json: value, limit: 7).map(\.pointer) == (0..<7).map { "/\($0)" })
    }

    /// Schema, pointer of the fault, a word of it.
    @Test(arguments: [
        ("{", "", "no JSON"), ("1", "", "an object, true or false"), (#"{"type":"text"}"#, "/type", "no type"),
        (#"{"type":[]}"#, "/type", "list"), (#"{"properties":[]}"#, "/properties", "object"),
        (#"{"properties":{"a":3}}"#, "/properties/a", "schema is"), (#"{"minimum":"1"}"#, "/minimum", "number"),
        (#"{"maxLength":-1}"#, "/maxLength", "whole number"), (#"{"multipleOf":0}"#, "/multipleOf", "above 0"),
        (#"{"required":"a"}"#, "/required", "list"), (#"{"required":[1]}"#, "/required/0", "text"),
        (#"{"allOf":[]}"#, "/allOf", "at least one"), (#"{"items":[{}]}"#, "/items", "prefixItems"),
        (#"{"dependencies":{}}"#, "", "older draft"), (#"{"uniqueItems":1}"#, "/uniqueItems", "true or false"),
        (##"{"$ref":"#/$defs/x"}"##, "/$ref", "not in this document"),
        (#"{"$ref":"other.json"}"#, "/$ref", "not in this"),
        (##"{"$ref":"#"}"##, "", "leads back"),
        (
            ##"{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}"##,
            "/$defs/a", "leads back"
        ),
        (#"{"$schema":"http://json-schema.org/draft-04/schema#"}"#, "/$schema", "another language"),
        (#"{"pattern":"(a"}"#, "/pattern", "does not end"), (#"{"pattern":"(a)\\1"}"#, "/pattern", "back to a group"),
        (#"{"pattern":"(?<=a)b"}"#, "/pattern", "look-behind"),
        (#"{"patternProperties":{"[":true}}"#, "/patternProperties/[", "class"),
    ])
    func refusesWhatIsNoSchema(_ text: String, _ pointer: String, _ word: String) {
        do throws(JSONSchemaFault) {
            _ = try JSONSchema(parsing: text)
            Issue.record("taken as a schema")
        } catch {
            #expect(error.pointer == pointer && error.words.contains(word), "\(error)")
        }
    }

    @Test(arguments: [
        (
            "date-time", ["2024-02-29T23:59:60Z", "2030-01-31t00:00:00.5+23:59"],
            ["2023-02-29T00:00:00Z", "2030-01-31 00:00:00Z", "2030-01-31T12:00:60Z"]
        ),
        ("date", ["2000-02-29"], ["1900-02-29", "2000-13-01", "20000101"]),
        ("time", ["01:02:03Z"], ["24:00:00Z", "01:02:03"]),
        ("uuid", ["2EB8AA08-aa98-11ea-b4aa-73b441d16380"], ["2eb8aa08aa9811eab4aa73b441d16380", ""]),
        ("uri", ["https://x.example/a?b=%20#c", "urn:a:b"], ["/a", "https://a b", "x:%2", "a:b#c#d"]),
        ("email", ["a.b+c@x-1.example", "a@[127.0.0.1]"], ["a", "a@", ".a@x", "a@-x", "a b@x"]),
        ("ipv4", ["0.0.0.255"], ["1.2.3", "1.2.3.256", "01.2.3.4"]),
        (
            "ipv6", ["::", "::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"],
            ["1::2::3", "1:2", ":::", "12345::", "1:2:3:4:5:6:7:8:9"]
        ),
        ("other", ["anything"], []),
    ])
    func assertsFormatsOnRequest(_ format: String, _ fitting: [String], _ others: [String]) throws {
        for text in fitting {
            #expect(
                try problems(#"{"format":"\#(format)"}"#, JSONText.quoted(text), assertFormats: true) == [], "\(text)")
        }
        for text in others {
            #expect(
                try problems(#"{"format":"\#(format)"}"#, JSONText.quoted(text), assertFormats: true).count == 1,
                "\(text)")
            #expect(try problems(#"{"format":"\#(format)"}"#, JSONText.quoted(text)) == [])
        }
    }

    // MARK: Hostile schemas

    @Test func givesUpWhatGrowsWithoutEnd() throws {
        // Each level doubles the work: 2^60.
        var definitions = (0..<60).map {
            ##""a\##($0)":{"allOf":[{"$ref":"#/$defs/a\##($0 + 1)"},{"$ref":"#/$defs/a\##($0 + 1)"}]}"##
        }
        definitions.append(#""a60":{"type":"null"}"#)
        let schema = try JSONSchema(
            parsing: ##"{"$ref":"#/$defs/a0","$defs":{"## + definitions.joined(separator: ",") + "}}")
        #expect(try schema.validate(json: "null", work: 100_000).map(\.keyword) == ["limit"])
    }

    @Test func survivesAChainOfReferences() throws {
        let definitions = (0..<5000).map { ##""a\##($0)":{"$ref":"#/$defs/a\##($0 + 1)"}"## } + [#""a5000":{}"#]
        let schema = try JSONSchema(
            parsing: ##"{"$ref":"#/$defs/a0","$defs":{"## + definitions.joined(separator: ",") + "}}")
        #expect(try schema.validate(json: "1").map(\.keyword) == ["limit"])
        #expect(JSONSchema.changes(from: schema, to: try JSONSchema(parsing: "{}")).count <= 1)
    }

    @Test func takesTheDeepestValue() throws {
        let schema = try JSONSchema(parsing: ##"{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"integer"}]}"##)
        func nested(_ core: String) -> String {
            String(repeating: "[", count: 128) + core + String(repeating: "]", count: 128)
        }
        #expect(try schema.validate(json: nested("1")).isEmpty)
        #expect(try !schema.validate(json: nested("null")).isEmpty)
    }

    @Test func refusesOversize() {
        let text = #"{"description":""# + String(repeating: "x", count: JSONSchema.textLimit) + "\"}"
        #expect(throws: JSONSchemaFault.self) { try JSONSchema(parsing: text) }
    }
}
