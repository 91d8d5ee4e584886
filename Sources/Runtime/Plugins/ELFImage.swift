internal import Glibc

/// Whether a file is a shared library for this machine, and all there. Reads two tables, maps nothing.
///
/// Layouts and numbers: elf(5), /usr/include/elf.h.
enum ELFImage {
    private static let headerSize = 64
    private static let programHeaderSize: UInt64 = 56
    private static let sectionHeaderSize: UInt64 = 64

    #if arch(x86_64)
        private static let machine: UInt16 = 62  // EM_X86_64
    #elseif arch(arm64)
        private static let machine: UInt16 = 183  // EM_AARCH64
    #elseif arch(riscv64)
        private static let machine: UInt16 = 243  // EM_RISCV
    #else
        #error("name this machine's EM_ number")
    #endif

    /// What is wrong with it, in words; nil: nothing.
    static func fault(in fd: Int32, size: UInt64) -> String? {
        guard let header = self.bytes(fd, at: 0, count: self.headerSize), header.starts(with: [0x7f, 0x45, 0x4c, 0x46])
        else { return "it is no ELF shared object" }
        guard header[4] == 2, header[5] == 1 else { return "it is no 64-bit little-endian ELF file" }
        guard self.number(header, 16, 2) == 3 else { return "it is an ELF file, but no shared object (ET_DYN)" }
        let machine = self.number(header, 18, 2)
        guard machine == UInt64(self.machine) else {
            return "it is an ELF shared object for another machine (e_machine \(machine), here \(self.machine))"
        }
        return self.programFault(fd, header, size) ?? self.sectionFault(header, size)
    }

    /// Each segment must lie within the file, or its first touch would be a SIGBUS.
    private static func programFault(_ fd: Int32, _ header: [UInt8], _ size: UInt64) -> String? {
        let (offset, count) = (self.number(header, 32, 8), self.number(header, 56, 2))
        guard count > 0, self.number(header, 54, 2) == self.programHeaderSize else {
            return "it is an ELF file without program headers"
        }
        guard self.isWithin(size, offset, count * self.programHeaderSize),
            let table = self.bytes(fd, at: offset, count: Int(count * self.programHeaderSize))
        else { return "the ELF file is truncated: its program headers are missing" }
        var hasCode = false
        for index in 0..<Int(count) {
            let base = index * Int(self.programHeaderSize)
            guard self.number(table, base, 4) == 1 else { continue }  // PT_LOAD
            hasCode = true
            guard self.isWithin(size, self.number(table, base + 8, 8), self.number(table, base + 32, 8)) else {
                return "the ELF file is truncated: a segment reaches beyond its end"
            }
        }
        return hasCode ? nil : "it is an ELF file without anything to load"
    }

    /// The section headers usually come last, so a missing end shows there.
    private static func sectionFault(_ header: [UInt8], _ size: UInt64) -> String? {
        let (offset, count) = (self.number(header, 40, 8), self.number(header, 60, 2))
        guard offset != 0, self.number(header, 58, 2) == self.sectionHeaderSize else { return nil }
        return self.isWithin(size, offset, count * self.sectionHeaderSize)
            ? nil : "the ELF file is truncated: its section headers are missing"
    }

    private static func isWithin(_ size: UInt64, _ offset: UInt64, _ length: UInt64) -> Bool {
        let (end, overflow) = offset.addingReportingOverflow(length)
        return !overflow && end <= size
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ width: Int) -> UInt64 {
        bytes[offset..<offset + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func bytes(_ fd: Int32, at offset: UInt64, count: Int) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = max(0, pread(fd, buffer.baseAddress, count, off_t(clamping: offset)))
        }
        return bytes.count == count ? bytes : nil
    }
}
