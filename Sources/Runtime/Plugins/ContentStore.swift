internal import Glibc
internal import JobCore
internal import Supervision
internal import UVLoop

/// The files of the content store, seen from the host: which of them can go.
@LoopActor
struct ContentStore {
    let directory: String
    /// In bytes; beyond it the oldest files that nobody needs go. What once ran is kept until then: it can be replayed.
    let limit: UInt64

    /// Nobody touches a file that is younger: it may be on its way to its first load.
    private static let grace = 60

    /// The library of a version; nil: it is not here.
    func library(_ sha256: String) -> (path: String, bytes: UInt64)? {
        guard sha256.utf8.count == 64, sha256.utf8.allSatisfy(Self.isHex) else { return nil }
        let path = "\(self.directory)/\(sha256).so"
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return (path, UInt64(status.st_size))
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// Deletes the file of a version that never ran.
    func drop(_ image: PluginImage, unless needed: Set<String>) {
        if !needed.contains(image.path) && image.configuration == nil { unlink(image.path) }
    }

    /// Of all files that are not hidden.
    private var names: [String] {
        guard let entries = opendir(self.directory) else { return [] }
        defer { closedir(entries) }
        var names: [String] = []
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    /// Deletes the oldest files that nobody needs, until the rest fits.
    /// - Returns: how many.
    func sweep(keeping needed: Set<String>) -> Int {
        var total: UInt64 = 0
        var candidates: [(path: String, bytes: UInt64, age: Int)] = []
        let now = time(nil)
        for name in self.names {
            let path = "\(self.directory)/\(name)"
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            total += UInt64(status.st_size)
            let age = now - status.st_ctim.tv_sec
            if age > Self.grace, name.hasSuffix(".so"), !needed.contains(path) {
                candidates.append((path, UInt64(status.st_size), age))
            }
        }
        var removed = 0
        for file in candidates.sorted(by: { $0.age > $1.age }) where total > self.limit {
            guard unlink(file.path) == 0 else { continue }
            total -= file.bytes
            removed += 1
        }
        return removed
    }

    /// What is older has been given its name, or never will be.
    private static let orphanAge = 3600

    /// Files that no version is known of: neither here nor, as `isKnown` says of a hash, anywhere.
    func orphans(keeping needed: Set<String>, isKnown: (Set<String>) async -> Set<String>?) async -> [Orphan] {
        let names = self.names
        // The library that serves a manifest of C functions is a file too, and no version.
        let hasBridge = names.contains { $0.hasSuffix(".pawl.json") }
        var found: [(path: String, hash: String)] = []
        for name in names {
            let path = "\(self.directory)/\(name)"
            var status = stat()
            guard !needed.contains(path), !(hasBridge && name.hasSuffix(".so")), lstat(path, &status) == 0,
                status.st_mode & S_IFMT == S_IFREG, time(nil) - status.st_mtim.tv_sec > Self.orphanAge
            else { continue }
            // Only a whole name stands for a version.
            let isWhole = name.hasSuffix(".so") || name.hasSuffix(".pawl.json")
            found.append((path, isWhole ? String(name.prefix { $0 != "." }) : ""))
        }
        // Who cannot say what is known has nothing removed.
        guard !found.isEmpty, let known = await isKnown(Set(found.map(\.hash))) else { return [] }
        return found.filter { !known.contains($0.hash) }.compactMap {
            Supervisor.orphan(.fileWithoutOwner, $0.path, "in the content store")
        }
    }
}
