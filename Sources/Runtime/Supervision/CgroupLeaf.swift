internal import CLinux
internal import Glibc
internal import JobCore
internal import UVLoop

/// One cgroup v2 leaf: the boundary of an attempt's processes, and the proof that none is left.
@LoopActor
final class CgroupLeaf {
    let path: String
    /// O_PATH; what clone3 puts the child into.
    let directory: Int32
    private let events: Int32
    private var watcher: FDWatcher?
    private var isOpen = true
    /// It has been killed once, and is not used again: Linux 6.18 (tried) compares the kill count of the parent's
    /// cgroup with that of the child's in clone3, and so kills every child born into a cgroup that was ever killed.
    private(set) var wasKilled = false
    private let cpuStat: Int32
    /// What its processes had used when the last attempt ended: it counts for ever.
    private var cpuBefore = CgroupCPU()
    /// As `cpu` read it last.
    private var cpuRead: CgroupCPU?
    private(set) var isFrozen = false

    /// Makes the leaf. One that is there already is taken, as long as nothing is in it.
    init(path: String) throws(SupervisionError) {
        self.path = path
        if mkdir(path, 0o755) != 0 && errno != EEXIST {
            throw SupervisionError("cannot make \(path): \(String(cString: strerror(errno)))")
        }
        self.directory = open(path, Int32(LINUX_O_PATH) | O_DIRECTORY | O_CLOEXEC)
        self.events = self.directory < 0 ? -1 : openat(self.directory, "cgroup.events", O_RDONLY | O_CLOEXEC)
        self.cpuStat = self.directory < 0 ? -1 : openat(self.directory, "cpu.stat", O_RDONLY | O_CLOEXEC)
        if self.events < 0 {
            let why = String(cString: strerror(errno))
            if self.directory >= 0 { close(self.directory) }
            if self.cpuStat >= 0 { close(self.cpuStat) }
            rmdir(path)
            throw SupervisionError("cannot open \(path): \(why)")
        }
        self.cpuBefore = self.cpuEver
    }

    isolated deinit { self.closeFiles() }

    /// Whether any process lives in it or below. Zombies do not count.
    var isPopulated: Bool {
        withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
            let length = pread(self.events, buffer.baseAddress, buffer.count, 0)
            // Unreadable: better to believe in a process too many.
            guard length > 0 else { return true }
            // The first line, in every kernel.
            return !buffer[..<length].starts(with: "populated 0".utf8)
        }
    }

    /// Living processes, at most those of the leaf itself.
    var processes: [Int32] { SmallFiles.numbers("cgroup.procs", at: self.directory, limit: 64 << 10) }

    /// Processor time of its processes since the last attempt in it ended, ended ones included.
    var cpu: CgroupCPU {
        let ever = self.cpuEver
        self.cpuRead = ever
        return ever - self.cpuBefore
    }

    /// The next attempt counts from where `cpu` was read last; the kernel's sum over all processors is not cheap.
    func forgetCPU() {
        self.cpuBefore = self.cpuRead ?? self.cpuEver
        self.cpuRead = nil
    }

    /// As the other, where `cpu` is not worth reading: its processes have used this much.
    func forgetCPU(_ used: ResourceUsage) {
        self.cpuBefore.usage += used.userCPU + used.systemCPU
        self.cpuBefore.user += used.userCPU
        self.cpuBefore.system += used.systemCPU
        self.cpuRead = nil
    }

    private var cpuEver: CgroupCPU {
        guard self.cpuStat >= 0 else { return self.cpuBefore }
        return withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
            let length = pread(self.cpuStat, buffer.baseAddress, buffer.count, 0)
            guard length > 0 else { return self.cpuBefore }
            return CgroupCPU(stat: UnsafeRawBufferPointer(rebasing: buffer[..<length])) ?? self.cpuBefore
        }
    }

    /// Has its processes stand still, or go on. New ones stand still with the others. Returns 0 or the errno.
    func freeze(_ isFrozen: Bool) -> Int32 {
        let error = SmallFiles.write(isFrozen ? "1" : "0", to: "cgroup.freeze", at: self.directory)
        if error == 0 { self.isFrozen = isFrozen }
        return error
    }

    /// Ends every process in it and below, at once, however they fork. Returns 0 or the errno.
    @discardableResult
    func kill() -> Int32 {
        self.wasKilled = true
        return SmallFiles.write("1", to: "cgroup.kill", at: self.directory)
    }

    /// Calls `handler` when `populated` may have changed, until `stopWatching`. The kernel coalesces changes within
    /// 10 ms, so this is for the slow path only.
    func watch(_ handler: @escaping @LoopActor () -> Void) {
        guard self.watcher == nil else { return }
        do {
            let watcher = try FDWatcher(fd: self.events)
            watcher.start(.priority) { _ in handler() }
            self.watcher = watcher
        } catch {
            // Out of memory or watches: the supervisor's slow tick looks too.
        }
    }

    func stopWatching() {
        self.watcher?.close()
        self.watcher = nil
    }

    // MARK: Limits, where the controllers are there

    func limit(_ limits: ResolvedLimits, controllers: [String]) {
        if controllers.contains("memory") {
            SmallFiles.write("\(limits.memoryBytes)", to: "memory.max", at: self.directory)
            SmallFiles.write("1", to: "memory.oom.group", at: self.directory)
        }
        if controllers.contains("pids") {
            SmallFiles.write(limits.processes.map { "\($0)" } ?? "max", to: "pids.max", at: self.directory)
        }
    }

    /// Processes that the kernel killed here for lack of memory, ever.
    var oomKills: Int {
        SmallFiles.text("memory.events", at: self.directory).flatMap { MemoryEvents.oomKillsV2($0) } ?? 0
    }

    /// Resident bytes of everything in it; nil without the controller.
    var residentBytes: UInt64? {
        SmallFiles.text("memory.current", at: self.directory).flatMap { UInt64($0.dropLast()) }
    }

    // MARK: The end

    /// Removes it, with cgroups that a handler made below. Fails silently while something lives in it.
    func remove() {
        self.closeFiles()
        Self.removeTree(self.path)
    }

    static func removeTree(_ path: String) {
        if rmdir(path) == 0 || errno == ENOENT { return }
        for name in SmallFiles.entries(path) {
            let below = "\(path)/\(name)"
            // Files of a cgroup cannot be removed and need not be; only directories count.
            if access("\(below)/cgroup.procs", F_OK) == 0 { self.removeTree(below) }
        }
        rmdir(path)
    }

    private func closeFiles() {
        guard self.isOpen else { return }
        self.isOpen = false
        self.stopWatching()
        close(self.events)
        if self.cpuStat >= 0 { close(self.cpuStat) }
        close(self.directory)
    }
}
