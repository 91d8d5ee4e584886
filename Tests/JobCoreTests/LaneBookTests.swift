import JobCore
import Testing

@Suite struct LaneBookTests {
    private let a = Lane(queue: "a", rank: 0)
    private let b = Lane(queue: "b", rank: 0)
    private let urgent = Lane(queue: "a", rank: -5)

    private func book(_ lanes: [Lane]) -> LaneBook {
        var book = LaneBook()
        book.sweepStarted()
        book.swept(lanes, position: 0, duration: 0, now: 0)
        return book
    }

    @Test func highestPriorityFirstAndQueuesTakeTurns() {
        var book = book([a, b, urgent])
        let first = book.readings(queues: nil).map(\.lane)
        let second = book.readings(queues: nil).map(\.lane)
        #expect(first[0] == urgent && second[0] == urgent && Set(first) == [a, b, urgent])
        #expect(first[1] != second[1])
        #expect(book.readings(queues: ["b"]).map(\.lane) == [b])
    }

    @Test func readsOnBehindWhatItTook() {
        var book = book([a])
        book.claimStarted()
        book.claimEnded(taken: [(a, 7), (a, 9)], exhausted: [])
        #expect(book.readings(queues: nil) == [.init(lane: a, after: 9)])
        book.entered(a, at: 8)  // Drawn early, committed late.
        #expect(book.readings(queues: nil)[0].after == 7)
        book.entered(a, at: 12)
        #expect(book.readings(queues: nil)[0].after == 7)
    }

    @Test func whatEntersDuringAClaimIsNotHidden() {
        var book = book([a])
        book.claimStarted()
        book.entered(a, at: 5)  // The claim's snapshot may be older.
        book.claimEnded(taken: [(a, 10)], exhausted: [])
        #expect(book.readings(queues: nil)[0].after == 4)
    }

    @Test func whatThisHostCannotTakeIsWalkedOverOnce() {
        var book = LaneBook()
        book.sweepStarted()
        book.swept([a, b], position: 50, duration: 0, now: 0)
        book.claimStarted()
        book.entered(b, at: 40)  // Committed late, while the claim looked.
        book.claimEnded(taken: [(a, 7)], exhausted: [a, b])
        let readings = book.readings(queues: nil)
        #expect(Set(readings) == [.init(lane: a, after: 50), .init(lane: b, after: 39)])
    }

    @Test func aSweepForgetsWatermarksAndEmptyLanes() {
        var book = book([a, b])
        book.claimStarted()
        book.claimEnded(taken: [(a, 10), (b, 3)], exhausted: [])
        #expect(!book.isSweepDue(isBusy: false, now: .max))
        #expect(book.isSweepDue(isBusy: true, now: LaneBook.sweepInterval))
        book.sweepStarted()
        book.entered(urgent, at: 4)  // Too late for the sweep's answer.
        book.swept([a], position: 0, duration: 1_000_000_000, now: 100)
        let readings = book.readings(queues: nil)
        #expect(Set(readings) == [.init(lane: a, after: 0), .init(lane: urgent, after: 0)])
        #expect(!book.isSweepDue(isBusy: true, now: 15_000_000_000))  // A slow sweep makes itself rare.
        #expect(book.isSweepDue(isBusy: true, now: 20_000_000_100))
    }

    @Test func aWakeUpAndAFailureForceASweep() {
        var book = book([a])
        book.woken(queue: "c")
        #expect(book.isSweepDue(isBusy: false, now: 0))
        book.sweepStarted()
        book.sweepFailed()
        #expect(book.isSweepDue(isBusy: false, now: 0))
        book.sweepStarted()
        book.swept([a], position: 0, duration: 0, now: 0)
        book.claimStarted()
        book.claimFailed()
        #expect(book.isSweepDue(isBusy: false, now: 0))
    }

    @Test func aJobsOwnLaneIsOneMore() {
        let own = Lane(queue: "a", rank: 0, job: "j")
        var book = book([a, own])
        book.claimStarted()
        book.claimEnded(taken: [(own, 9)], exhausted: [a])
        #expect(Set(book.readings(queues: ["a"])) == [.init(lane: a, after: 0), .init(lane: own, after: 9)])
        book.woken(queue: "*")
        #expect(book.readings(queues: nil).allSatisfy { $0.after == 0 } && book.isSweepDue(isBusy: false, now: 0))
    }

    @Test func heartbeatsEntitleAfterThirtyUnbrokenSeconds() {
        let second: UInt64 = 1_000_000_000
        var record = HeartbeatRecord()
        #expect(!record.isEntitled(now: 100 * second))
        for beat in stride(from: UInt64(100), through: 130, by: 10) { record.succeeded(at: beat * second) }
        #expect(!record.isEntitled(now: 129 * second) && record.isEntitled(now: 131 * second))
        // An outage: silence, then a beat. It starts from nothing.
        #expect(!record.isEntitled(now: 165 * second))
        #expect(record.unbroken(now: 131 * second) == .seconds(31) && record.unbroken(now: 146 * second) == .zero)
        record.succeeded(at: 165 * second)
        #expect(!record.isEntitled(now: 166 * second))
        for beat in stride(from: UInt64(175), through: 195, by: 10) { record.succeeded(at: beat * second) }
        #expect(record.isEntitled(now: 196 * second))
        record.reset()
        #expect(!record.isEntitled(now: 196 * second))
    }

    /// A judge that was stopped in between has a gap, wherever it is stopped.
    @Test(arguments: [1, 2, 5, 10, 60])
    func aGapEndsTheTitle(_ seconds: Int64) {
        let times = LivenessTimes(heartbeat: .seconds(seconds))
        let step = UInt64(seconds) * 1_000_000_000
        var record = HeartbeatRecord(times)
        for beat in UInt64(1)...10 { record.succeeded(at: beat * step) }
        #expect(record.isEntitled(now: 10 * step) && record.isEntitled(now: 11 * step))
        #expect(!record.isEntitled(now: 11 * step + step / 2))
        record.succeeded(at: 12 * step)
        #expect(!record.isEntitled(now: 12 * step))
        for beat in UInt64(13)...14 { record.succeeded(at: beat * step) }
        #expect(!record.isEntitled(now: 14 * step))
        record.succeeded(at: 15 * step)
        #expect(record.isEntitled(now: 15 * step))
    }
}
