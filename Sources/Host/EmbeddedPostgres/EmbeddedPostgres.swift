import Glibc
package import Logging
package import UVLoop

/// A private PostgreSQL server below a data directory, for hosts that were given no database.
///
/// - It listens on a Unix socket only, in a directory that only the server's user and root may enter.
/// - Started by root it runs as user `postgres`; where its files are then, `ClusterLayout.find` says.
/// - It runs in a session of its own and survives a hard kill of the host: the next host adopts it. A server that dies is
///   started again. `stop` ends it.
/// - A lock on the data directory keeps a second host out.
///
/// Nothing here talks to the database: connect with what `start` returns.
@LoopActor
package final class EmbeddedPostgres {
    package enum StopMode: Sendable {
        /// Open transactions are rolled back, everything is written out.
        case fast
        /// The server drops everything; it recovers at its next start. Nothing committed is lost.
        case immediate
    }

    private enum State {
        case idle, starting, running, restarting, stopping, stopped
    }

    /// How long `stop` waits for each step before it takes the next: the asked one, SIGQUIT, SIGKILL.
    package static let stopSteps: (asked: Duration, quit: Duration) = (.seconds(30), .seconds(10))

    private let dataDirectory: String
    private let logger: Logger
    private let settings: [String: String]
    private let standIn: String
    private let callersLock: DataDirectoryLock?
    private var lock: DataDirectoryLock?
    private var state = State.idle
    private var cluster: Cluster?
    private var postmaster: Postmaster?
    private var restarts = RestartBackoff()
    private var restartTask: Task<Void, Never>?
    private let pruneTimer = LoopTimer()
    /// Calls of `stop` that another call, or `start`, brings to an end.
    private var stopWaiters: [CheckedContinuation<Void, Never>] = []

    /// Called on the loop when the server has ended although nobody asked, with what is known of why. It is being started
    /// again then; connections heal by themselves.
    package var onUnexpectedExit: (@LoopActor (String) -> Void)?

    /// The process id of the running server.
    package var serverPID: Int32? { postmaster?.pid }

    /// Does nothing yet.
    /// - Parameters:
    ///   - dataDirectory: made if missing.
    ///   - lock: a lock on that directory which the caller holds already; else `start` takes one.
    ///   - settings: more server settings, which win over our own.
    ///   - serverUser: runs the server if we are root.
    package init(
        dataDirectory: String, logger: Logger, lock: DataDirectoryLock? = nil, settings: [String: String] = [:],
        serverUser: String = "postgres"
    ) {
        self.dataDirectory = dataDirectory
        self.logger = logger
        callersLock = lock
        self.settings = settings
        standIn = serverUser
    }

    /// Starts the server, or adopts the one that a killed host has left, and returns when it takes connections.
    ///
    /// The first start makes the cluster (about a second); one that was interrupted is made anew. Recovery after a crash may
    /// take long: that is waited for without a limit, and can be ended by cancellation or `stop`.
    /// - Returns: a libpq connection string, the same at each start as long as the directory stays where it is.
    package func start() async throws(EmbeddedPostgresError) -> String {
        precondition(state == .idle || state == .stopped, "started twice")
        state = .starting
        do throws(EmbeddedPostgresError) {
            let lock = if let callersLock { callersLock } else { try DataDirectoryLock(dataDirectory: dataDirectory) }
            self.lock = lock
            var cluster = try await Cluster.prepare(
                dataDirectory: lock.dataDirectory, standIn: standIn, settings: settings, logger: logger)
            let (postmaster, wasRunning) = try await cluster.adoptOrStart { [weak self] in self?.state == .starting }
            guard state == .starting else {
                await postmaster.stop(.fast, steps: Self.stopSteps)
                throw EmbeddedPostgresError.stopped
            }
            self.cluster = cluster
            running(postmaster, wasRunning: wasRunning)
            ServerLog.prune(cluster.layout.log)
            let log = cluster.layout.log
            pruneTimer.start(after: .seconds(600), repeating: .seconds(600)) { ServerLog.prune(log) }
            return cluster.connectionString
        } catch {
            endStopped()
            throw error
        }
    }

    /// Stops the server and returns when it has ended, after `stopSteps` at the latest. Idempotent.
    package func stop(mode: StopMode = .fast) async {
        switch state {
        case .idle, .stopped: return
        case .starting, .stopping:
            state = .stopping
            return await withCheckedContinuation { stopWaiters.append($0) }
        case .running, .restarting:
            state = .stopping
        }
        pruneTimer.stop()
        restartTask?.cancel()
        await restartTask?.value
        if let postmaster {
            await postmaster.stop(mode, steps: Self.stopSteps)
            logger.info("stopped the private PostgreSQL", metadata: ["pid": "\(postmaster.pid)"])
        }
        endStopped()
    }

    private func endStopped() {
        postmaster = nil
        state = .stopped
        lock = nil
        let waiters = stopWaiters
        stopWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    private func running(_ postmaster: Postmaster, wasRunning: Bool) {
        self.postmaster = postmaster
        state = .running
        restarts.started(at: .now)
        logger.info(
            wasRunning ? "adopted the running private PostgreSQL" : "started the private PostgreSQL",
            metadata: ["pid": "\(postmaster.pid)", "directory": "\(cluster?.layout.base ?? "")"])
        // It may have ended while we were preparing to listen.
        if let end = postmaster.end { return ended(end) }
        postmaster.onEnd = { [weak self, weak postmaster] in self?.ended(postmaster?.end ?? "") }
    }

    private func ended(_ how: String) {
        postmaster = nil
        guard state == .running, let cluster else { return }
        let reason = "PostgreSQL ended unexpectedly: \(how). \(cluster.lastWords())"
        logger.error("\(reason)")
        state = .restarting
        restartTask = loopTask { [weak self] in await self?.restart() }
        onUnexpectedExit?(reason)
    }

    private func restart() async {
        while state == .restarting, var cluster {
            do {
                try await LoopClock.sleep(for: restarts.ended(at: .now))
                let (postmaster, wasRunning) = try await cluster.adoptOrStart { [weak self] in
                    self?.state == .restarting
                }
                guard state == .restarting else {
                    self.postmaster = postmaster  // `stop`, which waits for us, ends it.
                    return
                }
                return running(postmaster, wasRunning: wasRunning)
            } catch {
                if state == .restarting { logger.error("cannot start PostgreSQL again: \(error)") }
            }
        }
    }
}

/// How long to wait before the server is started again.
struct RestartBackoff {
    private var startedAt: LoopInstant?
    private var inRow = 0

    mutating func started(at now: LoopInstant) { startedAt = now }

    /// The server has ended, or did not start. At once after a healthy minute, else 0.2 s, 0.4 s, … 10 s.
    mutating func ended(at now: LoopInstant) -> Duration {
        if let startedAt, now - startedAt >= .seconds(60) { inRow = 0 }
        startedAt = nil
        defer { inRow += 1 }
        return inRow == 0 ? .zero : min(.milliseconds(100) * (1 << min(inRow, 10)), .seconds(10))
    }
}

extension Postmaster {
    /// Asks it to stop, with more force at each step, and returns when it has ended.
    func stop(_ mode: EmbeddedPostgres.StopMode, steps: (asked: Duration, quit: Duration)) async {
        let timer = LoopTimer()
        // Source of the signals: PostgreSQL documentation 19.5. Without its postmaster every server process ends by itself.
        timer.start(after: steps.asked) {
            self.signal(SIGQUIT)
            timer.start(after: steps.quit) { self.signal(SIGKILL) }
        }
        signal(mode == .fast ? SIGINT : SIGQUIT)
        await waitForEnd()
        timer.stop()
    }
}
