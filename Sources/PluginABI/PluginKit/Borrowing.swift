import PluginABI

// The border's texts: borrowed until the call returns, in both directions.

extension String {
    /// Lends the text to a host function for the length of the call.
    func withPawl<R>(_ body: (pawl_str) throws -> R) rethrows -> R {
        var copy = self
        return try copy.withUTF8 { utf8 in
            try utf8.withMemoryRebound(to: CChar.self) { try body(pawl_str(ptr: $0.baseAddress, len: $0.count)) }
        }
    }

    /// Copies what the host lends.
    init(borrowed text: pawl_str) {
        self = String(decoding: UnsafeRawBufferPointer(start: text.ptr, count: text.len), as: UTF8.self)
    }

    /// A terminated copy that lives until the process ends, for descriptors.
    var immortal: UnsafePointer<CChar> {
        let bytes = self.utf8CString
        let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
        _ = copy.initialize(from: bytes)
        guard let start = copy.baseAddress else { preconditionFailure("a C string has at least its terminator") }
        return UnsafePointer(start)
    }
}
