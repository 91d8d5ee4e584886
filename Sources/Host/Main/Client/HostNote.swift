import Glibc

/// A note of where the host that was started last keeps its data, for a command line that is told nothing: it is looked at
/// when no host runs on a standard data directory.
///
/// One line, the directory's absolute path, in `$XDG_RUNTIME_DIR/pawl/default` or else in `default` of the state directory;
/// each user has one of their own.
enum HostNote {
    /// Where notes may lie, best first.
    static func places(environment: [String: String]) -> [String] {
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        let state = value("XDG_STATE_HOME") ?? value("HOME").map { $0 + "/.local/state" }
        return [value("XDG_RUNTIME_DIR"), state].compactMap { $0.map { $0 + "/pawl/default" } }
    }

    /// The directory that a note names; nil where there is none.
    static func read(_ place: String) -> String? {
        guard case .success(let bytes) = ClientFiles.read(place) else { return nil }
        let line = String(decoding: bytes, as: UTF8.self).prefix { $0 != "\n" }
        return line.hasPrefix("/") ? String(line) : nil
    }

    /// Leaves a note. A host serves as well without one: failing is no fault, only less convenient.
    static func leave(_ directory: String, environment: [String: String]) {
        for place in self.places(environment: environment) where self.write(directory + "\n", to: place) { return }
    }

    /// Takes the note away that names this directory; another host's stays.
    static func remove(_ directory: String, environment: [String: String]) {
        for place in self.places(environment: environment) where self.read(place) == directory { unlink(place) }
    }

    private static func write(_ text: String, to place: String) -> Bool {
        var prefix = ""
        for part in place.split(separator: "/").dropLast() {
            prefix += "/" + part
            mkdir(prefix, 0o700)
        }
        // Beside and renamed over, so that nobody reads half a path.
        let temporary = "\(place).\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return false }
        var text = text
        let isWritten = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) == $0.count }
        close(descriptor)
        if isWritten, rename(temporary, place) == 0 { return true }
        unlink(temporary)
        return false
    }
}
