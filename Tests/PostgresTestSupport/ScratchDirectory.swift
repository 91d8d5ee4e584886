import Glibc
package import UVLoop

/// A temporary directory that goes away with the test process, however that ends, and takes a PostgreSQL server running in it
/// along: a watchdog process waits for the end of a pipe that only this process holds.
package final class ScratchDirectory: Sendable {
    package let path: String
    private let watchdog: ChildProcess
    private let lifeline: Int32

    /// - Parameter nested: further directories to put between the temporary one and `path`, for long paths.
    @LoopActor
    package init(nested: String = "") throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/pawl-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw LoopError.last("make a temporary directory") }
        let root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // The server's user has to pass, if we are root.
        guard chmod(root, 0o711) == 0 else { throw LoopError.last("open \(root) to the server's user") }
        var path = root
        for part in nested.split(separator: "/") {
            path += "/\(part)"
            guard mkdir(path, 0o711) == 0 else { throw LoopError.last("make \(path)") }
        }
        self.path = path

        var ends: [Int32] = [-1, -1]
        // No process is started between the two calls: that is done on the loop, where we are.
        guard pipe(&ends) == 0, fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0
        else { throw LoopError.last("make a pipe") }
        defer { close(ends[0]) }
        lifeline = ends[1]
        watchdog = try ChildProcess.spawn(
            ChildProcess.Spec(
                executable: "/bin/sh", arguments: ["-c", Self.script, "watchdog", root],
                environment: ["PATH": "/usr/bin:/bin"], stdin: .descriptor(ends[0]), stdout: .null, stderr: .null))
    }

    /// SIGQUIT is the server's immediate shutdown; it removes postmaster.pid when it is done.
    private static let script = """
        cat >/dev/null
        find "$1" -name postmaster.pid | while read -r file; do
            kill -QUIT "$(head -n 1 "$file")"
            tries=0
            while [ -e "$file" ] && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
        done
        rm -rf "$1"
        """

    deinit { close(lifeline) }
}
