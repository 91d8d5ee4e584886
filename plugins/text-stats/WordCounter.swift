/// Counts a text that comes in pieces. A piece may end anywhere, also within a character.
///
/// A word is a run of letters, digits and marks of any script, with apostrophes inside; it is ranked in lower case.
struct WordCounter {
    /// More different words than this are counted, but not ranked: the memory of an attempt is limited.
    static let maximumDistinctWords = 1_000_000
    /// Longer words are ranked by their first bytes: without spaces a whole file may be one word.
    private static let maximumWordBytes = 256

    private(set) var lines = 0
    private(set) var words = 0
    private(set) var characters = 0
    private(set) var bytes = 0
    private(set) var isTruncated = false
    var distinctWords: Int { self.counts.count }

    private var counts: [String: Int] = [:]
    /// The word being read, in lower case.
    private var word: [UInt8] = []
    /// An apostrophe after the word so far; part of it only if a letter follows.
    private var apostrophe: UInt8?
    private var endsWithLineFeed = true
    /// The start of a character whose end is in the next piece.
    private var unfinished: [UInt8] = []

    mutating func add(_ chunk: [UInt8]) {
        self.bytes += chunk.count
        let piece = self.unfinished + chunk
        let end = piece.count - Self.unfinishedLength(piece)
        self.count(String(decoding: piece[..<end], as: UTF8.self))
        self.unfinished = Array(piece[end...])
    }

    /// After the last piece.
    mutating func finish() {
        self.count(String(decoding: self.unfinished, as: UTF8.self))
        self.unfinished = []
        self.endWord()
        if !self.endsWithLineFeed { self.lines += 1 }
    }

    /// The most frequent words; equal counts in the order of the words.
    func mostFrequent(_ limit: Int) -> [(word: String, count: Int)] {
        let ranked = self.counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return ranked.prefix(limit).map { (word: $0.key, count: $0.value) }
    }

    private mutating func count(_ text: String) {
        for scalar in text.unicodeScalars {
            self.characters += 1
            self.endsWithLineFeed = scalar == "\n"
            if self.endsWithLineFeed { self.lines += 1 }
            switch scalar {
            case "a"..."z", "0"..."9": self.extendWord(UInt8(scalar.value))
            case "A"..."Z": self.extendWord(UInt8(scalar.value) | 0x20)
            case "'" where !self.word.isEmpty && self.apostrophe == nil: self.apostrophe = UInt8(ascii: "'")
            case _ where !scalar.isASCII && Self.isPartOfWord(scalar):
                for byte in scalar.properties.lowercaseMapping.utf8 { self.extendWord(byte) }
            default: self.endWord()
            }
        }
    }

    private mutating func extendWord(_ byte: UInt8) {
        if let apostrophe = self.apostrophe {
            self.word.append(apostrophe)
            self.apostrophe = nil
        }
        if self.word.count < Self.maximumWordBytes { self.word.append(byte) }
    }

    private mutating func endWord() {
        self.apostrophe = nil
        guard !self.word.isEmpty else { return }
        self.words += 1
        let word = String(decoding: self.word, as: UTF8.self)
        self.word.removeAll(keepingCapacity: true)
        if self.counts.count < Self.maximumDistinctWords {
            self.counts[word, default: 0] += 1
        } else if let count = self.counts[word] {
            self.counts[word] = count + 1
        } else {
            self.isTruncated = true
        }
    }

    private static func isPartOfWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isAlphabetic { return true }
        switch scalar.properties.generalCategory {
        case .decimalNumber, .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark: return true
        default: return false
        }
    }

    /// How many bytes at the end may be the start of a character (0 to 3).
    private static func unfinishedLength(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let byte = bytes[bytes.count - length]
            if byte & 0b1100_0000 == 0b1000_0000 { continue }
            let expected =
                switch byte {
                case 0xC2...0xDF: 2
                case 0xE0...0xEF: 3
                case 0xF0...0xF4: 4
                default: 1
                }
            return expected > length ? length : 0
        }
        return 0
    }
}
