package import JobCore

/// A handler of a loaded plugin, to be registered as a job of its own name.
package struct JobUpsert: Sendable, Hashable {
    package var handler: String
    package var description: String?
    /// JSON Schema texts.
    package var argsSchema: String?
    package var resultSchema: String?
    /// The handler's defaults.
    package var limits: Limits
    package var execution: ExecutionSettings

    package init(
        handler: String, description: String? = nil, argsSchema: String? = nil, resultSchema: String? = nil,
        limits: Limits = Limits(), execution: ExecutionSettings = ExecutionSettings()
    ) {
        self.handler = handler
        self.description = description
        self.argsSchema = argsSchema
        self.resultSchema = resultSchema
        self.limits = limits
        self.execution = execution
    }
}

/// What people run and schedule: a handler with settings.
package struct JobRow: Sendable, Hashable {
    package var name: String
    package var handler: String
    package var plugin: String?
    package var description: String?
    package var argsSchema: String?
    package var resultSchema: String?
    package var queue: String
    package var priority: Int32
    /// Nil: the handler's, else the product's default.
    package var attempts: Int?
    package var backoff: BackoffPolicy?
    /// The operator's limits.
    package var limits: Limits
    /// The handler's defaults, as its plugin last declared them.
    package var handlerLimits: Limits
    /// How the operator wants attempts to be executed.
    package var execution: ExecutionSettings
    /// As the plugin proposes it.
    package var handlerExecution: ExecutionSettings
    /// How many of its runs may execute at once.
    package var concurrency: ConcurrencyLimits
    package var pause: Pause?
    package var retentionDays: Int
    /// Of runs that fail; nil: as `retentionDays`.
    package var failedRetentionDays: Int?
    package var createdAt: WallTime
    package var updatedAt: WallTime
    /// Grows with each change of the settings: the ETag.
    package var revision: Int64
    /// Runs of this job by state now; finished ones since ever. From counters.
    package var counts: [RunState: Int64]
    package var lastRunID: RunID?
    package var lastState: RunState?
    package var lastFinishedAt: WallTime?
    /// Somebody defined it over a handler of another name; else it is its handler's own.
    package var isDefined: Bool { name != handler }
    package var service: ServiceState { ServiceState(pause, running: counts[.running] ?? 0) }
}

package struct QueueRow: Sendable, Hashable {
    package var name: String
    package var pause: Pause?
    /// How many of its runs may execute at once.
    package var limits = ConcurrencyLimits()
    /// Grows with each change of its rules; 0: nobody has set it yet.
    package var revision: Int64 = 0
    package var createdAt: WallTime?
    /// Runs by state now; finished ones since ever. From counters.
    package var counts: [RunState: Int64]
    /// When the oldest of the queued runs that are first in line was due; nil if none is queued.
    package var oldestQueuedAt: WallTime?
    package var isPaused: Bool { pause != nil }
    package var service: ServiceState { ServiceState(pause, running: counts[.running] ?? 0) }
}
