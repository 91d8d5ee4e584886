import Glibc
import Plugins

/// What a plugin's tables say: looked at without loading it.
struct PluginFileCheck {
    static let entry = "pawl_plugin_entry"
    /// glibc of Debian 12, the oldest system that is promised to work.
    static let oldestGlibc = [2, 36]

    let image: ELFFile
    let name: String

    init(_ image: ELFFile, named name: String) {
        self.image = image
        self.name = String(name[(name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex)...])
    }

    var isSwift: Bool { self.image.sections.contains { $0.name.hasPrefix("swift5_") } }

    func findings() -> [CheckFinding] {
        let libraries = ELFSearch().libraries(of: self.image, named: self.name)
        return [self.exports()] + self.searchPaths() + self.needed(libraries) + self.undefined(libraries) + [
            self.glibc()
        ]
            + self.swiftRuntime() + self.hardening() + self.memory() + self.loading() + self.diagnosis()
    }

    // MARK: Symbols

    private func exports() -> CheckFinding {
        // Marks of the linker's own.
        let marks: Set<String> = ["_init", "_fini", "_end", "_edata", "__bss_start", "_start"]
        let exported = self.image.symbols.filter { $0.isDefined && !marks.contains($0.name) }
        guard let entry = exported.first(where: { $0.name == Self.entry }) else {
            return CheckFinding(
                "exports", .refused, "it does not export \(Self.entry)",
                advice:
                    "end the source with PAWL_PLUGIN(…), or declare the function with PAWL_EXPORT; in C++ inside extern \"C\""
            )
        }
        if !entry.isFunction {
            return CheckFinding(
                "exports", .refused, "\(Self.entry) is no function", advice: "export the function itself")
        }
        let others = exported.map(\.name).filter { $0 != Self.entry }.sorted()
        if others.isEmpty { return CheckFinding("exports", .ok, "\(Self.entry) alone") }
        let shown = others.prefix(5).joined(separator: ", ") + (others.count > 5 ? ", …" : "")
        return CheckFinding(
            "exports", .warning,
            "it exports \(others.count) \(others.count == 1 ? "symbol" : "symbols") besides \(Self.entry): \(shown)",
            advice:
                "they can be mixed up with those of its libraries: compile with -fvisibility=hidden, or link with a version script"
        )
    }

    private func undefined(_ libraries: [(found: ELFSearch.Found, file: ELFFile?)]) -> [CheckFinding] {
        var defined: Set<String> = []
        for library in libraries {
            for symbol in library.file?.symbols ?? [] where symbol.isDefined { defined.insert(symbol.name) }
        }
        let missing = self.image.symbols.filter { !$0.isDefined && !$0.isWeak && !defined.contains($0.name) }.map(
            \.name)
        guard !missing.isEmpty else {
            return [CheckFinding("symbols", .ok, "all that it uses is defined in its libraries")]
        }
        let shown = missing.sorted().prefix(8).joined(separator: ", ") + (missing.count > 8 ? ", …" : "")
        let count = missing.count == 1 ? "1 symbol is" : "\(missing.count) symbols are"
        return [
            CheckFinding(
                "symbols", .refused, "\(count) defined nowhere: \(shown)",
                advice: "link the libraries that define them (-l…), and link with -Wl,-z,defs to hear of it at once")
        ]
    }

    // MARK: Libraries

    private func searchPaths() -> [CheckFinding] {
        var findings: [CheckFinding] = []
        for (keyword, list) in [("RPATH", self.image.rpath), ("RUNPATH", self.image.runpath)] {
            guard let list else { continue }
            if list.contains("$ORIGIN") || list.contains("${ORIGIN}") {
                findings.append(
                    CheckFinding(
                        "search_path", .refused, "its \(keyword) is \(list)",
                        advice:
                            "a host runs its own copy of the file, so $ORIGIN is not where the author's libraries are: link them in statically, or install them where ldconfig finds them"
                    ))
            } else {
                findings.append(
                    CheckFinding(
                        "search_path", .warning,
                        "its \(keyword) is \(list.isEmpty ? "empty, the current directory" : list)",
                        advice:
                            "it works only on machines that have this directory: link without -rpath, and install libraries where ldconfig finds them"
                    ))
            }
        }
        for library in self.image.needed where library.contains("/") {
            findings.append(
                CheckFinding(
                    "libraries", library.contains("$ORIGIN") ? .refused : .warning, "it needs \(library) by its path",
                    advice: "give that library a name when it is linked (-Wl,-soname)"))
        }
        return findings
    }

    private func needed(_ libraries: [(found: ELFSearch.Found, file: ELFFile?)]) -> [CheckFinding] {
        let missing = libraries.filter { $0.found.path == nil }.map { library in
            CheckFinding(
                "libraries", .refused,
                "\(library.found.name) is not on this machine"
                    + (library.found.neededBy == self.name ? "" : ", and \(library.found.neededBy) needs it"),
                advice: "install it (apt-file search \(library.found.name) names the package), or link it in statically"
            )
        }
        guard missing.isEmpty else { return missing }
        let direct = self.image.needed.map { name in
            libraries.first { $0.found.name == name }?.found.path ?? name
        }
        return [CheckFinding("libraries", .ok, direct.isEmpty ? "none needed" : direct.joined(separator: ", "))]
    }

    private func glibc() -> CheckFinding {
        let versions = self.image.versionNeeds.flatMap(\.versions).compactMap { name -> [Int]? in
            guard name.hasPrefix("GLIBC_") else { return nil }
            let parts = name.dropFirst(6).split(separator: ".").compactMap { Int($0) }
            return parts.count >= 2 ? parts : nil
        }
        guard let newest = versions.max(by: { $0.lexicographicallyPrecedes($1) }) else {
            return CheckFinding("glibc", .ok, "no particular version needed")
        }
        let words = "runs with glibc \(newest.map(String.init).joined(separator: ".")) and later"
        guard Self.oldestGlibc.lexicographicallyPrecedes(newest) else { return CheckFinding("glibc", .ok, words) }
        return CheckFinding(
            "glibc", .warning, "\(words), so not on Debian 12 (2.36)",
            advice: "build it on the oldest system that it is to run on")
    }

    private func swiftRuntime() -> [CheckFinding] {
        guard self.isSwift else { return [] }
        let dynamic = self.image.needed.filter {
            $0.hasPrefix("libswift") || $0.hasPrefix("libFoundation") || $0 == "libdispatch.so"
        }
        if dynamic.isEmpty { return [CheckFinding("swift", .ok, "its runtime is linked in")] }
        return [
            CheckFinding(
                "swift", .warning, "it needs Swift's runtime on the machine: \(dynamic.joined(separator: ", "))",
                advice:
                    "link with -static-stdlib (plugin.rsp does): it then runs anywhere, and loads three times faster")
        ]
    }
}
