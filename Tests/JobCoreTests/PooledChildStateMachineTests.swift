import JobCore
import Testing

@Suite struct PooledChildStateMachineTests {
    typealias Machine = PooledChildStateMachine

    static let bounds = Machine.Bounds(runs: 3, age: .seconds(100), growthBytes: 1000, idle: .seconds(30))

    func pooled(at now: Duration = .zero) -> Machine { Machine(.pooled, bounds: Self.bounds, forRun: true, at: now) }

    @Test func aPooledChildServesUntilItsRunsAreUp() {
        var child = self.pooled()
        for _ in 1...2 {
            #expect(child.idle(.init(rssBytes: 50), at: .seconds(1)) == .offer)
            child.taken()
        }
        #expect(child.idle(.init(rssBytes: 50), at: .seconds(1)) == .recycle("runs"))
        #expect(child.state == .leaving)
    }

    @Test func aSpareChildServesOnce() {
        var child = Machine(.spare, bounds: Self.bounds, forRun: false, at: .zero)
        #expect(child.up(at: .seconds(1)) == .offer)
        child.taken()
        guard case .fault = child.idle(.init(), at: .seconds(2)) else {
            Issue.record("a spare child came back")
            return
        }
        #expect(child.died() == .nothing)
    }

    @Test(arguments: [
        (Machine.Audit(processes: 1), "processes"), (Machine.Audit(resetStatus: 1), "reset"),
        (Machine.Audit(isUnfit: true), "unfit"), (Machine.Audit(descriptors: 1), "descriptors"),
        (Machine.Audit(threads: 1), "threads"),
    ]) func whatItLeavesEndsIt(_ audit: Machine.Audit, _ reason: String) {
        var child = self.pooled()
        #expect(child.idle(audit, at: .zero) == .recycle(reason))
    }

    @Test func growthCountsFromTheFirstRun() {
        var child = self.pooled()
        // Whatever a runtime needs once is there after the first run.
        #expect(child.idle(.init(rssBytes: 1_000_000), at: .zero) == .offer)
        child.taken()
        #expect(child.idle(.init(rssBytes: 1_001_000), at: .zero) == .offer)
        var other = self.pooled()
        #expect(other.idle(.init(rssBytes: 1_000_000), at: .zero) == .offer)
        other.taken()
        #expect(other.idle(.init(rssBytes: 1_001_001), at: .zero) == .recycle("growth"))
    }

    @Test func ageEndsItAfterItsRunOrWhileItWaits() {
        var child = self.pooled(at: .seconds(5))
        #expect(child.idle(.init(), at: .seconds(104)) == .offer)
        child.taken()
        #expect(child.idle(.init(), at: .seconds(105)) == .recycle("age"))
        var waiting = self.pooled(at: .seconds(5))
        #expect(waiting.idle(.init(), at: .seconds(90)) == .offer)
        #expect(waiting.tick(at: .seconds(104)) == .nothing)
        #expect(waiting.tick(at: .seconds(105)) == .dismiss)
    }

    @Test func whoNeedsItNoMoreEndsIt() {
        var child = self.pooled()
        #expect(child.unwanted() == .nothing)
        #expect(child.idle(.init(), at: .zero) == .recycle("retired"))
        var waiting = self.pooled()
        #expect(waiting.idle(.init(), at: .zero) == .offer)
        #expect(waiting.tick(at: .seconds(29)) == .nothing)
        #expect(waiting.tick(at: .seconds(30)) == .dismiss)
        #expect(waiting.tick(at: .seconds(31)) == .nothing)
        #expect(waiting.died() == .nothing)
    }

    enum Event: CaseIterable { case up, taken, clean, dirty, goesOn, unwanted, tick, died }

    @Test func aChildGoesOnWithWhatItWasGiven() {
        var child = self.pooled()
        #expect(!child.mayTakeAhead(behind: 0), "nobody knows yet whether it comes up")
        #expect(child.idle(.init(rssBytes: 50), at: .zero) == .offer)
        #expect(!child.mayTakeAhead(behind: 0), "it waits")
        child.taken()
        // The third run is its last.
        #expect(child.mayTakeAhead(behind: 0) && !child.mayTakeAhead(behind: 1))
        #expect(child.wentOn(.init(rssBytes: 50), at: .zero) == .proceed && child.state == .running)
        #expect(!child.mayTakeAhead(behind: 0))
        #expect(child.idle(.init(rssBytes: 50), at: .zero) == .recycle("runs"))
    }

    @Test func whatWouldEndItEndsItBehindWhatItWasGiven() {
        for isUnwanted in [true, false] {
            var child = self.pooled()
            #expect(child.idle(.init(rssBytes: 50), at: .zero) == .offer)
            child.taken()
            if isUnwanted { #expect(child.unwanted() == .nothing) }
            #expect(child.wentOn(.init(rssBytes: isUnwanted ? 50 : 1051), at: .zero) == .proceed)
            #expect(!child.mayTakeAhead(behind: 0))
        }
        var old = self.pooled()
        #expect(old.idle(.init(), at: .zero) == .offer)
        old.taken()
        #expect(old.wentOn(.init(), at: .seconds(100)) == .proceed && !old.mayTakeAhead(behind: 0))
        var leaky = self.pooled()
        guard case .fault = leaky.wentOn(.init(descriptors: 1), at: .zero) else {
            Issue.record("it went on with a leak")
            return
        }
    }

    /// Every sequence of six facts: an order is given at most once where once is all that makes sense, and a child that is
    /// leaving or gone is never offered again.
    @Test(arguments: [Machine.Kind.spare, .pooled]) func everyShortSequenceIsSafe(_ kind: Machine.Kind) {
        var sequences = 0
        func walk(_ child: Machine, _ depth: Int, _ isOver: Bool, _ endings: Int) {
            if depth == 6 {
                sequences += 1
                return
            }
            for event in Event.allCases {
                var next = child
                let order: Machine.Order
                switch event {
                case .up: order = next.up(at: .seconds(depth))
                case .taken:
                    // Only what waits is taken; the pool offers nothing else.
                    guard case .waiting = next.state else { continue }
                    next.taken()
                    order = .nothing
                case .clean: order = next.idle(.init(), at: .seconds(depth))
                case .dirty: order = next.idle(.init(processes: 1), at: .seconds(depth))
                case .goesOn: order = next.wentOn(.init(), at: .seconds(depth))
                case .unwanted: order = next.unwanted()
                case .tick: order = next.tick(at: .seconds(depth + 40))
                case .died: order = next.died()
                }
                var (over, count) = (isOver, endings)
                switch order {
                case .offer:
                    #expect(!isOver, "\(child.state) \(event)")
                    guard case .waiting = next.state else {
                        Issue.record("offered, but \(next.state)")
                        continue
                    }
                case .recycle, .dismiss, .bury:
                    count += 1
                    over = true
                    #expect(count == 1, "ended twice: \(child.state) \(event)")
                case .proceed:
                    #expect(!isOver && kind == .pooled && next.state == .running)
                case .nothing, .fault: break
                }
                if next.state == .gone || next.state == .leaving { over = true }
                // Who is over stays over.
                if isOver { #expect(next.state == .gone || next.state == .leaving) }
                walk(next, depth + 1, over, count)
            }
        }
        for forRun in [true, false] {
            walk(Machine(kind, bounds: Self.bounds, forRun: forRun, at: .zero), 0, false, 0)
        }
        #expect(sequences > 10_000)
    }
}
