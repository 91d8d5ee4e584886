/// How a job's attempts get their process. Behaviour is the same in all of them; isolation and cost differ.
package enum ExecutionMode: String, CaseIterable, Hashable, Sendable, Codable {
    /// A child forked from the version's zygote for each attempt.
    case fork
    /// As `fork`, but made before it is needed. Serves one attempt.
    case spare
    /// A child that serves one attempt after another, and is recycled.
    case pool
    /// A child that loads the plugin afresh: for plugins that cannot be forked.
    case spawn
}

/// What a child is kept from.
package enum SandboxProfile: String, CaseIterable, Hashable, Sendable, Codable {
    /// No new privileges, closed descriptors, own session, private scratch directory, clean environment.
    case basic
    /// As well: read-only system, writable scratch and named paths, no network unless allowed, a deny list of system
    /// calls, another user where the host is root. An attempt is refused where the kernel lacks any of it.
    case strict
}

/// What happens to an attempt that writes more than its `output_bytes`.
package enum OutputPolicy: String, CaseIterable, Hashable, Sendable, Codable {
    /// What is too much is dropped, and counted.
    case drop
    /// The attempt is killed.
    case kill
}

/// What happens to what an attempt says while the database takes no log lines and the host has no room for more.
package enum LogPolicy: String, CaseIterable, Hashable, Sendable, Codable {
    /// The attempt is not read any more, so it waits as soon as its pipes are full.
    case block
    /// It goes on; what it says is dropped, and counted.
    case drop
}

/// How long runs, attempts and log lines are kept, in days. Each class has tables of its own, which are dropped as a whole.
package enum RetentionClass {
    package static let all = [1, 7, 30, 90, 365]
}

/// How a job's attempts are executed, beside their limits, as far as somebody has said so. Nil: not said here.
package struct ExecutionSettings: Hashable, Sendable {
    package var mode: ExecutionMode?
    package var sandbox: SandboxProfile?
    /// Absolute paths that `strict` allows to read, and to write, beyond its own.
    package var readPaths: [String]?
    package var writePaths: [String]?
    /// Whether `strict` allows the network.
    package var network: Bool?
    package var outputPolicy: OutputPolicy?
    package var logPolicy: LogPolicy?
    /// A retention class; not said: as long as the run.
    package var logRetentionDays: Int?
    /// Of the children, added to the host's own; -20 to 19.
    package var niceness: Int32?
    /// Whether a version that keeps crashing is taken out of service for this job.
    package var quarantine: Bool?
    /// A pooled child is recycled after so many attempts, after this age, and after growing by so much.
    package var poolRuns: Int?
    package var poolAge: Duration?
    package var poolGrowthBytes: Int64?
    /// Runs that a pooled child may be given before it is done with the present one; not said: none.
    package var poolAhead: Int?

    package init() {}

    /// These settings; where they say nothing, those of `general`.
    package func merging(over general: ExecutionSettings) -> ExecutionSettings {
        var merged = self
        merged.mode = mode ?? general.mode
        merged.sandbox = sandbox ?? general.sandbox
        merged.readPaths = readPaths ?? general.readPaths
        merged.writePaths = writePaths ?? general.writePaths
        merged.network = network ?? general.network
        merged.outputPolicy = outputPolicy ?? general.outputPolicy
        merged.logPolicy = logPolicy ?? general.logPolicy
        merged.logRetentionDays = logRetentionDays ?? general.logRetentionDays
        merged.niceness = niceness ?? general.niceness
        merged.quarantine = quarantine ?? general.quarantine
        merged.poolRuns = poolRuns ?? general.poolRuns
        merged.poolAge = poolAge ?? general.poolAge
        merged.poolGrowthBytes = poolGrowthBytes ?? general.poolGrowthBytes
        merged.poolAhead = poolAhead ?? general.poolAhead
        return merged
    }

    /// With the product's defaults where nothing was said.
    package var resolved: ResolvedExecution {
        ResolvedExecution(
            mode: mode ?? .fork, sandbox: sandbox ?? .basic, readPaths: readPaths ?? [], writePaths: writePaths ?? [],
            network: network ?? false, outputPolicy: outputPolicy ?? .drop, logPolicy: logPolicy ?? .block,
            logRetentionDays: logRetentionDays, niceness: niceness,
            quarantine: quarantine ?? true, poolRuns: poolRuns ?? 1000, poolAge: poolAge ?? .seconds(3600),
            poolGrowthBytes: poolGrowthBytes ?? 64 << 20, poolAhead: poolAhead ?? 0)
    }
}

/// How an attempt is executed.
package struct ResolvedExecution: Hashable, Sendable {
    package var mode: ExecutionMode
    package var sandbox: SandboxProfile
    package var readPaths: [String]
    package var writePaths: [String]
    package var network: Bool
    package var outputPolicy: OutputPolicy
    package var logPolicy: LogPolicy
    /// Nil: as long as the run.
    package var logRetentionDays: Int?
    /// Nil: the host's setting for all children.
    package var niceness: Int32?
    package var quarantine: Bool
    package var poolRuns: Int
    package var poolAge: Duration
    package var poolGrowthBytes: Int64
    package var poolAhead: Int
}

extension ExecutionSettings {
    /// The JSON form, as in tables and API, without what is not said.
    package var json: String {
        var members: [JSONMember] = []
        func add(_ key: String, _ value: JSONValue?) { if let value { members.append(JSONMember(key, value)) } }
        func number(_ value: Int64?) -> JSONValue? { value.map { .number(String($0)) } }
        add("mode", mode.map { .string($0.rawValue) })
        add("sandbox", sandbox.map { .string($0.rawValue) })
        add("read_paths", readPaths.map { .array($0.map { .string($0) }) })
        add("write_paths", writePaths.map { .array($0.map { .string($0) }) })
        add("network", network.map { .boolean($0) })
        add("output_policy", outputPolicy.map { .string($0.rawValue) })
        add("log_policy", logPolicy.map { .string($0.rawValue) })
        add("log_retention_days", number(logRetentionDays.map(Int64.init)))
        add("niceness", number(niceness.map(Int64.init)))
        add("quarantine", quarantine.map { .boolean($0) })
        add("pool_runs", number(poolRuns.map(Int64.init)))
        add("pool_age_ms", number(poolAge?.wholeMilliseconds))
        add("pool_growth_bytes", number(poolGrowthBytes))
        add("pool_ahead", number(poolAhead.map(Int64.init)))
        return JSONValue.object(members).json
    }

    /// Reads the JSON form. Null means not said.
    package init(_ value: JSONValue) throws(FieldFault) {
        guard case .object(let members) = value else {
            throw FieldFault(pointer: "", code: "wrong_type", detail: "execution must be an object")
        }
        self.init()
        for member in members where member.value != .null {
            switch member.key {
            case "mode": mode = try Self.word(member)
            case "sandbox": sandbox = try Self.word(member)
            case "read_paths": readPaths = try Self.paths(member)
            case "write_paths": writePaths = try Self.paths(member)
            case "network": network = try Self.flag(member)
            case "output_policy": outputPolicy = try Self.word(member)
            case "log_policy": logPolicy = try Self.word(member)
            case "log_retention_days": logRetentionDays = try Self.retentionClass(member)
            case "niceness": niceness = Int32(try Self.number(member, -20...19))
            case "quarantine": quarantine = try Self.flag(member)
            case "pool_runs": poolRuns = Int(try Self.number(member, 1...1_000_000))
            case "pool_age_ms": poolAge = .milliseconds(try Self.number(member, 1000...86_400_000))
            case "pool_growth_bytes": poolGrowthBytes = try Self.number(member, 1 << 20...1 << 40)
            case "pool_ahead": poolAhead = Int(try Self.number(member, 0...16))
            default:
                throw FieldFault(
                    pointer: "/" + member.key, code: "unknown_field", detail: "unknown field \(member.key)")
            }
        }
    }

    private static func word<T: RawRepresentable & CaseIterable>(_ member: JSONMember) throws(FieldFault) -> T
    where T.RawValue == String {
        guard let word = member.value.text.flatMap({ T(rawValue: $0) }) else {
            let allowed = T.allCases.map(\.rawValue).joined(separator: ", ")
            throw FieldFault(
                pointer: "/" + member.key, code: "out_of_range", detail: "must be one of \(allowed)")
        }
        return word
    }

    private static func flag(_ member: JSONMember) throws(FieldFault) -> Bool {
        guard case .boolean(let value) = member.value else {
            throw FieldFault(pointer: "/" + member.key, code: "wrong_type", detail: "must be true or false")
        }
        return value
    }

    private static func number(_ member: JSONMember, _ range: ClosedRange<Int64>) throws(FieldFault) -> Int64 {
        guard let number = member.value.integer, range.contains(number) else {
            throw FieldFault(
                pointer: "/" + member.key, code: "out_of_range",
                detail: "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func retentionClass(_ member: JSONMember) throws(FieldFault) -> Int {
        guard let days = member.value.integer, RetentionClass.all.contains(Int(clamping: days)) else {
            let classes = RetentionClass.all.map(String.init).joined(separator: ", ")
            throw FieldFault(pointer: "/" + member.key, code: "out_of_range", detail: "must be one of \(classes)")
        }
        return Int(days)
    }

    private static func paths(_ member: JSONMember) throws(FieldFault) -> [String] {
        guard case .array(let elements) = member.value, elements.count <= 64 else {
            throw FieldFault(
                pointer: "/" + member.key, code: "wrong_type", detail: "must be a list of at most 64 paths")
        }
        var paths: [String] = []
        for (index, element) in elements.enumerated() {
            guard let path = element.text, path.utf8.first == 0x2f, path.utf8.count < 4096, !path.utf8.contains(0)
            else {
                throw FieldFault(
                    pointer: "/\(member.key)/\(index)", code: "out_of_range", detail: "must be an absolute path")
            }
            paths.append(path)
        }
        return paths
    }
}
