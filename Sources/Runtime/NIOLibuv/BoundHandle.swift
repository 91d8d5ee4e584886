internal import CLibuv
internal import Glibc
internal import UVLoop

/// Makes the libuv handle of a listener, bound and not yet listening. The handle's memory belongs to the caller, who
/// frees it (as raw memory) in the close callback.
enum BoundHandle {
    static func tcp(
        _ host: String, _ port: UInt16, _ address: ListenAddress, _ loop: UVLoop
    ) throws(LoopError) -> UnsafeMutablePointer<uv_stream_t> {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<uv_tcp_t>.size, alignment: 16)
        let tcp = memory.assumingMemoryBound(to: uv_tcp_t.self)
        try initialized(uv_tcp_init(loop.raw, tcp), memory, address)
        var storage = sockaddr_storage()
        let result = withUnsafeMutableBytes(of: &storage) { bytes -> Int32 in
            guard let base = bytes.baseAddress else { return UV_EINVAL.rawValue }
            let parsed =
                host.contains(":")
                ? uv_ip6_addr(host, Int32(port), base.assumingMemoryBound(to: sockaddr_in6.self))
                : uv_ip4_addr(host, Int32(port), base.assumingMemoryBound(to: sockaddr_in.self))
            guard parsed == 0 else { return parsed }
            return uv_tcp_bind(tcp, base.assumingMemoryBound(to: sockaddr.self), 0)
        }
        return try bound(result, memory, address)
    }

    static func pipe(
        _ path: String, _ mode: UInt32, _ address: ListenAddress, _ loop: UVLoop
    ) throws(LoopError) -> UnsafeMutablePointer<uv_stream_t> {
        // libuv 1.44 cuts longer paths silently.
        guard path.utf8.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else {
            throw LoopError(ENAMETOOLONG, "listen on \(address)")
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<uv_pipe_t>.size, alignment: 16)
        let pipe = memory.assumingMemoryBound(to: uv_pipe_t.self)
        try initialized(uv_pipe_init(loop.raw, pipe, 0), memory, address)
        var result = uv_pipe_bind(pipe, path)
        if result == UV_EADDRINUSE.rawValue, isAbandoned(path) {
            unlink(path)
            result = uv_pipe_bind(pipe, path)
        }
        // Nobody can connect before uv_listen, so there is no moment with the wrong mode.
        if result == 0, chmod(path, mode) != 0 { result = -errno }
        return try bound(result, memory, address)
    }

    /// Whether the path is a socket that nobody listens on any more.
    private static func isAbandoned(_ path: String) -> Bool {
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { return false }
        defer { close(fd) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafeBytes(of: &address) { bytes -> Int32 in
            guard let base = bytes.baseAddress else { return 0 }
            return connect(fd, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        return result != 0 && errno == ECONNREFUSED
    }

    private static func initialized(
        _ result: Int32, _ memory: UnsafeMutableRawPointer, _ address: ListenAddress
    ) throws(LoopError) {
        guard result != 0 else { return }
        memory.deallocate()
        throw LoopError(result, "listen on \(address)")
    }

    private static func bound(
        _ result: Int32, _ memory: UnsafeMutableRawPointer, _ address: ListenAddress
    ) throws(LoopError) -> UnsafeMutablePointer<uv_stream_t> {
        guard result != 0 else { return memory.assumingMemoryBound(to: uv_stream_t.self) }
        uv_close(memory.assumingMemoryBound(to: uv_handle_t.self)) { handle in
            if let handle { UnsafeMutableRawPointer(handle).deallocate() }
        }
        throw LoopError(result, "listen on \(address)")
    }
}
