import JobCore
import Testing

@Suite struct DeliveryStateMachineTests {
    @Test func firstExchangeClaimsAllSlots() {
        var machine = DeliveryStateMachine(slots: 4)
        #expect(machine.next() == .init(settle: 0, claim: 4))
        #expect(machine.next() == nil)  // One at a time.
    }

    @Test func shortAnswerStopsClaimingUntilAHint() {
        var machine = DeliveryStateMachine(slots: 4)
        let exchange = machine.next()!
        machine.exchanged(exchange, claimed: 1)
        #expect(machine.next() == nil)
        machine.hinted()
        #expect(machine.next() == .init(settle: 0, claim: 3))
    }

    @Test func aHintDuringAnExchangeIsNotLost() {
        var machine = DeliveryStateMachine(slots: 4)
        let exchange = machine.next()!
        machine.hinted()
        machine.exchanged(exchange, claimed: 0)
        #expect(machine.next() == .init(settle: 0, claim: 4))
    }

    @Test func outcomesAreSettledWithTheNextClaim() {
        var machine = DeliveryStateMachine(slots: 2)
        machine.exchanged(machine.next()!, claimed: 2)
        machine.dispatched()
        machine.dispatched()
        #expect(machine.freeSlots() == 0)
        machine.ended(micros: 1_000_000)
        machine.flushed()
        #expect(machine.next() == .init(settle: 1, claim: 1))
    }

    @Test func anOutcomeWaitsForItsLog() {
        var machine = DeliveryStateMachine(slots: 1)
        machine.exchanged(machine.next()!, claimed: 1)
        machine.dispatched()
        machine.ended(micros: 1_000_000)
        let exchange = machine.next()!
        #expect(exchange == .init(settle: 0, claim: 1))  // The slot is free, the outcome is not ready.
        machine.exchanged(exchange, claimed: 0)
        #expect(!machine.isIdle)
        machine.flushed()
        #expect(machine.next() == .init(settle: 1, claim: 0))
    }

    @Test func aFailedExchangeKeepsItsOutcomes() {
        var machine = DeliveryStateMachine(slots: 1)
        machine.exchanged(machine.next()!, claimed: 1)
        machine.dispatched()
        machine.ended(micros: 1_000_000)
        machine.flushed()
        _ = machine.next()!
        machine.exchangeFailed()
        #expect(machine.next() == nil)
        machine.databaseReturned()
        #expect(machine.next() == .init(settle: 1, claim: 1))
    }

    @Test func shortAttemptsAreClaimedAhead() {
        var machine = DeliveryStateMachine(slots: 8)
        machine.exchanged(machine.next()!, claimed: 8)
        for _ in 0..<8 { machine.dispatched() }
        for _ in 0..<8 {
            machine.ended(micros: 600)
            machine.flushed()
        }
        let exchange = machine.next()!
        #expect(exchange.settle == 8)
        #expect(exchange.claim > 8 && exchange.claim <= 8 + DeliveryStateMachine.lookaheadLimit)
    }

    @Test func whatGathersMeanwhileIsSettledBeside() {
        var machine = DeliveryStateMachine(slots: 4, asideAt: 2)
        machine.exchanged(machine.next()!, claimed: 4)
        for _ in 0..<4 { machine.dispatched() }
        func end() {
            machine.ended(micros: 600)
            machine.flushed()
        }
        #expect(machine.nextAside(plain: 9) == nil, "nothing is on its way")
        end()
        let first = machine.next()!
        #expect(first.settle == 1 && machine.nextAside(plain: 9) == nil)
        end()
        #expect(machine.nextAside(plain: 9) == nil, "too few")
        end()
        #expect(machine.nextAside(plain: 1) == nil && machine.nextAside(plain: 9) == 2)
        end()
        #expect(machine.nextAside(plain: 9) == nil, "one at a time")
        machine.exchanged(first, claimed: 0)
        #expect(machine.next()?.settle == 1, "not those that are under way")
        machine.asideFailed()
        #expect(machine.unsettled == 3 && machine.settlingAside == 0)
        machine.exchangeFailed()
        machine.databaseReturned()
        let all = machine.next()!
        #expect(all.settle == 3)
        machine.exchanged(all, claimed: 0)
        #expect(machine.isIdle)
    }

    @Test func whatCanBeginAtOnceIsStoredAndClaimedInOne() {
        var machine = DeliveryStateMachine(slots: 4)
        #expect(machine.nextStoring(1) == nil, "others may be waiting")
        machine.exchanged(machine.next()!, claimed: 1)
        machine.dispatched()
        #expect(machine.nextStoring(0) == nil && machine.nextStoring(4) == nil, "three slots are free")
        let exchange = machine.nextStoring(3)
        #expect(exchange == .init(settle: 0, claim: 3) && machine.next() == nil && machine.nextStoring(1) == nil)
        machine.exchanged(exchange!, claimed: 3)
        #expect(machine.nextStoring(1) == nil && machine.next() == nil)
        for _ in 0..<3 { machine.dispatched() }
        machine.ended(micros: 100_000)
        #expect(machine.nextStoring(1) == nil, "a full claim leaves open what else waits")
        machine.exchanged(machine.next()!, claimed: 0)
        #expect(machine.nextStoring(1) == .init(settle: 0, claim: 1), "its lines are not written, its slot is free")
        machine.exchangeFailed()
        machine.databaseReturned()
        #expect(machine.nextStoring(1) == nil, "nobody knows what waits")
        machine.exchanged(machine.next()!, claimed: 0)
        machine.flushed()
        #expect(machine.nextStoring(1) == nil, "an outcome waits")
        machine.exchanged(machine.next()!, claimed: 0)
        machine.drain()
        #expect(machine.nextStoring(1) == nil)
    }

    @Test func onlyShortRunsGoAheadOfTheirTime() {
        var machine = DeliveryStateMachine(slots: 2)
        machine.exchanged(machine.next()!, claimed: 2)
        for _ in 0..<2 { machine.dispatched() }
        #expect(machine.spare == 0, "nobody knows how long they take")
        for _ in 0..<2 {
            machine.ended(micros: 600)
            machine.flushed()
        }
        machine.exchanged(machine.next()!, claimed: 7)
        for _ in 0..<2 { machine.dispatched() }
        #expect(machine.freeSlots() == 0 && machine.spare == 3, "the slots get the next two themselves")
        machine.dispatched()
        #expect(machine.freeSlots() == 0 && machine.freeSlots(ahead: 1) == 0)
        machine.ended(micros: 600)
        #expect(machine.freeSlots(ahead: 1) == 1)
        machine.returned()
        #expect(machine.buffered == 5)
        for _ in 0..<20 {
            machine.dispatched()
            machine.ended(micros: 100_000)
            if machine.buffered == 0 { break }
        }
        #expect(machine.spare == 0)
    }

    @Test func largeArgumentsAreNotClaimedFarAhead() {
        var machine = DeliveryStateMachine(slots: 8)
        machine.exchanged(machine.next()!, claimed: 8, bytes: 8 * 262_144)
        for _ in 0..<8 { machine.dispatched() }
        for _ in 0..<8 {
            machine.ended(micros: 600)
            machine.flushed()
        }
        #expect(machine.next()!.claim <= 8 + DeliveryStateMachine.lookaheadBytes / 262_144)
    }

    /// Every sequence of up to six facts keeps the books: no count goes negative, never more executing than slots,
    /// never two exchanges, and a drained machine claims nothing.
    @Test func everyShortSequenceKeepsTheBooks() {
        enum Fact: CaseIterable {
            case hint, exchangeFull, exchangeEmpty, fail, back, dispatch, dispatchAhead, turn, comeBack, release, end,
                flush, drain, aside, asideDone, asideFail, store
        }
        func walk(
            _ machine: DeliveryStateMachine, _ exchange: DeliveryStateMachine.Exchange?, _ ahead: Int, _ depth: Int
        ) {
            #expect(machine.executing >= 0 && machine.buffered >= 0 && machine.unsettled >= 0)
            #expect(machine.executing <= machine.slots + ahead && ahead >= 0)
            #expect(machine.isExchanging == (exchange != nil))
            #expect(machine.settlingAside <= machine.unsettled && (!machine.isIdle || machine.settlingAside == 0))
            guard depth > 0 else { return }
            for fact in Fact.allCases {
                var machine = machine
                var (exchange, ahead) = (exchange, ahead)
                switch fact {
                case .hint: machine.hinted()
                case .exchangeFull:
                    guard let answered = exchange else { continue }
                    machine.exchanged(answered, claimed: answered.claim)
                    exchange = nil
                case .exchangeEmpty:
                    guard let answered = exchange else { continue }
                    machine.exchanged(answered, claimed: 0)
                    exchange = nil
                case .fail:
                    guard exchange != nil else { continue }
                    machine.exchangeFailed()
                    exchange = nil
                case .back: machine.databaseReturned()
                case .dispatch:
                    guard machine.freeSlots(ahead: ahead) > 0 else { continue }
                    machine.dispatched()
                case .dispatchAhead:
                    guard machine.buffered > 0 else { continue }
                    machine.dispatched()
                    ahead += 1
                case .turn:
                    guard ahead > 0, machine.executing - ahead < machine.slots else { continue }
                    ahead -= 1
                case .comeBack:
                    guard ahead > 0 else { continue }
                    machine.returned()
                    ahead -= 1
                case .release:
                    guard machine.buffered > 0 else { continue }
                    machine.released()
                case .end:
                    guard machine.executing > ahead else { continue }
                    machine.ended(micros: 700)
                case .flush:
                    guard machine.flushing > 0 else { continue }
                    machine.flushed()
                case .drain: machine.drain()
                case .aside:
                    let free = machine.unsettled - (exchange?.settle ?? 0)
                    guard let count = machine.nextAside(plain: 2) else { continue }
                    #expect(count <= min(free, 2) && exchange != nil)
                case .asideDone:
                    guard machine.settlingAside > 0 else { continue }
                    machine.settledAside()
                case .asideFail:
                    guard machine.settlingAside > 0 else { continue }
                    machine.asideFailed()
                case .store:
                    let isFree = exchange == nil && machine.executing < machine.slots && !machine.isDraining
                    guard let next = machine.nextStoring(1) else { continue }
                    #expect(isFree && next.settle == 0 && next.claim > 0 && machine.buffered == 0)
                    exchange = next
                }
                if exchange == nil, let next = machine.next() {
                    if machine.isDraining { #expect(next.claim == 0) }
                    #expect(next.settle <= machine.unsettled - machine.settlingAside)
                    exchange = next
                }
                walk(machine, exchange, ahead, depth - 1)
            }
        }
        walk(DeliveryStateMachine(slots: 2, asideAt: 1), nil, 0, 6)
    }
}
