internal import Glibc

/// Where the loader looks for needed libraries (ld.so(8)), and what it finds there.
package struct ELFSearch: Sendable {
    /// One library that a plugin needs, itself or through others.
    package struct Found: Sendable {
        package var name: String
        /// Where it is; nil: nowhere.
        package var path: String?
        /// Who asked for it: a file name.
        package var neededBy: String
    }

    /// Directories in order.
    private let directories: [String]
    /// More than this, and it is no plugin but a way to keep us busy.
    private static let libraryLimit = 256

    /// The loader's own: what ld.so.conf names, the built-in ones. Not LD_LIBRARY_PATH, which no zygote has.
    package init() {
        var directories: [String] = []
        directories += Self.configured("/etc/ld.so.conf", depth: 0)
        #if arch(x86_64)
            directories += ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"]
        #elseif arch(arm64)
            directories += ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        #elseif arch(riscv64)
            directories += ["/lib/riscv64-linux-gnu", "/usr/lib/riscv64-linux-gnu"]
        #endif
        self.directories = directories + ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    }

    /// ld.so.conf: a directory a line, `include` with a pattern.
    private static func configured(_ path: String, depth: Int) -> [String] {
        guard depth < 8, let stream = fopen(path, "re") else { return [] }
        defer { fclose(stream) }
        var directories: [String] = []
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, Int32(buffer.count), stream) != nil {
            let bytes = buffer.prefix { $0 != 0 && $0 != 10 && $0 != 35 }.map { UInt8(bitPattern: $0) }
            let line = String(decoding: bytes, as: UTF8.self).split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard let first = line.first else { continue }
            if first == "include" {
                for pattern in line.dropFirst() {
                    for file in self.matches(String(pattern), beside: path) {
                        directories += self.configured(file, depth: depth + 1)
                    }
                }
            } else if first.hasPrefix("/") {
                directories.append(String(first))
            }
        }
        return directories
    }

    private static func matches(_ pattern: String, beside path: String) -> [String] {
        var pattern = pattern
        if !pattern.hasPrefix("/") { pattern = path[...(path.lastIndex(of: "/") ?? path.startIndex)] + pattern }
        var result = glob_t()
        defer { globfree(&result) }
        guard glob(pattern, 0, nil, &result) == 0, let paths = result.gl_pathv else { return [] }
        return (0..<Int(result.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
    }

    /// All that `file` needs, with what they need, each once.
    ///
    /// Looked for as if the file stood in a host's store, where `$ORIGIN` is no place of its author's: such directories of its
    /// own are left out. Those of its libraries count.
    package func libraries(of file: ELFFile, named name: String) -> [(found: Found, file: ELFFile?)] {
        var result: [(found: Found, file: ELFFile?)] = []
        var known: Set<String> = []
        var waiting = [Asking(name: name, file: file, origin: nil, inherited: [])]
        while !waiting.isEmpty, result.count < Self.libraryLimit {
            let asking = waiting.removeFirst()
            // DT_RPATH holds for what is needed further on, too; DT_RUNPATH does not, and switches it off.
            let rpath = asking.file.runpath == nil ? Self.directories(asking.file.rpath, asking.origin) : []
            let inherited = rpath + asking.inherited
            let own = asking.file.runpath.map { Self.directories($0, asking.origin) } ?? inherited
            for name in asking.file.needed where known.insert(name).inserted {
                let (path, library) = self.find(name, own)
                result.append((Found(name: name, path: path, neededBy: asking.name), library))
                if let library, let path {
                    let origin = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
                    waiting.append(Asking(name: name, file: library, origin: origin, inherited: inherited))
                }
            }
        }
        return result
    }

    private struct Asking {
        var name: String
        var file: ELFFile
        /// Its directory; nil: unknown.
        var origin: String?
        var inherited: [String]
    }

    private static func directories(_ list: String?, _ origin: String?) -> [String] {
        (list ?? "").split(separator: ":").compactMap { entry in
            var entry = String(entry)
            for word in ["$ORIGIN", "${ORIGIN}"] {
                guard let range = entry.firstRange(of: word) else { continue }
                guard let origin else { return nil }
                entry.replaceSubrange(range, with: origin)
            }
            return entry.hasPrefix("/") && !entry.contains("$") ? entry : nil
        }
    }

    /// The loader passes over files of other machines.
    private func find(_ name: String, _ own: [String]) -> (String?, ELFFile?) {
        if name.contains("/") {
            return name.hasPrefix("/") ? (access(name, R_OK) == 0 ? name : nil, ELFFile(path: name)) : (nil, nil)
        }
        for directory in own + self.directories {
            let path = "\(directory)/\(name)"
            if access(path, R_OK) == 0, let file = ELFFile(path: path) { return (path, file) }
        }
        return (nil, nil)
    }
}
