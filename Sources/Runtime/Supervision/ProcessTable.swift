internal import CLinux
internal import Glibc
internal import UVLoop

/// What /proc tells of processes that we have no descriptor of.
@LoopActor
enum ProcessTable {
    /// Ends every process whose environment carries one of `markers` (`NAME=value`), except ourselves and our ancestors.
    /// A number is never signalled: a descriptor is opened, the marker is looked for again, and the signal goes through
    /// the descriptor. Returns those that were ended.
    static func kill(marked markers: [String]) -> Set<Int32> {
        let wanted = markers.map { Array($0.utf8) }
        let exempt = self.ancestors()
        var killed: Set<Int32> = []
        for name in SmallFiles.entries("/proc") {
            guard let pid = Int32(name), !exempt.contains(pid), self.carries(wanted, pid) else { continue }
            let pidfd = linux_pidfd_open(pid)
            guard pidfd >= 0 else { continue }
            defer { close(pidfd) }
            if self.carries(wanted, pid), linux_pidfd_send_signal(pidfd, SIGKILL) == 0 { killed.insert(pid) }
        }
        return killed
    }

    static func carries(_ markers: [[UInt8]], _ pid: Int32) -> Bool {
        guard let environment = SmallFiles.read("/proc/\(pid)/environ", limit: 256 << 10) else { return false }
        return environment.split(separator: 0).contains { entry in markers.contains { entry.elementsEqual($0) } }
    }

    private static func ancestors() -> Set<Int32> {
        var pids: Set<Int32> = [getpid()]
        var pid = getppid()
        while pid > 0, pids.insert(pid).inserted, let parent = self.parent(of: pid) { pid = parent }
        return pids
    }

    /// Field 4 of /proc/<pid>/stat; the name in field 2 may hold anything, so it is read from behind the last `)`.
    private static func parent(of pid: Int32) -> Int32? {
        guard let text = SmallFiles.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 1 ? Int32(fields[1]) : nil
    }

    /// Field 22 of /proc/<pid>/stat: with it a number stands for one process only. Nil: it is gone.
    static func startTicks(_ pid: Int32) -> UInt64? {
        guard let text = SmallFiles.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }

    /// Children of ours, dead ones included.
    static func children() -> [Int32] {
        SmallFiles.entries("/proc/self/task").flatMap { SmallFiles.numbers("/proc/self/task/\($0)/children") }
    }

    /// Reaps dead children that nobody else here waits for: strays that came to us as subreaper. Returns their number.
    @discardableResult
    static func reapStrays() -> Int {
        var reaped = 0
        for pid in self.children() where !ChildProcess.isOurs(pid) {
            var info = siginfo_t()
            if waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG) == 0, info.si_signo == SIGCHLD { reaped += 1 }
        }
        return reaped
    }

    /// Ends children of ours that descend from a dead zygote, except `known`. Returns those that were ended.
    ///
    /// They come to us as subreaper. A zygote gives up new privileges before it loads anything, and no descendant can take
    /// that back, whatever it does to its environment, session or name. Nothing else that may become our child without a
    /// `ChildProcess` has that mark, a database server of an earlier host's least of all; unless we have it ourselves: then
    /// it tells nothing, and `marker` (`NAME=value`) in their environment must do, which a descendant can drop.
    static func killStrays(except known: Set<Int32>, marker: String) -> Set<Int32> {
        var killed: Set<Int32> = []
        let wanted = [Array(marker.utf8)]
        for pid in self.children() where !ChildProcess.isOurs(pid) && !known.contains(pid) {
            // Unreaped, and reaped by nobody but us: the number stays its own.
            let isStray = self.isMarkedOurselves ? self.carries(wanted, pid) : self.hasNoNewPrivileges("\(pid)")
            guard isStray else { continue }
            let pidfd = linux_pidfd_open(pid)
            guard pidfd >= 0 else { continue }
            defer { close(pidfd) }
            if linux_pidfd_send_signal(pidfd, SIGKILL) == 0 { killed.insert(pid) }
        }
        return killed
    }

    private static let isMarkedOurselves = hasNoNewPrivileges("self")

    private static func hasNoNewPrivileges(_ process: String) -> Bool {
        guard let text = SmallFiles.text("/proc/\(process)/status") else { return false }
        return text.split(separator: "\n").contains("NoNewPrivs:\t1")
    }

    /// Children of one process, dead ones included; none where the kernel does not say.
    static func children(of pid: Int32) -> [Int32] {
        SmallFiles.entries("/proc/\(pid)/task").flatMap { task in
            var found: [Int32] = []
            SmallFiles.withNumbers("/proc/\(pid)/task/\(task)/children") { found.append($0) }
            return found
        }
    }

    /// How many descriptors a process has open; 0 where the kernel does not say.
    static func openDescriptors(_ pid: Int32) -> Int {
        var status = stat()
        let path = "/proc/\(pid)/fd"
        // Linux 6.2 and later tell the number as the directory's size.
        guard stat(path, &status) == 0 else { return 0 }
        return status.st_size > 0 ? Int(status.st_size) : SmallFiles.entries(path).count
    }
}
