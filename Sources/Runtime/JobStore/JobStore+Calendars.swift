import JobCore
import Postgres

/// Calendars that many schedules share.
extension JobStore {
    package func calendars() async throws(StoreError) -> [CalendarRow] { try await calendars([.null]) }

    /// Throws `.notFound` with near matches.
    package func calendar(_ name: String) async throws(StoreError) -> CalendarRow {
        if let row = try await calendars([.textArray([name.storable])]).first { return row }
        let all = try await calendars().map(\.name)
        throw .notFound(what: "calendar", id: name, nearMatches: NearMatches.find(name, among: all))
    }

    /// Throws `.invalid`, `.conflict("calendar_exists")`.
    package func createCalendar(_ input: CalendarInput, actor: String? = nil) async throws(StoreError) -> CalendarRow {
        try Self.check(input)
        try await withTransaction { connection in
            try await self.take(.create(input), connection)
            _ = try await connection.query(.auditNote, Self.auditNote(actor, "calendar.create", input.name))
        }
        return try await calendar(input.name)
    }

    /// - Parameter ifRevision: nil: whatever it is; another than the present one: `.conflict("revision_mismatch")`.
    package func updateCalendar(
        _ input: CalendarInput, ifRevision: Int64?, actor: String? = nil
    ) async throws(StoreError) -> CalendarRow {
        try Self.check(input)
        _ = try await calendar(input.name)
        try await withTransaction { connection in
            try await self.take(.change(input, revision: ifRevision), connection)
            _ = try await connection.query(.auditNote, Self.auditNote(actor, "calendar.replace", input.name))
        }
        return try await calendar(input.name)
    }

    /// Throws `.conflict("calendar_in_use")` while schedules name it.
    package func deleteCalendar(_ name: String, ifRevision: Int64?, actor: String? = nil) async throws(StoreError) {
        _ = try await calendar(name)
        try await withTransaction { connection in
            try await self.take(.delete(name, revision: ifRevision), connection)
            _ = try await connection.query(.auditNote, Self.auditNote(actor, "calendar.delete", name))
        }
    }

    /// What is done to a calendar within somebody's transaction.
    enum CalendarStep: Sendable {
        case create(CalendarInput)
        case change(CalendarInput, revision: Int64?)
        case delete(String, revision: Int64?)
    }

    func take(_ step: CalendarStep, _ connection: PostgresConnection) async throws {
        let rows: PGRows
        let name: String
        switch step {
        case .create(let input):
            name = input.name
            rows = try await connection.query(.calendarInsert, Self.parameters(input))
            if rows.isEmpty {
                throw StoreError.conflict(
                    code: "calendar_exists", detail: "there is a calendar \(name) already", currentState: nil)
            }
        case .change(let input, let revision):
            name = input.name
            rows = try await connection.query(.calendarUpdate, Self.parameters(input) + [.int64(orNull: revision)])
        case .delete(let gone, let revision):
            name = gone
            // First, so that whoever is naming it meanwhile is waited for, and then seen.
            rows = try await connection.query(.calendarDelete, [.text(gone), .int64(orNull: revision)])
            let users = try await connection.query(.calendarUsers, [.text(gone), .int64Array([])])
            if !rows.isEmpty, !users.isEmpty { throw Self.calendarInUse(gone, try users.map { try $0.text(0) }) }
        }
        guard rows.isEmpty else { return }
        throw StoreError.conflict(
            code: "revision_mismatch", detail: "somebody has changed the calendar \(name) meanwhile", currentState: nil)
    }

    static func calendarInUse(_ name: String, _ users: [String]) -> StoreError {
        .conflict(
            code: "calendar_in_use",
            detail: "the calendar \(name) is named by the schedules \(users.joined(separator: ", "))", currentState: nil
        )
    }

    static func check(_ input: CalendarInput) throws(StoreError) {
        guard JobDefinition.isName(input.name) else {
            throw .invalid(FieldFault(pointer: "/name", code: "bad_name", detail: JobDefinition.nameRule))
        }
        // What came from an iCalendar file has not been through this: what is written must be readable, or no day of it would count.
        do throws(FieldFault) { _ = try DateCalendar(input.content.json) } catch { throw .invalid(error) }
    }

    private static func parameters(_ input: CalendarInput) -> [PGParameter] {
        [.text(input.name), .text(orNull: input.description), .json(input.content.json.json)]
    }

    private func calendars(_ parameters: [PGParameter]) async throws(StoreError) -> [CalendarRow] {
        try await decoding {
            try await self.pool.query(.calendarList, parameters).map { row in
                var reader = RowReader(row)
                return CalendarRow(
                    name: try reader.text(), description: try reader.textOrNil(),
                    content: Self.calendar(try reader.jsonOrNil()) ?? DateCalendar(), appliedBy: try reader.textOrNil(),
                    createdAt: try reader.time(), updatedAt: try reader.time(), revision: try reader.int64(),
                    schedules: try reader.int64())
            }
        }
    }

    /// Nil: somebody has changed it by hand to something else. It is shown as empty, and schedules that name it do not fire.
    nonisolated static func calendar(_ value: JSONValue?) -> DateCalendar? {
        do throws(FieldFault) {
            return try DateCalendar(value ?? .object([]))
        } catch {
            return nil
        }
    }
}
