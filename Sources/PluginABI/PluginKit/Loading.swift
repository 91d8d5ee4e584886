public import PluginABI
import Synchronization

/// The plugin of this library, from the host's call of the entry to the end of the process.
///
/// The way: `pawl_plugin_entry` calls the `main` that the compiler made of the author's `@main`, which calls
/// `Plugin.main()`, which calls ``adopt(_:)``: so an author writes no exported function.
enum Loading {
    private enum State {
        case idle
        /// The host called the entry; the author's main has not answered yet.
        case entered(Host)
        case adopted(LoadedPlugin)
        /// Said in the host's log.
        case refused
    }
    private static let state = Mutex(State.idle)

    /// The adopted plugin; nil before the entry.
    static var plugin: LoadedPlugin? {
        self.state.withLock { state in
            if case .adopted(let plugin) = state { return plugin }
            return nil
        }
    }

    /// What `Plugin.main()` does.
    static func adopt<P: Plugin>(_ type: P.Type) {
        let host: Host? = self.state.withLock { state in
            if case .entered(let host) = state { return host }
            return nil
        }
        guard let host else {
            // Somebody built the plugin as a program.
            print(
                "\(P.name) is a Pawl plugin: build it as a shared library and put it into the host's plugin directory")
            return
        }
        do {
            let plugin = try LoadedPlugin(type, host: host)
            self.state.withLock { $0 = .adopted(plugin) }
        } catch {
            host.complain("\(P.name): \(error)")
            self.state.withLock { $0 = .refused }
        }
    }

    /// What the entry does; `main` is the author's, or a test's.
    static func enter(
        _ host: UnsafePointer<pawl_host>?, major: UInt32, size: UInt32, main: () -> Void
    ) -> UnsafePointer<pawl_plugin>? {
        guard let raw = host, major == PAWL_ABI_MAJOR else { return nil }
        let host = Host(raw: raw)
        guard size >= UInt32(MemoryLayout<pawl_host>.size) else {
            host.complain("the host is older than the header that this plugin was built with")
            return nil
        }
        self.state.withLock { $0 = .entered(host) }
        main()
        switch self.state.withLock({ $0 }) {
        case .adopted(let plugin): return UnsafePointer(plugin.descriptor)
        case .refused: return nil
        case .idle, .entered:
            host.complain("the plugin's @main type does not conform to Plugin")
            return nil
        }
    }
}

/// The author's `main`, made by the compiler from `@main`; local to the library.
// C's main(int, char **), declared in Swift: both calling conventions pass and return integers and pointers in the same
// registers on every platform that Pawl knows. The arguments are not used: CommandLine reads /proc.
@_silgen_name("main")
private func authorMain(_ argumentCount: Int32, _ arguments: UnsafeMutableRawPointer?) -> Int32

/// The only symbol that a plugin exports. Its name is the header's.
// swift-format-ignore: AlwaysUseLowerCamelCase
#if compiler(>=6.3)
    @c(pawl_plugin_entry) @implementation
#else
    @_cdecl("pawl_plugin_entry")
#endif
public func pawl_plugin_entry(
    _ host: UnsafePointer<pawl_host>?, _ major: UInt32, _ minor: UInt32, _ size: UInt32
) -> UnsafePointer<pawl_plugin>? {
    Loading.enter(host, major: major, size: size) { _ = authorMain(0, nil) }
}
