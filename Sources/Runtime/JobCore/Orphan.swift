/// Kinds of things that are left without what they belong to.
package enum OrphanKind: String, Sendable, Hashable, CaseIterable {
    /// A run is said to be running on a host that is gone. A host that lives gives back what it does not know by itself.
    case runWithoutProcess = "run_without_process"
    /// A run waits for a job that is not there.
    case runWithoutJob = "run_without_job"
    case scheduleWithoutJob = "schedule_without_job"
    /// A host that is gone has an exclusive queue, or a role.
    case holdingWithoutHost = "holding_without_host"
    /// A process that this host's data directory has brought up, and that belongs to none of its runs.
    case processWithoutRun = "process_without_run"
    case cgroupWithoutRun = "cgroup_without_run"
    /// A private directory of an attempt that is over.
    case scratchWithoutRun = "scratch_without_run"
    /// A plugin's file in the content store that no version is known of, or a file that a broken upload has left.
    case fileWithoutOwner = "file_without_owner"

    /// Known from the database, and so the same for all hosts; the others can be seen on their machine only.
    package var isShared: Bool {
        switch self {
        case .runWithoutProcess, .runWithoutJob, .scheduleWithoutJob, .holdingWithoutHost: true
        case .processWithoutRun, .cgroupWithoutRun, .scratchWithoutRun, .fileWithoutOwner: false
        }
    }

    /// What a cleanup does with it; for people.
    package var remedy: String {
        switch self {
        case .runWithoutProcess: "goes back to its queue as lost, or fails where it was lost too often"
        case .runWithoutJob: "is cancelled"
        case .scheduleWithoutJob: "is deleted"
        case .holdingWithoutHost: "is given up"
        case .processWithoutRun: "is killed"
        case .cgroupWithoutRun: "is killed and removed"
        case .scratchWithoutRun, .fileWithoutOwner: "is removed"
        }
    }
}

/// One of them.
package struct Orphan: Sendable, Hashable {
    package var kind: OrphanKind
    /// The run, the schedule, the holding's name, the process id, the path.
    package var name: String
    /// What must be the same when it is put right: an attempt, a revision, a start time, an inode. A process id that somebody
    /// else has got meanwhile is another thing.
    package var mark: String
    /// For people.
    package var detail: String

    package init(kind: OrphanKind, name: String, mark: String, detail: String) {
        self.kind = kind
        self.name = name
        self.mark = mark
        self.detail = detail
    }

    /// The thing itself, without what is said of it.
    package struct Key: Sendable, Hashable {
        package var kind: OrphanKind
        package var name: String
        package var mark: String
    }
    package var key: Key { Key(kind: kind, name: name, mark: mark) }
}

/// A process, as far as it matters whose it is.
package struct ProcessOwnership: Sendable, Hashable {
    package var pid: Int32
    package var parent: Int32

    package init(pid: Int32, parent: Int32) {
        self.pid = pid
        self.parent = parent
    }
}

extension OrphanKind {
    /// Processes below this host that belong to nothing that we know: neither they nor an ancestor on the way are known. The
    /// host is a subreaper: what gets away from its runs comes to it, and to nobody else. Whether they carry our mark is for
    /// the caller to see, of these few.
    /// - Parameters:
    ///   - processes: all of the machine.
    ///   - known: of zygotes, monitors, children, and whatever is in their cgroups.
    ///   - host: this process.
    package static func processesWithoutRun(
        among processes: [ProcessOwnership], known: Set<Int32>, host: Int32
    ) -> [Int32] {
        let parents = Dictionary(processes.map { ($0.pid, $0.parent) }) { first, _ in first }
        return processes.map(\.pid).filter { process in
            guard process != host else { return false }
            var seen: Set<Int32> = []
            var pid = process
            while pid > 0, seen.insert(pid).inserted, !known.contains(pid) {
                guard let parent = parents[pid] else { return false }
                if parent == host { return true }
                pid = parent
            }
            return false
        }
    }
}
