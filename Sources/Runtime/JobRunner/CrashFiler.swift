import Inspection
import JobCore
import JobStore
import Logging
import UVLoop

/// Names the frames of crashes and files them into their groups, in the background, one after the other.
///
/// What waits is in the database, written with the outcome of its attempt: a restart of the host loses none, and filing is
/// exactly-once there. Frames whose files are gone stay addresses. What the database refuses is set aside until the next start
/// of the host, and keeps nothing else waiting.
@LoopActor
final class CrashFiler {
    private let store: JobStore
    private let naming: CrashNaming
    private let logger: Logger
    private var lease: HostLease?
    private var isFiling = false
    private var mustLookAgain = false
    private var isStopped = false
    private(set) var filed: UInt64 = 0
    /// Refused, in this life of the host.
    private(set) var setAside: Set<String> = []

    private static let page = 16
    /// More than this are not kept: they are dropped from what waits. The attempts still have them.
    private static let setAsideLimit = 200

    init(store: JobStore, naming: CrashNaming, logger: Logger) {
        self.store = store
        self.naming = naming
        self.logger = logger
    }

    func begin(_ lease: HostLease) {
        self.lease = lease
        self.look()
    }

    func stop() { self.isStopped = true }

    /// Something may be waiting.
    func look() {
        guard !self.isFiling else {
            self.mustLookAgain = true
            return
        }
        guard !self.isStopped, let lease = self.lease else { return }
        self.isFiling = true
        loopTask {
            await self.fileAll(lease)
            self.isFiling = false
            guard self.mustLookAgain else { return }
            self.mustLookAgain = false
            self.look()
        }
    }

    private func fileAll(_ lease: HostLease) async {
        do {
            while !self.isStopped {
                let waiting = try await self.store.pendingCrashes(lease, limit: Self.page + self.setAside.count)
                let pending = waiting.filter { !self.setAside.contains($0.key) }
                if pending.isEmpty { return }
                for crash in pending where !self.isStopped {
                    do throws(StoreError) { try await self.file(crash) } catch {
                        guard !error.isTransient else { throw error }
                        try await self.refused(crash, error)
                    }
                }
            }
        } catch {
            // They keep; the next look comes with the next poll.
            self.logger.debug("crashes wait to be filed", metadata: ["error": "\(error)"])
        }
    }

    private func refused(_ crash: PendingCrash, _ error: StoreError) async throws(StoreError) {
        let isKept = self.setAside.count < Self.setAsideLimit
        self.logger.error(
            "a crash cannot be filed\(isKept ? "" : " and is not tried again")",
            metadata: ["run": "\(crash.runID)", "attempt": "\(crash.attempt)", "error": "\(error)"])
        if isKept { self.setAside.insert(crash.key) } else { try await self.store.dropCrash(crash) }
    }

    private func file(_ pending: PendingCrash) async throws(StoreError) {
        guard let crash = pending.crash else { return try await self.store.dropCrash(pending) }
        let frames = pending.isOwn ? await self.naming.frames(crash) : Inspector.rawFrames(crash)
        // A plugin's file is named by its bytes in the store.
        let isPlugin = { (frame: StackFrame) -> Bool in
            guard let version = pending.version, let module = frame.module else { return false }
            return module.contains(version)
        }
        let fingerprint = self.naming.fingerprint(crash, frames, isPlugin)
        let title = crash.title(frames, handler: pending.handler, isPlugin: isPlugin)
        let filing = CrashFiling(fingerprint: fingerprint, frames: frames, title: title)
        guard try await self.store.fileCrash(pending, filing) else { return }
        self.filed += 1
        self.logger.info(
            "filed a crash: \(title)",
            metadata: ["run": "\(pending.runID)", "attempt": "\(pending.attempt)", "group": "\(fingerprint)"])
    }
}

extension PendingCrash {
    fileprivate var key: String { "\(self.runID)/\(self.attempt)" }
}
