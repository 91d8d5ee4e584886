import JobCore
import Testing

@Suite struct JSONListWalkTests {
    /// Elements as text, keys and values of their members, and what stood beside the list.
    private static func walk(_ text: String, _ limit: Int) throws -> (
        items: [String], members: [String], walk: JSONListWalk
    ) {
        var walk = JSONListWalk(Array(text.utf8), list: "items")
        var items: [String] = []
        var members: [String] = []
        while true {
            let piece = try walk.next(limit)
            #expect(piece.elements.count <= limit)
            if piece.elements.isEmpty { return (items, members, walk) }
            for element in piece.elements {
                items.append(walk.text(element.range))
                for member in element.members.map({ piece.members[$0] }) ?? [] {
                    members.append(walk.text(member.key) + "=" + walk.text(member.value))
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3, 100])
    func everythingIsFoundWhereItStands(_ limit: Int) throws {
        let found = try Self.walk(
            " { \"a\" : 1 , \"items\" : [ {\"job\":\"x\", \"args\" : {\"b\":[1,{}]} } , [2], \"s,]\" ,{}] , \"mode\":\"m\" } ",
            limit)
        #expect(found.items == ["{\"job\":\"x\", \"args\" : {\"b\":[1,{}]} }", "[2]", "\"s,]\"", "{}"])
        #expect(found.members == ["job=\"x\"", "args={\"b\":[1,{}]}"])
        #expect(found.walk.others.map(\.key) == ["a", "mode"] && found.walk.others.map(\.value) == ["1", "\"m\""])
        #expect(found.walk.lists == 1 && found.walk.isList && found.walk.isObject)
    }

    @Test func whatIsNoBatchIsSeen() throws {
        #expect(try Self.walk("{}", 5).walk.lists == 0)
        #expect(try Self.walk("{\"items\":[]}", 5).walk.lists == 1)
        #expect(try !Self.walk("{\"items\":{}}", 5).walk.isList)
        #expect(try !Self.walk("[1]", 5).walk.isObject)
        #expect(try Self.walk("{\"items\":[1],\"items\":[2]}", 5).items == ["1", "2"])
    }

    /// Whatever is no JSON is refused, as by the check of the whole text; cut anywhere, a text is none.
    @Test func whatIsNoJSONIsRefused() throws {
        let text = "{\"a\":1,\"items\":[{\"job\":\"x\",\"args\":{}},[],2],\"b\":[]}"
        _ = try JSONText.check(text)
        for end in text.indices {
            let cut = String(text[..<end])
            for limit in [1, 2, 100] { #expect(throws: JSONFault.self, "\(cut)") { try Self.walk(cut, limit) } }
        }
        for wrong in [
            text + "}", text + "x", "{\"items\":[1,]}", "{\"items\":[1 2]}", "{\"items\":[{\"a\"}]}", "{\"items\":[],}",
            "{\"items\":[1]]}", "{\"items\":[{\"a\":1,}]}", "{\"items\" [1]}", "{,}", "{\"items\":[01]}",
        ] {
            #expect(throws: JSONFault.self, "\(wrong)") { try JSONText.check(wrong) }
            #expect(throws: JSONFault.self, "\(wrong)") { try Self.walk(wrong, 2) }
        }
    }
}
