internal import JobCore
package import Supervision

/// What a plugin may say of itself without being loaded: a section `.pawl.manifest` with a JSON object. It is optional; what
/// counts is what the plugin says when it is loaded.
///
///     {"name": "csv", "version": "1.4.2", "abi": "1.0", "handlers": ["csv.to_jsonl"]}
package struct PluginNote: Sendable, Hashable {
    package static let section = ".pawl.manifest"

    package var name: String?
    package var version: String?
    /// `major.minor` of the header.
    package var abi: String?
    package var handlers: [String]?

    /// - Parameter text: the section's content, zero bytes at its end already left out.
    init(parsing text: String) throws(JSONFault) {
        let value = try JSONValue(parsing: text)
        guard case .object = value else { throw JSONFault(offset: 0, problem: "it is no JSON object") }
        self.name = value["name"]?.text
        self.version = value["version"]?.text
        self.abi = value["abi"]?.text
        self.handlers = value["handlers"]?.elements?.compactMap(\.text)
    }

    /// In what it differs from what the loaded plugin says, in words.
    package func differences(from manifest: PluginManifest) -> [String] {
        var words: [String] = []
        func compare(_ what: String, _ said: String?, _ real: String) {
            if let said, said != real { words.append("\(what) is \(said) there and \(real) when it is loaded") }
        }
        compare("the name", self.name, manifest.name)
        compare("the version", self.version, manifest.version)
        compare("the ABI", self.abi, "\(manifest.abiMajor).\(manifest.abiMinor)")
        if let handlers {
            let real = manifest.handlers.map(\.name)
            let missing = handlers.filter { !real.contains($0) }
            let added = real.filter { !handlers.contains($0) }
            if !missing.isEmpty { words.append("it has no handler \(missing.joined(separator: ", "))") }
            if !added.isEmpty { words.append("it also has \(added.joined(separator: ", "))") }
        }
        return words
    }
}

extension ELFFile {
    /// What it says of itself in `.pawl.manifest`; nil: nothing.
    package func manifestNote() throws(PluginNoteFault) -> PluginNote? {
        guard let text = try self.manifestText() else { return nil }
        do throws(JSONFault) {
            return try PluginNote(parsing: text)
        } catch {
            throw PluginNoteFault(words: "\(error)")
        }
    }

    /// Its text; nil where there is none that can be read.
    var noteText: String? {
        do throws(PluginNoteFault) { return try self.manifestText() } catch { return nil }
    }

    private func manifestText() throws(PluginNoteFault) -> String? {
        guard let bytes = self.noteBytes else { return nil }
        let text = bytes[..<((bytes.lastIndex { $0 != 0 } ?? -1) + 1)]
        guard let text = String(validating: text, as: UTF8.self) else {
            throw PluginNoteFault(words: "it is not UTF-8")
        }
        return text
    }
}

/// Why `.pawl.manifest` says nothing.
package struct PluginNoteFault: Error, Sendable {
    package let words: String
}
