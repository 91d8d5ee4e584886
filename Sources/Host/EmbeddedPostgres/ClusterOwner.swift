import Glibc
import UVLoop

/// The user that the server runs as. PostgreSQL refuses to run as root.
struct ClusterOwner: Equatable {
    let uid: uid_t
    let gid: gid_t
    /// Set if it is not ourselves: its programs are started through `setpriv`.
    let name: String?

    /// - Parameter standIn: the user to take when we are root.
    static func current(standIn: String) throws(EmbeddedPostgresError) -> ClusterOwner {
        guard geteuid() == 0 else { return ClusterOwner(uid: geteuid(), gid: getegid(), name: nil) }
        guard let entry = getpwnam(standIn), entry.pointee.pw_uid != 0 else { throw .noUser(standIn) }
        return ClusterOwner(uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid, name: standIn)
    }

    /// A helper process of this owner, in a session of its own, with nothing of our environment but PATH.
    func spec(_ executable: String, _ arguments: [String]) -> ChildProcess.Spec {
        var environment = ["LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        if let path = getenv("PATH") { environment["PATH"] = String(cString: path) }
        guard let name else {
            return ChildProcess.Spec(
                executable: executable, arguments: arguments, environment: environment, workingDirectory: "/")
        }
        return ChildProcess.Spec(
            executable: "/usr/bin/setpriv",
            arguments: ["--reuid=\(name)", "--regid=\(gid)", "--init-groups", "--inh-caps=-all", "--", executable]
                + arguments,
            environment: environment, workingDirectory: "/")
    }

    @LoopActor
    func run(
        _ executable: String, _ arguments: [String], timeout: Duration
    ) async throws(EmbeddedPostgresError) -> ChildProcess.Output {
        do {
            return try await ChildProcess.run(spec(executable, arguments), timeout: timeout)
        } catch {
            throw error.code == ECANCELED ? .stopped : .helper(error)
        }
    }
}
