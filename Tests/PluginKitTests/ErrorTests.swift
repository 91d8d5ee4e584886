import FoundationEssentials
import PluginABI
import Testing

@testable import PluginKit

private enum NetError: Error {
    case refused
    case status(Int)
}

private struct PlainError: Error {}

private struct Busy: JobError {
    var code: String { "http_503" }
    var message: String { "the server is busy" }
    var retry: Retry { .after(.seconds(30)) }
    var details: (any Encodable & Sendable)? { ["url": "https://example.org/"] }
}

@Suite struct ErrorTests {
    let now = Date(timeIntervalSince1970: 1000)

    private func failure(_ error: any Error, isCancelled: Bool = false) -> Ending.Failure? {
        guard case .failed(let failure) = Ending(thrown: error, isCancelled: isCancelled, now: self.now) else {
            return nil
        }
        return failure
    }

    @Test func aJobErrorSaysItAll() {
        #expect(
            self.failure(Busy())
                == Ending.Failure(
                    retry: PAWL_RETRY_YES, code: "http_503", message: "the server is busy",
                    details: #"{"url":"https://example.org/"}"#, notBeforeMillis: 1_030_000))
    }

    @Test func adviceOnRetryingIsTranslated() {
        func retry(_ retry: Retry) -> (Int32?, Int64?) {
            let failure = self.failure(JobFailure("c", "m", retry: retry))
            return (failure?.retry, failure?.notBeforeMillis)
        }
        #expect(retry(.byPolicy) == (PAWL_RETRY_BY_POLICY, 0))
        #expect(retry(.never) == (PAWL_RETRY_NEVER, 0))
        #expect(retry(.yes) == (PAWL_RETRY_YES, 0))
        #expect(retry(.at(Date(timeIntervalSince1970: 2.0001))) == (PAWL_RETRY_YES, 2001))
        #expect(retry(.at(.distantFuture)).1 == 64_092_211_200_000)
    }

    @Test func otherErrorsAreGroupedByTypeAndCase() {
        #expect(self.failure(NetError.refused)?.code == "NetError.refused")
        #expect(self.failure(NetError.status(503))?.code == "NetError.status")
        #expect(self.failure(NetError.status(503))?.message == "status(503)")
        #expect(self.failure(PlainError())?.code == "PlainError")
        #expect(self.failure(PlainError())?.retry == PAWL_RETRY_BY_POLICY)
    }

    @Test func aDecodingErrorOfTheHandlersOwnIsNoInvalidInput() {
        let error = DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "some file"))
        #expect(self.failure(error)?.code == "DecodingError.dataCorrupted")
        #expect(self.failure(error)?.status == PAWL_E_FAILED)
    }

    @Test func invalidInputIsFinal() {
        let failure = self.failure(InvalidInput("/top", "must be 1 to 1000"))
        #expect(failure?.status == PAWL_E_INVALID_INPUT)
        #expect(failure?.retry == PAWL_RETRY_NEVER)
        #expect(failure?.message == "args/top: must be 1 to 1000")
    }

    @Test func cancellationCountsOnlyWhenSomebodyCancelled() {
        guard case .cancelled = Ending(thrown: CancellationError(), isCancelled: true) else {
            Issue.record("not cancelled")
            return
        }
        #expect(self.failure(CancellationError())?.code == "CancellationError")
        // What fails for another reason meanwhile says so.
        #expect(self.failure(NetError.refused, isCancelled: true)?.code == "NetError.refused")
    }

    @Test func errorsReachTheHost() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, _) throws -> NoResult in throw Busy() }
        #expect(status == PAWL_E_FAILED)
        #expect(fake.record.failure?.code == "http_503")
        #expect(fake.record.failure?.retry == PAWL_RETRY_YES)
        #expect((fake.record.failure?.notBefore ?? 0) > 1_700_000_000_000)
        #expect(fake.record.json == nil)
    }

    @Test func snoozeUsesNoFailure() async {
        let fake = FakeAttempt()
        let status = await attempt(fake) { (_: NoArgs, _) throws -> NoResult in
            throw Snooze(until: Date(timeIntervalSince1970: 12.5))
        }
        #expect(status == PAWL_OK)
        #expect(fake.record.snoozedUntil == 12_500)
        #expect(fake.record.failure == nil)
    }
}
