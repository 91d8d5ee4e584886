internal import CWire
internal import Glibc
internal import JobCore
internal import UVLoop

/// What a child is kept from, as SPAWN says it. Empty for profile `basic`, which every child has anyway.
enum SandboxRequest {
    /// `user`: of the child, with a group of the same number; nil: the host's own.
    static func bytes(_ execution: ResolvedExecution, user: UInt32?) -> [UInt8] {
        guard execution.sandbox == .strict else { return [] }
        var paths = execution.readPaths.map { (PAWL_SANDBOX_READ, Array($0.utf8)) }
        paths += execution.writePaths.map { (PAWL_SANDBOX_WRITE, Array($0.utf8)) }
        var bytes: [UInt8] = []
        bytes.appendWire(
            pawl_sandbox(
                profile: PAWL_SANDBOX_STRICT, flags: execution.network ? PAWL_SANDBOX_NETWORK : 0,
                uid: user ?? PAWL_SANDBOX_SAME, gid: user ?? PAWL_SANDBOX_SAME, path_count: UInt32(paths.count),
                reserved: 0))
        for (access, path) in paths {
            bytes.appendWire(pawl_sandbox_path(access: access, length: UInt32(path.count)))
            bytes += path
        }
        return bytes
    }

    /// Why the paths of a job cannot be given to its attempts; nil: they can. Lexical: whether they exist is found out
    /// by the child, off the loop.
    static func fault(of execution: ResolvedExecution, dataDirectory: String) -> String? {
        guard execution.sandbox == .strict else { return nil }
        let own = self.parts(dataDirectory)
        let length = (execution.readPaths + execution.writePaths).reduce(0) { $0 + $1.utf8.count }
        if length > self.longestPaths { return "its paths are longer than \(self.longestPaths) bytes together" }
        for path in execution.readPaths + execution.writePaths {
            let parts = self.parts(path)
            if parts.contains("..") { return "\(path) is not a plain path" }
            // Above it, or within it: the store of all plugins, the token, and other attempts' scratch directories.
            if zip(parts, own).allSatisfy({ $0 == $1 }) { return "\(path) would open the host's own data directory" }
        }
        return nil
    }

    /// They travel in one message with the environment.
    private static let longestPaths = 40 << 10

    private static func parts(_ path: String) -> [Substring] {
        path.split(separator: "/").filter { $0 != "." }
    }

    /// The name of the system call that a child died of, if the filter stopped it.
    static func violation(_ crash: CrashInfo?) -> String? {
        // SIGSYS with SYS_SECCOMP; the record's address is the call's number then.
        guard let crash, crash.signal == SIGSYS, crash.code == 1 else { return nil }
        return pawl_trapped_call(crash.address).map { String(cString: $0) } ?? "system call \(crash.address)"
    }

    /// What the child said before it ended with `PAWL_EXIT_SANDBOX`.
    static func complaint(in output: String) -> String? {
        let lines = output.split(separator: "\n")
        guard let line = lines.last(where: { $0.hasPrefix(PAWL_SANDBOX_COMPLAINT) }) else { return nil }
        return String(line.dropFirst(PAWL_SANDBOX_COMPLAINT.count))
    }
}

/// Users that exist for one child each, of a range in which nobody else has files or processes.
@LoopActor
final class SandboxUsers {
    private let range: ClosedRange<UInt32>
    private var next: UInt32
    private var taken: Set<UInt32> = []

    /// Hosts of one machine begin at places of their own.
    init(_ range: ClosedRange<UInt32>, instance: String) {
        precondition(range.lowerBound > 0, "root is no user of a sandbox")
        self.range = range
        let hash = instance.utf8.reduce(UInt32(5381)) { ($0 &* 33) ^ UInt32($1) }
        self.next = range.lowerBound + hash % UInt32(range.count)
    }

    /// The next one in turn, so that a number comes back as late as possible. Nil: all are taken.
    func take() -> UInt32? {
        guard self.taken.count < self.range.count else { return nil }
        while self.taken.contains(self.next) { self.advance() }
        defer { self.advance() }
        self.taken.insert(self.next)
        return self.next
    }

    func giveBack(_ user: UInt32) { self.taken.remove(user) }

    private func advance() { self.next = self.next == self.range.upperBound ? self.range.lowerBound : self.next + 1 }
}

extension RunChild {
    /// Gets what the profile needs here: a user, and a scratch directory that is that user's. Returns the request.
    func takeSandbox(_ execution: ResolvedExecution) throws(LoopError) -> [UInt8] {
        guard execution.sandbox == .strict else { return [] }
        if self.supervisor.hasSandboxUsers {
            guard let user = self.supervisor.sandboxUsers.take() else {
                throw LoopError(EAGAIN, "find a free user for a sandbox")
            }
            self.sandboxUser = user
            if let scratch, lchown(scratch.path, user, user) != 0 { throw .last("hand over \(scratch.path)") }
        }
        return SandboxRequest.bytes(execution, user: self.sandboxUser)
    }

    /// Its processes are gone.
    func leaveSandbox() {
        guard let user = self.sandboxUser else { return }
        self.sandboxUser = nil
        self.supervisor.sandboxUsers.giveBack(user)
        // A directory that went away is noticed by whoever takes it next.
        if let scratch { _ = lchown(scratch.path, geteuid(), getegid()) }
    }
}

extension Supervisor {
    /// Children in profile `strict` get users of their own.
    var hasSandboxUsers: Bool { self.capabilities.features["other_user"] ?? false }

    /// Why an attempt cannot have the sandbox that it is to have; nil: it can, as far as the host knows. Never a weaker one.
    func sandboxFault(_ execution: ResolvedExecution) -> String? {
        guard execution.sandbox == .strict else { return nil }
        let features = self.capabilities.features
        if features["strict"] != true {
            let missing = ["landlock", "seccomp", "landlock_scopes"].filter { features[$0] != true }
            return "this machine lacks what profile strict needs: \(missing.joined(separator: ", "))"
        }
        return SandboxRequest.fault(of: execution, dataDirectory: self.configuration.dataDirectory)
    }
}

extension Attempt {
    /// Its sandbox cannot be had: it ends without a process, when whoever dispatched it has been answered.
    func refuseSandbox(_ why: String) {
        self.sandboxFault = why
        loopTask { self.endUnstarted(nil) }
    }

    /// A child that could not build its sandbox is not tried again: the next one could not either.
    func noticeSandbox(_ exit: ProcessExit) {
        guard exit == .code(PAWL_EXIT_SANDBOX), !self.isStarted, self.spec.execution.sandbox == .strict else { return }
        self.child.stopWanted()
        self.drainOutput()
        let said = SandboxRequest.complaint(in: self.kept.head + self.kept.tail)
        self.sandboxFault = said ?? "the child did not say why"
    }
}
