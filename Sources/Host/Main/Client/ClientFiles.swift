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
