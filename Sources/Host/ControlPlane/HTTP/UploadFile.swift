import Glibc
import HTTPTypes
import UVLoop

/// A file that is written as it comes over HTTP, and is gone when the request is over, however it ends.
///
/// Each piece is one write into the page cache; nothing is read back and nothing waits for the disk here.
@LoopActor
final class UploadFile {
    let path: String
    private(set) var bytes: Int64 = 0
    private let fd: Int32

    /// - Parameter suffix: of the name, which is nobody's wish: names from requests are not used for paths.
    init(in directory: String, suffix: String) throws(Problem) {
        if mkdir(directory, 0o700) != 0, errno != EEXIST { throw Self.noRoom(errno) }
        path = "\(directory)/upload-\(UInt64.random(in: .min ... .max))\(suffix)"
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw Self.noRoom(errno) }
    }

    isolated deinit {
        close(fd)
        unlink(path)
    }

    /// Reads `pieces` to the end.
    func fill(from pieces: Call.Pieces) async throws {
        while let piece = try await pieces() {
            var rest = piece[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Self.noRoom(errno) }
                rest = rest.dropFirst(count)
                bytes += Int64(count)
            }
        }
    }

    /// Removes what a host that ended in the middle of an upload has left.
    static func sweep(_ directory: String) {
        guard let stream = opendir(directory) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix("upload-") { unlink("\(directory)/\(name)") }
        }
    }

    private static func noRoom(_ number: Int32) -> Problem {
        var problem = Problem(
            .init(code: 507, reasonPhrase: "Insufficient Storage"), "no_room",
            "The upload cannot be kept: \(String(cString: strerror(number))).")
        problem.isRetryable = true
        return problem
    }
}
