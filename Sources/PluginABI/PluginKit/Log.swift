import PluginABI

/// The run's log: lines with a level and structured fields, kept with the run and streamed live.
///
/// ```swift
/// context.log.info("page fetched", ["page": 3, "bytes": body.count])
/// ```
///
/// Where the host cannot keep up lines are dropped and counted, and the run says so; a message over 64 KiB is cut.
public struct Log: Sendable {
    let attempt: Attempt

    public func debug(
        _ message: String, _ fields: Fields = [:], file: StaticString = #fileID, line: UInt = #line
    ) {
        self.write(PAWL_LOG_DEBUG, message, fields, file, line)
    }

    public func info(
        _ message: String, _ fields: Fields = [:], file: StaticString = #fileID, line: UInt = #line
    ) {
        self.write(PAWL_LOG_INFO, message, fields, file, line)
    }

    public func warning(
        _ message: String, _ fields: Fields = [:], file: StaticString = #fileID, line: UInt = #line
    ) {
        self.write(PAWL_LOG_WARNING, message, fields, file, line)
    }

    public func error(
        _ message: String, _ fields: Fields = [:], file: StaticString = #fileID, line: UInt = #line
    ) {
        self.write(PAWL_LOG_ERROR, message, fields, file, line)
    }

    /// A line of any level, e.g. from an adapter for another logging library.
    public func write(
        _ level: LogLevel, _ message: String, _ fields: Fields = [:], file: StaticString = #fileID, line: UInt = #line
    ) {
        self.write(level.rawValue, message, fields, file, line)
    }

    private func write(
        _ level: Int32, _ message: String, _ fields: Fields, _ file: StaticString, _ line: UInt
    ) {
        self.attempt.speak(file, line)
        message.withPawl { message in
            (fields.pairs.isEmpty ? "" : fields.json).withPawl { json in
                _ = self.attempt.host.pointee.log?(self.attempt.handle, level, message, json)
            }
        }
    }
}

/// How much a line matters.
public enum LogLevel: Int32, Sendable, CaseIterable, Comparable {
    case debug = 0
    case info
    case warning
    case error

    public static func < (one: LogLevel, other: LogLevel) -> Bool { one.rawValue < other.rawValue }
}

/// Structured fields of a log line, in the order they were written. Values are anything `Encodable`.
public struct Fields: ExpressibleByDictionaryLiteral, Sendable {
    var pairs: [(key: String, value: any Encodable & Sendable)]

    public init(dictionaryLiteral elements: (String, any Encodable & Sendable)...) {
        self.pairs = elements.map { (key: $0.0, value: $0.1) }
    }

    /// Fields made elsewhere, sorted by name.
    public init(_ dictionary: [String: some Encodable & Sendable]) {
        self.pairs = dictionary.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    }

    /// Adds a field, or replaces the one of that name.
    public subscript(key: String) -> (any Encodable & Sendable)? {
        get { self.pairs.first { $0.key == key }?.value }
        set {
            self.pairs.removeAll { $0.key == key }
            if let newValue { self.pairs.append((key: key, value: newValue)) }
        }
    }

    /// A JSON object. A value that cannot be encoded is replaced by the reason: a log line is never lost for it.
    var json: String {
        var object: [(String, JSON)] = []
        object.reserveCapacity(self.pairs.count)
        for (key, value) in self.pairs {
            object.append((key, JSON(encoding: value)))
        }
        return JSON.object(object).text
    }
}
