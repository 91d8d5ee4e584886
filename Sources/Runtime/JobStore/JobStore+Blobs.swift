import JobCore
import Postgres

/// The bytes of a version in the database, without the bytes.
package struct PluginBlob: Sendable, Hashable {
    /// Of the shared library.
    package var sizeBytes: Int64
    package var parts: Int
    /// Text that the library is given.
    package var configuration: String?
    /// Detached, of what its author signed.
    package var signature: [UInt8]?
    /// False: some parts are still to come.
    package var isComplete: Bool
}

/// Bytes of versions go in and out in parts, so that neither side ever holds a whole library, and none keeps the loop for
/// long. Who reads them checks the hash: nothing here does.
extension JobStore {
    /// Bytes of each part but the last.
    package nonisolated static let blobPartSize = 256 << 10
    /// No version is larger: 256 MiB.
    package nonisolated static let blobLimit: Int64 = 256 << 20

    /// How many parts so many bytes are.
    package nonisolated static func blobParts(_ size: Int64) -> Int {
        Int((size + Int64(blobPartSize) - 1) / Int64(blobPartSize))
    }

    /// Nil: nothing is there of it.
    package func blob(_ sha256: String) async throws(StoreError) -> PluginBlob? {
        try await decoding {
            try await self.pool.query(.blobHead, [.text(sha256)]).first.map { row in
                var reader = RowReader(row)
                return PluginBlob(
                    sizeBytes: try reader.int64(), parts: try reader.int(), configuration: try reader.textOrNil(),
                    signature: try reader.bytesOrNil(),
                    isComplete: try reader.bool())
            }
        }
    }

    /// Begins, or goes on. Throws `.invalid` for what is too large.
    /// - Returns: which parts are missing; none: it is complete.
    package func beginBlob(
        _ sha256: String, size: Int64, configuration: String?, signature: [UInt8]? = nil
    ) async throws(StoreError) -> [Int] {
        guard (1...Self.blobLimit).contains(size) else {
            throw .invalid(
                FieldFault(
                    pointer: "", code: "too_large",
                    detail: "a version of \(size) bytes; at most \(Self.blobLimit) go into the database"))
        }
        let parts = Self.blobParts(size)
        return try await decoding {
            let answers = try await self.pool.transaction([
                (
                    .blobBegin,
                    [
                        .text(sha256), .int64(size), .int32(Int32(parts)), .text(orNull: configuration),
                        signature.map { .bytes($0) } ?? .null,
                    ]
                ),
                (.blobPresent, [.text(sha256)]),
            ])
            var reader = RowReader(answers[0][0])
            let isSame = try reader.int64() == size && reader.int() == parts
            guard isSame else {
                throw StoreError.conflict(
                    code: "blob_mismatch", detail: "the database has bytes of another length under the same hash",
                    currentState: nil)
            }
            if try reader.bool() { return [] }
            let present = try Set(answers[1].map { try Int($0.int64(0)) })
            return (0..<parts).filter { !present.contains($0) }
        }
    }

    package func putBlobPart(_ sha256: String, _ part: Int, _ bytes: [UInt8]) async throws(StoreError) {
        _ = try await query(.blobPut, [.text(sha256), .int32(Int32(part)), .bytes(bytes)])
    }

    /// All parts have been put; hosts that wait for it are told.
    /// - Returns: false if parts are missing after all.
    package func completeBlob(_ sha256: String) async throws(StoreError) -> Bool {
        try await !query(.blobComplete, [.text(sha256)]).isEmpty
    }

    /// Nil: it is not there.
    package func blobPart(_ sha256: String, _ part: Int) async throws(StoreError) -> [UInt8]? {
        try await decoding {
            try await self.pool.query(.blobPart, [.text(sha256), .int32(Int32(part))]).first?.bytes(0)
        }
    }

    /// Takes a version's bytes away at once, whoever may still want them.
    package func dropBlob(_ sha256: String) async throws(StoreError) { _ = try await query(.blobDrop, [.text(sha256)]) }
}
