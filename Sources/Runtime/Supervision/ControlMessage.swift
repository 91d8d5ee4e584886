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

/// What the host says to a zygote or a monitor, encoded.
enum ControlOrder {
    static func plain(_ kind: pawl_control_kind, slot: UInt32 = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendWire(pawl_control(kind: UInt16(kind.rawValue), flags: 0, slot: slot))
        return bytes
    }

    static func signal(_ signal: Int32, slot: UInt32) -> [UInt8] {
        var bytes = self.plain(PAWL_C_SIGNAL, slot: slot)
        bytes.appendWire(pawl_c_signal(signal: signal, reserved: 0))
        return bytes
    }

    static func hello(
        _ image: PluginImage, hostPID: Int32, profile: SupervisorConfiguration.Profile, flags: UInt32 = 0
    ) -> [UInt8] {
        let path = Array(image.path.utf8)
        let text = Array((image.configuration ?? "").utf8)
        var bytes = self.plain(PAWL_C_HELLO)
        bytes.appendWire(
            pawl_c_hello(
                wire_version: PAWL_WIRE_VERSION, expected_ppid: UInt32(hostPID), image_bytes: image.bytes,
                path_length: UInt32(path.count), config_length: UInt32(text.count),
                profile: profile == .cgroup ? PAWL_PROFILE_CGROUP : PAWL_PROFILE_NONE,
                flags: flags))
        bytes += path
        bytes += text
        return bytes
    }

    /// `environment`: NAME=VALUE entries, each ended by a zero byte. `sandbox`: what else the child is kept from.
    static func spawn(
        _ order: RunChild.Order, slot: UInt32, flags: UInt32, niceness: Int32, environment: [UInt8],
        directory: [UInt8], sandbox: [UInt8] = []
    ) -> [UInt8] {
        let limits = order.limits
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            MemoryLayout<pawl_control>.size + MemoryLayout<pawl_c_spawn>.size + environment.count + directory.count)
        bytes.appendWire(pawl_control(kind: UInt16(PAWL_C_SPAWN.rawValue), flags: 0, slot: slot))
        bytes.appendWire(
            pawl_c_spawn(
                run_id: order.runID, attempt: UInt32(clamping: order.attempt), flags: flags,
                cpu_ms: UInt64(clamping: limits.cpu?.wholeMilliseconds ?? 0),
                memory_bytes: UInt64(clamping: limits.memoryBytes),
                file_bytes: UInt64(clamping: limits.fileBytes ?? 0),
                open_files: UInt32(clamping: limits.openFiles ?? 0),
                processes: UInt32(clamping: limits.processes ?? 0), stack_bytes: 0, nice: niceness,
                environment_length: UInt32(environment.count), directory_length: UInt32(directory.count),
                sandbox_length: UInt32(sandbox.count)))
        bytes += environment
        bytes += directory
        bytes += sandbox
        return bytes
    }
}
