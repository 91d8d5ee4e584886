import JobCore
import Testing

/// Every sequence of facts up to a length, against what must hold after each.
@Suite struct LogPathStateMachineTests {
    private typealias Machine = LogPathStateMachine

    private enum Fact: CaseIterable {
        case asked, answered, failed, second, moment, line, crowd, spilled, replayedOne, replayedAll, blocked, roomed
    }

    /// The machine, and what is known beside it.
    private struct World: Hashable {
        var machine = Machine(Machine.Bounds(memoryBytes: 2, patience: .seconds(1)))
        var now: UInt64 = 1
        var memory = 0
        var file = 0
        /// Since when nothing has been answered; nil: nothing was asked.
        var since: UInt64?
        var hasFailed = false

        /// False: it cannot happen now.
        mutating func apply(_ fact: Fact) -> Bool {
            switch fact {
            case .asked:
                machine.asked(at: now)
                since = since ?? now
            case .answered:
                guard since != nil else { return false }
                machine.answered()
                since = nil
                hasFailed = false
            case .failed:
                guard since != nil else { return false }
                machine.failed(at: now)
                hasFailed = true
            case .second, .moment:
                guard since != nil else { return false }
                now += fact == .second ? 1_000_000_000 : 1
                machine.looked(at: now)
            case .line:
                guard memory < 3 else { return false }
                memory += 1
            case .crowd:
                guard machine.accepts else { return false }
                memory = 2
            case .spilled:
                guard machine.spills else { return false }
                file += memory
                memory = 0
            case .replayedOne, .replayedAll:
                guard file > 0, !machine.isAway else { return false }
                file = fact == .replayedAll ? 0 : file - 1
            case .blocked:
                guard machine.spills else { return false }
                machine.blocked()
            case .roomed: machine.roomed()
            }
            machine.levels(memoryBytes: memory, fileLines: min(file, 3))
            file = min(file, 3)
            return true
        }

        func check(after fact: Fact) -> String? {
            let isOverdue = since.map { now - $0 >= 1_000_000_000 } ?? false
            if file > 0 && machine.phase == .memory { return "younger lines would pass those in the file" }
            if machine.phase == .memory && machine.spills { return "a file for nothing" }
            if machine.isAway && since == nil { return "away without having been asked" }
            if machine.isAway && !isOverdue && !hasFailed { return "no patience" }
            if [.second, .failed].contains(fact), isOverdue, !machine.isAway { return "patience without end" }
            if machine.accepts != (memory < 2) { return "memory is not bounded" }
            if machine.refuses && (machine.phase != .full || machine.accepts) { return "dropped while there is room" }
            if machine.refuses && file == 0 && !machine.isAway { return "dropped while the database takes lines" }
            if fact == .answered && file == 0 && machine.phase != .memory { return "not back in memory" }
            if fact == .answered && file > 0 && ![.replaying, .full].contains(machine.phase) { return "no replay" }
            return nil
        }
    }

    @Test func everySequence() {
        var seen: Set<World> = [World()]
        var edge: [World] = [World()]
        var phases: Set<Machine.Phase> = []
        for _ in 0..<10 {
            var next: [World] = []
            for world in edge {
                for fact in Fact.allCases {
                    var after = world
                    guard after.apply(fact) else { continue }
                    if let fault = after.check(after: fact) {
                        Issue.record("\(fault): \(fact) after \(world)")
                        return
                    }
                    phases.insert(after.machine.phase)
                    if seen.insert(after).inserted { next.append(after) }
                }
            }
            edge = next
            if seen.count > 60_000 { break }
        }
        #expect(phases == Set(Machine.Phase.allCases))
        #expect(seen.count > 1000)
    }

    @Test func anOutageFromItsBeginToItsEnd() {
        var machine = Machine(Machine.Bounds(memoryBytes: 100, patience: .seconds(1)))
        machine.asked(at: 0)
        machine.levels(memoryBytes: 10, fileLines: 0)
        machine.failed(at: 100)
        #expect(machine.phase == .memory && machine.accepts && !machine.spills)
        // Tried again and again: the time counts from the first.
        machine.asked(at: 900_000_000)
        machine.failed(at: 1_000_000_000)
        #expect(machine.phase == .spilling && machine.spills)
        machine.levels(memoryBytes: 0, fileLines: 5)
        #expect(!machine.spills)
        machine.levels(memoryBytes: 100, fileLines: 5)
        machine.blocked()
        #expect(machine.phase == .full && machine.refuses && !machine.spills)
        machine.answered()
        #expect(machine.phase == .full && machine.refuses)
        machine.levels(memoryBytes: 100, fileLines: 3)
        machine.roomed()
        #expect(machine.phase == .replaying && machine.spills && !machine.refuses)
        machine.levels(memoryBytes: 0, fileLines: 0)
        #expect(machine.phase == .memory && machine.accepts)
    }

    @Test func aDatabaseThatHangsIsNotWaitedForAndOneThatIsBusyIs() {
        var machine = Machine(Machine.Bounds(memoryBytes: 100, patience: .seconds(1)))
        machine.asked(at: 0)
        machine.levels(memoryBytes: 100, fileLines: 0)
        machine.looked(at: 999_999_999)
        #expect(machine.phase == .memory && !machine.accepts && !machine.refuses)
        machine.looked(at: 1_000_000_000)
        #expect(machine.phase == .spilling)
        var full = Machine(Machine.Bounds(memoryBytes: 100, patience: .seconds(1)))
        full.asked(at: 0)
        full.levels(memoryBytes: 100, fileLines: 0)
        full.failed(at: 5)
        #expect(full.phase == .spilling)
    }
}
