import Glibc

/// Why a file cannot be read: the system's number and words.
struct FileError: Error {
    let number: Int32
    var words: String { String(cString: strerror(self.number)) }
}

/// Blocking file access of the command line client.
enum ClientFiles {
    /// The whole file.
    static func read(_ path: String) -> Result<[UInt8], FileError> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(FileError(number: errno)) }
        defer { close(descriptor) }
        return self.readAll(descriptor)
    }

    /// Everything up to the end of standard input.
    static func readStandardInput() -> Result<[UInt8], FileError> { self.readAll(STDIN_FILENO) }

    /// The whole file, or none: a half-written one is removed.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t, isReplacing: Bool) throws(ClientFailure) {
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (isReplacing ? O_TRUNC : O_EXCL)
        let descriptor = open(path, flags, mode)
        var written = descriptor >= 0
        var rest = bytes[...]
        while written, !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            written = count > 0
            rest = rest.dropFirst(max(0, count))
        }
        let words = String(cString: strerror(errno))
        if descriptor >= 0, close(descriptor) != 0 { written = false }
        guard written else {
            if descriptor >= 0 { unlink(path) }
            throw ClientFailure(exit: .configuration, message: "\(path) cannot be written: \(words).")
        }
    }

    private static func readAll(_ descriptor: Int32) -> Result<[UInt8], FileError> {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return .success(bytes) }
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(FileError(number: errno))
            }
            bytes.append(contentsOf: buffer[..<count])
        }
    }
}
