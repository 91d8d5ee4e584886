/// Decides what one open connection sends next, and whose each answer is.
///
/// Operations run in the order of submission. Statements are pipelined: they are sent without waiting for the answers
/// before them, each operation with a Sync of its own, so each is a transaction of its own. COPY and the simple protocol
/// cannot be pipelined: they wait until nothing is in flight, leave pipeline mode, and have the connection to themselves.
/// A lease sets the connection aside for one caller: only operations that name it run until it is released.
///
/// An operation succeeds when its Sync is answered, not before: deferred constraints and serialisation are checked there.
///
/// No libpq, no `await`: methods are named as facts and return what the shell has to do, in order.
struct ConnectionStateMachine<Rows: Sendable>: ~Copyable {  // A copy would be a second truth.
    typealias OperationID = UInt64

    /// A statement and the types of its arguments.
    struct Step: Equatable {
        let statement: PGStatement
        let types: [PGType]
    }

    enum Work: Equatable {
        /// One transaction, committed by its Sync.
        case statements([Step])
        /// Any SQL text, several commands allowed.
        case simple
        /// COPY … FROM STDIN.
        case copy
        /// The connection itself, until `released`.
        case lease
    }

    /// What `PQgetResult` has returned.
    enum Answer {
        case rows(Rows)
        case failed(PostgresError)
        /// Skipped, because an earlier statement of the same operation failed.
        case skipped
        /// A null pointer: no more results of this command.
        case end
        case synced
        case wantsCopyData
        /// A status that nothing we send asks for.
        case unexpected(String)
    }

    enum Action {
        case enterPipelineMode
        case leavePipelineMode
        /// Send Parse and Sync.
        case prepare(Step, serverName: String)
        /// Send each step under its server name, then one Sync.
        case execute(OperationID, serverNames: [String])
        case sendSimple(OperationID)
        case sendCopy(OperationID)
        /// Send the data and its end.
        case streamCopy(OperationID)
        /// Stop sending the data and tell the server to drop it.
        case abortCopy
        case grantLease(OperationID)
        case succeed(OperationID, [Rows])
        case fail(OperationID, PostgresError)
        /// The session cannot be used any more: tear it down, then say `lost`.
        case close(PostgresError)
    }

    /// Operations in flight at once. More would only grow the buffers on both sides.
    static var maxInFlight: Int { 256 }

    private struct Waiting {
        let id: OperationID
        let work: Work
        let commits: Bool
    }

    /// Something sent whose answers are not all there.
    private struct Flight {
        enum Kind {
            case prepare(Step, serverName: String)
            case statements([Step], serverNames: [String])
            case simple
            case copyStarting, copyStreaming, copyEnding
        }
        var kind: Kind
        /// nil: nobody waits; a Parse of ours, or the caller was cancelled.
        var id: OperationID?
        let commits: Bool
        var rows: [Rows] = []
        var error: PostgresError?
        /// Why the server does not know one of the statements.
        var parseError: PostgresError?

        /// What to tell the caller when the connection is gone.
        /// - Parameter reached: false if the server ended the session before it came to this operation.
        func verdict(onLoss reason: PostgresError, reached: Bool) -> PostgresError {
            if let error { return error }
            var verdict = reason
            verdict.mayHaveCommitted = commits && reached
            if case .statements(let steps, _) = kind {
                verdict.statementName = steps[min(rows.count, steps.count - 1)].statement.name
            }
            return verdict
        }
    }

    private enum Mode { case direct, pipeline }

    private var mode = Mode.direct
    private var closedBy: PostgresError?
    private var inFlight = FIFO<Flight>()
    private var waiting = FIFO<Waiting>()
    private var lease: OperationID?
    private var leased = FIFO<Waiting>()
    private var statements = StatementCache()
    /// The server's last word before it ends the session.
    private var farewell: PostgresError?
    private var endedWhenIdle = false
    /// Null pointers since the last result.
    private var endsInARow = 0

    init() {}

    // MARK: Questions

    var isOpen: Bool { closedBy == nil }

    /// Why the connection has ended; nil while it is open.
    var reasonForEnd: PostgresError? { closedBy }

    /// True if answers are due, so that `PQgetResult` may be asked once `PQisBusy` says no. While COPY data is being sent
    /// libpq would answer "COPY" again and again.
    var expectsAnswer: Bool {
        guard let flight = inFlight.first else { return false }
        if case .copyStreaming = flight.kind { return false }
        return true
    }

    /// Operations submitted and not answered.
    var load: Int { inFlight.count + waiting.count + leased.count + (lease == nil ? 0 : 1) }

    /// Leases held or waited for.
    private(set) var leases = 0

    // MARK: Events

    /// - Parameters:
    ///   - underLease: the lease that the caller holds, if any.
    ///   - commits: whether success means committed effects: false inside an open transaction.
    mutating func submitted(
        _ id: OperationID, _ work: Work, underLease: OperationID?, commits: Bool
    ) -> [Action] {
        if let closedBy { return [.fail(id, closedBy.notSent)] }
        if case .statements(let steps) = work { precondition(!steps.isEmpty, "an operation without statements") }
        let entry = Waiting(id: id, work: work, commits: commits)
        if work == .lease { leases += 1 }
        if let underLease {
            precondition(underLease == lease, "connection used after its transaction or lease has ended")
            precondition(work != .lease, "a lease inside a lease")
            leased.append(entry)
        } else {
            waiting.append(entry)
        }
        return pump()
    }

    mutating func released(_ id: OperationID) -> [Action] {
        guard lease == id else { return [] }  // The connection was lost meanwhile.
        lease = nil
        leases -= 1
        return leased.drain().map { .fail($0.id, .cancelledByCaller) } + pump()
    }

    /// The caller does not wait any longer. What was not sent never will be; the answer to the rest is dropped.
    mutating func abandoned(_ id: OperationID) -> [Action] {
        if let index = waiting.firstIndex(where: { $0.id == id }) {
            if waiting[index].work == .lease { leases -= 1 }
            waiting.remove(at: index)
            return [.fail(id, .cancelledByCaller)] + pump()
        }
        if let index = leased.firstIndex(where: { $0.id == id }) {
            leased.remove(at: index)
            return [.fail(id, .cancelledByCaller)]
        }
        guard let index = inFlight.firstIndex(where: { $0.id == id }) else {
            return []  // Answered already, or a lease whose holder finds out by itself.
        }
        inFlight[index].id = nil
        var error = PostgresError.cancelledByCaller
        error.mayHaveCommitted = inFlight[index].commits && inFlight[index].error == nil
        var actions: [Action] = [.fail(id, error)]
        if case .copyStreaming = inFlight[index].kind {
            inFlight[index].kind = .copyEnding
            actions.append(.abortCopy)
        }
        return actions
    }

    /// All COPY data and its end are with libpq.
    mutating func copyDataSent(_ id: OperationID) -> [Action] {
        guard let flight = inFlight.first, flight.id == id, case .copyStreaming = flight.kind else { return [] }
        inFlight[0].kind = .copyEnding
        return []
    }

    mutating func received(_ answer: Answer) -> [Action] {
        guard closedBy == nil else { return [] }
        guard let flight = inFlight.first else { return [.close(.unexpectedAnswer("an answer nobody asked for"))] }
        if case .end = answer { endsInARow += 1 } else { endsInARow = 0 }
        switch (flight.kind, answer) {
        case (_, .failed(let error)):
            return failed(error)
        case (_, .unexpected(let what)):
            return [.close(.unexpectedAnswer(what))]
        case (.prepare, .rows), (.prepare, .skipped), (.statements, .skipped):
            return []
        case (.prepare, .end), (.statements, .end):
            // In pipeline mode one null pointer ends each command's results. A second one means that libpq waits for nothing
            // more, and it will answer so for ever: a session that ends while a statement is being sent has its last words
            // delivered as a notice, and its statements forgotten.
            return endsInARow < 2 ? [] : [.close(.endedWithoutAnswers)]
        case (.prepare, .synced), (.statements, .synced):
            return landed()
        case (.statements(let steps, _), .rows(let rows)):
            inFlight[0].rows.append(rows)
            return inFlight[0].rows.count <= steps.count
                ? [] : [.close(.unexpectedAnswer("more results than statements"))]
        case (.simple, .rows):
            return []
        case (.copyStarting, .wantsCopyData):
            guard let id = flight.id else {
                inFlight[0].kind = .copyEnding
                return [.abortCopy]
            }
            inFlight[0].kind = .copyStreaming
            return [.streamCopy(id)]
        case (.copyEnding, .rows(let rows)):
            inFlight[0].rows = [rows]
            return []
        case (.copyStarting, .rows):
            inFlight[0].error = PostgresError(kind: .protocol, message: "the command is no COPY FROM STDIN")
            return []
        case (.simple, .end), (.copyEnding, .end), (.copyStarting, .end):
            return landed()
        default:
            return [.close(.unexpectedAnswer("an answer of the wrong kind"))]
        }
    }

    /// The server ends the session and says so outside of any answer: it was idle. What it may have been sent meanwhile it
    /// has not looked at. `lost` is to follow.
    mutating func bidFarewell(_ error: PostgresError) {
        farewell = error
        endedWhenIdle = true
    }

    /// The connection is gone; nothing will be answered any more. Says what that means for each operation.
    mutating func lost(_ error: PostgresError) -> [Action] {
        guard closedBy == nil else { return [] }
        let reason = farewell ?? error
        closedBy = reason
        var actions: [Action] = []
        var reached = !endedWhenIdle  // Whether the server may have worked on the flight at hand.
        for flight in inFlight.drain() {
            let verdict = flight.verdict(onLoss: reason, reached: reached)
            if let id = flight.id { actions.append(.fail(id, verdict)) }
            if flight.error?.isFatal == true { reached = false }
        }
        actions += (leased.drain() + waiting.drain()).map { .fail($0.id, reason.notSent) }
        lease = nil
        return actions
    }
}

// MARK: - Sending

extension ConnectionStateMachine {
    /// Sends whatever may be sent now.
    private mutating func pump() -> [Action] {
        var actions: [Action] = []
        while let next = lease == nil ? waiting.first : leased.first {
            let isIdle = inFlight.isEmpty
            switch next.work {
            case .statements(let steps):
                guard inFlight.count < Self.maxInFlight else { return actions }
                guard mode == .pipeline || isIdle else { return actions }
                if mode == .direct {
                    mode = .pipeline
                    actions.append(.enterPipelineMode)
                }
                launch(next, steps, &actions)
            case .simple, .copy:
                guard isIdle else { return actions }
                if mode == .pipeline {
                    mode = .direct
                    actions.append(.leavePipelineMode)
                }
                let isCopy = next.work == .copy
                inFlight.append(Flight(kind: isCopy ? .copyStarting : .simple, id: next.id, commits: next.commits))
                actions.append(isCopy ? .sendCopy(next.id) : .sendSimple(next.id))
            case .lease:
                guard isIdle else { return actions }
                lease = next.id
                actions.append(.grantLease(next.id))
            }
            if lease == nil || next.work == .lease { waiting.removeFirst() } else { leased.removeFirst() }
        }
        return actions
    }

    private mutating func launch(_ next: Waiting, _ steps: [Step], _ actions: inout [Action]) {
        var names: [String] = []
        for step in steps {
            let (serverName, isNew) = statements.use(step.statement, types: step.types)
            names.append(serverName)
            guard isNew else { continue }
            // A Sync of its own, so that a failure elsewhere in the operation does not undo the Parse on which other
            // operations already rely.
            inFlight.append(Flight(kind: .prepare(step, serverName: serverName), id: nil, commits: false))
            actions.append(.prepare(step, serverName: serverName))
        }
        inFlight.append(Flight(kind: .statements(steps, serverNames: names), id: next.id, commits: next.commits))
        actions.append(.execute(next.id, serverNames: names))
    }
}

// MARK: - Landing

extension ConnectionStateMachine {
    private mutating func failed(_ error: PostgresError) -> [Action] {
        // An error without severity is libpq's own report that the connection is gone.
        guard error.severity != nil else { return [.close(error.forSession)] }
        if error.isFatal { farewell = error.forSession }
        guard inFlight[0].error == nil else { return [] }
        var error = error
        let flight = inFlight[0]
        switch flight.kind {
        case .prepare(let step, let serverName):
            error.statementName = step.statement.name
            statements.forget(step.statement, serverName: serverName)
            for index in 1..<inFlight.count {
                guard case .statements(_, let names) = inFlight[index].kind, names.contains(serverName) else {
                    continue
                }
                inFlight[index].parseError = error
            }
        case .statements(let steps, let serverNames):
            let failedStep = flight.rows.count
            guard failedStep < steps.count else {
                // Refused at the Sync, by a deferred constraint for example. If instead the session ends here, the commit
                // may have been done already.
                error.mayHaveCommitted = error.isFatal && flight.commits
                break
            }
            error.statementName = steps[failedStep].statement.name
            if error.sqlState == .invalidStatementName, let parseError = flight.parseError {
                error = parseError
            } else if error.sqlState == .featureNotSupported || error.sqlState == .invalidStatementName {
                // 0A000: a migration has changed the statement's result type. 26000: somebody has deallocated it.
                statements.forget(steps[failedStep].statement, serverName: serverNames[failedStep])
            }
        case .copyStreaming:
            return [.close(.unexpectedAnswer("an answer in the middle of COPY"))]
        case .simple, .copyStarting, .copyEnding:
            break
        }
        inFlight[0].error = error
        return []
    }

    /// The first flight has all its answers.
    private mutating func landed() -> [Action] {
        let flight = inFlight[0]
        if flight.error == nil {
            switch flight.kind {
            case .statements(let steps, _) where flight.rows.count != steps.count:
                return [.close(.unexpectedAnswer("fewer results than statements"))]
            case .copyEnding where flight.rows.isEmpty && flight.id != nil:
                return [.close(.unexpectedAnswer("no result at the end of COPY"))]
            default: break
            }
        }
        inFlight.removeFirst()
        guard let id = flight.id else { return pump() }
        return [flight.error.map { .fail(id, $0) } ?? .succeed(id, flight.rows)] + pump()
    }
}
