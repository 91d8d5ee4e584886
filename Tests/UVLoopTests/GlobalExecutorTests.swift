import CLinux
import Glibc
import Testing
import UVLoop

@Suite struct GlobalExecutorTests {
    /// The one that notices when Swift's runtime no longer lets us replace its default executor.
    @Test(.timeLimit(.minutes(1))) func aProgramOnTheLoopStartsNoThread() async {
        await #expect(processExitsWith: .success) {
            // The test runner itself has started some threads by now; no more may follow.
            let before = try LoopActor.runMain {
                let before = linux_thread_count()
                await work()
                return before
            }
            let after = linux_thread_count()
            precondition(before > 0 && after <= before, "\(before) threads before, \(after) after")
            exit(0)
        }
    }
}

private actor Counter {
    private(set) var count = 0
    func add() { count += 1 }
}

@concurrent
private func elsewhere(_ counter: Counter) async { await counter.add() }

/// Everything that would start threads on Swift's own executor, and that libraries do.
private func work() async {
    let counter = Counter()
    await withTaskGroup(of: Void.self) { group in
        for index in 0..<2000 {
            group.addTask {
                await elsewhere(counter)
                if index.isMultiple(of: 50) { try? await LoopClock.sleep(for: .milliseconds(1)) }
                if index.isMultiple(of: 51) { try? await Task.sleep(for: .milliseconds(1)) }
                if index.isMultiple(of: 52) { try? await Task.sleep(nanoseconds: 1_000_000) }
            }
        }
    }
    let attached = Task {
        await counter.add()
        try await Task.sleep(for: .milliseconds(5))
        await elsewhere(counter)
    }
    let detached = Task.detached {
        await counter.add()
        try await Task.sleep(until: .now + .milliseconds(5), clock: .continuous)
        await counter.add()
        try await Task.sleep(until: .now + .milliseconds(5), clock: .suspending)
    }
    let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
    Task.detached {
        for value in 0..<100 {
            continuation.yield(value)
            await Task.yield()
        }
        continuation.finish()
    }
    var sum = 0
    for await value in stream { sum += value }
    let start = ContinuousClock.now
    try? await Task.sleep(for: .milliseconds(20))
    precondition(ContinuousClock.now - start >= .milliseconds(20), "woken too early")
    do {
        try await attached.value
        try await detached.value
    } catch {
        preconditionFailure("a sleep failed: \(error)")
    }
    let count = await counter.count
    precondition(count == 2000 + 2 + 2 && sum == 4950, "not everything ran: \(count), \(sum)")
}
