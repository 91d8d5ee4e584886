/// A job that somebody defines: a name of its own over a handler, with settings of its own. Several may share a handler.
package struct JobDefinition: Sendable {
    package var name: String
    package var handler: String
    /// Nil: the handler's.
    package var description: String?
    package var settings: JobPatch
    /// Made with it; their `job` is this one.
    package var schedules: [ScheduleInput]

    package init(
        name: String, handler: String, description: String? = nil, settings: JobPatch = JobPatch(),
        schedules: [ScheduleInput] = []
    ) {
        self.name = name
        self.handler = handler
        self.description = description
        self.settings = settings
        self.schedules = schedules
    }

    /// Words for what a name may be, in error texts.
    package static let nameRule =
        "must have 1 to 120 of a-z, 0-9, dot, dash and underscore, and begin with a letter or digit"

    /// Whether a job may have this name. Handlers' own jobs have narrower ones.
    package static func isName(_ text: String) -> Bool {
        guard (1...120).contains(text.utf8.count), let first = text.utf8.first else { return false }
        func isPlain(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        let others = [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_")]
        return isPlain(first) && text.utf8.allSatisfy { isPlain($0) || others.contains($0) }
    }
}

/// What a job is to be like. What is nil stays as it is; what is there replaces the whole of it.
package struct JobReplacement: Sendable {
    /// Must be the job's: a job of another handler is another job.
    package var handler: String?
    /// Of a job that somebody defined; a handler's own job has the handler's words.
    package var description: String?
    /// All that the operator says; what does not stand in it is as its handler, or the product, has it.
    package var settings: JobPatch?
    /// All of its schedules, by their names.
    package var schedules: [ScheduleInput]?

    package init(
        handler: String? = nil, description: String? = nil, settings: JobPatch? = nil,
        schedules: [ScheduleInput]? = nil
    ) {
        self.handler = handler
        self.description = description
        self.settings = settings
        self.schedules = schedules
    }
}

/// What hangs on a job.
package struct JobUse: Sendable, Hashable {
    package var revision: Int64
    /// Somebody defined it; else it is its handler's own.
    package var isDefined: Bool
    /// Hosts are to serve its plugin.
    package var isServed: Bool
    package var running: Int64
    /// Queued, scheduled, retrying or blocked.
    package var waiting: Int64
    package var schedules: Int64
}

/// What became of the wish to remove a job.
package enum JobRemoval: Sendable {
    case removed(endedRuns: Int64, schedules: Int64)
    /// Somebody changed the job meanwhile: its revision now.
    case mismatch(Int64)
    case notFound
}
