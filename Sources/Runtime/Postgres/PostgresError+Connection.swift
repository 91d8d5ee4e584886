/// The errors that the end of a connection, or of a wait, makes out of others.
extension PostgresError {
    static var cancelledByCaller: PostgresError {
        PostgresError(kind: .cancelled, message: "the caller was cancelled")
    }

    static func unexpectedAnswer(_ what: String) -> PostgresError {
        PostgresError(kind: .protocol, message: "the server sent \(what)")
    }

    static var endedWithoutAnswers: PostgresError {
        PostgresError(kind: .connection, message: "the connection was lost before all answers came")
    }

    /// FATAL and PANIC end the session.
    var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }

    /// This error as the fate of an operation that was never sent.
    var notSent: PostgresError {
        var copy = self
        copy.mayHaveCommitted = false
        copy.statementName = nil
        return copy
    }

    /// This error as the reason why a session ended.
    var forSession: PostgresError {
        var copy = notSent
        copy.kind = .connection
        return copy
    }
}

extension PostgresError {
    /// libpq gives connection errors as text only. With `PQERRORS_VERBOSE` the server's part of it reads
    /// `FATAL:  3D000: database "x" does not exist` and a line with the place in the server's source.
    init(connectMessage text: String) {
        var state: SQLState?
        var lines: [Substring] = []
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("LOCATION:") {
            guard state == nil, let code = line.firstMatch(of: #/:  (?<code>[0-9A-Z]{5}): /#) else {
                lines.append(line)
                continue
            }
            state = SQLState(String(code.output.code))
            lines.append(line[..<code.range.lowerBound] + ": " + line[code.range.upperBound...])
        }
        self.init(
            kind: .connection, sqlState: state, severity: state == nil ? nil : "FATAL",
            message: lines.joined(separator: "\n").trimmedLines)
    }
}
