internal import CLinux
internal import Crypto
internal import Glibc

/// A file on its way into the store: without a name until it is complete and on disk.
struct StoreFile {
    private let store: String
    private(set) var fd: Int32
    private(set) var size: UInt64 = 0

    init(in store: String) throws(IngestFault) {
        self.store = store
        self.fd = open(store, Int32(LINUX_O_TMPFILE_BIT) | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o600)
        guard self.fd >= 0 else { throw .last("cannot make a file in \(store)") }
    }

    /// Whatever has the name of a plugin: a pipe without a writer must not hold anybody up.
    static let reading = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY

    mutating func close() {
        if self.fd >= 0 { Glibc.close(self.fd) }
        self.fd = -1
    }

    /// Copies `source`, at most `limit` bytes, and returns the SHA-256 in hexadecimal. Fails as a change when the source
    /// was written to or replaced meanwhile.
    mutating func fill(from source: String, limit: UInt64) throws(IngestFault) -> String {
        let input = open(source, Self.reading)
        guard input >= 0 else { throw .last("cannot open the file") }
        defer { Glibc.close(input) }
        var before = stat()
        guard fstat(input, &before) == 0 else { throw .last("cannot look at the file") }
        guard before.st_mode & S_IFMT == S_IFREG else { throw IngestFault("it is no regular file") }
        guard before.st_size > 0 else { throw IngestFault("the file is empty: no ELF shared object") }
        guard UInt64(before.st_size) <= limit else {
            throw IngestFault("the file has \(before.st_size) bytes, where \(limit) are the most")
        }
        let hash = try self.copy(input, limit)
        var after = stat()
        var named = stat()
        guard fstat(input, &after) == 0, stat(source, &named) == 0, Self.isSame(before, after),
            Self.isSame(after, named), self.size == UInt64(before.st_size)
        else { throw IngestFault("the file changed while it was copied", .change) }
        return hash
    }

    private mutating func copy(_ input: Int32, _ limit: UInt64) throws(IngestFault) -> String {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var hash = SHA256()
        while true {
            let length = read(input, buffer.baseAddress, buffer.count)
            if length < 0 && errno == EINTR { continue }
            guard length >= 0 else { throw .last("cannot read the file") }
            if length == 0 { break }
            self.size += UInt64(length)
            guard self.size <= limit else { throw IngestFault("the file grows while it is copied", .change) }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<length])
            hash.update(bufferPointer: piece)
            try self.append(piece)
        }
        return PluginIngest.hex(hash.finalize())
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws(IngestFault) {
        var written = 0
        while written < bytes.count {
            let count = write(self.fd, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .last("cannot write to the store") }
            written += count
        }
    }

    /// All of it.
    func bytes() throws(IngestFault) -> [UInt8] {
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(self.size)) { buffer, filled in
            while filled < buffer.count {
                let length = pread(
                    self.fd, buffer.baseAddress?.advanced(by: filled), buffer.count - filled, off_t(filled))
                if length < 0 && errno == EINTR { continue }
                if length <= 0 { break }
                filled += length
            }
        }
        guard bytes.count == Int(self.size) else { throw .last("cannot read the copy") }
        return bytes
    }

    /// Whether a file has the same bytes.
    private func isEqual(to path: String) -> Bool {
        let other = open(path, O_RDONLY | O_CLOEXEC)
        guard other >= 0 else { return false }
        defer { Glibc.close(other) }
        var there = stat()
        guard fstat(other, &there) == 0, UInt64(there.st_size) == self.size else { return false }
        let piece = 1 << 18
        let buffers = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * piece, alignment: 16)
        defer { buffers.deallocate() }
        guard let first = buffers.baseAddress else { return false }
        let second = first + piece
        var offset = 0
        while offset < Int(self.size) {
            let length = pread(self.fd, first, piece, off_t(offset))
            guard length > 0, pread(other, second, length, off_t(offset)) == length, memcmp(first, second, length) == 0
            else { return false }
            offset += length
        }
        return true
    }

    /// What the bytes of a file hash to.
    static func hash(of path: String) throws(IngestFault) -> String {
        let fd = open(path, self.reading)
        guard fd >= 0 else { throw .last("cannot open the file") }
        defer { Glibc.close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw IngestFault("it is no regular file")
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var hash = SHA256()
        while true {
            let length = read(fd, buffer.baseAddress, buffer.count)
            if length < 0 && errno == EINTR { continue }
            guard length >= 0 else { throw .last("cannot read the file") }
            if length == 0 { return PluginIngest.hex(hash.finalize()) }
            hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<length]))
        }
    }

    /// Same file, same length, and nobody wrote to it in between.
    private static func isSame(_ a: stat, _ b: stat) -> Bool {
        a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size
            && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec
    }

    /// Gives it its name, once it is on disk and read-only. A file of that name has the same bytes. Returns its path.
    func publish(as name: String) throws(IngestFault) -> String {
        let path = "\(self.store)/\(name)"
        guard fsync(self.fd) == 0, fchmod(self.fd, 0o444) == 0 else { throw .last("cannot finish \(path)") }
        if linkat(AT_FDCWD, "/proc/self/fd/\(self.fd)", AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0 {
            guard errno == EEXIST else { throw .last("cannot name \(path)") }
            if self.isEqual(to: path) { return path }
            // Only a broken disk or a meddler makes it so; the bytes under this name must be the right ones.
            let replacement = "\(path).\(getpid())"
            guard linkat(AT_FDCWD, "/proc/self/fd/\(self.fd)", AT_FDCWD, replacement, AT_SYMLINK_FOLLOW) == 0,
                rename(replacement, path) == 0
            else { throw .last("cannot replace \(path)") }
        }
        let directory = open(self.store, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            Glibc.close(directory)
        }
        return path
    }
}
