import CLinux
import Glibc
import UVLoop

/// What the server writes into `postmaster.pid`.
///
/// Source of the layout: PostgreSQL `src/include/utils/pidfile.h`.
struct PostmasterFile: Equatable {
    let pid: Int32
    let dataDirectory: String
    /// Seconds since the Unix epoch.
    let startTime: Int64
    let socketDirectory: String
    /// `starting`, `ready`, `stopping`, `standby`.
    let status: String

    /// nil if the text is not (yet) complete.
    init?(parsing text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 3, let pid = Int32(lines[0]), pid > 1, let start = Int64(lines[2]) else { return nil }
        self.pid = pid
        dataDirectory = String(lines[1])
        startTime = start
        socketDirectory = lines.count > 4 ? String(lines[4]) : ""
        status = lines.count > 7 ? String(lines[7].prefix { $0 != " " }) : ""
    }
}

/// A running server, held by its pidfd: a number that another process gets later can never be meant.
@LoopActor
final class Postmaster {
    private enum Hold {
        /// We started it.
        case child(ChildProcess)
        /// A host before us did.
        case adopted(pidfd: Int32, watcher: FDWatcher)
    }

    nonisolated let pid: Int32
    private let hold: Hold
    private var waiters: [CheckedContinuation<Void, Never>] = []
    /// How it ended, as far as we can know; nil while it runs.
    private(set) var end: String?
    /// Called once when it has ended.
    var onEnd: (@LoopActor () -> Void)?

    init(_ child: ChildProcess) {
        pid = child.pid
        hold = .child(child)
        loopTask { [weak self] in
            let status = await child.wait()
            self?.ended("\(status)")
        }
    }

    /// Takes hold of a server that is running already: of the process that `postmaster.pid` names, if it is the postmaster of
    /// this data directory, else nil.
    ///
    /// The proof is that it works in the data directory and has not the title of a server's child. That is stronger than the
    /// start time in the file, which a step of the clock makes useless. The pidfd is opened first, so that the process that is
    /// examined is the one that is kept.
    static func adopt(
        _ file: PostmasterFile, layout: ClusterLayout, owner: ClusterOwner
    ) async throws(EmbeddedPostgresError) -> Postmaster? {
        let pidfd = linux_pidfd_open(file.pid)
        guard pidfd >= 0 else { return nil }
        var isKept = false
        defer { if !isKept { Glibc.close(pidfd) } }
        guard try await workingDirectory(of: file.pid, owner) == Files.real(layout.data),
            let title = try Files.read("/proc/\(file.pid)/cmdline"), !title.hasPrefix("postgres: ")
        else { return nil }
        let watcher: FDWatcher
        do {
            watcher = try FDWatcher(fd: pidfd)
        } catch {
            throw .files(error)
        }
        isKept = true
        return Postmaster(pid: file.pid, pidfd: pidfd, watcher: watcher)
    }

    private init(pid: Int32, pidfd: Int32, watcher: FDWatcher) {
        self.pid = pid
        hold = .adopted(pidfd: pidfd, watcher: watcher)
        watcher.start(.readable) { [weak self] _ in self?.adoptedEnded(pidfd, watcher) }
    }

    isolated deinit {
        guard case .adopted(let pidfd, let watcher) = hold else { return }
        watcher.close()
        Glibc.close(pidfd)
    }

    func signal(_ signal: Int32) {
        switch hold {
        case .child(let child): child.signal(signal)
        case .adopted(let pidfd, _): linux_pidfd_send_signal(pidfd, signal)
        }
    }

    /// Returns when it has ended.
    func waitForEnd() async {
        if end != nil { return }
        await withCheckedContinuation { waiters.append($0) }
    }

    private func adoptedEnded(_ pidfd: Int32, _ watcher: FDWatcher) {
        watcher.close()
        // A host that is a subreaper has become its parent, and nobody else would reap it. Without that it is not ours to reap,
        // and this does nothing.
        var exit = linux_exit()
        linux_wait_pidfd(pidfd, false, &exit)
        ended("an end that only its former host could see")
    }

    private func ended(_ how: String) {
        end = how
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume() }
        onEnd?()
    }

    private static func workingDirectory(
        of pid: Int32, _ owner: ClusterOwner
    ) async throws(EmbeddedPostgresError) -> String? {
        // Asked as the server's own user: in a container root itself may lack the right to look (CAP_SYS_PTRACE).
        let output = try await owner.run("/usr/bin/readlink", ["/proc/\(pid)/cwd"], timeout: .seconds(10))
        guard output.status.isSuccess else { return nil }
        return output.stdoutText.split(separator: "\n").first.map(String.init)
    }
}
