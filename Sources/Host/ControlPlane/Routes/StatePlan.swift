import JobCore
import JobStore

/// What would have to be done so that what there is becomes what was written down.
struct StatePlan {
    struct Field {
        var name: String
        var from: JSONValue?
        var to: JSONValue?
    }

    struct Change {
        var kind: String
        var name: String
        /// `create`, `change` or `delete`.
        var action: String
        var fields: [Field]
        var pointer: String
        var change: StateChange

        var json: String {
            var object = JSONObject()
            object.string("kind", kind)
            object.string("name", name)
            object.string("action", action)
            object.array(
                "fields",
                fields.map { field in
                    var inner = JSONObject()
                    inner.string("name", field.name)
                    inner.raw("from", field.from?.json ?? "null")
                    inner.raw("to", field.to?.json ?? "null")
                    return inner.text
                })
            return object.text
        }
    }

    var changes: [Change] = []
    /// How many are as they should be.
    var unchanged = 0
    /// Where the state itself makes no sense.
    var faults: [FieldFault] = []

    mutating func add(
        _ kind: String, _ name: String, _ pointer: String, from: JSONValue?, to: JSONValue?, _ change: StateChange
    ) {
        let (old, new) = (from ?? .object([]), to ?? .object([]))
        let names = ScheduleDefinition.differences(old, new).filter { $0 != "name" }
        if from != nil, to != nil, names.isEmpty {
            unchanged += 1
            return
        }
        let action = from == nil ? "create" : to == nil ? "delete" : "change"
        changes.append(
            Change(
                kind: kind, name: name, action: action,
                fields: names.map { Field(name: $0, from: old[$0], to: new[$0]) }, pointer: pointer, change: change))
    }

    /// Compared when it is done: the same text, the same deed.
    var fingerprint: String { "[" + changes.map(\.json).joined(separator: ",") + "]" }
}

extension Backend {
    /// - Parameters:
    ///   - set: whose files these are; nil: nothing is to be removed.
    ///   - prunes: what an earlier apply of the set made and does not stand here is removed.
    func planState(_ state: StateInput, set: String?, prunes: Bool) async throws -> StatePlan {
        var plan = StatePlan()
        try await planCalendars(state, &plan)
        try await planQueues(state, &plan)
        try await planJobs(state, &plan)
        for (pointer, input) in state.schedules {
            guard let name = input.name else { continue }
            let wanted: JSONValue
            if let present = try await store.schedule(named: name) {
                wanted = ScheduleDefinition.json(input.settled(by: present.input))
                plan.add(
                    "schedule", name, pointer, from: ScheduleDefinition.json(present.input), to: wanted,
                    .changeSchedule(present, input))
            } else {
                plan.add("schedule", name, pointer, from: nil, to: Self.shown(input), .createSchedule(input))
            }
        }
        if let set, prunes { try await planRemovals(state, set, &plan) }
        return plan
    }

    /// A schedule that is to be made, without what is settled when it is made: an anchor that is then, say, would be another
    /// one in each plan.
    private static func shown(_ input: ScheduleInput) -> JSONValue {
        var shown = input
        shown.openMembers = []
        let whole = ScheduleDefinition.json(shown)
        guard !input.openMembers.isEmpty, case .object(let members) = whole else { return whole }
        return .object(
            members.map { member in
                guard member.key == "spec", case .object(let spec) = member.value else { return member }
                return JSONMember("spec", .object(spec.filter { !input.openMembers.contains($0.key) }))
            })
    }

    private func planCalendars(_ state: StateInput, _ plan: inout StatePlan) async throws {
        guard !state.calendars.isEmpty else { return }
        let present = Dictionary(uniqueKeysWithValues: try await store.calendars().map { ($0.name, $0) })
        for (pointer, input) in state.calendars {
            let wanted = CalendarJSON.definition(input)
            guard let row = present[input.name] else {
                plan.add("calendar", input.name, pointer, from: nil, to: wanted, .createCalendar(input))
                continue
            }
            let old = CalendarInput(name: row.name, description: row.description, content: row.content)
            plan.add(
                "calendar", input.name, pointer, from: CalendarJSON.definition(old), to: wanted,
                .changeCalendar(input, revision: row.revision))
        }
    }

    private func planQueues(_ state: StateInput, _ plan: inout StatePlan) async throws {
        guard !state.queues.isEmpty else { return }
        let present = Dictionary(uniqueKeysWithValues: try await store.queues().map { ($0.name, $0) })
        func json(_ limits: ConcurrencyLimits) -> JSONValue {
            let members = [("concurrency", limits.everywhere), ("host_concurrency", limits.here)]
            return .object(members.compactMap { name, n in n.map { JSONMember(name, .number(String($0))) } })
        }
        for (pointer, input) in state.queues {
            let row = present[input.name]
            let limits = row?.limits ?? ConcurrencyLimits()
            let wanted = ConcurrencyLimits(
                everywhere: input.limits.everywhere ?? nil, here: input.limits.here ?? nil)
            // A queue exists by being used; one that nobody has set, and that is to have no limits, is as it should be.
            plan.add(
                "queue", input.name, pointer, from: json(limits), to: json(wanted),
                .limitQueue(input.name, input.limits.replacing(limits), revision: row?.revision ?? 0))
        }
    }

    private func planJobs(_ state: StateInput, _ plan: inout StatePlan) async throws {
        guard !state.jobs.isEmpty else { return }
        let present = Dictionary(uniqueKeysWithValues: try await store.jobs().map { ($0.name, $0) })
        for (pointer, input) in state.jobs {
            guard let row = present[input.name] else {
                guard let handler = input.handler else {
                    let near = NearMatches.find(input.name, among: Array(present.keys)).first
                    let hint = near.map { "; did you mean \($0)?" } ?? ", and no handler is said to make it of"
                    plan.faults.append(
                        FieldFault(
                            pointer: pointer + "/name", code: "unknown_job",
                            detail: "there is no job \(input.name)\(hint)"))
                    continue
                }
                let definition = JobDefinition(
                    name: input.name, handler: handler, description: input.description, settings: input.settings)
                plan.add(
                    "job", input.name, pointer, from: nil,
                    to: Self.job(handler, input.description, try Self.written(input.settings, pointer)),
                    .createJob(definition))
                continue
            }
            if let handler = input.handler, handler != row.handler {
                plan.faults.append(
                    FieldFault(
                        pointer: pointer + "/handler", code: "handler_differs",
                        detail: "the job \(input.name) is of the handler \(row.handler)"))
                continue
            }
            if let description = input.description, !row.isDefined, description != row.description {
                plan.faults.append(
                    FieldFault(
                        pointer: pointer + "/description", code: "not_settable",
                        detail: "is its handler's own for a job that nobody defined"))
                continue
            }
            let description = input.description ?? row.description
            plan.add(
                "job", input.name, pointer, from: Self.job(row.handler, row.description, row.ownSettings),
                to: Self.job(row.handler, description, try Self.written(input.settings, pointer)),
                .changeJob(
                    input.name, input.settings.replacing(row), description: input.description, revision: row.revision))
        }
    }

    private static func written(_ settings: JobPatch, _ pointer: String) throws -> JSONValue {
        do throws(FieldFault) {
            return try settings.written()
        } catch {
            throw Problem.invalid([error.under(pointer + "/settings")])
        }
    }

    private static func job(_ handler: String, _ description: String?, _ settings: JSONValue) -> JSONValue {
        var members = [JSONMember("handler", .string(handler))]
        if let description { members.append(JSONMember("description", .string(description))) }
        if case .object(let own) = settings { members += own }
        return .object(members)
    }

    private func planRemovals(_ state: StateInput, _ set: String, _ plan: inout StatePlan) async throws {
        let schedules = Set(state.schedules.compactMap(\.input.name))
        let calendars = Set(state.calendars.map(\.input.name))
        for row in try await store.applied(set) {
            switch row.kind {
            case .schedule where !schedules.contains(row.name):
                let present = try await store.schedule(row.id)
                plan.add(
                    "schedule", row.name, "", from: ScheduleDefinition.json(present.input), to: nil,
                    .deleteSchedule(present))
            case .calendar where !calendars.contains(row.name):
                let present = try await store.calendar(row.name)
                let old = CalendarInput(name: row.name, description: present.description, content: present.content)
                plan.add(
                    "calendar", row.name, "", from: CalendarJSON.definition(old), to: nil,
                    .deleteCalendar(row.name, revision: present.revision))
            default: break
            }
        }
    }
}
