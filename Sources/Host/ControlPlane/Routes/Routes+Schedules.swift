import HTTPTypes
import JobCore
import JobStore
import UVLoop

extension Backend {
    var scheduleRoutes: [Route] {
        [
            Route(.post, "/api/v1/schedules", body: .json) { [self] in try await createSchedule($0) },
            Route(.get, "/api/v1/schedules", query: ["job", "enabled"]) { [self] in try await listSchedules($0) },
            Route(.get, "/api/v1/schedules/due", query: ["within_ms", "limit"]) { [self] in try await listDue($0) },
            Route(.post, "/api/v1/schedules/preview", body: .json) { [self] in try await previewSchedule($0) },
            Route(.post, "/api/v1/schedules/parse", body: .json) { [self] in try parseSchedules($0) },
            Route(.post, "/api/v1/schedules/{id}/pause", body: .json) { [self] in try await pauseSchedule($0) },
            Route(.post, "/api/v1/schedules/{id}/resume") { [self] in try await resumeSchedule($0) },
            Route(.post, "/api/v1/schedules/{id}/skip", body: .json) { [self] in try await skipSchedule($0) },
            Route(.post, "/api/v1/schedules/{id}/trigger", body: .json) { [self] in try await triggerSchedule($0) },
            Route(.post, "/api/v1/schedules/{id}/backfill", body: .json) { [self] in try await backfillSchedule($0) },
            Route(.get, "/api/v1/timezones") { [self] _ in listZones() },
            Route(.get, "/api/v1/schedules/{id}") { [self] in try await showSchedule($0) },
            Route(.put, "/api/v1/schedules/{id}", body: .json) { [self] in try await putSchedule($0) },
            Route(.patch, "/api/v1/schedules/{id}", body: .json) { [self] in try await patchSchedule($0) },
            Route(.delete, "/api/v1/schedules/{id}") { [self] in try await deleteSchedule($0) },
            Route(.get, "/api/v1/schedules/{id}/occurrences", query: ["limit"]) { [self] in
                try await listOccurrences($0)
            },
            Route(.get, "/api/v1/jobs/{name}/schedules") { [self] in try await listSchedulesOfJob($0) },
        ]
    }

    /// Of the schedule that the path names, by its id or its name.
    func scheduleID(_ call: Call) async throws -> Int64 {
        let text = call.parameter("id")
        if let id = ScheduleJSON.parse(text) { return id }
        guard let row = try await store.schedule(named: text) else { throw Problem.notFound("schedule", text) }
        return row.id
    }

    func answer(_ row: ScheduleRow, _ call: Call, _ status: HTTPResponse.Status = .ok) -> Answer {
        var object = ScheduleJSON.object(row)
        // The tag is that of the schedule, whatever else an answer says.
        let own = Array(object.text.utf8)
        if row.isUnchecked { object.bool("args_unchecked", true) }
        let answer = Answer.json(object, status)
        guard status == .ok else { return answer.with(.eTag, EntityTag.of(own, revision: row.revision)) }
        return answer.tagged(call, revision: row.revision, by: own)
    }

    private func createSchedule(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        var reader = try ObjectReader(body: call.body)
        let row = try await store.createSchedule(try scheduleInput(&reader))
        return answer(row, call, .created).with(.location, "/api/v1/schedules/\(ScheduleJSON.id(row.id))")
    }

    private func listSchedules(_ call: Call) async throws -> Answer {
        let enabled = try call.query.flag("enabled")
        let rows = try await store.schedules(job: try call.query.one("job"))
        return .json(
            list(rows.filter { enabled == nil || $0.input.isEnabled == enabled }.map { ScheduleJSON.object($0).text }))
    }

    private func listSchedulesOfJob(_ call: Call) async throws -> Answer {
        let job = try await store.job(call.parameter("name"))
        return .json(list(try await store.schedules(job: job.name).map { ScheduleJSON.object($0).text }))
    }

    private func listDue(_ call: Call) async throws -> Answer {
        let within = try call.query.int("within_ms", in: 0...RunInput.longestMilliseconds) ?? 3_600_000
        let limit = try call.query.int("limit", in: 1...200) ?? 100
        let rows = try await store.dueSchedules(within: .milliseconds(within), limit: Int(limit))
        var object = list(rows.map { ScheduleJSON.object($0).text })
        object.int("within_ms", within)
        return .json(object)
    }

    private func showSchedule(_ call: Call) async throws -> Answer {
        answer(try await store.schedule(scheduleID(call)), call)
    }

    private func deleteSchedule(_ call: Call) async throws -> Answer {
        let id = try await scheduleID(call)
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        try await guarded(id) { try await self.store.deleteSchedule(id, ifRevision: revision) }
        return Answer(.noContent)
    }

    /// A change that came too late is 412, with the tag of what is there now.
    func guarded<T>(_ id: Int64, _ change: @LoopActor () async throws -> T) async throws -> T {
        do {
            return try await change()
        } catch StoreError.conflict("revision_mismatch", _, _) {
            throw try await scheduleChanged(id)
        }
    }

    private func listOccurrences(_ call: Call) async throws -> Answer {
        let id = try await scheduleID(call)
        let limit = try call.query.int("limit", in: 1...200) ?? 50
        _ = try await store.schedule(id)
        let items = try await store.occurrences(id, limit: Int(limit)).map { row in
            var object = JSONObject()
            object.time("planned_at", row.plannedAt)
            object.time("fired_at", row.firedAt)
            object.string("run_id", row.runID?.description)
            object.int("missed", row.missed)
            object.string("reason", row.reason?.rawValue)
            object.string("source", row.source.rawValue)
            object.string("event", row.event)
            return object.text
        }
        return .json(list(items))
    }

    // MARK: Preview

    private func previewSchedule(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        let members = PreviewRequest.memberNames.compactMap { name in
            reader.value(name).map { JSONMember(name, $0) }
        }
        try reader.finish()
        var request: PreviewRequest
        do throws(FieldFault) {
            request = try PreviewRequest(.object(members), now: WallClock.now) { try? self.store.zone($0) }
        } catch {
            throw Problem.invalid([error])
        }
        let names = request.timetable.options.calendars
        let calendars = try await store.contents(ofCalendars: names)
        for (index, name) in names.enumerated() {
            guard let calendar = calendars[name] else {
                throw Problem.invalid([
                    FieldFault(
                        pointer: "/calendars/\(index)", code: "unknown_value", detail: "there is no calendar \(name)")
                ])
            }
            request.timetable.calendars.append(calendar)
        }
        return .json(request.answer.json)
    }
}
