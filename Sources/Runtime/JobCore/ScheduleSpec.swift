/// When a schedule fires.
package enum ScheduleSpec: Hashable, Sendable {
    case once(at: WallTime)
    /// At `anchor` and every multiple of `every` after it: the rhythm does not drift with late firings.
    case interval(every: Duration, anchor: WallTime)
    case cron(CronExpression)
    case calendar(CalendarRule)

    package static let kinds = ["once", "interval", "cron", "calendar"]
    /// Faster rhythms are work for a loop inside a handler.
    private static let shortestInterval: Int64 = 1000
    private static let longestInterval: Int64 = 3660 * 86_400_000

    package var kind: String {
        switch self {
        case .once: "once"
        case .interval: "interval"
        case .cron: "cron"
        case .calendar: "calendar"
        }
    }

    /// The first firing strictly later than `after`; nil if there is none.
    /// - Parameter zone: for `cron` and `calendar`; the others name points in time.
    package func next(after: WallTime, zone: some ZoneRules) -> WallTime? {
        switch self {
        case .once(let at): return at > after ? at : nil
        case .interval(let every, let anchor):
            if anchor > after { return anchor }
            let step = every.wholeMicroseconds
            let passed = (after.micros - anchor.micros) / step + 1
            let (span, overflow) = passed.multipliedReportingOverflow(by: step)
            return overflow ? nil : WallTime(micros: anchor.micros + span)
        case .cron(let expression): return Self.time(expression.next(after: after.seconds, zone: zone))
        case .calendar(let rule): return Self.time(rule.next(after: after.seconds, zone: zone))
        }
    }

    /// The last firing not later than `now` of those from `first` on, and how many lie before it: what is fired when some were
    /// missed.
    /// - Parameter first: a firing, not later than `now`.
    package func latest(from first: WallTime, notAfter now: WallTime, zone: some ZoneRules) -> (WallTime, missed: Int) {
        if case .interval(let every, _) = self {
            let step = every.wholeMicroseconds
            let missed = (now.micros - first.micros) / step
            return (WallTime(micros: first.micros + missed * step), Int(missed))
        }
        var latest = first
        var missed = 0
        // Bounded: after years without a host, the exact latest minute matters to nobody.
        while missed < 100_000, let next = next(after: latest, zone: zone), next <= now {
            latest = next
            missed += 1
        }
        return (latest, missed)
    }

    private static func time(_ seconds: Int64?) -> WallTime? { seconds.map { WallTime(micros: $0 * 1_000_000) } }
}

// MARK: - JSON: once {at} · interval {every_ms, anchor?} · cron {expression} · calendar, see CalendarRule

extension ScheduleSpec {
    /// - Parameters:
    ///   - now: anchor of what counts from its creation; whole seconds of it.
    ///   - zone: whose date counts for `calendar`.
    package init(kind: String, spec: JSONValue, now: WallTime, zone: some ZoneRules) throws(FieldFault) {
        switch kind {
        case "once":
            try spec.onlyMembers("at")
            self = .once(at: try Self.time(spec["at"], "/at"))
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
        case "cron":
            try spec.onlyMembers("expression")
            guard let expression = spec["expression"]?.text else {
                throw FieldFault(pointer: "/expression", code: "required", detail: "must be a cron expression")
            }
            do throws(FieldFault) {
                self = .cron(try CronExpression(expression))
            } catch {
                throw error.under("/expression")
            }
        case "calendar":
            self = .calendar(try CalendarRule(spec, today: zone.local(at: now.seconds).daysSinceEpoch))
        default:
            throw FieldFault(
                pointer: "", code: "unknown_kind", detail: "kind must be one of " + Self.kinds.joined(separator: ", "))
        }
    }

    private static func time(_ value: JSONValue?, _ pointer: String) throws(FieldFault) -> WallTime {
        guard let time = value?.text.flatMap({ WallTime(rfc3339: $0) }) else {
            throw FieldFault(
                pointer: pointer, code: "bad_time", detail: "must be a time as in RFC 3339, with Z or an offset")
        }
        return time
    }

    /// The specification without its kind, complete: anchors that came from the creation's time stand in it.
    package var json: String {
        switch self {
        case .once(let at): JSONValue.object([JSONMember("at", .string(at.rfc3339))]).json
        case .interval(let every, let anchor):
            JSONValue.object([
                JSONMember("every_ms", .number(String(every.wholeMilliseconds))),
                JSONMember("anchor", .string(anchor.rfc3339)),
            ]).json
        case .cron(let expression): JSONValue.object([JSONMember("expression", .string(expression.text))]).json
        case .calendar(let rule): rule.json.json
        }
    }
}
