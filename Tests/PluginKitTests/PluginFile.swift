import Glibc
import PluginABI
import Synchronization

/// A built plugin, loaded into this process as the zygote would.
// Unsafe parts: the descriptor and the library live until the process ends.
struct PluginFile: @unchecked Sendable {
    let descriptor: UnsafePointer<pawl_plugin>

    /// Where `make plugins fixtures` put its files; nil when the tests run without them.
    static var directory: String? {
        getenv("PAWL_TEST_BIN").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    struct Refused: Error {
        var words: [String]
    }

    /// Loads, enters and initialises. Throws what the plugin said when it refuses.
    ///
    /// - Parameter configuration: the text of extension pawl.config/1, if the host has one.
    init(_ name: String, configuration: String? = nil) throws {
        self.descriptor = try Self.loading.withLock { _ in try Self.load(name, configuration) }
    }

    /// What is said without an attempt has one place for all: hold this from what makes a host say it to reading it.
    static let loading = Mutex(())

    private static func load(_ name: String, _ configuration: String?) throws -> UnsafePointer<pawl_plugin> {
        let path = "\(Self.directory ?? "")/\(name)"
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw Refused(words: [String(cString: dlerror())])
        }
        guard let symbol = dlsym(library, "pawl_plugin_entry") else { throw Refused(words: ["no entry"]) }
        typealias Entry =
            @convention(c) (UnsafePointer<pawl_host>?, UInt32, UInt32, UInt32) -> UnsafePointer<pawl_plugin>?
        // dlsym gives data where code is meant; pawl.h declares the type.
        let entry = unsafeBitCast(symbol, to: Entry.self)
        FakeHost.configurationText.withLock { $0 = configuration }
        FakeHost.complaints.withLock { $0 = [] }
        let size = UInt32(MemoryLayout<pawl_host>.size)
        guard let descriptor = entry(FakeHost.table, PAWL_ABI_MAJOR, PAWL_ABI_MINOR, size) else {
            throw Refused(words: FakeHost.complaints.withLock { $0 })
        }
        if let start = descriptor.pointee.`init`, start(FakeHost.table) != PAWL_OK {
            throw Refused(words: FakeHost.complaints.withLock { $0 })
        }
        _ = descriptor.pointee.prefork?()
        return descriptor
    }

    var handlerNames: [String] {
        (0..<Int(self.descriptor.pointee.handler_count)).map {
            String(cString: self.descriptor.pointee.handlers[$0].name)
        }
    }

    /// One attempt of a handler, on a thread of its own; its status and what it said.
    func run(_ handler: String, _ args: String) async -> (status: Int32, record: FakeAttempt.Record) {
        guard let index = self.handlerNames.firstIndex(of: handler) else { preconditionFailure("no \(handler)") }
        let fake = FakeAttempt()
        let status = await onThread { fake.run(self.descriptor, index, args: args) }
        return (status, fake.record)
    }
}
