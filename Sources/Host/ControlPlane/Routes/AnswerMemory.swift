import HTTPTypes
import UVLoop

/// What this host has answered to requests that may be repeated, by their keys, so that a client which lost the answer can ask for it
/// again. Not kept over a restart.
struct AnswerMemory {
    private struct Entry {
        var fingerprint: String
        /// Nil while it is being made.
        var answer: Answer?
        var since: LoopInstant
    }

    private static let life = Duration.seconds(24 * 3600)
    private static let limit = 1000

    private var entries: [String: Entry] = [:]

    /// - Returns: what was answered before.
    mutating func begin(_ key: String, _ fingerprint: String, now: LoopInstant = .now) throws(Problem) -> Answer? {
        entries = entries.filter { now - $0.value.since < Self.life }
        if let entry = entries[key] {
            guard entry.fingerprint == fingerprint else {
                throw Problem(
                    .unprocessableContent, "idempotency_key_reused", "The key was used for another request.",
                    fields: [.init(.header("Idempotency-Key"), "reused", "belongs to another request")])
            }
            guard let answer = entry.answer else {
                var problem = Problem(.conflict, "in_progress", "The first request with this key is under way.")
                problem.isRetryable = true
                throw problem
            }
            return answer
        }
        if entries.count >= Self.limit,
            let oldest = entries.filter({ $0.value.answer != nil }).min(by: { $0.value.since < $1.value.since })
        {
            entries[oldest.key] = nil
        }
        entries[key] = Entry(fingerprint: fingerprint, answer: nil, since: now)
        return nil
    }

    mutating func finish(_ key: String, _ answer: Answer) {
        var answer = answer
        answer.status = .ok
        entries[key]?.answer = answer
    }

    mutating func forget(_ key: String) { entries[key] = nil }
}
