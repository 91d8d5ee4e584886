import EmbeddedPostgres
import Glibc

/// A host's data directory: its token, its identity, its lock, the plugins' content store and, by default, its database.
///
/// One host at a time: the lock is held until the process ends, however it ends.
struct HostDirectory {
    /// Absolute and real.
    let path: String
    let lock: DataDirectoryLock

    /// Why a data directory cannot be used. Exit code 78 (EX_CONFIG): only a person can mend it.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    /// Where data lives without `--data-dir`: `/var/lib/pawl` for root, else the XDG state directory. The command line
    /// looks in the same place.
    static func standardPath(environment: [String: String]) -> String {
        if geteuid() == 0 { return "/var/lib/pawl" }
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return state + "/pawl" }
        return (environment["HOME"] ?? "") + "/.local/state/pawl"
    }

    /// Creates the directory where it is missing (mode 0700) and takes its lock.
    init(path: String) throws(Unusable) {
        do {
            self.lock = try DataDirectoryLock(dataDirectory: path)
        } catch {
            throw Unusable(description: "data directory \(path): \(error)")
        }
        self.path = self.lock.dataDirectory
        guard access(self.path, R_OK | W_OK | X_OK) == 0 else {
            throw Unusable(description: "data directory \(self.path) is not readable and writable: \(reason())")
        }
    }

    /// The secret of whoever may do everything, made at first start: `pawl_` and 64 hexadecimal digits.
    func adminToken() throws(Unusable) -> String {
        try self.persistent("admin-token", make: { "pawl_" + Self.randomHex(bytes: 32) })
    }

    /// Which data directory this is, for ever: a successor on it fences its predecessor by this.
    func identity() throws(Unusable) -> String {
        try self.persistent("identity", make: { Self.randomHex(bytes: 16) })
    }

    /// Replaces a private file of the directory.
    func replace(_ name: String, _ content: String) throws(Unusable) { try Self.write(self.path + "/" + name, content) }

    /// Removes a file of the directory; one that is not there is no fault.
    func remove(_ name: String) { unlink(self.path + "/" + name) }

    /// A file of one line, mode 0600, made once.
    private func persistent(_ name: String, make: () -> String) throws(Unusable) -> String {
        let file = self.path + "/" + name
        if access(file, F_OK) == 0 {
            let kept = try Self.read(file)
            guard !kept.isEmpty else { throw Unusable(description: "\(file) is empty: remove it, and it is made anew") }
            return kept
        }
        let value = make()
        try Self.write(file, value + "\n")
        return value
    }

    private static func read(_ file: String) throws(Unusable) -> String {
        let fd = open(file, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw Unusable(description: "\(file) cannot be read: \(reason())") }
        defer { close(fd) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(fd, &buffer, buffer.count)
        guard count >= 0 else { throw Unusable(description: "\(file) cannot be read: \(reason())") }
        var text = String(decoding: buffer[..<count], as: UTF8.self)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    /// Written aside, flushed and renamed, so that a crash or a full disk leaves all of it or the old one.
    private static func write(_ file: String, _ content: String) throws(Unusable) {
        let temporary = file + ".new"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw Unusable(description: "\(file) cannot be written: \(reason())") }
        var content = content
        let written = content.withUTF8 { Glibc.write(fd, $0.baseAddress, $0.count) }
        var isComplete = written == content.utf8.count && fsync(fd) == 0
        if isComplete { isComplete = rename(temporary, file) == 0 }
        let why = reason()
        close(fd)
        guard isComplete else {
            unlink(temporary)
            throw Unusable(description: "\(file) cannot be written: \(why)")
        }
    }

    private static func randomHex(bytes: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<bytes).map { _ in
            let byte = UInt8.random(in: .min ... .max, using: &generator)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}

/// The words of the last failed system call.
private func reason() -> String { String(cString: strerror(errno)) }
