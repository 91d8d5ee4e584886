internal import CLinux
internal import Glibc
internal import UVLoop

/// The private directories of attempts: empty when an attempt gets one, emptied when it has ended.
///
/// Most attempts never touch theirs. Making and removing it would be the largest part of an attempt's cost in the host,
/// so one that is as it was is used again.
@LoopActor
final class ScratchPool {
    let parent: String
    private var free: [ScratchDirectory] = []
    /// Taken and not back yet.
    private var lent: Set<String> = []
    private var nextNumber = 1
    /// More entries than this are removed by a helper process, off the loop.
    private static let removedHere = 32

    init(parent: String) { self.parent = parent }

    /// Nil where none can be made; the attempt runs without one then.
    func take() -> ScratchDirectory? {
        while let directory = self.free.popLast() {
            if directory.lend() {
                self.lent.insert(directory.path)
                return directory
            }
        }
        let path = "\(self.parent)/slot-\(self.nextNumber)"
        self.nextNumber += 1
        guard let directory = ScratchDirectory(making: path), directory.lend() else { return nil }
        self.lent.insert(path)
        return directory
    }

    /// Back from an attempt whose processes are gone.
    func giveBack(_ directory: ScratchDirectory) {
        self.lent.remove(directory.path)
        if !directory.isUntouched && !self.empty(directory) {
            Self.removeTree(directory.path)
        } else {
            self.free.append(directory)
        }
    }

    /// What an attempt has left in it. Nothing where nobody touched it.
    func audit(_ directory: ScratchDirectory) -> (files: Int, bytes: Int64) {
        directory.isUntouched ? (0, 0) : directory.contents
    }

    /// Empties a directory whose child goes on in it. False where that takes a helper process, or somebody took it away.
    func renew(_ directory: ScratchDirectory) -> Bool {
        directory.isUntouched || (self.empty(directory) && directory.lend())
    }

    /// False when it has to be removed as a whole.
    private func empty(_ directory: ScratchDirectory) -> Bool {
        let names = SmallFiles.entries(directory.path)
        guard names.count <= Self.removedHere, names.allSatisfy({ unlink("\(directory.path)/\($0)") == 0 }) else {
            return false
        }
        return directory.isAccessible
    }

    /// Removes what is there, at the start (of an earlier host) and at the end.
    func clear() {
        self.free = []
        for name in SmallFiles.entries(self.parent) {
            let path = "\(self.parent)/\(name)"
            if rmdir(path) != 0 && errno != ENOENT { Self.removeTree(path) }
        }
    }

    /// What is there and belongs to no attempt.
    func strays() -> [String] {
        let known = self.lent.union(self.free.map(\.path))
        return SmallFiles.entries(self.parent).map { "\(self.parent)/\($0)" }.filter { !known.contains($0) }
    }

    /// A failure leaves a directory behind, which the next start, or the next look for orphans, finds.
    private static func removeTree(_ path: String) { loopTask { _ = await self.remove(path) } }

    /// By rm(1), off the loop. False when it is still there.
    static func remove(_ path: String) async -> Bool {
        let rm = ChildProcess.Spec(
            executable: "/bin/rm", arguments: ["-rf", "--one-file-system", "--", path], stdout: .null, stderr: .null)
        do { return try await ChildProcess.run(rm, timeout: .seconds(600)).status.isSuccess } catch { return false }
    }
}

/// One of them.
@LoopActor
final class ScratchDirectory {
    let path: String
    private let fd: Int32
    /// Times of the last change when it was lent, and whether they were old enough to tell the next change from.
    private var before = stat()
    private var isTelling = false

    /// File systems stamp changes with a clock of up to 10 ms (HZ=100): a change within the same tick does not show.
    private static let tickNanos: Int64 = 20_000_000

    fileprivate init?(making path: String) {
        self.path = path
        guard mkdir(path, 0o700) == 0 else { return nil }
        self.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if self.fd < 0 {
            rmdir(path)
            return nil
        }
    }

    isolated deinit { close(self.fd) }

    /// False when somebody took it away.
    fileprivate func lend() -> Bool {
        guard fstat(self.fd, &self.before) == 0, self.before.st_nlink > 0 else { return false }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let changed = max(Self.nanos(self.before.st_mtim), Self.nanos(self.before.st_ctim))
        self.isTelling = Self.nanos(now) - changed > Self.tickNanos
        return true
    }

    /// Nobody made, removed or changed anything in it since it was lent.
    fileprivate var isUntouched: Bool {
        var after = stat()
        return self.isTelling && fstat(self.fd, &after) == 0
            && Self.nanos(after.st_mtim) == Self.nanos(self.before.st_mtim)
            && Self.nanos(after.st_ctim) == Self.nanos(self.before.st_ctim)
    }

    /// Entries in it and below, and their bytes: of the first thousand, so that nothing waits for the count.
    fileprivate var contents: (files: Int, bytes: Int64) {
        var (files, bytes) = (0, Int64(0))
        var directories = [self.path]
        while let directory = directories.popLast(), files < Self.countedFiles {
            for name in SmallFiles.entries(directory).prefix(Self.countedFiles - files) {
                var status = stat()
                let path = "\(directory)/\(name)"
                guard lstat(path, &status) == 0 else { continue }
                files += 1
                // What takes place, not what a sparse file claims.
                bytes += Int64(status.st_blocks) * 512
                if status.st_mode & S_IFMT == S_IFDIR { directories.append(path) }
            }
        }
        return (files, bytes)
    }

    private static let countedFiles = 1000

    /// Still there under its name, with the rights it was made with.
    fileprivate var isAccessible: Bool {
        var (own, named) = (stat(), stat())
        guard fstat(self.fd, &own) == 0 else { return false }
        // Not without need: it would count as a change for a while.
        if own.st_mode & 0o7777 != 0o700, fchmod(self.fd, 0o700) != 0 { return false }
        return lstat(self.path, &named) == 0 && own.st_ino == named.st_ino && own.st_dev == named.st_dev
    }

    private static func nanos(_ time: timespec) -> Int64 { Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) }
}
