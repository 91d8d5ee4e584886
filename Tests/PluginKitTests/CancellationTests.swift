import PluginABI
import Synchronization
import Testing

@testable import PluginKit

/// The ways in which a handler may hear that it is to stop. Each would hang, not fail, if it did not: hence the limit.
@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    @Test func aLoopThatAsksTheContextStops() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, context) throws -> NoResult in
            fake.cancel(silently: true)
            while true { try context.checkCancellation() }
        }
        #expect(status == PAWL_E_CANCELLED)
        #expect(fake.record.failure == nil)
    }

    @Test func aLoopThatOnlyKnowsTasksStops() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, _) throws -> NoResult in
            fake.cancel()
            while true { try Task.checkCancellation() }
        }
        #expect(status == PAWL_E_CANCELLED)
    }

    @Test func aSuspendedHandlerStops() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, _) throws -> NoResult in
            fake.cancel()
            try await Task.sleep(for: .seconds(3600))
            return NoResult()
        }
        #expect(status == PAWL_E_CANCELLED)
    }

    @Test func cancellationHandlersAndChildTasksHearIt() async {
        let fake = FakeAttempt()
        let heard = Atomic<Bool>(false)
        let status = await attempt(fake) { (_: NoArgs, _) throws -> NoResult in
            try await withTaskCancellationHandler {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 { group.addTask { try await Task.sleep(for: .seconds(3600)) } }
                    fake.cancel()
                    try await group.waitForAll()
                }
            } onCancel: {
                heard.store(true, ordering: .sequentiallyConsistent)
            }
            return NoResult()
        }
        #expect(status == PAWL_E_CANCELLED)
        let wasHeard = heard.load(ordering: .sequentiallyConsistent)
        #expect(wasHeard)
    }

    @Test func aHostThatCallsNeedsNoDescriptor() async {
        let fake = FakeAttempt(cancellable: false)
        let status = await attempt(fake) { (_: NoArgs, _) throws -> NoResult in
            fake.cancel(silently: true)
            CancellationCall.cancelled(fake.handle)
            while true { try Task.checkCancellation() }
        }
        #expect(status == PAWL_E_CANCELLED)
        // Too late, or for nobody: ignored.
        CancellationCall.cancelled(fake.handle)
        CancellationCall.cancelled(nil)
    }

    @Test func aProgressCallCarriesItOverWithoutADescriptor() async {
        let fake = FakeAttempt(cancellable: false)
        let status = await attempt(fake) { (_: NoArgs, context) throws -> NoResult in
            fake.cancel(silently: true)
            context.advance()
            try Task.checkCancellation()
            return NoResult()
        }
        #expect(status == PAWL_E_CANCELLED)
    }

    @Test func anAttemptCancelledBeforeItBeganIsToldAtOnce() async {
        let fake = FakeAttempt()
        fake.cancel(silently: true)
        let status = await attempt(fake) { (_: NoArgs, _) throws -> NoResult in
            try await Task.sleep(for: .seconds(3600))
            return NoResult()
        }
        #expect(status == PAWL_E_CANCELLED)
    }

    @Test func aHandlerMayFinishInSpiteOfIt() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, context) in
            fake.cancel()
            while !context.isCancelled {}
            return "done"
        }
        #expect(status == PAWL_OK)
        #expect(fake.record.json == #""done""#)
    }
}
