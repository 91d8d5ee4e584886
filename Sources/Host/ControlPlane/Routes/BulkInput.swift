import JobCore
import JobStore

/// What can be done to many runs at once.
enum BulkAction: String, CaseIterable, Sendable {
    case retry, cancel, delete
    case setPriority = "set_priority"
    case runNow = "run_now"

    /// The states in which it can be done.
    var states: Set<RunState> {
        switch self {
        case .retry, .delete: [.succeeded, .failed, .cancelled]
        case .cancel: [.scheduled, .blocked, .queued, .running, .retrying]
        case .setPriority: [.scheduled, .blocked, .queued, .retrying]
        case .runNow: [.scheduled, .retrying]
        }
    }

    /// Which of them a filter means that names none: nobody wants to repeat what went well by leaving out a word.
    var usualStates: Set<RunState> { self == .retry ? [.failed] : states }
}

/// What a bulk operation is to do, and to which runs.
struct BulkOrder: Sendable {
    var action: BulkAction
    /// Of `retry`.
    var changes = RetryChanges()
    /// Of `set_priority`.
    var priority: Int32 = 0
    /// Of `cancel`.
    var reason: String?
    var grace: Duration?
    /// Nil: the runs were named.
    var filter: RunFilter?
    var ids: [RunID] = []
    /// No more than so many.
    var limit = BulkOrder.mostRuns

    static let mostRuns = 10_000
    /// What a filter without times looks back.
    static let usualWindow = Duration.seconds(7 * 86_400)
}

extension BulkOrder {
    /// Reads the body of a bulk operation, `dry_run` and `plan` apart; nil if it cannot be read.
    static func read(_ reader: inout ObjectReader, now: WallTime, argsLimit: Int) -> BulkOrder? {
        reader.require("action")
        let action = reader.word("action", BulkAction.self)
        var order = BulkOrder(action: action ?? .cancel)
        if let most = reader.int("max", in: 1...Int64(mostRuns)) { order.limit = Int(most) }
        if let text = reader.raw("params") { read(params: text, of: action, &order, &reader, argsLimit) }
        if action == .setPriority, !reader.has("params") { reader.require("params") }
        let ids = reader.value("ids")
        let filter = reader.raw("filter")
        if let ids {
            if filter != nil { reader.fault("filter", "exclusive", "cannot stand beside ids") }
            order.ids = named(ids, &reader)
        } else if let filter {
            order.filter = self.filter(filter, order.action, now, &reader)
        } else {
            reader.fault("filter", "required", "is missing; or name the runs in ids")
        }
        return action == nil ? nil : order
    }

    private static func named(_ value: JSONValue, _ reader: inout ObjectReader) -> [RunID] {
        guard let elements = value.elements, (1...mostRuns).contains(elements.count) else {
            reader.fault("ids", "out_of_range", "must be a list of 1 to \(mostRuns) runs")
            return []
        }
        var ids: [RunID] = []
        var seen: Set<RunID> = []
        for (index, element) in elements.enumerated() {
            if let id = element.text.flatMap({ RunID(parsing: $0) }) {
                if seen.insert(id).inserted { ids.append(id) }
            } else if reader.faults.count < 100 {
                reader.fault(
                    FieldFault(pointer: "/\(index)", code: "malformed_id", detail: "must be a run's id"), at: "ids")
            }
        }
        return ids
    }

    private static func read(
        params text: String, of action: BulkAction?, _ order: inout BulkOrder, _ outer: inout ObjectReader,
        _ argsLimit: Int
    ) {
        var reader: ObjectReader
        do throws(Problem) {
            reader = try ObjectReader(text, under: "/params")
        } catch {
            outer.fault("params", "wrong_type", "must be an object")
            return
        }
        switch action {
        case .retry: order.changes = RetryInput.read(&reader, argsLimit: argsLimit)
        case .setPriority:
            reader.require("priority")
            order.priority = RunInput.priority(&reader) ?? 0
        case .cancel:
            order.reason = reader.string("reason", limit: 1000)
            order.grace = reader.milliseconds("grace_ms", to: 3_600_000)
        case .delete, .runNow, nil: break
        }
        if action != nil { reader.noteUnknown() }
        outer.add(reader.faults)
    }

    /// The filter of lists as an object; its values are texts or lists of texts.
    private static func filter(
        _ text: String, _ action: BulkAction, _ now: WallTime, _ outer: inout ObjectReader
    ) -> RunFilter {
        var filter = RunFilter()
        var reader: ObjectReader
        do throws(Problem) {
            reader = try ObjectReader(text, under: "/filter")
        } catch {
            outer.fault("filter", "wrong_type", "must be an object")
            return filter
        }
        for word in words("state", &reader) {
            if let state = RunState(rawValue: word) {
                filter.states.insert(state)
            } else {
                reader.fault(
                    "state", "unknown_word", "must be of " + RunState.allCases.map(\.rawValue).joined(separator: ", "))
            }
        }
        if !filter.states.isEmpty, filter.states.isDisjoint(with: action.states) {
            reader.fault(
                "state", "no_such_state",
                "\(action.rawValue) is for runs that are "
                    + action.states.map(\.rawValue).sorted().joined(separator: ", "))
        }
        filter.states = filter.states.isEmpty ? action.usualStates : filter.states.intersection(action.states)
        filter.jobs = Set(words("job", &reader))
        filter.queues = Set(words("queue", &reader))
        filter.owner = reader.string("owner", limit: 200)
        filter.organization = reader.string("organization", limit: 200)
        filter.labels = reader.strings("labels", limit: 64) ?? [:]
        filter.createdAfter = reader.time("created_after")
        filter.createdBefore = reader.time("created_before")
        if let text = reader.string("schedule_id", limit: 40) {
            filter.scheduleID = ScheduleJSON.parse(text)
            if filter.scheduleID == nil { reader.fault("schedule_id", "malformed_id", "must be sch_ and a number") }
        }
        if let text = reader.string("retry_of", limit: 40) {
            filter.retryOf = RunID(parsing: text)
            if filter.retryOf == nil { reader.fault("retry_of", "malformed_id", "must be a run's id") }
        }
        reader.noteUnknown()
        outer.add(reader.faults)
        // What waits may have been made long ago; of what is over, the newest is meant.
        if filter.createdAfter == nil, filter.createdBefore == nil, filter.states.allSatisfy(\.isTerminal) {
            filter.createdAfter = now.advanced(by: .zero - usualWindow)
        }
        return filter
    }

    private static func words(_ name: String, _ reader: inout ObjectReader) -> [String] {
        guard let value = reader.value(name) else { return [] }
        let elements = value.elements ?? [value]
        let texts = elements.compactMap(\.text)
        guard texts.count == elements.count, elements.count <= 100 else {
            reader.fault(name, "wrong_type", "must be a text, or a list of at most 100")
            return []
        }
        return texts
    }
}
