import JobCore

/// What a look into processes found, as indented lines. Pure.
struct DiagnosisReport {
    let lines: [String]

    init(_ diagnosis: JSONValue) {
        var lines: [String] = []
        if let position = diagnosis["position"]?.present {
            lines.append("last seen at \(Self.place(position))")
        }
        for process in diagnosis["processes"]?.elements ?? [] {
            lines.append(Self.head(process))
            for thread in process["threads"]?.elements ?? [] { lines += Self.thread(thread) }
            let files = process["files"]?.elements ?? []
            if !files.isEmpty { lines.append("  open files") }
            lines += files.map { "    " + Self.file($0) }
        }
        self.lines = lines
    }

    private static func head(_ process: JSONValue) -> String {
        var words = ["process \(process["pid"]?.integer ?? 0)"]
        if let name = (process["name"] ?? process["comm"])?.text { words.append(name) }
        var facts: [String] = []
        if let state = process["state"]?.text { facts.append(Self.state(state)) }
        if let cpu = process["cpu_ms"]?.integer { facts.append("cpu \(Format.span(milliseconds: cpu))") }
        if let bytes = process["rss_bytes"]?.integer { facts.append(Format.bytes(bytes)) }
        if let error = process["error"]?.text { facts.append(error) }
        return words.joined(separator: " ") + (facts.isEmpty ? "" : " (\(facts.joined(separator: ", ")))")
    }

    private static func thread(_ thread: JSONValue) -> [String] {
        var facts: [String] = []
        if let state = thread["state"]?.text { facts.append(Self.state(state)) }
        if let syscall = thread["syscall"]?.text, !syscall.isEmpty { facts.append("in \(syscall)") }
        if let channel = thread["wchan"]?.text, !["", "0"].contains(channel) { facts.append("waits in \(channel)") }
        let name = (thread["name"] ?? thread["comm"])?.text ?? ""
        var lines = [
            "  thread \(thread["tid"]?.integer ?? 0) \(name)"
                + (facts.isEmpty ? "" : " (\(facts.joined(separator: ", ")))")
        ]
        lines += ((thread["stack"] ?? thread["frames"])?.elements ?? []).map { "    " + Self.place($0) }
        if let error = thread["error"]?.text { lines.append("    \(error)") }
        return lines
    }

    /// `wait_for (etl.c:40)`; the module or the address where there is no name.
    static func place(_ frame: JSONValue) -> String {
        if let words = frame["words"]?.text { return words }
        let module = frame["module"]?.text.map(Self.name)
        let function =
            frame["function"]?.text
            ?? module.map { $0 + (frame["offset"].map { "+" + ($0.text ?? $0.json) } ?? "") }
            ?? frame["address"]?.text ?? "?"
        guard let file = frame["file"]?.text else { return function }
        return "\(function) (\(Self.name(file))" + (frame["line"]?.integer.map { ":\($0)" } ?? "") + ")"
    }

    private static func file(_ file: JSONValue) -> String {
        if let text = file.text { return text }
        let number = (file["fd"]?.integer).map(String.init) ?? ""
        let what = (file["path"] ?? file["target"] ?? file["description"])?.text ?? file.json
        return number + " " + what + (file["detail"]?.text.map { " \($0)" } ?? "")
    }

    private static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    /// Letters of proc(5).
    private static func state(_ letter: String) -> String {
        switch letter {
        case "R": "running"
        case "S": "sleeping"
        case "D": "in uninterruptible sleep"
        case "T", "t": "stopped"
        case "Z": "zombie"
        default: letter
        }
    }
}
