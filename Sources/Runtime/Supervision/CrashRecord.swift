internal import CWire
internal import JobCore

extension CrashInfo {
    /// Reads what a dying child wrote into its crash pipe; nil for anything else.
    init?(record bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= MemoryLayout<pawl_crash>.size else { return nil }
        let record = bytes.loadUnaligned(as: pawl_crash.self)
        guard record.magic == PAWL_CRASH_MAGIC, record.version == 1 else { return nil }
        let name = withUnsafeBytes(of: record.thread_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let frames = withUnsafeBytes(of: record.frames) {
            Array($0.bindMemory(to: UInt64.self).prefix(Int(min(record.frame_count, UInt32(PAWL_CRASH_FRAMES)))))
        }
        self.init(
            signal: record.signal, code: record.code, address: record.address, pc: record.pc, threadName: name,
            frames: frames, addressSpaceBytes: record.address_space_bytes)
    }
}
