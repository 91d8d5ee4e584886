internal import CLibuv
internal import Glibc
package import NIOCore
internal import Synchronization
internal import UVLoop

/// SwiftNIO's channel for one accepted connection, TCP or Unix, on libuv's streams.
///
/// It comes from a `LibuvListener` as a fresh channel: add handlers, then `LibuvListener.activate` it. From there on it
/// is an ordinary NIO channel; every method can be called on any thread. It never connects or binds.
///
/// Reads: one read(2), up to 64 KiB, is one batch (`channelRead`, `channelReadComplete`) unless `maxMessagesPerRead`
/// says more; nothing is read, and no end of file seen, until somebody asks. Writes: what is flushed goes out in one
/// writev(2) if the socket takes it; the rest waits in libuv. `close(mode: .output)` waits for what has been written
/// before, `close(mode: .all)` for what has been flushed, for 5 s, and fails the rest.
// Sendable by hand: `loop`, `scratch`, `sweep`, the promise and the addresses never change, the two atomics synchronize
// themselves, `_pipeline` is set once in `init`, and all other state is touched on the loop's thread only (the methods
// ending in 0 are called there by the pipeline, the `did` ones by libuv).
package final class LibuvStreamChannel: Channel, ChannelCore, @unchecked Sendable {
    enum State { case fresh, registered, active, closed }

    let loop: UVLoop
    let scratch: ReadScratch
    let sweep: HangUpSweep
    let handle: StreamHandle
    let closePromise: EventLoopPromise<Void>
    let active = Atomic<Bool>(false)
    let writable = Atomic<Bool>(true)
    private var _pipeline: ChannelPipeline?
    /// Runs when the descriptor is closed and libuv has let go of the handle; the listener counts with it.
    private var onRelease: (() -> Void)?

    package let localAddress: SocketAddress?
    package let remoteAddress: SocketAddress?
    /// Of a Unix socket: who connected.
    package let peer: PeerCredentials?
    /// Whether that process is still there, while the connection is; nil where nobody knows.
    package var isPeerAlive: Bool? { handle.isPeerAlive }
    package let allocator = ByteBufferAllocator()

    // MARK: Loop only

    var state = State.fresh
    var inputIsClosed = false
    var outputIsClosed = false

    var autoRead = true
    var allowsRemoteHalfClosure = false
    var maxMessagesPerRead = 1
    /// Somebody has asked for data that has not come yet.
    var readIsPending = false
    /// libuv reads.
    var isReading = false
    /// The peer is gone: what it has sent is read without being asked for, up to its end.
    var readsToEnd = false
    /// Reads since the last `channelReadComplete`.
    var batch = 0

    var pending = PendingWrites()
    /// The owners of the bytes that libuv is writing, and how many; empty when it writes nothing.
    var inFlight: (storages: [Unmanaged<AnyObject>], bytes: Int) = ([], 0)
    var isFlushing = false
    /// `close(mode: .output)` was called; it happens when everything written before is out.
    var isClosingOutput = false
    var outputClosePromise: EventLoopPromise<Void>?
    /// `close()` was called and waits, until a limit, for what was flushed before.
    var isLingering = false
    var lingerPromise: EventLoopPromise<Void>?
    var lingerTimer: TimerEntry?

    init(
        handle: StreamHandle, loop: UVLoop, scratch: ReadScratch, sweep: HangUpSweep, local: SocketAddress?,
        onRelease: @escaping () -> Void
    ) {
        self.loop = loop
        self.scratch = scratch
        self.sweep = sweep
        self.handle = handle
        self.onRelease = onRelease
        closePromise = loop.makePromise()
        localAddress = local ?? handle.localAddress
        remoteAddress = handle.remoteAddress
        peer = handle.peer
        _pipeline = ChannelPipeline(channel: self)
        handle.adopt(self)
    }

    package var pipeline: ChannelPipeline {
        guard let _pipeline else { preconditionFailure("the pipeline is there from init on") }
        return _pipeline
    }

    package var eventLoop: any EventLoop { loop }
    package var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
    package var parent: (any Channel)? { nil }
    package var isWritable: Bool { writable.load(ordering: .relaxed) }
    package var isActive: Bool { active.load(ordering: .relaxed) }
    package var _channelCore: any ChannelCore { self }

    /// The addresses are looked up once, when the connection is accepted. Unix peers have none.
    package func localAddress0() throws -> SocketAddress {
        guard let localAddress else { throw ChannelError.unknownLocalAddress }
        return localAddress
    }

    package func remoteAddress0() throws -> SocketAddress {
        guard let remoteAddress else { throw ChannelError.operationUnsupported }
        return remoteAddress
    }

    // MARK: Life

    package func register0(promise: EventLoopPromise<Void>?) {
        guard state == .fresh else {
            promise?.fail(
                state == .closed ? ChannelError.ioOnClosedChannel : ChannelError.inappropriateOperationForState)
            return
        }
        state = .registered
        promise?.succeed()
        pipeline.syncOperations.fireChannelRegistered()
    }

    package func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) {
        guard state == .fresh else {
            promise?.fail(
                state == .closed ? ChannelError.ioOnClosedChannel : ChannelError.inappropriateOperationForState)
            return
        }
        register0(promise: nil)
        // A handler may have closed the channel.
        guard state == .registered else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        state = .active
        active.store(true, ordering: .relaxed)
        promise?.succeed()
        pipeline.syncOperations.fireChannelActive()
        readIfWanted()
    }

    package func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    package func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    package func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    /// Nobody wanted it.
    package func channelRead0(_ data: NIOAny) {}
    package func errorCaught0(error: any Error) {}

    func didClose() {
        let onRelease = self.onRelease
        self.onRelease = nil
        onRelease?()
    }
}
