import Glibc
import HTTPTypes
import JobCore
import UVLoop

extension Backend {
    var pluginByteRoutes: [Route] {
        [
            Route(.get, "/api/v1/plugins/versions/{version}/bytes") { [self] in try sendPlugin($0) }
        ]
    }

    /// The very bytes that attempts of this version run, so that a run can be repeated elsewhere. The store's files are
    /// written once and are small and warm; each piece is one read of the page cache.
    private func sendPlugin(_ call: Call) throws -> Answer {
        let version = call.parameter("version")
        guard let stored = host.storedPlugin(version: version) else { throw Problem.notFound("version", version) }
        guard let file = PluginFile(stored.path) else { throw Problem.notFound("version", version) }
        let answer = Answer.stream(type: "application/octet-stream") { file.next() }
            .with(.contentDisposition, "attachment; filename=\"\(version).so\"")
        return answer.with(.eTag, "\"\(version)\"")
    }
}

/// An open file that is read piece by piece.
@LoopActor
private final class PluginFile {
    private static let piece = 65_536
    private let fd: Int32

    init?(_ path: String) {
        fd = open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 { return nil }
    }

    isolated deinit { close(fd) }

    /// Nil at the end, or where it cannot be read: the receiver checks the hash.
    func next() -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.piece) { buffer, count in
            count = max(0, read(fd, buffer.baseAddress, buffer.count))
        }
        return bytes.isEmpty ? nil : bytes
    }
}
