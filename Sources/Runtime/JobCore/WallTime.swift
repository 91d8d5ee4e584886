/// A point of wall-clock time, in whole microseconds as in Postgres.
package struct WallTime: Hashable, Sendable {
    /// Since 1970-01-01 00:00:00 UTC.
    package let micros: Int64

    package init(micros: Int64) { self.micros = micros }

    /// Rounded down to microseconds; stops at the ends of the range.
    package func advanced(by duration: Duration) -> WallTime {
        let (sum, overflow) = micros.addingReportingOverflow(duration.wholeMicroseconds)
        return WallTime(micros: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// From `earlier` to `later`; negative if they are the other way round.
    package static func - (later: WallTime, earlier: WallTime) -> Duration {
        .microseconds(later.micros.subtractingReportingOverflow(earlier.micros).partialValue)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    package var seconds: Int64 { CivilTime.floorDiv(micros, 1_000_000) }
}

extension WallTime: Comparable {
    package static func < (left: WallTime, right: WallTime) -> Bool { left.micros < right.micros }
}

extension WallTime: CustomStringConvertible {
    package var description: String { rfc3339 }

    /// `2026-11-21T02:30:00.000000Z`: UTC with six fractional digits, so that equal times are equal texts.
    package var rfc3339: String {
        let civil = CivilTime(secondsSinceEpoch: seconds)
        // Not `micros - seconds * 1_000_000`: that overflows at the lower end of the range.
        let fraction = ((micros % 1_000_000) + 1_000_000) % 1_000_000
        var text = ""
        text.reserveCapacity(27)
        text += padded(civil.year, 4)
        text += "-" + padded(civil.month, 2)
        text += "-" + padded(civil.day, 2)
        text += "T" + padded(civil.hour, 2)
        text += ":" + padded(civil.minute, 2)
        text += ":" + padded(civil.second, 2)
        text += "." + padded(Int(fraction), 6) + "Z"
        return text
    }

    /// Reads an RFC 3339 date-time with `Z` or a numeric offset, any number of fractional digits (those below a
    /// microsecond are cut off), `T` or a space between date and time. A leap second (`:60`) is the second after it.
    /// Nil for everything else: no offset, impossible dates, years outside 1 to 9999.
    package init?(rfc3339 text: some StringProtocol) {
        var reader = DigitReader(Array(text.utf8))
        guard let year = reader.number(4), year >= 1, reader.skip("-"), let month = reader.number(2), reader.skip("-"),
            let day = reader.number(2), reader.skip("T") || reader.skip("t") || reader.skip(" "),
            let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2), reader.skip(":"),
            let second = reader.number(2), (1...12).contains(month),
            day >= 1, day <= CivilTime.daysInMonth(month, of: year), hour < 24, minute < 60, second <= 60
        else { return nil }
        var micros: Int64 = 0
        if reader.skip(".") {
            guard let fraction = reader.fraction() else { return nil }
            micros = fraction
        }
        var offset: Int64 = 0
        if !reader.skip("Z") && !reader.skip("z") {
            let negative = reader.skip("-")
            guard negative || reader.skip("+"), let hours = reader.number(2), reader.skip(":"),
                let minutes = reader.number(2), hours < 24, minutes < 60
            else { return nil }
            offset = Int64(hours * 3600 + minutes * 60) * (negative ? -1 : 1)
        }
        guard reader.isAtEnd else { return nil }
        let local = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        self.micros = (local.secondsSinceEpoch - offset) * 1_000_000 + micros
    }

}

/// In decimal, with leading zeros to `width`.
private func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
}

/// Fixed-width numbers out of ASCII bytes.
struct DigitReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    /// Exactly `width` digits.
    mutating func number(_ width: Int) -> Int? {
        guard position + width <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[position..<position + width] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        position += width
        return value
    }

    /// One digit or more after a decimal point, as microseconds.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
            if count < 6 { value = value * 10 + Int64(bytes[position] - 0x30) }
            count += 1
            position += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, 6)..<6 { value *= 10 }
        return value
    }
}
