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
    func checkingFollowUps(_ batch: [Settlement]) async throws(StoreError) -> [Settlement] {
        guard batch.contains(where: \.asksForRuns) else { return batch }
        var checked: [Settlement] = []
        for item in batch {
            let why = item.asksForRuns ? try await refusal(item.report.followUps) : nil
            checked.append(why.map(item.refusingFollowUps) ?? item)
        }
        return checked
    }

    /// Why they cannot be made; nil: they can.
    private func refusal(_ wanted: [FollowUp]) async throws(StoreError) -> String? {
        let runs = wanted.map { NewRun($0) }
        func words(_ index: Int, _ why: String) -> String {
            "follow-up run \(index + 1) of \(runs.count) (job \(runs[index].job)): \(why)"
        }
        for (index, run) in runs.enumerated() {
            do throws(StoreError) { try Self.check(run) } catch { return words(index, error.description) }
        }
        let known = try await rules(Set(runs.map(\.job)))
        if let index = runs.firstIndex(where: { known[$0.job] == nil }) {
            let error = await unknownJob(runs[index].job)
            // The database went away between the two questions.
            if case .unavailable = error { throw error }
            return words(index, error.description)
        }
        guard let (index, faults) = try await argsFaults(runs).min(by: { $0.key < $1.key }) else { return nil }
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
