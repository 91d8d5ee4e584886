/// What is known of an attempt's memory when it has died. A process at its limit seldom says so: its allocator returns NULL
/// or throws, and the program aborts, traps, exits, or writes to address zero.
package struct MemoryEvidence: Hashable, Sendable {
    /// Processes of the attempt that the kernel killed for lack of memory: counted by its cgroup, or by the machine while
    /// it died of a SIGKILL that nobody here sent.
    package var oomKills = 0
    /// Largest address space seen of its first process, in bytes; 0: not known.
    package var addressSpaceBytes: UInt64 = 0
    /// Largest resident size of one of its processes.
    package var residentBytes: Int64 = 0
    /// `errno` when it called exit(), if it did and could tell.
    package var exitError: Int32?

    package init() {}

    /// Words for a death by `signal` that memory explains ("… the 64 MiB it is allowed"); nil where it does not.
    package func explains(signal: Int32, crash: CrashInfo?, limit: Int64) -> String? {
        if self.oomKills > 0 && signal == Self.sigkill { return "was killed by the kernel for using more memory than" }
        guard limit > 0, let crash, Self.ofRefusal.contains(signal) else { return nil }
        if self.isNear(crash.addressSpaceBytes, limit) { return "used up" }
        return crash.error == Self.enomem ? "asked for more memory than is left of" : nil
    }

    /// The same of an exit without a result.
    package func explainsExit(crash: CrashInfo?, limit: Int64) -> String? {
        guard limit > 0 else { return nil }
        if self.isNear(self.addressSpaceBytes, limit) { return "ended without a result after it had used up" }
        if self.exitError == Self.enomem { return "ended without a result after it had asked for more than is left of" }
        // Nobody looked at its address space, which is larger than what was resident: by libraries, stacks, and what
        // allocators keep in reserve.
        let slack = max(limit / 4, 128 << 20)
        guard self.residentBytes >= max(limit - slack, limit / 2) else { return nil }
        return "ended without a result when it had used up nearly all of"
    }

    /// A process that hit its limit of address space has a size near it; an allocator that asks for much at once is
    /// refused earlier, so a sixteenth (and at least 16 MiB) below counts as near.
    private func isNear(_ size: UInt64, _ limit: Int64) -> Bool {
        let slack = max(limit / 16, 16 << 20)
        return size > 0 && size >= UInt64(max(limit / 2, limit - slack))
    }

    private static let sigkill: Int32 = 9
    private static let enomem: Int32 = 12
    /// How programs die whose allocator was refused: ILL, TRAP (Swift), ABRT (C++, glibc), BUS, SEGV (NULL was not looked
    /// at).
    private static let ofRefusal: Set<Int32> = [4, 5, 6, 7, 11]
}

/// Reads the kernel's counts of processes it killed for lack of memory.
package enum MemoryEvents {
    /// `memory.events` of a cgroup v2 directory with the memory controller.
    package static func oomKillsV2(_ text: String) -> Int? { self.value("oom_kill", in: text) }

    /// `memory.oom_control` of a cgroup v1 memory directory. Kernels before 4.13 do not count there.
    package static func oomKillsV1(_ text: String) -> Int? { self.value("oom_kill", in: text) }

    /// `/proc/vmstat`: of the whole machine, every cgroup included (since 4.13).
    package static func oomKillsOfMachine(_ text: String) -> Int? { self.value("oom_kill", in: text) }

    /// The own directory in a v1 memory hierarchy, from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`; nil:
    /// there is none.
    package static func ownV1Directory(cgroup: String, mountinfo: String) -> String? {
        let own = cgroup.split(separator: "\n").lazy.compactMap { line -> Substring? in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            return parts.count == 3 && parts[1].split(separator: ",").contains("memory") ? parts[2] : nil
        }.first
        guard let own else { return nil }
        for line in mountinfo.split(separator: "\n") {
            // id parent major:minor root point options [optional…] - type source super-options (proc(5))
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash + 3 < fields.count, dash > 4,
                fields[dash + 1] == "cgroup",
                fields[dash + 3].split(separator: ",").contains("memory")
            else { continue }
            // In a container the mount's root is the container's own group.
            let inside = own.hasPrefix(fields[3]) ? own.dropFirst(fields[3] == "/" ? 0 : fields[3].count) : own
            return String(fields[4]) + (inside == "/" ? "" : String(inside))
        }
        return nil
    }

    private static func value(_ key: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == key { return Int(words[1]) }
        }
        return nil
    }
}
