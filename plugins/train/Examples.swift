import FoundationEssentials
import PluginKit

/// Labelled texts from a file, read whole: JSON Lines or CSV.
struct Examples {
    private static let largestFile = 512 << 20

    var texts: [String] = []
    var labels: [String] = []
    /// FNV-1a of the file's bytes: a checkpoint says which examples it is of.
    private(set) var fingerprint: UInt64 = 14_695_981_039_346_656_037

    init(_ path: String, text: String, label: String, _ context: Context) throws {
        let file = try InputFile(path)
        context.stage("Reading")
        if let size = file.size { context.total(size, unit: "bytes") }
        var bytes: [UInt8] = []
        while let part = try file.read() {
            try context.checkCancellation()
            bytes += part
            for byte in part { self.fingerprint = (self.fingerprint ^ UInt64(byte)) &* 1_099_511_628_211 }
            context.advance(part.count)
            guard bytes.count <= Self.largestFile else {
                throw JobFailure("train_too_large", "\(path) is larger than 512 MiB", retry: .never)
            }
        }
        if path.hasSuffix(".csv") {
            try self.readTable(bytes, text, label)
        } else {
            try self.readLines(bytes, text, label)
        }
    }

    private mutating func readLines(_ bytes: [UInt8], _ text: String, _ label: String) throws {
        let decoder = JSONDecoder()
        for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
        where line.contains(where: { $0 > 0x20 }) {
            let members: [String: Member]
            do {
                members = try decoder.decode([String: Member].self, from: Data(line))
            } catch {
                throw Self.malformed("line \(index + 1) is no JSON object")
            }
            guard let words = members[text]?.text, let name = members[label]?.text else {
                throw Self.malformed("line \(index + 1) needs \"\(text)\" and \"\(label)\", which are texts")
            }
            self.texts.append(words)
            self.labels.append(name)
        }
    }

    /// A member of any type; nil where it is no text.
    private struct Member: Decodable {
        var text: String?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            do { self.text = try container.decode(String.self) } catch is DecodingError { self.text = nil }
        }
    }

    private mutating func readTable(_ bytes: [UInt8], _ text: String, _ label: String) throws {
        var table = CSVRecords(bytes)
        let header = table.next() ?? []
        guard let textColumn = header.firstIndex(of: text), let labelColumn = header.firstIndex(of: label) else {
            throw Self.malformed("the header needs the columns \"\(text)\" and \"\(label)\"")
        }
        while let record = table.next() {
            if record == [""] { continue }
            guard record.count == header.count else {
                throw Self.malformed(
                    "record \(self.texts.count + 2) has \(record.count) fields, where \(header.count) are named")
            }
            self.texts.append(record[textColumn])
            self.labels.append(record[labelColumn])
        }
    }

    private static func malformed(_ words: String) -> JobFailure { JobFailure("train_malformed", words, retry: .never) }
}

/// RFC 4180, over bytes in memory.
struct CSVRecords {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { self.at = 3 }
    }

    mutating func next() -> [String]? {
        guard self.at < self.bytes.count else { return nil }
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        while self.at < self.bytes.count {
            let byte = self.bytes[self.at]
            self.at += 1
            if isQuoted {
                guard byte == UInt8(ascii: "\"") else {
                    field.append(byte)
                    continue
                }
                if self.at < self.bytes.count, self.bytes[self.at] == byte {
                    field.append(byte)
                    self.at += 1
                } else {
                    isQuoted = false
                }
            } else if byte == UInt8(ascii: "\""), field.isEmpty {
                isQuoted = true
            } else if byte == UInt8(ascii: ",") {
                fields.append(String(decoding: field, as: UTF8.self))
                field = []
            } else if byte == 0x0A {
                break
            } else {
                field.append(byte)
            }
        }
        if field.last == 0x0D { field.removeLast() }
        return fields + [String(decoding: field, as: UTF8.self)]
    }
}
