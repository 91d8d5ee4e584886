package import JobCore
import Postgres

/// What is in calendars, as it was last understood: reading a long one again and again would hold up the firing.
struct CalendarBook {
    private var known: [String: (revision: Int64, updated: WallTime, content: DateCalendar)] = [:]
    /// More are not kept.
    private static let limit = 1000

    /// Without those that cannot be read.
    /// - Parameter rows: of `calendar_read`.
    mutating func read(_ rows: PGRows) throws -> [String: DateCalendar] {
        if known.count > Self.limit { known = [:] }
        var contents: [String: DateCalendar] = [:]
        for row in rows {
            var reader = RowReader(row)
            let (name, revision, updated) = (try reader.text(), try reader.int64(), try reader.time())
            if let present = known[name], present.revision == revision, present.updated == updated {
                contents[name] = present.content
            } else if let content = JobStore.calendar(try reader.jsonOrNil()) {
                known[name] = (revision, updated, content)
                contents[name] = content
            }
        }
        return contents
    }
}

extension JobStore {
    /// Why a schedule does not fire.
    static let calendarGone = "one of its calendars is gone, or cannot be read"

    /// What is in those of these calendars that are there.
    package func contents(ofCalendars names: [String]) async throws(StoreError) -> [String: DateCalendar] {
        if names.isEmpty { return [:] }
        return try await decoding {
            try self.calendarBook.read(try await self.pool.query(.calendarRead, [.textArray(names.map(\.storable))]))
        }
    }

    /// Throws `.invalid` where one of these is not there.
    func checkCalendars(_ names: [String], _ options: ScheduleOptions) async throws(StoreError) {
        let present = try await contents(ofCalendars: names)
        guard let missing = names.first(where: { present[$0] == nil }) else { return }
        let near = NearMatches.find(missing, among: try await calendars().map(\.name).filter { $0 != missing }).first
        let hint = near.map { "; did you mean \($0)?" } ?? ""
        let index = options.calendars.firstIndex(of: missing) ?? 0
        throw .invalid(
            FieldFault(
                pointer: "/calendars/\(index)", code: "unknown_value", detail: "there is no calendar \(missing)\(hint)")
        )
    }

    /// Those of these that are there, within somebody's transaction.
    func contents(
        ofCalendars names: [String], _ connection: PostgresConnection
    ) async throws -> [String: DateCalendar] {
        if names.isEmpty { return [:] }
        let rows = try await connection.query(.calendarRead, [.textArray(names.map(\.storable))])
        return try calendarBook.read(rows)
    }
}
