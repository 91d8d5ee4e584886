internal import Glibc

/// What a shared library says of itself to a linker: read from its tables, nothing loaded.
///
/// The file may be damaged or hostile: what cannot be read is left out, `problems` says so. Layouts and numbers: elf(5),
/// /usr/include/elf.h, and for the GNU parts the Linux Standard Base.
package struct ELFFile: Sendable {
    package struct Segment: Sendable {
        package var type: UInt32
        /// PF_*: 1 executable, 2 writable, 4 readable.
        package var flags: UInt32
        var offset: UInt64
        var address: UInt64
        var fileSize: UInt64
        package var memorySize: UInt64
    }

    package struct Section: Sendable {
        package var name: String
        var type: UInt32
        var offset: UInt64
        package var size: UInt64
    }

    package struct Symbol: Sendable, Hashable {
        package var name: String
        package var isDefined: Bool
        package var isWeak: Bool
        package var isFunction: Bool
        /// Version that it is bound to (`GLIBC_2.34`); nil: none.
        package var version: String?
    }

    /// A library that is needed, and the versions of its symbols.
    package struct VersionNeed: Sendable, Hashable {
        package var library: String
        package var versions: [String]
    }

    package internal(set) var segments: [Segment] = []
    package internal(set) var sections: [Section] = []
    /// DT_NEEDED, in order.
    package internal(set) var needed: [String] = []
    package internal(set) var soname: String?
    package internal(set) var rpath: String?
    package internal(set) var runpath: String?
    /// The dynamic symbols.
    package internal(set) var symbols: [Symbol] = []
    package internal(set) var versionNeeds: [VersionNeed] = []
    /// All symbols are bound when it is loaded.
    package internal(set) var bindsNow = false
    /// Code is changed when it is loaded.
    package internal(set) var relocatesText = false
    /// Needs room in the block of thread-local memory that is given out at process start.
    package internal(set) var usesStaticTLS = false
    /// Functions that run when it is loaded; one of them is the compiler's own.
    package internal(set) var constructors = 0
    /// In hexadecimal.
    package internal(set) var buildID: String?
    /// What could not be read.
    package internal(set) var problems: [String] = []

    /// Content of the section `.pawl.manifest`, as far as it can be read; nil: there is none.
    private(set) var noteBytes: [UInt8]?
    /// Only while it is read: afterwards the descriptor is the caller's again.
    private var reader: ELFReader?

    private static let segmentSize = 56
    private static let sectionSize = 64
    private static let symbolLimit: UInt64 = 1_000_000

    /// Reads from an open file, which stays open and is not changed. nil: it is no ELF file of this machine, and
    /// `ELFImage.fault` says what it is.
    package init?(fd: Int32) {
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else { return nil }
        let reader = ELFReader(fd: fd, size: UInt64(status.st_size))
        guard ELFImage.fault(in: fd, size: reader.size) == nil, let header = reader.bytes(at: 0, count: 64) else {
            return nil
        }
        self.reader = reader
        self.readSegments(header)
        self.readSections(header)
        self.readDynamic()
        self.readNotes()
        if let section = self.section(".pawl.manifest") {
            self.noteBytes = section.size <= 1 << 20 ? self.bytes(of: section)?.bytes ?? [] : []
        }
        self.reader = nil
    }

    /// What keeps a file from being a whole shared library for this machine, in words; nil: nothing.
    package static func fault(inFileAt path: String) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { return String(cString: strerror(errno)) }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return "it is no file" }
        return ELFImage.fault(in: fd, size: UInt64(status.st_size))
    }

    /// As `init(fd:)`, for a path.
    package init?(path: String) {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        self.init(fd: fd)
    }

    // MARK: Segments and sections

    private mutating func readSegments(_ header: ELFBytes) {
        guard let offset = header.number(32, 8), let count = header.number(56, 2),
            let table = self.reader?.bytes(at: offset, count: count * UInt64(Self.segmentSize))
        else { return }
        for index in 0..<Int(count) {
            let base = index * Self.segmentSize
            guard let type = table.number(base, 4), let flags = table.number(base + 4, 4),
                let offset = table.number(base + 8, 8), let address = table.number(base + 16, 8),
                let fileSize = table.number(base + 32, 8), let memorySize = table.number(base + 40, 8)
            else { return }
            self.segments.append(
                Segment(
                    type: UInt32(type), flags: UInt32(flags), offset: offset, address: address, fileSize: fileSize,
                    memorySize: memorySize))
        }
    }

    private mutating func readSections(_ header: ELFBytes) {
        guard let offset = header.number(40, 8), let count = header.number(60, 2), let names = header.number(62, 2),
            offset != 0, count > 0, header.number(58, 2) == UInt64(Self.sectionSize),
            let table = self.reader?.bytes(at: offset, count: count * UInt64(Self.sectionSize))
        else { return }
        var found: [(name: UInt64, section: Section)] = []
        for index in 0..<Int(count) {
            let base = index * Self.sectionSize
            guard let name = table.number(base, 4), let type = table.number(base + 4, 4),
                let offset = table.number(base + 24, 8), let size = table.number(base + 32, 8)
            else { return }
            found.append((name, Section(name: "", type: UInt32(type), offset: offset, size: size)))
        }
        guard names < count, let texts = self.bytes(of: found[Int(names)].section) else {
            self.problems.append("the names of its sections cannot be read")
            return
        }
        self.sections = found.map { entry in
            var section = entry.section
            section.name = texts.text(entry.name, limit: 256) ?? ""
            return section
        }
    }

    package func section(_ name: String) -> Section? { self.sections.first { $0.name == name } }

    private func bytes(of section: Section) -> ELFBytes? {
        // SHT_NOBITS: nothing of it is in the file.
        section.type == 8 ? nil : self.reader?.bytes(at: section.offset, count: section.size)
    }

    /// The bytes that will stand at an address, where the file has them.
    private func bytes(atAddress address: UInt64, count: UInt64) -> ELFBytes? {
        for segment in self.segments where segment.type == 1 && address >= segment.address {
            let into = address - segment.address
            let (end, overflow) = into.addingReportingOverflow(count)
            if !overflow, end <= segment.fileSize, segment.offset <= UInt64.max - into {
                return self.reader?.bytes(at: segment.offset + into, count: count)
            }
        }
        return nil
    }

    // MARK: The dynamic section

    private mutating func readDynamic() {
        guard let segment = self.segments.first(where: { $0.type == 2 }),
            let table = self.reader?.bytes(at: segment.offset, count: min(segment.fileSize, 1 << 20))
        else {
            self.problems.append("it has no dynamic section")
            return
        }
        var entries: [UInt64: UInt64] = [:]
        var needed: [UInt64] = []
        for index in 0..<table.count / 16 {
            guard let tag = table.number(index * 16, 8), let value = table.number(index * 16 + 8, 8), tag != 0 else {
                break
            }
            if tag == 1 { needed.append(value) } else { entries[tag] = value }
        }
        let flags = entries[30] ?? 0
        self.bindsNow = entries[24] != nil || flags & 8 != 0 || (entries[0x6fff_fffb] ?? 0) & 1 != 0
        self.relocatesText = entries[22] != nil || flags & 4 != 0
        self.usesStaticTLS = flags & 0x10 != 0
        self.constructors = Int(min((entries[27] ?? 0) / 8, 1 << 20))
        guard let address = entries[5], let size = entries[10], let texts = self.bytes(atAddress: address, count: size)
        else {
            self.problems.append("its dynamic names cannot be read")
            return
        }
        self.needed = needed.prefix(1000).compactMap { texts.text($0) }
        self.soname = entries[14].flatMap { texts.text($0) }
        self.rpath = entries[15].flatMap { texts.text($0) }
        self.runpath = entries[29].flatMap { texts.text($0) }
        let versions = self.readVersions(entries, texts)
        self.readSymbols(entries, texts, versions)
    }

    /// DT_VERNEED: names of versions by their number in DT_VERSYM.
    private mutating func readVersions(_ entries: [UInt64: UInt64], _ texts: ELFBytes) -> [UInt64: String] {
        guard var address = entries[0x6fff_fffe], let count = entries[0x6fff_ffff] else { return [:] }
        var names: [UInt64: String] = [:]
        for _ in 0..<min(count, 1000) {
            guard let need = self.bytes(atAddress: address, count: 16), let auxCount = need.number(2, 2),
                let file = need.number(4, 4), let auxOffset = need.number(8, 4), let next = need.number(12, 4)
            else { break }
            var found = VersionNeed(library: texts.text(file) ?? "", versions: [])
            var auxAddress = address &+ auxOffset
            for _ in 0..<min(auxCount, 1000) {
                guard let aux = self.bytes(atAddress: auxAddress, count: 16), let number = aux.number(6, 2),
                    let name = aux.number(8, 4).flatMap({ texts.text($0) }), let step = aux.number(12, 4)
                else { break }
                found.versions.append(name)
                names[number & 0x7fff] = name
                if step == 0 { break }
                auxAddress = auxAddress &+ step
            }
            self.versionNeeds.append(found)
            if next == 0 { break }
            address = address &+ next
        }
        return names
    }

    private mutating func readSymbols(
        _ entries: [UInt64: UInt64], _ texts: ELFBytes, _ versions: [UInt64: String]
    ) {
        guard let address = entries[6], let count = self.symbolCount(entries), count > 1 else { return }
        guard count <= Self.symbolLimit, let table = self.bytes(atAddress: address, count: count * 24) else {
            self.problems.append("its dynamic symbols cannot be read")
            return
        }
        let numbers = entries[0x6fff_fff0].flatMap { self.bytes(atAddress: $0, count: count * 2) }
        self.symbols.reserveCapacity(Int(count))
        for index in 1..<Int(count) {
            let base = index * 24
            // A binding of 0 is a local symbol.
            guard let name = table.number(base, 4).flatMap({ texts.text($0) }), !name.isEmpty,
                let info = table.number(base + 4, 1), let section = table.number(base + 6, 2), info >> 4 != 0
            else { continue }
            let version = numbers.flatMap { $0.number(index * 2, 2) }.flatMap { versions[$0 & 0x7fff] }
            self.symbols.append(
                Symbol(
                    name: name, isDefined: section != 0, isWeak: info >> 4 == 2,
                    isFunction: info & 15 == 2 || info & 15 == 10, version: version))
        }
    }

    /// The section headers say it; without them, the hash tables.
    private func symbolCount(_ entries: [UInt64: UInt64]) -> UInt64? {
        if let section = self.sections.first(where: { $0.type == 11 }) { return section.size / 24 }
        if let address = entries[4] { return self.bytes(atAddress: address, count: 8)?.number(4, 4) }
        guard let address = entries[0x6fff_fef5], let head = self.bytes(atAddress: address, count: 16),
            let buckets = head.number(0, 4), let first = head.number(4, 4), let words = head.number(8, 4)
        else { return nil }
        let start = address &+ 16 &+ words * 8
        guard let table = self.bytes(atAddress: start, count: buckets * 4) else { return nil }
        var last = (0..<Int(buckets)).reduce(UInt64(0)) { max($0, table.number($1 * 4, 4) ?? 0) }
        if last < first { return first }
        // The last chain ends where a hash has its lowest bit set.
        for _ in 0..<Self.symbolLimit {
            guard let hash = self.bytes(atAddress: start &+ buckets * 4 &+ (last - first) * 4, count: 4)?.number(0, 4)
            else { return nil }
            last += 1
            if hash & 1 == 1 { return last }
        }
        return nil
    }

    // MARK: Notes

    private mutating func readNotes() {
        for segment in self.segments where segment.type == 4 {
            guard let notes = self.reader?.bytes(at: segment.offset, count: min(segment.fileSize, 1 << 16)) else {
                continue
            }
            var position = 0
            while let nameSize = notes.number(position, 4), let size = notes.number(position + 4, 4),
                let type = notes.number(position + 8, 4), nameSize <= 1 << 16, size <= 1 << 16
            {
                let name = position + 12
                let content = name + (Int(nameSize) + 3) / 4 * 4
                let end = content + Int(size)
                guard end <= notes.count else { break }
                if type == 3, nameSize == 4, notes.text(UInt64(name)) == "GNU" {
                    self.buildID = notes.bytes[content..<end].map {
                        String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
                    }.joined()
                }
                position = content + (Int(size) + 3) / 4 * 4
            }
        }
    }
}
