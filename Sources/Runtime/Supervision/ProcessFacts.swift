internal import CLinux
internal import Glibc
internal import UVLoop

/// What /proc/PID/stat tells of a process (proc(5)), as far as supervision asks.
struct ProcessFacts: Equatable {
    /// `R`, `S`, `D`, `T`, `Z`, …
    var state: UInt8
    var parent: Int32
    /// User and system time, in clock ticks; `waited`: of its descendants that have ended and were waited for.
    var ticks: UInt64
    var waitedTicks: UInt64
    var threads: Int
    var addressSpaceBytes: UInt64
    var residentPages: Int64

    /// Nil for anything else. The name in field 2 may hold anything, so it is read from behind the last `)`.
    init?(stat bytes: UnsafeRawBufferPointer) {
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")), bytes.count > end + 2 else { return nil }
        var numbers: [Int64] = []
        numbers.reserveCapacity(22)
        var isInside = false
        var (value, isNegative): (Int64, Bool) = (0, false)
        self.state = bytes[end + 2]
        for byte in bytes[(end + 3)...] {
            if byte == UInt8(ascii: "-") {
                isNegative = true
            } else if (0x30...0x39).contains(byte) {
                isInside = true
                value = value &* 10 &+ Int64(byte - 0x30)
            } else if isInside {
                numbers.append(isNegative ? -value : value)
                (value, isNegative, isInside) = (0, false, false)
                if numbers.count == 21 { break }
            }
        }
        // The first one is field 4.
        guard numbers.count >= 21 else { return nil }
        self.parent = Int32(truncatingIfNeeded: numbers[0])
        self.ticks = UInt64(max(0, numbers[10])) &+ UInt64(max(0, numbers[11]))
        self.waitedTicks = UInt64(max(0, numbers[12])) &+ UInt64(max(0, numbers[13]))
        self.threads = Int(numbers[16])
        self.addressSpaceBytes = UInt64(bitPattern: numbers[19])
        self.residentPages = numbers[20]
    }

    /// Of a process that is there; nil where it is not.
    init?(_ pid: Int32) {
        var facts: ProcessFacts?
        SmallFiles.withBytes("/proc/\(pid)/stat") { facts = ProcessFacts(stat: $0) }
        guard let facts else { return nil }
        self = facts
    }

    /// By a signal; not by a debugger or a freezer.
    var isStopped: Bool { self.state == UInt8(ascii: "T") }
    var isDead: Bool { self.state == UInt8(ascii: "Z") || self.state == UInt8(ascii: "X") }

    private static let pageBytes = Int64(sysconf(Int32(_SC_PAGESIZE)))
    private static let tickMicros = 1_000_000 / UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))

    var residentBytes: Int64 { self.residentPages * Self.pageBytes }
    var cpuMicros: UInt64 { self.ticks * Self.tickMicros }
    var waitedMicros: UInt64 { self.waitedTicks * Self.tickMicros }
}

/// Processor time as `cpu.stat` of a cgroup v2 directory counts it: of everything that ever ran in it and below. The base
/// file is there without the `cpu` controller.
struct CgroupCPU: Equatable {
    var usage: Duration = .zero
    var user: Duration = .zero
    var system: Duration = .zero

    init() {}

    /// Nil where the counts are missing.
    init?(stat text: UnsafeRawBufferPointer) {
        // Read with each attempt: byte by byte, and no further than the three of them.
        var found = 0
        var position = 0
        while found < 3, position < text.count {
            let start = position
            while position < text.count, text[position] != UInt8(ascii: " "), text[position] != UInt8(ascii: "\n") {
                position += 1
            }
            let name = UnsafeRawBufferPointer(rebasing: text[start..<position])
            var micros: Int64 = 0
            if position < text.count, text[position] == UInt8(ascii: " ") { position += 1 }
            while position < text.count, text[position] != UInt8(ascii: "\n") {
                guard text[position] >= 0x30, text[position] <= 0x39 else { return nil }
                micros = micros &* 10 &+ Int64(text[position] - 0x30)
                position += 1
            }
            position += 1
            if name.elementsEqual("usage_usec".utf8) {
                self.usage = .microseconds(micros)
            } else if name.elementsEqual("user_usec".utf8) {
                self.user = .microseconds(micros)
            } else if name.elementsEqual("system_usec".utf8) {
                self.system = .microseconds(micros)
            } else {
                continue
            }
            found += 1
        }
        if found != 3 { return nil }
    }

    init?(stat text: String) {
        let bytes = Array(text.utf8)
        guard let parsed = bytes.withUnsafeBytes({ CgroupCPU(stat: $0) }) else { return nil }
        self = parsed
    }

    static func - (left: CgroupCPU, right: CgroupCPU) -> CgroupCPU {
        var difference = CgroupCPU()
        difference.usage = max(.zero, left.usage - right.usage)
        difference.user = max(.zero, left.user - right.user)
        difference.system = max(.zero, left.system - right.system)
        return difference
    }
}
