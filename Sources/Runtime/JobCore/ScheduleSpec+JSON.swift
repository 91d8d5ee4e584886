// once {at} or {local} · interval {every_ms, anchor?} · cron {expression, dialect?} · calendar, see CalendarRule ·
// oncalendar {expression} · rrule {rule, dtstart?, rdate?, exdate?} · after {job, on?, delay_ms?} · event {event, delay_ms?}

extension ScheduleSpec {
    /// Faster rhythms are work for a loop inside a handler.
    private static let shortestInterval: Int64 = 1000
    private static let longestInterval: Int64 = 3660 * 86_400_000
    private static let longestDelay: Int64 = 366 * 86_400_000

    /// - Parameters:
    ///   - now: anchor of what counts from its creation; whole seconds of it.
    ///   - zone: whose date counts for `calendar`, and whose time of day for `rrule`.
    ///   - zoneName: its name, the only `TZID` that a rule may have.
    package init(
        kind: String, spec: JSONValue, now: WallTime, zone: some ZoneRules, zoneName: String? = nil
    ) throws(FieldFault) {
        switch kind {
        case "once": self = try Self.once(spec)
        case "interval":
            try spec.onlyMembers("every_ms", "anchor")
            guard let every = spec["every_ms"] else {
                throw FieldFault(pointer: "/every_ms", code: "required", detail: "is required")
            }
            let step = try every.integer(in: Self.shortestInterval...Self.longestInterval, at: "/every_ms")
            let anchor =
                try spec["anchor"].map { value throws(FieldFault) in try Self.time(value, "/anchor") }
                ?? WallTime(micros: now.seconds * 1_000_000 + Int64(step) * 1000)
            self = .interval(every: .milliseconds(step), anchor: anchor)
        case "cron": self = try Self.cron(spec)
        case "calendar":
            self = .calendar(try CalendarRule(spec, today: zone.local(at: now.seconds).daysSinceEpoch))
        case "oncalendar":
            try spec.onlyMembers("expression")
            guard let expression = spec["expression"]?.text else {
                throw FieldFault(pointer: "/expression", code: "required", detail: "must be a calendar event")
            }
            do throws(FieldFault) {
                self = .onCalendar(try OnCalendar(expression))
            } catch {
                throw error.under("/expression")
            }
        case "rrule": self = try Self.recurrence(spec, now, zone, zoneName)
        case "after": self = try Self.after(spec)
        case "event":
            try spec.onlyMembers("event", "delay_ms")
            guard let name = spec["event"]?.text.flatMap({ HostEvent.Name(rawValue: $0) }) else {
                let known = HostEvent.Name.allCases.map(\.rawValue).joined(separator: ", ")
                throw FieldFault(pointer: "/event", code: "unknown_value", detail: "must be one of " + known)
            }
            self = .event(HostEvent(name: name, delay: try Self.delay(spec)))
        default:
            throw FieldFault(
                pointer: "", code: "unknown_kind", detail: "kind must be one of " + Self.kinds.joined(separator: ", "))
        }
    }

    private static func once(_ spec: JSONValue) throws(FieldFault) -> ScheduleSpec {
        try spec.onlyMembers("at", "local")
        guard let given = spec["local"] else { return .once(at: try time(spec["at"], "/at")) }
        guard spec["at"] == nil else {
            throw FieldFault(pointer: "/local", code: "exclusive", detail: "cannot stand beside at")
        }
        return .onceLocal(try local(given, "/local"))
    }

    private static func cron(_ spec: JSONValue) throws(FieldFault) -> ScheduleSpec {
        try spec.onlyMembers("expression", "dialect")
        guard let expression = spec["expression"]?.text else {
            throw FieldFault(pointer: "/expression", code: "required", detail: "must be a cron expression")
        }
        var dialect = CronExpression.Dialect.vixie
        if let given = spec["dialect"] {
            guard let known = given.text.flatMap({ CronExpression.Dialect(rawValue: $0) }) else {
                let names = CronExpression.Dialect.allCases.map(\.rawValue).joined(separator: ", ")
                throw FieldFault(pointer: "/dialect", code: "unknown_value", detail: "must be one of " + names)
            }
            dialect = known
        }
        do throws(FieldFault) {
            return .cron(try CronExpression(expression, dialect: dialect))
        } catch {
            throw error.under("/expression")
        }
    }

    private static func recurrence(
        _ spec: JSONValue, _ now: WallTime, _ zone: some ZoneRules, _ zoneName: String?
    ) throws(FieldFault) -> ScheduleSpec {
        try spec.onlyMembers("rule", "dtstart", "rdate", "exdate")
        guard let text = spec["rule"]?.text else {
            throw FieldFault(pointer: "/rule", code: "required", detail: "must be a recurrence rule, FREQ=…")
        }
        var start = zone.local(at: now.seconds).secondsSinceEpoch
        if let given = spec["dtstart"] { start = try local(given, "/dtstart") }
        var rule: RecurrenceRule
        do throws(FieldFault) {
            rule = try RecurrenceRule(text, start: start, zone: zone, zoneName: zoneName)
        } catch {
            throw error.under("/rule")
        }
        if let given = spec["rdate"] { rule.added = Array(Set(rule.added + (try locals(given, "/rdate")))).sorted() }
        if let given = spec["exdate"] {
            rule.removed = Array(Set(rule.removed + (try locals(given, "/exdate")))).sorted()
        }
        try rule.checkDates(spec["exdate"] == nil ? "/rdate" : "/exdate")
        return .recurrence(rule)
    }

    private static func after(_ spec: JSONValue) throws(FieldFault) -> ScheduleSpec {
        try spec.onlyMembers("job", "on", "delay_ms")
        guard let job = spec["job"]?.text, !job.isEmpty else {
            throw FieldFault(pointer: "/job", code: "required", detail: "must be the name of a job")
        }
        var outcomes: [RunState] = [.succeeded]
        if let given = spec["on"] {
            guard let elements = given.elements, !elements.isEmpty else {
                throw FieldFault(
                    pointer: "/on", code: "required", detail: "must be a list of succeeded, failed, cancelled")
            }
            outcomes = []
            for (index, element) in elements.enumerated() {
                guard let state = element.text.flatMap({ RunState(rawValue: $0) }), state.isTerminal else {
                    throw FieldFault(
                        pointer: "/on/\(index)", code: "unknown_value", detail: "must be succeeded, failed or cancelled"
                    )
                }
                if !outcomes.contains(state) { outcomes.append(state) }
            }
        }
        return .after(AfterJob(job: job, outcomes: outcomes, delay: try delay(spec)))
    }

    private static func delay(_ spec: JSONValue) throws(FieldFault) -> Duration {
        guard let given = spec["delay_ms"] else { return .zero }
        return .milliseconds(try given.integer(in: 0...longestDelay, at: "/delay_ms"))
    }

    private static func time(_ value: JSONValue?, _ pointer: String) throws(FieldFault) -> WallTime {
        guard let time = value?.text.flatMap({ WallTime(rfc3339: $0) }) else {
            throw FieldFault(
                pointer: pointer, code: "bad_time", detail: "must be a time as in RFC 3339, with Z or an offset")
        }
        return time
    }

    private static func local(_ value: JSONValue, _ pointer: String) throws(FieldFault) -> Int64 {
        guard let local = value.text.flatMap({ CivilText.local($0) }) else {
            throw FieldFault(
                pointer: pointer, code: "bad_time",
                detail: "must be a date and time of the schedule's zone, YYYY-MM-DDTHH:MM:SS without an offset")
        }
        return local
    }

    private static func locals(_ value: JSONValue, _ pointer: String) throws(FieldFault) -> [Int64] {
        guard let elements = value.elements, elements.count <= 1000 else {
            throw FieldFault(pointer: pointer, code: "wrong_type", detail: "must be a list of at most 1000 times")
        }
        var result: [Int64] = []
        for (index, element) in elements.enumerated() { result.append(try local(element, "\(pointer)/\(index)")) }
        return result
    }

    /// The specification without its kind, complete: anchors that came from the creation's time stand in it.
    package var json: String {
        var members: [JSONMember] = []
        func text(_ name: String, _ value: String) { members.append(JSONMember(name, .string(value))) }
        func milliseconds(_ name: String, _ value: Duration) {
            members.append(JSONMember(name, .number(String(value.wholeMilliseconds))))
        }
        func list(_ name: String, _ times: [Int64]) {
            if !times.isEmpty {
                members.append(JSONMember(name, .array(times.map { .string(CivilText.local($0)) })))
            }
        }
        switch self {
        case .once(let at): text("at", at.rfc3339)
        case .onceLocal(let local): text("local", CivilText.local(local))
        case .interval(let every, let anchor):
            milliseconds("every_ms", every)
            text("anchor", anchor.rfc3339)
        case .cron(let expression):
            text("expression", expression.text)
            if expression.dialect != .vixie { text("dialect", expression.dialect.rawValue) }
        case .calendar(let rule): return rule.json.json
        case .onCalendar(let event): text("expression", event.text + (event.zone.map { " " + $0 } ?? ""))
        case .recurrence(let rule):
            text("rule", rule.text)
            text("dtstart", CivilText.local(rule.start))
            list("rdate", rule.added)
            list("exdate", rule.removed)
        case .after(let after):
            text("job", after.job)
            members.append(JSONMember("on", .array(after.outcomes.map { .string($0.rawValue) })))
            if after.delay > .zero { milliseconds("delay_ms", after.delay) }
        case .event(let event):
            text("event", event.name.rawValue)
            if event.delay > .zero { milliseconds("delay_ms", event.delay) }
        }
        return JSONValue.object(members).json
    }
}
