import FoundationEssentials
import Glibc

/// What authors of plugins work with: headers, PluginKit, templates. Laid out as under a prefix; in a build tree that is `sdk`
/// beside this program.
struct AuthorKit: Sendable {
    let prefix: String

    var headers: String { self.prefix + "/include" }
    var swiftFlags: String { self.prefix + "/lib/pawl/swift/plugin.rsp" }
    var rustBindings: String { self.prefix + "/lib/pawl/rust/pawl.rs" }
    /// A linker script that exports a plugin's entry and nothing else.
    var exports: String { self.prefix + "/share/pawl/plugin.map" }
    var templates: String { self.prefix + "/share/pawl/templates" }

    /// - Parameter executable: this program's path.
    init(executable: String) throws(ClientFailure) {
        let directory = Folder.parent(of: executable)
        let places = [directory + "/sdk", Folder.parent(of: directory)]
        guard let prefix = places.first(where: { access($0 + "/share/pawl/templates", R_OK) == 0 }) else {
            throw ClientFailure(
                exit: .configuration, message: "The parts for authors are not installed beside this program.",
                details: places.map { "looked for \($0)/share/pawl/templates" } + ["make install puts them there"])
        }
        self.prefix = prefix
    }
}

/// A folder's entries, and paths.
enum Folder {
    struct Entry: Sendable {
        let name: String
        let isDirectory: Bool
    }

    /// By name; empty for what cannot be read. Links to directories count as what they lead to.
    static func entries(_ path: String) -> [Entry] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var found: [Entry] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            found.append(Entry(name: name, isDirectory: self.isDirectory("\(path)/\(name)")))
        }
        return found.sorted { $0.name < $1.name }
    }

    static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func name(of path: String) -> String {
        String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    }

    /// The part of a file's name before its last dot.
    static func stem(of path: String) -> String {
        let name = self.name(of: path)
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
        return String(name[..<dot])
    }

    /// What is behind the last dot of a file's name; empty without one.
    static func suffix(of path: String) -> String {
        let name = self.name(of: path)
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "" }
        return String(name[name.index(after: dot)...])
    }

    /// Absolute and without links; nil for what does not exist.
    static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    static func make(_ path: String, mode: mode_t = 0o755) throws(ClientFailure) {
        guard mkdir(path, mode) == 0 || (errno == EEXIST && self.isDirectory(path)) else {
            throw ClientFailure(
                exit: .configuration, message: "\(path) cannot be made: \(String(cString: strerror(errno))).")
        }
    }

    /// With all directories above it.
    static func makeAll(_ path: String) throws(ClientFailure) {
        guard !path.isEmpty, path != "/", path != ".", !self.isDirectory(path) else { return }
        try self.makeAll(self.parent(of: path))
        try self.make(path)
    }

    /// A new directory below TMPDIR.
    static func temporary(_ purpose: String) throws(ClientFailure) -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/pawl-\(purpose)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ClientFailure(
                exit: .configuration,
                message: "No directory can be made in \(base): \(String(cString: strerror(errno))).")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Removes a directory with everything in it.
    /// - Returns: why something is left; nil when all of it is gone.
    static func remove(_ path: String) -> String? {
        guard access(path, F_OK) == 0 else { return nil }
        do {
            try FileManager.default.removeItem(atPath: path)
            return nil
        } catch {
            return "\(path) is left behind: \(error)"
        }
    }

    /// Text of a file; throws in a person's words.
    static func text(_ path: String) throws(ClientFailure) -> String {
        switch ClientFiles.read(path) {
        case .success(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .failure(let fault):
            throw ClientFailure(exit: .inputMissing, message: "\(path) cannot be read: \(fault.words).")
        }
    }
}
