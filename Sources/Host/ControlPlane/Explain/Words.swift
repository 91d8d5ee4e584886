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
        let seconds = (milliseconds + 500) / 1000
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
            tenths = value / (1 << (10 * Int64(index))) * 10 / 1024
            if tenths < 10_240 || unit == "TiB" {
                return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
            }
        }
        return "\(value) B"
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
