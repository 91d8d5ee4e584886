import JobCore
import Testing

private func time(_ text: String) -> WallTime {
    guard let time = WallTime(rfc3339: "2026-06-0\(text):00Z") else { preconditionFailure("not a time: \(text)") }
    return time
}

private func runID(_ number: Int64) -> RunID { RunID(number) }

/// Hourly, from 2026-06-01 00:00.
private func timetable(_ change: (inout ScheduleOptions) -> Void = { _ in }) throws -> Timetable {
    var options = ScheduleOptions()
    change(&options)
    return Timetable(spec: .cron(try CronExpression("0 * * * *")), zone: UTCRules(), options: options)
}

private func state(_ next: String, _ change: (inout FiringPlan.State) -> Void = { _ in }) -> FiringPlan.State {
    var state = FiringPlan.State(schedule: 7, next: time(next))
    change(&state)
    return state
}

/// `1T05:00 fire`, one for each occurrence.
private func words(_ plan: FiringPlan) -> [String] {
    plan.occurrences.map { occurrence in
        let at = occurrence.planned.rfc3339.dropFirst(9).prefix(7)
        return switch occurrence.verdict {
        case .fire: "\(at) fire"
        case .queue: "\(at) queue"
        case .record(let reason): "\(at) \(reason.rawValue)"
        }
    }
}

@Suite struct FiringPlanTests {
    @Test func onTime() throws {
        let plan = FiringPlan(try timetable(), state("1T05:00"), now: time("1T05:00"))
        #expect(words(plan) == ["1T05:00 fire"])
        #expect(plan.next == time("1T06:00") && plan.ordinal == 1)
        #expect(FiringPlan(try timetable(), state("1T05:00"), now: time("1T04:59")).occurrences.isEmpty)
    }

    // MARK: Missed

    @Test(arguments: [
        (MissedPolicy(.none), ["missed", "missed", "missed", "missed"]),
        (MissedPolicy(.latest), ["missed", "missed", "missed", "fire"]),
        (MissedPolicy(.all), ["fire", "fire", "fire", "fire"]),
        (MissedPolicy(.all, cap: 2), ["missed", "missed", "fire", "fire"]),
        (MissedPolicy(.all, window: .seconds(2 * 3600)), ["missed", "missed", "fire", "fire"]),
        (MissedPolicy(.latest, window: .seconds(600)), ["missed", "missed", "missed", "missed"]),
    ])
    func missed(_ policy: MissedPolicy, _ expected: [String]) throws {
        // Due since 05:00, 06:00, 07:00 and 08:00; half an hour after the last.
        let plan = FiringPlan(try timetable { $0.missed = policy }, state("1T05:00"), now: time("1T08:30"))
        #expect(words(plan).map { String($0.dropFirst(8)) } == expected)
        #expect(plan.next == time("1T09:00"))
    }

    @Test(arguments: MissedPolicy.Choice.allCases)
    func whatIsOnTimeFiresWhateverWasMissed(_ choice: MissedPolicy.Choice) throws {
        let plan = FiringPlan(
            try timetable { $0.missed = MissedPolicy(choice) }, state("1T05:00"), now: time("1T07:01"))
        let early = choice == .all ? "fire" : "missed"
        #expect(words(plan) == ["1T05:00 \(early)", "1T06:00 \(early)", "1T07:00 fire"])
    }

    @Test func aLongAbsenceIsCountedRatherThanListed() throws {
        var table = try timetable()
        table.spec = .interval(every: .seconds(60), anchor: time("1T00:00"))
        let now = time("1T00:00").advanced(by: .seconds(5000 * 60 + 30))
        let plan = FiringPlan(table, state("1T00:00"), now: now)
        // The last is within its grace.
        #expect(plan.fired == 1 && plan.occurrences.count == 1001 && plan.unlisted == 4000 && plan.ordinal == 5001)
    }

    @Test func ofEachReasonTheLatestThousandAreListed() throws {
        var table = try timetable {
            $0.missed = MissedPolicy(.all)
            $0.blackouts.intervals = [time("1T00:00")..<time("1T20:00")]
        }
        table.spec = .interval(every: .seconds(60), anchor: time("1T00:00"))
        let paused = state("1T00:00") { $0.isPaused = true }
        let plan = FiringPlan(table, paused, now: time("3T00:00"))
        let reasons = plan.occurrences.map(\.verdict)
        #expect(reasons.count == 2000 && plan.fired == 0 && plan.unlisted == 0 && plan.ordinal == 2881)
        #expect(reasons.prefix(1000).allSatisfy { $0 == .record(.blackout) })
        #expect(reasons.suffix(1000).allSatisfy { $0 == .record(.paused) })
        // 1200 minutes of blackout, 1681 of pause.
        #expect(plan.occurrences.filter { $0.unlisted > 0 }.map(\.unlisted) == [200, 681])
        #expect(plan.occurrences[0].unlisted == 200 && plan.occurrences[1000].unlisted == 681)
    }

    // MARK: Events

    @Test func eachEventStandsForItself() throws {
        let events = ["1T05:00", "1T05:01", "1T05:02", "1T05:03"].map { time($0) }
        func plan(_ change: (inout ScheduleOptions) -> Void, _ state: FiringPlan.State) throws -> [String] {
            words(FiringPlan(try timetable(change), state, events: events, now: time("1T08:00"))).map {
                String($0.dropFirst(8))
            }
        }
        let none = FiringPlan.State(schedule: 7, next: nil)
        // The latest of missed times stands for those before it; an event does not.
        #expect(try plan({ _ in }, none) == ["fire", "fire", "fire", "fire"])
        #expect(try plan({ $0.missed = MissedPolicy(.none) }, none) == ["missed", "missed", "missed", "missed"])
        #expect(
            try plan({ $0.missed = MissedPolicy(.latest, window: .seconds(3 * 3600 - 90)) }, none)
                == ["missed", "missed", "fire", "fire"])
        #expect(try plan({ $0.overlap = .queueOne }, none) == ["fire", "queue", "overlap", "overlap"])
        #expect(try plan({ $0.overlap = .cancelRunning }, none) == ["overlap", "overlap", "overlap", "fire"])
        #expect(try plan({ $0.everyNth = 2 }, none) == ["fire", "fire"])
        var last = none
        last.maxRuns = 3
        last.runCount = 1
        last.skipNext = 1
        #expect(try plan({ _ in }, last) == ["skipped", "fire", "fire"])
        var table = try timetable()
        table.start = time("1T05:01")
        table.end = time("1T05:02")
        #expect(FiringPlan(table, none, events: events, now: time("1T08:00")).fired == 2)
    }

    // MARK: Overlap: policy × one run going × one waiting

    @Test(arguments: [
        (OverlapPolicy.allow, 0, false, "fire"), (.allow, 1, false, "fire"), (.allow, 2, true, "fire"),
        (.skip, 0, false, "fire"), (.skip, 1, false, "overlap"), (.skip, 2, true, "overlap"),
        (.queueOne, 0, false, "fire"), (.queueOne, 1, false, "queue"), (.queueOne, 2, true, "overlap"),
        (.cancelRunning, 0, false, "fire"), (.cancelRunning, 1, false, "fire"), (.cancelRunning, 2, true, "fire"),
        (.terminateRunning, 0, false, "fire"), (.terminateRunning, 1, false, "fire"),
        (.terminateRunning, 2, true, "fire"),
    ])
    func overlap(_ policy: OverlapPolicy, _ going: Int, _ waits: Bool, _ expected: String) throws {
        let runs = (0..<going).map { runID(Int64($0 + 1)) }
        let plan = FiringPlan(
            try timetable { $0.overlap = policy },
            state("1T05:00") {
                $0.going = runs
                $0.hasWaiting = waits
            }, now: time("1T05:00"))
        #expect(words(plan) == ["1T05:00 \(expected)"])
        #expect(plan.cancel == (policy == .cancelRunning ? runs : []))
        #expect(plan.terminate == (policy == .terminateRunning ? runs : []))
    }

    @Test(arguments: [
        (OverlapPolicy.allow, ["fire", "fire", "fire"]), (.skip, ["fire", "overlap", "overlap"]),
        (.queueOne, ["fire", "queue", "overlap"]), (.cancelRunning, ["overlap", "overlap", "fire"]),
        (.terminateRunning, ["overlap", "overlap", "fire"]),
    ])
    func severalAtOnceOverlapEachOther(_ policy: OverlapPolicy, _ expected: [String]) throws {
        let plan = FiringPlan(
            try timetable {
                $0.overlap = policy
                $0.missed = MissedPolicy(.all)
            }, state("1T05:00"), now: time("1T07:30"))
        #expect(words(plan).map { String($0.dropFirst(8)) } == expected)
    }

    // MARK: What keeps a time from running

    @Test func pausedUntil() throws {
        let paused = state("1T05:00") { $0.isPaused = true }
        #expect(words(FiringPlan(try timetable(), paused, now: time("1T05:00"))) == ["1T05:00 paused"])
        let ends = state("1T05:00") {
            $0.isPaused = true
            $0.pausedUntil = time("1T06:00")
        }
        let plan = FiringPlan(try timetable { $0.missed = MissedPolicy(.all) }, ends, now: time("1T06:30"))
        #expect(words(plan) == ["1T05:00 paused", "1T06:00 fire"])
    }

    @Test func skipped() throws {
        let two = state("1T05:00") { $0.skipNext = 2 }
        let plan = FiringPlan(try timetable { $0.missed = MissedPolicy(.all) }, two, now: time("1T07:30"))
        #expect(words(plan) == ["1T05:00 skipped", "1T06:00 skipped", "1T07:00 fire"] && plan.skipNext == 0)
        #expect(FiringPlan(try timetable(), two, now: time("1T05:00")).skipNext == 1)
        let until = state("1T05:00") { $0.skipUntil = time("1T06:00") }
        #expect(
            words(FiringPlan(try timetable(), until, now: time("1T07:00"))).first == "1T05:00 skipped")
    }

    @Test func blackoutsAndCalendars() throws {
        var table = try timetable { $0.businessDays = true }
        table.options.blackouts.intervals = [time("1T06:00")..<time("1T07:00")]
        table.calendars = [DateCalendar(localIntervals: [time("1T08:00").seconds..<time("1T08:01").seconds])]
        table.options.missed = MissedPolicy(.all)
        let plan = FiringPlan(table, state("1T05:00"), now: time("1T08:30"))
        #expect(words(plan) == ["1T05:00 fire", "1T06:00 blackout", "1T07:00 fire", "1T08:00 calendar"])
        // 2026-06-06 is a Saturday.
        #expect(words(FiringPlan(table, state("6T05:00"), now: time("6T05:00"))) == ["6T05:00 calendar"])
    }

    @Test func everyNthCountsFromTheFirst() throws {
        let table = try timetable {
            $0.everyNth = 3
            $0.missed = MissedPolicy(.all)
        }
        let plan = FiringPlan(table, state("1T00:00"), now: time("1T06:30"))
        #expect(words(plan) == ["1T00:00 fire", "1T03:00 fire", "1T06:00 fire"] && plan.ordinal == 7)
        let later = FiringPlan(table, state("1T07:00") { $0.ordinal = 7 }, now: time("1T09:30"))
        #expect(words(later) == ["1T09:00 fire"])
    }

    @Test func theLastOfItsRuns() throws {
        let plan = FiringPlan(
            try timetable { $0.missed = MissedPolicy(.all) },
            state("1T05:00") {
                $0.maxRuns = 5
                $0.runCount = 3
            }, now: time("1T08:30"))
        #expect(words(plan) == ["1T05:00 fire", "1T06:00 fire"] && plan.next == nil)
    }

    @Test func theEnd() throws {
        var table = try timetable()
        table.end = time("1T05:00")
        let plan = FiringPlan(table, state("1T05:00"), now: time("1T05:00"))
        #expect(plan.fired == 1 && plan.next == nil)
    }

    @Test func jitterIsTheSameEachTime() throws {
        let table = try timetable { $0.jitter = .seconds(300) }
        let planned = time("1T05:00")
        var seen: Set<WallTime> = []
        for schedule in 1...200 as ClosedRange<Int64> {
            let start = table.start(of: planned, schedule: schedule)
            #expect(start == table.start(of: planned, schedule: schedule))
            #expect(start >= planned && start - planned <= .seconds(300))
            seen.insert(start)
        }
        #expect(seen.count > 190)
        #expect(try timetable().start(of: planned, schedule: 1) == planned)
    }

    /// Any way of asking gives each planned time one verdict: the state after one plan is where the next begins.
    @Test func noTimeTwiceAndNoneLost() throws {
        for policy in OverlapPolicy.allCases {
            for choice in MissedPolicy.Choice.allCases {
                let table = try timetable {
                    $0.overlap = policy
                    $0.missed = MissedPolicy(choice)
                }
                for stride in [7, 61, 59, 600, 1500] {
                    var seen: [WallTime] = []
                    var current = state("1T00:00")
                    var now = time("1T00:00")
                    while now < time("3T00:00") {
                        let plan = FiringPlan(table, current, now: now)
                        seen += plan.occurrences.map(\.planned)
                        current.next = plan.next
                        current.ordinal = plan.ordinal
                        now = now.advanced(by: .seconds(stride * 60))
                    }
                    #expect(Set(seen).count == seen.count && seen == seen.sorted())
                    #expect(seen.count == current.ordinal)
                }
            }
        }
    }
}
