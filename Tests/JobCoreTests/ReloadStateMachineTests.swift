import JobCore
import Testing

@Suite struct ReloadStateMachineTests {
    typealias Machine = ReloadStateMachine
    typealias Request = ReloadStateMachine.Request

    /// A machine whose file `hash` serves.
    private func active(_ hash: String, _ machine: Machine = Machine(), number: Int = 1) -> Machine {
        var machine = machine
        let old = machine.active
        #expect(machine.wanted(Request(number, .file)) == [.ingest])
        #expect(machine.ingested(hash) == [.load(hash)])
        #expect(machine.loaded(hash) == [.ask(hash)])
        var expected: [Machine.Order] = [.serve(hash, replaces: old, request: number)]
        if let warm = machine.warm, warm != hash { expected.append(.retire(warm)) }
        if let old { expected.append(.keepWarm(old)) }
        #expect(machine.allowed(hash) == expected)
        return machine
    }

    @Test func aNewVersionTakesOverAndTheOldOneStaysWarmForAWhile() {
        var machine = self.active("b", self.active("a"))
        #expect(machine.active == "b" && machine.warm == "a" && machine.previous == ["a"])
        #expect(machine.cooled() == [.retire("a")])
        #expect(machine.warm == nil && machine.previous == ["a"] && machine.draining == ["a"])
        machine.retired("a")
        #expect(machine.draining.isEmpty && machine.needed == ["a", "b"])
    }

    /// What serves did not come from the file: nothing of the file is wanted any more, and nothing else changes.
    @Test func aFileThatGoesTakesOnlyItsOwnWishes() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .image("b"), asks: false))
        _ = machine.loaded("b")
        #expect(machine.active == "b")
        // Under way, at each of its steps.
        for steps in 0...2 {
            var copy = machine
            #expect(copy.wanted(Request(3, .file)) == [.ingest])
            if steps > 0 { #expect(copy.ingested("c") == [.load("c")]) }
            if steps > 1 { #expect(copy.loaded("c") == [.ask("c")]) }
            #expect(copy.wanted(Request(4, .image("d"), goal: .keep)).isEmpty)
            #expect(copy.fileRemoved(dropsHeld: false).isEmpty)
            let orders =
                steps == 0 ? copy.ingestFailed("gone") : steps == 1 ? copy.loaded("c") : copy.allowed("c")
            #expect(orders.contains(.answer(3, steps == 0 ? .rejected("gone") : .superseded)))
            #expect(orders.last == .load("d") && copy.active == "b" && copy.rejection == nil && copy.held == nil)
            #expect(copy.previous == ["a"] && !copy.isRemoved)
        }
        // Waiting.
        _ = machine.wanted(Request(5, .image("e"), goal: .keep))
        _ = machine.wanted(Request(6, .file))
        #expect(machine.fileRemoved(dropsHeld: false) == [.answer(6, .superseded)])
        #expect(machine.loaded("e").contains(.answer(5, .staged)) && machine.isIdle)
        // Held.
        _ = machine.wanted(Request(7, .file))
        _ = machine.ingested("f")
        _ = machine.loaded("f")
        _ = machine.denied("f")
        #expect(machine.held == "f")
        _ = machine.fileRemoved(dropsHeld: true)
        #expect(machine.held == nil && machine.active == "b")
    }

    @Test func twoVersionsAreKeptToGoBackTo() {
        var machine = Machine()
        for (number, hash) in ["a", "b", "c", "d"].enumerated() { machine = self.active(hash, machine, number: number) }
        #expect(machine.previous == ["c", "b"] && machine.warm == "c")
        #expect(machine.wanted(Request(9, .image("b"))) == [.load("b")])
        #expect(machine.loaded("b") == [.ask("b")])
        _ = machine.allowed("b")
        #expect(machine.previous == ["d", "c"], "what serves again is nothing to go back to")
    }

    @Test func aBrokenVersionChangesNothing() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .file))
        #expect(machine.ingestFailed("no ELF") == [.answer(2, .rejected("no ELF"))])
        #expect(machine.active == "a" && machine.rejection == "no ELF")
        _ = machine.wanted(Request(3, .file))
        _ = machine.ingested("b")
        #expect(machine.refused("b", "it crashed") == [.answer(3, .rejected("it crashed"))])
        #expect(machine.active == "a" && machine.rejection == "it crashed")
        _ = machine.wanted(Request(4, .file))
        #expect(machine.ingested("a") == [.answer(4, .unchanged)])
        #expect(machine.rejection == nil, "the good bytes are back")
    }

    @Test func theLatestWishWinsAndWhatCameInBetweenIsSkipped() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .file))
        #expect(!machine.isWaitedFor)
        #expect(machine.wanted(Request(3, .file)).isEmpty)
        #expect(machine.isWaitedFor)
        #expect(machine.wanted(Request(4, .image("x"))) == [.answer(3, .superseded)])
        #expect(machine.ingested("b") == [.answer(2, .superseded), .load("x")])
        #expect(machine.wanted(Request(5, .image("y"))).isEmpty)
        #expect(machine.loaded("x") == [.retire("x"), .answer(4, .superseded), .load("y")])
        #expect(machine.active == "a")
    }

    /// A file that changes faster than it is loaded is served now and then all the same.
    @Test func aRestlessFileIsNotStarved() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .file))
        for number in 3..<3 + Machine.skipsAtMost {
            _ = machine.wanted(Request(number, .file))
            #expect(machine.ingested("b\(number)") == [.answer(number - 1, .superseded), .ingest])
        }
        _ = machine.wanted(Request(10, .file))
        #expect(machine.ingested("c") == [.load("c")])
        _ = machine.loaded("c")
        #expect(
            machine.allowed("c") == [
                .serve("c", replaces: "a", request: 2 + Machine.skipsAtMost), .keepWarm("a"), .ingest,
            ])
    }

    @Test func whatWouldBreakSomethingIsHeldUntilItIsForced() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .file))
        _ = machine.ingested("b")
        _ = machine.loaded("b")
        #expect(machine.denied("b") == [.retire("b"), .answer(2, .held)])
        #expect(machine.active == "a" && machine.held == "b" && machine.needed.contains("b"))
        #expect(machine.wanted(Request(3, .image("b"), asks: false)) == [.load("b")])
        #expect(machine.loaded("b") == [.serve("b", replaces: "a", request: 3), .keepWarm("a")])
        #expect(machine.held == nil)
    }

    @Test func aTrialEndsOneWayOrTheOther() {
        var machine = self.active("a")
        #expect(machine.wanted(Request(2, .image("b"), goal: .trial, asks: false)) == [.load("b")])
        #expect(machine.loaded("b") == [.beginTrial("b", request: 2)])
        #expect(machine.active == "a" && machine.canary == "b")
        var failed = machine
        #expect(failed.trialEnded("b") == [.retire("b")])
        #expect(failed.active == "a" && failed.canary == nil && failed.previous.isEmpty)
        #expect(machine.promoted("b") == [.serve("b", replaces: "a", request: nil), .keepWarm("a")])
        #expect(machine.active == "b" && machine.canary == nil && machine.previous == ["a"])
        #expect(machine.promoted("b").isEmpty && machine.trialEnded("b").isEmpty, "it is over")
    }

    @Test func aTrialIsOvertaken() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .image("b"), goal: .trial, asks: false))
        _ = machine.loaded("b")
        _ = machine.wanted(Request(3, .image("c"), asks: false))
        #expect(machine.loaded("c") == [.serve("c", replaces: "a", request: 3), .retire("b"), .keepWarm("a")])
        #expect(machine.canary == nil)
    }

    @Test func withoutAnythingToCompareWithATrialServes() {
        var machine = Machine()
        _ = machine.wanted(Request(1, .image("a"), goal: .trial, asks: false))
        #expect(machine.loaded("a") == [.serve("a", replaces: nil, request: 1)])
    }

    @Test func whatIsWorseIsTakenBack() {
        var machine = self.active("b", self.active("a"))
        var cold = machine
        #expect(machine.takenBack("b") == [.serve("a", replaces: "b", request: nil), .retire("b")])
        #expect(machine.active == "a" && machine.previous.isEmpty && machine.warm == nil)
        _ = cold.cooled()
        #expect(cold.takenBack("b") == nil, "it has to be loaded again")
        _ = cold.wanted(Request(7, .image("a"), asks: false, isRollback: true))
        #expect(cold.loaded("a") == [.serve("a", replaces: "b", request: 7), .retire("b")])
        #expect(cold.previous.isEmpty)
    }

    @Test func aRemovedFileRetiresItsPlugin() {
        var machine = self.active("b", self.active("a"))
        #expect(machine.removed() == [.retire("b"), .retire("a")])
        #expect(machine.active == nil && machine.draining == ["a", "b"] && machine.isRemoved)
        var warming = Machine()
        _ = warming.wanted(Request(1, .file))
        _ = warming.ingested("a")
        #expect(warming.removed().isEmpty)
        #expect(warming.loaded("a") == [.retire("a"), .answer(1, .superseded)])
        #expect(warming.active == nil)
    }

    @Test func aDisabledPluginComesBackAsItWas() {
        var machine = self.active("a")
        #expect(machine.disabled() == [.retire("a")])
        #expect(machine.active == nil && machine.resting == "a" && machine.isDisabled)
        _ = machine.wanted(Request(2, .image("b"), asks: false))
        #expect(machine.loaded("b") == [.retire("b"), .answer(2, .disabled)])
        #expect(machine.enabled() == "b", "the latest wish")
        _ = machine.wanted(Request(3, .image("b"), asks: false))
        #expect(machine.loaded("b") == [.serve("b", replaces: nil, request: 3)])
    }

    @Test func whatIsOnlyKeptNeverServes() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .image("b"), goal: .keep, asks: false))
        #expect(machine.wanted(Request(3, .image("c"), asks: false)).isEmpty)
        #expect(machine.loaded("b") == [.retire("b"), .answer(2, .staged), .load("c")])
    }

    @Test func whatIsInUseIsNotForgotten() {
        var machine = self.active("c", self.active("b", self.active("a")))
        machine.retired("a")
        #expect(!machine.forget("c") && !machine.forget("b"), "it serves, it is warm")
        #expect(machine.forget("a") && machine.previous == ["b"])
    }

    /// The author's next version comes while the bad one is taken back: it is not lost, and not taken back in its place.
    @Test func takingBackDoesNotCostTheNextVersion() {
        func bad() -> Machine {
            var machine = self.active("b", self.active("a"))
            _ = machine.cooled()
            #expect(machine.takenBack("b") == nil, "it is not loaded any more")
            return machine
        }
        let back = Request(7, .image("a"), asks: false, isRollback: true, takesBack: "b")
        var machine = bad()
        _ = machine.wanted(Request(5, .file))
        _ = machine.ingested("c")
        #expect(machine.wanted(back).isEmpty)
        #expect(machine.loaded("c") == [.ask("c")])
        #expect(machine.allowed("c").contains(.answer(7, .superseded)) && machine.active == "c" && machine.isIdle)
        // The next version is no better: then the one before serves.
        machine = bad()
        _ = machine.wanted(Request(5, .file))
        _ = machine.wanted(back)
        #expect(machine.ingestFailed("bad") == [.answer(5, .rejected("bad")), .load("a")])
        #expect(machine.rejection == "bad")
        // What comes while it is taken back is looked at next.
        machine = bad()
        #expect(machine.wanted(back) == [.load("a")])
        #expect(machine.wanted(Request(8, .file)).isEmpty)
        #expect(machine.loaded("a") == [.serve("a", replaces: "b", request: 7), .retire("b"), .ingest])
        // Somebody's own wish is the later one.
        machine = bad()
        _ = machine.wanted(back)
        #expect(machine.wanted(Request(8, .image("d"), asks: false)).isEmpty)
        #expect(machine.loaded("a") == [.retire("a"), .answer(7, .superseded), .load("d")])
    }

    @Test func aTrialTakesNobodysPlace() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .image("b"), asks: false))
        #expect(machine.wanted(Request(3, .image("c"), goal: .trial, asks: false)).isEmpty)
        #expect(machine.loaded("b").last == .load("c") && machine.active == "b")
        #expect(machine.loaded("c") == [.beginTrial("c", request: 3)])
        // But what is to serve ends a trial that has not begun.
        _ = machine.wanted(Request(4, .image("d"), goal: .trial, asks: false))
        _ = machine.wanted(Request(5, .image("e"), asks: false))
        #expect(machine.loaded("d") == [.retire("d"), .answer(4, .superseded), .load("e")])
    }

    @Test func twoWhoWantTheSameBothGetIt() {
        var machine = self.active("a")
        _ = machine.wanted(Request(2, .image("b"), asks: false))
        _ = machine.wanted(Request(3, .image("b"), asks: false))
        #expect(
            machine.loaded("b")
                == [.serve("b", replaces: "a", request: 2), .keepWarm("a"), .answer(3, .unchanged)])
    }

    @Test func aTrialOfADisabledPluginNeverServes() {
        var machine = self.active("a")
        _ = machine.disabled()
        _ = machine.wanted(Request(2, .image("b"), goal: .trial, asks: false))
        #expect(machine.loaded("b") == [.retire("b"), .answer(2, .disabled)])
        #expect(machine.enabled() == "a")
    }

    enum Event: CaseIterable {
        case changed, removed, image, trial, good, same, bad, loaded, refused, allowed, denied, passed, failed, worse,
            cooled
        case disabled, enabled
    }

    /// Whatever happens: what serves was loaded and allowed, nothing that serves is let go, each wish is answered once, work never
    /// overlaps, and the last wish is looked at.
    @Test func everyShortSequenceKeepsThePromises() {
        everySequence(Event.allCases, length: 4) { events in self.play(events, in: World()) }
        // The same where a version serves, and the one before it is known and not loaded.
        var grown = World()
        for event in [Event.image, .loaded, .image, .loaded, .cooled] { grown.step(event) }
        #expect(grown.machine.active == "v2" && grown.machine.previous == ["v1"] && grown.machine.warm == nil)
        everySequence(Event.allCases, length: 4) { events in self.play(events, in: grown) }
    }

    private func play(_ events: [Event], in world: World) {
        var world = world
        for event in events { world.step(event) }
        // Left alone, everything comes to an end.
        for _ in 0..<12 where !world.machine.isIdle {
            switch world.machine.candidate {
            case .verifying: world.step(.good)
            case .warming: world.step(.loaded)
            case .asking: world.step(.allowed)
            case .none: world.fault("there are wishes, and nothing is done")
            }
        }
        if !world.machine.isIdle { world.fault("it never ends") }
        if !world.open.isEmpty { world.fault("wishes \(world.open) were never answered") }
        if let fault = world.found { Issue.record("\(fault): \(events)") }
    }

    private struct World {
        var machine = Machine()
        var found: String?
        var loaded: Set<String> = []
        /// Wishes that have no answer yet.
        var open: Set<Int> = []
        var number = 0
        var bytes = 0

        mutating func fault(_ words: String) { if self.found == nil { self.found = words } }

        mutating func want(_ what: Request.What, _ goal: Machine.Goal = .serve, asks: Bool = true) {
            self.number += 1
            self.open.insert(self.number)
            self.obey(self.machine.wanted(Request(self.number, what, goal: goal, asks: asks)))
        }

        mutating func answered(_ number: Int) {
            if self.open.remove(number) == nil { self.fault("wish \(number) was answered twice") }
        }

        mutating func obey(_ orders: [Machine.Order]) {
            for order in orders {
                switch order {
                case .ingest:
                    guard case .verifying = self.machine.candidate else {
                        return self.fault("work without a candidate")
                    }
                case .load(let hash), .ask(let hash):
                    if self.machine.candidate.hash != hash { self.fault("work without a candidate") }
                case .serve(let hash, _, let request):
                    if !self.loaded.contains(hash) { self.fault("\(hash) serves and was never loaded") }
                    if let request { self.answered(request) }
                case .beginTrial(let hash, let request):
                    if !self.loaded.contains(hash) { self.fault("\(hash) is tried and was never loaded") }
                    self.answered(request)
                case .retire(let hash):
                    if hash == self.machine.active || hash == self.machine.canary { self.fault("\(hash) is let go") }
                    if hash == self.machine.candidate.hash { self.fault("a candidate is let go") }
                case .keepWarm(let hash):
                    if self.machine.warm != hash { self.fault("\(hash) is not to be kept") }
                case .answer(let number, _): self.answered(number)
                }
            }
            if let active = self.machine.active, !self.loaded.contains(active) { self.fault("\(active) serves") }
            if self.machine.isDisabled && self.machine.active != nil { self.fault("it serves while it is disabled") }
            if self.machine.canary != nil && self.machine.active == nil { self.fault("a trial beside nothing") }
            if self.machine.canary == self.machine.active && self.machine.active != nil {
                self.fault("one version twice")
            }
            if self.machine.previous.count > Machine.kept { self.fault("too many versions are kept") }
            if let active = self.machine.active, self.machine.previous.contains(active) {
                self.fault("it is before itself")
            }
        }

        mutating func step(_ event: Event) {
            switch event {
            case .changed: self.want(.file)
            case .removed: self.obey(self.machine.removed())
            case .image:
                self.bytes += 1
                self.want(.image("v\(self.bytes)"), asks: false)
            case .trial:
                self.bytes += 1
                self.want(.image("v\(self.bytes)"), .trial, asks: false)
            case .good:
                self.bytes += 1
                self.obey(self.machine.ingested("v\(self.bytes)"))
            case .same: self.obey(self.machine.ingested(self.machine.active ?? "v0"))
            case .bad: self.obey(self.machine.ingestFailed("bad"))
            case .loaded:
                guard case .warming(let hash, _) = self.machine.candidate else { return }
                self.loaded.insert(hash)
                self.obey(self.machine.loaded(hash))
            case .refused:
                guard case .warming(let hash, _) = self.machine.candidate else { return }
                self.obey(self.machine.refused(hash, "refused"))
            case .allowed:
                guard case .asking(let hash, _) = self.machine.candidate else { return }
                self.obey(self.machine.allowed(hash))
            case .denied:
                guard case .asking(let hash, _) = self.machine.candidate else { return }
                self.obey(self.machine.denied(hash))
            case .passed: self.obey(self.machine.canary.map { self.machine.promoted($0) } ?? [])
            case .failed: self.obey(self.machine.canary.map { self.machine.trialEnded($0) } ?? [])
            case .worse:
                guard let active = self.machine.active, let last = self.machine.previous.first else { return }
                if let orders = self.machine.takenBack(active) { return self.obey(orders) }
                self.number += 1
                self.open.insert(self.number)
                let request = Request(
                    self.number, .image(last), asks: false, isRollback: true, takesBack: active)
                self.obey(self.machine.wanted(request))
            case .cooled: self.obey(self.machine.cooled())
            case .disabled: self.obey(self.machine.disabled())
            case .enabled: if let hash = self.machine.enabled() { self.want(.image(hash), asks: false) }
            }
        }
    }
}
