import Glibc
import UVLoop

/// Holds a data directory for this process: two hosts must not share one.
///
/// The kernel drops the lock with the process, however that ends; helper processes do not inherit it.
package final class DataDirectoryLock: Sendable {
    private let fd: Int32
    /// The directory's real path.
    package let dataDirectory: String

    /// Makes the directory if it is missing (parents 0755), and locks the file `lock` in it. Does not wait.
    ///
    /// The directory's mode is 0700; made by root 0711, so that the server's user can pass to its own files below.
    /// Throws `.inUse` if another process, or another lock of this one, holds it; `.files` or `.diskFull`.
    package init(dataDirectory: String) throws(EmbeddedPostgresError) {
        try Files.makeDirectories(dataDirectory, mode: geteuid() == 0 ? 0o711 : 0o700)
        self.dataDirectory = try Files.real(dataDirectory)
        let path = self.dataDirectory + "/lock"
        let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw Files.failure("open \(path)") }
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
            let isHeld = errno == EWOULDBLOCK
            defer { close(fd) }
            guard isHeld else { throw Files.failure("lock \(path)") }
            let holder = try Files.read(path)?.split(separator: "\n").first.map(String.init)
            throw .inUse(dataDirectory: self.dataDirectory, holder: holder)
        }
        self.fd = fd
        // For people only, so a failure does not matter: the lock is what counts.
        let text = Array("process \(getpid())\n".utf8)
        if ftruncate(fd, 0) == 0 { _ = pwrite(fd, text, text.count, 0) }
    }

    deinit { close(fd) }
}
