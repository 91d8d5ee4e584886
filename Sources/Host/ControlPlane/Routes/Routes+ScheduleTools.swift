import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// What is done to schedules that stay as they are, and what helps to write one.
extension Backend {
    func pauseSchedule(_ call: Call) async throws -> Answer {
        let id = try await scheduleID(call)
        let revision = try EntityTag.revision(call.headers, isRequired: false)
        var reader = try ObjectReader(body: call.body)
        let reason = reader.string("reason", limit: 500)
        let until = reader.time("until")
        try reader.finish()
        return answer(
            try await guarded(id) {
                try await self.store.pauseSchedule(id, until: until, reason: reason, ifRevision: revision)
            }, call)
    }

    func resumeSchedule(_ call: Call) async throws -> Answer {
        let id = try await scheduleID(call)
        let revision = try EntityTag.revision(call.headers, isRequired: false)
        return answer(
            try await guarded(id) { try await self.store.resumeSchedule(id, ifRevision: revision) }, call)
    }

    func skipSchedule(_ call: Call) async throws -> Answer {
        let id = try await scheduleID(call)
        let revision = try EntityTag.revision(call.headers, isRequired: false)
        var reader = try ObjectReader(body: call.body)
        let next = reader.int("next", in: 0...10_000)
        let isToNow = reader.value("until") == .string("now")
        let until = isToNow ? nil : reader.time("until")
        if next == nil, until == nil, !isToNow { reader.require("next") }
        if next != nil, until != nil || isToNow { reader.fault("until", "exclusive", "cannot stand beside next") }
        try reader.finish()
        return answer(
            try await guarded(id) {
                if isToNow { return try await self.store.skipScheduleToNow(id, ifRevision: revision) }
                return try await self.store.skipSchedule(
                    id, next: next.map { Int($0) }, until: until, ifRevision: revision)
            }, call)
    }

    /// Lines of a crontab, or one text of any kind.
    func parseSchedules(_ call: Call) throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        reader.require("text")
        let text = reader.string("text", limit: 500_000) ?? ""
        let zone = zone(&reader)
        let isCrontab = reader.bool("crontab") ?? false
        let hasUser = reader.bool("user") ?? false
        try reader.finish()
        var items: [String] = []
        var problems: [String] = []
        if isCrontab {
            let crontab: Crontab
            do throws(FieldFault) {
                crontab = try Crontab(
                    text, timezone: zone.name, hasUser: hasUser, isZone: { (try? self.store.zone($0)) != nil })
            } catch {
                throw Problem.invalid([FieldFault(pointer: "/text", code: error.code, detail: error.detail)])
            }
            items = crontab.entries.map { entry in
                var object = parsed(entry.spec, zone: entry.timezone)
                object.int("line", entry.line)
                object.string("command", entry.command)
                object.string("user", entry.user)
                object.string("description", entry.description)
                object.raw("environment", JSONText.object(entry.environment))
                return object.text
            }
            problems = crontab.problems.map { problem in
                var object = JSONObject()
                object.int("line", problem.line)
                object.string("code", problem.fault.code)
                object.string("detail", problem.fault.detail)
                return object.text
            }
        } else {
            do throws(FieldFault) {
                let members = JSONValue.object(try ScheduleText.members(text))
                let spec = try ScheduleSpec(
                    kind: members["kind"]?.text ?? "", spec: members["spec"] ?? .null, now: WallClock.now,
                    zone: zone.rules, zoneName: zone.name)
                items = [parsed(spec, zone: zone.name).text]
            } catch {
                throw Problem.invalid([FieldFault(pointer: "/text", code: error.code, detail: error.detail)])
            }
        }
        var object = JSONObject()
        object.array("items", items)
        object.array("problems", problems)
        return .json(object)
    }

    private func parsed(_ spec: ScheduleSpec, zone: String) -> JSONObject {
        var object = JSONObject()
        object.string("kind", spec.kind)
        object.raw("spec", spec.json)
        object.string("timezone", zone)
        object.string("sentence", ScheduleSentence.of(spec, zone: UTCRules()))
        return object
    }

    func listZones() -> Answer {
        let files = store.zoneFiles
        var object = JSONObject()
        object.string("release", files.release)
        object.strings("items", files.names)
        return .json(object)
    }
}
