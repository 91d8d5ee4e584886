import NIOCore
import NIOLibuv
import Testing
import UVLoop

private typealias Stream = NIOAsyncChannel<ByteBuffer, ByteBuffer>

@Suite(.timeLimit(.minutes(1))) struct ConnectionServerTests {
    @Sendable private static func wrap(_ channel: any Channel) -> EventLoopFuture<Stream> {
        channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    @Sendable private static func echo(_ stream: Stream) async {
        do {
            try await stream.executeThenClose { inbound, outbound in
                for try await buffer in inbound { try await outbound.write(buffer) }
            }
        } catch {
            // The peer is gone; that is its right.
        }
    }

    @Test func asyncChannelsEchoWithBackpressure() async throws {
        try await LoopActor.test {
            let server = try ConnectionServer(
                on: .ip("127.0.0.1", port: 0), setup: Self.wrap, handle: Self.echo)
            let peer = try Peer(to: server.localAddress)
            let sent = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let sender = loopTask {
                try await peer.send(sent)
                peer.endSending()
            }
            // Everything comes back although the peer has ended its side.
            #expect(try await peer.receiveToEnd() == sent)
            try await sender.value
            await server.shutdown(within: .seconds(30))
            #expect(server.connectionCount == 0)
        }
    }

    @Test func shutdownAsksFirstAndReturnsWhenAllIsOver() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try ConnectionServer(
                on: .ip("127.0.0.1", port: 0),
                setup: { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(QuiescingHandler(journal))
                        return channel
                    }
                },
                handle: { channel in
                    do {
                        try await channel.closeFuture.get()
                    } catch {
                        Issue.record(error)
                    }
                })
            let peers = try (0..<3).map { _ in try Peer(to: server.localAddress) }
            await journal.wait { $0.filter { $0 == "active" }.count == 3 }
            let start = LoopInstant.now
            await server.shutdown(within: .seconds(3600))
            #expect(LoopInstant.now - start < .seconds(60))
            #expect(journal.entries.filter { $0 == "quiesce" }.count == 3)
            #expect(server.connectionCount == 0)
            for peer in peers { #expect(try await peer.receiveToEnd() == []) }
            #expect(throws: LoopError.self) { try Peer(to: server.localAddress) }
        }
    }

    @Test func shutdownEndsWhatDoesNotListen() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try ConnectionServer(
                on: .ip("127.0.0.1", port: 0), setup: Self.wrap,
                handle: { stream in
                    LoopActor.assumeIsolated { journal.add("began") }
                    do {
                        try await stream.executeThenClose { _, _ in try await LoopClock.sleep(for: .seconds(3600)) }
                    } catch {
                        LoopActor.assumeIsolated { journal.add("cancelled") }
                    }
                })
            let peer = try Peer(to: server.localAddress)
            await journal.wait(for: 1)
            await server.shutdown(within: .milliseconds(10))
            #expect(journal.entries == ["began", "cancelled"])
            #expect(server.connectionCount == 0)
            peer.close()
        }
    }

    @Test func aFailedSetupClosesTheConnectionOnly() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try ConnectionServer<any Channel>(
                on: .ip("127.0.0.1", port: 0),
                setup: { channel in
                    journal.add("setup")
                    return journal.isFirst
                        ? channel.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
                        : channel.eventLoop.makeSucceededFuture(channel)
                },
                handle: { channel in
                    do {
                        try await channel.writeAndFlush(ByteBuffer(string: "hello")).get()
                    } catch {
                        Issue.record(error)
                    }
                })
            let rejected = try Peer(to: server.localAddress)
            #expect(try await rejected.receiveToEnd() == [])
            let served = try Peer(to: server.localAddress)
            // Closed by the server when `handle` returns.
            #expect(try await served.receiveToEnd() == Array("hello".utf8))
            await server.shutdown(within: .seconds(30))
        }
    }
}

extension Journal {
    fileprivate nonisolated var isFirst: Bool { LoopActor.assumeIsolated { entries.count == 1 } }
}

/// Closes when it is asked to come to an end.
private final class QuiescingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let journal: Journal<String>

    init(_ journal: Journal<String>) { self.journal = journal }

    func channelActive(context: ChannelHandlerContext) { journal.add("active") }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else { return }
        journal.add("quiesce")
        context.close(promise: nil)
    }
}
