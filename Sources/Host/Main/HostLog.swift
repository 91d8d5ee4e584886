import Glibc
import JobCore
import JobRunner
import Logging

/// Where the host's own log goes: one line per event on standard error, as text for people or JSON for machines.
///
/// Standard output belongs to data (`ready http://…`); a handler's output never mixes in here, it is the run's log.
enum HostLogFormat: String, CaseIterable, Sendable {
    case text
    case json
}

struct HostLogHandler: LogHandler {
    let label: String
    let format: HostLogFormat
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = self.metadata
        if let more = event.metadata { fields.merge(more) { _, new in new } }
        var line: String
        switch self.format {
        case .text: line = Self.text(event.level, "\(event.message)", fields)
        case .json: line = Self.json(event.level, "\(event.message)", fields, label: self.label)
        }
        line += "\n"
        // One write per line, so that lines of host and helper processes never interleave. A full disk or a closed
        // pipe behind standard error must not end the host: a log line that cannot be written is lost.
        line.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func text(_ level: Logger.Level, _ message: String, _ fields: Logger.Metadata) -> String {
        var line = "\(WallTime.current.rfc3339) \(level.rawValue.uppercased()) \(message)"
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line += " \(key)=\(Self.quotedIfNeeded("\(value)"))"
        }
        return line
    }

    /// A value with a space, a quote or a control character is quoted, so that a line stays one line and can be parsed.
    private static func quotedIfNeeded(_ value: String) -> String {
        let plain = value.utf8.allSatisfy {
            $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") && $0 != 0x7F
        }
        return plain && !value.isEmpty ? value : JSONText.quoted(value)
    }

    private static func json(
        _ level: Logger.Level, _ message: String, _ fields: Logger.Metadata, label: String
    ) -> String {
        var line =
            "{\"ts\":\"\(WallTime.current.rfc3339)\",\"level\":\"\(level.rawValue)\",\"msg\":\(JSONText.quoted(message))"
        line += ",\"logger\":\(JSONText.quoted(label)),\"pid\":\(getpid())"
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line += ",\(JSONText.quoted(key)):\(JSONText.quoted("\(value)"))"
        }
        return line + "}"
    }
}
