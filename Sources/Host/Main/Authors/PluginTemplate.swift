import JobCore

/// The folder of a new plugin: the templates with names put in.
struct PluginTemplate {
    let kit: AuthorKit
    let language: NewJobCommand.Language
    /// `mail.send`
    let handler: String
    /// `mail-send`
    let plugin: String

    /// Writes all files. Nothing is replaced: the folder must be new or empty.
    /// - Returns: the files' paths in the folder.
    func write(to target: String) throws(ClientFailure) -> [String] {
        guard Folder.entries(target).isEmpty else {
            throw ClientFailure(
                exit: .conflict, message: "\(target) is not empty.", details: ["nothing was written"])
        }
        try Folder.makeAll(target)
        var written: [String] = []
        for tree in ["all", self.language.rawValue] {
            try self.copy("\(self.kit.templates)/\(tree)", to: target, below: "", &written)
        }
        switch self.language {
        case .rust: try self.add(self.kit.rustBindings, as: "pawl.rs", to: target, &written)
        case .cpp: try self.add(self.kit.exports, as: "plugin.map", to: target, &written)
        case .c, .swift: break
        }
        return written.sorted()
    }

    private func copy(
        _ source: String, to target: String, below path: String, _ written: inout [String]
    ) throws(ClientFailure) {
        for entry in Folder.entries(source) {
            let from = "\(source)/\(entry.name)"
            if entry.isDirectory {
                let folder = path + entry.name + "/"
                try Folder.make("\(target)/\(folder)")
                try self.copy(from, to: target, below: folder, &written)
            } else {
                let name = path + self.fileName(entry.name)
                let text = self.filled(try Folder.text(from))
                try ClientFiles.write(Array(text.utf8), to: "\(target)/\(name)", mode: 0o644, isReplacing: false)
                written.append(name)
            }
        }
    }

    /// A file of the kit that plugins have their own copy of, as it is.
    private func add(
        _ file: String, as name: String, to target: String, _ written: inout [String]
    ) throws(ClientFailure) {
        let text = try Folder.text(file)
        try ClientFiles.write(Array(text.utf8), to: "\(target)/\(name)", mode: 0o644, isReplacing: false)
        written.append(name)
    }

    private var source: String { "\(self.plugin).\(Self.suffix(self.language))" }

    static func suffix(_ language: NewJobCommand.Language) -> String {
        language == .rust ? "rs" : language.rawValue
    }

    private func fileName(_ name: String) -> String {
        name.hasPrefix("source.") ? self.source : name == "gitignore" ? ".gitignore" : name
    }

    private func filled(_ text: String) -> String {
        let words = self.plugin.split { $0 == "-" || $0 == "_" }
        let type = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        let values = [
            "HANDLER": self.handler, "PLUGIN": self.plugin, "SOURCE": self.source, "PREFIX": self.kit.prefix,
            "IDENTIFIER": "plugin_" + String(self.plugin.map { $0 == "-" ? "_" : $0 }),
            // A type's name may not begin with a digit.
            "TYPE": type.first?.isNumber == true ? "P" + type : type,
        ]
        var out = ""
        var rest = text[...]
        while let at = rest.firstIndex(of: "@") {
            out += rest[..<at]
            let behind = rest[rest.index(after: at)...]
            let key = behind.prefix { $0.isUppercase }
            let end = behind[key.endIndex...]
            if end.first == "@", let value = values[String(key)] {
                out += value
                rest = end.dropFirst()
            } else {
                out += "@"
                rest = behind
            }
        }
        return out + rest
    }
}
