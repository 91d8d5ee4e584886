package import UVLoop

/// Why the private database cannot run. Each description says what to do about it.
package enum EmbeddedPostgresError: Error, Sendable, CustomStringConvertible {
    /// No server binaries of the wanted major version (nil: of any). `searched` names the places.
    case notInstalled(major: Int?, searched: [String])
    /// Another process holds the data directory.
    case inUse(dataDirectory: String, holder: String?)
    /// We are root, PostgreSQL refuses to run as root, and this user, its stand-in, does not exist.
    case noUser(String)
    /// A file or directory cannot be made, read or written.
    case files(LoopError)
    case diskFull(path: String)
    /// The cluster is there, but not as we left it.
    case damaged(path: String, reason: String)
    /// No directory for the Unix socket with a path short enough.
    case noSocketDirectory(tried: [String])
    /// `initdb` failed; the end of what it said.
    case initFailed(String)
    /// The server ended while starting; the end of what it said.
    case startFailed(String)
    /// A helper program could not be run.
    case helper(LoopError)
    /// `stop` was called meanwhile, or the task was cancelled.
    case stopped

    package var description: String {
        switch self {
        case .notInstalled(let major, let searched):
            """
            PostgreSQL\(major.map { " \($0)" } ?? "") is not installed (looked in \(searched.joined(separator: ", "))). \
            Install the package \(major.map { "postgresql-\($0)" } ?? "postgresql"), or name a database with --database-url.
            """
        case .inUse(let directory, let holder):
            """
            The data directory \(directory) is in use\(holder.map { " by \($0)" } ?? "") by another host. \
            Stop that one, or choose another data directory.
            """
        case .noUser(let name):
            """
            PostgreSQL does not run as root, and there is no user \(name) to run it as. \
            Create it (the package postgresql-common does), start the host as another user, or use --database-url.
            """
        case .files(let error):
            "The private database cannot use its files: \(error). Check owner, mode and mount of that path."
        case .diskFull(let path):
            "No space is left for the private database below \(path). Free some, or choose another data directory."
        case .damaged(let path, let reason):
            "The private database in \(path) is damaged: \(reason). Restore it from a backup, or move it away."
        case .noSocketDirectory(let tried):
            """
            The private database needs a directory for its Unix socket with a path of at most \
            \(SocketDirectory.longestPath) bytes; none of these would do: \(tried.joined(separator: ", ")). Set XDG_RUNTIME_DIR or TMPDIR.
            """
        case .initFailed(let output): "initdb failed: \(output)"
        case .startFailed(let output): "PostgreSQL did not start: \(output)"
        case .helper(let error): "A program needed for the private database could not be run: \(error)."
        case .stopped: "The private database is being stopped."
        }
    }
}
