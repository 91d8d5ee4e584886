import JobCore
import Postgres

/// Checks of many changes, before the transaction that does them.
extension JobStore {
    /// In the order in which they are done.
    func prepared(
        _ changes: [(pointer: String, change: StateChange)]
    ) async throws(StoreError) -> [(pointer: String, step: Step)] {
        let ordered = changes.enumerated().sorted {
            ($0.element.change.rank, $0.offset) < ($1.element.change.rank, $1.offset)
        }.map(\.element)
        let made = Made(changes.map(\.change))
        var steps: [(pointer: String, step: Step)] = []
        for (pointer, change) in ordered {
            do throws(StoreError) {
                steps.append((pointer, try await prepared(change, made)))
            } catch {
                guard case .notFound("job", let job, let near) = error else { throw error.under(pointer) }
                // A request names it, not its path.
                let hint = near.first.map { "; did you mean \($0)?" } ?? ""
                throw .invalid(
                    FieldFault(pointer: pointer + "/job", code: "unknown_job", detail: "there is no job \(job)\(hint)"))
            }
        }
        return steps
    }

    /// What will be there when the schedules of the same request are, and what will not.
    private struct Made: Sendable {
        /// Handlers by the jobs that are made.
        var handlers: [String: String] = [:]
        var calendars: Set<String> = []
        /// Schedules that go, or are replaced: what they name now does not matter.
        var written: [Int64] = []

        init(_ changes: [StateChange]) {
            for change in changes {
                switch change {
                case .createJob(let definition): handlers[definition.name] = definition.handler
                case .createCalendar(let input): calendars.insert(input.name)
                case .deleteSchedule(let row): written.append(row.id)
                case .changeSchedule(let row, _): written.append(row.id)
                default: break
                }
            }
        }
    }

    enum Step: Sendable {
        case calendar(CalendarStep, name: String)
        case queue(String, ConcurrencyPatch, revision: Int64)
        case createJob(JobDefinition)
        case changeJob(String, JobPatch, description: String?, revision: Int64)
        case schedule(ScheduleStep, name: String)
    }

    /// Checks a change as far as that needs no transaction.
    private func prepared(_ change: StateChange, _ made: Made) async throws(StoreError) -> Step {
        switch change {
        case .createCalendar(let input):
            try Self.check(input)
            return .calendar(.create(input), name: input.name)
        case .changeCalendar(let input, let revision):
            return .calendar(.change(input, revision: revision), name: input.name)
        case .deleteCalendar(let name, let revision):
            let users = try await decoding {
                try await self.pool.query(.calendarUsers, [.text(name), .int64Array(made.written)]).map {
                    try $0.text(0)
                }
            }
            if !users.isEmpty { throw Self.calendarInUse(name, users) }
            return .calendar(.delete(name, revision: revision), name: name)
        case .limitQueue(let name, let patch, let revision):
            guard (1...120).contains(name.utf8.count) else {
                throw .invalid(FieldFault(pointer: "/name", code: "out_of_range", detail: "must have 1 to 120 bytes"))
            }
            do throws(FieldFault) { try patch.check() } catch { throw .invalid(error) }
            return .queue(name, patch, revision: revision)
        case .createJob(let definition):
            try Self.check(definition)
            do throws(StoreError) {
                _ = try await sourceJob(of: definition.handler)
            } catch {
                guard case .notFound("handler", let name, let near) = error else { throw error }
                let hint = near.first.map { "; did you mean \($0)?" } ?? ""
                throw .invalid(
                    FieldFault(
                        pointer: "/handler", code: "unknown_handler",
                        detail: "no plugin brought a handler \(name)\(hint)"))
            }
            return .createJob(definition)
        case .changeJob(let name, let patch, let description, let revision):
            do throws(FieldFault) { try patch.check() } catch { throw .invalid(error.under("/settings")) }
            return .changeJob(name, patch, description: description, revision: revision)
        case .createSchedule(let input):
            let row = try await parameters(input, runCount: 0, made)
            return .schedule(.insert(input, row), name: input.name ?? "")
        case .changeSchedule(let present, let input):
            if !input.openMembers.isEmpty { try present.checkReadable() }
            let settled = input.settled(by: present.input)
            let row = try await parameters(settled, runCount: present.runCount, id: present.id, made)
            return .schedule(
                .update(present.id, revision: present.revision, settled, row), name: input.name ?? "")
        case .deleteSchedule(let row):
            return .schedule(.delete(row.id, revision: row.revision), name: row.input.name ?? "sch_\(row.id)")
        }
    }

    private func parameters(
        _ input: ScheduleInput, runCount: Int, id: Int64? = nil, _ made: Made
    ) async throws(StoreError) -> [PGParameter] {
        var source: String?
        if let handler = made.handlers[input.job] { source = try await sourceJob(of: handler) }
        return try await parameters(input, runCount: runCount, id: id, source: source, madeCalendars: made.calendars)
            .list
    }
}

// As the record calls the single changes.

extension JobStore.CalendarStep {
    var word: String {
        switch self {
        case .create: "calendar.create"
        case .change: "calendar.replace"
        case .delete: "calendar.delete"
        }
    }
}

extension JobStore.ScheduleStep {
    var word: String {
        switch self {
        case .insert: "schedule.create"
        case .update: "schedule.replace"
        case .delete: "schedule.delete"
        }
    }
}
