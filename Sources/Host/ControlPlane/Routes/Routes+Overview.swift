import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// The last overview, so that ten open pages cost the database one.
struct OverviewCache {
    /// Fresh enough for a page that asks every two seconds.
    private static let life = Duration.milliseconds(500)

    private var members: String?
    private var made = LoopInstant(nanoseconds: 0)

    func fresh(at now: LoopInstant) -> String? { now - made < Self.life ? members : nil }

    mutating func keep(_ members: String, at now: LoopInstant) {
        self.members = members
        made = now
    }
}

extension Backend {
    var overviewRoutes: [Route] {
        [Route(.get, "/api/v1/overview") { [self] in try await showOverview($0) }]
    }

    private static let runningLimit = 50
    private static let recentLimit = 50
    private static let scheduleLimit = 50
    private static let crashLimit = 8
    /// Runs whose last lines are shown, and how many lines.
    private static let tails = 8
    private static let tailLines = 5

    /// All that the page shows at once. The tag is of what is shown, not of the time at which it is.
    private func showOverview(_ call: Call) async throws -> Answer {
        let now = LoopInstant.now
        let shown: String
        if let fresh = overview.fresh(at: now) {
            shown = fresh
        } else {
            shown = try await makeOverview().text
            overview.keep(shown, at: now)
        }
        var text = shown
        text.removeLast()
        text += ",\"now\":\"\(WallClock.now.rfc3339)\"}"
        return Answer.json(text).tagged(call, by: Array(shown.utf8))
    }

    private func makeOverview() async throws -> JSONObject {
        let running = try await store.runs(RunFilter(states: [.running]), limit: Self.runningLimit).runs
        let others = Set(RunState.allCases).subtracting([.running])
        let recent = try await store.runs(RunFilter(states: others), limit: Self.recentLimit).runs
        let queues = try await store.queues()
        let schedules = try await store.schedules().sorted {
            ($0.nextAt ?? WallTime(micros: .max)) < ($1.nextAt ?? WallTime(micros: .max))
        }
        var object = JSONObject()
        object.object("host", ownHost())
        var total: [RunState: Int64] = [:]
        for queue in queues { total.merge(queue.counts) { $0 + $1 } }
        object.object("counts", CatalogJSON.counts(total))
        var items: [String] = []
        for (index, run) in running.enumerated() {
            var item = RunJSON.object(run, live: host.live(runID: run.id))
            if index < Self.tails {
                let lines = try await store.logs(run.id, LogQuery(limit: Self.tailLines, isTail: true))
                item.array("log_tail", lines.map { LogJSON.object($0).text })
            }
            items.append(item.text)
        }
        object.array("running", items)
        object.array("recent", recent.map { RunJSON.object($0).text })
        object.array("schedules", schedules.prefix(Self.scheduleLimit).map { ScheduleJSON.object($0).text })
        let quarantines = try await knownQuarantines()
        object.array("plugins", try await pluginItems())
        object.array("quarantines", quarantines.map { QuarantineJSON.object($0).text })
        object.array("crashes", try await store.errorGroups(limit: Self.crashLimit).map { CrashJSON.group($0).text })
        // Ages grow all the time; what the page needs is in the counts.
        object.array("queues", queues.map { CatalogJSON.queue($0, $0.oldestQueuedAt ?? WallTime(micros: 0)).text })
        object.raw("health", try await stableHealth())
        return object
    }

    /// Without its time, which would make every overview a new one.
    private func stableHealth() async throws -> String {
        let report = try await healthReport().text
        guard let members = try JSONText.members(of: report) else { preconditionFailure("a report is an object") }
        return "{"
            + members.filter { $0.key != "as_of" }.map { JSONText.quoted($0.key) + ":" + $0.value }
            .joined(separator: ",") + "}"
    }

    private func ownHost() -> JSONObject {
        let own = host.hostView()
        var object = JSONObject()
        object.string("id", own.id?.description)
        object.string("name", own.hostname)
        object.string("version", configuration.version)
        object.int("pid", own.pid)
        object.int("slots", own.slots)
        object.int("running", own.running)
        object.string("isolation", own.isolation)
        object.bool("draining", host.isDraining)
        object.string("uploads", configuration.uploads.rawValue)
        object.time("started_at", own.startedAt)
        return object
    }
}
