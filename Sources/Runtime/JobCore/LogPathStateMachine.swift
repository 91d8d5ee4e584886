/// Where log lines wait on their way to the database: in memory, then in a file, then not at all.
///
/// Lines keep their order: what is in memory is younger than what is in the file, and as long as anything is in the file all
/// that comes goes behind it. Pure: levels and times are told.
package struct LogPathStateMachine: Hashable, Sendable {
    package enum Phase: String, CaseIterable, Sendable {
        /// The database takes lines as they come, or has failed to for a moment.
        case memory
        /// It takes none: all go to the file.
        case spilling
        /// It takes lines again, from the file.
        case replaying
        /// The file takes no more, because of its bound or because of the disk.
        case full
    }

    package struct Bounds: Hashable, Sendable {
        /// Above this many bytes in memory, attempts wait.
        package var memoryBytes: Int
        /// The database may owe an answer for so long before lines go to the file.
        package var patience: Duration

        package init(memoryBytes: Int = 8 << 20, patience: Duration = .seconds(1)) {
            self.memoryBytes = memoryBytes
            self.patience = patience
        }
    }

    package let bounds: Bounds
    private(set) package var memoryBytes = 0
    private(set) package var fileLines = 0
    /// The file took no more.
    private(set) package var isBlocked = false
    /// The database owes an answer, or has failed, for longer than `patience`.
    private(set) package var isAway = false
    /// The last try failed.
    private var hasFailed = false
    /// When the first try began that has brought nothing yet; in nanoseconds of a monotonic clock.
    private var waitingSince: UInt64?

    package init(_ bounds: Bounds = Bounds()) { self.bounds = bounds }

    package var phase: Phase {
        guard self.usesFile else { return .memory }
        if self.isBlocked { return .full }
        return self.isAway ? .spilling : .replaying
    }

    private var usesFile: Bool { self.isAway || self.fileLines > 0 }
    private var isCrowded: Bool { self.memoryBytes >= self.bounds.memoryBytes }

    /// Attempts may say more.
    package var accepts: Bool { !self.isCrowded }
    /// There is no room for more: what those say who do not wait is dropped.
    package var refuses: Bool { self.isCrowded && self.phase == .full }
    /// What is in memory is to be written to the file now.
    package var spills: Bool { self.usesFile && !self.isBlocked && self.memoryBytes > 0 }

    // MARK: Facts

    /// - Parameters:
    ///   - memoryBytes: held in memory only.
    ///   - fileLines: in the file and not in the database.
    package mutating func levels(memoryBytes: Int, fileLines: Int) {
        self.memoryBytes = memoryBytes
        self.fileLines = fileLines
        if !self.usesFile { self.isBlocked = false }
    }

    /// Lines were sent to the database.
    package mutating func asked(at now: UInt64) { if self.waitingSince == nil { self.waitingSince = now } }

    /// They are in.
    package mutating func answered() {
        self.waitingSince = nil
        self.hasFailed = false
        self.isAway = false
        if !self.usesFile { self.isBlocked = false }
    }

    /// They are not, or nobody knows; they will be sent again.
    package mutating func failed(at now: UInt64) {
        self.hasFailed = true
        self.looked(at: now)
    }

    /// Time passes. While memory has no room left, a database that has failed is given no more time.
    package mutating func looked(at now: UInt64) {
        guard let since = self.waitingSince else { return }
        let waited = Duration.nanoseconds(Int64(clamping: now &- min(since, now)))
        if waited >= self.bounds.patience || (self.hasFailed && self.isCrowded) { self.isAway = true }
    }

    /// The file took nothing more.
    package mutating func blocked() { if self.usesFile { self.isBlocked = true } }

    /// The file may have room again.
    package mutating func roomed() { self.isBlocked = false }
}
