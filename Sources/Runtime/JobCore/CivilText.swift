/// Dates and times without a zone, as texts.
enum CivilText {
    /// `HH:MM` or `HH:MM:SS` as seconds after midnight.
    static func secondOfDay(_ text: String) -> Int? {
        var reader = DigitReader(Array(text.utf8))
        guard let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2), hour < 24, minute < 60
        else {
            return nil
        }
        var second = 0
        if reader.skip(":") {
            guard let number = reader.number(2), number < 60 else { return nil }
            second = number
        }
        return reader.isAtEnd ? hour * 3600 + minute * 60 + second : nil
    }

    /// `YYYY-MM-DD` as days since 1970-01-01.
    static func date(_ text: String) -> Int? {
        WallTime(rfc3339: text + "T00:00:00Z").map { Int(CivilTime.floorDiv($0.seconds, 86_400)) }
    }

    /// `YYYY-MM-DDTHH:MM[:SS]`, also with a space, as seconds from 1970-01-01 00:00 on the same wall.
    static func local(_ text: String) -> Int64? {
        let isShort = text.utf8.count == 16
        guard text.utf8.count == 19 || isShort, let time = WallTime(rfc3339: text + (isShort ? ":00Z" : "Z")),
            time.micros % 1_000_000 == 0
        else { return nil }
        return time.seconds
    }

    static func date(_ days: Int) -> String {
        String(WallTime(micros: Int64(days) * 86_400_000_000).rfc3339.prefix(10))
    }

    /// `HH:MM:SS`.
    static func time(_ second: Int) -> String {
        [second / 3600, second / 60 % 60, second % 60].map(two).joined(separator: ":")
    }

    /// `YYYY-MM-DDTHH:MM:SS`.
    static func local(_ seconds: Int64) -> String { String(WallTime(micros: seconds * 1_000_000).rfc3339.prefix(19)) }

    static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
