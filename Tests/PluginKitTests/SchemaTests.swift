import FoundationEssentials
import Testing

@testable import PluginKit

private enum Mode: String, Codable, CaseIterable {
    case fast, exact
}

private struct Everything: Codable {
    struct Inner: Codable {
        var a: Bool
    }
    var text: String
    var whole: Int
    var small: Int8
    var natural: UInt64
    var real: Double
    var maybe: String?
    var mode: Mode
    var when: Date
    var data: Data
    var link: URL
    var id: UUID
    var list: [Inner]
    var map: [String: Int]
}

private struct Tree: Codable {
    var name: String
    var children: [Tree]
    var parent: Box?
    final class Box: Codable {
        var tree: Tree?
    }
}

private enum Shape: Codable {
    case circle(radius: Double)
    case point
}

@Suite struct SchemaTests {
    private func derived<T: Decodable>(_ type: T.Type, _ schema: Schema = .derived) throws -> String? {
        schema.text(derivedFrom: try schema.noted(.recording(type), of: "\(type)"))
    }

    @Test func membersTypesAndOptionalityAreDerived() throws {
        #expect(
            try self.derived(Everything.self) == """
                {"type":"object","properties":{"text":{"type":"string"},"whole":{"type":"integer"},\
                "small":{"type":"integer","minimum":-128,"maximum":127},"natural":{"type":"integer","minimum":0},\
                "real":{"type":"number"},"maybe":{"anyOf":[{"type":"string"},{"type":"null"}]},\
                "mode":{"enum":["fast","exact"]},"when":{"type":"string","format":"date-time"},\
                "data":{"type":"string","contentEncoding":"base64"},"link":{"type":"string","format":"uri"},\
                "id":{"type":"string","format":"uuid"},\
                "list":{"type":"array","items":{"type":"object","properties":{"a":{"type":"boolean"}},\
                "required":["a"],"additionalProperties":false}},\
                "map":{"type":"object","additionalProperties":{"type":"integer"}}},\
                "required":["text","whole","small","natural","real","mode","when","data","link","id","list","map"],\
                "additionalProperties":false}
                """)
    }

    @Test func recursiveTypesEnd() throws {
        let schema = try self.derived(Tree.self)
        #expect(schema?.contains(#""children":{"type":"array","items":{}}"#) == true, "\(schema ?? "none")")
    }

    @Test func typesThatCannotBeRecordedHaveNoSchema() throws {
        #expect(try self.derived(Shape.self) == nil)
    }

    @Test func noArgsAllowNothing() throws {
        #expect(try self.derived(NoArgs.self) == #"{"type":"object","properties":{},"additionalProperties":false}"#)
    }

    @Test func notesAreAdded() throws {
        struct Args: Codable { var top: Int? }
        let schema = Schema.derived.describe("top", "how \"many\"").range("top", 1...9).defaultValue("top", 5)
        #expect(
            try self.derived(Args.self, schema) == """
                {"type":"object","properties":{"top":{"anyOf":[{"type":"integer"},{"type":"null"}],\
                "description":"how \\"many\\"","minimum":1,"maximum":9,"default":5}},"additionalProperties":false}
                """)
    }

    @Test func textAndAnythingWin() throws {
        #expect(try self.derived(Everything.self, .text("{}")) == "{}")
        #expect(try self.derived(Everything.self, .anything) == nil)
    }

    @Test(arguments: [
        (#"{"mode":"slow"}"#, "/mode", #"must be one of "fast", "exact""#),
        (#"{"small":200}"#, "/small", "must be -128 to 127"),
        (#"{"small":-129}"#, "/small", "must be -128 to 127"),
        (#"{"natural":-1}"#, "/natural", "must be 0 to …"),
        (#"{"list":[{"a":true},{"a":1}]}"#, "/list/1/a", "must be true or false"),
        (#"{"map":{"k":[]}}"#, "/map/k", "must be a whole number"),
        (#"{"when":5}"#, "/when", "must be a string (date-time)"),
    ])
    func mismatchesAreNamed(json: String, pointer: String, words: String) throws {
        struct Loose: Codable {
            var small: Int8?
            var natural: UInt64?
            var mode: Mode?
            var when: Date?
            var list: [Everything.Inner]?
            var map: [String: Int]?
        }
        let recorded = try #require(try RecordedType.recording(Loose.self))
        let value = try Coders.decoder().decode(JSONValue.self, from: Data(json.utf8))
        let found = try #require(recorded.mismatch(value))
        #expect(found.pointer == pointer)
        #expect(found.message.hasPrefix(words), "\(found.message)")
    }

    @Test func largeNaturalsFit() throws {
        struct Args: Codable { var n: UInt64 }
        let recorded = try #require(try RecordedType.recording(Args.self))
        let value = try Coders.decoder().decode(JSONValue.self, from: Data(#"{"n":18446744073709551615}"#.utf8))
        #expect(recorded.mismatch(value) == nil)
    }

    /// The text that warms the coders has to decode, or it warms the wrong paths.
    @Test func theSampleDecodes() throws {
        let recorded = try #require(try RecordedType.recording(Everything.self))
        let value = try Coders.decoder().decode(Everything.self, from: recorded.sample)
        #expect(value.list.count == 1)
    }
}
