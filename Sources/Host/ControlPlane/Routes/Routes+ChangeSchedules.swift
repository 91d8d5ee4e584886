import HTTPTypes
import JobCore
import JobStore

/// Changing what a schedule is.
extension Backend {
    /// With `If-None-Match: *`: makes it under the name in the path, unless it is there; that it is there already, and just like
    /// this, is no fault: whoever registers a schedule at each start may do so. With `If-Match`: replaces it.
    func putSchedule(_ call: Call) async throws -> Answer {
        let text = call.parameter("id")
        if call.headers[.ifNoneMatch] != nil { return try await registerSchedule(text, call) }
        let id = try await scheduleID(call)
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        var reader = try ObjectReader(body: call.body)
        var input = try scheduleInput(&reader)
        // Who calls it by its name does not take it away by leaving it out.
        if ScheduleJSON.parse(text) == nil, input.name == nil { input.name = text }
        return answer(
            try await guarded(id) { [input] in try await self.store.updateSchedule(id, input, ifRevision: revision) },
            call)
    }

    private func registerSchedule(_ name: String, _ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        guard call.headers[.ifNoneMatch] == "*" else {
            throw Problem.invalidHeader("If-None-Match", "malformed", "must be *: make it if there is none")
        }
        var reader = try ObjectReader(body: call.body)
        if let given = reader.string("name", limit: 200), given != name {
            reader.fault("name", "differs", "must be that in the path, or left out")
        }
        var input = try scheduleInput(&reader)
        input.name = name
        if let present = try await store.schedule(named: name) { return try registered(present, input, call) }
        do throws(StoreError) {
            let row = try await store.createSchedule(input)
            return answer(row, call, .created).with(.location, "/api/v1/schedules/\(ScheduleJSON.id(row.id))")
        } catch {
            // Somebody else was faster.
            guard case .conflict("schedule_exists", _, _) = error, let present = try await store.schedule(named: name)
            else { throw error }
            return try registered(present, input, call)
        }
    }

    /// 200 if it is what was asked for, else 412 with its tag.
    private func registered(_ present: ScheduleRow, _ wanted: ScheduleInput, _ call: Call) throws -> Answer {
        try present.checkReadable()
        guard wanted.settled(by: present.input) == present.input else {
            let names = ScheduleDefinition.differences(
                ScheduleDefinition.json(present.input),
                ScheduleDefinition.json(wanted.settled(by: present.input)))
            var problem = Problem(
                .preconditionFailed, "schedule_exists",
                "There is a schedule of that name, and it differs in \(names.joined(separator: ", ")).",
                fields: [.init(.header("If-None-Match"), "schedule_exists", "there is one already")])
            let shown = ScheduleJSON.object(present).text.utf8
            problem.headers[.eTag] = EntityTag.of(shown, revision: present.revision)
            throw problem
        }
        var unconditional = call
        unconditional.headers[.ifNoneMatch] = nil
        return answer(present, unconditional)
    }

    /// A JSON Merge Patch (RFC 7396) over what somebody would write down for it.
    func patchSchedule(_ call: Call) async throws -> Answer {
        let id = try await scheduleID(call)
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        // Strict about the outer object: repeated names, and what is no object.
        let outer = try ObjectReader(body: call.body)
        if !outer.faults.isEmpty { throw Problem.invalid(outer.faults) }
        let patch = try JSONValue(parsing: call.body.isEmpty ? "{}" : String(decoding: call.body, as: UTF8.self))
        let present = try await store.schedule(id)
        if let revision, revision != present.revision { throw try await scheduleChanged(id) }
        try present.checkReadable()
        var reader = try ObjectReader(ScheduleDefinition.merged(present.input, patch).json)
        let input = try scheduleInput(&reader)
        return answer(
            try await guarded(id) {
                try await self.store.updateSchedule(id, input, ifRevision: present.revision)
            }, call)
    }

    /// 412 with the tag of what is there now.
    func scheduleChanged(_ id: Int64) async throws -> Problem {
        var problem = Problem(
            .preconditionFailed, "etag_mismatch", "The schedule was changed meanwhile. Look at it again.",
            fields: [.init(.header("If-Match"), "etag_mismatch", "is not the present ETag")])
        let row = try await store.schedule(id)
        problem.headers[.eTag] = EntityTag.of(ScheduleJSON.object(row).text.utf8, revision: row.revision)
        return problem
    }
}
