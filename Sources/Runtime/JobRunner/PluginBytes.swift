import Glibc
import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

/// Why the bytes of a version did not come or go, in words for people.
struct PluginBytesFault: Error, Equatable, CustomStringConvertible {
    var words: String
    /// It may be otherwise in a moment: the database is away, or another host is still writing them.
    var isTransient: Bool

    init(_ words: String, isTransient: Bool = false) {
        self.words = words
        self.isTransient = isTransient
    }

    /// With the calling thread's errno.
    static func last(_ what: String) -> PluginBytesFault {
        PluginBytesFault("\(what): \(String(cString: strerror(errno)))")
    }

    init(_ error: StoreError) { self.init("\(error)", isTransient: error.isTransient) }

    var description: String { self.words }
}

/// Bytes of versions on their way between a host's store and the database: a part at a time, so that the loop does other
/// things in between and memory holds a part at most.
@LoopActor
struct PluginBytes {
    /// What came from the database, not checked yet: two files that their receiver removes.
    struct Fetched {
        var library: String
        /// Text that the library is given.
        var configuration: String?
        var signature: [UInt8]?

        func remove() {
            unlink(self.library)
            if let configuration { unlink(configuration) }
        }
    }

    let store: JobStore
    /// Where fetched files lie until they are checked: on the file system of the content store.
    let directory: String

    private static func tooLarge(_ bytes: UInt64) -> String {
        """
        it has \(bytes) bytes, and at most \(JobStore.blobLimit) go into the database: other hosts serve it only where its file lies \
        in their own plugin directory
        """
    }

    /// Brings a version into the database; does nothing where it is complete there. Safe to repeat.
    /// - Returns: why it does not go there, now and later; nil: it is there.
    func put(_ image: PluginImage) async throws(StoreError) -> String? {
        guard image.bytes <= UInt64(JobStore.blobLimit) else {
            return Self.tooLarge(image.bytes)
        }
        let missing = try await self.store.beginBlob(
            image.sha256, size: Int64(image.bytes), configuration: image.configuration,
            signature: image.signature)
        if missing.isEmpty {
            // All parts, and whoever wrote them may not have got to say so.
            if try await self.store.blob(image.sha256)?.isComplete == true { return nil }
        }
        let fd = open(image.path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return "cannot open \(image.path): \(String(cString: strerror(errno)))" }
        defer { close(fd) }
        for part in missing {
            guard let bytes = Self.read(fd, part, image) else { return "\(image.path) is shorter than it was" }
            try await self.store.putBlobPart(image.sha256, part, bytes)
        }
        let isComplete = try await self.store.completeBlob(image.sha256)
        return isComplete ? nil : "its parts in the database do not fit together"
    }

    private static func read(_ fd: Int32, _ part: Int, _ image: PluginImage) -> [UInt8]? {
        let offset = part * JobStore.blobPartSize
        let wanted = min(JobStore.blobPartSize, Int(image.bytes) - offset)
        var isShort = false
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            while filled < wanted {
                let count = pread(fd, buffer.baseAddress?.advanced(by: filled), wanted - filled, off_t(offset + filled))
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    isShort = true
                    return
                }
                filled += count
            }
        }
        return isShort ? nil : bytes
    }

    /// Brings a version from the database. What came is whatever was there: check it.
    func fetch(_ sha256: String) async throws(PluginBytesFault) -> Fetched {
        do {
            guard let blob = try await self.store.blob(sha256), blob.isComplete else {
                let size = try await self.store.pluginVersion(sha256)?.sizeBytes ?? 0
                if size > JobStore.blobLimit { throw PluginBytesFault(Self.tooLarge(UInt64(size))) }
                throw PluginBytesFault("its bytes are not in the database (yet)", isTransient: true)
            }
            // A name of its own: the same version may be fetched twice at once, by somebody's order and for a row.
            let library = "\(self.directory)/.fetch-\(getpid())-\(UInt64.random(in: .min ... .max))-\(sha256)"
            var fetched = Fetched(library: library, signature: blob.signature)
            do {
                try await self.write(sha256, blob, to: library)
                if let text = blob.configuration {
                    fetched.configuration = library + ".json"
                    try Self.write(Array(text.utf8), to: library + ".json")
                }
                return fetched
            } catch {
                fetched.remove()
                throw error
            }
        } catch let error as PluginBytesFault {
            throw error
        } catch let error as StoreError {
            throw PluginBytesFault(error)
        } catch {
            throw PluginBytesFault("\(error)")
        }
    }

    private func write(_ sha256: String, _ blob: PluginBlob, to path: String) async throws {
        let fd = try Self.create(path)
        defer { close(fd) }
        for part in 0..<blob.parts {
            guard let bytes = try await self.store.blobPart(sha256, part) else {
                throw PluginBytesFault("part \(part) of its bytes is missing in the database")
            }
            try Self.append(bytes, to: fd, path)
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) throws(PluginBytesFault) {
        let fd = try self.create(path)
        defer { close(fd) }
        try self.append(bytes, to: fd, path)
    }

    private static func create(_ path: String) throws(PluginBytesFault) -> Int32 {
        unlink(path)
        let fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw .last("cannot make \(path)") }
        return fd
    }

    private static func append(_ bytes: [UInt8], to fd: Int32, _ path: String) throws(PluginBytesFault) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(fd, $0.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .last("cannot write \(path)") }
            written += count
        }
    }

    /// Removes what an earlier life of this host has left behind.
    func sweep() {
        guard let directory = opendir(self.directory) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".fetch-") { unlink("\(self.directory)/\(name)") }
        }
    }
}
