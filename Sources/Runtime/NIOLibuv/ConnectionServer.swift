package import NIOCore
package import UVLoop

/// Accepts connections on the bound loop and runs one task for each, from setup to the end; and ends them all in order.
///
///     let server = try ConnectionServer(
///         on: .ip("127.0.0.1", port: 8080),
///         setup: { http1.setup(channel: $0, logger: logger) },
///         handle: { await http1.handle(value: $0, logger: logger) })
///     ...
///     await server.shutdown(within: .seconds(10))
///
/// `Value` is what the setup makes of a channel, for HTTP a `NIOAsyncChannel`.
@LoopActor
package final class ConnectionServer<Value: Sendable> {
    /// The address that is really listened on, with the port that the system chose.
    package var localAddress: ListenAddress { listener.localAddress }
    /// Connections that are open or whose task has not ended.
    package var connectionCount: Int { connections.count }

    private struct Connection {
        let channel: any Channel
        /// Nil until the setup is done.
        var task: Task<Void, Never>?
    }

    private let listener: LibuvListener
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var isShuttingDown = false

    /// Starts to accept.
    ///
    /// - Parameters:
    ///   - setup: adds the handlers; called on the loop, with a channel that is not active yet and whose peer may half
    ///     close it. A failure closes the
    ///     connection, and that is all: it is the peer's fault or has been logged by the setup.
    ///   - handle: runs the connection until it ends, with the loop as its executor. Cancelled at the end of a shutdown. A
    ///     connection that is still open when it returns is closed.
    package init(
        on address: ListenAddress, maxConnections: Int = 4096,
        setup: @escaping @Sendable (any Channel) -> EventLoopFuture<Value>,
        handle: @escaping @Sendable (Value) async -> Void
    ) throws(LoopError) {
        // The listener calls back on the loop only, and never before `box` is filled.
        let box = Box()
        listener = try LibuvListener.bind(address, loop: LoopActor.loop, maxConnections: maxConnections) { channel in
            LoopActor.assumeIsolated { box.server?.begin(channel, setup, handle) }
        }
        box.server = self
    }

    /// Lets `init` hand over a closure that needs `self`.
    @LoopActor
    private final class Box {
        weak var server: ConnectionServer?
        nonisolated init() {}
    }

    isolated deinit { listener.close() }

    /// Ends everything: accepts no more, tells each connection to come to an end (`ChannelShouldQuiesceEvent`), after
    /// `grace` closes what is left and cancels its task, and returns when all tasks have ended.
    package func shutdown(within grace: Duration) async {
        isShuttingDown = true
        listener.close()
        for connection in connections.values {
            connection.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        let timer = LoopTimer()
        timer.start(after: grace) { [weak self] in
            for connection in self?.connections.values ?? [:].values {
                connection.task?.cancel()
                (connection.channel as? LibuvStreamChannel)?.closeNow()
            }
        }
        if !connections.isEmpty { await withCheckedContinuation { waiters.append($0) } }
        timer.stop()
    }

    private func begin(
        _ channel: any Channel, _ setup: @Sendable (any Channel) -> EventLoopFuture<Value>,
        _ handle: @escaping @Sendable (Value) async -> Void
    ) {
        let id = ObjectIdentifier(channel)
        connections[id] = Connection(channel: channel)
        do {
            // A client may end its side after its request and still wants the answer.
            try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        } catch {
            preconditionFailure("a fresh channel takes its options: \(error)")
        }
        setup(channel).whenComplete { result in
            LoopActor.assumeIsolated {
                switch result {
                case .success(let value): self.run(id, channel, value, handle)
                case .failure: channel.close().whenComplete { _ in LoopActor.assumeIsolated { self.ended(id) } }
                }
            }
        }
    }

    private func run(
        _ id: ObjectIdentifier, _ channel: any Channel, _ value: Value,
        _ handle: @escaping @Sendable (Value) async -> Void
    ) {
        connections[id]?.task = loopTask {
            await handle(value)
            // Closed already in the ordinary case; either way, the end is awaited, so that nothing outlives the server.
            channel.close(promise: nil)
            do {
                try await channel.closeFuture.get()
            } catch {
                preconditionFailure("a close future never fails: \(error)")
            }
            self.ended(id)
        }
        LibuvListener.activate(channel)
        if isShuttingDown { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    private func ended(_ id: ObjectIdentifier) {
        connections[id] = nil
        guard isShuttingDown, connections.isEmpty else { return }
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume() }
    }
}
