import Glibc

/// What tells one content of a file from the next without reading it. Equal stamps: the same content, as far as the kernel's
/// clock tells; files that are replaced by a rename have another inode.
struct FileStamp: Equatable, Sendable {
    private var inode: UInt
    private var size: Int
    private var seconds: Int
    private var nanoseconds: Int
    /// Of the last change of anything, rights too: what could not be taken for them may be fit now.
    private var changed: [Int]

    /// Nil if there is none, or nobody lets us look.
    init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        inode = UInt(info.st_ino)
        size = info.st_size
        seconds = info.st_mtim.tv_sec
        nanoseconds = info.st_mtim.tv_nsec
        changed = [info.st_ctim.tv_sec, info.st_ctim.tv_nsec]
    }
}

/// Small files that somebody configures: certificates and keys.
enum SmallFile {
    /// More is not read, in bytes.
    static let limit = 1 << 20

    /// Nil if it cannot be read, or is larger. Blocks, so for local files only; a pipe or a device is none.
    static func read(_ path: String) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= limit {
            let count = Glibc.read(fd, &buffer, buffer.count)
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
        return nil
    }
}
