import Glibc

/// The server's log files: the server starts a new one at 10 MB and every day; the host keeps the newest few.
enum ServerLog {
    static let prefix = "postgresql-"
    static let kept = 5

    /// Removes all but the newest files. Works on an open directory and never follows links, because the directory belongs to
    /// the server's user. Returns false if the directory cannot be read.
    @discardableResult
    static func prune(_ directory: String) -> Bool {
        let fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard fd >= 0 else { return false }
        guard let stream = fdopendir(fd) else {
            close(fd)
            return false
        }
        defer { closedir(stream) }
        let names = Files.entryNames(stream).filter { $0.hasPrefix(prefix) && $0.hasSuffix(".log") }
        // The names hold the time, so their order is that of time.
        for name in names.dropLast(kept) { unlinkat(dirfd(stream), name, 0) }
        return true
    }
}
