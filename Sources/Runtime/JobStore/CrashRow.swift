package import JobCore

/// A crash whose frames wait to be named.
package struct PendingCrash: Sendable, Hashable {
    package var runID: RunID
    package var attempt: Int
    package var job: String
    package var handler: String
    package var plugin: String?
    /// SHA-256 of the bytes that ran.
    package var version: String?
    package var endedAt: WallTime
    /// False: of a host that is gone, whose files are not here.
    package var isOwn: Bool
    /// Nil: the attempt has been deleted meanwhile.
    package var crash: CrashInfo?
}

/// A crash with its frames named, as far as they could be.
package struct CrashReportRow: Sendable, Hashable {
    package var runID: RunID
    package var attempt: Int
    /// Of its group.
    package var fingerprint: String
    /// Of the crashing thread, innermost first.
    package var frames: [StackFrame]
    package var createdAt: WallTime
}

/// What is filed for one crash.
package struct CrashFiling: Sendable, Hashable {
    package var fingerprint: String
    package var frames: [StackFrame]
    /// One line for people: what happened where.
    package var title: String

    package init(fingerprint: String, frames: [StackFrame], title: String) {
        self.fingerprint = fingerprint
        self.frames = frames
        self.title = title
    }
}

/// Crashes with the same stack.
package struct ErrorGroupRow: Sendable, Hashable {
    package var fingerprint: String
    /// `crash`.
    package var kind: String
    package var title: String
    /// Of the newest one.
    package var job: String
    package var handler: String
    package var plugin: String?
    package var signal: Int32?
    package var count: Int64
    package var firstSeenAt: WallTime
    package var lastSeenAt: WallTime
    /// SHA-256 of the bytes.
    package var firstVersion: String?
    package var lastVersion: String?
    /// The newest one; its retention may be over.
    package var sampleRun: RunID
    package var sampleAttempt: Int
}

/// Where a list of groups goes on: behind this one.
package struct ErrorGroupCursor: Sendable, Hashable {
    package var lastSeenAt: WallTime
    package var fingerprint: String

    package init(lastSeenAt: WallTime, fingerprint: String) {
        self.lastSeenAt = lastSeenAt
        self.fingerprint = fingerprint
    }

    package init(_ group: ErrorGroupRow) {
        self.init(lastSeenAt: group.lastSeenAt, fingerprint: group.fingerprint)
    }
}
