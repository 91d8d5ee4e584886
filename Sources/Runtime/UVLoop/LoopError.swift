internal import CLibuv
internal import Glibc

/// A system call or libuv call that failed.
package struct LoopError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The errno, positive (`EADDRINUSE`), or libuv's own number for what has no errno (`-UV_EOF`).
    package let code: Int32
    /// What was attempted, with the object it was attempted on: "bind 127.0.0.1:8080". Never contains payload.
    package let operation: String

    /// Takes an errno or libuv's negated one; the sign does not matter.
    package init(_ code: Int32, _ operation: String) {
        self.code = code < 0 ? -code : code
        self.operation = operation
    }

    /// The calling thread's errno, read now.
    package static func last(_ operation: String) -> LoopError { LoopError(errno, operation) }

    /// The symbol of the code, such as "EADDRINUSE".
    package var name: String { Self.text { uv_err_name_r(-code, $0, $1) } }

    package var description: String { "\(operation): \(name) (\(Self.text { uv_strerror_r(-code, $0, $1) }))" }

    private static func text(_ fill: (UnsafeMutablePointer<CChar>, Int) -> UnsafeMutablePointer<CChar>?) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let base = buffer.baseAddress else { return "" }
            base.initialize(repeating: 0, count: buffer.count)
            _ = fill(base, buffer.count)
            return String(cString: base)
        }
    }
}

/// Returns the value when it is not negative, else throws it as an error.
func checked(_ result: Int32, _ operation: @autoclosure () -> String) throws(LoopError) -> Int32 {
    guard result >= 0 else { throw LoopError(result, operation()) }
    return result
}
