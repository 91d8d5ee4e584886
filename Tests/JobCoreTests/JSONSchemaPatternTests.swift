import JobCore
import Testing

/// Patterns are seen through the keyword.
private func matches(_ pattern: String, _ text: String, work: Int = JSONSchema.defaultWork) throws -> Bool? {
    let schema = try JSONSchema(parsing: #"{"pattern":\#(JSONText.quoted(pattern))}"#)
    let problems = schema.validate(.string(text), work: work)
    return problems.contains { $0.keyword == "limit" } ? nil : problems.isEmpty
}

@Suite struct JSONSchemaPatternTests {
    /// Pattern, texts in which it is found, texts in which it is not.
    @Test(arguments: [
        ("", ["", "a"], []), ("b", ["abc"], ["ac"]), ("^b", ["bc"], ["ab"]), ("b$", ["ab"], ["ba", "b\n"]),
        ("^(a|bc)*d?$", ["", "abcad", "d"], ["b", "dd"]), ("^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]),
        ("^a{2}b{0}c{1,}$", ["aac", "aacc"], ["aabc", "aa"]), ("^.$", ["é", "😀", " "], ["\n", "\u{2028}", "", "ab"]),
        ("^[a-c\\d_]+$", ["a1_"], ["d", ""]), ("^[^a-c]$", ["d", "😀"], ["a"]), ("^[\\]\\-^]+$", ["]-^"], ["a"]),
        ("^[]a]$", [], ["]", "a"]), ("^[a-]$", ["-", "a"], ["b"]), ("^\\w\\W\\s\\S\\d\\D$", ["a- x1x"], ["é- x1x"]),
        ("^\\s$", ["\u{FEFF}", "\u{A0}", "\u{2003}"], ["\u{200B}"]), ("\\bfoo\\b", ["a foo b", "foo"], ["afoo"]),
        ("\\Boo", ["foo"], ["oo"]), ("^(?=.*\\d)(?=.*[a-z]).{3,}$", ["ab1"], ["abc", "a1"]),
        ("^(?!con$)", ["cone", ""], ["con"]),
        ("^(?:a(?<name>b))+$", ["abab"], ["aba"]), ("^a+?b*?c??$", ["ab", "aabbc"], ["b"]),
        ("^(a*)*$", ["", "aaa"], ["b"]),
        ("^\\u00e9\\u{1F600}\\ud83d\\ude00\\x41\\cJ\\0$", ["é😀😀A\n\u{0}"], ["e"]), ("^\\.\\/\\-\\@$", ["./-@"], ["a"]),
        ("^\\p{Lu}\\p{Letter}+\\P{L}$", ["Äß1", "ЖжЖ "], ["äß1", "Äßa"]), ("^[\\p{Nd}-]+$", ["٣-3"], ["x"]),
        ("^a{,2}{$", ["a{,2}{"], ["aa"]), ("^x|y$", ["xa", "ay"], ["ax"]),
    ])
    func finds(_ pattern: String, _ found: [String], _ others: [String]) throws {
        for text in found { #expect(try matches(pattern, text) == true, "\(pattern) in \(text.debugDescription)") }
        for text in others { #expect(try matches(pattern, text) == false, "\(pattern) in \(text.debugDescription)") }
    }

    @Test(arguments: [
        "(", ")", "a)", "[", "[a", "*", "a**", "^*", "(?=a)*", "a{3,2}", "\\", "\\y", "\\k<a>", "\\1", "(?<!a)",
        "(?#a)", "(?<a",
        "[b-a]", "\\x4", "\\u12", "\\u{110000}", "\\u{}", "\\p{Script=Greek}", "\\p", "\\c1", "\\01", "a{100000}",
        "((a{100}){100}){100}", "(((){999}){999}){999}",
        String(repeating: "(", count: 100) + String(repeating: ")", count: 100),
    ])
    func refuses(_ pattern: String) {
        #expect(throws: JSONSchemaFault.self) { try matches(pattern, "") }
    }

    /// Patterns that take backtracking matchers for ever.
    @Test(arguments: ["^(a+)+$", "^(a|aa)+$", "^(a|a)*$", "^(.*)*x$", "^(\\w+\\s?)*$", "(x+x+)+y"])
    func isNotCaught(_ pattern: String) throws {
        let text = String(repeating: "a", count: 5_000) + String(repeating: "x", count: 5_000) + "!"
        #expect(try matches(pattern, text, work: 20_000_000) == false)
    }

    @Test func givesUpInTime() throws {
        let text = String(repeating: "a", count: 100_000)
        #expect(try matches("(?=(?=.*b).*b)a.{1000}c", text, work: 1_000_000) == nil)
    }
}
