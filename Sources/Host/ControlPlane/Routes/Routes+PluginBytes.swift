import Glibc
import HTTPTypes
import JobCore
import JobStore
import UVLoop

extension Backend {
    var pluginByteRoutes: [Route] {
        [
            Route(.get, "/api/v1/plugins/versions/{version}/bytes") { [self] in try await sendPlugin($0) },
            Route(.get, "/api/v1/plugins/{plugin}/versions/{version}/bytes") { [self] in try await sendPlugin($0) },
            Route(.get, "/api/v1/plugins/versions/{version}/configuration") { [self] in
                try await sendConfiguration($0)
            },
        ]
    }

    /// The very bytes that attempts of this version run, so that a run can be repeated elsewhere. The store's files are
    /// written once and are small and warm; each piece is one read of the page cache. What another host has comes from the
    /// database, part by part.
    private func sendPlugin(_ call: Call) async throws -> Answer {
        let version = try storedName(call)
        let stream: Answer.Stream
        if let stored = host.storedPlugin(version: version), let file = PluginFile(stored.path) {
            stream = { file.next() }
        } else if let blob = try await store.blob(version), blob.isComplete {
            let parts = blob.parts
            var next = 0
            stream = { [store] in
                guard next < parts else { return nil }
                defer { next += 1 }
                guard let part = try await store.blobPart(version, next) else {
                    // Taken away meanwhile: the answer ends early, and the receiver sees by the hash that it is not whole.
                    return nil
                }
                return part
            }
        } else {
            throw Problem.notFound("version", version)
        }
        return Answer.stream(type: "application/octet-stream", stream)
            .with(.contentDisposition, "attachment; filename=\"\(version).so\"")
            .with(.eTag, "\"\(version)\"")
    }

    /// The text that goes with a library which serves a manifest of C functions.
    private func sendConfiguration(_ call: Call) async throws -> Answer {
        let version = try storedName(call)
        let stored = host.storedPlugin(version: version)
        var text = stored?.configuration
        if text == nil, stored == nil { text = try await store.blob(version)?.configuration }
        guard let text else {
            throw Problem(.notFound, "no_configuration", "Version \(version.clipped) has no text of its own.")
        }
        return Answer(bytes: Array(text.utf8), type: "application/json").with(.eTag, "\"\(version)\"")
    }

    /// A hash and nothing else.
    private func storedName(_ call: Call) throws(Problem) -> String {
        let version = call.parameter("version")
        let digits = Set("0123456789abcdef".utf8)
        guard version.utf8.count == 64, version.utf8.allSatisfy({ digits.contains($0) }) else {
            throw .notFound("version", version)
        }
        return version
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
