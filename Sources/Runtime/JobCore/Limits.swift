/// What an attempt may use, as far as somebody has said so: a plugin for its handler, a job, a run. Nil: not said here.
package struct Limits: Hashable, Sendable {
    /// From STARTED to the end.
    package var wall: Duration?
    /// User and system time of the process.
    package var cpu: Duration?
    package var memoryBytes: Int64?
    /// stdout and stderr together.
    package var outputBytes: Int64?
    /// Size of one file.
    package var fileBytes: Int64?
    package var openFiles: Int?
    /// Of the whole tree, where the machine can count it.
    package var processes: Int?
    /// From CANCEL to SIGTERM.
    package var cancelGrace: Duration?
    /// From SIGTERM to the kill.
    package var termGrace: Duration?
    /// How many attempts a run has, the first included.
    package var attempts: Int?
    /// From being due to being started: a run that waits longer expires.
    package var queue: Duration?
    /// From the claim to STARTED.
    package var start: Duration?
    /// Without progress, a log line or output.
    package var noProgress: Duration?

    package init(
        wall: Duration? = nil, cpu: Duration? = nil, memoryBytes: Int64? = nil, outputBytes: Int64? = nil,
        fileBytes: Int64? = nil, openFiles: Int? = nil, processes: Int? = nil, cancelGrace: Duration? = nil,
        termGrace: Duration? = nil, attempts: Int? = nil, queue: Duration? = nil, start: Duration? = nil,
        noProgress: Duration? = nil
    ) {
        self.wall = wall
        self.cpu = cpu
        self.memoryBytes = memoryBytes
        self.outputBytes = outputBytes
        self.fileBytes = fileBytes
        self.openFiles = openFiles
        self.processes = processes
        self.cancelGrace = cancelGrace
        self.termGrace = termGrace
        self.attempts = attempts
        self.queue = queue
        self.start = start
        self.noProgress = noProgress
    }

    /// These limits; where they say nothing, those of `general`.
    package func merging(over general: Limits) -> Limits {
        Limits(
            wall: wall ?? general.wall, cpu: cpu ?? general.cpu, memoryBytes: memoryBytes ?? general.memoryBytes,
            outputBytes: outputBytes ?? general.outputBytes, fileBytes: fileBytes ?? general.fileBytes,
            openFiles: openFiles ?? general.openFiles, processes: processes ?? general.processes,
            cancelGrace: cancelGrace ?? general.cancelGrace, termGrace: termGrace ?? general.termGrace,
            attempts: attempts ?? general.attempts, queue: queue ?? general.queue, start: start ?? general.start,
            noProgress: noProgress ?? general.noProgress)
    }

    /// With the product's defaults where nothing was said.
    package var resolved: ResolvedLimits {
        ResolvedLimits(
            wall: wall ?? .seconds(3600), cpu: cpu, memoryBytes: memoryBytes ?? 1 << 30,
            outputBytes: outputBytes ?? 16 << 20, fileBytes: fileBytes, openFiles: openFiles, processes: processes,
            cancelGrace: cancelGrace ?? .seconds(5), termGrace: termGrace ?? .seconds(5), attempts: attempts ?? 3,
            queue: queue, start: start ?? .seconds(30), noProgress: noProgress)
    }
}

/// Limits that an attempt runs under. Nil: not limited by us.
package struct ResolvedLimits: Hashable, Sendable {
    package var wall: Duration
    package var cpu: Duration?
    package var memoryBytes: Int64
    package var outputBytes: Int64
    package var fileBytes: Int64?
    package var openFiles: Int?
    package var processes: Int?
    package var cancelGrace: Duration
    package var termGrace: Duration
    package var attempts: Int
    package var queue: Duration?
    package var start: Duration
    package var noProgress: Duration?

    package init(
        wall: Duration, cpu: Duration? = nil, memoryBytes: Int64, outputBytes: Int64, fileBytes: Int64? = nil,
        openFiles: Int? = nil, processes: Int? = nil, cancelGrace: Duration, termGrace: Duration, attempts: Int,
        queue: Duration? = nil, start: Duration = .seconds(30), noProgress: Duration? = nil
    ) {
        self.wall = wall
        self.cpu = cpu
        self.memoryBytes = memoryBytes
        self.outputBytes = outputBytes
        self.fileBytes = fileBytes
        self.openFiles = openFiles
        self.processes = processes
        self.cancelGrace = cancelGrace
        self.termGrace = termGrace
        self.attempts = attempts
        self.queue = queue
        self.start = start
        self.noProgress = noProgress
    }
}

extension Limits {
    /// The JSON form, as in tables and API: `{wall_ms, cpu_ms, memory_bytes, …}`, without what is not said.
    package var json: String {
        var members: [JSONMember] = []
        func add(_ key: String, _ value: Int64?) {
            if let value { members.append(JSONMember(key, .number(String(value)))) }
        }
        add("wall_ms", wall?.wholeMilliseconds)
        add("cpu_ms", cpu?.wholeMilliseconds)
        add("memory_bytes", memoryBytes)
        add("output_bytes", outputBytes)
        add("file_bytes", fileBytes)
        add("open_files", openFiles.map(Int64.init))
        add("processes", processes.map(Int64.init))
        add("cancel_grace_ms", cancelGrace?.wholeMilliseconds)
        add("term_grace_ms", termGrace?.wholeMilliseconds)
        add("attempts", attempts.map(Int64.init))
        add("queue_ms", queue?.wholeMilliseconds)
        add("start_ms", start?.wholeMilliseconds)
        add("no_progress_ms", noProgress?.wholeMilliseconds)
        return JSONValue.object(members).json
    }

    /// Reads the JSON form. Every value is a whole number from 1 up; 0 and null mean not said, as in the ABI.
    package init(_ value: JSONValue) throws(FieldFault) {
        guard case .object(let members) = value else {
            throw FieldFault(pointer: "", code: "wrong_type", detail: "limits must be an object")
        }
        self.init()
        for member in members {
            if member.value == .null { continue }
            guard let number = member.value.integer, number >= 0 else {
                throw FieldFault(
                    pointer: "/" + member.key, code: "out_of_range", detail: "must be a whole number from 0")
            }
            if number == 0 { continue }
            let small = Int(clamping: min(number, Int64(Int32.max)))
            switch member.key {
            case "wall_ms": wall = .milliseconds(number)
            case "cpu_ms": cpu = .milliseconds(number)
            case "memory_bytes": memoryBytes = number
            case "output_bytes": outputBytes = number
            case "file_bytes": fileBytes = number
            case "open_files": openFiles = small
            case "processes": processes = small
            case "cancel_grace_ms": cancelGrace = .milliseconds(number)
            case "term_grace_ms": termGrace = .milliseconds(number)
            case "attempts": attempts = small
            case "queue_ms": queue = .milliseconds(number)
            case "start_ms": start = .milliseconds(number)
            case "no_progress_ms": noProgress = .milliseconds(number)
            default:
                throw FieldFault(
                    pointer: "/" + member.key, code: "unknown_field", detail: "unknown field \(member.key)")
            }
        }
    }
}
