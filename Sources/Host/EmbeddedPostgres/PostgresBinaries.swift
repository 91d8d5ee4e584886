import Glibc
import UVLoop

/// Where the server's programs are.
struct PostgresBinaries: Equatable {
    let directory: String
    let major: Int

    func path(_ program: String) -> String { directory + "/" + program }

    /// Finds the programs of one major version, or without a wish the newest: next to `pg_config`, then in Debian's,
    /// PGDG's and the usual places.
    @LoopActor
    static func find(major wanted: Int?) async throws(EmbeddedPostgresError) -> PostgresBinaries {
        var directories: [String] = []
        if let configured = try await pgConfigDirectory() { directories.append(configured) }
        directories += try subdirectories(of: "/usr/lib/postgresql").map { $0 + "/bin" }
        directories += try subdirectories(of: "/usr").filter { $0.hasPrefix("/usr/pgsql-") }.map { $0 + "/bin" }
        directories += ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"]
        var found: [PostgresBinaries] = []
        for directory in directories where !found.contains(where: { $0.directory == directory }) {
            guard access(directory + "/initdb", X_OK) == 0, access(directory + "/postgres", X_OK) == 0,
                let major = try await major(of: directory + "/postgres")
            else { continue }
            found.append(PostgresBinaries(directory: directory, major: major))
        }
        let fitting = found.filter { wanted == nil || $0.major == wanted }
        guard let best = fitting.max(by: { $0.major < $1.major }) else {
            throw .notInstalled(major: wanted, searched: directories)
        }
        return best
    }

    private static func pgConfigDirectory() async throws(EmbeddedPostgresError) -> String? {
        for directory in (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin").split(separator: ":") {
            let program = "\(directory)/pg_config"
            guard access(program, X_OK) == 0 else { continue }
            let output = try await run(program, ["--bindir"])
            return output?.split(separator: "\n").first.map(String.init)
        }
        return nil
    }

    /// From `postgres (PostgreSQL) 15.4 (Debian …)`; nil if the program says nothing of that kind.
    private static func major(of program: String) async throws(EmbeddedPostgresError) -> Int? {
        guard let output = try await run(program, ["--version"]),
            let match = output.firstMatch(of: #/\(PostgreSQL\) (?<major>[0-9]+)/#)
        else { return nil }
        return Int(match.output.major)
    }

    @LoopActor
    private static func run(_ program: String, _ arguments: [String]) async throws(EmbeddedPostgresError) -> String? {
        do {
            let output = try await ChildProcess.run(
                ChildProcess.Spec(executable: program, arguments: arguments), timeout: .seconds(10))
            return output.status.isSuccess ? output.stdoutText : nil
        } catch {
            throw .helper(error)
        }
    }

    /// Empty if there is no such directory.
    private static func subdirectories(of path: String) throws(EmbeddedPostgresError) -> [String] {
        Files.exists(path) ? try Files.names(in: path).map { path + "/" + $0 } : []
    }
}
