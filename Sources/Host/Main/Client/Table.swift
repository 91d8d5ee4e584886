import JobCore

/// A table that fits the terminal: no borders, columns as wide as their content, the least important dropped and the
/// longest shortened when the line is too narrow; never wrapped. In a pipe it is tab-separated, whole and without colour.
struct Table {
    struct Column {
        let title: String
        /// Higher stays longer when space is short. The first to go is the lowest.
        var importance = 5
        var alignsRight = false
        /// May be cut with an ellipsis down to this many columns.
        var shrinksTo: Int?
    }

    struct Cell {
        let text: String
        var ink: Terminal.Ink?
        init(_ text: String, _ ink: Terminal.Ink? = nil) {
            // A control character in a title must not move the cursor.
            self.text = Table.printable(text)
            self.ink = ink
        }
    }

    let columns: [Column]
    var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    func print(to terminal: Terminal) {
        let stream = terminal.out
        guard stream.isTerminal else {
            stream.writeLine(self.columns.map(\.title).joined(separator: "\t"))
            for row in self.rows { stream.writeLine(row.map(\.text).joined(separator: "\t")) }
            return
        }
        for line in self.lines(width: terminal.width(of: stream), unicode: terminal.isUnicode, paint: stream.paint) {
            stream.writeLine(line)
        }
    }

    /// The table's lines, header first, each at most `width` columns wide (colour codes do not count).
    func lines(width: Int, unicode: Bool, paint: (String, Terminal.Ink?) -> String) -> [String] {
        let natural = self.columns.indices.map { column in
            self.rows.reduce(self.columns[column].title.count) { max($0, $1[column].text.count) }
        }
        var widths = natural
        // A column without any content says nothing.
        var shown = self.columns.indices.filter { column in
            self.rows.isEmpty || self.rows.contains { !$0[column].text.isEmpty }
        }
        func total() -> Int { shown.reduce(0) { $0 + widths[$1] } + 2 * max(0, shown.count - 1) }
        while total() > width {
            let shrinkable = shown.filter { (self.columns[$0].shrinksTo ?? .max) < widths[$0] }
            if let widest = shrinkable.max(by: { widths[$0] < widths[$1] }) {
                widths[widest] = max(self.columns[widest].shrinksTo ?? 1, widths[widest] - (total() - width))
            } else if shown.count > 1,
                let least = shown.min(by: { self.columns[$0].importance < self.columns[$1].importance })
            {
                shown.removeAll { $0 == least }
                // What was shortened for the dropped one gets its space back, then shrinks again if it must.
                for column in shown { widths[column] = natural[column] }
            } else if let only = shown.first, widths[only] > width {
                widths[only] = max(1, width)
            } else {
                break
            }
        }
        func line(_ cells: [(text: String, ink: Terminal.Ink?)]) -> String {
            var out = ""
            for (position, column) in shown.enumerated() {
                let text = Self.shortened(cells[column].text, to: widths[column], unicode: unicode)
                let padding = String(repeating: " ", count: widths[column] - text.count)
                let painted = paint(text, cells[column].ink)
                let isLast = position == shown.count - 1
                if self.columns[column].alignsRight {
                    out += padding + painted
                } else {
                    out += painted + (isLast ? "" : padding)
                }
                if !isLast { out += "  " }
            }
            return out
        }
        return [line(self.columns.map { ($0.title, .dim) })] + self.rows.map { line($0.map { ($0.text, $0.ink) }) }
    }

    static func shortened(_ text: String, to width: Int, unicode: Bool) -> String {
        guard text.count > width else { return text }
        let mark = unicode ? "…" : "~"
        return width <= 1 ? String(mark.prefix(width)) : text.prefix(width - 1) + mark
    }

    /// The text on one line, with control characters made visible.
    static func printable(_ text: String) -> String {
        guard
            text.unicodeScalars.contains(where: {
                $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || Self.turnsText($0)
            })
        else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0A, 0x0D: out += " "
            case 0..<0x20, 0x7F..<0xA0: out += "\u{FFFD}"
            default: if Self.turnsText(scalar) { out += "\u{FFFD}" } else { out.unicodeScalars.append(scalar) }
            }
        }
        return out
    }

    /// Marks that reorder the text around them, which could make a line read as something else.
    private static func turnsText(_ scalar: Unicode.Scalar) -> Bool {
        (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    }
}
