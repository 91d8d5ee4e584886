import Glibc
import UVLoop

/// The few file operations that the cluster needs, with typed errors.
enum Files {
    typealias Failure = EmbeddedPostgresError

    static func exists(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0
    }

    /// Makes a directory with exactly this mode and owner, or gives an existing one them. Refuses anything that is no
    /// directory, a symbolic link too.
    static func makeDirectory(_ path: String, mode: mode_t, owner: (uid: uid_t, gid: gid_t)? = nil) throws(Failure) {
        if mkdir(path, mode) != 0, errno != EEXIST { throw failure("create the directory \(path)") }
        let fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard fd >= 0 else { throw failure("open the directory \(path)") }
        defer { close(fd) }
        if let owner, fchown(fd, owner.uid, owner.gid) != 0 { throw failure("give away the directory \(path)") }
        guard fchmod(fd, mode) == 0 else { throw failure("set the mode of \(path)") }
    }

    /// Makes a directory and its parents; an existing one stays as it is.
    static func makeDirectories(_ path: String, mode: mode_t) throws(Failure) {
        if exists(path) { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeDirectories(String(path[..<slash]), mode: 0o755)
        }
        if mkdir(path, mode) != 0, errno != EEXIST { throw failure("create the directory \(path)") }
    }

    /// nil if there is no such file.
    static func read(_ path: String, limit: Int = 1 << 16) throws(Failure) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if fd < 0, errno == ENOENT { return nil }
        guard fd >= 0 else { throw failure("open \(path)") }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var filled = 0
        while filled < limit {
            let count = bytes.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress! + filled, limit - filled) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read \(path)") }
            if count == 0 { break }
            filled += count
        }
        return String(decoding: bytes[..<filled], as: UTF8.self)
    }

    /// The last bytes of a file, from the start of a line; nil if there is no such file.
    static func tail(_ path: String, limit: Int) throws(Failure) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        if fd < 0, errno == ENOENT { return nil }
        guard fd >= 0 else { throw failure("open \(path)") }
        defer { close(fd) }
        let size = Int(lseek(fd, 0, SEEK_END))
        let start = max(0, size - limit)
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = pread(fd, &bytes, limit, off_t(start))
        guard count >= 0 else { throw failure("read \(path)") }
        var text = bytes[..<count]
        if start > 0, let lineEnd = text.firstIndex(of: 10) { text = text[(lineEnd + 1)...] }
        return String(decoding: text, as: UTF8.self)
    }

    /// The entries of a directory, sorted, without `.` and `..`. Does not follow a link in the last part of the path.
    static func names(in path: String) throws(Failure) -> [String] {
        let fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard fd >= 0 else { throw failure("open the directory \(path)") }
        guard let stream = fdopendir(fd) else {
            close(fd)
            throw failure("list the directory \(path)")
        }
        defer { closedir(stream) }
        return entryNames(stream)
    }

    /// What `stream` has left, sorted.
    static func entryNames(_ stream: OpaquePointer) -> [String] {
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Replaces a file as a whole: after a crash it is the old or the new one.
    static func write(_ text: String, to path: String, mode: mode_t) throws(Failure) {
        let temporary = path + ".new"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode)
        guard fd >= 0 else { throw failure("write \(temporary)") }
        defer { close(fd) }
        var left = Array(text.utf8)[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write \(temporary)") }
            left = left.dropFirst(count)
        }
        guard fchmod(fd, mode) == 0, fsync(fd) == 0, Glibc.rename(temporary, path) == 0 else {
            throw failure("write \(path)")
        }
    }

    static func rename(_ from: String, to: String) throws(Failure) {
        guard Glibc.rename(from, to) == 0 else { throw failure("rename \(from) to \(to)") }
    }

    /// Makes a rename durable.
    static func syncDirectory(_ path: String) throws(Failure) {
        let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw failure("open the directory \(path)") }
        defer { close(fd) }
        guard fsync(fd) == 0 else { throw failure("sync the directory \(path)") }
    }

    /// The path without symbolic links, relative parts and doubled slashes.
    static func real(_ path: String) throws(Failure) -> String {
        guard let resolved = realpath(path, nil) else { throw failure("find \(path)") }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The errno of the last call as our error.
    static func failure(_ operation: String) -> Failure {
        let error = LoopError.last(operation)
        return error.code == ENOSPC || error.code == EDQUOT ? .diskFull(path: operation) : .files(error)
    }
}

/// Names a data directory in places that many share. FNV-1a (64 bits): it has to spread, not to resist an attacker.
func shortHash(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
