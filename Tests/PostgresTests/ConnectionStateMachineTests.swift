import Testing

@testable import Postgres

/// All short sequences of events, against a model of libpq and the server that knows what may be sent when.
@Suite struct ConnectionStateMachineTests {
    enum Event: CaseIterable {
        case submitOne, submitTwo, submitSimple, submitCopy, submitLease, submitUnderLease, release
        case answer, answerWithFailure, abandonOldest, abandonNewest, lose
    }

    @Test(arguments: Event.allCases) func everySequenceOfFive(first: Event) {
        let events = Event.allCases
        var count = 0
        for a in events {
            for b in events {
                for c in events {
                    for d in events {
                        var model = Model()
                        let sequence = [first, a, b, c, d]
                        for event in sequence { model.apply(event) }
                        model.finish()
                        count += 1
                        if let fault = model.fault {
                            Issue.record("\(sequence): \(fault)")
                            return
                        }
                    }
                }
            }
        }
        #expect(count == 20_736)
    }

    @Test func failedParseFailsEveryOperationThatReliesOnIt() {
        var machine = ConnectionStateMachine<Int>()
        let step = Model.step("s")
        _ = machine.submitted(1, .statements([step]), underLease: nil, commits: true)
        _ = machine.submitted(2, .statements([step]), underLease: nil, commits: true)
        let parseError = PostgresError(kind: .server, sqlState: .undefinedTable, severity: "ERROR", message: "no table")
        let unknown = PostgresError(
            kind: .server, sqlState: .invalidStatementName, severity: "ERROR", message: "no statement")
        var failures: [UInt64: PostgresError] = [:]
        for answer: ConnectionStateMachine<Int>.Answer in [
            .failed(parseError), .end, .synced, .failed(unknown), .end, .synced, .failed(unknown), .end, .synced,
        ] {
            for case .fail(let id, let error) in machine.received(answer) { failures[id] = error }
        }
        #expect(failures[1]?.sqlState == .undefinedTable)
        #expect(failures[2]?.sqlState == .undefinedTable)
        #expect(failures[2]?.statementName == "s")
        // It is forgotten: the next use prepares again, under a name that was not used before.
        let names = machine.submitted(3, .statements([step]), underLease: nil, commits: true).compactMap {
            if case .prepare(_, let name) = $0 { name } else { nil }
        }
        #expect(names == ["s#1"])
    }

    @Test func refusalAtTheSyncFailsTheOperation() {
        var machine = ConnectionStateMachine<Int>()
        _ = machine.submitted(1, .statements([Model.step("s")]), underLease: nil, commits: true)
        for answer: ConnectionStateMachine<Int>.Answer in [.rows(0), .end, .synced, .rows(0), .end] {
            #expect(machine.received(answer).isEmpty)
        }
        let refused = PostgresError(kind: .server, sqlState: .uniqueViolation, severity: "ERROR", message: "deferred")
        #expect(machine.received(.failed(refused)).isEmpty)
        let outcome = machine.received(.synced)
        guard case .fail(1, let error)? = outcome.first else {
            Issue.record("\(outcome)")
            return
        }
        #expect(error.sqlState == .uniqueViolation)
        #expect(!error.mayHaveCommitted)
    }

    @Test func aSessionEndedByTheServerSpeaksForWhatWasBehind() {
        var machine = ConnectionStateMachine<Int>()
        for id in 1...3 as ClosedRange<UInt64> {
            _ = machine.submitted(id, .statements([Model.step("s")]), underLease: nil, commits: true)
        }
        for answer: ConnectionStateMachine<Int>.Answer in [.rows(0), .end, .synced] { _ = machine.received(answer) }
        // The first is killed before it ran; the others were never reached.
        let shutdown = PostgresError(
            kind: .connection, sqlState: .adminShutdown, severity: "FATAL", message: "terminated")
        _ = machine.received(.failed(shutdown))
        var failures: [UInt64: PostgresError] = [:]
        for case .fail(let id, let error) in machine.lost(PostgresError(kind: .connection, message: "gone")) {
            failures[id] = error
        }
        #expect(failures.count == 3)
        #expect(failures.values.allSatisfy { $0.sqlState == .adminShutdown && !$0.mayHaveCommitted })
    }

    @Test func whatASessionEndedWhileIdleWasSentDidNotRun() {
        var machine = ConnectionStateMachine<Int>()
        machine.bidFarewell(
            PostgresError(kind: .connection, sqlState: .adminShutdown, severity: "FATAL", message: "terminated"))
        _ = machine.submitted(1, .statements([Model.step("s")]), underLease: nil, commits: true)
        let actions = machine.lost(PostgresError(kind: .connection, message: "gone"))
        guard case .fail(1, let error)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(error.sqlState == .adminShutdown)
        #expect(!error.mayHaveCommitted)
    }

    /// libpq has forgotten the statements that it could not send any more, and returns null pointers for ever.
    @Test func anEndWithoutAnswersClosesTheSession() {
        var machine = ConnectionStateMachine<Int>()
        _ = machine.submitted(1, .statements([Model.step("s")]), underLease: nil, commits: true)
        let farewell = PostgresError(kind: .server, sqlState: .adminShutdown, severity: "FATAL", message: "shut down")
        machine.bidFarewell(farewell)
        #expect(machine.received(.end).isEmpty)
        let actions = machine.received(.end)
        guard actions.count == 1, case .close(let error)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(error.kind == .connection)
        guard case .fail(1, let told)? = machine.lost(error).first else {
            Issue.record("nobody was told")
            return
        }
        #expect(told.sqlState == .adminShutdown)
        #expect(!told.mayHaveCommitted)
    }

    @Test func anUnexplainedLossLeavesEverythingSentOpen() {
        var machine = ConnectionStateMachine<Int>()
        _ = machine.submitted(1, .statements([Model.step("s")]), underLease: nil, commits: true)
        _ = machine.submitted(2, .simple, underLease: nil, commits: true)  // Waits for the first.
        var failures: [UInt64: PostgresError] = [:]
        for case .fail(let id, let error) in machine.lost(PostgresError(kind: .connection, message: "gone")) {
            failures[id] = error
        }
        #expect(failures[1]?.mayHaveCommitted == true)
        #expect(failures[2]?.mayHaveCommitted == false)
    }
}

/// What libpq and the server would do, and what every caller is owed.
private struct Model: ~Copyable {
    static func step(_ name: String) -> ConnectionStateMachine<Int>.Step {
        .init(statement: PGStatement(name: name, sql: "SELECT"), types: [])
    }

    enum Due { case rows, wantsCopyData, end, synced }

    var machine = ConnectionStateMachine<Int>()
    var fault: String?
    private var nextID: UInt64 = 0
    private var unanswered: [UInt64] = []
    private var sent: Set<UInt64> = []
    private var abandoned: Set<UInt64> = []
    private var lease: UInt64?
    private var isPipeline = false
    private var isLost = false
    private var due: [Due] = []
    private var segmentFailed = false
    private var prepared: Set<String> = []

    mutating func apply(_ event: ConnectionStateMachineTests.Event) {
        guard fault == nil else { return }
        switch event {
        case .submitOne: submit(.statements([Self.step("a")]))
        case .submitTwo: submit(.statements([Self.step("a"), Self.step("b")]))
        case .submitSimple: submit(.simple)
        case .submitCopy: submit(.copy)
        case .submitLease: submit(.lease)
        case .submitUnderLease: if lease != nil { submit(.statements([Self.step("c")]), under: lease) }
        case .release:
            guard let lease else { return }
            self.lease = nil
            perform(machine.released(lease))
        case .answer: answer(failing: false)
        case .answerWithFailure: answer(failing: true)
        case .abandonOldest: abandon(unanswered.first)
        case .abandonNewest: abandon(unanswered.last)
        case .lose:
            guard !isLost else { return }
            isLost = true
            due = []
            perform(machine.lost(PostgresError(kind: .connection, message: "gone")))
            lease = nil
            if !unanswered.isEmpty { fault = "lost, and nobody told \(unanswered)" }
        }
    }

    /// Lets everything run to its end.
    mutating func finish() {
        var steps = 0
        while fault == nil, !isLost, steps < 200, !due.isEmpty || lease != nil || !unanswered.isEmpty {
            steps += 1
            if !due.isEmpty { answer(failing: false) } else { apply(.release) }
        }
        if fault == nil, !unanswered.isEmpty { fault = "never answered: \(unanswered)" }
        if fault == nil, machine.load != 0 { fault = "load \(machine.load) when idle" }
        if fault == nil, machine.leases != 0, !isLost { fault = "\(machine.leases) leases when idle" }
    }

    private mutating func submit(_ work: ConnectionStateMachine<Int>.Work, under lease: UInt64? = nil) {
        nextID += 1
        unanswered.append(nextID)
        perform(machine.submitted(nextID, work, underLease: lease, commits: true))
    }

    private mutating func abandon(_ id: UInt64?) {
        guard let id else { return }
        abandoned.insert(id)
        perform(machine.abandoned(id))
        if unanswered.contains(id) { fault = "\(id) was abandoned and still waits" }
    }

    private mutating func answer(failing: Bool) {
        guard machine.expectsAnswer != due.isEmpty else {
            fault = "expects an answer: \(machine.expectsAnswer), due: \(due)"
            return
        }
        guard !due.isEmpty else { return }
        let next = due.removeFirst()
        let error = PostgresError(kind: .server, sqlState: .uniqueViolation, severity: "ERROR", message: "failed")
        switch next {
        case .rows where segmentFailed: perform(machine.received(.skipped))
        case .rows where failing:
            segmentFailed = isPipeline
            perform(machine.received(.failed(error)))
        case .rows: perform(machine.received(.rows(0)))
        case .wantsCopyData where failing:
            due = [.end]
            perform(machine.received(.failed(error)))
        case .wantsCopyData: perform(machine.received(.wantsCopyData))
        case .end: perform(machine.received(.end))
        case .synced:
            segmentFailed = false
            perform(machine.received(.synced))
        }
    }

    private mutating func perform(_ actions: [ConnectionStateMachine<Int>.Action]) {
        for action in actions {
            if isLost {
                guard case .fail = action else {
                    fault = "\(action) after the loss"
                    return
                }
            }
            switch action {
            case .enterPipelineMode:
                require(!isPipeline && due.isEmpty, "pipeline entered in the middle")
                isPipeline = true
            case .leavePipelineMode:
                require(isPipeline && due.isEmpty, "pipeline left in the middle")
                isPipeline = false
            case .prepare(_, let name):
                require(isPipeline, "Parse outside of the pipeline")
                require(prepared.insert(name).inserted, "\(name) prepared twice")
                due += [.rows, .end, .synced]
            case .execute(let id, let names):
                require(isPipeline, "statement outside of the pipeline")
                require(names.allSatisfy(prepared.contains), "statement not prepared")
                sent.insert(id)
                due += names.flatMap { _ in [Due.rows, .end] } + [.synced]
            case .sendSimple(let id):
                require(!isPipeline && due.isEmpty, "simple query in the middle")
                sent.insert(id)
                due = [.rows, .end]
            case .sendCopy(let id):
                require(!isPipeline && due.isEmpty, "COPY in the middle")
                sent.insert(id)
                due = [.wantsCopyData]
            case .streamCopy(let id):
                require(due.isEmpty, "COPY data in the middle")
                let more = machine.copyDataSent(id)
                require(more.isEmpty, "\(more)")
                due = [.rows, .end]
            case .abortCopy:
                require(due.isEmpty, "COPY aborted twice")
                due = [.rows, .end]
            case .grantLease(let id):
                require(due.isEmpty && lease == nil, "lease granted in the middle")
                lease = id
                answered(id)
            case .succeed(let id, _):
                require(sent.contains(id), "\(id) succeeded without being sent")
                answered(id)
            case .fail(let id, let error):
                if error.mayHaveCommitted { require(sent.contains(id), "\(id) may have committed, but was not sent") }
                if isLost, sent.contains(id), error.kind == .connection {
                    require(error.mayHaveCommitted, "\(id) was sent and is said not to have happened")
                }
                answered(id)
            case .close(let error):
                fault = "closes: \(error)"
            }
        }
    }

    private mutating func answered(_ id: UInt64) {
        guard let index = unanswered.firstIndex(of: id) else {
            fault = fault ?? "\(id) was answered twice"
            return
        }
        unanswered.remove(at: index)
    }

    private mutating func require(_ condition: Bool, _ what: String) {
        if !condition { fault = fault ?? what }
    }
}
