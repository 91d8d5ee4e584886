/// The versions of one plugin file, from the first sight of new bytes until the old ones are gone.
///
/// Reloads of one file never overlap, and the latest wins: a change that comes while an older one is being looked at is
/// looked at next. What serves keeps serving until something better is ready.
package struct ReloadStateMachine: Sendable {
    package enum Candidate: Equatable, Sendable {
        case none
        /// The file is being copied, hashed and checked.
        case verifying
        /// These bytes are being loaded.
        case warming(String)
    }

    package enum Order: Equatable, Sendable {
        case nothing
        /// Take the file into the store and check it.
        case ingest
        /// Start a zygote for these bytes.
        case load(String)
        /// Let new attempts go to these bytes from now on; then retire the others.
        case activate(String, replaces: String?)
        /// Let the version drain.
        case retire(String)
        /// The same bytes as those that serve.
        case unchanged
        /// The new bytes cannot be served; the old ones, if any, still are.
        case reject(String)
    }

    package private(set) var candidate = Candidate.none
    /// Serves now.
    package private(set) var active: String?
    /// Versions that finish their attempts.
    package private(set) var draining: Set<String> = []
    /// Why the newest bytes cannot be served; nil when they can.
    package private(set) var rejection: String?
    /// The zygote of the active version died too often.
    package private(set) var isCrashLooping = false
    /// Something changed while a candidate was being looked at.
    private var isStale = false
    /// The file is gone.
    package private(set) var isRemoved = false

    package init() {}

    // MARK: Facts

    /// The file is there, or has changed.
    package mutating func fileChanged() -> Order {
        self.isRemoved = false
        guard self.candidate == .none else {
            self.isStale = true
            return .nothing
        }
        self.candidate = .verifying
        return .ingest
    }

    /// The file is gone: its plugin retires.
    package mutating func fileRemoved() -> Order {
        self.isRemoved = true
        self.isStale = false
        self.rejection = nil
        self.isCrashLooping = false
        guard let active = self.active else { return .nothing }
        self.active = nil
        self.draining.insert(active)
        return .retire(active)
    }

    /// The bytes are in the store under this hash.
    package mutating func ingested(_ hash: String) -> Order {
        guard self.candidate == .verifying else { return .nothing }
        if let again = self.beginAgain() { return again }
        if self.isRemoved {
            self.candidate = .none
            return .nothing
        }
        if hash == self.active {
            self.candidate = .none
            self.rejection = nil
            return .unchanged
        }
        self.candidate = .warming(hash)
        return .load(hash)
    }

    /// The bytes cannot be taken into the store: no shared library, or unreadable.
    package mutating func ingestFailed(_ why: String) -> Order {
        guard self.candidate == .verifying else { return .nothing }
        return self.rejected(why)
    }

    package mutating func loaded(_ hash: String) -> Order {
        guard self.candidate == .warming(hash) else { return .nothing }
        if self.isRemoved {
            self.candidate = .none
            self.draining.insert(hash)
            return .retire(hash)
        }
        self.candidate = .none
        self.rejection = nil
        self.isCrashLooping = false
        self.draining.remove(hash)
        let old = self.active
        self.active = hash
        if let old { self.draining.insert(old) }
        return .activate(hash, replaces: old)
    }

    package mutating func refused(_ hash: String, _ why: String) -> Order {
        guard self.candidate == .warming(hash) else { return .nothing }
        return self.rejected(why)
    }

    /// What `activate` asked for is done. The answer may be to look at a change that came meanwhile.
    package mutating func settled() -> Order {
        guard self.candidate == .none, self.isStale else { return .nothing }
        self.isStale = false
        self.candidate = .verifying
        return .ingest
    }

    /// Nothing of a draining version is left.
    package mutating func retired(_ hash: String) { self.draining.remove(hash) }

    /// The zygote of the active version died, or has come back.
    package mutating func crashLoop(_ hash: String, _ isLooping: Bool) {
        if hash == self.active { self.isCrashLooping = isLooping }
    }

    // MARK: Inside

    private mutating func rejected(_ why: String) -> Order {
        if let again = self.beginAgain() { return again }
        self.candidate = .none
        if self.isRemoved { return .nothing }
        self.rejection = why
        return .reject(why)
    }

    /// A newer change makes the answer about an older one pointless.
    private mutating func beginAgain() -> Order? {
        guard self.isStale else { return nil }
        self.isStale = false
        self.candidate = .verifying
        return .ingest
    }
}
