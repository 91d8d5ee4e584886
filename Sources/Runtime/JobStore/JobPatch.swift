package import JobCore

/// Changes to an operator's settings of a job. What is nil stays as it is.
package struct JobPatch: Sendable {
    /// By the names of the JSON form (`wall_ms`, …); a nil value takes the operator's word back, so that the handler's or the
    /// product's default holds again.
    package var limits: [String: Int64?]
    /// An object in the JSON form of `ExecutionSettings`, merged over what is there (RFC 7386: null removes).
    package var execution: JSONValue?
    /// Inner nil: the handler's default again.
    package var attempts: Int??
    package var backoff: BackoffPolicy??
    package var priority: Int32?
    package var queue: String?
    /// A retention class: 1, 7, 30, 90 or 365 days. For runs that come from now on.
    package var retentionDays: Int?
    /// Of runs that fail, from now on; inner nil: as `retentionDays` again.
    package var failedRetentionDays: Int??
    /// How many of its runs may execute at once.
    package var concurrency = ConcurrencyPatch()

    package init(
        limits: [String: Int64?] = [:], execution: JSONValue? = nil, attempts: Int?? = nil,
        backoff: BackoffPolicy?? = nil, priority: Int32? = nil, queue: String? = nil, retentionDays: Int? = nil,
        failedRetentionDays: Int?? = nil,
        concurrency: ConcurrencyPatch = ConcurrencyPatch()
    ) {
        self.limits = limits
        self.execution = execution
        self.attempts = attempts
        self.backoff = backoff
        self.priority = priority
        self.queue = queue
        self.retentionDays = retentionDays
        self.failedRetentionDays = failedRetentionDays
        self.concurrency = concurrency
    }

    /// It changes nothing.
    package var isEmpty: Bool {
        limits.isEmpty && execution == nil && attempts == nil && backoff == nil && priority == nil && queue == nil
            && retentionDays == nil && failedRetentionDays == nil
            && concurrency.isEmpty
    }
}

/// What became of a patch.
package enum PatchAnswer: Sendable {
    case changed(JobRow)
    /// Somebody changed the job meanwhile: its revision now.
    case mismatch(Int64)
    case notFound
}

extension JobPatch {
    /// Reads the body of a request: any of `limits`, `execution`, `attempts`, `backoff`, `priority`, `queue`,
    /// `retention_days`, `failed_retention_days`, `concurrency`, `host_concurrency`. What stands in them is checked by
    /// `JobStore.patchJob`.
    package init(_ value: JSONValue) throws(FieldFault) {
        guard case .object(let members) = value else {
            throw FieldFault(pointer: "", code: "wrong_type", detail: "settings must be an object")
        }
        self.init()
        for member in members {
            let pointer = "/" + member.key
            switch member.key {
            case "limits": limits = try Self.limits(member.value)
            case "execution": execution = member.value
            case "attempts":
                attempts = member.value == .null ? .some(nil) : Int(try Self.number(member.value, pointer))
            case "backoff":
                if member.value == .null {
                    backoff = .some(nil)
                } else {
                    do throws(FieldFault) { backoff = try BackoffPolicy(member.value) } catch {
                        throw error.under(pointer)
                    }
                }
            case "priority":
                guard let number = Int32(exactly: try Self.number(member.value, pointer)) else {
                    throw FieldFault(
                        pointer: pointer, code: "out_of_range", detail: "must be -1000000 to 1000000")
                }
                priority = number
            case "queue":
                guard let text = member.value.text else {
                    throw FieldFault(pointer: pointer, code: "wrong_type", detail: "must be a string")
                }
                queue = text
            case "concurrency": concurrency.everywhere = .some(try Self.numberOrNull(member.value, pointer))
            case "host_concurrency": concurrency.here = .some(try Self.numberOrNull(member.value, pointer))
            case "retention_days": retentionDays = Int(try Self.number(member.value, pointer))
            case "failed_retention_days":
                failedRetentionDays =
                    member.value == .null ? .some(nil) : Int(try Self.number(member.value, pointer))
            default: throw FieldFault(pointer: pointer, code: "unknown_field", detail: "unknown field \(member.key)")
            }
        }
    }

    private static func number(_ value: JSONValue, _ pointer: String) throws(FieldFault) -> Int64 {
        guard let number = value.integer else {
            throw FieldFault(pointer: pointer, code: "wrong_type", detail: "must be a whole number")
        }
        return number
    }

    private static func numberOrNull(_ value: JSONValue, _ pointer: String) throws(FieldFault) -> Int? {
        value == .null ? nil : Int(clamping: try number(value, pointer))
    }

    private static func limits(_ value: JSONValue) throws(FieldFault) -> [String: Int64?] {
        guard case .object(let members) = value else {
            throw FieldFault(pointer: "/limits", code: "wrong_type", detail: "limits must be an object")
        }
        var limits: [String: Int64?] = [:]
        for member in members {
            limits.updateValue(
                member.value == .null ? nil : try number(member.value, "/limits/" + member.key), forKey: member.key)
        }
        return limits
    }
}

// MARK: - Merging and checking

extension JobPatch {
    /// Ten years, in milliseconds: longer waits are mistakes, and sums with them must not overflow.
    private static let longest: Int64 = 315_360_000_000
    /// What each limit may be.
    private static let ranges: [String: ClosedRange<Int64>] = {
        let time: ClosedRange<Int64> = 1...longest
        let size: ClosedRange<Int64> = 1...(1 << 50)
        let count: ClosedRange<Int64> = 1...1_000_000
        return [
            "wall_ms": time, "cpu_ms": time, "memory_bytes": size, "output_bytes": size, "file_bytes": size,
            "open_files": count, "processes": count, "cancel_grace_ms": time, "term_grace_ms": time, "queue_ms": time,
            "start_ms": time, "no_progress_ms": time,
        ]
    }()

    /// Checks what needs no look at the job.
    func check() throws(FieldFault) {
        try concurrency.check()
        if let attempts, let attempts, !(1...1000).contains(attempts) {
            throw FieldFault(pointer: "/attempts", code: "out_of_range", detail: "must be 1 to 1000")
        }
        if let priority, !(-1_000_000...1_000_000).contains(priority) {
            throw FieldFault(pointer: "/priority", code: "out_of_range", detail: "must be -1000000 to 1000000")
        }
        if let queue, !(1...120).contains(queue.utf8.count) || queue.utf8.contains(0) {
            throw FieldFault(pointer: "/queue", code: "out_of_range", detail: "must have 1 to 120 bytes")
        }
        for (name, days) in [
            ("retention_days", retentionDays), ("failed_retention_days", failedRetentionDays ?? nil),
        ] {
            guard let days, !RetentionClass.all.contains(days) else { continue }
            let classes = RetentionClass.all.map(String.init).joined(separator: ", ")
            throw FieldFault(pointer: "/\(name)", code: "out_of_range", detail: "must be one of \(classes)")
        }
        for (name, value) in limits.sorted(by: { $0.key < $1.key }) {
            if name == "attempts" {
                throw FieldFault(
                    pointer: "/limits/attempts", code: "unknown_field",
                    detail: "attempts stand beside the limits, not in them")
            }
            guard let range = Self.ranges[name] else {
                throw FieldFault(pointer: "/limits/" + name, code: "unknown_field", detail: "unknown limit \(name)")
            }
            if let value, !range.contains(value) {
                throw FieldFault(
                    pointer: "/limits/" + name, code: "out_of_range",
                    detail: "must be a whole number from \(range.lowerBound) to \(range.upperBound), or null")
            }
        }
    }

    /// The operator's limits afterwards.
    func merged(_ present: Limits) throws(FieldFault) -> Limits {
        do throws(FieldFault) {
            var members = Self.members(of: present.json)
            for (name, value) in limits {
                members.removeAll { $0.key == name }
                if let value { members.append(JSONMember(name, .number(String(value)))) }
            }
            return try Limits(.object(members))
        } catch {
            throw error.under("/limits")
        }
    }

    /// The operator's execution settings afterwards.
    func merged(_ present: ExecutionSettings) throws(FieldFault) -> ExecutionSettings {
        guard let execution else { return present }
        do throws(FieldFault) {
            // By itself first, so that a fault in it is told even where null takes it away again.
            _ = try ExecutionSettings(execution)
            guard case .object(let changes) = execution else { return present }
            var members = Self.members(of: present.json)
            for change in changes {
                members.removeAll { $0.key == change.key }
                if change.value != .null { members.append(change) }
            }
            return try ExecutionSettings(.object(members))
        } catch {
            throw error.under("/execution")
        }
    }

    /// Of JSON that we have just written.
    static func members(of json: String) -> [JSONMember] {
        do throws(JSONFault) {
            guard case .object(let members) = try JSONValue(parsing: json) else { return [] }
            return members
        } catch {
            preconditionFailure("our own JSON is none: \(error)")
        }
    }
}
