internal import Glibc

/// Who is at the other end of a Unix socket, as the kernel noted it when that end connected: nobody can lie about it.
package struct PeerCredentials: Sendable, Hashable {
    package var pid: Int32
    package var uid: UInt32
    package var gid: UInt32
    /// Supplementary groups; empty where the kernel does not tell.
    package var groups: [UInt32]

    package init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    /// Nil for anything but a connected Unix socket.
    init?(socket: Int32) {
        // `struct ucred` is behind _GNU_SOURCE; it is these three numbers on every Linux.
        var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, .max, .max)
        var size = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0,
            size == MemoryLayout.size(ofValue: credentials), credentials.uid != .max
        else { return nil }
        self.init(
            pid: credentials.pid, uid: credentials.uid, gid: credentials.gid, groups: Self.groups(of: socket))
    }

    /// Whether the process that connected is still there, so that its number is no other's; nil where the kernel does not tell
    /// (before Linux 6.5).
    static func isAlive(socket: Int32) -> Bool? {
        var process: Int32 = -1
        var size = socklen_t(MemoryLayout.size(ofValue: process))
        // SO_PEERPIDFD: headers may be older than the kernel.
        guard getsockopt(socket, SOL_SOCKET, 77, &process, &size) == 0 else {
            return errno == ENOPROTOOPT ? nil : false
        }
        defer { close(process) }
        var entry = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 0
    }

    private static func groups(of socket: Int32) -> [UInt32] {
        var groups = [UInt32](repeating: 0, count: 64)
        while true {
            var size = socklen_t(groups.count * MemoryLayout<UInt32>.size)
            if getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, &groups, &size) == 0 {
                return Array(groups.prefix(Int(size) / MemoryLayout<UInt32>.size))
            }
            // The kernel says how much it has; 65,536 groups are its own limit.
            guard errno == ERANGE, Int(size) > groups.count * MemoryLayout<UInt32>.size else { return [] }
            groups = [UInt32](repeating: 0, count: Int(size) / MemoryLayout<UInt32>.size)
        }
    }
}
