import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// Calendars by name: days and stretches of time that schedules keep clear of.
extension Backend {
    var calendarRoutes: [Route] {
        [
            Route(.get, "/api/v1/calendars") { [self] _ in
                .json(list(try await store.calendars().map { CalendarJSON.object($0).text }))
            },
            Route(.post, "/api/v1/calendars", body: .json) { [self] in try await createCalendar($0) },
            Route(.get, "/api/v1/calendars/{name}", query: ["format"]) { [self] in try await showCalendar($0) },
            Route(.put, "/api/v1/calendars/{name}", body: .json) { [self] in try await putCalendar($0) },
            Route(.delete, "/api/v1/calendars/{name}") { [self] in try await deleteCalendar($0) },
        ]
    }

    private func createCalendar(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        reader.require("name")
        let name = reader.string("name", limit: 120) ?? ""
        let input = try calendarInput(&reader, name: name)
        return try await made(try await store.createCalendar(input, actor: call.principal.name))
    }

    private func made(_ row: CalendarRow) async throws -> Answer {
        shown(row, .created).with(.location, "/api/v1/calendars/\(row.name)")
    }

    private func showCalendar(_ call: Call) async throws -> Answer {
        let row = try await store.calendar(call.parameter("name"))
        switch try call.query.one("format") ?? "json" {
        case "json": return Answer.json(CalendarJSON.object(row)).tagged(call, revision: row.revision)
        case "ics":
            return Answer(
                text: CalendarFile(name: row.name, calendar: row.content, stamp: row.updatedAt).text,
                type: CalendarFile.mediaType)
        default: throw Problem.invalidParameter("format", "unknown_word", "must be json or ics")
        }
    }

    /// With `If-None-Match: *` as `POST /calendars`, else a replacement.
    private func putCalendar(_ call: Call) async throws -> Answer {
        let name = call.parameter("name")
        var reader = try ObjectReader(body: call.body)
        if let given = reader.string("name", limit: 120), given != name {
            reader.fault("name", "differs", "must be that in the path, or left out")
        }
        let input = try calendarInput(&reader, name: name)
        if let header = call.headers[.ifNoneMatch] {
            guard header == "*" else {
                throw Problem.invalidHeader("If-None-Match", "malformed", "must be *: make it if there is none")
            }
            return try await made(try await store.createCalendar(input, actor: call.principal.name))
        }
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        return try await unchanged(name) {
            self.shown(
                try await self.store.updateCalendar(input, ifRevision: revision, actor: call.principal.name))
        }
    }

    private func deleteCalendar(_ call: Call) async throws -> Answer {
        let name = call.parameter("name")
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        return try await unchanged(name) {
            try await self.store.deleteCalendar(name, ifRevision: revision, actor: call.principal.name)
            return Answer(.noContent)
        }
    }

    private func shown(_ row: CalendarRow, _ status: HTTPResponse.Status = .ok) -> Answer {
        let object = CalendarJSON.object(row)
        return Answer.json(object, status).with(.eTag, EntityTag.of(object.text.utf8, revision: row.revision))
    }

    /// A change that came too late is 412, with the tag of what is there now.
    private func unchanged(_ name: String, _ change: @LoopActor () async throws -> Answer) async throws -> Answer {
        do {
            return try await change()
        } catch {
            guard let refusal = error as? StoreError, case .conflict("revision_mismatch", _, _) = refusal else {
                throw error
            }
            var problem = Problem(
                .preconditionFailed, "etag_mismatch", "The calendar was changed meanwhile. Look at it again.",
                fields: [.init(.header("If-Match"), "etag_mismatch", "is not the present ETag")])
            let row = try await store.calendar(name)
            problem.headers[.eTag] = EntityTag.of(CalendarJSON.object(row).text.utf8, revision: row.revision)
            throw problem
        }
    }

    /// `{description?, dates?, intervals?}`, or `{description?, ics, until?}`.
    func calendarInput(_ reader: inout ObjectReader, name: String) throws(Problem) -> CalendarInput {
        let description = reader.string("description", limit: 2000)
        let text = reader.string("ics", limit: Self.largestICS)
        let until = reader.time("until")
        var content = DateCalendar()
        if let text {
            for other in ["dates", "intervals"] where reader.has(other) {
                _ = reader.value(other)
                reader.fault(other, "exclusive", "cannot stand beside ics")
            }
            // Ten years: who plans further ahead says so.
            let end = until ?? WallClock.now.advanced(by: .seconds(3653 * 86_400))
            do throws(FieldFault) {
                content = try DateCalendar(icalendar: text, until: end, zone: { try? self.store.zone($0) })
            } catch {
                reader.fault(error, at: "ics")
            }
        } else {
            if until != nil { reader.fault("until", "exclusive", "goes with ics only") }
            let members = ["dates", "intervals"].compactMap { name in
                reader.value(name).map { JSONMember(name, $0) }
            }
            do throws(FieldFault) {
                content = try DateCalendar(.object(members))
            } catch {
                // Its pointer begins with the member's name.
                let pointer = reader.pointer("") + error.pointer.dropFirst()
                reader.add([FieldFault(pointer: pointer, code: error.code, detail: error.detail)])
            }
        }
        try reader.finish()
        return CalendarInput(name: name, description: description, content: content)
    }

    /// Characters.
    private static let largestICS = 500_000
}

enum CalendarJSON {
    static func object(_ row: CalendarRow) -> JSONObject {
        var object = JSONObject()
        object.string("name", row.name)
        object.string("description", row.description)
        let content = row.content.json
        object.raw("dates", content["dates"]?.json ?? "[]")
        object.raw("intervals", content["intervals"]?.json ?? "[]")
        object.string("applied_by", row.appliedBy)
        object.int("schedules", row.schedules)
        object.time("created_at", row.createdAt)
        object.time("updated_at", row.updatedAt)
        object.int("revision", row.revision)
        return object
    }

    /// As somebody would write it down.
    static func definition(_ input: CalendarInput) -> JSONValue {
        var members = [JSONMember("name", .string(input.name))]
        if let description = input.description { members.append(JSONMember("description", .string(description))) }
        for part in ["dates", "intervals"] {
            if let value = input.content.json[part], value != .array([]) { members.append(JSONMember(part, value)) }
        }
        return .object(members)
    }
}
