/// One thing that has to be done so that what there is becomes what somebody has written down.
///
/// Revisions are those that were looked at: what was changed meanwhile is not changed again.
package enum StateChange: Sendable {
    case createCalendar(CalendarInput)
    case changeCalendar(CalendarInput, revision: Int64)
    case deleteCalendar(String, revision: Int64)
    /// - Parameter revision: 0 for a queue that nobody has set yet.
    case limitQueue(String, ConcurrencyPatch, revision: Int64)
    case createJob(JobDefinition)
    /// - Parameter description: nil: as it is.
    case changeJob(String, JobPatch, description: String?, revision: Int64)
    case createSchedule(ScheduleInput)
    case changeSchedule(ScheduleRow, ScheduleInput)
    case deleteSchedule(ScheduleRow)

    /// What others rest on comes first, and goes last.
    var rank: Int {
        switch self {
        case .createCalendar, .changeCalendar: 0
        case .limitQueue: 1
        case .createJob, .changeJob: 2
        case .deleteSchedule: 3
        case .changeSchedule: 4
        case .createSchedule: 5
        case .deleteCalendar: 6
        }
    }

    /// Claims stand still while limits change.
    var isOfLimits: Bool {
        switch self {
        case .limitQueue: true
        case .createJob(let definition): !definition.settings.concurrency.isEmpty
        case .changeJob(_, let patch, _, _): !patch.concurrency.isEmpty
        default: false
        }
    }
}

/// What stands in a set of files, so that a later one knows what to remove.
package struct AppliedNames: Sendable {
    package var set: String
    package var schedules: [String]
    package var calendars: [String]

    package init(set: String, schedules: [String], calendars: [String]) {
        self.set = set
        self.schedules = schedules
        self.calendars = calendars
    }
}

/// Something that an earlier apply put in place.
package struct AppliedRow: Sendable, Hashable {
    package enum Kind: String, Sendable { case schedule, calendar }

    package var kind: Kind
    package var name: String
    /// Of a schedule.
    package var id: Int64
    package var revision: Int64
}
