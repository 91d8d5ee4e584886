import JobCore

/// Numbers and names as people read them.
enum Words {
    /// `85 ms`, `4.2 s`, `3 m 20 s`, `1 h 05 m`, `2 d 3 h`.
    static func span(_ duration: Duration) -> String {
        let milliseconds = max(0, duration.wholeMilliseconds)
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        if milliseconds < 59_950 {
            let tenths = (milliseconds + 50) / 100
            return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
        }
        // Rounded without a sum: a plugin may declare any limit that fits into its number.
        let seconds = milliseconds / 1000 + (milliseconds % 1000 >= 500 ? 1 : 0)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        if seconds < 3600 { return "\(seconds / 60) m" + (seconds % 60 == 0 ? "" : " \(two(seconds % 60)) s") }
        if seconds < 86_400 {
            return "\(seconds / 3600) h" + (seconds % 3600 < 60 ? "" : " \(two(seconds % 3600 / 60)) m")
        }
        return "\(seconds / 86_400) d" + (seconds % 86_400 < 3600 ? "" : " \(seconds % 86_400 / 3600) h")
    }

    /// `512 B`, `1.9 MiB`, `1 GiB`.
    static func bytes(_ value: Int64) -> String {
        guard value >= 1024 else { return "\(value) B" }
        var tenths = value
        for (index, unit) in ["KiB", "MiB", "GiB", "TiB"].enumerated() {
            // In tenths of the unit, without a detour over doubles.
            let below = value >> (10 * Int64(index))
            tenths = below / 1024 * 10 + below % 1024 * 10 / 1024
            if tenths < 10_240 || unit == "TiB" {
                return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
            }
        }
        return "\(value) B"
    }

    /// Twice as long, as a command takes it: `90s`, `2h`. Ten years at most: no limit may be longer.
    static func twice(_ duration: Duration) -> String {
        let longest: Int64 = 315_360_000_000
        let milliseconds = min(max(0, duration.wholeMilliseconds), longest / 2) * 2
        for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] as [(String, Int64)]
        where milliseconds % length == 0 { return "\(milliseconds / length)\(unit)" }
        return "\(milliseconds)ms"
    }

    /// Twice as much, as a command takes it: `2G`, `96M`. 2^50 at most: no limit may be larger.
    static func twice(_ bytes: Int64) -> String {
        let value = min(max(0, bytes), 1 << 49) * 2
        for (unit, bits) in [("G", 30), ("M", 20), ("K", 10)] as [(String, Int64)] where value % (1 << bits) == 0 {
            return "\(value >> bits)\(unit)"
        }
        return "\(value)"
    }

    /// One word of a shell's command line, whatever is in it: names of queues and jobs are anybody's.
    static func shellWord(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "_-./:@%+=,".utf8.contains(byte)
            }
        }
        return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }

    /// `1 run`, `3 runs`.
    static func count(_ value: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
        "\(value) " + (value == 1 ? one : many ?? one + "s")
    }

    /// The last part of a path.
    static func fileName(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// `SIGSEGV`.
    static func signal(_ number: Int32) -> String { OutcomeClassifier.signalName(number) }

    /// `1, 2 and 3`.
    static func list(_ parts: [String]) -> String {
        guard let last = parts.last, parts.count > 1 else { return parts.first ?? "" }
        return parts.dropLast().joined(separator: ", ") + " and " + last
    }
}
