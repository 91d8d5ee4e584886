import FoundationEssentials
import Glibc
import PluginKit

/// What is done already: a line for each item, written before the next one begins. An attempt that finds one of its own kind goes
/// on behind it; a line that was cut off is done again. When all is done it becomes the file of results.
struct Journal {
    /// The first line: what this is a journal of.
    struct Head: Codable, Equatable {
        var journal = 1
        var operation: Operation
        var items: String
        var itemBytes: Int
        var overwrite: Bool
    }

    let path: String
    private(set) var done = 0
    private(set) var failed = 0
    private let file: Descriptor

    /// Opens the journal beside `results`.
    init(for results: String, _ head: Head) throws {
        self.path = results + ".journal"
        var whole = 0
        if access(self.path, F_OK) == 0 {
            var lines = try Lines(self.path)
            if let first = try lines.next(), !lines.isCut, let known = Self.decode(Head.self, first), known == head {
                whole = lines.bytes
                while let line = try lines.next(), !lines.isCut, let result = Self.decode(ItemResult.self, line) {
                    whole = lines.bytes
                    self.done += 1
                    if result.status != "done" { self.failed += 1 }
                }
            }
        }
        self.file = try Descriptor(self.path, O_WRONLY | O_CREAT, verb: "write")
        guard ftruncate(self.file.number, off_t(whole)) == 0, lseek(self.file.number, 0, SEEK_END) >= 0 else {
            throw FileFault(verb: "write", path: self.path, number: errno)
        }
        if whole == 0 { try self.file.write(Self.line(head)) }
    }

    mutating func add(_ result: ItemResult) throws {
        try self.file.write(try Self.line(result))
        self.done += 1
        if result.status != "done" { self.failed += 1 }
    }

    /// What is in it survives the machine's end.
    func makeDurable() throws { try self.file.makeDurable() }

    /// The results without the head appear under their name, and the journal goes.
    func finish(as results: String) throws {
        var lines = try Lines(self.path)
        _ = try lines.next()
        let temporary = results + ".tmp"
        let out = try Descriptor(temporary, O_WRONLY | O_CREAT | O_TRUNC, verb: "write")
        while let line = try lines.next() { try out.write(Array(line.utf8) + [0x0A]) }
        try out.makeDurable()
        guard rename(temporary, results) == 0 else { throw FileFault(verb: "write", path: results, number: errno) }
        unlink(self.path)
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ line: String) -> Value? {
        do { return try JSONDecoder().decode(type, from: Data(line.utf8)) } catch { return nil }
    }

    private static func line(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [0x0A]
    }
}
