/// What a schedule does besides naming times: everything that bends, thins out or skips them.
package struct ScheduleOptions: Hashable, Sendable {
    package var clocks = ClockChangeRule()
    package var missed = MissedPolicy()
    package var overlap = OverlapPolicy.allow
    /// For the overlap, runs made by hand are runs of the schedule.
    package var countsManual = true
    /// A run comes up to this much later than planned, the same for the same planned time.
    package var jitter: Duration = .zero
    /// Only each n-th time counts, the first of the schedule included.
    package var everyNth = 1
    /// Monday to Friday only, by the date in the schedule's zone.
    package var businessDays = false
    /// Names of calendars on whose days nothing runs. With business days, a holiday is none either.
    package var calendars: [String] = []
    /// Its own blackout windows.
    package var blackouts = DateCalendar()

    package init() {}
}

/// What becomes of times that passed while nobody was there to fire them.
package struct MissedPolicy: Hashable, Sendable {
    package enum Choice: String, CaseIterable, Sendable {
        case none, latest, all
    }

    package var choice: Choice
    /// Times longer ago than this are left out whatever the choice; nil: no limit.
    package var window: Duration?
    /// With `all`: no more than the latest so many.
    package var cap: Int

    package init(_ choice: Choice = .latest, window: Duration? = nil, cap: Int = 100) {
        self.choice = choice
        self.window = window
        self.cap = cap
    }

    /// A firing that is later than this came while nobody was there, rather than by a busy host.
    package static let grace: Duration = .seconds(60)
}

/// What a time that has come does when a run of the schedule is still going.
package enum OverlapPolicy: String, CaseIterable, Sendable {
    case allow, skip
    /// One more waits until the present one has ended; further ones are skipped.
    case queueOne = "queue_one"
    case cancelRunning = "cancel_running"
    case terminateRunning = "terminate_running"
}

// MARK: - JSON, as members of a schedule

extension ScheduleOptions {
    package static let memberNames = [
        "dst", "catch_up", "overlap", "jitter_ms", "every_nth", "business_days", "calendars", "blackouts",
        "count_manual",
    ]

    /// Reads those of `memberNames` that are there; others are not looked at.
    package init(_ value: JSONValue) throws(FieldFault) {
        self.init()
        if let dst = value["dst"] {
            do throws(FieldFault) {
                try dst.onlyMembers("gap", "fold")
                clocks.gap = try Self.word(dst["gap"], "/gap", clocks.gap)
                clocks.fold = try Self.word(dst["fold"], "/fold", clocks.fold)
            } catch { throw error.under("/dst") }
        }
        if let catchUp = value["catch_up"] {
            do throws(FieldFault) {
                try catchUp.onlyMembers("policy", "window_ms", "cap")
                missed.choice = try Self.word(catchUp["policy"], "/policy", missed.choice)
                if let window = catchUp["window_ms"], window != .null {
                    missed.window = .milliseconds(try window.integer(in: 0...366 * 86_400_000, at: "/window_ms"))
                }
                if let cap = catchUp["cap"] { missed.cap = try cap.integer(in: 1...10_000, at: "/cap") }
            } catch { throw error.under("/catch_up") }
        }
        overlap = try Self.word(value["overlap"], "/overlap", overlap)
        if let given = value["jitter_ms"] {
            jitter = .milliseconds(try given.integer(in: 0...86_400_000, at: "/jitter_ms"))
        }
        if let given = value["every_nth"] { everyNth = try given.integer(in: 1...10_000, at: "/every_nth") }
        businessDays = try Self.flag(value["business_days"], "/business_days", businessDays)
        countsManual = try Self.flag(value["count_manual"], "/count_manual", countsManual)
        if let given = value["calendars"] {
            guard let elements = given.elements, elements.count <= 20 else {
                throw FieldFault(
                    pointer: "/calendars", code: "wrong_type", detail: "must be a list of at most 20 names")
            }
            for (index, element) in elements.enumerated() {
                guard let name = element.text, !name.isEmpty else {
                    throw FieldFault(pointer: "/calendars/\(index)", code: "wrong_type", detail: "must be a name")
                }
                if !calendars.contains(name) { calendars.append(name) }
            }
        }
        if let given = value["blackouts"] {
            do throws(FieldFault) { blackouts = try DateCalendar(given) } catch { throw error.under("/blackouts") }
        }
    }

    private static func flag(_ value: JSONValue?, _ pointer: String, _ usual: Bool) throws(FieldFault) -> Bool {
        guard let value else { return usual }
        guard case .boolean(let flag) = value else {
            throw FieldFault(pointer: pointer, code: "wrong_type", detail: "must be true or false")
        }
        return flag
    }

    private static func word<T: RawRepresentable & CaseIterable>(
        _ value: JSONValue?, _ pointer: String, _ usual: T
    ) throws(FieldFault) -> T where T.RawValue == String {
        guard let value else { return usual }
        guard let known = value.text.flatMap({ T(rawValue: $0) }) else {
            throw FieldFault(
                pointer: pointer, code: "unknown_value",
                detail: "must be one of " + T.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return known
    }

    /// All of them, so that a reader need not know what is usual.
    package var members: [JSONMember] {
        func number(_ value: Int64) -> JSONValue { .number(String(value)) }
        return [
            JSONMember(
                "dst",
                .object([
                    JSONMember("gap", .string(clocks.gap.rawValue)), JSONMember("fold", .string(clocks.fold.rawValue)),
                ])),
            JSONMember(
                "catch_up",
                .object([
                    JSONMember("policy", .string(missed.choice.rawValue)),
                    JSONMember("window_ms", missed.window.map { number($0.wholeMilliseconds) } ?? .null),
                    JSONMember("cap", number(Int64(missed.cap))),
                ])),
            JSONMember("overlap", .string(overlap.rawValue)), JSONMember("jitter_ms", number(jitter.wholeMilliseconds)),
            JSONMember("every_nth", number(Int64(everyNth))), JSONMember("business_days", .boolean(businessDays)),
            JSONMember("calendars", .array(calendars.map { .string($0) })), JSONMember("blackouts", blackouts.json),
            JSONMember("count_manual", .boolean(countsManual)),
        ]
    }
}
