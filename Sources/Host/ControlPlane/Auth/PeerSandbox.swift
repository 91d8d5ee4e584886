import Glibc

/// Tells attempts that are locked into a sandbox from other processes of the host's own user.
///
/// A sandboxed attempt of a host that is not root has the host's user, and a Unix socket is no file to the kernel's file rules:
/// the system call filters that it can never take off give it away.
enum PeerSandbox {
    /// Whether `pid` has more filters than this process, or is gone: then nobody can tell.
    /// - Parameter isStillThere: asked after the look, for `pid` may be another's by then; nil: nobody knows.
    static func confines(_ pid: Int32, isStillThere: () -> Bool? = { nil }) -> Bool {
        guard let its = filters("/proc/\(pid)/status"), isStillThere() != false else { return true }
        return its > (filters("/proc/self/status") ?? 0)
    }

    /// How many system call filters a process has; nil if there is no such process.
    static func filters(_ file: String) -> Int? {
        let fd = open(file, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var buffer = [UInt8](repeating: 0, count: 8192)
        let count = read(fd, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return filters(in: String(decoding: buffer[..<count], as: UTF8.self))
    }

    static func filters(in status: String) -> Int {
        var mode = 0
        for line in status.split(separator: "\n") {
            let parts = line.split(separator: "\t")
            guard parts.count == 2, let number = Int(parts[1]) else { continue }
            if parts[0] == "Seccomp_filters:" { return number }
            // Kernels before 5.10 only say whether there are any.
            if parts[0] == "Seccomp:" { mode = number == 0 ? 0 : 1 }
        }
        return mode
    }
}
