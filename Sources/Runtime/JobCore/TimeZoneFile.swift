/// A time zone as compiled by zic(8): the bytes of a TZif file, version 2 or later (RFC 9636).
package struct TimeZoneFile: ZoneRules {
    /// Seconds since the Unix epoch, rising; from `transitions[i]` on, `offsets[kinds[i]]` applies.
    private let transitions: [Int64]
    private let kinds: [UInt8]
    private let offsets: [Int]
    /// What applies after the last transition, for ever.
    private let footer: PosixZone?

    /// Nil if the bytes are no such file, or are cut off.
    package init?(_ bytes: [UInt8]) {
        var reader = BigEndianReader(bytes)
        // The first block has 32-bit times, for readers of the last century.
        guard let old = Header(&reader), old.version >= 2, reader.skip(old.blockSize(timeSize: 4)),
            let header = Header(&reader), header.types > 0
        else { return nil }
        var transitions: [Int64] = []
        for _ in 0..<header.times {
            guard let time = reader.int64() else { return nil }
            transitions.append(time)
        }
        guard let kinds = reader.bytes(header.times) else { return nil }
        var offsets: [Int] = []
        for _ in 0..<header.types {
            guard let offset = reader.int32(), reader.skip(2) else { return nil }
            offsets.append(Int(offset))
        }
        guard kinds.allSatisfy({ $0 < offsets.count }),
            reader.skip(header.characters + header.leaps * 12 + header.standards + header.universals),
            let rest = reader.bytes(reader.remaining), rest.first == 0x0A,
            let end = rest.dropFirst().firstIndex(of: 0x0A)
        else { return nil }
        self.transitions = transitions
        self.kinds = kinds
        self.offsets = offsets
        let text = String(decoding: rest[1..<end], as: UTF8.self)
        footer = text.isEmpty ? nil : PosixZone(text)
        if !text.isEmpty && footer == nil { return nil }
    }

    package func offset(at seconds: Int64) -> Int {
        guard let last = transitions.last else { return footer?.offset(at: seconds) ?? offsets[0] }
        if seconds >= last, let footer { return footer.offset(at: seconds) }
        return offset(after: passed(seconds))
    }

    package func span(at seconds: Int64) -> ZoneSpan {
        let passed = passed(seconds)
        if passed == transitions.count, let footer {
            var span = footer.span(at: seconds)
            if let last = transitions.last { span.start = max(span.start, last) }
            return span
        }
        return ZoneSpan(
            start: passed == 0 ? .min : transitions[passed - 1],
            end: passed == transitions.count ? .max : transitions[passed], offset: offset(after: passed))
    }

    /// The number of transitions at or before `seconds`.
    private func passed(_ seconds: Int64) -> Int {
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func offset(after passed: Int) -> Int { passed == 0 ? offsets[0] : offsets[Int(kinds[passed - 1])] }

    private struct Header {
        let version: Int
        let universals, standards, leaps, times, types, characters: Int

        init?(_ reader: inout BigEndianReader) {
            guard reader.bytes(4) == Array("TZif".utf8), let version = reader.bytes(1)?[0], reader.skip(15),
                let universals = reader.count(), let standards = reader.count(), let leaps = reader.count(),
                let times = reader.count(), let types = reader.count(), let characters = reader.count()
            else { return nil }
            self.version = version == 0 ? 1 : Int(version) - 0x30
            self.universals = universals
            self.standards = standards
            self.leaps = leaps
            self.times = times
            self.types = types
            self.characters = characters
        }

        func blockSize(timeSize: Int) -> Int {
            times * (timeSize + 1) + types * 6 + characters + leaps * (timeSize + 4) + standards + universals
        }
    }
}

/// Numbers in network order.
private struct BigEndianReader {
    private let data: [UInt8]
    private var position = 0

    init(_ data: [UInt8]) { self.data = data }

    var remaining: Int { data.count - position }

    mutating func bytes(_ count: Int) -> [UInt8]? {
        guard count >= 0, count <= remaining else { return nil }
        defer { position += count }
        return Array(data[position..<position + count])
    }

    mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, count <= remaining else { return false }
        position += count
        return true
    }

    mutating func int64() -> Int64? {
        bytes(8).map { Int64(bitPattern: $0.reduce(0) { $0 << 8 | UInt64($1) }) }
    }

    mutating func int32() -> Int32? {
        bytes(4).map { Int32(bitPattern: $0.reduce(0) { $0 << 8 | UInt32($1) }) }
    }

    /// Zone files have some hundreds of entries; more is damage.
    mutating func count() -> Int? {
        guard let value = int32(), (0...100_000).contains(value) else { return nil }
        return Int(value)
    }
}
