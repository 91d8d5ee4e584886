import JobCore
import JobStore
import Logging
import UVLoop

/// What all routes share: the store, the host, and what lives between requests.
@LoopActor
final class Backend {
    let configuration: ControlPlaneConfiguration
    let store: JobStore
    unowned let host: any HostControl
    let keys: Keys
    let gate: Gate
    let logger: Logger
    let startedAt = WallClock.now
    var plans = PlanBook<StalePlan>()
    var clearPlans = PlanBook<ClearPlan>()
    var bulkPlans = PlanBook<BulkPlan>()
    var orphanPlans = PlanBook<OrphanPlan>()
    var terminatePlans = PlanBook<TerminatePlan>()
    var emergencyPlans = PlanBook<EmergencyPlan>()
    var removalPlans = PlanBook<RemovalPlan>()
    var backfillPlans = PlanBook<ScheduleBackfill>()
    /// By what they would do, as text.
    var statePlans = PlanBook<String>()
    var overview = OverviewCache()
    /// Keys of batches that this host is taking just now.
    var batchesUnderWay: Set<String> = []
    /// Clears and bulk operations, by their keys.
    var operations = AnswerMemory()
    /// Runs that somebody is looking into just now.
    var diagnosing: Set<RunID> = []
    /// Figures of the sockets and the responder, for `/metrics`.
    var ownMetrics: @LoopActor () -> [MetricFamily] = { [] }

    init(
        configuration: ControlPlaneConfiguration, store: JobStore, host: any HostControl, keys: Keys, gate: Gate,
        logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.host = host
        self.keys = keys
        self.gate = gate
        self.logger = logger
    }

    /// Refuses what would make new work while the host is on its way out.
    func refuseWhileDraining() throws(Problem) {
        if host.isDraining { throw .draining }
    }

    /// The run, or 404.
    func existingRun(_ id: RunID) async throws -> RunRow {
        guard let run = try await store.run(id) else { throw Problem.notFound("run", id.description) }
        return run
    }

    /// Waits until the run is over, `seconds` have passed, or the client is gone.
    func waitForEnd(of id: RunID, seconds: Int, _ call: Call) async throws -> RunRow {
        let deadline = LoopInstant.now.advanced(by: .seconds(seconds))
        let bell = Bell()
        let pump = loopTask { [host] in
            for await _ in host.logsArrived(runID: id) { bell.ring() }
        }
        let observer = call.hangUp.observe { bell.ring() }
        defer {
            pump.cancel()
            call.hangUp.forget(observer)
        }
        while true {
            let run = try await existingRun(id)
            let left = deadline - LoopInstant.now
            if run.state.isTerminal || left <= .zero || call.hangUp.happened { return run }
            // The bell knows this host only; the run may be on another.
            await bell.wait(atMost: min(left, .seconds(1)))
        }
    }

    /// `{items, next_cursor, prev_cursor, as_of}` of a list that is whole.
    func list(_ items: [String]) -> JSONObject {
        var object = JSONObject()
        object.array("items", items)
        object.raw("next_cursor", "null")
        object.raw("prev_cursor", "null")
        object.time("as_of", WallClock.now)
        return object
    }
}
