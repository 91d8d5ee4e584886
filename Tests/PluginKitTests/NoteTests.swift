import FoundationEssentials
import Testing

@testable import PluginKit

private enum Mode: String, Codable, CaseIterable, CodingKeyRepresentable {
    case fast, exact
}

/// Cannot be recorded: it looks which keys there are.
private enum Shape: Codable, Equatable, SelfDescribing {
    case circle(radius: Double)
    case point
    static let jsonSchema = #"{"type":"object","minProperties":1,"maxProperties":1}"#
    static let example = Shape.point
}

private struct Inner: Codable, Equatable, HasDefaults, Annotated {
    var depth = 3
    var label: String?
    static let notes: [String: Note] = ["depth": Note("How deep").range(0...9)]
}

private struct Noted: Codable, Equatable, Annotated {
    var path: String
    var top: Int
    var ratio: Double?
    var tags: [String]
    var shape: Shape
    var inner: Inner
    var list: [Inner]
    var named: [String: Inner]
    static let notes: [String: Note] = [
        "path": Note("The file to read").length(1...4096).matching("^/").examples("/etc/hosts"),
        "top": Note().range(1...).defaultValue(10),
        "ratio": Note().range(0...0.5),
        "tags": Note().count(0...5).unique().keyword("contentMediaType", "text/plain").defaultValue(["a"]),
        "shape": "What it looks like",
    ]
}

@Suite struct NoteTests {
    private func schema<T: Decodable>(_ type: T.Type) throws -> String? {
        Schema.derived.text(derivedFrom: try RecordedType.recording(type))
    }

    private func filled<T: Decodable>(_ type: T.Type, _ json: String) throws -> String {
        let defaults = try #require(Defaults(try RecordedType.recording(type)))
        return String(decoding: defaults.filled(Data(json.utf8)), as: UTF8.self)
    }

    @Test func notesStandInTheSchemaAtEveryDepth() throws {
        let inner = #"""
            {"type":"object","properties":{"depth":{"type":"integer","default":3,"description":"How deep","minimum":0,"maximum":9},\#
            "label":{"anyOf":[{"type":"string"},{"type":"null"}]}},"additionalProperties":false}
            """#
        #expect(
            try self.schema(Noted.self) == #"""
                {"type":"object","properties":{\#
                "path":{"type":"string","description":"The file to read","minLength":1,"maxLength":4096,"pattern":"^/",\#
                "examples":["/etc/hosts"]},\#
                "top":{"type":"integer","minimum":1,"default":10},\#
                "ratio":{"anyOf":[{"type":"number"},{"type":"null"}],"minimum":0,"maximum":0.5},\#
                "tags":{"type":"array","items":{"type":"string"},"minItems":0,"maxItems":5,"uniqueItems":true,\#
                "contentMediaType":"text/plain","default":["a"]},\#
                "shape":{"allOf":[{"type":"object","minProperties":1,"maxProperties":1},{"description":"What it looks like"}]},\#
                "inner":\#(inner),"list":{"type":"array","items":\#(inner)},\#
                "named":{"type":"object","additionalProperties":\#(inner)}},\#
                "required":["path","shape","inner","list","named"],"additionalProperties":false}
                """#)
    }

    @Test(arguments: ["pth", ""])
    func aNoteAboutNothingIsAFault(name: String) throws {
        struct Args: Codable { var path: String }
        let schema = Schema.derived.describe(name, "words")
        let error = #expect(throws: NoteFault.self) { try schema.noted(.recording(Args.self), of: "Args") }
        #expect(error?.description == "there is a note about \"\(name)\" of Args, which has path")
    }

    @Test func aNoteInsideThatMeansNothingIsAFaultToo() {
        struct Part: Codable, Annotated {
            var a: Int
            static let notes: [String: Note] = ["b": "?"]
        }
        struct Args: Codable { var parts: [Part]? }
        #expect(throws: NoteFault.self) { try RecordedType.recording(Args.self) }
    }

    @Test func dictionariesNameTheirKeys() throws {
        struct Args: Codable {
            var byNumber: [Int: Bool]
            var byMode: [Mode: Bool]
            var other: [Double: Bool]
        }
        #expect(
            try self.schema(Args.self) == #"""
                {"type":"object","properties":{\#
                "byNumber":{"type":"object","propertyNames":{"pattern":"^-?[0-9]+$"},"additionalProperties":{"type":"boolean"}},\#
                "byMode":{"type":"object","propertyNames":{"enum":["fast","exact"]},"additionalProperties":{"type":"boolean"}},\#
                "other":{"type":"array","items":{}}},"required":["byNumber","byMode","other"],"additionalProperties":false}
                """#)
        // As Swift's own decoder has it.
        let json = Data(#"{"byNumber":{"-7":true},"byMode":{"fast":true},"other":[0.5,true]}"#.utf8)
        #expect(try Coders.decoder().decode(Args.self, from: json).byNumber == [-7: true])
    }

    @Test func absentMembersAreFilledInAtEveryDepth() throws {
        let json = #"""
             {"path" : "/\"x,{", "shape":{"point":{}}, "inner":{}, "list":[{}, {"depth":1,"label":"l"} ],"named":{"a]":{}}}
            """#
        let filled = try self.filled(Noted.self, json)
        let value = try Coders.decoder().decode(Noted.self, from: Data(filled.utf8))
        #expect(
            value
                == Noted(
                    path: #"/"x,{"#, top: 10, tags: ["a"], shape: .point, inner: Inner(),
                    list: [Inner(), Inner(depth: 1, label: "l")], named: ["a]": Inner()]))
    }

    @Test func whatIsGivenStays() throws {
        #expect(
            try self.filled(Inner.self, #"{"depth":12345678901234567890.5,"x":[1,{"y":"\u00e9"}]}"#)
                == #"{"depth":12345678901234567890.5,"x":[1,{"y":"\u00e9"}]}"#)
        #expect(try self.filled(Inner.self, "{}") == #"{"depth":3}"#)
        #expect(try self.filled(Inner.self, " { } ") == #"{"depth":3}"#)
        // An escaped name is that member too.
        #expect(try self.filled(Inner.self, #"{"d\u0065pth":1}"#) == #"{"depth":1}"#)
    }

    @Test(arguments: [
        "", "null", "7", "[", "[]", "{", #"{"a""#, #"{"a":"#, #"{"a":}"#, #"{"a":1,}"#, #"{a:1}"#, "{]", #"{"a":[}"#,
    ])
    func whatIsNoObjectStaysForTheDecoder(json: String) throws {
        #expect(try self.filled(Inner.self, json) == json)
    }

    @Test func nothingToFillInIsNothingToDo() throws {
        #expect(try Defaults(.recording(Name.self)).map { _ in true } == nil)
        #expect(Defaults(nil).map { _ in true } == nil)
    }

    @Test func aHandlerSeesTheDefaults() async {
        let fake = FakeAttempt()
        let status = await attempt(fake, args: #"{"label":"x"}"#) { (args: Inner, _) in args }
        #expect(status == 0)
        #expect(fake.record.json == #"{"depth":3,"label":"x"}"#)
    }
}
