import PluginABI

/// A plugin's descriptor and hooks. One per process, immortal.
// Unchecked, because it holds pointers: the descriptor and all it points to is written here and only read afterwards.
final class LoadedPlugin: @unchecked Sendable {
    let descriptor: UnsafeMutablePointer<pawl_plugin>
    private let host: Host
    private let handlers: [HandlerBox]
    private let load: @Sendable () throws -> Void
    private let warmUp: @Sendable () -> Void
    private let childStart: @Sendable () throws -> Void

    /// Throws where a schema's note names a member that is not there.
    init<P: Plugin>(_ type: P.Type, host: Host) throws(NoteFault) {
        self.host = host
        var handlers: [HandlerBox] = []
        for handler in P.handlers { handlers.append(try HandlerBox(handler)) }
        self.handlers = handlers
        self.load = { try P.load() }
        self.warmUp = { P.warmUp() }
        self.childStart = { try P.childStart() }
        self.descriptor = .allocate(capacity: 1)

        let rawHandlers = UnsafeMutableBufferPointer<pawl_handler>.allocate(capacity: self.handlers.count)
        for (index, handler) in self.handlers.enumerated() {
            rawHandlers.initializeElement(at: index, to: handler.raw)
        }
        var plugin = pawl_plugin()
        plugin.struct_size = UInt32(MemoryLayout<pawl_plugin>.size)
        plugin.abi_major = PAWL_ABI_MAJOR
        plugin.abi_minor = PAWL_ABI_MINOR
        plugin.handler_size = UInt32(MemoryLayout<pawl_handler>.stride)
        plugin.flags = P.options.rawValue
        plugin.name = P.name.immortal
        plugin.version = P.version.immortal
        plugin.handlers = UnsafePointer(rawHandlers.baseAddress)
        plugin.handler_count = UInt32(self.handlers.count)
        plugin.`init` = { _ in
            guard let plugin = Loading.plugin else { return PAWL_E_INTERNAL }
            return plugin.call(plugin.load)
        }
        plugin.prefork = {
            guard let plugin = Loading.plugin else { return PAWL_E_INTERNAL }
            for handler in plugin.handlers { handler.warmUp() }
            plugin.warmUp()
            return PAWL_OK
        }
        plugin.child_start = {
            guard let plugin = Loading.plugin else { return PAWL_E_INTERNAL }
            return plugin.call(plugin.childStart)
        }
        plugin.get_extension = { id in id.flatMap { PluginExtension.table($0) } }
        self.descriptor.initialize(to: plugin)
    }

    /// Calls a hook of the author's; says in the host's log what it throws.
    private func call(_ hook: () throws -> Void) -> Int32 {
        do {
            try hook()
            return PAWL_OK
        } catch {
            self.host.complain((error as? any JobError)?.message ?? String(describing: error))
            return PAWL_E_FAILED
        }
    }
}

/// The host's table, outside any attempt.
// Unchecked, because it holds a pointer: the table is immutable and lives until the process ends.
struct Host: @unchecked Sendable {
    let raw: UnsafePointer<pawl_host>

    /// Says why the plugin refuses, or what it could not do: log() without an attempt.
    func complain(_ message: String) {
        message.withPawl { _ = self.raw.pointee.log(nil, PAWL_LOG_ERROR, $0, pawl_str()) }
    }
}
