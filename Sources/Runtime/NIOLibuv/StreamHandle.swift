internal import CLibuv
internal import Glibc
internal import NIOCore
internal import UVLoop

/// One connected uv_tcp_t or uv_pipe_t of a channel. Loop thread only.
///
/// libuv uses its memory, and keeps its channel alive, from `adopt` until the close callback.
struct StreamHandle {
    /// Which of libuv's handle types it is.
    enum Kind { case tcp, pipe }

    private let memory: UnsafeMutableRawPointer
    private let kind: Kind

    private var stream: UnsafeMutablePointer<uv_stream_t> { memory.assumingMemoryBound(to: uv_stream_t.self) }
    private var handle: UnsafeMutablePointer<uv_handle_t> { memory.assumingMemoryBound(to: uv_handle_t.self) }
    private var tcp: UnsafeMutablePointer<uv_tcp_t> { memory.assumingMemoryBound(to: uv_tcp_t.self) }
    /// The one write request, in the same allocation behind the handle.
    private var request: UnsafeMutablePointer<uv_write_t> {
        (memory + Self.requestOffset).assumingMemoryBound(to: uv_write_t.self)
    }

    private static let requestOffset = (max(MemoryLayout<uv_tcp_t>.size, MemoryLayout<uv_pipe_t>.size) + 15) & ~15

    /// Takes the next connection of a listening handle. Nothing is left behind when it fails.
    init(accepting server: UnsafeMutablePointer<uv_stream_t>, kind: Kind, loop: UVLoop) throws(LoopError) {
        self.kind = kind
        memory = .allocate(byteCount: Self.requestOffset + MemoryLayout<uv_write_t>.size, alignment: 16)
        let result =
            switch kind {
            case .tcp: uv_tcp_init(loop.raw, memory.assumingMemoryBound(to: uv_tcp_t.self))
            case .pipe: uv_pipe_init(loop.raw, memory.assumingMemoryBound(to: uv_pipe_t.self), 0)
            }
        guard result == 0 else {
            memory.deallocate()
            throw LoopError(result, "make a stream handle")
        }
        handle.pointee.data = nil
        let accepted = uv_accept(server, stream)
        guard accepted == 0 else {
            uv_close(handle, streamIsClosed)
            throw LoopError(accepted, "accept a connection")
        }
        // Answers are written whole; waiting for more (Nagle) would only delay them. It cannot fail on a fresh socket.
        if kind == .tcp { uv_tcp_nodelay(tcp, 1) }
    }

    func adopt(_ channel: LibuvStreamChannel) {
        handle.pointee.data = Unmanaged.passRetained(channel).toOpaque()
    }

    /// 0 or a negated errno.
    func startReading() -> Int32 { uv_read_start(stream, streamWantsMemory, streamHasRead) }

    func stopReading() { uv_read_stop(stream) }

    /// Writes what the socket takes at once: the number of bytes, or UV_EAGAIN, or another negated errno.
    func tryWrite(_ vectors: UnsafeMutableBufferPointer<uv_buf_t>) -> Int32 {
        uv_try_write(stream, vectors.baseAddress, UInt32(vectors.count))
    }

    /// Writes everything, then calls the channel's `didWrite`: 0 or a negated errno. One at a time; the bytes (not the
    /// vectors) must stay valid until then.
    func write(_ vectors: UnsafeMutableBufferPointer<uv_buf_t>) -> Int32 {
        uv_write(request, stream, vectors.baseAddress, UInt32(vectors.count), streamHasWritten)
    }

    /// shutdown(2) of one direction, at once: 0 or a negated errno. Not uv_shutdown, whose merit is to wait for writes.
    func shutdown(_ direction: Int) -> Int32 {
        Glibc.shutdown(descriptor, Int32(direction)) == 0 ? 0 : -errno
    }

    /// The socket; -1 once it is closed.
    var descriptor: Int32 {
        var fd: Int32 = -1
        return uv_fileno(handle, &fd) == 0 ? fd : -1
    }

    /// Closes the descriptor before it returns; the channel's `didWrite`, if one is due, and `didClose` follow.
    func close() {
        // Already closing: the whole loop is going away.
        if uv_is_closing(handle) == 0 { uv_close(handle, streamIsClosed) }
    }

    /// This end's address; nil for Unix sockets and when the connection is gone already.
    var localAddress: SocketAddress? { kind == .tcp ? socketAddress { uv_tcp_getsockname(tcp, $0, $1) } : nil }

    /// The other end's address; nil as above.
    var remoteAddress: SocketAddress? { kind == .tcp ? socketAddress { uv_tcp_getpeername(tcp, $0, $1) } : nil }

    /// Who is at the other end of a Unix socket.
    var isPeerAlive: Bool? { kind == .pipe ? PeerCredentials.isAlive(socket: descriptor) : nil }
    var peer: PeerCredentials? { kind == .pipe ? PeerCredentials(socket: descriptor) : nil }
}

/// An address that a getsockname-like function fills in; nil when it fails.
func socketAddress(
    _ fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<Int32>) -> Int32
) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = Int32(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutableBytes(of: &storage) { bytes in
        guard let base = bytes.baseAddress else { return nil }
        guard fill(base.assumingMemoryBound(to: sockaddr.self), &length) == 0 else { return nil }
        switch Int32(base.assumingMemoryBound(to: sockaddr.self).pointee.sa_family) {
        case AF_INET: return SocketAddress(base.assumingMemoryBound(to: sockaddr_in.self).pointee)
        case AF_INET6: return SocketAddress(base.assumingMemoryBound(to: sockaddr_in6.self).pointee)
        default: return nil
        }
    }
}

// MARK: libuv's callbacks

private func channel(of data: UnsafeMutableRawPointer?) -> LibuvStreamChannel {
    guard let data else { preconditionFailure("a stream without a channel has no callbacks but the last") }
    return Unmanaged<LibuvStreamChannel>.fromOpaque(data).takeUnretainedValue()
}

private func streamWantsMemory(
    _ handle: UnsafeMutablePointer<uv_handle_t>?, _ size: Int, _ buffer: UnsafeMutablePointer<uv_buf_t>?
) {
    let memory = channel(of: handle?.pointee.data).scratch.memory
    buffer?.pointee = uv_buf_t(base: memory.assumingMemoryBound(to: CChar.self).baseAddress, len: memory.count)
}

private func streamHasRead(
    _ stream: UnsafeMutablePointer<uv_stream_t>?, _ count: Int, _ buffer: UnsafePointer<uv_buf_t>?
) {
    channel(of: stream?.pointee.data).didRead(count)
}

private func streamHasWritten(_ request: UnsafeMutablePointer<uv_write_t>?, _ status: Int32) {
    channel(of: request?.pointee.handle.pointee.data).didWrite(status)
}

private func streamIsClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle else { return }
    if let data = handle.pointee.data {
        Unmanaged<LibuvStreamChannel>.fromOpaque(data).takeRetainedValue().didClose()
    }
    UnsafeMutableRawPointer(handle).deallocate()
}

/// Where a loop's streams read to, one after the other: what has been read is copied at once into a buffer of its own
/// size, so that a thousand idle connections hold nothing.
final class ReadScratch {
    /// Big enough to make few reads of a large body, small enough to stay in the cache.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)

    deinit { memory.deallocate() }
}
