internal import CWire
internal import JobCore

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
                cpu_ms: UInt64(clamping: limits.kernelCPU?.wholeMilliseconds ?? 0),
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
