package import JobCore

/// A request to run a job. What is nil comes from the job's settings.
package struct NewRun: Sendable {
    package var job: String
    /// JSON text, already known to be valid (`JSONText.check`); kept byte for byte.
    package var args: String
    /// Whoever read the args has seen that they are valid JSON.
    package var isArgsChecked = false
    package var queue: String?
    /// Higher runs first.
    package var priority: Int32?
    /// Not before this time; in the past: at once. Not together with `delay`.
    package var runAt: WallTime?
    /// Not before this long from now, by the database's clock.
    package var delay: Duration?
    /// At most this many attempts, the first included; 1 to 1000.
    package var attempts: Int?
    package var backoff: BackoffPolicy?
    /// Wall time of each attempt.
    package var timeout: Duration?
    /// From being due to being started: a run that waits longer expires. At least a millisecond.
    package var queueTime: Duration?
    package var title: String?
    package var description: String?
    package var labels: [String: String]
    package var owner: String?
    package var organization: String?
    /// For 24 hours, a second run with the same key is the first one.
    package var idempotencyKey: String?
    /// What the request was (say, a hash of method, path, body and principal): another one under the same key is refused.
    package var idempotencyFingerprint: String?
    /// Which requests this one excludes.
    package var unique: UniqueRule?
    package var retryOf: RunID?
    package var scheduleID: Int64?
    package var plannedAt: WallTime?
    /// Who asked: `api`, `cli`, `schedule`, `retry`, `sql`, `handler`.
    package var trigger: String
    /// W3C trace context of the request.
    package var traceparent: String?

    package init(
        job: String, args: String = "{}", queue: String? = nil, priority: Int32? = nil, runAt: WallTime? = nil,
        delay: Duration? = nil, attempts: Int? = nil, backoff: BackoffPolicy? = nil, timeout: Duration? = nil,
        queueTime: Duration? = nil, title: String? = nil, description: String? = nil, labels: [String: String] = [:],
        owner: String? = nil,
        organization: String? = nil, idempotencyKey: String? = nil, idempotencyFingerprint: String? = nil,
        unique: UniqueRule? = nil, retryOf: RunID? = nil, scheduleID: Int64? = nil, plannedAt: WallTime? = nil,
        trigger: String = "api",
        traceparent: String? = nil
    ) {
        self.job = job
        self.args = args
        self.queue = queue
        self.priority = priority
        self.runAt = runAt
        self.delay = delay
        self.attempts = attempts
        self.backoff = backoff
        self.timeout = timeout
        self.queueTime = queueTime
        self.title = title
        self.description = description
        self.labels = labels
        self.owner = owner
        self.organization = organization
        self.idempotencyKey = idempotencyKey
        self.idempotencyFingerprint = idempotencyFingerprint
        self.unique = unique
        self.retryOf = retryOf
        self.scheduleID = scheduleID
        self.plannedAt = plannedAt
        self.trigger = trigger
        self.traceparent = traceparent
    }
}

extension NewRun {
    /// Nothing stands between it and its first attempt but a free slot, and storing it waits for nobody.
    var mayBeginAtOnce: Bool { idempotencyKey == nil && unique == nil && runAt == nil && delay == nil }

    /// Nor does it come from another run or a schedule.
    var isPlain: Bool { mayBeginAtOnce && retryOf == nil && scheduleID == nil && plannedAt == nil }
}
