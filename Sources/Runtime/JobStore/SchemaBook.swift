import JobCore
import UVLoop

/// What the args of jobs must be like, compiled once for each text, so that no enqueue has to ask the database for it.
///
/// Forgotten whenever somebody registers handlers (all hosts are told), and asked for again after some seconds in case that
/// was missed. Meanwhile the older answer counts: a schema that is a moment old must not cost every enqueue a round trip.
@LoopActor
final class SchemaBook {
    /// How a job's args are checked.
    enum Rule {
        /// The job takes anything, or says it in a way that nobody can check.
        case anything
        case schema(JSONSchema)
    }

    private struct Entry {
        var rule: Rule
        var readAt: LoopInstant
    }

    /// How long an answer counts without asking again.
    static let lifetime: Duration = .seconds(5)
    /// Texts that are larger are not compiled: it would hold the loop.
    static let largestSchema = 256 << 10
    /// More texts than any host has at once; then the book begins anew.
    private static let mostTexts = 1000

    private var jobs: [String: Entry] = [:]
    private var compiled: [String: Rule] = [:]
    /// Grows with `forget`: an answer that was asked for before is not kept.
    private var generation: UInt64 = 0
    private var isRefreshing = false

    /// Nil: ask the database.
    func rule(_ job: String) -> Rule? { jobs[job]?.rule }

    /// Jobs among these whose rule is worth asking for again.
    func stale(_ wanted: Set<String>, now: LoopInstant = .now) -> [String] {
        wanted.filter { jobs[$0].map { now - $0.readAt >= Self.lifetime } ?? false }
    }

    /// Handlers may have been registered: what is known may be old.
    func forget() {
        generation &+= 1
        jobs = [:]
    }

    /// Asks for these jobs and keeps the answer, unless it became old meanwhile.
    /// - Returns: rules of the jobs that there are.
    func load(
        _ names: [String], from read: @LoopActor ([String]) async throws(StoreError) -> [(job: String, schema: String?)]
    ) async throws(StoreError) -> [String: Rule] {
        let asked = generation
        let now = LoopInstant.now
        var rules: [String: Rule] = [:]
        for (job, schema) in try await read(names) { rules[job] = compile(schema) }
        if asked == generation {
            // One that is not there any more is not known either.
            for name in names { jobs[name] = rules[name].map { Entry(rule: $0, readAt: now) } }
        }
        return rules
    }

    /// Begins a refresh in the background unless one is under way.
    func refresh(_ body: @escaping @LoopActor @Sendable () async -> Void) {
        guard !isRefreshing else { return }
        isRefreshing = true
        loopTask {
            await body()
            self.isRefreshing = false
        }
    }

    private func compile(_ text: String?) -> Rule {
        guard let text, text.utf8.count <= Self.largestSchema else { return .anything }
        if let known = compiled[text] { return known }
        if compiled.count >= Self.mostTexts { compiled = [:] }
        let rule: Rule
        do throws(JSONSchemaFault) {
            rule = .schema(try JSONSchema(parsing: text))
        } catch {
            // Whoever looks at the plugin is told what is wrong with its schema; its runs go on as before it had one.
            rule = .anything
        }
        compiled[text] = rule
        return rule
    }
}
