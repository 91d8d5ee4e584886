internal import Glibc
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

    /// Deletes the oldest files that nobody needs, until the rest fits.
    /// - Returns: how many.
    func sweep(keeping needed: Set<String>) -> Int {
        guard let entries = opendir(self.directory) else { return 0 }
        defer { closedir(entries) }
        var total: UInt64 = 0
        var candidates: [(path: String, bytes: UInt64, age: Int)] = []
        let now = time(nil)
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let path = "\(self.directory)/\(name)"
            var status = stat()
            guard !name.hasPrefix("."), lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
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
}
