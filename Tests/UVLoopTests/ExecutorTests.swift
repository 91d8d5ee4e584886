import CLinux
import Glibc
import Testing

@testable import UVLoop

@Suite struct ExecutorTests {
    @Test func tasksBeginInTheOrderOfTheirStart() async throws {
        let order = try await LoopActor.test {
            let log = Log<Int>()
            var tasks: [Task<Void, Never>] = []
            for index in 0..<1000 { tasks.append(loopTask { log.append(index) }) }
            #expect(log.values.isEmpty, "a task must not begin inline")
            for task in tasks { await task.value }
            return log.values
        }
        #expect(order == Array(0..<1000))
    }

    @Test func workAndJobsKeepOneOrder() async throws {
        let order = try await LoopActor.test {
            let log = Log<Int>()
            for index in 0..<600 {
                if index.isMultiple(of: 2) {
                    LoopActor.loop.execute { LoopActor.assumeIsolated { log.append(index) } }
                } else {
                    loopTask { log.append(index) }
                }
            }
            await withCheckedContinuation { done in LoopActor.loop.execute { done.resume() } }
            return log.values
        }
        #expect(order == Array(0..<600))
    }

    @Test func jobsFromManyThreadsAllRunOnTheLoopInEachThreadsOrder() async {
        let loop = UVLoop()
        loop.startThread(named: "own-loop")
        let seen = Locked<[[Int]]>(Array(repeating: [], count: 4))
        await withTaskGroup(of: Void.self) { group in
            for producer in 0..<4 {
                group.addTask {
                    for index in 0..<5000 {
                        loop.execute {
                            precondition(loop.isOnLoop)
                            seen.withLock { $0[producer].append(index) }
                        }
                    }
                    await withCheckedContinuation { done in loop.execute { done.resume() } }
                }
            }
        }
        loop.stopThread()
        for row in seen.withLock({ $0 }) { #expect(row == Array(0..<5000)) }
    }

    @Test func everythingQueuedBeforeTheEndRuns() {
        let loop = UVLoop()
        let count = Locked(0)
        for _ in 0..<500 { loop.execute { count.withLock { $0 += 1 } } }
        loop.startThread(named: "own-loop")
        // Each enqueues another: more than one batch, on both sides of the stop.
        for _ in 0..<500 { loop.execute { loop.execute { count.withLock { $0 += 1 } } } }
        loop.stopThread()
        #expect(count.withLock { $0 } == 1000)
    }

    @Test func anEndlessChainOfJobsDoesNotStarveDescriptorsAndTimers() async throws {
        try await LoopActor.test {
            var ends: [Int32] = [0, 0]
            try #require(linux_pipe(&ends, true) == 0)
            defer { for fd in ends { close(fd) } }
            let running = Flag()
            running.value = true
            spin(while: running)
            let watcher = try FDWatcher(fd: ends[0])
            await withCheckedContinuation { readable in
                watcher.start(.readable) { _ in
                    watcher.stop()
                    readable.resume()
                }
                write(ends[1], "x", 1)
            }
            try await LoopClock.sleep(for: .milliseconds(2))
            running.value = false
        }
    }

    @Test func aContinuationResumedByAnotherThreadComesBackToTheLoop() async throws {
        try await LoopActor.test {
            let loop = LoopActor.loop
            let other = UVLoop()
            other.startThread(named: "other")
            for _ in 0..<100 {
                await withCheckedContinuation { done in other.execute { done.resume() } }
                #expect(loop.isOnLoop)
            }
            other.stopThread()
        }
    }

    @Test func nonisolatedAndConcurrentFunctionsStayOnTheLoop() async throws {
        try await LoopActor.test {
            #expect(await concurrentlyOnLoop(LoopActor.loop))
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<100 { group.addTask { await concurrentlyOnLoop(LoopActor.loop) } }
                for await isOnLoop in group { #expect(isOnLoop) }
            }
        }
    }

    @Test func leavingTheLoopTrapsWhereIsolationIsAssumed() async {
        await #expect(processExitsWith: .failure) {
            LoopActor.bindForTesting()
            LoopActor.assumeIsolated {}
        }
    }

    @Test func bindingTwiceTraps() async {
        await #expect(processExitsWith: .failure) {
            LoopActor.bind(to: UVLoop())
            LoopActor.bind(to: UVLoop())
        }
    }

    @Test func aThrownErrorComesOutOfRunMain() async {
        await #expect(processExitsWith: .exitCode(7)) {
            do {
                try LoopActor.runMain { throw LoopError(7, "test") }
            } catch let error as LoopError {
                exit(error.code)
            }
        }
    }

    @Test func theQueueKeepsOrderWhileItWrapsAndGrows() {
        var queue = JobQueue(capacity: 4)
        let log = Locked<[Int]>([])
        var next = 0
        func run(_ item: LoopItem?) {
            guard case .work(let work) = item else { return }
            work()
        }
        for round in 1...50 {
            for _ in 0..<round {
                let number = next
                queue.push(.work { log.withLock { $0.append(number) } })
                next += 1
            }
            for _ in 0..<(round / 2) { run(queue.pop()) }
        }
        while queue.count > 0 { run(queue.pop()) }
        #expect(log.withLock { $0 } == Array(0..<next))
    }
}

/// A job that enqueues itself anew, over and over.
@LoopActor
private func spin(while flag: Flag) {
    guard flag.value else { return }
    LoopActor.loop.execute { LoopActor.assumeIsolated { spin(while: flag) } }
}

@concurrent
private func concurrentlyOnLoop(_ loop: UVLoop) async -> Bool { loop.isOnLoop }
