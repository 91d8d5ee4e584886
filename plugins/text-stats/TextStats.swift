import PluginKit

/// `text.stats`: lines, words, characters, bytes and the most frequent words of a text file.
struct TextStats: Handler {
    static let name = "text.stats"
    static let summary = "Counts lines, words, characters and bytes of a UTF-8 text file, with its most frequent words."

    struct Args: Codable {
        var path: String
        var top: Int?
    }

    struct Result: Codable {
        /// Line feeds, and one for a last line without.
        var lines: Int
        var words: Int
        /// Unicode scalars, not what people see as one character; broken UTF-8 counts as U+FFFD.
        var characters: Int
        var bytes: Int
        var distinctWords: Int
        /// The file has more different words than fit; `top` and `distinct_words` are of the first ones only.
        var truncated: Bool
        var top: [WordCount]

        enum CodingKeys: String, CodingKey {
            case lines, words, characters, bytes, truncated, top
            case distinctWords = "distinct_words"
        }
    }

    struct WordCount: Codable {
        var word: String
        var count: Int
    }

    static let allowedTop = 1...1000
    static let argsSchema = Schema.derived
        .describe("path", "The file to read, as the host sees it")
        .describe("top", "How many of the most frequent words to list")
        .range("top", allowedTop)
        .defaultValue("top", 10)

    func run(_ args: Args, _ context: Context) async throws -> Result {
        let top = args.top ?? 10
        guard Self.allowedTop.contains(top) else { throw InvalidInput("/top", "must be 1 to 1000") }

        let file = try InputFile(args.path)
        context.stage("counting")
        if let size = file.size { context.total(size, unit: "bytes") }

        var counter = WordCounter()
        while let chunk = try file.read() {
            try context.checkCancellation()
            counter.add(chunk)
            context.advance(chunk.count)
        }
        counter.finish()

        context.stage("ranking")
        let ranking = counter.mostFrequent(top)
        if counter.isTruncated {
            context.log.warning("more different words than fit", ["limit": WordCounter.maximumDistinctWords])
        }
        context.log.info("counted", ["bytes": counter.bytes, "words": counter.words])
        return Result(
            lines: counter.lines, words: counter.words, characters: counter.characters, bytes: counter.bytes,
            distinctWords: counter.distinctWords, truncated: counter.isTruncated,
            top: ranking.map { WordCount(word: $0.word, count: $0.count) })
    }
}
