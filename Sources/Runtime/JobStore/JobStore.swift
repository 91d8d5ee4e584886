package import JobCore
package import Logging
package import Postgres
package import UVLoop

/// The rows of the product and the statements on them: the only way to the database for everybody above.
///
/// Four kinds of connections: claiming and settling (with planner switches of its own, so that no statistics can change
/// the plan), COPY of log lines, LISTEN, and a pool for everything else. All of them come back by themselves after an
/// outage; a call waits a few seconds for that and then throws `StoreError.unavailable`.
///
/// Everything that changes a run is guarded by run, attempt and the host's epoch in the statement itself, so that two
/// hosts, or a host and an operator, can never both decide.
@LoopActor
package final class JobStore {
    let logger: Logger
    let delivery: PostgresLink
    let copying: PostgresLink
    let listening: PostgresLink
    let pool: PostgresPool
    var lanes = LaneBook()
    var forecast = LaneForecast()
    /// Stores requests in the commit of a claim that takes them, so that they begin after one commit and not after two. Nil: not now, and
    /// nothing was stored.
    package var storeWithClaim: (@LoopActor ([NewRun]) async -> Result<[Enqueued?], StoreError>?)?
    /// The rules of queues and jobs, as of the last look for lanes.
    package internal(set) var admission = Admission()
    /// What everybody must stop doing, as of the last look.
    package internal(set) var emergency = Emergency()
    var emergencyLooks = LookOrder()
    let schemas = SchemaBook()
    var logTallies = LogTallies()
    let logGate = LogGate()
    let liveness: LivenessTimes
    var heartbeats: HeartbeatRecord
    private(set) lazy var flusher = EnqueueFlusher { [weak self] runs in
        guard let self else {
            let gone = StoreError.unavailable(PostgresError(kind: .unavailable, message: "the store is gone"))
            return Array(repeating: .failure(gone), count: runs.count)
        }
        return await writeGathered(runs)
    }
    let batchGate = BatchGate()
    let zones: ZoneDatabase
    /// Schedules that are being fired: if that fails of one, which it was.
    var underFire: [Int64] = []
    /// By the statement that takes them, how many are fired one by one because a batch has failed.
    var firingAlone: [String: Int] = [:]
    /// When the last settle or claim returned.
    var lastExchange = LoopInstant(nanoseconds: 0)
    /// The last claim: whose jobs and queues the watermarks are for.
    var lastReach: ClaimRequest?
    var lastHeavyUpkeep: LoopInstant?
    /// How often the database was asked what jobs there are, or what one takes.
    package internal(set) var lookups: UInt64 = 0
    var calendarBook = CalendarBook()
    /// Jobs that are gone and whose runs were not found: when to look again, and the pause after that.
    var orphans = OrphanBook()
    /// No fold of counters before.
    var nextFold = LoopInstant(nanoseconds: 0)

    /// Connects only after `start`.
    /// - Parameters:
    ///   - configuration: how to reach the database; its `sessionSettings` are kept, ours come on top.
    ///   - readers: connections for enqueues and reads.
    ///   - zoneDirectory: where the compiled time zones are.
    ///   - liveness: when this host says that it lives.
    package init(
        configuration: PostgresConfiguration, logger: Logger, readers: Int = 3,
        zoneDirectory: String = ZoneFiles.systemDirectory, liveness: LivenessTimes = .standard
    ) {
        self.logger = logger
        self.liveness = liveness
        heartbeats = HeartbeatRecord(liveness)
        zones = ZoneDatabase(directory: zoneDirectory)
        delivery = PostgresLink(
            configuration.with(SessionSettings.delivery), name: "delivery", logger: logger)
        copying = PostgresLink(configuration.with(SessionSettings.copying), name: "copy", logger: logger)
        listening = PostgresLink(configuration.with(SessionSettings.common), name: "listen", logger: logger)
        pool = PostgresPool(configuration.with(SessionSettings.common), size: readers, logger: logger)
    }

    /// Begins to connect; returns at once. Call `migrate()` before anything else.
    package func start() {
        pool.start()
        delivery.start()
        copying.start()
        listening.start()
    }

    /// Whether the database can be reached.
    package var databaseState: PostgresLinkState { pool.state }

    /// Called on the loop after each change of `databaseState`.
    package var onDatabaseStateChange: (@LoopActor (PostgresLinkState) -> Void)? {
        get { pool.onStateChange }
        set { pool.onStateChange = newValue }
    }

    /// Finishes what is under way, a few seconds at most, and closes all connections.
    package func shutdown() async {
        await delivery.shutdown()
        await copying.shutdown()
        await listening.shutdown()
        await pool.shutdown()
    }

    /// One trip to the database and back, for `/readyz`.
    package func ping() async throws(StoreError) { _ = try await query(.ping) }

    /// The database's clock.
    package func databaseTime() async throws(StoreError) -> WallTime {
        try await decoding { () throws in WallTime(micros: try await self.query(.databaseTime)[0].micros(0)) }
    }
}

extension PGStatement {
    static let ping = PGStatement(name: "ping", sql: "SELECT 1")
    static let databaseTime = PGStatement(name: "database_time", sql: "SELECT clock_timestamp()")
}

/// Server settings of our sessions.
enum SessionSettings {
    /// `pawl.host` tells the wake-up trigger that this session wakes its own host without NOTIFY.
    /// A host that is stopped, or cut off, in the middle of a transaction must not keep the others waiting for its locks.
    static let common = [
        "pawl.host": "on", "jit": "off", "timezone": "UTC", "idle_in_transaction_session_timeout": "15s",
    ]
    /// Lines that may be there are looked for by their index, whatever the statistics say.
    static let copying = common.merging([
        "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_bitmapscan": "off",
    ]) { $1 }
    /// Plans of the claim and settle statements must not depend on statistics, which are always wrong for a queue.
    static let delivery = common.merging([
        "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_sort": "off",
        "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_bitmapscan": "off", "enable_material": "off",
        "enable_memoize": "off",
    ]) { $1 }
}

extension PostgresConfiguration {
    func with(_ settings: [String: String]) -> PostgresConfiguration {
        var copy = self
        copy.sessionSettings.merge(settings) { $1 }
        return copy
    }
}

// MARK: - Errors

extension JobStore {
    /// How often a statement that lost a deadlock is tried in all. Statements over several runs lock them in the order of
    /// their plans; where two meet, the server rolls one back, so repeating it is safe.
    static let deadlockTries = 4

    func query(_ statement: PGStatement, _ parameters: [PGParameter] = []) async throws(StoreError) -> PGRows {
        try await transaction([(statement, parameters)])[0]
    }

    func transaction(_ steps: [(PGStatement, [PGParameter])]) async throws(StoreError) -> [PGRows] {
        var tries = Self.deadlockTries
        while true {
            do throws(PostgresError) {
                return try await pool.transaction(steps)
            } catch {
                tries -= 1
                guard error.sqlState == .deadlockDetected, tries > 0 else { throw StoreError(error) }
            }
        }
    }

    /// Runs `body` in an interactive transaction of the pool; once more, from its beginning, if it lost a deadlock.
    func withTransaction<T: Sendable>(
        _ body: @LoopActor (PostgresConnection) async throws -> T
    ) async throws(StoreError) -> T {
        var tries = Self.deadlockTries
        while true {
            do {
                return try await decoding { () throws in try await self.pool.withTransaction(body) }
            } catch {
                tries -= 1
                guard case .unavailable(let cause) = error, cause.sqlState == .deadlockDetected, tries > 0 else {
                    throw error
                }
            }
        }
    }

    /// Gives every error of `body` its place in `StoreError`. A cell that cannot be decoded means that statement and reader
    /// do not belong together: the schema was changed by hand, or we made a mistake.
    func decoding<T: Sendable>(_ body: @LoopActor () async throws -> T) async throws(StoreError) -> T {
        do {
            return try await body()
        } catch let error as StoreError {
            throw error
        } catch let error as PostgresError {
            throw StoreError(error)
        } catch {
            throw .database(PostgresError(kind: .protocol, message: "\(error)"))
        }
    }
}
