package import JobCore
import Logging
import Postgres
import UVLoop

/// Args of requests against what their job's handler declares. Runs that applications put in themselves (`pawl.enqueue`) are
/// not checked: that happens in their database session.
extension JobStore {
    /// More faults than this say nothing more.
    private static let faultLimit = 20

    /// What is known of the args of some requests, by position.
    struct ArgsVerdicts {
        /// None for good args, unknown jobs and jobs that take anything.
        var faults: [Int: [FieldFault]] = [:]
        /// Too much to look at: nobody knows.
        var unchecked: Set<Int> = []
        /// Jobs that there are not.
        var unknown: Set<String> = []
    }

    /// Throws `.invalidArgs` if a request's args are not what its job takes. An unknown job is somebody else's matter.
    /// - Returns: whether they were looked at as far as there is something to look for.
    @discardableResult
    func checkArgs(_ run: NewRun) async throws(StoreError) -> Bool {
        let verdicts = try await judgeArgs([run])
        if let faults = verdicts.faults[0] { throw .invalidArgs(faults) }
        return verdicts.unchecked.isEmpty
    }

    /// Args must be valid JSON.
    func judgeArgs(_ runs: [NewRun]) async throws(StoreError) -> ArgsVerdicts {
        await judge(runs, by: try await rules(Set(runs.map(\.job))))
    }

    func judge(_ runs: [NewRun], by rules: [String: SchemaBook.Rule]) async -> ArgsVerdicts {
        var verdicts = ArgsVerdicts()
        verdicts.unknown = Set(runs.map(\.job)).filter { rules[$0] == nil }
        var slice = LoopSlice()
        for (index, run) in runs.enumerated() {
            guard case .schema(let schema)? = rules[run.job] else { continue }
            do throws(JSONFault) {
                let findings = try schema.findings(inArgs: run.args, limit: Self.faultLimit)
                if !findings.problems.isEmpty {
                    verdicts.faults[index] = findings.problems.map {
                        FieldFault(pointer: "/args" + $0.pointer, code: $0.keyword, detail: $0.words)
                    }
                } else if !findings.isWhole {
                    verdicts.unchecked.insert(index)
                }
            } catch {
                verdicts.faults[index] = [
                    FieldFault(pointer: "/args", code: "invalid_json", detail: error.description)
                ]
            }
            if index + 1 < runs.count { await slice.breathe() }
        }
        return verdicts
    }

    func rules(_ jobs: Set<String>) async throws(StoreError) -> [String: SchemaBook.Rule] {
        var rules: [String: SchemaBook.Rule] = [:]
        for job in jobs { rules[job] = schemas.rule(job) }
        let stale = schemas.stale(jobs)
        if !stale.isEmpty {
            schemas.refresh { [weak self] in
                do throws(StoreError) {
                    _ = try await self?.loadRules(stale)
                } catch {
                    self?.logger.debug("no look at schemas", metadata: ["error": "\(error)"])
                }
            }
        }
        let unknown = jobs.filter { rules[$0] == nil }.sorted()
        if !unknown.isEmpty { rules.merge(try await loadRules(unknown)) { $1 } }
        return rules
    }

    private func loadRules(_ jobs: [String]) async throws(StoreError) -> [String: SchemaBook.Rule] {
        try await schemas.load(jobs) { (names) async throws(StoreError) in
            self.lookups += 1
            return try await self.decoding {
                try await self.pool.query(.jobSchemas, [.textArray(names.map(\.storable))])
                    .map { (job: try $0.text(0), schema: try $0.textOrNil(1)) }
            }
        }
    }
}

extension JSONSchema {
    /// Larger args are taken as they are: reading them as a tree would hold the loop for more than a millisecond.
    private static let largestArgs = 64 << 10
    /// Some hundred microseconds. A check that is not through by then has found nothing so far.
    private static let argsWork = 20_000

    /// What is known to be wrong with a run's args, as far as can be told without holding the loop.
    /// - Returns: the problems, and whether all of the args was looked at.
    package func findings(
        inArgs args: String, limit: Int
    ) throws(JSONFault) -> (problems: [SchemaProblem], isWhole: Bool) {
        guard args.utf8.count <= Self.largestArgs else { return ([], false) }
        let found = try validate(json: args, limit: limit, work: Self.argsWork)
        let problems = found.filter { $0.keyword != "limit" }
        return (problems, problems.count == found.count)
    }
}
