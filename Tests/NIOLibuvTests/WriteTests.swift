import Glibc
import NIOCore
import NIOLibuv
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(1))) struct WriteTests {
    @Test func writabilityFollowsTheWaterMarks() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { channel in
                try channel.syncOptions?.setOption(.writeBufferWaterMark, value: .init(low: 100, high: 200))
                try channel.pipeline.syncOperations.addHandler(RecordingHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            #expect(channel.isWritable)
            channel.write(ByteBuffer(repeating: 1, count: 200), promise: nil)
            #expect(channel.isWritable, "the high mark itself is allowed")
            channel.write(ByteBuffer(repeating: 1, count: 1), promise: nil)
            #expect(!channel.isWritable)
            #expect(try await channel.getOption(.bufferedWritableBytes).get() == 201)
            channel.flush()
            #expect(channel.isWritable)
            #expect(try await peer.receive(201).count == 201)
            #expect(journal.entries == ["registered", "active", "unwritable", "writable"])
        }
    }

    @Test func aSlowReaderHoldsTheWriterBackUntilItReads() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(RecordingHandler(journal)) }
            let peer = try server.connect()
            let channel = await server.channel()
            let done = Journal<Int>()
            var written = 0
            // More than any socket buffer takes.
            while channel.isWritable && written < 1000 {
                let number = written
                let promise = channel.eventLoop.makePromise(of: Void.self)
                promise.futureResult.whenSuccess { done.add(number) }
                channel.writeAndFlush(
                    ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 100_000), promise: promise)
                written += 1
            }
            #expect(!channel.isWritable && written < 1000)
            try await LoopClock.sleep(for: .milliseconds(10))
            #expect(!channel.isWritable)
            #expect(done.entries.count < written)
            let received = try await peer.receive(written * 100_000)
            await done.wait(for: written)
            #expect(done.entries == Array(0..<written))
            #expect((0..<written).allSatisfy { received[$0 * 100_000] == UInt8(truncatingIfNeeded: $0) })
            #expect(channel.isWritable)
            #expect(journal.entries.suffix(2) == ["unwritable", "writable"])
        }
    }

    @Test func manySmallWritesKeepTheirOrder() async throws {
        try await LoopActor.test {
            let server = try TestServer { _ in }
            let peer = try server.connect()
            let channel = await server.channel()
            var expected = ""
            for number in 0..<1000 {
                let text = number.isMultiple(of: 7) ? "" : "\(number),"
                expected += text
                channel.write(ByteBuffer(string: text), promise: nil)
            }
            try await channel.writeAndFlush(ByteBuffer()).get()
            #expect(try await peer.receiveText(expected.utf8.count) == expected)
        }
    }

    @Test func emptyWritesComplete() async throws {
        try await LoopActor.test {
            let server = try TestServer { _ in }
            let peer = try server.connect()
            let channel = await server.channel()
            try await channel.writeAndFlush(ByteBuffer()).get()
            peer.close()
        }
    }

    @Test func writingFromACompletedWriteKeepsTheOrder() async throws {
        try await LoopActor.test {
            let server = try TestServer { _ in }
            let peer = try server.connect()
            let channel = await server.channel()
            // Each completion writes and flushes the next, inside the flush that completed it.
            @Sendable func writeNext(_ number: Int) {
                guard number < 500 else { return }
                channel.writeAndFlush(ByteBuffer(string: "\(number) ")).whenSuccess { writeNext(number + 1) }
            }
            writeNext(0)
            channel.writeAndFlush(ByteBuffer(string: "| "), promise: nil)
            let expected = (0..<500).map { "\($0) " }.joined()
            let text = try await peer.receiveText(expected.utf8.count + 2)
            #expect(text.split(separator: " ").filter { $0 != "|" } == expected.split(separator: " "))
        }
    }

    @Test func whatIsNotOutYetFailsWhenTheChannelCloses() async throws {
        try await LoopActor.test {
            let server = try TestServer { _ in }
            let peer = try server.connect()
            let channel = await server.channel()
            let unflushed = channel.eventLoop.makePromise(of: Void.self)
            channel.write(ByteBuffer(string: "never"), promise: unflushed)
            try await channel.close().get()
            await #expect(throws: (any Error).self) { try await unflushed.futureResult.get() }
            try await channel.closeFuture.get()

            let second = try server.connect()
            let blocked = await server.channel(1)
            // In libuv's hands when the channel closes: its memory must live until libuv says so.
            let flushed = blocked.eventLoop.makePromise(of: Void.self)
            let halfClosed = blocked.eventLoop.makePromise(of: Void.self)
            blocked.writeAndFlush(ByteBuffer(repeating: 1, count: 64 << 20), promise: flushed)
            blocked.close(mode: .output, promise: halfClosed)
            // The first waits for what was flushed, the second does not.
            blocked.close(promise: nil)
            try await blocked.close().get()
            await #expect(throws: (any Error).self) { try await flushed.futureResult.get() }
            await #expect(throws: (any Error).self) { try await halfClosed.futureResult.get() }
            try await blocked.closeFuture.get()
            second.close()
            peer.close()
        }
    }

    /// What a codec does that answers and closes in one breath, with a client that reads slowly.
    @Test func closingSendsWhatWasFlushedBefore() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(RecordingHandler(journal)) }
            let peer = try server.connect()
            let channel = await server.channel()
            let size = 6 << 20
            let closed = channel.eventLoop.makePromise(of: Void.self)
            let late = channel.eventLoop.makePromise(of: Void.self)
            channel.writeAndFlush(ByteBuffer(repeating: 7, count: size), promise: nil)
            channel.close(promise: closed)
            channel.writeAndFlush(ByteBuffer(string: "late"), promise: late)
            await #expect(throws: ChannelError.outputClosed) { try await late.futureResult.get() }
            #expect(!journal.entries.contains("inactive"))
            #expect(try await peer.receiveToEnd().count == size)
            try await closed.futureResult.get()
            try await channel.closeFuture.get()
            #expect(journal.entries.suffix(3) == ["inactive", "unregistered", "handlerRemoved"])
        }
    }

    @Test func writingToAPeerThatIsGoneClosesTheChannel() async throws {
        try await LoopActor.test {
            let journal = Journal<String>()
            let server = try TestServer { channel in
                try channel.syncOptions?.setOption(.autoRead, value: false)
                try channel.pipeline.syncOperations.addHandler(RecordingHandler(journal))
            }
            let peer = try server.connect()
            let channel = await server.channel()
            peer.abort()
            await #expect(throws: (any Error).self) {
                // The socket may take some before it hears of it.
                while true {
                    try await channel.writeAndFlush(ByteBuffer(string: "hello")).get()
                    try await LoopClock.sleep(for: .milliseconds(1))
                }
            }
            try await channel.closeFuture.get()
            #expect(journal.entries.suffix(3) == ["inactive", "unregistered", "handlerRemoved"])
        }
    }
}
