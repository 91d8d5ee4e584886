internal import CLinux
internal import Glibc
internal import UVLoop

/// Short reads and writes of kernel files: /proc and cgroups. Blocking in form, instant in fact.
enum SmallFiles {
    /// Up to `limit` bytes; nil when it cannot be read.
    static func read(_ path: String, at directory: Int32 = AT_FDCWD, limit: Int = 64 << 10) -> [UInt8]? {
        let fd = openat(directory, path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        return [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            while count < limit {
                let length = Glibc.read(fd, buffer.baseAddress?.advanced(by: count), limit - count)
                if length <= 0 { break }
                count += length
            }
        }
    }

    static func text(_ path: String, at directory: Int32 = AT_FDCWD) -> String? {
        self.read(path, at: directory).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Returns 0 or the errno.
    @discardableResult
    static func write(_ text: String, to path: String, at directory: Int32 = AT_FDCWD) -> Int32 {
        let fd = openat(directory, path, O_WRONLY | O_CLOEXEC)
        guard fd >= 0 else { return errno }
        defer { close(fd) }
        var text = text
        let written = text.withUTF8 { Glibc.write(fd, $0.baseAddress, $0.count) }
        return written >= 0 ? 0 : errno
    }

    /// Gives up to 4 KiB of a file to `body`, without an allocation. Nothing where it cannot be read.
    static func withBytes(
        _ path: String, at directory: Int32 = AT_FDCWD, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        let fd = openat(directory, path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return }
        defer { close(fd) }
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let length = Glibc.read(fd, buffer.baseAddress, buffer.count)
            if length > 0 { body(UnsafeRawBufferPointer(rebasing: buffer[..<length])) }
        }
    }

    /// Whole numbers, one per line or word.
    static func numbers(_ path: String, at directory: Int32 = AT_FDCWD, limit: Int = 64 << 10) -> [Int32] {
        guard let bytes = self.read(path, at: directory, limit: limit) else { return [] }
        var numbers: [Int32] = []
        bytes.withUnsafeBytes { self.numbers(in: $0) { numbers.append($0) } }
        return numbers
    }

    /// The same of a file of at most 4 KiB, without an allocation.
    static func withNumbers(_ path: String, _ body: (Int32) -> Void) {
        self.withBytes(path) { self.numbers(in: $0, body) }
    }

    private static func numbers(in bytes: UnsafeRawBufferPointer, _ body: (Int32) -> Void) {
        var value: Int32?
        for byte in bytes {
            if (0x30...0x39).contains(byte) {
                value = (value ?? 0) &* 10 &+ Int32(byte - 0x30)
            } else if let number = value {
                body(number)
                value = nil
            }
        }
        if let value { body(value) }
    }

    /// Names in a directory, without `.` and `..`; empty when it cannot be read.
    static func entries(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes a directory, and what is missing above it. Returns 0 or the errno.
    static func makeDirectories(_ path: String, mode: mode_t) -> Int32 {
        if mkdir(path, mode) == 0 || errno == EEXIST { return 0 }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return errno }
        let result = self.makeDirectories(String(path[..<slash]), mode: mode)
        if result != 0 { return result }
        return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : errno
    }
}
