import JobCore
import JobStore

/// Reads and writes schedules as clients see them.
enum ScheduleJSON {
    static func id(_ id: Int64) -> String { "sch_\(id)" }

    static func parse(_ text: String) -> Int64? {
        guard text.hasPrefix("sch_"), let id = Int64(text.dropFirst(4)), id > 0, Self.id(id) == text else { return nil }
        return id
    }

    static func object(_ row: ScheduleRow) -> JSONObject {
        let input = row.input
        var object = JSONObject()
        object.string("id", id(row.id))
        object.string("name", input.name)
        object.string("job", input.job)
        add(input.spec, to: &object)
        object.string("timezone", input.timezone)
        object.raw("args", input.args)
        object.string("queue", input.queue)
        object.int("priority", input.priority)
        object.int("attempts", input.attempts)
        object.raw("backoff", input.backoff?.json ?? "null")
        object.int("timeout_ms", input.timeout?.wholeMilliseconds)
        object.int("queue_ms", input.queueTime?.wholeMilliseconds)
        object.string("title", input.title)
        object.string("description", input.description)
        object.raw("labels", JSONText.object(input.labels))
        object.string("owner", input.owner)
        object.time("starts_at", input.startsAt)
        object.time("ends_at", input.endsAt)
        object.int("max_runs", input.maxRuns)
        object.bool("enabled", input.isEnabled)
        let options = JSONValue.object(input.options.members)
        func option(_ name: StaticString) { object.raw(name, options["\(name)"]?.json ?? "null") }
        option("dst")
        option("catch_up")
        option("overlap")
        option("jitter_ms")
        option("every_nth")
        option("business_days")
        option("calendars")
        option("blackouts")
        option("count_manual")
        object.time("paused_at", row.pausedAt)
        object.time("paused_until", row.pausedUntil)
        object.string("pause_reason", row.pauseReason)
        object.int("skip_next", row.skipNext)
        object.time("skip_until", row.skipUntil)
        object.time("next_at", row.nextAt)
        object.int("run_count", row.runCount)
        object.time("last_planned_at", row.lastPlannedAt)
        object.string("last_run_id", row.lastRunID?.description)
        object.string("last_error", row.lastError)
        object.time("created_at", row.createdAt)
        object.time("updated_at", row.updatedAt)
        object.int("revision", row.revision)
        return object
    }

    /// Kind and specification, and its one figure at the top, where people look.
    static func add(_ spec: ScheduleSpec, to object: inout JSONObject) {
        object.string("kind", spec.kind)
        object.raw("spec", spec.json)
        switch spec {
        case .once(let at): object.time("at", at)
        case .onceLocal, .after, .event: break
        case .onCalendar(let event): object.string("expression", event.text)
        case .recurrence(let rule): object.string("expression", rule.text)
        case .interval(let every, _): object.int("interval_ms", every.wholeMilliseconds)
        case .cron(let expression): object.string("expression", expression.text)
        case .calendar: object.string("expression", spec.json)
        }
    }
}

extension Backend {
    /// The rules of a zone, with the fault at `name` if there is none.
    func zone(_ reader: inout ObjectReader, _ name: String = "timezone") -> (name: String, rules: any ZoneRules) {
        guard let text = reader.string(name, limit: 100, isEmptyAllowed: false) else { return ("UTC", UTCRules()) }
        if let advice = ZoneName.advice(text) {
            reader.fault(FieldFault(pointer: "", code: "zone_abbreviation", detail: advice), at: name)
            return ("UTC", UTCRules())
        }
        do throws(StoreError) {
            return (text, try store.zone(text))
        } catch {
            reader.fault(name, "unknown_zone", "must be an IANA time zone such as Europe/Berlin")
            return ("UTC", UTCRules())
        }
    }

    /// What the body says of the specification, in its long form.
    private func given(_ reader: inout ObjectReader, kind: String) -> JSONValue {
        if let spec = reader.value("spec") { return spec }
        let short = [
            ("at", "at"), ("interval_ms", "every_ms"), ("expression", kind == "rrule" ? "rule" : "expression"),
        ]
        return .object(short.compactMap { field, member in reader.value(field).map { JSONMember(member, $0) } })
    }

    /// When a schedule fires: `kind` and `spec`, or in place of `spec` one of `at`, `interval_ms`, `expression`.
    func spec(_ reader: inout ObjectReader, zone: any ZoneRules, zoneName: String) -> ScheduleSpec? {
        reader.require("kind")
        let kind = reader.string("kind", limit: 20)
        let given = reader.value("spec")
        let short: [(field: String, member: String, value: JSONValue?)] = [
            ("at", "at", reader.value("at")), ("interval_ms", "every_ms", reader.value("interval_ms")),
            ("expression", kind == "rrule" ? "rule" : "expression", reader.value("expression")),
        ]
        guard let kind else { return nil }
        guard ScheduleSpec.kinds.contains(kind) else {
            reader.fault("kind", "unknown_word", "must be one of " + ScheduleSpec.kinds.joined(separator: ", "))
            return nil
        }
        let present = short.filter { $0.value != nil }
        if given != nil, let other = present.first {
            reader.fault(other.field, "exclusive", "cannot stand beside spec")
            return nil
        }
        if given == nil, present.isEmpty {
            reader.fault("spec", "required", "is missing")
            return nil
        }
        let spec = given ?? .object(present.compactMap { row in row.value.map { JSONMember(row.member, $0) } })
        guard case .object = spec else {
            reader.fault("spec", "wrong_type", "must be an object")
            return nil
        }
        do throws(FieldFault) {
            return try ScheduleSpec(kind: kind, spec: spec, now: WallClock.now, zone: zone, zoneName: zoneName)
        } catch {
            // The fault's place in the spec is a field of its own in the short form.
            if given == nil, let row = present.first(where: { error.pointer.hasPrefix("/" + $0.member) }) {
                reader.fault(row.field, error.code, error.detail)
            } else if given == nil, let row = present.first {
                reader.fault(row.field, error.code, error.detail)
            } else {
                reader.fault(error, at: "spec")
            }
            return nil
        }
    }

    /// Zone and specification. A calendar event of systemd may name its zone itself.
    func times(_ reader: inout ObjectReader) -> (spec: ScheduleSpec?, zone: (name: String, rules: any ZoneRules)) {
        let zone = zone(&reader)
        let spec = spec(&reader, zone: zone.rules, zoneName: zone.name)
        guard case .onCalendar(let event) = spec, let own = event.zone else { return (spec, zone) }
        if reader.value("timezone") != nil, zone.name != own {
            reader.fault("timezone", "exclusive", "the calendar event names the zone \(own) itself")
            return (spec, zone)
        }
        do throws(StoreError) {
            return (spec, (own, try store.zone(own)))
        } catch {
            reader.fault("spec", "unknown_zone", "\(own) is no IANA time zone such as Europe/Berlin")
            return (spec, zone)
        }
    }

    private func options(_ reader: inout ObjectReader) -> ScheduleOptions {
        let members = ScheduleOptions.memberNames.compactMap { name in
            reader.value(name).map { JSONMember(name, $0) }
        }
        do throws(FieldFault) {
            return try ScheduleOptions(.object(members))
        } catch {
            // Its pointer begins with the member's name.
            let parts = error.pointer.dropFirst().split(separator: "/", maxSplits: 1)
            let rest = parts.count == 2 ? "/" + parts[1] : ""
            reader.fault(
                FieldFault(pointer: rest, code: error.code, detail: error.detail), at: String(parts.first ?? "dst"))
            return ScheduleOptions()
        }
    }

    /// - Parameter job: whose schedule it is, where that is told elsewhere; then the body need not say it.
    func scheduleInput(_ reader: inout ObjectReader, job owner: String? = nil) throws(Problem) -> ScheduleInput {
        let (spec, zone) = times(&reader)
        if owner == nil { reader.require("job") }
        let job = reader.string("job", limit: 200, isEmptyAllowed: false)
        if let owner, let job, job != owner { reader.fault("job", "differs", "must be \(owner), or left out") }
        var input = ScheduleInput(
            job: owner ?? job ?? "", spec: spec ?? .interval(every: .seconds(1), anchor: WallTime(micros: 0)),
            timezone: zone.name)
        if let spec {
            input.openMembers = ScheduleSpec.openMembers(
                kind: spec.kind, spec: given(&reader, kind: spec.kind), zone: zone.rules, zoneName: zone.name)
        }
        input.name = reader.string("name", limit: 200, isEmptyAllowed: false)
        input.args = reader.objectText("args", limitBytes: configuration.argsLimitBytes) ?? "{}"
        input.queue = reader.string("queue", limit: 100, isEmptyAllowed: false)
        input.priority = RunInput.priority(&reader)
        input.attempts = reader.int("attempts", in: 1...1000).map { Int($0) }
        input.backoff = reader.decoded("backoff") { value throws(FieldFault) in try BackoffPolicy(value) }
        input.timeout = reader.milliseconds("timeout_ms", from: 1, to: RunInput.longestMilliseconds)
        input.queueTime = reader.milliseconds("queue_ms", from: 1, to: RunInput.longestQueueMilliseconds)
        input.title = reader.string("title", limit: 500)
        input.description = reader.string("description", limit: 10_000)
        input.labels = RunInput.labels(&reader)
        input.owner = reader.string("owner", limit: 200)
        input.startsAt = reader.time("starts_at")
        input.endsAt = reader.time("ends_at")
        if let starts = input.startsAt, let ends = input.endsAt, ends < starts {
            reader.fault("ends_at", "out_of_range", "must not be before starts_at")
        }
        input.maxRuns = reader.int("max_runs", in: 1...Int64(Int32.max)).map { Int($0) }
        input.isEnabled = reader.bool("enabled") ?? true
        input.options = options(&reader)
        try reader.finish()
        // `finish` has thrown if there is no spec.
        return input
    }
}
