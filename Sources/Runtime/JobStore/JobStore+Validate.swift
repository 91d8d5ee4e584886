package import JobCore
import Logging
import Postgres
import UVLoop

/// Args of requests against what their job's handler declares. Runs that applications put in themselves (`pawl.enqueue`) are
/// not checked: that happens in their database session.
extension JobStore {
    /// More faults than this say nothing more.
    private static let faultLimit = 20

    /// Throws `.invalidArgs` if a request's args are not what its job takes. An unknown job is somebody else's matter.
    func checkArgs(_ run: NewRun) async throws(StoreError) {
        if let faults = try await argsFaults([run])[0] { throw .invalidArgs(faults) }
    }

    /// Faults by position; none for good args, unknown jobs and jobs that take anything. Args must be valid JSON.
    func argsFaults(_ runs: [NewRun]) async throws(StoreError) -> [Int: [FieldFault]] {
        let rules = try await rules(Set(runs.map(\.job)))
        var faults: [Int: [FieldFault]] = [:]
        var slice = LoopSlice()
        for (index, run) in runs.enumerated() {
            guard case .schema(let schema)? = rules[run.job] else { continue }
            let found = Self.faults(run.args, schema)
            if !found.isEmpty { faults[index] = found }
            if index + 1 < runs.count { await slice.breathe() }
        }
        return faults
    }

    private static func faults(_ args: String, _ schema: JSONSchema) -> [FieldFault] {
        do throws(JSONFault) {
            return try schema.problems(inArgs: args, limit: faultLimit).map {
                FieldFault(pointer: "/args" + $0.pointer, code: $0.keyword, detail: $0.words)
            }
        } catch {
            return [FieldFault(pointer: "/args", code: "invalid_json", detail: error.description)]
        }
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
            try await self.decoding {
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
    package func problems(inArgs args: String, limit: Int) throws(JSONFault) -> [SchemaProblem] {
        guard args.utf8.count <= Self.largestArgs else { return [] }
        return try validate(json: args, limit: limit, work: Self.argsWork).filter { $0.keyword != "limit" }
    }
}
