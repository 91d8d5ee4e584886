import JobCore
import Testing

@Suite struct ReloadStateMachineTests {
    private func active(_ hash: String) -> ReloadStateMachine {
        var machine = ReloadStateMachine()
        #expect(machine.fileChanged() == .ingest)
        #expect(machine.ingested(hash) == .load(hash))
        #expect(machine.loaded(hash) == .activate(hash, replaces: nil))
        #expect(machine.settled() == .nothing)
        return machine
    }

    @Test func aNewVersionTakesOverAndTheOldOneDrains() {
        var machine = self.active("a")
        _ = machine.fileChanged()
        _ = machine.ingested("b")
        #expect(machine.active == "a", "it serves until the new one is ready")
        #expect(machine.loaded("b") == .activate("b", replaces: "a"))
        #expect(machine.active == "b" && machine.draining == ["a"])
        machine.retired("a")
        #expect(machine.draining.isEmpty)
    }

    @Test func aBrokenVersionChangesNothing() {
        var machine = self.active("a")
        _ = machine.fileChanged()
        #expect(machine.ingestFailed("no ELF") == .reject("no ELF"))
        #expect(machine.active == "a" && machine.rejection == "no ELF")
        _ = machine.fileChanged()
        _ = machine.ingested("b")
        #expect(machine.refused("b", "it crashed") == .reject("it crashed"))
        #expect(machine.active == "a" && machine.rejection == "it crashed")
        _ = machine.fileChanged()
        #expect(machine.ingested("a") == .unchanged)
        #expect(machine.rejection == nil, "the good bytes are back")
    }

    @Test func theLatestChangeWins() {
        var machine = self.active("a")
        _ = machine.fileChanged()
        #expect(machine.fileChanged() == .nothing)
        #expect(machine.ingested("b") == .ingest, "b is stale already")
        #expect(machine.ingested("c") == .load("c"))
        #expect(machine.fileChanged() == .nothing)
        #expect(machine.loaded("c") == .activate("c", replaces: "a"))
        #expect(machine.settled() == .ingest)
    }

    @Test func aRemovedFileRetiresItsPlugin() {
        var machine = self.active("a")
        #expect(machine.fileRemoved() == .retire("a"))
        #expect(machine.active == nil && machine.draining == ["a"])
        var warming = ReloadStateMachine()
        _ = warming.fileChanged()
        _ = warming.ingested("a")
        #expect(warming.fileRemoved() == .nothing)
        #expect(warming.loaded("a") == .retire("a"))
        #expect(warming.active == nil)
    }

    enum Event: CaseIterable { case changed, removed, good, same, bad, loaded, refused, settled }

    /// Whatever happens, what serves was loaded, work never overlaps, and the last change is looked at.
    @Test func everyShortSequenceKeepsThePromises() {
        everySequence(Event.allCases, length: 6) { events in
            var machine = ReloadStateMachine()
            var loaded: Set<String> = []
            var next = 0
            var isLookedAt = true
            func answer(_ order: ReloadStateMachine.Order) {
                if order == .ingest { isLookedAt = true }
                if case .activate(let hash, _) = order, !loaded.contains(hash) { Issue.record("\(hash): \(events)") }
            }
            func step(_ event: Event) {
                switch event {
                case .changed:
                    isLookedAt = false
                    answer(machine.fileChanged())
                case .removed:
                    isLookedAt = true
                    answer(machine.fileRemoved())
                case .good:
                    next += 1
                    answer(machine.ingested("v\(next)"))
                case .same: answer(machine.ingested(machine.active ?? "v0"))
                case .bad: answer(machine.ingestFailed("bad"))
                case .loaded:
                    guard case .warming(let hash) = machine.candidate else { return }
                    loaded.insert(hash)
                    answer(machine.loaded(hash))
                case .refused:
                    guard case .warming(let hash) = machine.candidate else { return }
                    answer(machine.refused(hash, "refused"))
                case .settled: answer(machine.settled())
                }
                if let active = machine.active, !loaded.contains(active) { Issue.record("\(active): \(events)") }
            }
            for event in events { step(event) }
            // Left alone, everything comes to an end.
            for _ in 0..<6 {
                switch machine.candidate {
                case .verifying: step(.good)
                case .warming: step(.loaded)
                case .none: step(.settled)
                }
            }
            if machine.candidate != .none || !isLookedAt { Issue.record("a change was forgotten: \(events)") }
            if machine.isRemoved && machine.active != nil { Issue.record("it serves without a file: \(events)") }
        }
    }
}
