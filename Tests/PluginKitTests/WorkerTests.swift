import Glibc
import PluginABI
import Synchronization
import Testing

@testable import PluginKit

private actor Counter {
    var value = 0
    func add() { self.value += 1 }
}

@Suite(.timeLimit(.minutes(1))) struct WorkerTests {
    /// Runs a body as a handler's task is run; returns the thread that lent itself.
    private func onWorker(_ body: @escaping @Sendable () async -> Void) async -> UInt {
        await onThread {
            WorkerExecutor().run(body) { _ in }
            return threadID
        }
    }

    @Test func theHandlerStartsOnTheWorkerThread() async {
        let seen = Slot<UInt>()
        let worker = await self.onWorker { seen.set(threadID) }
        #expect(seen.take() == worker)
    }

    @Test func itReturnsToTheWorkerThreadAfterASleep() async {
        let seen = Slot<UInt>()
        let worker = await self.onWorker {
            try? await Task.sleep(for: .milliseconds(5))
            seen.set(threadID)
        }
        #expect(seen.take() == worker)
    }

    @Test func actorsAndTaskGroupsWork() async {
        let counter = Counter()
        _ = await self.onWorker {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<200 { group.addTask { await counter.add() } }
            }
        }
        #expect(await counter.value == 200)
    }

    /// Two children that wait for each other without suspending: only two threads at once can finish them.
    @Test func childTasksRunInParallel() async {
        let first = Semaphore()
        let second = Semaphore()
        _ = await self.onWorker {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    first.signal()
                    second.wait()
                }
                group.addTask {
                    second.signal()
                    first.wait()
                }
            }
        }
    }

    /// The worker thread blocks inside the handler; a child task must not wait for it.
    @Test func aBlockedHandlerDoesNotHoldUpItsChildren() async {
        let done = Semaphore()
        _ = await self.onWorker {
            async let child: Void = done.signal()
            done.wait()
            await child
        }
    }

    @Test func aThousandAttemptsOneAfterTheOther() async {
        let counter = Counter()
        for _ in 0..<1000 {
            _ = await self.onWorker {
                await counter.add()
                await Task.yield()
                await counter.add()
            }
        }
        #expect(await counter.value == 2000)
    }
}
