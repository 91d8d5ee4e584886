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
        #expect(machine.freeSlots == 0)
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

    /// Every sequence of up to seven facts keeps the books: no count goes negative, never more executing than slots,
    /// never two exchanges, and a drained machine claims nothing.
    @Test func everyShortSequenceKeepsTheBooks() {
        enum Fact: CaseIterable {
            case hint, exchangeFull, exchangeEmpty, fail, back, dispatch, release, end, flush, drain
        }
        func walk(_ machine: DeliveryStateMachine, _ exchange: DeliveryStateMachine.Exchange?, _ depth: Int) {
            #expect(machine.executing >= 0 && machine.buffered >= 0 && machine.unsettled >= 0)
            #expect(machine.executing <= machine.slots)
            #expect(machine.isExchanging == (exchange != nil))
            guard depth > 0 else { return }
            for fact in Fact.allCases {
                var machine = machine
                var exchange = exchange
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
                    guard machine.freeSlots > 0 else { continue }
                    machine.dispatched()
                case .release:
                    guard machine.buffered > 0 else { continue }
                    machine.released()
                case .end:
                    guard machine.executing > 0 else { continue }
                    machine.ended(micros: 700)
                case .flush:
                    guard machine.flushing > 0 else { continue }
                    machine.flushed()
                case .drain: machine.drain()
                }
                if exchange == nil, let next = machine.next() {
                    if machine.isDraining { #expect(next.claim == 0) }
                    #expect(next.settle <= machine.unsettled)
                    exchange = next
                }
                walk(machine, exchange, depth - 1)
            }
        }
        walk(DeliveryStateMachine(slots: 2), nil, 7)
    }
}
