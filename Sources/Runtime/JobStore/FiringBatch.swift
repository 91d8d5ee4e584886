import JobCore
import Logging
import Postgres
import UVLoop

/// One transaction of the scheduler: schedules are taken, planned, and everything that follows is written by a few statements for
/// all of them together.
@LoopActor
struct FiringBatch {
    struct Step: Sendable {
        var taken = 0
        /// Further events of a schedule that has one in this batch.
        var deferred = 0
        var fired: [Firing] = []
    }

    /// A schedule and what becomes of it.
    fileprivate struct Due {
        var schedule: ScheduleRow
        var event: String?
        var plan: FiringPlan
    }

    /// One planned time.
    private struct Entry {
        var due: Int
        var planned: WallTime
        var verdict: FiringPlan.Verdict
        var missed = 0
    }

    private struct Key: Hashable {
        var schedule: Int64
        var planned: Int64
    }

    private let store: JobStore
    private let connection: PostgresConnection
    private let term: Int64?

    init(_ store: JobStore, _ connection: PostgresConnection, _ term: Int64?) {
        self.store = store
        self.connection = connection
        self.term = term
    }

    func fire(_ statement: PGStatement, limit: Int) async throws -> Step {
        let isEvent = statement == .scheduleTakeEvents
        let rows = try await connection.query(statement, [.int64(orNull: term), .int64(Int64(limit))])
        var step = Step()
        var found: [(schedule: ScheduleRow, zone: any ZoneRules, event: String?)] = []
        var broken: [(id: Int64, reason: String)] = []
        var seen: Set<Int64> = []
        var now = WallTime(micros: 0)
        for row in rows {
            step.taken += 1
            let id = try row.int64(0)
            guard seen.insert(id).inserted else {
                step.deferred += 1
                continue
            }
            now = WallTime(micros: try row.micros("now"))
            do {
                let schedule = try store.scheduleRow(row)
                if let zone = store.zones.rules(schedule.input.timezone) {
                    found.append((schedule, zone, isEvent ? try row.text("event") : nil))
                } else {
                    broken.append((id, "no time zone \(schedule.input.timezone) on this host"))
                }
            } catch let fault as FieldFault {
                // Changed by hand, or by another version: the others must not wait for it.
                broken.append((id, "its specification cannot be read: \(fault)"))
            }
        }
        store.underFire = Array(seen)
        // One look for all of them.
        let names = Set(found.flatMap { $0.schedule.input.options.calendars }).sorted()
        let calendars = try await store.contents(ofCalendars: names, connection)
        var ready: [(schedule: ScheduleRow, timetable: Timetable, event: String?)] = []
        for (schedule, zone, event) in found {
            if let timetable = schedule.input.timetable(zone, calendars) {
                ready.append((schedule, timetable, event))
            } else {
                broken.append((schedule.id, JobStore.calendarGone))
            }
        }
        if !broken.isEmpty { try await postpone(broken) }
        guard !ready.isEmpty else { return step }
        let going = try await going(ready.map(\.schedule))
        let due = ready.map { schedule, timetable, event in
            Due(
                schedule: schedule, event: event,
                plan: Self.plan(schedule, timetable, event, going[schedule.id] ?? [], now))
        }
        step.fired = try await write(due)
        return step
    }

    private static func plan(
        _ schedule: ScheduleRow, _ timetable: Timetable, _ event: String?, _ going: [(RunID, Bool)], _ now: WallTime
    ) -> FiringPlan {
        var state = schedule.firingState
        state.going = going.map(\.0)
        state.hasWaiting = going.contains { $0.1 }
        if event != nil, let at = schedule.nextAt {
            // What happens before its start or after its end is none of its times.
            if timetable.start.map({ at < $0 }) == true || timetable.end.map({ at > $0 }) == true { state.next = nil }
            if !schedule.input.isEnabled { state.next = nil }
        }
        return FiringPlan(timetable, state, now: now)
    }

    /// It cannot fire now; it says why, and is tried again in a minute, at the time that was planned.
    private func postpone(_ broken: [(id: Int64, reason: String)]) async throws {
        for (id, reason) in broken {
            store.logger.warning("a schedule cannot fire", metadata: ["schedule": "\(id)", "reason": "\(reason)"])
        }
        _ = try await connection.query(
            .scheduleBroken, [.int64Array(broken.map(\.id)), .textArray(broken.map { $0.reason.storable })])
    }

    /// Runs that have not ended, and whether they wait for others; of schedules to which that matters.
    private func going(_ schedules: [ScheduleRow]) async throws -> [Int64: [(RunID, Bool)]] {
        let asked = schedules.filter { $0.input.options.overlap != .allow }
        guard !asked.isEmpty else { return [:] }
        let rows = try await connection.query(
            .scheduleGoing,
            [.int64Array(asked.map(\.id)), .boolArray(asked.map(\.input.options.countsManual))])
        var going: [Int64: [(RunID, Bool)]] = [:]
        for row in rows { going[try row.int64(0), default: []].append((RunID(try row.int64(1)), try row.bool(2))) }
        return going
    }

    // MARK: Writing

    private func write(_ due: [Due]) async throws -> [Firing] {
        var entries: [Entry] = []
        for (index, item) in due.enumerated() {
            var missed = item.plan.unlisted
            for occurrence in item.plan.occurrences where occurrence.verdict == .record(.missed) { missed += 1 }
            for occurrence in item.plan.occurrences {
                var entry = Entry(due: index, planned: occurrence.planned, verdict: occurrence.verdict)
                if case .record = occurrence.verdict {
                } else {
                    // Times that were missed are told with the first that fires after them.
                    entry.missed = missed
                    missed = 0
                }
                entries.append(entry)
            }
        }
        entries = try await record(entries, due)
        let firings = try await enqueue(entries, due)
        for item in due where firings.contains(where: { $0.scheduleID == item.schedule.id }) {
            for run in item.plan.cancel { try await store.giveWay(run, .cancel, connection) }
            for run in item.plan.terminate { try await store.giveWay(run, .terminate, connection) }
        }
        try await finish(due, firings)
        return firings
    }

    /// Writes rows; answers the entries that had none before.
    private func record(_ entries: [Entry], _ due: [Due]) async throws -> [Entry] {
        var new: [Entry] = []
        var left = entries
        // Two events at the same microsecond are two planned times.
        for _ in 0..<100 where !left.isEmpty {
            let rows = try await connection.query(
                .scheduleRecord,
                [
                    .int64Array(left.map { due[$0.due].schedule.id }), .timestampArray(left.map(\.planned.micros)),
                    .int64Array(left.map { Int64($0.missed) }), .textArray(left.map { $0.verdict.reason?.rawValue }),
                    .textArray(left.map { due[$0.due].source }), .textArray(left.map { due[$0.due].event }),
                ])
            var written: Set<Key> = []
            for row in rows { written.insert(Key(schedule: try row.int64(0), planned: try row.micros(1))) }
            var again: [Entry] = []
            for entry in left {
                if written.contains(Key(schedule: due[entry.due].schedule.id, planned: entry.planned.micros)) {
                    new.append(entry)
                } else if due[entry.due].event != nil {
                    var later = entry
                    later.planned = entry.planned.advanced(by: .microseconds(1))
                    again.append(later)
                }
            }
            left = again
        }
        return new
    }

    private func enqueue(_ entries: [Entry], _ due: [Due]) async throws -> [Firing] {
        var wanted: [(entry: Entry, startsAt: WallTime, isKeptBack: Bool)] = []
        for entry in entries {
            switch entry.verdict {
            case .fire(let startsAt): wanted.append((entry, startsAt, false))
            case .queue(let startsAt): wanted.append((entry, startsAt, true))
            case .record: break
            }
        }
        guard !wanted.isEmpty else { return [] }
        let runs = wanted.map { item in
            due[item.entry.due].schedule.run(
                item.entry.planned, startsAt: item.startsAt, isKeptBack: item.isKeptBack)
        }
        let taken = try JobStore.enqueued(
            try await connection.query(.runEnqueue, JobStore.parameters(runs)), count: runs.count)
        var firings: [Firing] = []
        for (item, enqueued) in zip(wanted, taken) {
            guard let enqueued else { preconditionFailure("the job is there: the schedule refers to it") }
            firings.append(
                Firing(
                    scheduleID: due[item.entry.due].schedule.id, plannedAt: item.entry.planned, run: enqueued,
                    isKeptBack: item.isKeptBack))
        }
        let kept = zip(wanted, firings).filter(\.0.isKeptBack)
        if !kept.isEmpty {
            _ = try await connection.query(
                .scheduleKeepBack,
                [
                    .int64Array(kept.map(\.1.run.id.rawValue)), .timestampArray(kept.map(\.0.startsAt.micros)),
                    .int64Array(kept.map(\.1.scheduleID)), .null,
                ])
        }
        _ = try await connection.query(
            .scheduleOccurred,
            [
                .int64Array(firings.map(\.scheduleID)), .timestampArray(firings.map(\.plannedAt.micros)),
                .int64Array(firings.map(\.run.id.rawValue)),
            ])
        return firings
    }

    private func finish(_ due: [Due], _ firings: [Firing]) async throws {
        let events = due.filter { $0.event != nil }
        if !events.isEmpty {
            _ = try await connection.query(
                .scheduleEventsDone, [.int64Array(events.map(\.schedule.id)), .textArray(events.map(\.event))])
        }
        var last: [Int64: Firing] = [:]
        var counts: [Int64: Int64] = [:]
        for firing in firings {
            last[firing.scheduleID] = firing
            counts[firing.scheduleID, default: 0] += 1
        }
        let done = try await connection.query(
            .scheduleFired,
            [
                .int64Array(due.map(\.schedule.id)),
                .timestampArray(due.map { last[$0.schedule.id]?.plannedAt.micros }),
                .nullableInt64Array(due.map { last[$0.schedule.id]?.run.id.rawValue }),
                .timestampArray(due.map { $0.event == nil ? $0.plan.next?.micros : nil }),
                .int64Array(due.map { counts[$0.schedule.id] ?? 0 }), .int64Array(due.map { Int64($0.plan.ordinal) }),
                .int64Array(due.map { Int64($0.plan.skipNext) }), .int64(orNull: term),
            ])
        guard done.count == due.count else {
            // Another host has taken over between the look and now: nothing of this may stay.
            throw StoreError.conflict(
                code: "another_leader", detail: "another host fires schedules now", currentState: nil)
        }
    }
}

extension FiringBatch.Due {
    /// What made it.
    fileprivate var source: String { event == nil ? "time" : schedule.input.spec.kind }
}

extension FiringPlan.Verdict {
    var reason: OccurrenceReason? {
        if case .record(let reason) = self { reason } else { nil }
    }
}
