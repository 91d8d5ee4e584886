import Testing

@testable import UVLoop

@Suite(.timeLimit(.minutes(1))) struct TimerTests {
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func theHeapFiresInOrderWhateverIsCancelled(seed: UInt64) {
        var random = SplitMix(state: seed)
        var heap = TimerHeap()
        var fired: [Int] = []
        var expected: [(deadline: UInt64, id: Int)] = []
        var entries: [TimerEntry] = []
        for id in 0..<2000 {
            let deadline = UInt64.random(in: 0..<500, using: &random)
            entries.append(heap.insert(at: LoopInstant(nanoseconds: deadline)) { fired.append(id) })
            expected.append((deadline, id))
        }
        for id in (0..<2000).shuffled(using: &random).prefix(700) {
            let removed = heap.remove(entries[id])
            let removedAgain = heap.remove(entries[id])
            #expect(removed && !removedAgain)
            #expect(!entries[id].isScheduled)
            expected.removeAll { $0.id == id }
        }
        #expect(heap.count == 1300)
        for now in stride(from: UInt64(0), through: 500, by: 10) {
            while let fire = heap.popDue(at: LoopInstant(nanoseconds: now)) { fire() }
            #expect(fired.count == expected.filter { $0.deadline <= now }.count)
        }
        #expect(fired == expected.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }.map(\.id))
        #expect(heap.earliest == nil)
    }

    @Test func sleepIsNeverEarly() async throws {
        try await LoopActor.test {
            for microseconds in [0, 1, 300, 999, 1000, 1001, 2500, 7777] {
                let start = LoopInstant.now
                try await LoopClock.sleep(for: .microseconds(microseconds))
                #expect(LoopInstant.now - start >= .microseconds(microseconds))
            }
        }
    }

    @Test func aThousandTimersFireInOrder() async throws {
        let fired = try await LoopActor.test {
            let log = Log<Int>()
            let base = LoopInstant.now
            // All in one job, so none can fire before the last is set.
            for index in (0..<1000).reversed() {
                _ = LoopActor.loop.schedule(at: base.advanced(by: .microseconds(index * 10))) {
                    LoopActor.assumeIsolated { log.append(index) }
                }
            }
            await log.wait(for: 1000)
            return log.values
        }
        #expect(fired == Array(0..<1000))
    }

    @Test func cancellationEndsASleepBeforeAndMeanwhile() async throws {
        try await LoopActor.test {
            let log = Log<String>()
            let sleeper = loopTask {
                log.append("began")
                do {
                    try await LoopClock.sleep(for: .seconds(3600))
                    log.append("slept")
                } catch {
                    log.append("cancelled")
                    // Cancelled already: must not wait.
                    do { try await LoopClock.sleep(for: .seconds(3600)) } catch { log.append("again") }
                }
            }
            await log.wait(for: 1)
            sleeper.cancel()
            await sleeper.value
            #expect(log.values == ["began", "cancelled", "again"])
            #expect(LoopActor.loop.timers.count == 0 || log.values.count == 3)
        }
    }

    @Test func sleepWorksFromOtherThreadsToo() async throws {
        LoopActor.bindForTesting()
        let start = LoopInstant.now
        try await LoopClock.sleep(for: .milliseconds(3))
        #expect(LoopInstant.now - start >= .milliseconds(3))
        let task = Task { try await LoopClock.sleep(for: .seconds(3600)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aRepeatingTimerRepeatsUntilItIsStopped() async throws {
        try await LoopActor.test {
            let log = Log<LoopInstant>()
            let timer = LoopTimer()
            let start = LoopInstant.now
            timer.start(after: .milliseconds(1), repeating: .milliseconds(2)) {
                log.append(.now)
                if log.values.count == 4 { timer.stop() }
            }
            #expect(timer.isActive)
            await log.wait(for: 4)
            #expect(!timer.isActive)
            try await LoopClock.sleep(for: .milliseconds(8))
            #expect(log.values.count == 4)
            for (beat, instant) in log.values.enumerated() {
                #expect(instant - start >= .milliseconds(1 + 2 * beat))
            }
        }
    }

    @Test func startingAgainReplacesAndDroppingStops() async throws {
        try await LoopActor.test {
            let log = Log<String>()
            let timer = LoopTimer()
            timer.start(after: .milliseconds(1)) { log.append("first") }
            timer.start(after: .milliseconds(2)) { log.append("second") }
            do {
                let dropped = LoopTimer()
                dropped.start(after: .milliseconds(1)) { log.append("dropped") }
            }
            await log.wait(for: 1)
            try await LoopClock.sleep(for: .milliseconds(5))
            #expect(log.values == ["second"])
            #expect(!timer.isActive)
        }
    }

    @Test func aTimeoutCancelsItsBodyAndALateBodyWins() async throws {
        try await LoopActor.test {
            await #expect(throws: LoopError.self) {
                try await LoopClock.withTimeout(.milliseconds(2), "nap") {
                    try await LoopClock.sleep(for: .seconds(3600))
                }
            }
            let value = try await LoopClock.withTimeout(.seconds(60), "answer") { 42 }
            #expect(value == 42)
        }
    }

    @Test func instantsSaturate() {
        let instant = LoopInstant(nanoseconds: 5)
        #expect(instant.advanced(by: .seconds(Int64.max)).nanoseconds > UInt64(Int64.max))
        #expect(instant.advanced(by: .seconds(-10)).nanoseconds == 0)
        #expect(instant - LoopInstant(nanoseconds: 8) == .nanoseconds(-3))
        #expect(Duration(secondsComponent: 0, attosecondsComponent: 1).clampedNanoseconds == 1)
        #expect(Duration.nanoseconds(-7).clampedNanoseconds == -7)
    }
}

/// A small generator with a printable seed, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
