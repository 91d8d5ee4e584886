package import Logging
package import UVLoop

/// Several self-healing connections for everybody who needs no connection of their own.
///
/// Statements go to the connection with the least work, pipelined with those of others. An operation that is certain not to
/// have happened, because its connection ended before the server came to it, is sent again on another.
@LoopActor
package final class PostgresPool {
    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let links: [PostgresLink]
    private let waiters = ConnectionWaiters()
    private let patience: Duration
    private var isShutDown = false

    private var outageSince: LoopInstant?

    /// `.connected` while at least one connection is open.
    package var state: PostgresLinkState {
        guard let outageSince else { return .connected }
        for link in links {
            if case .disconnected(_, let error?) = link.state {
                return .disconnected(since: outageSince, lastError: error)
            }
        }
        return .disconnected(since: outageSince, lastError: nil)
    }

    /// Called on the loop after each change between connected and disconnected.
    package var onStateChange: (@LoopActor (PostgresLinkState) -> Void)?

    /// Connects only after `start`.
    /// - Parameters:
    ///   - size: number of connections, at least 1.
    ///   - patience: how long an operation waits for a connection before it fails with kind `.unavailable`.
    package init(
        _ configuration: PostgresConfiguration, size: Int, logger: Logger, patience: Duration = .seconds(5),
        backoff: ReconnectBackoff = ReconnectBackoff()
    ) {
        precondition(size > 0, "a pool without connections")
        self.configuration = configuration
        self.logger = logger
        links = (1...size).map { PostgresLink(configuration, name: "pool-\($0)", logger: logger, backoff: backoff) }
        self.patience = patience
        outageSince = .now
    }

    /// Begins to connect; returns at once. Idempotent.
    package func start() {
        for link in links {
            link.onStateChange = { [weak self] in self?.linkChanged($0) }
            link.start()
        }
    }

    /// Open connections now.
    package var connectedCount: Int { links.count { $0.connection != nil } }

    /// As `PostgresConnection.query`.
    package func query(
        _ statement: PGStatement, _ parameters: [PGParameter] = []
    ) async throws(PostgresError) -> PGRows {
        try await transaction([(statement, parameters)])[0]
    }

    /// As `PostgresConnection.transaction`.
    package func transaction(_ steps: [(PGStatement, [PGParameter])]) async throws(PostgresError) -> [PGRows] {
        let deadline = LoopInstant.now.advanced(by: patience)
        while true {
            let (link, connection) = try await leastLoaded(by: deadline)
            do {
                return try await connection.transaction(steps)
            } catch {
                link.retireIfUseless(connection, after: error)
                guard error.kind == .connection, !error.mayHaveCommitted, LoopInstant.now < deadline else {
                    throw error
                }
            }
        }
    }

    /// As `PostgresConnection.withTransaction`. Never repeated by itself: `body` may have effects elsewhere.
    package func withTransaction<T: Sendable>(
        _ body: @LoopActor (PostgresConnection) async throws -> T
    ) async throws -> T {
        try await withConnection { try await $0.withTransaction(body) }
    }

    /// Runs `body` with one connection to itself, as `PostgresConnection.exclusively`.
    package func withConnection<T: Sendable>(
        _ body: @LoopActor (PostgresConnection) async throws -> T
    ) async throws -> T {
        let (link, connection) = try await leastLoaded(by: .now.advanced(by: patience))
        do {
            return try await connection.exclusively(body)
        } catch let error as PostgresError {
            link.retireIfUseless(connection, after: error)
            throw error
        }
    }

    /// Asks the server to stop what a backend is doing; that operation then fails with SQLSTATE 57014. Makes a connection for
    /// it, because those of the pool may all be waiting for just that backend.
    /// - Parameter pid: `PostgresConnection.backendPID` of a connection to the same server.
    /// - Returns: whether there was such a backend.
    package func cancelBackend(pid: Int32) async throws(PostgresError) -> Bool {
        let connection = try await PostgresConnection.connect(configuration, logger: logger)
        defer { connection.close() }
        let rows = try await connection.query(.cancelBackend, [.int32(pid)])
        do {
            return try rows[0].bool(0)
        } catch {
            throw PostgresError(kind: .protocol, message: error.description)
        }
    }

    /// Waits for what is under way, at most `limit`, then closes all connections. New operations fail at once.
    package func shutdown(limit: Duration = .seconds(5)) async {
        isShutDown = true
        waiters.wakeAll()
        let closing = links.map { link in loopTask { await link.shutdown(limit: limit) } }
        for task in closing { await task.value }
    }

    private func leastLoaded(by deadline: LoopInstant) async throws(PostgresError) -> (PostgresLink, PostgresConnection)
    {
        while !isShutDown {
            var best: (link: PostgresLink, connection: PostgresConnection)?
            for link in links {
                guard let connection = link.connection else { continue }
                if let (_, other) = best, other.core.pressure <= connection.core.pressure { continue }
                best = (link, connection)
            }
            if let best { return best }
            guard try await waiters.wait(until: deadline) else { break }
        }
        throw .unavailable(state, isShutDown: isShutDown)
    }

    private func linkChanged(_ linkState: PostgresLinkState) {
        if linkState.isConnected { waiters.wakeAll() }
        let isConnected = connectedCount > 0
        guard isConnected != (outageSince == nil) else { return }
        outageSince = isConnected ? nil : .now
        onStateChange?(state)
    }
}

extension PGStatement {
    static let cancelBackend = PGStatement(name: "cancel_backend", sql: "SELECT pg_cancel_backend($1::int4)")
}
