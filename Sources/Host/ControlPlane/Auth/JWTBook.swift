import Glibc
import JobCore
import Logging
import UVLoop

/// The keys that tokens are signed with, from their file, and anew when the file has changed.
@LoopActor
final class JWTBook {
    let rules: JWTRules
    private(set) var keys: [JWTKey] = []
    private var stamp: Stamp?
    private var lookedAt: LoopInstant?
    private let logger: Logger

    /// What tells one content of a file from the next, without reading it.
    private struct Stamp: Equatable {
        var inode: UInt
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    /// The file is not looked at more often.
    static let interval = Duration.seconds(2)
    private nonisolated static let largestFile = 1 << 20

    init(rules: JWTRules, logger: Logger) {
        self.rules = rules
        self.logger = logger
    }

    /// Whom a token speaks for.
    func principal(of token: some StringProtocol, now: WallTime) throws(JWTFault) -> Principal {
        refresh()
        return try rules.principal(of: token, keys: keys, now: now)
    }

    /// Reads the file if it has changed. One that cannot be read, or holds no key, changes nothing, and the log says so once.
    func refresh(at now: LoopInstant = .now) {
        if let lookedAt, now - lookedAt < Self.interval { return }
        lookedAt = now
        var info = stat()
        let found = stat(rules.keyFile, &info) == 0
        let current = Stamp(
            inode: UInt(info.st_ino), size: info.st_size, seconds: info.st_mtim.tv_sec,
            nanoseconds: info.st_mtim.tv_nsec)
        guard current != stamp else { return }
        stamp = current
        guard found, let read = Self.read(rules.keyFile) else {
            logger.warning("keys of tokens cannot be read; the old ones count", metadata: ["file": "\(rules.keyFile)"])
            return
        }
        keys = read
        logger.info("keys of tokens", metadata: ["file": "\(rules.keyFile)", "count": "\(read.count)"])
    }

    /// Nil if the file cannot be read, is no JWK set, or holds no key that counts.
    nonisolated static func read(_ file: String) -> [JWTKey]? {
        let fd = open(file, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= largestFile {
            let count = Glibc.read(fd, &buffer, buffer.count)
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        guard bytes.count <= largestFile, let text = String(validating: bytes, as: UTF8.self),
            let keys = JWTKey.set(text), !keys.isEmpty
        else { return nil }
        return keys
    }
}
