import FoundationEssentials
import Glibc
import PluginABI
import Testing

/// The Swift plugin as it is served: its file, through its entry.
@Suite(.enabled(if: PluginFile.directory != nil)) struct TextStatsTests {
    /// One file for all: a Swift plugin is entered once per process, as in a zygote.
    private static let plugin = Result { try PluginFile("plugins/text-stats.so") }

    private struct Stats: Decodable {
        struct Word: Decodable, Equatable {
            var word: String
            var count: Int
        }
        var lines: Int
        var words: Int
        var characters: Int
        var bytes: Int
        var distinctWords: Int
        var truncated: Bool
        var top: [Word]

        enum CodingKeys: String, CodingKey {
            case lines, words, characters, bytes, truncated, top
            case distinctWords = "distinct_words"
        }
    }

    private func withFile<R>(_ bytes: [UInt8], _ body: (String) async throws -> R) async throws -> R {
        let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var path = Array((directory + "/text-stats-XXXXXX").utf8CString)
        let descriptor = mkstemp(&path)
        try #require(descriptor >= 0)
        let name = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(descriptor)
            unlink(name)
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            try #require(written > 0)
            rest = rest.dropFirst(written)
        }
        return try await body(name)
    }

    private func stats(of text: String, top: Int = 10) async throws -> Stats {
        let plugin = try Self.plugin.get()
        return try await self.withFile(Array(text.utf8)) { path in
            let (status, record) = await plugin.run("text.stats", #"{"path":"\#(path)","top":\#(top)}"#)
            #expect(status == PAWL_OK, "\(record.failure?.message ?? "")")
            return try JSONDecoder().decode(Stats.self, from: Data((record.json ?? "").utf8))
        }
    }

    @Test func countsAndRanks() async throws {
        let stats = try await self.stats(of: "The fox's den.\nthe ÄPFEL, äpfel don't 'quote' — 42\nend", top: 3)
        #expect(stats.lines == 3)
        #expect(stats.words == 10)
        #expect(stats.bytes == 58)
        #expect(stats.characters == 54)
        #expect(stats.distinctWords == 8)
        #expect(
            stats.top == [.init(word: "the", count: 2), .init(word: "äpfel", count: 2), .init(word: "42", count: 1)])
        #expect(!stats.truncated)
    }

    @Test func anEmptyFileHasNothing() async throws {
        let stats = try await self.stats(of: "")
        #expect((stats.lines, stats.words, stats.characters, stats.bytes) == (0, 0, 0, 0))
        #expect(stats.top.isEmpty)
    }

    /// Characters of two to four bytes lie across the borders of what is read at once.
    @Test func charactersAcrossPiecesAreWhole() async throws {
        let unit = "aé€😀b "
        let repeats = 120_000
        let stats = try await self.stats(of: String(repeating: unit, count: repeats), top: 1)
        #expect(stats.characters == unit.unicodeScalars.count * repeats)
        #expect(stats.bytes == unit.utf8.count * repeats)
        #expect(stats.words == 2 * repeats)
        #expect(stats.distinctWords == 2)
    }

    @Test func brokenTextIsCountedNotRefused() async throws {
        let plugin = try Self.plugin.get()
        try await self.withFile([0x61, 0xFF, 0x62, 0xE2, 0x82]) { path in
            let (status, record) = await plugin.run("text.stats", #"{"path":"\#(path)"}"#)
            #expect(status == PAWL_OK)
            #expect(record.json?.contains(#""characters":4"#) == true, "\(record.json ?? "")")
        }
    }

    @Test func progressIsInBytes() async throws {
        let plugin = try Self.plugin.get()
        try await self.withFile(Array(repeating: UInt8(ascii: "x"), count: 600_000)) { path in
            let (_, record) = await plugin.run("text.stats", #"{"path":"\#(path)"}"#)
            #expect(record.progress.first == "stage counting")
            #expect(record.progress.dropFirst().first == "total 600000 bytes")
            let advanced = record.progress.compactMap { $0.hasPrefix("advance ") ? Int($0.dropFirst(8)) : nil }
            #expect(advanced.reduce(0, +) == 600_000)
            #expect(advanced.count > 1)
        }
    }

    @Test(arguments: [
        (#"{"path":"/nowhere/at/all"}"#, "file_not_found", "/nowhere/at/all: No such file or directory"),
        (#"{"path":"/"}"#, "is_a_directory", "/: Is a directory"),
    ])
    func filesThatCannotBeReadAreFinal(args: String, code: String, message: String) async throws {
        let (status, record) = await (try Self.plugin.get()).run("text.stats", args)
        #expect(status == PAWL_E_FAILED)
        #expect(record.failure?.code == code)
        #expect(record.failure?.message == message)
        #expect(record.failure?.retry == PAWL_RETRY_NEVER)
    }

    @Test(arguments: [0, 1001, -1]) func topHasBounds(top: Int) async throws {
        let (status, record) = await (try Self.plugin.get()).run("text.stats", #"{"path":"/","top":\#(top)}"#)
        #expect(status == PAWL_E_INVALID_INPUT)
        #expect(record.failure?.message == "args/top: must be 1 to 1000")
    }

    @Test func theSchemaIsDerivedFromTheTypes() throws {
        let handler = try Self.plugin.get().descriptor.pointee.handlers[0]
        let schema = String(cString: handler.args_schema)
        #expect(schema.contains(#""required":["path"],"additionalProperties":false"#))
        #expect(schema.contains(#""minimum":1,"maximum":1000"#))
        #expect(handler.result_schema != nil)
    }
}
