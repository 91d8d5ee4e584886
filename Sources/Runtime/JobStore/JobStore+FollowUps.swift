package import JobCore
import Postgres

/// Runs that handlers ask for (extension `pawl.follow-up/1`).
///
/// They are checked as any request is, before the transaction that settles their attempt, which makes them: all of one
/// attempt or none. A refusal ends the run failed, for good: its work is done, so another attempt would do it twice, and a
/// success whose follow-up is missing would look whole.
extension JobStore {
    /// The code of a run that succeeded and asked for one that cannot be.
    package nonisolated static let followUpRefusedCode = "follow_up_refused"

    /// Who asked for a run, and which runs it asked for. Links outlive the younger run's retention by a month.
    package func links(_ id: RunID) async throws(StoreError) -> RunLinks {
        try await decoding {
            var links = RunLinks()
            for row in try await self.pool.query(.runLinks, [.int64(id.rawValue)]) {
                let (parent, child) = (RunID(try row.int64(0)), RunID(try row.int64(2)))
                if child == id { links.parent = parent }
                if parent == id { links.followUps.append(RunLinks.FollowUp(id: child, job: try row.text(3))) }
            }
            return links
        }
    }

    /// The batch, with refusals in place of successes whose follow-up runs cannot be made.
    ///
    /// Asks the database at most twice, however many runs of however many jobs are wanted: for the jobs' rules, where they are
    /// not known, and for the names of all jobs, where one is wrong.
    func checkingFollowUps(_ batch: [Settlement]) async throws(StoreError) -> [Settlement] {
        let wanted = Set(batch.lazy.filter(\.asksForRuns).flatMap(\.report.followUps).map(\.job))
        guard !wanted.isEmpty else { return batch }
        var check = FollowUpCheck(rules: try await rules(wanted))
        var checked: [Settlement] = []
        checked.reserveCapacity(batch.count)
        var slice = LoopSlice()
        for item in batch {
            guard item.asksForRuns else {
                checked.append(item)
                continue
            }
            let why = try await refusal(item.report.followUps.map { NewRun($0) }, &check)
            checked.append(why.map(item.refusingFollowUps) ?? item)
            await slice.breathe()
        }
        return checked
    }

    /// What a batch's check has found out so far.
    private struct FollowUpCheck {
        /// Of the jobs that there are.
        var rules: [String: SchemaBook.Rule]
        /// What is said of those that there are not.
        var unknown: [String: String] = [:]
        /// Names of all jobs, once one was wrong.
        var names: [String]?
    }

    /// Why they cannot be made; nil: they can.
    private func refusal(_ runs: [NewRun], _ check: inout FollowUpCheck) async throws(StoreError) -> String? {
        func words(_ index: Int, _ why: String) -> String {
            "follow-up run \(index + 1) of \(runs.count) (job \(runs[index].job)): \(why)"
        }
        for (index, run) in runs.enumerated() {
            do throws(StoreError) { try Self.check(run) } catch { return words(index, error.description) }
        }
        if let index = runs.firstIndex(where: { check.rules[$0.job] == nil }) {
            let job = runs[index].job
            if let known = check.unknown[job] { return words(index, known) }
            let names: [String]
            if let known = check.names { names = known } else { names = try await allJobs() }
            check.names = names
            let error = StoreError.notFound(what: "job", id: job, nearMatches: NearMatches.find(job, among: names))
            check.unknown[job] = error.description
            return words(index, error.description)
        }
        guard let (index, faults) = await judge(runs, by: check.rules).faults.min(by: { $0.key < $1.key }) else {
            return nil
        }
        return words(index, StoreError.invalidArgs(faults).description)
    }
}

/// A run's place among those that asked for each other.
package struct RunLinks: Sendable, Hashable {
    package struct FollowUp: Sendable, Hashable {
        package var id: RunID
        package var job: String
    }

    /// The run that asked for this one.
    package var parent: RunID?
    /// In the order in which it asked.
    package var followUps: [FollowUp] = []

    package init() {}
}

extension NewRun {
    fileprivate init(_ wanted: FollowUp) {
        self.init(
            job: wanted.job, args: wanted.args, queue: wanted.queue, priority: wanted.priority, delay: wanted.delay,
            attempts: wanted.attempts, title: wanted.title, labels: wanted.labels, trigger: "follow_up")
    }
}

extension Settlement {
    /// Whether runs are to be made with it.
    var asksForRuns: Bool { decision == .finish(.succeeded) && !report.followUps.isEmpty }

    /// The run ends failed. What it did and gave back stays.
    func refusingFollowUps(_ why: String) -> Settlement {
        var copy = self
        copy.decision = .finish(.failed)
        copy.report.followUps = []
        copy.report.outcome = .error
        copy.report.reason = nil
        copy.report.error = AttemptError(
            code: JobStore.followUpRefusedCode, message: "\(why); none was made", retry: .never)
        copy.report.sentence = "Its handler succeeded, but asked for what cannot be: \(why). None was made."
        return copy
    }
}
