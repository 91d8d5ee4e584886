package import JobCore
import Postgres
import UVLoop

extension JobStore {
    /// Brings the schema up to date, under an advisory lock: any number of hosts may do so at once. Waits as long as the
    /// database is away.
    package func migrate() async throws(StoreError) { preconditionFailure("later") }

    // MARK: Enqueue and retry

    package func enqueue(_ run: NewRun) async throws(StoreError) -> Enqueued { preconditionFailure("later") }
    /// All of them in one transaction, or with `.notFound` and the like per item where only that item is refused.
    /// Idempotency keys are not for batches: `.invalid` if an item has one.
    package func enqueue(batch: [NewRun]) async throws(StoreError) -> [Result<Enqueued, StoreError>] {
        preconditionFailure("later")
    }
    package func retry(_ id: RunID, _ changes: RetryChanges) async throws(StoreError) -> Enqueued {
        preconditionFailure("later")
    }

    // MARK: Reads

    package func run(_ id: RunID) async throws(StoreError) -> RunRow? { preconditionFailure("later") }
    /// Newest id first.
    package func runs(
        _ filter: RunFilter, limit: Int, cursor: RunCursor? = nil, withPayload: Bool = false
    ) async throws(StoreError) -> RunPage { preconditionFailure("later") }
    /// In order of attempts, the live one last.
    package func attempts(_ id: RunID) async throws(StoreError) -> [AttemptRow] { preconditionFailure("later") }
    package func logs(_ id: RunID, _ query: LogQuery) async throws(StoreError) -> [LogRow] {
        preconditionFailure("later")
    }
    package func logIndex(_ id: RunID) async throws(StoreError) -> LogIndex { preconditionFailure("later") }

    // MARK: Delivery

    package func claim(_ lease: HostLease, _ request: ClaimRequest) async throws(StoreError) -> [ClaimedRun] {
        preconditionFailure("later")
    }
    /// Results are in the order of `batch`.
    package func settle(_ lease: HostLease, _ batch: [Settlement]) async throws(StoreError) -> [SettleResult] {
        preconditionFailure("later")
    }
    /// Settles and claims in one commit. Results are in the order of `batch`.
    package func settleAndClaim(
        _ lease: HostLease, _ batch: [Settlement], claim: ClaimRequest
    ) async throws(StoreError) -> (settled: [SettleResult], claimed: [ClaimedRun]) { preconditionFailure("later") }
    /// For those who look from elsewhere: call it batched and lazily, for attempts older than a second, and again when their
    /// progress has changed. Ended attempts are ignored.
    package func noteStarted(_ lease: HostLease, _ batch: [StartedAttempt]) async throws(StoreError) {
        preconditionFailure("later")
    }
    /// COPY, on a connection of its own. After a failure with `mayHaveCommitted` the same lines may be there already: repeat
    /// all the same, readers drop doubles (same run and seq).
    package func appendLogs(_ lines: [LogInsert]) async throws(StoreError) { preconditionFailure("later") }
    /// Moves runs whose time has come to their queues.
    /// - Returns: how many; if it is `limit`, call again. And when the next one is due, if any.
    package func promoteDue(limit: Int = 1000) async throws(StoreError) -> (moved: Int, nextDue: WallTime?) {
        preconditionFailure("later")
    }
    /// Runs that this host is said to execute (after an outage: compare with what it does).
    package func liveRuns(_ lease: HostLease) async throws(StoreError) -> [RunRow] { preconditionFailure("later") }

    // MARK: Ending runs

    package func requestCancel(
        _ id: RunID, reason: String?, grace: Duration? = nil, actor: String? = nil
    ) async throws(StoreError) -> CancelAnswer { preconditionFailure("later") }
    package func requestTerminate(
        _ id: RunID, reason: String?, grace: Duration? = nil, actor: String? = nil
    ) async throws(StoreError) -> CancelAnswer { preconditionFailure("later") }
    /// Orders for this host's attempts that may have been missed: all that are asked for and not settled.
    package func pendingSignals(_ lease: HostLease) async throws(StoreError) -> [HostSignal] {
        preconditionFailure("later")
    }

    // MARK: Waking

    /// `onWake(queue)`: something was enqueued by others while this host slept. `onSignal`: cancel or terminate one of this
    /// host's attempts. `onReconnect`: notifications may have been missed: look at everything once.
    package func listen(
        host: HostID, onWake: @escaping @LoopActor (String) -> Void,
        onSignal: @escaping @LoopActor (HostSignal) -> Void, onReconnect: @escaping @LoopActor () -> Void
    ) async throws(StoreError) { preconditionFailure("later") }
    /// This host has nothing to do: enqueues by others notify it from now on. Look once more (claim) after it.
    /// - Parameter queues: nil: all.
    package func markSleeping(_ host: HostID, queues: Set<String>?) async throws(StoreError) {
        preconditionFailure("later")
    }
    package func markAwake(_ host: HostID) async throws(StoreError) { preconditionFailure("later") }
    /// Notifies hosts that sleep on these queues: for a host that enqueues and cannot run what it took.
    package func wakeSleepers(queues: Set<String>) async throws(StoreError) { preconditionFailure("later") }

    // MARK: Jobs, queues, plugins

    /// Makes or refreshes the jobs of a plugin's handlers. Settings that an operator made stay.
    package func registerHandlers(plugin: String, _ handlers: [JobUpsert]) async throws(StoreError) {
        preconditionFailure("later")
    }
    package func jobs() async throws(StoreError) -> [JobRow] { preconditionFailure("later") }
    /// `.notFound` with near matches.
    package func job(_ name: String) async throws(StoreError) -> JobRow { preconditionFailure("later") }
    package func queues() async throws(StoreError) -> [QueueRow] { preconditionFailure("later") }
    package func queue(_ name: String) async throws(StoreError) -> QueueRow { preconditionFailure("later") }
    /// - Returns: whether anything changed. A queue that does not exist yet is made.
    package func setPaused(
        queue: String, _ paused: Bool, reason: String? = nil, actor: String? = nil
    ) async throws(StoreError) -> Bool { preconditionFailure("later") }
    package func recordPluginVersion(_ version: PluginVersionRow) async throws(StoreError) {
        preconditionFailure("later")
    }
    package func pluginVersions(plugin: String? = nil) async throws(StoreError) -> [PluginVersionRow] {
        preconditionFailure("later")
    }

    // MARK: Hosts

    package func registerHost(_ host: HostRegistration) async throws(StoreError) -> HostRegistered {
        preconditionFailure("later")
    }
    /// - Returns: false: this host is fenced; it must end its children and stop, or register again.
    package func heartbeat(_ lease: HostLease) async throws(StoreError) -> Bool { preconditionFailure("later") }
    package func hosts() async throws(StoreError) -> [HostRow] { preconditionFailure("later") }
    /// Takes the attempts of silent hosts from them, if this host is entitled to judge.
    package func sweepSilentHosts(_ lease: HostLease) async throws(StoreError) -> HostSweep {
        preconditionFailure("later")
    }
    package func hostStopping(_ lease: HostLease) async throws(StoreError) { preconditionFailure("later") }
    /// The last word of a host: attempts it still holds go back to their queues as lost, and it is `stopped`.
    package func hostStopped(_ lease: HostLease) async throws(StoreError) { preconditionFailure("later") }

    // MARK: Schedules

    package func createSchedule(_ input: ScheduleInput) async throws(StoreError) -> ScheduleRow {
        preconditionFailure("later")
    }
    package func schedules(job: String? = nil) async throws(StoreError) -> [ScheduleRow] {
        preconditionFailure("later")
    }
    package func schedule(_ id: Int64) async throws(StoreError) -> ScheduleRow { preconditionFailure("later") }
    /// - Parameter ifRevision: nil: whatever it is; another than the present one: `.conflict("revision_mismatch")`.
    package func updateSchedule(
        _ id: Int64, _ input: ScheduleInput, ifRevision: Int64?
    ) async throws(StoreError) -> ScheduleRow { preconditionFailure("later") }
    package func deleteSchedule(_ id: Int64, ifRevision: Int64?) async throws(StoreError) {
        preconditionFailure("later")
    }
    /// Those that fire within this span, soonest first.
    package func dueSchedules(within: Duration, limit: Int = 100) async throws(StoreError) -> [ScheduleRow] {
        preconditionFailure("later")
    }
    package func occurrences(_ id: Int64, limit: Int = 50) async throws(StoreError) -> [OccurrenceRow] {
        preconditionFailure("later")
    }
    /// Fires what is due, each in a transaction of its own; of missed times only the latest.
    /// - Returns: the firings, and when the next schedule is due.
    package func fireDue(limit: Int = 100) async throws(StoreError) -> (fired: [Firing], nextDue: WallTime?) {
        preconditionFailure("later")
    }
    /// Rules of an IANA zone; `.invalid` with pointer `/timezone` if there is none of that name.
    package func zone(_ name: String) throws(StoreError) -> any ZoneRules { preconditionFailure("later") }

    // MARK: Safety, figures, upkeep

    /// Longest first.
    package func staleRuns(olderThan: Duration, limit: Int = 1000) async throws(StoreError) -> [StaleRun] {
        preconditionFailure("later")
    }
    /// Ends or requeues those of `runs` that are still in the same attempt; tells their hosts to kill what runs.
    package func cleanupStale(
        _ runs: [(id: RunID, attempt: Int)], outcome: StaleOutcome, actor: String? = nil
    ) async throws(StoreError) -> [StaleAnswer] { preconditionFailure("later") }
    package func safetyCounts(staleAfter: Duration) async throws(StoreError) -> SafetyCounts {
        preconditionFailure("later")
    }
    package func stats(since: WallTime) async throws(StoreError) -> StatsSummary { preconditionFailure("later") }
    /// Folds counters, makes partitions ahead, drops those whose time is over, forgets expired keys. Call every second or so;
    /// the heavier parts do themselves at longer intervals. One host at a time; the others return at once.
    package func maintain() async throws(StoreError) -> Maintenance { preconditionFailure("later") }
    package func audit(
        actor: String?, action: String, target: String, detail: String? = nil
    ) async throws(StoreError) { preconditionFailure("later") }
}
