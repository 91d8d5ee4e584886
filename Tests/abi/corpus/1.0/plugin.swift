// plugin.swift - a plugin in Swift on the header alone, as one was written for the first release. Never edited.
import PluginABI

private func text(_ literal: StaticString) -> pawl_str {
    literal.withUTF8Buffer { utf8 in
        utf8.withMemoryRebound(to: CChar.self) { pawl_str(ptr: $0.baseAddress, len: $0.count) }
    }
}

private func immortal(_ words: String) -> UnsafePointer<CChar> {
    let bytes = words.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    for (offset, byte) in bytes.enumerated() { (copy + offset).initialize(to: byte) }
    return UnsafePointer(copy)
}

private func twice(_: UnsafeMutableRawPointer?, _ attempt: UnsafeMutablePointer<pawl_attempt>?, _: pawl_bytes) -> Int32
{
    guard let attempt, let host = attempt.pointee.host,
        let table = host.pointee.get_extension(host, PAWL_EXT_ARGS)
    else { return PAWL_E_UNSUPPORTED }
    let args = table.assumingMemoryBound(to: pawl_ext_args.self)
    var number: Int64 = 0
    let status = args.pointee.get_int(attempt, "n", 0, 1000, &number)
    guard status == PAWL_OK else { return status }
    _ = host.pointee.set_stage(attempt, text("Counting"))
    _ = host.pointee.advance(attempt, UInt64(number))
    let json = "{\"twice\":\(number * 2)}"
    return json.utf8CString.withUnsafeBufferPointer { bytes in
        host.pointee.result_json(attempt, pawl_str(ptr: bytes.baseAddress, len: bytes.count - 1))
    }
}

@_cdecl("pawl_plugin_entry")
public func entry(
    _ host: UnsafePointer<pawl_host>?, _ major: UInt32, _ minor: UInt32, _ size: UInt32
) -> UnsafePointer<pawl_plugin>? {
    guard major == PAWL_ABI_MAJOR else { return nil }
    let handlers = UnsafeMutablePointer<pawl_handler>.allocate(capacity: 1)
    var handler = pawl_handler()
    handler.struct_size = UInt32(MemoryLayout<pawl_handler>.size)
    handler.name = immortal("old.swift")
    handler.run = twice
    handlers.initialize(to: handler)
    let plugin = UnsafeMutablePointer<pawl_plugin>.allocate(capacity: 1)
    var descriptor = pawl_plugin()
    descriptor.struct_size = UInt32(MemoryLayout<pawl_plugin>.size)
    descriptor.abi_major = PAWL_ABI_MAJOR
    descriptor.abi_minor = PAWL_ABI_MINOR
    descriptor.handler_size = UInt32(MemoryLayout<pawl_handler>.size)
    descriptor.name = immortal("old-swift")
    descriptor.version = immortal("1.0.0")
    descriptor.handlers = UnsafePointer(handlers)
    descriptor.handler_count = 1
    plugin.initialize(to: descriptor)
    return UnsafePointer(plugin)
}
