internal import CWire
internal import JobCore

/// What a zygote or a monitor says, decoded.
enum ControlMessage {
    case ready(pawl_c_ready)
    case refused(PluginRefusal)
    case manifestPiece([UInt8])
    case pong
    case note(String)
    case spawned(slot: UInt32, pawl_c_spawned)
    case spawnFailed(slot: UInt32, pawl_c_spawn_failed)
    case exited(slot: UInt32, pawl_c_exited)
    case empty(slot: UInt32, pawl_c_empty)
    case orphan(pawl_c_orphan)

    init(_ bytes: UnsafeRawBufferPointer) throws(WireFault) {
        var reader = WireReader(bytes)
        let head = try reader.take(pawl_control.self)
        switch UInt32(head.kind) {
        case PAWL_C_READY.rawValue: self = .ready(try reader.take(pawl_c_ready.self))
        case PAWL_C_REFUSED.rawValue:
            let body = try reader.take(pawl_c_refused.self)
            let message = try reader.text(body.message_length)
            self = .refused(PluginRefusal(reason: Self.reason(body.reason), message: message))
        case PAWL_C_MANIFEST.rawValue: self = .manifestPiece(Array(reader.rest))
        case PAWL_C_PONG.rawValue: self = .pong
        case PAWL_C_NOTE.rawValue: self = .note(String(repairing: reader.rest))
        case PAWL_C_SPAWNED.rawValue: self = .spawned(slot: head.slot, try reader.take(pawl_c_spawned.self))
        case PAWL_C_SPAWN_FAILED.rawValue:
            self = .spawnFailed(slot: head.slot, try reader.take(pawl_c_spawn_failed.self))
        case PAWL_C_EXITED.rawValue: self = .exited(slot: head.slot, try reader.take(pawl_c_exited.self))
        case PAWL_C_EMPTY.rawValue: self = .empty(slot: head.slot, try reader.take(pawl_c_empty.self))
        case PAWL_C_ORPHAN.rawValue: self = .orphan(try reader.take(pawl_c_orphan.self))
        default: throw WireFault("a control message of unknown kind \(head.kind)")
        }
    }

    private static func reason(_ number: UInt32) -> PluginRefusal.Reason {
        switch number {
        case PAWL_REFUSED_OPEN.rawValue: .open
        case PAWL_REFUSED_ELF.rawValue: .elf
        case PAWL_REFUSED_DLOPEN.rawValue: .dlopen
        case PAWL_REFUSED_ENTRY.rawValue: .entry
        case PAWL_REFUSED_ABI.rawValue: .abi
        case PAWL_REFUSED_DESCRIPTOR.rawValue: .descriptor
        case PAWL_REFUSED_INIT.rawValue: .initialization
        default: .protocolFault
        }
    }
}

extension pawl_c_exited {
    /// 1 is CLD_EXITED.
    var processExit: ProcessExit { self.code == 1 ? .code(self.status) : .signal(self.status) }

    var resources: ResourceUsage {
        ResourceUsage(
            userCPU: .microseconds(Int64(clamping: self.user_us)),
            systemCPU: .microseconds(Int64(clamping: self.system_us)),
            maxRSSBytes: Int64(clamping: self.max_rss_bytes), minorFaults: Int64(clamping: self.minor_faults),
            majorFaults: Int64(clamping: self.major_faults), blocksIn: Int64(clamping: self.blocks_in),
            blocksOut: Int64(clamping: self.blocks_out),
            voluntarySwitches: Int64(clamping: self.voluntary_switches),
            involuntarySwitches: Int64(clamping: self.involuntary_switches))
    }
}
