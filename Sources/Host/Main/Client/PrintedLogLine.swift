import JobCore

/// One line of a run's log.
struct PrintedLogLine {
    let json: JSONValue

    var sequence: Int64? { self.json["seq"]?.integer ?? self.json["seq"]?.text.flatMap { Int64($0) } }

    /// "12:04:05.123 WARNING message key=value", for a stream with or without colour.
    func text(_ terminal: Terminal, _ stream: Terminal.Stream) -> String {
        let level = self.json["level"]?.text ?? ""
        let ink: Terminal.Ink? =
            switch level {
            case "error": .red
            case "warning": .yellow
            case "debug": .dim
            default: nil
            }
        var line = stream.paint(Format.clock(self.json["time"]?.text ?? ""), .dim)
        line += " " + stream.paint(level.uppercased().padded(to: 7), ink)
        let source = self.json["stream"]?.text ?? ""
        if source == "stdout" || source == "stderr" || source == "host" { line += " [\(source)]" }
        if let stage = self.json["stage"]?.text, !stage.isEmpty { line += " \(Table.printable(stage)):" }
        line += " " + Table.printable(self.json["message"]?.text ?? "")
        if let fields = self.json["fields"]?.object {
            for field in fields where field.value != .null {
                let value = field.value.text ?? field.value.json
                line += " " + stream.paint("\(Table.printable(field.key))=\(Table.printable(value))", .dim)
            }
        }
        return line
    }
}

extension String {
    /// The text with spaces up to that many characters.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - self.count))
    }
}
