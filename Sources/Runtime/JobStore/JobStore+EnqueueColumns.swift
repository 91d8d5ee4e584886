import JobCore
import Postgres

/// Requests as the arguments of `run_enqueue` and `run_put`: an array for each column; and of `run_enqueue_one`.
extension JobStore {
    /// The statement that stores requests without unique keys.
    static func enqueueStep(_ runs: [NewRun]) -> (PGStatement, [PGParameter]) {
        guard runs.count == 1, runs[0].isPlain else { return (.runEnqueue, parameters(runs)) }
        let run = runs[0]
        // Texts and nulls have no type that would have to be the same each time: the statement says it.
        func text(_ value: String?) -> PGParameter { value.map { .text($0.storable) } ?? .null }
        func number(_ value: Int64?) -> PGParameter { text(value.map(String.init)) }
        let labels = run.labels.isEmpty ? nil : JSONText.object(run.labels.mapValues(\.storable))
        return (
            .runEnqueueOne,
            [
                text(run.job), .json(run.args), text(run.queue), number(run.priority.map(Int64.init)),
                number(run.attempts.map(Int64.init)), text(run.backoff?.json),
                number(run.timeout?.wholeMilliseconds), text(run.title), text(run.description), text(labels),
                text(run.owner), text(run.organization), text(run.trigger), text(run.traceparent),
                number(run.queueTime?.wholeMilliseconds),
            ]
        )
    }

    static func parameters(_ runs: [NewRun]) -> [PGParameter] { parameters(runs[...]) }

    /// A column without any value is an empty array: the server fills it up with nulls, and its type stays the same.
    static func parameters(_ runs: ArraySlice<NewRun>) -> [PGParameter] {
        func column<T>(_ value: (NewRun) -> T?) -> [T?] {
            runs.contains { value($0) != nil } ? runs.map { value($0) } : []
        }
        func texts(_ value: (NewRun) -> String?) -> PGParameter {
            .textArray(column { value($0)?.storable })
        }
        func numbers(_ value: (NewRun) -> Int64?) -> PGParameter { .nullableInt64Array(column(value)) }
        return [
            texts { $0.job }, .jsonArray(runs.map { $0.args }), texts { $0.queue },
            numbers { $0.priority.map(Int64.init) }, .timestampArray(column { $0.runAt?.micros }),
            numbers { $0.delay?.wholeMilliseconds }, numbers { $0.attempts.map(Int64.init) },
            .jsonArray(column { $0.backoff?.json }), numbers { $0.timeout?.wholeMilliseconds }, texts { $0.title },
            texts { $0.description },
            texts { $0.labels.isEmpty ? nil : JSONText.object($0.labels.mapValues(\.storable)) },
            texts { $0.owner }, texts { $0.organization }, numbers { $0.retryOf?.rawValue },
            numbers { $0.scheduleID }, .timestampArray(column { $0.plannedAt?.micros }), texts { $0.trigger },
            texts { $0.traceparent }, texts { $0.idempotencyKey }, texts { $0.idempotencyFingerprint },
            numbers { $0.queueTime?.wholeMilliseconds },
        ]
    }

    static func uniqueParameters(_ runs: [NewRun]) -> [PGParameter] {
        parameters(runs) + [.textArray(runs.map { $0.unique?.json })]
    }
}
