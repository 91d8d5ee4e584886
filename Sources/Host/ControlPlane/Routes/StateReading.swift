import JobCore
import JobStore

/// What there is to be, as it stands in the body of `POST /apply`, each with its place there.
struct StateInput {
    struct Queue {
        var name: String
        /// All limits: what is not said is none.
        var limits: ConcurrencyPatch
    }

    struct Job {
        var name: String
        /// Nil: it must be there.
        var handler: String?
        var description: String?
        /// All that the operator says.
        var settings: JobPatch
    }

    var calendars: [(pointer: String, input: CalendarInput)] = []
    var queues: [(pointer: String, input: Queue)] = []
    var jobs: [(pointer: String, input: Job)] = []
    var schedules: [(pointer: String, input: ScheduleInput)] = []

    /// In one request.
    static let mostEntries = 2000
}

extension Backend {
    /// Reads `{calendars?, queues?, jobs?, schedules?}`; faults are the reader's.
    func stateInput(_ reader: inout ObjectReader) -> StateInput {
        var state = StateInput()
        read("calendars", &reader) { inner, name, pointer throws(Problem) in
            state.calendars.append((pointer, try self.calendarInput(&inner, name: name)))
        }
        read("queues", &reader) { inner, name, pointer throws(Problem) in
            let everywhere = Self.limit(&inner, "concurrency") ?? nil
            let here = Self.limit(&inner, "host_concurrency") ?? nil
            try inner.finish()
            let limits = ConcurrencyPatch(everywhere: .some(everywhere), here: .some(here))
            state.queues.append((pointer, StateInput.Queue(name: name, limits: limits)))
        }
        read("jobs", &reader) { inner, name, pointer throws(Problem) in
            let handler = inner.string("handler", limit: 200)
            let description = inner.string("description", limit: 2000)
            let settings = inner.decoded("settings") { value throws(FieldFault) in try JobPatch(value) }
            try inner.finish()
            let job = StateInput.Job(
                name: name, handler: handler, description: description, settings: settings ?? JobPatch())
            state.jobs.append((pointer, job))
        }
        read("schedules", &reader) { inner, name, pointer throws(Problem) in
            var input = try self.scheduleInput(&inner)
            input.name = name
            state.schedules.append((pointer, input))
        }
        return state
    }

    private func read(
        _ section: String, _ reader: inout ObjectReader,
        _ take: (inout ObjectReader, _ name: String, _ pointer: String) throws(Problem) -> Void
    ) {
        guard let value = reader.value(section) else { return }
        guard let elements = value.elements, elements.count <= StateInput.mostEntries else {
            reader.fault(section, "wrong_type", "must be a list of at most \(StateInput.mostEntries) entries")
            return
        }
        var names: Set<String> = []
        for (index, element) in elements.enumerated() {
            let pointer = "/\(section)/\(index)"
            do throws(Problem) {
                var inner = try ObjectReader(element.json, under: pointer)
                inner.require("name")
                let name = inner.string("name", limit: 200, isEmptyAllowed: false) ?? ""
                if !name.isEmpty, !names.insert(name).inserted { inner.fault("name", "repeated", "is there twice") }
                try take(&inner, name, pointer)
            } catch {
                reader.add(error.fieldFaults)
            }
        }
    }
}

extension Problem {
    /// Of a problem that was found in a body.
    var fieldFaults: [FieldFault] {
        fields.map { field in
            guard case .pointer(let pointer) = field.place else { preconditionFailure("it reads a body only") }
            return FieldFault(pointer: pointer, code: field.code, detail: field.detail)
        }
    }
}
