/// Which files of a source tree matter.
enum SourceFilter {
    /// Directories that nobody edits in.
    private static let builtDirectories: Set<String> = [
        "build", "target", "node_modules", "__pycache__", "DerivedData", "CMakeFiles",
    ]
    /// What builds leave, and what editors write beside a file before they rename it.
    private static let passingSuffixes: Set<String> = [
        "o", "so", "a", "d", "obj", "swiftmodule", "swiftdoc", "swiftsourceinfo", "swiftdeps", "dia", "rlib", "rmeta",
        "log", "new", "part", "tmp", "temp", "bak", "orig", "swp", "swo", "swx", "pyc",
    ]

    static func isWatched(directory name: String) -> Bool {
        !name.hasPrefix(".") && !self.builtDirectories.contains(name)
    }

    static func matters(file name: String) -> Bool {
        // Hidden ones, `name~`, `#name#`, and vim's probe whether it may write: a file named 4913.
        guard !name.hasPrefix("."), !name.hasPrefix("#"), !name.hasSuffix("~"), Int(name) == nil else { return false }
        let suffix = Folder.suffix(of: name)
        // Linkers write `x.so.tmp1a2b3c` and rename it.
        if suffix.hasPrefix("tmp") || name.contains(".so.") || name.contains(".o.") { return false }
        return !self.passingSuffixes.contains(suffix)
    }
}
