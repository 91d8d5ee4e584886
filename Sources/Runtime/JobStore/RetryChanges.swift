package import JobCore

/// What a retry does differently from the run it repeats. What is nil stays as it was.
package struct RetryChanges: Sendable {
    package var priority: Int32?
    package var attempts: Int?
    package var backoff: BackoffPolicy?
    package var queue: String?
    /// Wall time of each attempt.
    package var timeout: Duration?
    /// From being due to being started; nil: as the original.
    package var queueTime: Duration?
    package var title: String?
    /// In place of the args; JSON text.
    package var args: String?
    /// A JSON object whose members replace those of the args, top level only. Not together with `args`.
    package var dataOverrides: String?
    /// Deletes the finished run, with all that belongs to it, in the transaction that makes the new one.
    package var removeOriginal: Bool
    package var runAt: WallTime?
    /// From now, by the database's clock. Not together with `runAt`.
    package var delay: Duration?
    /// See `NewRun.idempotencyKey`.
    package var idempotencyKey: String?
    package var idempotencyFingerprint: String?
    /// See `NewRun.trigger`.
    package var trigger: String

    package init(
        priority: Int32? = nil, attempts: Int? = nil, backoff: BackoffPolicy? = nil, queue: String? = nil,
        timeout: Duration? = nil, queueTime: Duration? = nil, title: String? = nil, args: String? = nil,
        dataOverrides: String? = nil, removeOriginal: Bool = false, runAt: WallTime? = nil, delay: Duration? = nil,
        idempotencyKey: String? = nil, idempotencyFingerprint: String? = nil, trigger: String = "retry"
    ) {
        self.priority = priority
        self.attempts = attempts
        self.backoff = backoff
        self.queue = queue
        self.timeout = timeout
        self.queueTime = queueTime
        self.title = title
        self.args = args
        self.dataOverrides = dataOverrides
        self.removeOriginal = removeOriginal
        self.runAt = runAt
        self.delay = delay
        self.idempotencyKey = idempotencyKey
        self.idempotencyFingerprint = idempotencyFingerprint
        self.trigger = trigger
    }
}
