package import JobCore
import Postgres

extension JobStore {
    /// Makes a new run that repeats a finished one. Throws `.conflict("run_not_finished")` with the present state, and what
    /// `enqueue` throws: the args are compared with what the job takes now.
    package func retry(_ id: RunID, _ changes: RetryChanges) async throws(StoreError) -> Enqueued {
        // Before the look at the original, which the first request may have removed.
        if let key = changes.idempotencyKey, let known = try await replay(key, changes.idempotencyFingerprint) {
            return known
        }
        guard let original = try await run(id) else { throw .notFound(what: "run", id: id.description) }
        guard original.state.isTerminal else {
            throw .conflict(
                code: "run_not_finished",
                detail: "only a finished run can be retried; this one is \(original.state.rawValue)",
                currentState: original.state)
        }
        let run = try Self.repetition(of: original, changes)
        try Self.check(run)
        let isChecked = try await checkArgs(run)
        if changes.removeOriginal { try await removeLogs([id.rawValue]) }
        let taken = try await withTransaction { connection -> Enqueued? in
            // Of two that repeat and remove the same run one comes too late.
            if changes.removeOriginal, try await connection.query(.runFinishedLock, [.int64(id.rawValue)]).isEmpty {
                throw StoreError.notFound(what: "run", id: id.description)
            }
            let taken = try self.noteEnqueued(
                try await connection.query(.runEnqueue, Self.parameters([run])), count: 1)[0]
            if taken != nil, changes.removeOriginal {
                _ = try await self.removeFinished([id.rawValue], connection)
            }
            return taken
        }
        if var enqueued = taken {
            enqueued.isUnchecked = !isChecked
            return enqueued
        }
        // The key was used between our two looks, or the job is gone.
        if let key = changes.idempotencyKey, let known = try await replay(key, changes.idempotencyFingerprint) {
            return known
        }
        throw await unknownJob(run.job)
    }

    /// The attempts that a run has left, if each of them goes wrong; none of one that is over.
    package func nextAttempts(of run: RunRow) async throws(StoreError) -> [NextAttempt] {
        if run.state.isTerminal { return [] }
        var policy = run.backoff
        if policy == nil {
            policy = try await decoding { () throws in
                guard let row = try await self.pool.query(.jobBackoff, [.text(run.job)]).first else { return nil }
                var reader = RowReader(row)
                return try reader.backoffOrNil()
            }
        }
        return NextAttempt.list(
            state: run.state, policy: policy ?? BackoffPolicy(), attemptsUsed: run.attemptsUsed,
            maxAttempts: run.maxAttempts, runAt: run.runAt, startedAt: run.startedAt)
    }

    private static func repetition(of original: RunRow, _ changes: RetryChanges) throws(StoreError) -> NewRun {
        var args = original.args ?? "{}"
        if let replacement = changes.args { args = replacement }
        if let overrides = changes.dataOverrides {
            do throws(JSONFault) {
                args = try JSONText.merging(overrides, over: args)
            } catch {
                throw .invalid(FieldFault(pointer: "/data_overrides", code: "invalid_json", detail: error.description))
            }
        }
        return NewRun(
            job: original.job, args: args, queue: changes.queue ?? original.queue,
            priority: changes.priority ?? original.priority, runAt: changes.runAt, delay: changes.delay,
            attempts: changes.attempts ?? original.maxAttempts, backoff: changes.backoff ?? original.backoff,
            timeout: changes.timeout ?? original.timeout,
            queueTime: changes.queueTime ?? original.expiresAt.map { max($0 - original.runAt, .milliseconds(1)) },
            title: changes.title ?? original.title, description: original.description, labels: original.labels,
            owner: original.owner, organization: original.organization, idempotencyKey: changes.idempotencyKey,
            idempotencyFingerprint: changes.idempotencyFingerprint, retryOf: original.id, trigger: changes.trigger)
    }
}
