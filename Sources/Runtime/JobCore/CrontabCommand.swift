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

    /// The first `%` without a backslash ends the command, further ones are ends of lines; `\%` is a percent sign.
    package init(field: String) {
        var parts = [""]
        var isEscaped = false
        for character in field {
            if isEscaped {
                if character != "%" { parts[parts.count - 1].append("\\") }
                parts[parts.count - 1].append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "%" {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        if isEscaped { parts[parts.count - 1].append("\\") }
        self.init(command: parts[0], input: parts.count > 1 ? parts.dropFirst().joined(separator: "\n") : nil)
    }

    /// Nil: a crontab cannot say it, since a command has no ends of lines.
    package var field: String? {
        guard !command.contains(where: \.isNewline) else { return nil }
        func escaped(_ text: String) -> String { text.replacing("%", with: "\\%") }
        guard let input else { return escaped(command) }
        return ([command] + input.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
            .map(escaped).joined(separator: "%")
    }
}
