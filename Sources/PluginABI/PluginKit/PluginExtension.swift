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
        strcmp(id, self.positionID) == 0 ? self.position.start : nil
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
        // C's layout by hand: Swift promises none for its own structures.
        let functionOffset = 8
        let size = functionOffset + MemoryLayout<Function>.size
        let table = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
        table.storeBytes(of: UInt32(size), as: UInt32.self)
        table.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        table.storeBytes(of: function, toByteOffset: functionOffset, as: Function.self)
        return Table(start: UnsafeRawPointer(table))
    }()
}
