internal import CLibuv
internal import Glibc
package import NIOCore
package import UVLoop

/// Accepts connections and hands each over as a channel.
///
/// Not a NIO channel itself: `ServerBootstrap` insists on NIO's own loops. Loop thread only, except for `localAddress`.
///
///     let listener = try LibuvListener.bind(.ip("127.0.0.1", port: 8080), loop: loop) { channel in
///         loopTask {
///             do {
///                 let value = try await http1.setup(channel: channel, logger: logger).get()
///                 try await LibuvListener.activate(channel).get()
///                 await http1.handle(value: value, logger: logger)
///             } catch {
///                 channel.close(promise: nil)
///             }
///         }
///     }
///
/// `ConnectionServer` does this, and ends connections in order too.
// Sendable by hand: `localAddress` never changes; all other state is touched on the loop's thread only, which every
// method checks.
package final class LibuvListener: @unchecked Sendable {
    /// The address that is really listened on, with the port that the system chose.
    package let localAddress: ListenAddress
    /// Connections that are open now.
    package private(set) var connectionCount = 0

    private let loop: UVLoop
    private let kind: StreamHandle.Kind
    private let stream: UnsafeMutablePointer<uv_stream_t>
    private let maxConnections: Int
    private let scratch = ReadScratch()
    private let sweep: HangUpSweep
    private var onAccept: ((any Channel) -> Void)?
    /// A connection waits in libuv because there are `maxConnections`; libuv accepts no other meanwhile.
    private var isHeldBack = false

    /// Starts to listen. On the loop's thread.
    ///
    /// `onAccept` gets each connection as a fresh channel that neither reads nor has seen any event: add handlers and
    /// `activate` it, then or later; or close it. While `maxConnections` are open, more wait in the kernel's backlog.
    ///
    /// Fails with the errno: EADDRINUSE, EADDRNOTAVAIL, EACCES, EINVAL (not an IP address), ENAMETOOLONG (Unix path).
    /// A Unix socket that a dead process has left behind is replaced; one that answers is EADDRINUSE.
    package static func bind(
        _ address: ListenAddress, loop: UVLoop, maxConnections: Int = 4096,
        onAccept: @escaping (any Channel) -> Void
    ) throws(LoopError) -> LibuvListener {
        precondition(loop.isOnLoop, "a listener belongs to its loop's thread")
        precondition(maxConnections > 0)
        let kind: StreamHandle.Kind
        let stream: UnsafeMutablePointer<uv_stream_t>
        switch address {
        case .ip(let host, let port):
            kind = .tcp
            stream = try BoundHandle.tcp(host, port, address, loop)
        case .unix(let path, let mode):
            kind = .pipe
            stream = try BoundHandle.pipe(path, mode, address, loop)
        }
        let listener = LibuvListener(address, loop, kind, stream, maxConnections, onAccept)
        stream.pointee.data = Unmanaged.passRetained(listener).toOpaque()
        let result = uv_listen(stream, SOMAXCONN, connectionArrived)
        guard result == 0 else {
            listener.close()
            throw LoopError(result, "listen on \(address)")
        }
        return listener
    }

    /// Starts an accepted channel: registered, active, reading. Any thread.
    @discardableResult
    package static func activate(_ channel: any Channel) -> EventLoopFuture<Void> {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        if channel.eventLoop.inEventLoop {
            channel._channelCore.registerAlreadyConfigured0(promise: promise)
        } else {
            channel.eventLoop.execute { channel._channelCore.registerAlreadyConfigured0(promise: promise) }
        }
        return promise.futureResult
    }

    private init(
        _ address: ListenAddress, _ loop: UVLoop, _ kind: StreamHandle.Kind,
        _ stream: UnsafeMutablePointer<uv_stream_t>,
        _ maxConnections: Int, _ onAccept: @escaping (any Channel) -> Void
    ) {
        self.loop = loop
        self.kind = kind
        self.stream = stream
        self.maxConnections = maxConnections
        self.onAccept = onAccept
        sweep = HangUpSweep(loop: loop)
        localAddress = Self.effective(address, stream)
    }

    /// Stops to listen and removes a Unix socket's path. Accepted connections live on. Idempotent.
    package func close() {
        precondition(loop.isOnLoop, "a listener belongs to its loop's thread")
        guard onAccept != nil else { return }
        onAccept = nil
        let handle = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_handle_t.self)
        if uv_is_closing(handle) == 0 { uv_close(handle, listenerIsClosed) }
    }

    /// libuv's callback, once per connection.
    fileprivate func arrived(_ status: Int32) {
        // A failure (out of descriptors, or the peer gave up) concerns one connection, and that one is lost already.
        guard status == 0 else { return }
        if connectionCount >= maxConnections {
            isHeldBack = true
        } else {
            accept()
        }
    }

    private func accept() {
        guard let onAccept else { return }
        // It fails only when the peer or the system has taken the connection away again.
        guard let handle = try? StreamHandle(accepting: stream, kind: kind, loop: loop) else { return }
        connectionCount += 1
        let channel = LibuvStreamChannel(
            handle: handle, loop: loop, scratch: scratch, sweep: sweep, local: unixAddress
        ) { [self] in
            connectionCount -= 1
            if isHeldBack {
                isHeldBack = false
                accept()
            }
        }
        onAccept(channel)
    }

    private var unixAddress: SocketAddress? {
        guard case .unix(let path, _) = localAddress else { return nil }
        // The path was short enough to be bound.
        return try? SocketAddress(unixDomainSocketPath: path)
    }

    private static func effective(
        _ address: ListenAddress, _ stream: UnsafeMutablePointer<uv_stream_t>
    ) -> ListenAddress {
        guard case .ip(let host, _) = address else { return address }
        let tcp = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_tcp_t.self)
        guard let port = socketAddress({ uv_tcp_getsockname(tcp, $0, $1) })?.port else { return address }
        return .ip(host, port: UInt16(port))
    }
}

private func connectionArrived(_ stream: UnsafeMutablePointer<uv_stream_t>?, _ status: Int32) {
    guard let data = stream?.pointee.data else { return }
    Unmanaged<LibuvListener>.fromOpaque(data).takeUnretainedValue().arrived(status)
}

private func listenerIsClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle else { return }
    Unmanaged<LibuvListener>.fromOpaque(handle.pointee.data).release()
    UnsafeMutableRawPointer(handle).deallocate()
}
