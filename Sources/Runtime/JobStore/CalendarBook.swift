package import JobCore
import Postgres

/// What is in calendars, as it was last understood: reading a long one again and again would hold up the firing.
struct CalendarBook {
    private var known: [String: (revision: Int64, content: DateCalendar)] = [:]
    /// More are not kept.
    private static let limit = 1000

    /// - Parameter rows: of `calendar_read`.
    mutating func read(_ rows: PGRows) throws -> [String: DateCalendar] {
        if known.count > Self.limit { known = [:] }
        var contents: [String: DateCalendar] = [:]
        for row in rows {
            var reader = RowReader(row)
            let (name, revision) = (try reader.text(), try reader.int64())
            if let present = known[name], present.revision == revision {
                contents[name] = present.content
            } else {
                let content = JobStore.calendar(try reader.jsonOrNil())
                known[name] = (revision, content)
                contents[name] = content
            }
        }
        return contents
    }
}

extension JobStore {
    /// The calendars of these names; nil if one is missing.
    package func contents(ofCalendars names: [String]) async throws(StoreError) -> [DateCalendar]? {
        if names.isEmpty { return [] }
        return try await decoding {
            let rows = try await self.pool.query(.calendarRead, [.textArray(names.map(\.storable))])
            let contents = try self.calendarBook.read(rows)
            let found = names.compactMap { contents[$0] }
            return found.count == names.count ? found : nil
        }
    }

    /// Throws `.invalid` where one of these is not there.
    func checkCalendars(_ names: [String], _ options: ScheduleOptions) async throws(StoreError) {
        if names.isEmpty { return }
        let known = Set(try await calendars().map(\.name))
        guard let missing = names.first(where: { !known.contains($0) }) else { return }
        let near = NearMatches.find(missing, among: known.sorted()).first.map { "; did you mean \($0)?" } ?? ""
        let index = options.calendars.firstIndex(of: missing) ?? 0
        throw .invalid(
            FieldFault(
                pointer: "/calendars/\(index)", code: "unknown_value", detail: "there is no calendar \(missing)\(near)")
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
