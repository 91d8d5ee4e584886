import Glibc
package import JobCore
package import UVLoop

/// Time zones by IANA name, read from compiled files once each.
@LoopActor
package final class ZoneDatabase {
    /// Where the system keeps them (Debian package tzdata).
    package nonisolated static let systemDirectory = "/usr/share/zoneinfo"
    /// Zone files have a few kilobytes; what is bigger is none.
    private static let sizeLimit = 1 << 20

    private let directory: String
    private var known: [String: any ZoneRules] = ["UTC": UTCRules(), "Etc/UTC": UTCRules()]

    package init(directory: String = ZoneDatabase.systemDirectory) { self.directory = directory }

    /// Nil if there is no such zone. Reads a small file on first use.
    package func rules(_ name: String) -> (any ZoneRules)? {
        if let rules = known[name] { return rules }
        guard Self.isPlausible(name), let bytes = read("\(directory)/\(name)"), let file = TimeZoneFile(bytes) else {
            return nil
        }
        known[name] = file
        return file
    }

    /// `Europe/Berlin`, `Etc/GMT+5`: no way out of the directory.
    private static func isPlausible(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return name.utf8.count <= 64 && parts.count <= 3
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy { byte in
                        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                            || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
                    }
            }
    }

    private func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= Self.sizeLimit
        else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress! + filled, buffer.count - filled)
            }
            guard count > 0 else { return nil }
            filled += count
        }
        return bytes
    }
}
