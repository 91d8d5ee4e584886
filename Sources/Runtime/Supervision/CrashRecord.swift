internal import CWire
internal import JobCore

extension CrashInfo {
    /// Reads what a dying child wrote into its crash pipe: the record, and the mappings of code. Nil for anything else. All of it
    /// is as trustworthy as the child.
    init?(record bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= MemoryLayout<pawl_crash>.size else { return nil }
        let record = bytes.loadUnaligned(as: pawl_crash.self)
        guard record.magic == PAWL_CRASH_MAGIC, record.version == PAWL_CRASH_VERSION else { return nil }
        let name = withUnsafeBytes(of: record.thread_name) {
            String(repairing: UnsafeRawBufferPointer(rebasing: $0.prefix { $0 != 0 }))
        }
        let frames = withUnsafeBytes(of: record.frames) {
            Array($0.bindMemory(to: UInt64.self).prefix(Int(min(record.frame_count, UInt32(PAWL_CRASH_FRAMES)))))
        }
        self.init(
            signal: record.signal, code: record.code, address: record.address, pc: record.pc, threadName: name,
            frames: frames, addressSpaceBytes: record.address_space_bytes)
        let values = withUnsafeBytes(of: record.registers) {
            Array($0.bindMemory(to: UInt64.self).prefix(Int(min(record.register_count, UInt32(PAWL_CRASH_REGISTERS)))))
        }
        error = record.error
        registers = zip(Self.registerNames, values).map { RegisterValue(name: $0, value: $1) }
        modules = Self.mappings(UnsafeRawBufferPointer(rebasing: bytes[MemoryLayout<pawl_crash>.size...]))
    }

    /// As above, of what stands behind a first record; nil if nothing does.
    init?(recordAfterNote bytes: UnsafeRawBufferPointer) {
        guard bytes.count > MemoryLayout<pawl_crash>.size else { return nil }
        self.init(record: UnsafeRawBufferPointer(rebasing: bytes[MemoryLayout<pawl_crash>.size...]))
    }

    /// In the order of `pawl_crash.registers`; host and child are of one machine.
    private static let registerNames: [String] = {
        #if arch(x86_64)
            ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"] + (8...15).map { "r\($0)" } + ["rip", "eflags"]
        #elseif arch(arm64)
            (0...30).map { "x\($0)" } + ["sp", "pc", "pstate"]
        #else
            []
        #endif
    }()

    /// Whole lines as in proc_pid_maps(5): `start-end perms offset device inode path`; the build id of one in the line before
    /// it. Others are left out.
    private static func mappings(_ bytes: UnsafeRawBufferPointer) -> [MappedModule] {
        var modules: [MappedModule] = []
        var buildID: String?
        for line in bytes.split(separator: 0x0a) {
            if line.starts(with: "build-id ".utf8) {
                let digits = line.dropFirst(9)
                buildID = digits.count <= 64 ? String(decoding: digits, as: UTF8.self) : nil
                continue
            }
            defer { buildID = nil }
            let fields = line.split(separator: 0x20, maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count == 6, let dash = fields[0].firstIndex(of: 0x2d) else { continue }
            let path = fields[5].drop { $0 == 0x20 }
            guard let start = hexadecimal(fields[0][..<dash]), let end = hexadecimal(fields[0][(dash + 1)...]),
                let offset = hexadecimal(fields[2]), start < end, path.first == 0x2f
            else { continue }
            modules.append(
                MappedModule(
                    start: start, end: end, fileOffset: offset,
                    path: String(repairing: UnsafeRawBufferPointer(rebasing: path)),
                    buildID: buildID.flatMap { $0.utf8.allSatisfy(isHexadecimal) ? $0 : nil }))
        }
        return modules
    }

    private static func isHexadecimal(_ digit: UInt8) -> Bool {
        (0x30...0x39).contains(digit) || (0x61...0x66).contains(digit)
    }

    private static func hexadecimal(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt64? {
        UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
