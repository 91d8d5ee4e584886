package import Logging
package import UVLoop

/// Whether a link or a pool can reach the database.
package enum PostgresLinkState: Sendable {
    case connected
    /// - Parameters:
    ///   - since: start of the outage, or of the first attempt.
    ///   - lastError: why the last attempt failed or the connection ended; nil before the first attempt has ended.
    case disconnected(since: LoopInstant, lastError: PostgresError?)

    package var isConnected: Bool {
        if case .connected = self { true } else { false }
    }
}

/// One connection that comes back by itself: after a loss it connects again, with growing waits, until `shutdown`.
///
/// It is for uses that need a connection of their own: claiming with its planner settings, LISTEN, COPY.
@LoopActor
package final class PostgresLink {
    /// For logs.
    package let name: String
    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let timer = LoopTimer()
    private let waiters = ConnectionWaiters()
    private var machine: ReconnectStateMachine
    private var attempt: Task<Void, Never>?
    private var subscriptions: [String: @LoopActor (PGNotification) -> Void] = [:]
    private var hasConnected = false
    private var isShutDown = false

    /// The open connection, if there is one now.
    package private(set) var connection: PostgresConnection?
    package private(set) var state: PostgresLinkState
    /// Called on the loop after each change between connected and disconnected.
    package var onStateChange: (@LoopActor (PostgresLinkState) -> Void)?
    /// Called on the loop after each connection but the first, when the channels are listened to again: notifications of the
    /// time between are lost, so look at what they would have announced.
    package var onReconnect: (@LoopActor () -> Void)?

    /// Connects only after `start`.
    package init(
        _ configuration: PostgresConfiguration, name: String, logger: Logger,
        backoff: ReconnectBackoff = ReconnectBackoff()
    ) {
        self.configuration = configuration
        self.name = name
        var logger = logger
        logger[metadataKey: "connection"] = "\(name)"
        self.logger = logger
        machine = ReconnectStateMachine(backoff)
        state = .disconnected(since: .now, lastError: nil)
    }

    isolated deinit { attempt?.cancel() }

    /// Begins to connect; returns at once. Idempotent.
    package func start() { perform(machine.started()) }

    /// Runs `body` with the connection, waiting for one if need be.
    /// - Parameter limit: how long to wait for a connection. Then `PostgresError` of kind `.unavailable` is thrown, with the
    ///   reason of the outage in its message.
    package func use<T: Sendable>(
        waitAtMost limit: Duration = .seconds(5), _ body: @LoopActor (PostgresConnection) async throws -> T
    ) async throws -> T {
        let connection = try await connected(by: .now.advanced(by: limit))
        do {
            return try await body(connection)
        } catch let error as PostgresError {
            retireIfUseless(connection, after: error)
            throw error
        }
    }

    /// As `PostgresConnection.query`, waiting for a connection if need be.
    package func query(
        _ statement: PGStatement, _ parameters: [PGParameter] = [], waitAtMost limit: Duration = .seconds(5)
    ) async throws(PostgresError) -> PGRows {
        try await transaction([(statement, parameters)], waitAtMost: limit)[0]
    }

    /// As `PostgresConnection.transaction`, waiting for a connection if need be.
    package func transaction(
        _ steps: [(PGStatement, [PGParameter])], waitAtMost limit: Duration = .seconds(5)
    ) async throws(PostgresError) -> [PGRows] {
        let connection = try await connected(by: .now.advanced(by: limit))
        do {
            return try await connection.transaction(steps)
        } catch {
            retireIfUseless(connection, after: error)
            throw error
        }
    }

    /// As `PostgresConnection.copyIn`, waiting for a connection if need be.
    package func copyIn(
        _ sql: String, _ data: [UInt8], waitAtMost limit: Duration = .seconds(5)
    ) async throws(PostgresError) -> Int {
        let connection = try await connected(by: .now.advanced(by: limit))
        do {
            return try await connection.copyIn(sql, data)
        } catch {
            retireIfUseless(connection, after: error)
            throw error
        }
    }

    /// Subscribes to a channel for the life of the link: also after each reconnect. Returns once the subscription holds, or
    /// fails if the present connection refuses it; without a connection it returns at once, and holds from the first on.
    package func listen(
        _ channel: String, _ handler: @escaping @LoopActor (PGNotification) -> Void
    ) async throws(PostgresError) {
        subscriptions[channel] = handler
        guard let connection else { return }
        do {
            try await connection.listen(channel, handler)
        } catch {
            if error.kind != .connection { subscriptions[channel] = nil }
            throw error
        }
    }

    /// Waits for what is under way, at most `limit`, then closes. New uses fail at once. Idempotent.
    package func shutdown(limit: Duration = .seconds(5)) async {
        isShutDown = true
        machine.stopped()
        timer.stop()
        attempt?.cancel()
        waiters.wakeAll()
        guard let connection else { return }
        do {
            // Exclusive use is granted when everything before it has been answered.
            try await LoopClock.withTimeout(limit, "wait for the last statements") {
                try await connection.exclusively { _ in }
            }
        } catch {
            logger.debug("closing with statements under way", metadata: ["error": "\(error)"])
        }
        connection.close()
    }
}

// MARK: - Waiting and reconnecting

extension PostgresLink {
    func connected(by deadline: LoopInstant) async throws(PostgresError) -> PostgresConnection {
        while !isShutDown {
            if let connection { return connection }
            guard try await waiters.wait(until: deadline) else { break }
        }
        throw .unavailable(state, isShutDown: isShutDown)
    }

    /// A server that has become read-only is a demoted primary: the next attempt finds its successor.
    func retireIfUseless(_ connection: PostgresConnection, after error: PostgresError) {
        guard error.sqlState == .readOnlyTransaction else { return }
        connection.core.close(error.forSession)
    }

    private func perform(_ action: ReconnectStateMachine.Action) {
        switch action {
        case .connect:
            attempt = loopTask { [weak self, configuration, logger] in
                do throws(PostgresError) {
                    let connection = try await PostgresConnection.connect(configuration, logger: logger)
                    guard let self else { return connection.close() }
                    try await self.subscribe(connection)
                    self.established(connection)
                } catch {
                    self?.attemptFailed(error)
                }
            }
        case .wait(let delay):
            timer.start(after: delay) { [weak self] in
                guard let self else { return }
                self.perform(self.machine.delayPassed())
            }
        case .discard, .none:
            break
        }
    }

    private func subscribe(_ connection: PostgresConnection) async throws(PostgresError) {
        var done: Set<String> = []
        // Further ones may be added while we wait.
        while let (channel, handler) = subscriptions.first(where: { !done.contains($0.key) }) {
            try await connection.listen(channel, handler)
            done.insert(channel)
        }
    }

    private func established(_ connection: PostgresConnection) {
        guard connection.isOpen, machine.connected(at: .now) != .discard else {
            connection.close()
            return attemptFailed(PostgresError(kind: .connection, message: "the connection ended at once"))
        }
        self.connection = connection
        connection.onClose = { [weak self] error in self?.lost(error) }
        let isFirst = !hasConnected
        hasConnected = true
        logger.info("connected to the database", metadata: ["backend": "\(connection.backendPID)"])
        enter(.connected)
        waiters.wakeAll()
        if !isFirst { onReconnect?() }
    }

    private func attemptFailed(_ error: PostgresError) {
        guard case .disconnected(let since, let lastError) = state, !isShutDown else { return }
        // One warning for each new reason, not one for each attempt.
        let isNews = lastError?.message != error.message
        logger.log(level: isNews ? .warning : .debug, "cannot connect to the database", metadata: ["error": "\(error)"])
        state = .disconnected(since: since, lastError: error)
        perform(machine.attemptFailed(jitter: .random(in: 0...1)))
    }

    private func lost(_ error: PostgresError) {
        connection = nil
        if !isShutDown { logger.warning("lost the connection to the database", metadata: ["error": "\(error)"]) }
        enter(.disconnected(since: .now, lastError: error))
        perform(machine.lost(at: .now, jitter: .random(in: 0...1)))
    }

    private func enter(_ state: PostgresLinkState) {
        self.state = state
        onStateChange?(state)
    }
}

extension PostgresError {
    static func unavailable(_ state: PostgresLinkState, isShutDown: Bool) -> PostgresError {
        if isShutDown { return PostgresError(kind: .unavailable, message: "the database connections are shut down") }
        guard case .disconnected(_, let cause?) = state else {
            return PostgresError(kind: .unavailable, message: "no connection to the database yet")
        }
        return PostgresError(
            kind: .unavailable, sqlState: cause.sqlState, message: "no connection to the database: \(cause.message)")
    }
}
