import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

/// Whether runs and schedules that wait can be served by a new version of their plugin.
///
/// Versions with the same handlers and the same schemas need no look at the database. Otherwise everything that waits for a
/// handler that changed is checked against its new schema, in pages, a moment at a time, up to `runLimit` runs and
/// `timeLimit`: what nobody looked at holds nothing up, and the log says how much that was.
@LoopActor
struct ContractCheck {
    /// A handler as a version declares it.
    struct Contract: Hashable {
        var handler: String
        /// JSON Schema text; nil: anything.
        var argsSchema: String?
    }

    let store: JobStore
    let logger: Logger
    var runLimit = 10_000
    var timeLimit: Duration = .seconds(5)
    /// Runs that do not fit are named up to here, then counted.
    nonisolated static let named = 20
    private static let page = 100

    /// - Parameters:
    ///   - new: all handlers of the version that wants to serve.
    ///   - old: of what it would replace.
    /// - Returns: what would break; none: it may serve.
    func problems(_ new: [Contract], replacing old: [Contract]) async -> [ContractProblem] {
        let next = Dictionary(new.map { ($0.handler, $0) }) { first, _ in first }
        let removed = old.filter { next[$0.handler] == nil }.map(\.handler)
        let changed = old.compactMap { contract -> Contract? in
            guard let candidate = next[contract.handler], candidate.argsSchema != contract.argsSchema else {
                return nil
            }
            return candidate
        }
        guard !removed.isEmpty || !changed.isEmpty else { return [] }
        do {
            let work = try await self.store.waitingWork(handlers: removed + changed.map(\.handler))
            var problems = Self.missing(Set(removed), work)
            for contract in changed {
                let jobs = work.filter { $0.handler == contract.handler && $0.runs + $0.schedules > 0 }.map(\.job)
                problems += try await self.check(contract, jobs)
            }
            return problems
        } catch {
            self.logger.warning("waiting runs cannot be looked at", metadata: ["error": "\(error)"])
            return Self.unseen(removed, changed, old)
        }
    }

    /// Runs and schedules of handlers that are no more.
    private static func missing(_ removed: Set<String>, _ work: [WaitingWork]) -> [ContractProblem] {
        work.filter { removed.contains($0.handler) }.flatMap { item -> [ContractProblem] in
            let words = "the version has no handler \(item.handler) any more (job \(item.job))"
            func problem(_ count: Int64, _ one: String, _ many: String) -> ContractProblem? {
                guard count > 0 else { return nil }
                return ContractProblem(
                    kind: .handlerRemoved, handler: item.handler, where: "\(count) \(count == 1 ? one : many)",
                    words: words)
            }
            return [
                problem(item.runs, "waiting run", "waiting runs"), problem(item.schedules, "schedule", "schedules"),
            ].compactMap(\.self)
        }
    }

    /// Without the database only the schemas themselves can be compared: what takes no less than before breaks nothing.
    private static func unseen(
        _ removed: [String], _ changed: [Contract], _ old: [Contract]
    ) -> [ContractProblem] {
        let away = "the database cannot be reached, so nobody knows what waits for it"
        var problems = removed.map {
            ContractProblem(kind: .handlerRemoved, handler: $0, where: "runs that may wait", words: away)
        }
        for contract in changed {
            let before = old.first { $0.handler == contract.handler }?.argsSchema
            guard let change = Self.breaking(before, contract.argsSchema) else { continue }
            problems.append(
                ContractProblem(
                    kind: .argsIncompatible, handler: contract.handler, where: "runs that may wait",
                    words: "\(change); \(away)"))
        }
        return problems
    }

    /// The first thing that the new schema refuses and the old one took, in words; nil: nothing.
    private static func breaking(_ old: String?, _ new: String?) -> String? {
        guard let new else { return nil }
        do throws(JSONSchemaFault) {
            let before = try old.map { (text) throws(JSONSchemaFault) in try JSONSchema(parsing: text) }
            return JSONSchema.changes(from: before, to: try JSONSchema(parsing: new)).first(where: \.isBreaking)?
                .description
        } catch {
            return "a schema cannot be read: \(error)"
        }
    }

    // MARK: Args

    private func check(_ contract: Contract, _ jobs: [String]) async throws(StoreError) -> [ContractProblem] {
        guard let text = contract.argsSchema, !jobs.isEmpty else { return [] }
        let schema: JSONSchema
        do throws(JSONSchemaFault) {
            schema = try JSONSchema(parsing: text)
        } catch {
            return [
                ContractProblem(
                    kind: .argsIncompatible, handler: contract.handler, where: "all that waits",
                    words: "its new args schema cannot be read: \(error)")
            ]
        }
        var found = Findings(handler: contract.handler, limit: self.runLimit, until: .now.advanced(by: self.timeLimit))
        try await self.each({ after throws(StoreError) in
            try await self.store.waitingSchedules(jobs: jobs, after: after, limit: Self.page)
        }) { found.look($0, schema, "schedule \($0.name ?? String($0.id))") }
        try await self.each({ after throws(StoreError) in
            try await self.store.waitingRuns(jobs: jobs, after: after, limit: Self.page)
        }) { found.look($0, schema, "run \(RunID($0.id))") }
        if !found.isWhole || found.unchecked > 0 {
            self.logger.warning(
                "not everything that waits was checked against the new args schema",
                metadata: [
                    "handler": "\(contract.handler)", "looked_at": "\(found.looked)", "too_large": "\(found.unchecked)",
                    "all": "\(found.isWhole)",
                ])
        }
        return found.problems
    }

    /// Page by page until nothing is left, or `body` has had enough.
    private func each(
        _ page: @LoopActor (Int64) async throws(StoreError) -> [WaitingArgs], _ body: (WaitingArgs) -> Bool
    ) async throws(StoreError) {
        var slice = LoopSlice()
        var after: Int64 = 0
        while true {
            let items = try await page(after)
            guard let last = items.last else { return }
            for item in items {
                guard body(item) else { return }
                await slice.breathe()
            }
            after = last.id
        }
    }

    /// What has been found of one handler.
    private struct Findings {
        let handler: String
        let limit: Int
        let until: LoopInstant
        private(set) var looked = 0
        private(set) var isWhole = true
        /// Too large, or too much work, to be checked: they hold nothing up.
        private(set) var unchecked = 0
        private var named: [ContractProblem] = []
        private var more = 0

        init(handler: String, limit: Int, until: LoopInstant) {
            self.handler = handler
            self.limit = limit
            self.until = until
        }

        /// - Returns: whether to go on.
        mutating func look(_ item: WaitingArgs, _ schema: JSONSchema, _ place: @autoclosure () -> String) -> Bool {
            guard self.looked < self.limit, LoopInstant.now < self.until else {
                self.isWhole = false
                return false
            }
            self.looked += 1
            guard let words = self.fault(item.args, schema) else { return true }
            if self.named.count < ContractCheck.named {
                self.named.append(
                    ContractProblem(
                        kind: .argsIncompatible, handler: self.handler, where: place(), words: words))
            } else {
                self.more += 1
            }
            return true
        }

        private mutating func fault(_ args: String, _ schema: JSONSchema) -> String? {
            do throws(JSONFault) {
                let findings = try schema.findings(inArgs: args, limit: 1)
                if findings.problems.isEmpty, !findings.isWhole { self.unchecked += 1 }
                return findings.problems.first?.description
            } catch {
                return error.description
            }
        }

        var problems: [ContractProblem] {
            guard self.more > 0 else { return self.named }
            let rest = ContractProblem(
                kind: .argsIncompatible, handler: self.handler, where: "\(self.more) more waiting runs and schedules",
                words: self.isWhole
                    ? "their args do not fit either"
                    : "their args do not fit either; only the first \(self.looked) were looked at")
            return self.named + [rest]
        }
    }
}
