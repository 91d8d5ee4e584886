import Glibc
package import JobCore

/// The compiled files of a time zone database, as the system keeps them: read where they are needed, nothing is remembered.
package struct ZoneFiles: Sendable {
    /// Debian's package tzdata.
    package static let systemDirectory = "/usr/share/zoneinfo"
    /// Zone files have a few kilobytes, `tzdata.zi` a hundred; what is bigger is neither.
    private static let sizeLimit = 1 << 20

    package let directory: String

    package init(directory: String = ZoneFiles.systemDirectory) { self.directory = directory }

    /// Nil if there is no such zone.
    package func rules(_ name: String) -> (any ZoneRules)? {
        if name == "UTC" || name == "Etc/UTC" { return UTCRules() }
        guard Self.isPlausible(name), let bytes = read(name) else { return nil }
        return TimeZoneFile(bytes)
    }

    /// Of the database, such as `2026b`; nil if it does not say. A new one may move what schedules have planned.
    package var release: String? {
        if let text = read("+VERSION").map({ String(decoding: $0, as: UTF8.self) }) {
            return text.split(whereSeparator: \.isWhitespace).first.map(String.init)
        }
        guard
            let line = read("tzdata.zi").map({ String(decoding: $0.prefix(100), as: UTF8.self) })?
                .split(separator: "\n").first, line.hasPrefix("# version ")
        else { return nil }
        return String(line.dropFirst(10))
    }

    /// Names of the zones with a place (`zone1970.tab` and the links to them in `tzdata.zi`), sorted; empty without the lists.
    package var names: [String] {
        guard let text = read("tzdata.zi").map({ String(decoding: $0, as: UTF8.self) }) else { return [] }
        var names: Set<String> = ["UTC"]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            // `Z name …` is a zone, `L target name` a link.
            if words.count > 1, words[0] == "Z" { names.insert(String(words[1])) }
            if words.count == 3, words[0] == "L" { names.insert(String(words[2])) }
        }
        return names.filter { ($0.contains("/") || $0 == "UTC") && ZoneName.advice($0) == nil }.sorted()
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

    private func read(_ name: String) -> [UInt8]? {
        let descriptor = open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
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
