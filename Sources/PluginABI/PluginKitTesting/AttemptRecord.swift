import FoundationEssentials
import Glibc
import PluginABI
import PluginKit
import Synchronization

/// The host's side of one test attempt: what the handler's calls are answered with, and what they said.
// Unchecked, because it holds pointers: the handle and the texts are written once and live until the process ends (a task
// that outlives its handler may still speak); all else is immutable or behind the Mutex.
final class AttemptRecord: @unchecked Sendable {
    static let cancelledStatus = PAWL_E_CANCELLED

    struct End: Sendable {
        var status: Int32 = 0
        var failure: TestFailure?
        var snoozedUntil: Date?
        var json: String?
        var log: [TestLogLine] = []
        var progress = TestProgress()
        var stages: [TestProgress] = []
        var lateCalls = 0
        var followUps: [TestFollowUp] = []
    }

    private struct Waiter {
        let condition: @Sendable (TestProgress, [TestLogLine]) -> Bool
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var end = End()
        var isEnded = false
        var hasSpokenLast = false
        var enders: [CheckedContinuation<End, Never>] = []
        var waiters: [Waiter] = []
        var deadline: Task<Void, Never>?
    }

    let handle: UnsafeMutablePointer<pawl_attempt>
    let number: Int
    let texts: [TestHost.Text: pawl_str]
    let deadlineNanoseconds: Int64
    /// The reading end is the handler's cancel descriptor; closed with the attempt.
    let cancelFD: Int32
    private let cancelEnd: Int32
    private let cancelMoment: CancelMoment
    private let scratch: String
    private let timeLimit: Duration?
    private let cancelled = Atomic<Bool>(false)
    private let state = Mutex(State())

    init(
        runID: String, jobName: String, number: Int, traceparent: String?, timeLimit: Duration?, cancel: CancelMoment
    ) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw TestFault(operation: "pipe", number: errno) }
        self.cancelFD = ends[0]
        self.cancelEnd = ends[1]
        self.scratch = try Scratch.make()
        self.number = number
        self.timeLimit = timeLimit
        self.cancelMoment = cancel
        self.deadlineNanoseconds = timeLimit.map { TestHost.now() + $0.nanoseconds } ?? .max
        self.texts = [
            .runID: TestHost.immortal(runID), .jobName: TestHost.immortal(jobName),
            .scratch: TestHost.immortal(self.scratch), .traceparent: TestHost.immortal(traceparent ?? ""),
        ]
        // The handle is what the host's own is: a table, and behind it what only the host reads.
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<TestHost.Handle>.size, alignment: MemoryLayout<TestHost.Handle>.alignment)
        self.handle = raw.assumingMemoryBound(to: pawl_attempt.self)
        raw.initializeMemory(
            as: TestHost.Handle.self,
            to: TestHost.Handle(attempt: pawl_attempt(host: TestHost.table), record: Unmanaged.passRetained(self)))
        if cancel == .atStart { self.cancel() }
    }

    // MARK: What the handler asks and says

    var isCancelled: Bool { self.cancelled.load(ordering: .sequentiallyConsistent) }

    func cancel() {
        guard !self.cancelled.exchange(true, ordering: .sequentiallyConsistent) else { return }
        self.state.withLock { state in
            // Ended: the descriptor is closed.
            guard !state.isEnded else { return }
            _ = write(self.cancelEnd, "c", 1)
        }
        CancellationCall.cancelled(self.handle)
    }

    /// Takes one call of the handler's; answers `PAWL_E_STATE` once the handler has returned.
    func say(_ change: (inout End) -> Void) -> Int32 {
        let (isLate, cancels, ready) = self.state.withLock {
            state -> (Bool, Bool, [CheckedContinuation<Bool, Never>]) in
            guard !state.isEnded else {
                state.end.lateCalls += 1
                return (true, false, [])
            }
            let before = state.end
            change(&state.end)
            let end = state.end
            let ready = state.waiters.filter { $0.condition(end.progress, end.log) }
            state.waiters.removeAll { $0.condition(end.progress, end.log) }
            return (false, self.isMoment(before, end), ready.map(\.continuation))
        }
        for continuation in ready { continuation.resume(returning: true) }
        if cancels { self.cancel() }
        return isLate ? PAWL_E_STATE : PAWL_OK
    }

    /// As `say`, for what may be said once.
    func sayLast(_ change: (inout End) -> Void) -> Int32 {
        let isFirst = self.state.withLock { state in
            defer { state.hasSpokenLast = true }
            return !state.hasSpokenLast
        }
        return isFirst ? self.say(change) : PAWL_E_STATE
    }

    private func isMoment(_ before: End, _ after: End) -> Bool {
        switch self.cancelMoment {
        case .never, .atStart: false
        case .atStage(let name): after.progress.stage == name && before.stages.count < after.stages.count
        case .afterAdvancing(let count): after.progress.current >= count && before.progress.current < count
        case .atLog(let message): before.log.count < after.log.count && after.log.last?.message == message
        }
    }

    // MARK: What the test asks

    var progress: TestProgress { self.state.withLock { $0.end.progress } }
    var log: [TestLogLine] { self.state.withLock { $0.end.log } }

    func wait(until condition: @escaping @Sendable (TestProgress, [TestLogLine]) -> Bool) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = self.state.withLock { state in
                if condition(state.end.progress, state.end.log) { return true }
                if state.isEnded { return false }
                state.waiters.append(Waiter(condition: condition, continuation: continuation))
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    func end() async -> End {
        await withCheckedContinuation { continuation in
            let end: End? = self.state.withLock { state in
                if state.isEnded { return state.end }
                state.enders.append(continuation)
                return nil
            }
            if let end { continuation.resume(returning: end) }
        }
    }

    // MARK: Its time

    func startDeadline() {
        guard let timeLimit else { return }
        let deadline = Task {
            do { try await Task.sleep(for: timeLimit) } catch { return }
            self.cancel()
        }
        let isOver = self.state.withLock { state in
            state.deadline = deadline
            return state.isEnded
        }
        if isOver { deadline.cancel() }
    }

    func ended(_ status: Int32) {
        // Before anybody may hear of the end.
        Scratch.remove(self.scratch)
        let (end, enders, waiters, deadline) = self.state.withLock { state in
            state.isEnded = true
            state.end.status = status
            defer {
                state.enders = []
                state.waiters = []
            }
            close(self.cancelFD)
            close(self.cancelEnd)
            return (state.end, state.enders, state.waiters, state.deadline)
        }
        deadline?.cancel()
        for waiter in waiters { waiter.continuation.resume(returning: false) }
        for ender in enders { ender.resume(returning: end) }
    }
}

/// What the machine refused a test.
struct TestFault: Error, CustomStringConvertible {
    var operation: String
    var number: Int32
    var description: String { "\(self.operation): \(String(cString: strerror(self.number)))" }
}

extension Duration {
    var nanoseconds: Int64 {
        self.components.seconds * 1_000_000_000 + self.components.attoseconds / 1_000_000_000
    }
}
