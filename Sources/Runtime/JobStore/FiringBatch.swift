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
    struct Due {
        var schedule: ScheduleRow
        /// Those that are dealt with, by their planned times; nil: it has times.
        var events: [WallTime: String]?
        var plan: FiringPlan
    }

    /// So many rows, and no further schedule joins the batch: a lease lasts seconds, and what waits for the rows waits as long.
    private static let mostRows = 5000
    /// After so long, no further schedule does either.
    private static let longestPlanning: Duration = .milliseconds(500)
    /// Events of one schedule in one batch.
    static let mostEvents = 200

    let store: JobStore
    let connection: PostgresConnection
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
        step.fired = try await write(due, areEvents: isEvent)
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
}
