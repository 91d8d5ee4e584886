import NIOCore
import NIOLibuv
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(1))) struct EventLoopTests {
    @Test func scheduledTasksRunInOrderOfTheirDeadlines() async throws {
        try await LoopActor.test {
            let loop: any EventLoop = LoopActor.loop
            let journal = Journal<Int>()
            let base = NIODeadline.now()
            for number in (0..<100).reversed() {
                loop.scheduleTask(deadline: base + .microseconds(Int64(number) * 50)) { journal.add(number) }
            }
            await journal.wait(for: 100)
            #expect(journal.entries == Array(0..<100))
        }
    }

    @Test func scheduledTasksAreNeverEarlyAndReturnValuesAndErrors() async throws {
        try await LoopActor.test {
            let loop: any EventLoop = LoopActor.loop
            let start = NIODeadline.now()
            let value = try await loop.scheduleTask(in: .milliseconds(5)) { 42 }.futureResult.get()
            #expect(value == 42)
            #expect(NIODeadline.now() - start >= .milliseconds(5))
            await #expect(throws: ChannelError.eof) {
                try await loop.scheduleTask(in: .milliseconds(1)) { throw ChannelError.eof }.futureResult.get()
            }
        }
    }

    @Test func cancelledTasksDoNotRun() async throws {
        try await LoopActor.test {
            let loop: any EventLoop = LoopActor.loop
            let journal = Journal<String>()
            let cancelled = loop.scheduleTask(in: .milliseconds(2)) { journal.add("cancelled") }
            loop.scheduleTask(in: .milliseconds(4)) { journal.add("ran") }
            cancelled.cancel()
            await #expect(throws: EventLoopError.cancelled) { try await cancelled.futureResult.get() }
            await journal.wait(for: 1)
            #expect(journal.entries == ["ran"])
            cancelled.cancel()
        }
    }

    @Test func everythingWorksFromOtherThreads() async throws {
        LoopActor.bindForTesting()
        let loop: any EventLoop = LoopActor.loop
        #expect(!loop.inEventLoop)
        let isOnLoop = try await loop.submit { loop.inEventLoop }.get()
        #expect(isOnLoop)
        #expect(try await loop.scheduleTask(in: .milliseconds(1)) { loop.inEventLoop }.futureResult.get())
        let cancelled = loop.scheduleTask(in: .hours(1)) { true }
        cancelled.cancel()
        await #expect(throws: EventLoopError.cancelled) { try await cancelled.futureResult.get() }
        let promise = loop.makePromise(of: Int.self)
        Task.detached { promise.succeed(7) }
        let doubled = promise.futureResult.map { value in
            precondition(loop.inEventLoop)
            return value * 2
        }
        #expect(try await doubled.get() == 14)
        await #expect(throws: ChannelError.eof) { try await loop.submit { throw ChannelError.eof }.get() }
        let flat = loop.flatSubmit { loop.makeSucceededFuture(3) }
        #expect(try await flat.get() == 3)
    }

    @Test func repeatedTasksRepeatUntilCancelled() async throws {
        try await LoopActor.test {
            let loop: any EventLoop = LoopActor.loop
            let journal = Journal<Int>()
            let task = loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(1)) { _ in journal.add(1) }
            await journal.wait(for: 3)
            task.cancel()
            let count = journal.entries.count
            try await LoopClock.sleep(for: .milliseconds(5))
            #expect(journal.entries.count <= count + 1)
        }
    }

    @Test func aLoopOfItsOwnIsAnEventLoopToo() async throws {
        let loop = UVLoop()
        loop.startThread(named: "own-loop")
        let other: any EventLoop = loop
        let sum = Locked(0)
        try await EventLoopFuture.andAllSucceed(
            (1...100).map { number in other.submit { sum.withLock { $0 += number } } }, on: other
        ).get()
        #expect(sum.withLock { $0 } == 5050)
        #expect(other.next() === loop)
        loop.stopThread()
    }

    @Test func tasksAndActorsOnTheEventLoopStayThere() async throws {
        try await LoopActor.test {
            let loop: any EventLoop = LoopActor.loop
            let value = try await loop.makeFutureWithTask {
                await OnLoop(loop: LoopActor.loop).isThere()
            }.get()
            #expect(value)
        }
    }
}

private actor OnLoop {
    private let loop: UVLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: UVLoop) { self.loop = loop }

    func isThere() -> Bool { loop.inEventLoop }
}
