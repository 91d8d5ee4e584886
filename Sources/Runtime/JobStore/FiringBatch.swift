import JobCore
import Logging
import Postgres
import UVLoop

/// One transaction of the scheduler: schedules are taken, planned, and everything that follows is written by a few statements for
/// all of them together.
@LoopActor
struct FiringBatch {
    struct Step: Sendable {
        /// Schedules that were dealt with.
        var taken = 0
        /// There may be others that are due, or more events of these.
        var mayHaveMore = false
        var fired: [Firing] = []
    }

    /// A schedule that is held, with what is needed to plan it.
    private struct Found {
        var schedule: ScheduleRow
        var timetable: Timetable
        /// What has happened for it, the first first; nil: it has times.
        var events: [Event]?
    }

    private struct Event {
        var at: WallTime
        var name: String
    }

    /// A schedule and what becomes of it.
    fileprivate struct Due {
        var schedule: ScheduleRow
        /// Those that are dealt with, by their planned times; nil: it has times.
        var events: [WallTime: String]?
        var plan: FiringPlan
    }

    /// One planned time.
    private struct Entry {
        var due: Int
        var planned: WallTime
        var verdict: FiringPlan.Verdict
        var missed = 0
        var event: String?
    }

    private struct Key: Hashable {
        var schedule: Int64
        var planned: Int64
    }

    /// So many rows, and no further schedule joins the batch: a lease lasts seconds, and what waits for the rows waits as long.
    private static let mostRows = 5000
    /// After so long, no further schedule does either.
    private static let longestPlanning: Duration = .milliseconds(500)
    /// Events of one schedule in one batch.
    static let mostEvents = 200
    /// How often another planned time is tried for an event, each time further away: half a minute in all.
    private static let eventTries = 24

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
        // Whoever orders an end of scheduling waits for us; the next statement sees what was ordered before.
        _ = try await connection.query(.scheduleShare)
        let rows = try await connection.query(statement, [.int64(orNull: term), .int64(Int64(limit))])
        var step = Step()
        step.mayHaveMore = rows.count >= limit
        var held: [(schedule: ScheduleRow, zone: any ZoneRules)] = []
        var broken: [(id: Int64, reason: String)] = []
        var now = WallTime(micros: 0)
        var slice = LoopSlice()
        var ids: [Int64] = []
        for row in rows {
            await slice.breathe()
            let id = try row.int64(0)
            ids.append(id)
            now = WallTime(micros: try row.micros("now"))
            do {
                let schedule = try store.scheduleRow(row)
                if let zone = store.zones.rules(schedule.input.timezone) {
                    held.append((schedule, zone))
                } else {
                    broken.append((id, "no time zone \(schedule.input.timezone) on this host"))
                }
            } catch let fault as FieldFault {
                // Changed by hand, or by another version: the others must not wait for it.
                broken.append((id, "its specification cannot be read: \(fault)"))
            }
        }
        store.underFire = ids
        // One look for all of them.
        let names = Set(held.flatMap { $0.schedule.input.options.calendars }).sorted()
        let calendars = try await store.contents(ofCalendars: names, connection)
        var found: [Found] = []
        for (schedule, zone) in held {
            if let timetable = schedule.input.timetable(zone, calendars) {
                found.append(Found(schedule: schedule, timetable: timetable))
            } else {
                broken.append((schedule.id, JobStore.calendarGone))
            }
        }
        if !broken.isEmpty { try await postpone(broken) }
        step.taken = broken.count
        guard !found.isEmpty else { return step }
        if isEvent, try await addEvents(&found) { step.mayHaveMore = true }
        let due = try await plan(found, now)
        step.taken += due.count
        // The others are let go with the end of the transaction.
        if due.count < found.count { step.mayHaveMore = true }
        step.fired = try await write(due)
        return step
    }

    // MARK: Planning

    /// - Returns: whether one of them may have further events.
    private func addEvents(_ found: inout [Found]) async throws -> Bool {
        let rows = try await connection.query(
            .scheduleEvents, [.int64Array(found.map(\.schedule.id)), .int64(Int64(Self.mostEvents))])
        var events: [Int64: [Event]] = [:]
        for row in rows {
            var at = WallTime(micros: try row.micros(1))
            let id = try row.int64(0)
            // Two at the same microsecond are two planned times.
            if let last = events[id]?.last, at <= last.at { at = last.at.advanced(by: .microseconds(1)) }
            events[id, default: []].append(Event(at: at, name: try row.text(2)))
        }
        for index in found.indices { found[index].events = events[found[index].schedule.id] ?? [] }
        return events.values.contains { $0.count >= Self.mostEvents }
    }

    /// As many of them as belong into one batch, the first in any case.
    private func plan(_ found: [Found], _ now: WallTime) async throws -> [Due] {
        let going = try await going(found.map(\.schedule))
        var due: [Due] = []
        var rows = 0
        let began = LoopInstant.now
        var slice = LoopSlice()
        for item in found {
            if !due.isEmpty, rows >= Self.mostRows || LoopInstant.now - began > Self.longestPlanning { break }
            let planned = Self.plan(item, going[item.schedule.id] ?? [], now)
            rows += planned.plan.occurrences.count
            due.append(planned)
            await slice.breathe()
        }
        return due
    }

    private static func plan(_ item: Found, _ going: [(RunID, Bool)], _ now: WallTime) -> Due {
        let schedule = item.schedule
        var state = schedule.firingState
        state.going = going.map(\.0)
        state.hasWaiting = going.contains { $0.1 }
        guard let events = item.events else {
            return Due(schedule: schedule, plan: FiringPlan(item.timetable, state, now: now))
        }
        var names: [WallTime: String] = [:]
        for event in events { names[event.at] = event.name }
        // What happens while it is disabled is none of its times.
        let times = schedule.input.isEnabled ? events.map(\.at) : []
        return Due(
            schedule: schedule, events: names, plan: FiringPlan(item.timetable, state, events: times, now: now))
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
                var entry = Entry(
                    due: index, planned: occurrence.planned, verdict: occurrence.verdict, missed: occurrence.unlisted,
                    event: item.events?[occurrence.planned])
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
        try await giveWay(due, firings)
        try await finish(due, firings)
        return firings
    }

    /// Runs that give way to those of their schedules that have been made now.
    private func giveWay(_ due: [Due], _ firings: [Firing]) async throws {
        let fired = Set(firings.map(\.scheduleID))
        var ends: [(run: RunID, action: HostSignal.Action)] = []
        for item in due where fired.contains(item.schedule.id) {
            ends += item.plan.cancel.map { ($0, .cancel) }
            ends += item.plan.terminate.map { ($0, .terminate) }
        }
        try await store.giveWay(ends, connection)
    }

    /// Writes rows; answers the entries that had none before.
    private func record(_ entries: [Entry], _ due: [Due]) async throws -> [Entry] {
        var new: [Entry] = []
        var left = entries
        var shift: Int64 = 1
        for _ in 0..<Self.eventTries where !left.isEmpty {
            let rows = try await connection.query(
                .scheduleRecord,
                [
                    .int64Array(left.map { due[$0.due].schedule.id }), .timestampArray(left.map(\.planned.micros)),
                    .int64Array(left.map { Int64($0.missed) }), .textArray(left.map { $0.verdict.reason?.rawValue }),
                    .textArray(left.map { due[$0.due].source }), .textArray(left.map(\.event)),
                ])
            var written: Set<Key> = []
            for row in rows { written.insert(Key(schedule: try row.int64(0), planned: try row.micros(1))) }
            var again: [Entry] = []
            for entry in left {
                // A time that was tried for two of them is one's.
                if written.remove(Key(schedule: due[entry.due].schedule.id, planned: entry.planned.micros)) != nil {
                    new.append(entry)
                } else if entry.event != nil {
                    // Another event had this microsecond; a thousand may have.
                    var later = entry
                    later.planned = entry.planned.advanced(by: .microseconds(shift))
                    again.append(later)
                }
            }
            left = again
            shift *= 2
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
        var events: [(schedule: Int64, name: String)] = []
        for item in due { for name in (item.events ?? [:]).values { events.append((item.schedule.id, name)) } }
        if !events.isEmpty {
            _ = try await connection.query(
                .scheduleEventsDone, [.int64Array(events.map(\.schedule)), .textArray(events.map(\.name))])
        }
        var last: [Int64: Firing] = [:]
        var counts: [Int64: Int64] = [:]
        for firing in firings {
            last[firing.scheduleID] = firing
            counts[firing.scheduleID, default: 0] += 1
        }
        _ = try await connection.query(
            .scheduleFired,
            [
                .int64Array(due.map(\.schedule.id)),
                .timestampArray(due.map { last[$0.schedule.id]?.plannedAt.micros }),
                .nullableInt64Array(due.map { last[$0.schedule.id]?.run.id.rawValue }),
                .timestampArray(due.map { $0.events == nil ? $0.plan.next?.micros : nil }),
                .int64Array(due.map { counts[$0.schedule.id] ?? 0 }), .int64Array(due.map { Int64($0.plan.ordinal) }),
                .int64Array(due.map { Int64($0.plan.skipNext) }),
            ])
    }
}

extension FiringBatch.Due {
    /// What made it.
    fileprivate var source: String { events == nil ? "time" : schedule.input.spec.kind }
}

extension FiringPlan.Verdict {
    var reason: OccurrenceReason? {
        if case .record(let reason) = self { reason } else { nil }
    }
}
