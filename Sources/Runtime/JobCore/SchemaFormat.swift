/// The formats that can be asserted; others are remarks.
enum SchemaFormat: String, Sendable {
    case dateTime = "date-time"
    case date, time, uuid, uri, email, ipv4, ipv6

    var words: String {
        switch self {
        case .dateTime: "a time like 2030-01-31T23:59:00Z"
        case .date: "a date like 2030-01-31"
        case .time: "a time like 23:59:00Z"
        case .uuid: "a UUID"
        case .uri: "an absolute address like https://example.org/"
        case .email: "an e-mail address"
        case .ipv4: "an IPv4 address"
        case .ipv6: "an IPv6 address"
        }
    }

    func accepts(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        switch self {
        case .dateTime:
            guard bytes.count > 11, bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t") else {
                return false
            }
            return Self.isDate(bytes[..<10]) && Self.isTime(bytes[11...])
        case .date: return Self.isDate(bytes[...])
        case .time: return Self.isTime(bytes[...])
        case .uuid:
            return bytes.count == 36
                && bytes.enumerated().allSatisfy { place, byte in
                    [8, 13, 18, 23].contains(place) ? byte == UInt8(ascii: "-") : Self.isHex(byte)
                }
        case .uri: return Self.isURI(bytes)
        case .email: return Self.isEmail(bytes)
        case .ipv4: return Self.isIPv4(bytes[...])
        case .ipv6: return Self.isIPv6(bytes)
        }
    }

    // MARK: RFC 3339

    private static func number(_ bytes: ArraySlice<UInt8>, _ range: Range<Int>) -> Int? {
        let digits = bytes.dropFirst(range.lowerBound).prefix(range.count)
        guard digits.count == range.count, digits.allSatisfy(isDigit) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func isDate(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count == 10, let year = number(bytes, 0..<4), let month = number(bytes, 5..<7),
            let day = number(bytes, 8..<10), (1...12).contains(month),
            bytes[bytes.startIndex + 4] == UInt8(ascii: "-"), bytes[bytes.startIndex + 7] == UInt8(ascii: "-")
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...days[month - 1]).contains(day)
    }

    private static func isTime(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count >= 9, let hour = number(bytes, 0..<2), let minute = number(bytes, 3..<5),
            let second = number(bytes, 6..<8), hour < 24, minute < 60, second <= 60,
            bytes[bytes.startIndex + 2] == UInt8(ascii: ":"), bytes[bytes.startIndex + 5] == UInt8(ascii: ":")
        else { return false }
        var rest = bytes.dropFirst(8)
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard let first = rest.first, isDigit(first) else { return false }
            rest = rest.drop(while: isDigit)
        }
        var offset = 0
        if rest.count == 1, rest.first == UInt8(ascii: "Z") || rest.first == UInt8(ascii: "z") {
            offset = 0
        } else if rest.count == 6, let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
            let hours = number(rest, 1..<3), let minutes = number(rest, 4..<6), hours < 24, minutes < 60,
            rest[rest.startIndex + 3] == UInt8(ascii: ":")
        {
            offset = (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -1 : 1)
        } else {
            return false
        }
        // A leap second is the last one of a day of UTC.
        let ofDay = (hour * 60 + minute - offset + 2 * 1440) % 1440
        return second < 60 || ofDay == 1439
    }

    // MARK: Addresses

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isHex(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// RFC 3986: a scheme, and behind it only signs that may stand there.
    private static func isURI(_ bytes: [UInt8]) -> Bool {
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), let first = bytes.first,
            isLetterOrDigit(first), !isDigit(first),
            bytes[..<colon].allSatisfy({ isLetterOrDigit($0) || "+-.".utf8.contains($0) })
        else { return false }
        var rest = bytes[(colon + 1)...]
        var hashes = 0
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, rest.prefix(2).allSatisfy(isHex) else { return false }
                rest = rest.dropFirst(2)
                continue
            }
            if byte == UInt8(ascii: "#") { hashes += 1 }
            guard isLetterOrDigit(byte) || "-._~:/?#[]@!$&'()*+,;=".utf8.contains(byte) else { return false }
        }
        return hashes <= 1
    }

    /// RFC 5321's mailbox with a dot-string before the @.
    private static func isEmail(_ bytes: [UInt8]) -> Bool {
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")), (1...64).contains(at) else { return false }
        let isLocal = bytes[..<at].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && $0.allSatisfy { isLetterOrDigit($0) || "!#$%&'*+-/=?^_`{|}~".utf8.contains($0) }
        }
        let domain = bytes[(at + 1)...]
        if domain.first == UInt8(ascii: "["), domain.last == UInt8(ascii: "]") {
            return isLocal && isIPv4(domain.dropFirst().dropLast())
        }
        return isLocal && (1...253).contains(domain.count)
            && domain.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy {
                (1...63).contains($0.count) && $0.first != UInt8(ascii: "-") && $0.last != UInt8(ascii: "-")
                    && $0.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
            }
    }

    private static func isIPv4(_ bytes: ArraySlice<UInt8>) -> Bool {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard let value = number(part, 0..<part.count), (1...3).contains(part.count) else { return false }
                return value <= 255 && (part.count == 1 || part.first != UInt8(ascii: "0"))
            }
    }

    private static func isIPv6(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return false }
        var groups = 0
        for (index, half) in halves.enumerated() where !half.isEmpty {
            let parts = half.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            for (place, part) in parts.enumerated() {
                if (1...4).contains(part.count), part.allSatisfy(isHex) {
                    groups += 1
                } else if place == parts.count - 1, index == halves.count - 1, isIPv4(Array(part)[...]) {
                    groups += 2
                } else {
                    return false
                }
            }
        }
        return halves.count == 2 ? groups <= 7 : groups == 8
    }
}
