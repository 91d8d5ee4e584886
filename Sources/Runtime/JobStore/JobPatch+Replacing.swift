package import JobCore

extension JobPatch {
    /// The patch that makes this all that the operator says of a job: what `present` has beyond it is taken back.
    package func replacing(_ present: JobRow) -> JobPatch {
        var whole = self
        for member in Self.members(of: present.limits.json) where !limits.keys.contains(member.key) {
            // Attempts stand beside the limits.
            if member.key != "attempts" { whole.limits.updateValue(nil, forKey: member.key) }
        }
        var wanted: [JSONMember] = []
        if case .object(let members)? = execution { wanted = members }
        let gone = Self.members(of: present.execution.json).filter { old in !wanted.contains { $0.key == old.key } }
        if execution != nil || !gone.isEmpty {
            whole.execution = .object(wanted + gone.map { JSONMember($0.key, .null) })
        }
        whole.attempts = attempts ?? (present.attempts == nil ? nil : .some(nil))
        whole.backoff = backoff ?? (present.backoff == nil ? nil : .some(nil))
        whole.priority = priority ?? (present.priority == 0 ? nil : 0)
        whole.queue = queue ?? (present.queue == Self.usualQueue ? nil : Self.usualQueue)
        whole.retentionDays =
            retentionDays ?? (present.retentionDays == Self.usualRetention ? nil : Self.usualRetention)
        whole.failedRetentionDays = failedRetentionDays ?? (present.failedRetentionDays == nil ? nil : .some(nil))
        whole.concurrency = concurrency.replacing(present.concurrency)
        return whole
    }

    /// As the tables have it for a job that nobody has set.
    private static let usualQueue = "default"
    private static let usualRetention = 30
}

extension ConcurrencyPatch {
    /// As `JobPatch.replacing`. What is the same already is left alone: changing limits holds up every claim.
    package func replacing(_ present: ConcurrencyLimits) -> ConcurrencyPatch {
        let (wantedEverywhere, wantedHere) = (everywhere ?? nil, here ?? nil)
        return ConcurrencyPatch(
            everywhere: wantedEverywhere == present.everywhere ? nil : .some(wantedEverywhere),
            here: wantedHere == present.here ? nil : .some(wantedHere))
    }
}

extension JobPatch {
    /// What would be said of a job of which nothing else is said, in the form of `JobRow.ownSettings`. Throws with a pointer into the
    /// patch.
    package func written() throws(FieldFault) -> JSONValue {
        try check()
        let limits = try merged(Limits())
        let execution = try merged(ExecutionSettings())
        return Self.json(
            limits, execution, attempts: attempts ?? nil, backoff: backoff ?? nil, priority: priority ?? 0,
            queue: queue ?? Self.usualQueue, retentionDays: retentionDays ?? Self.usualRetention,
            failedRetentionDays: failedRetentionDays ?? nil,
            ConcurrencyLimits(everywhere: concurrency.everywhere ?? nil, here: concurrency.here ?? nil))
    }

    fileprivate static func json(
        _ limits: Limits, _ execution: ExecutionSettings, attempts: Int?, backoff: BackoffPolicy?, priority: Int32,
        queue: String, retentionDays: Int, failedRetentionDays: Int?, _ concurrency: ConcurrencyLimits
    ) -> JSONValue {
        var members: [JSONMember] = []
        func number(_ name: String, _ value: (some BinaryInteger)?) {
            if let value { members.append(JSONMember(name, .number(String(value)))) }
        }
        func object(_ name: String, _ json: String) {
            let own = Self.members(of: json).filter { $0.key != "attempts" && $0.value != .null }
            if !own.isEmpty { members.append(JSONMember(name, .object(own.sorted { $0.key < $1.key }))) }
        }
        object("limits", limits.json)
        object("execution", execution.json)
        number("attempts", attempts)
        if let backoff, let value = try? JSONValue(parsing: backoff.json) {
            members.append(JSONMember("backoff", value))
        }
        number("priority", priority == 0 ? nil : priority)
        if queue != usualQueue { members.append(JSONMember("queue", .string(queue))) }
        number("retention_days", retentionDays == usualRetention ? nil : retentionDays)
        number("failed_retention_days", failedRetentionDays)
        number("concurrency", concurrency.everywhere)
        number("host_concurrency", concurrency.here)
        return .object(members)
    }
}

extension JobRow {
    /// What the operator says of it, in the JSON form of `JobPatch`: without what is as its handler or the product has it.
    package var ownSettings: JSONValue {
        JobPatch.json(
            limits, execution, attempts: attempts, backoff: backoff, priority: priority, queue: queue,
            retentionDays: retentionDays, failedRetentionDays: failedRetentionDays, concurrency)
    }
}
