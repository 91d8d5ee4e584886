import CLibpq
import Logging
import UVLoop

/// One open libpq connection on the loop: carries out what `ConnectionStateMachine` decides.
///
/// Owns the `PGconn` and finishes it once, when the connection is lost or closed.
@LoopActor
final class ConnectionCore {
    typealias OperationID = UInt64

    /// What a caller wants, as long as it is not answered.
    enum Request {
        case statements([(PGStatement, [PGParameter])])
        case simple(String)
        case copy(sql: String, data: [UInt8])
        case lease
    }

    private struct Pending {
        let request: Request
        let continuation: CheckedContinuation<Result<[PGRows], PostgresError>, Never>
    }

    let backendPID: Int32
    let logger: Logger
    var onClose: (@LoopActor (PostgresError) -> Void)?
    var listeners: [String: @LoopActor (PGNotification) -> Void] = [:]

    /// nil once finished.
    private var raw: OpaquePointer?
    private var machine = ConnectionStateMachine<PGRows>()
    private let usesTLS: Bool
    private let tlsTimer = LoopTimer()
    private var watcher: FDWatcher
    private var watched: FDWatcher.Events = []
    private var pending: [OperationID: Pending] = [:]
    private var lastID: OperationID = 0
    private var arguments = ParameterBuffer()
    /// Why the session has ended, if the server said so while it was idle. The end of the stream follows.
    private var farewell: PostgresError?
    private var copy: (id: OperationID, sent: Int)?

    /// Takes over a connection in state `CONNECTION_OK`.
    init(taking raw: OpaquePointer, logger: Logger) throws(PostgresError) {
        PQsetnonblocking(raw, 1)
        self.raw = raw
        self.logger = logger
        backendPID = PQbackendPID(raw)
        usesTLS = PQsslInUse(raw) == 1
        do {
            watcher = try FDWatcher(fd: PQsocket(raw))
        } catch {
            PQfinish(raw)
            throw PostgresError(kind: .connection, message: error.description)
        }
        // Unretained: notices come only from calls into this connection, which this object makes, and it finishes the
        // connection before it goes.
        PQsetNoticeReceiver(raw, receiveNotice, Unmanaged.passUnretained(self).toOpaque())
        watch()
    }

    isolated deinit {
        // Nobody waits: a waiting caller would keep this object alive.
        watcher.close()  // Before the descriptor, which PQfinish closes.
        if let raw { PQfinish(raw) }
    }

    var isOpen: Bool { machine.isOpen }

    /// Operations that wait or are in flight.
    var load: Int { machine.load }

    /// For choosing between connections: a lease weighs more than any number of statements, because nobody knows when it
    /// ends.
    var pressure: Int { machine.load + machine.leases * 1_000_000 }

    // MARK: Operations

    /// - Parameter cancellable: whether cancellation of the calling task ends the wait. COMMIT and ROLLBACK must go out
    ///   also in a cancelled task.
    func run(
        _ request: Request, id: OperationID? = nil, underLease lease: OperationID? = nil, commits: Bool = true,
        cancellable: Bool = true
    ) async -> Result<[PGRows], PostgresError> {
        let id = id ?? nextID()
        guard cancellable else {
            return await withCheckedContinuation { begin(id, request, lease, commits, $0) }
        }
        if Task.isCancelled { return .failure(.cancelledByCaller) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { begin(id, request, lease, commits, $0) }
        } onCancel: {
            LoopActor.loop.execute { LoopActor.assumeIsolated { self.abandon(id) } }
        }
    }

    /// Waits until the connection is idle and sets it aside. The lease has to be given back with `release`.
    func acquireLease() async throws(PostgresError) -> OperationID {
        let id = nextID()
        _ = try await run(.lease, id: id).get()
        return id
    }

    func release(_ lease: OperationID) {
        perform(machine.released(lease))
        flush()
    }

    /// Ends the connection; whatever is not answered fails with `error`. Idempotent.
    func close(_ error: PostgresError) { lose(error) }

    private func nextID() -> OperationID {
        lastID += 1
        return lastID
    }

    private func begin(
        _ id: OperationID, _ request: Request, _ lease: OperationID?, _ commits: Bool,
        _ continuation: CheckedContinuation<Result<[PGRows], PostgresError>, Never>
    ) {
        pending[id] = Pending(request: request, continuation: continuation)
        let work: ConnectionStateMachine<PGRows>.Work =
            switch request {
            case .statements(let steps): .statements(steps.map { .init(statement: $0, types: $1.map(\.type)) })
            case .simple: .simple
            case .copy: .copy
            case .lease: .lease
            }
        perform(machine.submitted(id, work, underLease: lease, commits: commits))
        flush()
    }

    private func abandon(_ id: OperationID) {
        guard pending[id] != nil else { return }
        perform(machine.abandoned(id))
        receive()  // As in `flush`: the answer to a COPY that is given up may be here already.
        flush()
    }

    private func finish(_ id: OperationID, _ result: Result<[PGRows], PostgresError>) {
        pending.removeValue(forKey: id)?.continuation.resume(returning: result)
    }

    // MARK: Actions

    private func perform(_ actions: [ConnectionStateMachine<PGRows>.Action]) {
        for action in actions {
            switch action {
            case .grantLease(let id): finish(id, .success([]))
            case .succeed(let id, let rows): finish(id, .success(rows))
            case .fail(let id, let error): finish(id, .failure(error))
            case .close(let error): lose(error)
            default:
                // After a loss on the way the rest has nowhere to go, and its callers have been told.
                guard let raw, !send(action, on: raw) else { continue }
                lose(lastError(raw))
            }
        }
    }

    /// Hands one order to libpq, which buffers. False if libpq refused: the connection is broken.
    private func send(_ action: ConnectionStateMachine<PGRows>.Action, on raw: OpaquePointer) -> Bool {
        switch action {
        case .enterPipelineMode:
            return PQenterPipelineMode(raw) == 1
        case .leavePipelineMode:
            return PQexitPipelineMode(raw) == 1
        case .prepare(let step, let serverName):
            let types = step.types.map { Oid($0.declared) }
            return PQsendPrepare(raw, serverName, step.statement.sql, Int32(types.count), types) == 1
                && PQpipelineSync(raw) == 1
        case .execute(let id, let serverNames):
            guard case .statements(let steps)? = pending[id]?.request else { return true }
            for ((_, parameters), serverName) in zip(steps, serverNames) {
                arguments.removeAll()
                for parameter in parameters { arguments.append(parameter) }
                let sent = arguments.withArguments { count, values, lengths, formats in
                    PQsendQueryPrepared(raw, serverName, count, values, lengths, formats, 1)
                }
                guard sent == 1 else { return false }
            }
            return PQpipelineSync(raw) == 1
        case .sendSimple(let id):
            guard case .simple(let sql)? = pending[id]?.request else { return true }
            return PQsendQuery(raw, sql) == 1
        case .sendCopy(let id):
            guard case .copy(let sql, _)? = pending[id]?.request else { return true }
            return PQsendQuery(raw, sql) == 1
        case .streamCopy(let id):
            copy = (id, 0)
            return true  // `flush` sends it piece by piece.
        case .abortCopy:
            copy = nil
            return PQputCopyEnd(raw, "the client has cancelled") == 1
        case .grantLease, .succeed, .fail, .close:
            preconditionFailure("not an order to libpq")
        }
    }

    /// Pushes out what libpq has buffered and what is left of a COPY, as far as the socket takes it.
    private func flush() {
        guard let raw else { return }
        var left = PQflush(raw)
        var pieces = 0
        while left == 0, let (id, sent) = copy, case .copy(_, let data)? = pending[id]?.request {
            guard sendCopyPiece(raw, id, data, from: sent) else { return lose(lastError(raw)) }
            if copy == nil {
                // The server may have refused the data long before their end: then its answer has been read already, and
                // nothing more will make the socket readable.
                receive()
                if self.raw == nil { return }
            }
            left = PQflush(raw)
            pieces += 1
            // A server that keeps up must not hold the loop until the last byte.
            if pieces == Self.copyPiecesPerTurn, copy != nil, left == 0 { left = 1 }
        }
        guard left >= 0 else { return lose(lastError(raw)) }
        watch(alsoWritable: left == 1)
        lookAgainIfNeeded()
    }

    /// How much COPY data libpq is given before the socket has to take it.
    private static var copyPiece: Int { 256 * 1024 }
    private static var copyPiecesPerTurn: Int { 4 }

    private func sendCopyPiece(_ raw: OpaquePointer, _ id: OperationID, _ data: [UInt8], from start: Int) -> Bool {
        let count = min(Self.copyPiece, data.count - start)
        if count > 0 {
            let sent = data.withUnsafeBytes { bytes in
                PQputCopyData(
                    raw, bytes.baseAddress?.advanced(by: start).assumingMemoryBound(to: CChar.self), Int32(count))
            }
            copy = (id, start + count)
            return sent == 1
        }
        copy = nil
        guard PQputCopyEnd(raw, nil) == 1 else { return false }
        perform(machine.copyDataSent(id))
        return true
    }

    // MARK: Events

    private func watch(alsoWritable: Bool = false) {
        let events: FDWatcher.Events = alsoWritable ? [.readable, .writable] : .readable
        guard raw != nil, events != watched else { return }
        watched = events
        watcher.start(events) { [weak self] result in
            switch result {
            case .success(let events): self?.ready(events)
            case .failure(let error):
                self?.ready(.readable)  // What came before the fault still counts.
                self?.lose(PostgresError(kind: .connection, message: "connection lost: \(error.name)"))
            }
        }
    }

    private func ready(_ events: FDWatcher.Events) {
        if events.contains(.readable), let raw {
            let isAlive = consume(raw)
            receive()
            deliverNotifications()
            // What came before the end has been dealt with by now.
            if let farewell { lose(farewell) }
            if !isAlive, self.raw != nil { lose(lastError(raw)) }
        }
        flush()
    }

    /// Reads what the socket has. False if the connection has ended.
    private func consume(_ raw: OpaquePointer) -> Bool {
        guard usesTLS else { return PQconsumeInput(raw) == 1 }
        // A TLS record has up to 16 KiB, and libpq makes room for at least 8 KiB: what it leaves inside of OpenSSL does not
        // make the socket readable.
        for _ in 1...3 where PQconsumeInput(raw) != 1 { return false }
        return true
    }

    /// With TLS something may still be left in there if a record came between those calls: look again soon.
    private func lookAgainIfNeeded() {
        guard usesTLS, machine.expectsAnswer, !tlsTimer.isActive else { return }
        tlsTimer.start(after: .milliseconds(100)) { [weak self] in
            self?.ready(.readable)
        }
    }

    private func receive() {
        while let raw, machine.expectsAnswer, PQisBusy(raw) == 0 {
            perform(machine.received(Self.answer(PQgetResult(raw))))
        }
    }

    private static func answer(_ raw: OpaquePointer?) -> ConnectionStateMachine<PGRows>.Answer {
        guard let raw else { return .end }
        let result = PGResult(taking: raw)
        switch result.status {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return .rows(PGRows(result))
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE: return .failed(result.error)
        case PGRES_PIPELINE_ABORTED: return .skipped
        case PGRES_PIPELINE_SYNC: return .synced
        case PGRES_COPY_IN: return .wantsCopyData
        case let other: return .unexpected("a result of status \(String(cString: PQresStatus(other)))")
        }
    }

    private func deliverNotifications() {
        while let raw, let notify = PQnotifies(raw) {
            let notification = PGNotification(
                channel: String(cString: notify.pointee.relname), payload: String(cString: notify.pointee.extra),
                backendPID: notify.pointee.be_pid)
            PQfreemem(notify)
            listeners[notification.channel]?(notification)
        }
    }

    fileprivate func noticed(_ error: PostgresError) {
        if error.isFatal {
            machine.bidFarewell(error.forSession)
            farewell = error.forSession
        }
        logger.debug(
            "postgres notice",
            metadata: [
                "severity": "\(error.severity ?? "")", "sqlstate": "\(error.sqlState?.code ?? "")",
                "message": "\(error.message)",
            ])
    }

    private func lastError(_ raw: OpaquePointer) -> PostgresError {
        let message = String(cString: PQerrorMessage(raw)).trimmedLines
        return PostgresError(kind: .connection, message: message.isEmpty ? "connection lost" : message)
    }

    /// Finishes the connection, answers everybody who waits, and tells the owner. Idempotent.
    private func lose(_ error: PostgresError) {
        guard let raw else { return }
        self.raw = nil
        copy = nil
        tlsTimer.stop()
        watcher.close()  // Before the descriptor, which PQfinish closes.
        PQfinish(raw)
        let actions = machine.lost(error)
        perform(actions)
        listeners = [:]
        let tell = onClose
        onClose = nil
        tell?(machine.reasonForEnd ?? error)
    }
}

private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ notice: OpaquePointer?) {
    guard let context, let notice else { return }
    // libpq owns the result; read it before returning.
    let error = PostgresError(result: notice)
    let core = Unmanaged<ConnectionCore>.fromOpaque(context).takeUnretainedValue()
    LoopActor.assumeIsolated { core.noticed(error) }
}
