/// The sixth field of a crontab's line: a command for a shell, and what it reads (crontab(5)).
package struct CrontabCommand: Hashable, Sendable {
    /// As the shell gets it.
    package var command: String
    /// Its standard input; nil: none.
    package var input: String?

    package init(command: String, input: String? = nil) {
        self.command = command
        self.input = input
    }

    /// The first `%` without a backslash ends the command, further ones are ends of lines; `\%` is a percent sign. What is read
    /// ends with the end of a line, as cron has it, unless it is empty.
    package init(field: String) {
        // By scalars: a percent sign may have an accent.
        var command = String.UnicodeScalarView()
        var rest = field.unicodeScalars[...]
        var isEscaped = false
        while let scalar = rest.popFirst() {
            if isEscaped, scalar == "%" { command.removeLast() }
            if !isEscaped, scalar == "%" {
                self.init(command: String(command), input: Self.input(rest))
                return
            }
            command.append(scalar)
            // A backslash after one is none that escapes: here, but not in what is read.
            isEscaped = scalar == "\\" && !isEscaped
        }
        self.init(command: String(command))
    }

    private static func input(_ text: Substring.UnicodeScalarView) -> String {
        var input = String.UnicodeScalarView()
        for scalar in text {
            if scalar != "%" {
                input.append(scalar)
            } else if input.last == "\\" {
                input.removeLast()
                input.append("%")
            } else {
                input.append("\n")
            }
        }
        if let last = input.last, last != "\n" { input.append("\n") }
        return String(input)
    }

    /// Nil: a crontab cannot say it. A command has no ends of lines, nor an odd number of backslashes before a percent sign.
    package var field: String? {
        func escaped(_ text: String) -> String {
            var out = String.UnicodeScalarView()
            for scalar in text.unicodeScalars {
                if scalar == "%" { out.append("\\") }
                out.append(scalar)
            }
            return String(out)
        }
        var field = escaped(command)
        if let input {
            let lines = escaped(input.unicodeScalars.last == "\n" ? String(input.unicodeScalars.dropLast()) : input)
            field += "%" + String(String.UnicodeScalarView(lines.unicodeScalars.map { $0 == "\n" ? "%" : $0 }))
        }
        let isOneLine = !field.unicodeScalars.contains { $0 == "\n" || $0 == "\r" }
        return isOneLine && CrontabCommand(field: field) == self ? field : nil
    }
}
