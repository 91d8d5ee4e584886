import JobCore

/// Numbers and times as people read them. Pure.
enum Format {
    /// "1,250".
    static func count(_ value: Int64) -> String {
        let digits = String(value.magnitude)
        var out = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { out += "," }
            out.append(digit)
        }
        return (value < 0 ? "-" : "") + out
    }

    /// A span in the unit that fits: "85ms", "4.2s", "3m 20s", "1h 05m", "2d 3h".
    static func span(milliseconds: Int64) -> String {
        if milliseconds < 1_000 { return "\(max(0, milliseconds))ms" }
        if milliseconds < 59_950 {
            let tenths = (milliseconds + 50) / 100
            return "\(tenths / 10).\(tenths % 10)s"
        }
        let seconds = milliseconds / 1_000 + (milliseconds % 1_000 >= 500 ? 1 : 0)
        if seconds < 3_600 { return "\(seconds / 60)m \(Self.two(seconds % 60))s" }
        if seconds < 86_400 { return "\(seconds / 3_600)h \(Self.two(seconds % 3_600 / 60))m" }
        return "\(seconds / 86_400)d \(seconds % 86_400 / 3_600)h"
    }

    /// A span on a line that is redrawn: tenths below a minute, so that it ticks evenly: "0.7s".
    static func ticking(milliseconds: Int64) -> String {
        guard milliseconds < 1_000 else { return self.span(milliseconds: milliseconds) }
        return "0.\(max(0, milliseconds) / 100)s"
    }

    /// "512 B", "1.9 MiB".
    static func bytes(_ value: Int64) -> String {
        if value < 1_024 { return "\(value) B" }
        var amount = Double(value)
        for unit in ["KiB", "MiB", "GiB", "TiB"] {
            amount /= 1_024
            if amount < 1_023.95 || unit == "TiB" { return "\(Self.oneDecimal(amount)) \(unit)" }
        }
        return "\(value) B"
    }

    /// "3.1k/s" style rates.
    static func rate(_ perSecond: Double) -> String {
        if perSecond >= 1_000_000 { return "\(Self.oneDecimal(perSecond / 1_000_000))M/s" }
        if perSecond >= 10_000 { return "\(Self.oneDecimal(perSecond / 1_000))k/s" }
        if perSecond >= 10 { return "\(Self.count(Int64(perSecond.rounded())))/s" }
        return "\(Self.oneDecimal(perSecond))/s"
    }

    /// "3m 20s ago", "in 4.0s"; empty when the text is no time.
    static func relative(_ time: String?, now: Int64) -> String {
        guard let time, let when = WallTime(rfc3339: time) else { return "" }
        let milliseconds = (now - when.micros) / 1_000
        if milliseconds >= 0 { return milliseconds < 1_000 ? "now" : Self.coarse(milliseconds) + " ago" }
        return "in " + (milliseconds > -60_000 ? Self.span(milliseconds: -milliseconds) : Self.coarse(-milliseconds))
    }

    /// Milliseconds from one RFC 3339 time to another, or to now; nil when one is missing.
    static func elapsed(_ from: String?, _ to: String?, now: Int64) -> Int64? {
        guard let from, let start = WallTime(rfc3339: from) else { return nil }
        let end = to.flatMap { WallTime(rfc3339: $0)?.micros } ?? now
        return max(0, (end - start.micros) / 1_000)
    }

    /// The time of day of an RFC 3339 text, with milliseconds: "12:04:05.123".
    static func clock(_ time: String) -> String {
        guard let t = time.firstIndex(of: "T") else { return time }
        return String(time[time.index(after: t)...].prefix(12))
    }

    /// A duration option: "500ms", "30s", "10m", "6h", "2d", or bare seconds. In milliseconds; nil when it is none.
    static func parseDuration(_ text: String) -> Int64? {
        let units: [(String, Double)] = [
            ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1_000),
        ]
        for (suffix, scale) in units where text.hasSuffix(suffix) {
            let digits = text.dropLast(suffix.count)
            guard let first = digits.first, first.isASCII, first.isNumber, let amount = Double(digits), amount.isFinite
            else {
                if suffix.isEmpty { return nil }
                continue
            }
            let milliseconds = (amount * scale).rounded()
            return milliseconds < 9e15 ? Int64(milliseconds) : nil
        }
        return nil
    }

    /// "64K", "512M", "1.5GiB", or bytes; nil if it is no size. K, M, G and T are powers of 1024, with or without B or iB.
    static func parseSize(_ text: String) -> Int64? {
        var digits = text[...]
        for suffix in ["iB", "B"] where digits.hasSuffix(suffix) {
            digits = digits.dropLast(suffix.count)
            break
        }
        var scale = 1.0
        if let unit = ["K": 1_024.0, "M": 1_048_576, "G": 1_073_741_824, "T": 1_099_511_627_776][
            String(digits.suffix(1))]
        {
            scale = unit
            digits = digits.dropLast()
        }
        guard let first = digits.first, first.isASCII, first.isNumber, let amount = Double(digits), amount.isFinite
        else { return nil }
        let bytes = (amount * scale).rounded()
        return bytes < 9e15 ? Int64(bytes) : nil
    }

    private static func coarse(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1_000
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3_600 { return "\(seconds / 60)m" }
        if seconds < 86_400 { return "\(seconds / 3_600)h" }
        return "\(seconds / 86_400)d"
    }

    private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

    static func oneDecimal(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}
