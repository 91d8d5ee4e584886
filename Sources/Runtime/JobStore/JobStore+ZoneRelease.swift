import JobCore
import Logging
import Postgres

/// A new release of the time zone database may move what schedules have planned.
extension JobStore {
    private static let zonePage: Int64 = 500

    /// Works out the next times anew if this host's time zone database is of another release than the one they were worked out by.
    /// What is due already stays.
    /// - Returns: how many next times have moved; nil: the release is the same, or this host's database does not say.
    package func followZoneRelease() async throws(StoreError) -> Int? {
        guard let release = zones.files.release else { return nil }
        let known = try await decoding { try await self.pool.query(.scheduleZoneLook).first?.textOrNil(0) }
        guard known != release else { return nil }
        zones.forget()
        var moved = 0
        var after: Int64 = 0
        while let step = try await followZones(after: after) {
            moved += step.moved
            after = step.last
        }
        _ = try await query(.scheduleZoneNote, [.text(release)])
        logger.notice(
            "next times were worked out by another release of the time zone database",
            metadata: ["release": "\(release)", "before": "\(known ?? "none")", "moved": "\(moved)"])
        return moved
    }

    /// One page; nil at the end.
    private func followZones(after: Int64) async throws(StoreError) -> (last: Int64, moved: Int)? {
        let now = try await databaseTime()
        return try await decoding {
            let rows = try await self.pool.query(.scheduleZonePage, [.int64(after), .int64(Self.zonePage)])
            guard !rows.isEmpty else { return nil }
            var last = after
            var moves: [(row: ScheduleRow, next: WallTime?)] = []
            for row in rows {
                last = try row.int64(0)
                // One that cannot be read says so when it is due.
                guard let schedule = try? self.scheduleRow(row), let before = schedule.nextAt,
                    let zone = self.zones.rules(schedule.input.timezone)
                else { continue }
                let next = schedule.input.next(after: now, runCount: schedule.runCount, zone: zone)
                if next != before { moves.append((schedule, next)) }
            }
            guard !moves.isEmpty else { return (last, 0) }
            let done = try await self.pool.query(
                .scheduleZoneMove,
                [
                    .int64Array(moves.map(\.row.id)), .timestampArray(moves.map { $0.row.nextAt?.micros }),
                    .int64Array(moves.map(\.row.revision)), .timestampArray(moves.map { $0.next?.micros }),
                ])
            return (last, done.count)
        }
    }
}
