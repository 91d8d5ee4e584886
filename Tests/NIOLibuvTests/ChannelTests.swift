import Glibc
import NIOCore
import NIOLibuv
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(1))) struct ChannelTests {
    @Test func echoesOverTCP() async throws {
        try await LoopActor.test {
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            let peer = try server.connect()
            for text in ["one", "two", "three"] {
                try await peer.send(text)
                #expect(try await peer.receiveText(text.count) == text)
            }
            let channel = await server.channel()
            #expect(channel.localAddress?.port.map(UInt16.init) == server.listener.localAddress.port)
            #expect(channel.remoteAddress?.ipAddress == "127.0.0.1")
        }
    }

    @Test func echoesOverAUnixSocket() async throws {
        try await LoopActor.test {
            let path = TemporaryPath()
            let server = try TestServer(on: .unix(path: path.socket)) {
                try $0.pipeline.syncOperations.addHandler(EchoHandler())
            }
            let peer = try server.connect()
            try await peer.send("hello")
            #expect(try await peer.receiveText(5) == "hello")
            let channel = await server.channel()
            #expect(channel.localAddress?.pathname == path.socket)
            #expect(channel.remoteAddress == nil)
        }
    }

    @Test func eventsComeInOrder() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(RecordingHandler(journal)) }
            let peer = try server.connect()
            try await peer.send("hi")
            await journal.wait(forEntry: "read hi")
            let channel = await server.channel()
            #expect(channel.isActive)
            peer.close()
            try await channel.closeFuture.get()
            #expect(!channel.isActive)
            #expect(
                journal.entries == [
                    "registered", "active", "read hi", "readComplete", "readComplete", "inactive", "unregistered",
                    "handlerRemoved",
                ])
        }
    }

    @Test func fourMegabytesComeBackUnchanged() async throws {
        try await LoopActor.test {
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            let peer = try server.connect()
            let sent = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 13) }
            let sender = loopTask { try await peer.send(sent) }
            let received = try await peer.receive(sent.count)
            try await sender.value
            #expect(received == sent)
        }
    }

    @Test func anAbortIsAnErrorAndClosesTheChannel() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(RecordingHandler(journal)) }
            let peer = try server.connect()
            let channel = await server.channel()
            peer.abort()
            try await channel.closeFuture.get()
            #expect(journal.entries.suffix(4) == ["error \(ECONNRESET)", "inactive", "unregistered", "handlerRemoved"])
        }
    }

    @Test func nothingIsReadUntilSomebodyAsks() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { channel in
                try channel.syncOptions?.setOption(.autoRead, value: false)
                try channel.pipeline.syncOperations.addHandler(RecordingHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            try await peer.send("one")
            // Nothing to wait for when nothing must happen: a few turns of the loop.
            try await LoopClock.sleep(for: .milliseconds(20))
            #expect(journal.entries == ["registered", "active"])
            channel.read()
            await journal.wait(forEntry: "readComplete")
            try await LoopClock.sleep(for: .milliseconds(20))
            #expect(journal.entries == ["registered", "active", "read one", "readComplete"])
            peer.endSending()
            channel.read()
            try await channel.closeFuture.get()
            #expect(journal.entries.contains("inactive"))
        }
    }

    /// libuv tells only those who read; without more, such a connection would stay for ever.
    @Test(arguments: [false, true])
    func aPeerThatLeavesIsNoticedEvenIfNobodyReads(aborts: Bool) async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { channel in
                try channel.syncOptions?.setOption(.autoRead, value: false)
                try channel.pipeline.syncOperations.addHandler(RecordingHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            try await peer.send("last words")
            if aborts { peer.abort() } else { peer.close() }
            try await channel.closeFuture.get()
            // After a reset the kernel may give the data, the error, both or none.
            #expect(aborts || journal.entries.contains("read last words"))
            #expect(journal.entries.contains("inactive"))
        }
    }

    /// A peer that has ended its side and is then gone altogether is noticed before the next write.
    @Test func aResetAfterTheEndIsNoticed() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { channel in
                try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
                try channel.pipeline.syncOperations.addHandler(RecordingHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            peer.endSending()
            await journal.wait(forEntry: "inputClosed")
            peer.abort()
            try await channel.closeFuture.get()
            #expect(journal.entries.contains("error \(ECONNRESET)"))
        }
    }

    @Test func automaticReadingCanBeStoppedAndResumed() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(RecordingHandler(journal)) }
            let peer = try server.connect()
            let channel = await server.channel()
            try await peer.send("one")
            await journal.wait(forEntry: "read one")
            try await channel.setOption(.autoRead, value: false).get()
            try await peer.send("two")
            try await LoopClock.sleep(for: .milliseconds(20))
            #expect(!journal.entries.contains("read two"))
            try await channel.setOption(.autoRead, value: true).get()
            await journal.wait(forEntry: "read two")
        }
    }

    @Test(arguments: [1, 2])
    func aBatchHasAsManyReadsAsAllowed(limit: Int) async throws {
        try await LoopActor.test {
            let journal = Journal<Int>()
            let server = try TestServer { channel in
                try channel.syncOptions?.setOption(.autoRead, value: false)
                try channel.syncOptions?.setOption(.maxMessagesPerRead, value: UInt(limit))
                try channel.pipeline.syncOperations.addHandler(BatchHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            let sender = loopTask { try await peer.send([UInt8](repeating: 1, count: 1 << 20)) }
            // Let a megabyte pile up in the socket's buffers.
            try await LoopClock.sleep(for: .milliseconds(20))
            channel.read()
            await journal.wait(for: 1)
            try await LoopClock.sleep(for: .milliseconds(20))
            #expect(journal.entries == [limit])
            channel.close(promise: nil)
            _ = await sender.result
        }
    }

    @Test func aPeersEndClosesUnlessHalfClosureIsAllowed() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { channel in
                try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
                try channel.pipeline.syncOperations.addHandler(RecordingHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            peer.endSending()
            await journal.wait(forEntry: "inputClosed")
            #expect(channel.isActive)
            try await channel.writeAndFlush(ByteBuffer(string: "still here")).get()
            #expect(try await peer.receiveText(10) == "still here")
            // Both directions are over: the channel is.
            try await channel.close(mode: .output).get()
            try await channel.closeFuture.get()
            #expect(try await peer.receiveToEnd() == [])
        }
    }

    @Test func closingTheOutputWaitsForWhatWasWritten() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { channel in
                try channel.pipeline.syncOperations.addHandler(RecordingHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            let size = 6 << 20
            channel.write(ByteBuffer(repeating: 7, count: size), promise: nil)
            let closed = channel.eventLoop.makePromise(of: Void.self)
            channel.close(mode: .output, promise: closed)
            channel.flush()
            await #expect(throws: ChannelError.outputClosed) {
                try await channel.writeAndFlush(ByteBuffer(string: "late")).get()
            }
            #expect(!journal.entries.contains("outputClosed"))
            #expect(try await peer.receiveToEnd().count == size)
            try await closed.futureResult.get()
            #expect(journal.entries.contains("outputClosed"))
            // The other direction is still open.
            try await peer.send("thanks")
            await journal.wait(forEntry: "read thanks")
            await #expect(throws: ChannelError.outputClosed) { try await channel.close(mode: .output).get() }
            peer.close()
            try await channel.closeFuture.get()
        }
    }

    /// A client that ends its side after the request must get the whole answer.
    @Test func closingTheOutputOfAHalfClosedChannelWaitsToo() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { channel in
                try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
                try channel.pipeline.syncOperations.addHandler(RecordingHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            peer.endSending()
            await journal.wait(forEntry: "inputClosed")
            let size = 6 << 20
            channel.writeAndFlush(ByteBuffer(repeating: 7, count: size), promise: nil)
            channel.close(mode: .output, promise: nil)
            #expect(try await peer.receiveToEnd().count == size)
            try await channel.closeFuture.get()
        }
    }

    @Test func theInputCanBeClosedAlone() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(RecordingHandler(journal)) }
            let peer = try server.connect()
            let channel = await server.channel()
            try await channel.close(mode: .input).get()
            #expect(journal.entries.last == "inputClosed")
            try await channel.writeAndFlush(ByteBuffer(string: "out")).get()
            #expect(try await peer.receiveText(3) == "out")
            await #expect(throws: ChannelError.inputClosed) { try await channel.close(mode: .input).get() }
            try await channel.close().get()
            #expect(try await peer.receiveToEnd() == [])
        }
    }

    @Test func aClosedChannelRefusesEverythingAndSaysSo() async throws {
        try await LoopActor.test {
            let server = try TestServer { _ in }
            let peer = try server.connect()
            let channel = await server.channel()
            try await channel.close().get()
            await #expect(throws: ChannelError.alreadyClosed) { try await channel.close().get() }
            await #expect(throws: ChannelError.ioOnClosedChannel) {
                try await channel.writeAndFlush(ByteBuffer(string: "late")).get()
            }
            await #expect(throws: ChannelError.ioOnClosedChannel) {
                try await channel.setOption(.autoRead, value: false).get()
            }
            channel.read()
            channel.flush()
            try await channel.closeFuture.get()
            #expect(try await peer.receiveToEnd() == [])
        }
    }

    @Test func closingFromInsideAHandlerIsSafe() async throws {
        try await LoopActor.test {
            for moment in ["active", "read", "readComplete", "registered"] {
                let server = try TestServer { try $0.pipeline.syncOperations.addHandler(ClosingHandler(moment)) }
                let peer = try server.connect()
                let channel = await server.channel()
                if channel.isActive { try await peer.send("x") }
                try await channel.closeFuture.get()
                server.close()
            }
        }
    }

    @Test func aClosedChannelIsFreed() async throws {
        try await LoopActor.test {
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            weak var channel: (any Channel)?
            let closed: EventLoopFuture<Void>
            do {
                let peer = try server.connect()
                let first = await server.channel()
                channel = first
                closed = first.closeFuture
                try await peer.send("x")
                _ = try await peer.receive(1)
                peer.close()
            }
            try await closed.get()
            server.forget()
            for _ in 0..<10 where channel != nil { try await LoopClock.sleep(for: .milliseconds(1)) }
            #expect(channel == nil)
        }
    }

    @Test func optionsThatMeanNothingHereAreRefused() async throws {
        try await LoopActor.test {
            let server = try TestServer { _ in }
            let peer = try server.connect()
            let channel = await server.channel()
            let options = try #require(channel.syncOptions)
            #expect(throws: ChannelError.operationUnsupported) {
                try options.setOption(.socketOption(.so_keepalive), value: 1)
            }
            #expect(throws: ChannelError.operationUnsupported) { try options.getOption(.connectTimeout) }
            await #expect(throws: ChannelError.operationUnsupported) {
                try await channel.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 1)).get()
            }
            #expect(try options.getOption(.autoRead))
            #expect(try !options.getOption(.allowRemoteHalfClosure))
            #expect(try options.getOption(.maxMessagesPerRead) == 1)
            try options.setOption(.writeBufferWaterMark, value: .init(low: 1, high: 2))
            let mark = try await channel.getOption(.writeBufferWaterMark).get()
            #expect(mark.low == 1 && mark.high == 2)
            await #expect(throws: ChannelError.operationUnsupported) {
                try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
            }
            peer.close()
        }
    }

    @Test func otherThreadsCanUseTheChannel() async throws {
        let (server, peer, channel) = try await LoopActor.test {
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            let peer = try server.connect()
            return (server, peer, await server.channel())
        }
        #expect(channel.isActive && channel.isWritable)
        #expect(try await channel.getOption(.autoRead).get())
        for number in 0..<100 { channel.write(ByteBuffer(string: "\(number) "), promise: nil) }
        try await channel.writeAndFlush(ByteBuffer(string: "end")).get()
        let expected = (0..<100).map { "\($0) " }.joined() + "end"
        #expect(try await peer.receiveText(expected.utf8.count) == expected)
        try await channel.close().get()
        try await channel.closeFuture.get()
        await server.close()
    }
}

/// Counts the reads of each batch.
private final class BatchHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let journal: Journal<Int>
    private var reads = 0

    init(_ journal: Journal<Int>) { self.journal = journal }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { reads += 1 }

    func channelReadComplete(context: ChannelHandlerContext) {
        journal.add(reads)
        reads = 0
    }
}

private final class ClosingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let moment: String

    init(_ moment: String) { self.moment = moment }

    private func close(_ context: ChannelHandlerContext, at moment: String) {
        if moment == self.moment { context.close(promise: nil) }
    }

    func channelRegistered(context: ChannelHandlerContext) { close(context, at: "registered") }
    func channelActive(context: ChannelHandlerContext) { close(context, at: "active") }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { close(context, at: "read") }
    func channelReadComplete(context: ChannelHandlerContext) { close(context, at: "readComplete") }
}

extension ListenAddress {
    var port: UInt16? {
        guard case .ip(_, let port) = self else { return nil }
        return port
    }
}
