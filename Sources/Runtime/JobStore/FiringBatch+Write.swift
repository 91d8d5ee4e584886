import JobCore
import Postgres

/// What a batch writes: a row for each planned time, runs, and what has become of the schedules.
extension FiringBatch {
    /// One planned time.
    private struct Entry {
        var due: Int
        var planned: WallTime
        var verdict: FiringPlan.Verdict
        var missed = 0
        var event: String?
        var run: RunID?
    }

    private struct Key: Hashable {
        var schedule: Int64
        var planned: Int64
    }

    /// How often another planned time is tried for an event, each time further away: half a minute in all.
    private static let eventTries = 24

    /// `areEvents`: they are schedules for which something has happened, not such as have times.
    func write(_ due: [Due], areEvents: Bool) async throws -> [Firing] {
        let entries = self.entries(due)
        let firings = areEvents ? try await writeEvents(entries, due) : try await writeTimes(entries, due)
        try await giveWay(due, firings)
        try await finish(due, firings)
        return firings
    }

    private func entries(_ due: [Due]) -> [Entry] {
        var entries: [Entry] = []
        for (index, item) in due.enumerated() {
            var missed = item.plan.unlisted
            for occurrence in item.plan.occurrences where occurrence.verdict == .record(.missed) { missed += 1 }
            for occurrence in item.plan.occurrences {
                var entry = Entry(
                    due: index, planned: occurrence.planned, verdict: occurrence.verdict, missed: occurrence.unlisted,
                    event: item.events?[occurrence.planned])
                if occurrence.verdict.makesRun {
                    // Times that were missed are told with the first that fires after them.
                    entry.missed = missed
                    missed = 0
                }
                entries.append(entry)
            }
        }
        return entries
    }

    /// A time that has a row is passed over. The schedules are held, so no other row can come: each is written once, with its run.
    private func writeTimes(_ entries: [Entry], _ due: [Due]) async throws -> [Firing] {
        var seen = try await known(entries, due)
        // Nor is one that stands there twice written twice.
        var new = entries.filter { seen.insert(key($0, due)).inserted }
        let firings = try await enqueue(new.filter(\.verdict.makesRun), due)
        var next = 0
        for index in new.indices where new[index].verdict.makesRun {
            new[index].run = firings[next].run.id
            next += 1
        }
        guard try await record(new, due).count == new.count else {
            throw StoreError.conflict(
                code: "schedule_changed", detail: "the schedule's occurrences changed meanwhile", currentState: nil)
        }
        return firings
    }

    /// An event whose microsecond is taken gets another one, so its row comes first, and its run is told afterwards.
    private func writeEvents(_ entries: [Entry], _ due: [Due]) async throws -> [Firing] {
        var new: [Entry] = []
        var left = entries
        var shift: Int64 = 1
        for _ in 0..<Self.eventTries where !left.isEmpty {
            var written = try await record(left, due)
            var again: [Entry] = []
            for entry in left {
                // A time that was tried for two of them is one's.
                if written.remove(key(entry, due)) != nil {
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
        let firings = try await enqueue(new.filter(\.verdict.makesRun), due)
        if !firings.isEmpty {
            _ = try await connection.query(
                .scheduleOccurred,
                [
                    .int64Array(firings.map(\.scheduleID)), .timestampArray(firings.map(\.plannedAt.micros)),
                    .int64Array(firings.map(\.run.id.rawValue)),
                ])
        }
        return firings
    }

    private func key(_ entry: Entry, _ due: [Due]) -> Key {
        Key(schedule: due[entry.due].schedule.id, planned: entry.planned.micros)
    }

    private func known(_ entries: [Entry], _ due: [Due]) async throws -> Set<Key> {
        guard !entries.isEmpty else { return [] }
        return try keys(
            of: try await connection.query(
                .scheduleKnown,
                [
                    .int64Array(entries.map { due[$0.due].schedule.id }),
                    .timestampArray(entries.map(\.planned.micros)),
                ]))
    }

    /// Writes rows; answers those that were not there before.
    private func record(_ entries: [Entry], _ due: [Due]) async throws -> Set<Key> {
        guard !entries.isEmpty else { return [] }
        return try keys(
            of: try await connection.query(
                .scheduleRecord,
                [
                    .int64Array(entries.map { due[$0.due].schedule.id }),
                    .timestampArray(entries.map(\.planned.micros)),
                    .int64Array(entries.map { Int64($0.missed) }),
                    .textArray(entries.map { $0.verdict.reason?.rawValue }),
                    .textArray(entries.map { due[$0.due].source }), .textArray(entries.map(\.event)),
                    .nullableInt64Array(entries.map { $0.run?.rawValue }),
                ]))
    }

    private func keys(of rows: PGRows) throws -> Set<Key> {
        var keys: Set<Key> = []
        for row in rows { keys.insert(Key(schedule: try row.int64(0), planned: try row.micros(1))) }
        return keys
    }

    /// The runs of entries that make one, in their order.
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

    fileprivate var makesRun: Bool { reason == nil }
}
