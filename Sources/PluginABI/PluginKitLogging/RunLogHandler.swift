public import Logging
public import PluginKit

extension Context {
    /// A logger of swift-log that writes to the run's log, for libraries that want one.
    ///
    /// ```swift
    /// let client = Client(logger: context.logger("client"))
    /// ```
    ///
    /// Hand it down, rather than bootstrap `LoggingSystem` with it: a child that is used again runs attempt after attempt,
    /// and a logger belongs to one of them.
    public func logger(_ label: String = "pawl", level: Logger.Level = .debug) -> Logger {
        var logger = Logger(label: label) { RunLogHandler(self, label: $0) }
        logger.logLevel = level
        return logger
    }
}

/// Writes swift-log's events to a run's log: metadata becomes JSON fields, beside `logger` (the label). Levels map to Pawl's
/// four: trace and debug, info and notice, warning, error and critical.
public struct RunLogHandler: LogHandler {
    public var logLevel: Logger.Level = .debug
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    private let context: Context
    private let label: String

    public init(_ context: Context, label: String) {
        self.context = context
        self.label = label
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = self.metadataProvider?.get() ?? [:]
        all.merge(self.metadata) { _, new in new }
        all.merge(event.metadata ?? [:]) { _, new in new }
        var fields: Fields = ["logger": self.label]
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { fields[key] = Field(value) }
        if let error = event.error { fields["error"] = String(describing: error) }
        self.context.log.write(Self.level(of: event.level), "\(event.message)", fields)
    }

    private static func level(of level: Logger.Level) -> LogLevel {
        switch level {
        case .trace, .debug: .debug
        case .info, .notice: .info
        case .warning: .warning
        case .error, .critical: .error
        }
    }
}

/// A metadata value as JSON.
private struct Field: Encodable, Sendable {
    let value: Logger.Metadata.Value

    init(_ value: Logger.Metadata.Value) {
        self.value = value
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self.value {
        case .string(let text): try container.encode(text)
        case .stringConvertible(let value): try container.encode(value.description)
        case .array(let values): try container.encode(values.map(Field.init))
        case .dictionary(let values): try container.encode(values.mapValues(Field.init))
        }
    }
}
