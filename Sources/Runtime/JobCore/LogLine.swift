/// How much a log line matters. The numbers are those of the ABI and of the tables.
package enum LogLevel: Int, CaseIterable, Comparable, Sendable {
    case debug = 0
    case info = 1
    case warning = 2
    case error = 3

    package var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }

    /// Nil for an unknown name; case matters.
    package init?(name: some StringProtocol) {
        guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Where a log line came from. The numbers are those of the tables.
package enum LogStream: Int, CaseIterable, Sendable {
    /// The handler's log calls.
    case handler = 0
    case stdout = 1
    case stderr = 2
    /// The host's own words about the attempt.
    case host = 3

    package var name: String {
        switch self {
        case .handler: "handler"
        case .stdout: "stdout"
        case .stderr: "stderr"
        case .host: "host"
        }
    }

    /// Nil for an unknown name; case matters.
    package init?(name: some StringProtocol) {
        guard let stream = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = stream
    }
}

/// One line of an attempt's log, without its place in the run's numbering, which the host gives later.
package struct LogLine: Hashable, Sendable {
    package var time: WallTime
    package var level: LogLevel
    package var stream: LogStream
    /// The stage the handler was in; nil before its first.
    package var stage: String?
    package var message: String
    /// A JSON object as text.
    package var fields: String?

    package init(
        time: WallTime, level: LogLevel, stream: LogStream, stage: String? = nil, message: String,
        fields: String? = nil
    ) {
        self.time = time
        self.level = level
        self.stream = stream
        self.stage = stage
        self.message = message
        self.fields = fields
    }
}
