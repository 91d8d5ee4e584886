import Glibc
import PluginKit

/// What is done to each file. Only regular files; each is done wholly or not at all, and may be done again.
enum Operation: String, Codable, CaseIterable, Sendable {
    case copy, move, hash, remove

    var needsTarget: Bool { self == .copy || self == .move }

    /// - Parameters:
    ///   - replaces: a target that is there already.
    ///   - isRepeated: an attempt that died may have done it: that it is done is no fault.
    func apply(to item: Item, replaces: Bool, isRepeated: Bool, run: String) throws -> Outcome {
        if isRepeated, self != .hash, access(item.source, F_OK) != 0, errno == ENOENT {
            if self == .remove { return Outcome() }
            if self == .move, let target = item.target, access(target, F_OK) == 0 { return Outcome() }
        }
        switch self {
        case .hash: return try Self.digest(item.source)
        case .remove:
            _ = try Self.regular(item.source)
            if unlink(item.source) != 0 { throw FileFault(verb: "remove", path: item.source, number: errno) }
            return Outcome()
        case .copy: return try Self.copy(item, replaces: replaces || isRepeated, run)
        case .move:
            _ = try Self.regular(item.source)
            guard let target = item.target else { preconditionFailure("checked when the item was read") }
            if replaces {
                if rename(item.source, target) == 0 { return Outcome() }
            } else if link(item.source, target) == 0 || (isRepeated && Self.isSame(item.source, target)) {
                // A name more before a name less: at no time is there none.
                if unlink(item.source) == 0 { return Outcome() }
            }
            guard errno == EXDEV || errno == EPERM else {
                throw FileFault(verb: "move to", path: target, number: errno)
            }
            let outcome = try Self.copy(item, replaces: replaces || isRepeated, run)
            if unlink(item.source) != 0 { throw FileFault(verb: "remove", path: item.source, number: errno) }
            return outcome
        }
    }

    /// Two names of one file.
    private static func isSame(_ one: String, _ other: String) -> Bool {
        let number = errno
        defer { errno = number }
        var (first, second) = (stat(), stat())
        return lstat(one, &first) == 0 && lstat(other, &second) == 0 && first.st_ino == second.st_ino
            && first.st_dev == second.st_dev
    }

    private static func regular(_ path: String) throws -> stat {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw FileFault(verb: "find", path: path, number: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw JobFailure("bulk_item", "\(path) is no regular file", retry: .never)
        }
        return status
    }

    private static func digest(_ path: String) throws -> Outcome {
        _ = try self.regular(path)
        let file = try Descriptor(path, O_RDONLY, verb: "read")
        var (hash, bytes) = (SHA256(), 0)
        while let part = try file.read() {
            hash.update(part)
            bytes += part.count
        }
        return Outcome(bytes: bytes, sha256: hash.finish())
    }

    /// Into a file beside the target, which gets the target's name when it is whole and durable.
    private static func copy(_ item: Item, replaces: Bool, _ run: String) throws -> Outcome {
        guard let target = item.target else { preconditionFailure("checked when the item was read") }
        let mode = try self.regular(item.source).st_mode & 0o7777
        let source = try Descriptor(item.source, O_RDONLY, verb: "read")
        let temporary = "\(target).\(run).tmp"
        let file = try Descriptor(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600, verb: "write")
        defer { unlink(temporary) }
        var bytes = 0
        while let part = try source.read() {
            try file.write(part)
            bytes += part.count
        }
        if fchmod(file.number, mode) != 0 { throw FileFault(verb: "write", path: temporary, number: errno) }
        try file.makeDurable()
        let isNamed = replaces ? rename(temporary, target) == 0 : link(temporary, target) == 0
        if !isNamed { throw FileFault(verb: "write", path: target, number: errno) }
        return Outcome(bytes: bytes)
    }
}

/// A line of the list.
struct Item: Codable {
    var source: String
    var target: String?
}

/// What became of an item.
struct Outcome {
    var bytes: Int?
    var sha256: String?
}

/// A line of the results, and of the journal.
struct ItemResult: Codable {
    var item: Int
    var source: String?
    var target: String?
    var status: String
    var bytes: Int?
    var sha256: String?
    var error: String?
}
