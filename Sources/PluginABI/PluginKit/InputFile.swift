import Glibc

/// A file to be read from its start to its end, in pieces, so that its size does not matter. No Foundation needed.
///
/// ```swift
/// let file = try InputFile(args.path)
/// context.total(file.size ?? 0, unit: "bytes")
/// while let chunk = try file.read() {
///     try context.checkCancellation()
///     context.advance(chunk.count)
/// }
/// ```
///
/// Not for use by several tasks at once, which the compiler checks.
public final class InputFile {
    /// As given.
    public let path: String
    /// The size at the time of opening; nil for what is no regular file (a pipe, a device).
    public let size: Int?
    private let descriptor: Int32

    /// Opens for reading. Throws a ``JobFailure`` that is never retried: `file_not_found`, `permission_denied`,
    /// `is_a_directory`, or `open_failed` (which is retried by policy).
    public init(_ path: String) throws(JobFailure) {
        self.path = path
        self.descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard self.descriptor >= 0 else { throw Self.failure("open", path, errno) }
        var status = stat()
        guard fstat(self.descriptor, &status) == 0 else {
            let error = errno
            close(self.descriptor)
            throw Self.failure("open", path, error)
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            close(self.descriptor)
            throw Self.failure("open", path, EISDIR)
        // Files of /proc are regular ones of size 0.
        case S_IFREG: self.size = status.st_size > 0 ? Int(status.st_size) : nil
        default: self.size = nil
        }
    }

    deinit {
        close(self.descriptor)
    }

    /// The next piece, nil at the end. Blocks. Throws a ``JobFailure`` `read_failed`, or `is_a_directory`.
    ///
    /// - Parameter limit: at most this many bytes; fewer may come, but at least one.
    public func read(upTo limit: Int = 1 << 18) throws(JobFailure) -> [UInt8]? {
        precondition(limit > 0, "a piece has at least one byte")
        var failed: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = 0
            while true {
                let result = Glibc.read(self.descriptor, buffer.baseAddress, limit)
                if result >= 0 {
                    count = result
                    return
                }
                if errno != EINTR {
                    failed = errno
                    return
                }
            }
        }
        guard failed == 0 else { throw Self.failure("read", self.path, failed) }
        return chunk.isEmpty ? nil : chunk
    }

    private static func failure(_ operation: String, _ path: String, _ error: Int32) -> JobFailure {
        let message = "\(path): \(String(cString: strerror(error)))"
        return switch error {
        case ENOENT, ENOTDIR: JobFailure("file_not_found", message, retry: .never)
        case EACCES, EPERM: JobFailure("permission_denied", message, retry: .never)
        case EISDIR: JobFailure("is_a_directory", message, retry: .never)
        default: JobFailure("\(operation)_failed", message)
        }
    }
}
