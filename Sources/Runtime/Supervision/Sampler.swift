internal import JobCore
internal import UVLoop

/// Looks at every running attempt once a second, in pieces that are too short to delay anything; at those that grow fast
/// every tenth of a second.
@LoopActor
final class Sampler {
    /// The longest piece of work without a pause, and the pause.
    private static let piece = Duration.milliseconds(3)
    private static let pause = Duration.milliseconds(5)
    private static let hotInterval = Duration.milliseconds(100)

    private var due: [Attempt] = []
    private var hot: [Attempt] = []
    private let timer = LoopTimer()
    private let hotTimer = LoopTimer()

    /// Those that are still due from the second before come first.
    func sample(_ attempts: [Attempt]) {
        // Taken from the end.
        if self.due.isEmpty { self.due = attempts.reversed() }
        self.work()
    }

    func stop() {
        self.timer.stop()
        self.hotTimer.stop()
        self.due = []
        self.hot = []
    }

    private func work() {
        let begin = LoopInstant.now
        while let attempt = self.due.popLast() {
            if attempt.takeSample() { self.watchClosely(attempt) }
            guard LoopInstant.now - begin < Self.piece else { break }
        }
        if self.due.isEmpty { return self.timer.stop() }
        self.timer.start(after: Self.pause) { [weak self] in self?.work() }
    }

    private func watchClosely(_ attempt: Attempt) {
        guard !self.hot.contains(where: { $0 === attempt }) else { return }
        self.hot.append(attempt)
        if self.hot.count == 1 { self.wait() }
    }

    private func wait() { self.hotTimer.start(after: Self.hotInterval) { [weak self] in self?.workClosely() } }

    private func workClosely() {
        let begin = LoopInstant.now
        var kept: [Attempt] = []
        var rest = self.hot[...]
        while LoopInstant.now - begin < Self.piece, let attempt = rest.popFirst() {
            if attempt.takeSample() { kept.append(attempt) }
        }
        // Whose turn did not come has it first the next time.
        self.hot = rest + kept
        if !self.hot.isEmpty { self.wait() }
    }
}

/// The kernel's count of processes that it killed for lack of memory where the host lives: in its cgroup if that counts,
/// else on the whole machine. It tells a kill by the kernel from one by somebody.
@LoopActor
final class MachineMemory {
    private enum Source {
        case cgroupV2(String)
        case cgroupV1(String)
        case machine
    }

    private let source: Source?
    /// As of between one and two seconds ago; what was counted since then may belong to a death that is being reported.
    private var known = 0
    private var newer = 0

    init() {
        let cgroup = SmallFiles.text("/proc/self/cgroup") ?? ""
        let mountinfo = SmallFiles.text("/proc/self/mountinfo") ?? ""
        let v1 = MemoryEvents.ownV1Directory(cgroup: cgroup, mountinfo: mountinfo).map { "\($0)/memory.oom_control" }
        let candidates: [Source] =
            CgroupRoot.ownDirectories(cgroup: cgroup, mountinfo: mountinfo).map { .cgroupV2("\($0)/memory.events") }
            + (v1.map { [.cgroupV1($0)] } ?? []) + [.machine]
        self.source = candidates.first { Self.count($0) != nil }
        self.known = self.now
        self.newer = self.known
    }

    private static func count(_ source: Source) -> Int? {
        switch source {
        case .cgroupV2(let path): SmallFiles.text(path).flatMap { MemoryEvents.oomKillsV2($0) }
        case .cgroupV1(let path): SmallFiles.text(path).flatMap { MemoryEvents.oomKillsV1($0) }
        case .machine: SmallFiles.text("/proc/vmstat").flatMap { MemoryEvents.oomKillsOfMachine($0) }
        }
    }

    private var now: Int { self.source.flatMap(Self.count) ?? 0 }

    /// Once a second.
    func tick() {
        self.known = max(self.known, self.newer)
        self.newer = self.now
    }

    /// Whether the kernel has killed a process a moment ago that nobody has claimed yet.
    func claimKill() -> Bool {
        guard self.now > self.known else { return false }
        self.known += 1
        return true
    }
}
