import Dispatch
import Glibc
import PluginABI

/// What PluginKit offers to the host by string id (section 8 of pawl.h).
enum PluginExtension {
    /// Where the handler was last heard of:
    /// `struct { uint32_t struct_size, reserved0; const char *(*position)(uint32_t *line); }`; the text is terminated and
    /// immortal, NULL before the first call. Any thread.
    static let positionID = "pawl.position/1"

    /// The table of an id, or nil where there is none. Tables live until the process ends.
    static func table(_ id: UnsafePointer<CChar>) -> UnsafeRawPointer? {
        if strcmp(id, self.positionID) == 0 { return self.position.start }
        if strcmp(id, PAWL_EXT_MAIN_QUEUE) == 0 { return self.mainQueue.start }
        if strcmp(id, CancellationCall.id) == 0 {
            CancellationCall.expect()
            return self.cancellation.start
        }
        return nil
    }

    private static let cancellation: Table = {
        typealias Function = @convention(c) (UnsafeMutablePointer<pawl_attempt>?) -> Void
        let function: Function = { CancellationCall.cancelled($0) }
        return Self.table(of: function)
    }()

    private static let mainQueue: Table = {
        let table = UnsafeMutablePointer<pawl_ext_main_queue>.allocate(capacity: 1)
        table.initialize(
            to: pawl_ext_main_queue(
                struct_size: UInt32(MemoryLayout<pawl_ext_main_queue>.size), reserved0: 0,
                port: { mainQueuePort() }, pump: { pumpMainQueue(nil) }))
        return Table(start: UnsafeRawPointer(table))
    }()

    /// A table of one function. C's layout by hand: Swift promises none for its own structures.
    private static func table<Function>(of function: Function) -> Table {
        let functionOffset = 8
        let size = functionOffset + MemoryLayout<Function>.size
        let table = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
        table.storeBytes(of: UInt32(size), as: UInt32.self)
        table.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        table.storeBytes(of: function, toByteOffset: functionOffset, as: Function.self)
        return Table(start: UnsafeRawPointer(table))
    }

    // Unchecked, because it holds a pointer: written once, then only read.
    private struct Table: @unchecked Sendable {
        let start: UnsafeRawPointer
    }

    private static let position: Table = {
        typealias Function = @convention(c) (UnsafeMutablePointer<UInt32>?) -> UnsafePointer<UInt8>?
        let function: Function = { line in
            guard let last = Position.last else { return nil }
            line?.pointee = UInt32(clamping: last.line)
            return last.file
        }
        return Self.table(of: function)
    }()
}

// What Foundation's run loop uses; libdispatch declares them in a private header. C functions, declared in Swift: both
// calling conventions pass and return integers and pointers in the same registers on every platform that Pawl knows.

/// A descriptor that is readable while the main queue has work.
@_silgen_name("_dispatch_get_main_queue_port_4CF")
private func mainQueuePort() -> Int32

/// Does the main queue's work. The message is not used on Linux.
@_silgen_name("_dispatch_main_queue_callback_4CF")
private func pumpMainQueue(_ message: UnsafeMutableRawPointer?)
