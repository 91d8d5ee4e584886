import EmbeddedPostgres
import Glibc
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

/// On clusters of their own, one after another: each takes a second to make.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct EmbeddedPostgresTests {
    private static let logger = TestDatabase.logger

    @Test func makesStartsStopsAndStartsAgain() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            let first = EmbeddedPostgres(dataDirectory: scratch.path + "/data", logger: Self.logger)
            let connectionString = try await first.start()
            #expect(connectionString.contains(scratch.path))
            let connection = try await PostgresConnection.connect(connectionString)
            try await connection.execute("CREATE TABLE t AS SELECT 7::int8 AS n")
            let settings = PGStatement(
                "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'autovacuum', 'listen_addresses', 'unix_socket_permissions', 'data_checksums', 'server_encoding')"
            )
            var found: [String: String] = [:]
            for row in try await connection.query(settings) { found[try row.text(0)] = try row.text(1) }
            #expect(
                found == [
                    "fsync": "on", "synchronous_commit": "on", "autovacuum": "on", "listen_addresses": "",
                    "unix_socket_permissions": "0700", "data_checksums": "on", "server_encoding": "UTF8",
                ])
            let pid = try #require(first.serverPID)
            await first.stop()
            #expect(kill(pid, 0) == -1)
            #expect(first.serverPID == nil)
            // An open connection ends with it.
            #expect(try await postgresError { try await connection.execute("SELECT 1") }.kind == .connection)

            let second = EmbeddedPostgres(dataDirectory: scratch.path + "/data", logger: Self.logger)
            #expect(try await second.start() == connectionString)
            let again = try await PostgresConnection.connect(connectionString)
            #expect(try await again.query(PGStatement("SELECT n FROM t"))[0].int64(0) == 7)
            again.close()
            await second.stop(mode: .immediate)
        }
    }

    @Test func theServerIsNotRootAndItsSocketIsPrivate() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            let embedded = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            let connectionString = try await embedded.start()
            let pid = try #require(embedded.serverPID)
            #expect(try owner("/proc/\(pid)") != 0)
            // A session of its own: a terminal's Ctrl-C is not for it.
            #expect(getsid(pid) == pid)
            let directory = try #require(connectionString.firstMatch(of: #/host='(?<path>[^']*)'/#)?.output.path)
            var info = stat()
            #expect(stat(String(directory), &info) == 0)
            #expect(info.st_mode & 0o777 == 0o700)
            await embedded.stop()
        }
    }

    @Test func aSecondHostIsRefused() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            let first = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            _ = try await first.start()
            let second = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            let error = await #expect(throws: EmbeddedPostgresError.self) { try await second.start() }
            #expect(error?.description.contains("process \(getpid())") == true)
            await first.stop()
            // And free again.
            _ = try await second.start()
            await second.stop()
        }
    }

    /// What a host finds after its predecessor was killed hard: a server that nobody owns.
    @Test func adoptsARunningServer() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            let first = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            let connectionString = try await first.start()
            await first.stop()
            try await Self.startOrphan(scratch.path + "/postgres")
            let orphan = try await PostgresConnection.connect(connectionString)
            let started = try await orphan.query(PGStatement("SELECT pg_postmaster_start_time()"))[0].micros(0)

            let second = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            #expect(try await second.start() == connectionString)
            #expect(orphan.isOpen)
            let connection = try await PostgresConnection.connect(connectionString)
            #expect(
                try await connection.query(PGStatement("SELECT pg_postmaster_start_time()"))[0].micros(0) == started)
            connection.close()

            // Its death is noticed too, and it is started again.
            let died = Signal<String>()
            second.onUnexpectedExit = { died.send($0) }
            let pid = try #require(second.serverPID)
            kill(pid, SIGQUIT)
            _ = try await died.next()
            let link = PostgresLink(
                PostgresConfiguration(connectionString: connectionString), name: "test", logger: Self.logger)
            link.start()
            #expect(try await link.query(PGStatement("SELECT 1::int8"), waitAtMost: .seconds(60))[0].int64(0) == 1)
            await link.shutdown()
            #expect(second.serverPID != pid)
            await second.stop()
            #expect(second.serverPID == nil)
        }
    }

    @Test func restartsAServerThatDiesAndThePoolRecovers() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            let embedded = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            let died = Signal<String>()
            embedded.onUnexpectedExit = { died.send($0) }
            let configuration = PostgresConfiguration(connectionString: try await embedded.start())
            let pool = PostgresPool(configuration, size: 2, logger: Self.logger, patience: .seconds(60))
            pool.start()
            _ = try await pool.query(PGStatement("SELECT set_config('a.b', 'x', false)"))
            try await pool.withConnection { try await $0.execute("CREATE TABLE t (id int8 PRIMARY KEY)") }
            // As a host does it: what may have been committed is repeated under its key.
            let insert = PGStatement("INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING")
            let signals: [Int32] = [SIGKILL, SIGQUIT, SIGINT]
            for (id, signal) in signals.enumerated() {
                var isAcknowledged = false
                while !isAcknowledged {
                    do {
                        _ = try await pool.query(insert, [.int64(Int64(id))])
                        isAcknowledged = true
                    } catch let error as PostgresError {
                        try #require(error.isTransient)
                    }
                }
                // A server process may outlive its postmaster for a moment, and have answered.
                while embedded.serverPID == nil { try await LoopClock.sleep(for: .milliseconds(5)) }
                kill(try #require(embedded.serverPID), signal)
                #expect(try await died.next().contains("ended unexpectedly"))
            }
            #expect(try await pool.query(PGStatement("SELECT count(*) FROM t"))[0].int64(0) == 3)
            await pool.shutdown()
            await embedded.stop()
        }
    }

    @Test func aLongPathGetsAShortSocket() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory(nested: String(repeating: "a-directory-with-a-long-name/", count: 5))
            let embedded = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            let connectionString = try await embedded.start()
            let connection = try await PostgresConnection.connect(connectionString)
            #expect(connection.isOpen)
            connection.close()
            await embedded.stop()
            // Remembered.
            let again = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            #expect(try await again.start() == connectionString)
            await again.stop()
            let directory = try #require(connectionString.firstMatch(of: #/host='(?<path>[^']*)'/#)?.output.path)
            #expect(directory.utf8.count <= 93)
            #expect(rmdir(String(directory)) == 0)
        }
    }

    @Test func interruptedAndStaleThingsAreCleared() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            let base = scratch.path + "/postgres"
            try await Self.run("/bin/mkdir", ["-p", base + "/data.unfinished-1/base"])
            try await Self.run(
                "/bin/sh",
                ["-c", "echo 15 > \(base)/data.unfinished-1/PG_VERSION; chown -R --reference=/proc/self \(base)"])
            let embedded = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            _ = try await embedded.start()
            await embedded.stop()
            // After a reboot the number in postmaster.pid may be anybody's: here ours.
            try await Self.run(
                "/bin/sh",
                [
                    "-c",
                    "printf '%s\\n' \(getpid()) \(base)/data 1 5432 \(base)/run '' '1 1' ready > \(base)/data/postmaster.pid",
                ])
            _ = try await embedded.start()
            #expect(embedded.serverPID != getpid())
            await embedded.stop()
        }
    }

    @Test func whatCannotWorkIsSaidClearly() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            @LoopActor func failure(_ directory: String, user: String = "postgres") async -> EmbeddedPostgresError? {
                let embedded = EmbeddedPostgres(dataDirectory: directory, logger: Self.logger, serverUser: user)
                return await #expect(throws: EmbeddedPostgresError.self) { try await embedded.start() }
            }
            let file = scratch.path + "/file"
            try await Self.run("/bin/sh", ["-c", "echo > \(file)"])
            if case .files(let error)? = await failure(file + "/data") {
                #expect(error.code == ENOTDIR)
            } else {
                Issue.record("a directory below a file")
            }
            try await Self.run("/bin/mkdir", ["-p", scratch.path + "/damaged/postgres/data"])
            guard case .damaged? = await failure(scratch.path + "/damaged") else {
                Issue.record("a cluster without PG_VERSION")
                return
            }
            try await Self.run("/bin/sh", ["-c", "echo 9 > \(scratch.path)/damaged/postgres/data/PG_VERSION"])
            guard case .notInstalled(major: 9, _)? = await failure(scratch.path + "/damaged") else {
                Issue.record("a cluster of another version")
                return
            }
            if geteuid() == 0 {
                guard case .noUser("no-such-user")? = await failure(scratch.path + "/user", user: "no-such-user") else {
                    Issue.record("a user that does not exist")
                    return
                }
            }
        }
    }

    @Test func aServerThatCannotStartSaysWhy() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            let embedded = EmbeddedPostgres(
                dataDirectory: scratch.path, logger: Self.logger, settings: ["no_such_setting": "1"])
            let error = await #expect(throws: EmbeddedPostgresError.self) { try await embedded.start() }
            #expect(error?.description.contains("no_such_setting") == true)
            // The lock is free again.
            _ = try DataDirectoryLock(dataDirectory: scratch.path)
        }
    }

    /// /root is such a directory: the server's user may not pass it.
    @Test(.enabled(if: geteuid() == 0)) func aDirectoryThatOnlyRootMayPass() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory(nested: "closed/data")
            let closed = String(scratch.path.dropLast("/data".count))
            #expect(chmod(closed, 0o700) == 0)
            let embedded = EmbeddedPostgres(dataDirectory: scratch.path, logger: Self.logger)
            let connectionString = try await embedded.start()
            #expect(connectionString.contains("/var/lib/pawl-embedded/"))
            let connection = try await PostgresConnection.connect(connectionString)
            connection.close()
            await embedded.stop()
            let location = try await Self.run("/bin/cat", [scratch.path + "/postgres-location"]).stdoutText
            let place = try #require(location.split(separator: "\n").first)
            try #require(place.hasPrefix("/var/lib/pawl-embedded/") && place.count > 30)
            try await Self.run("/bin/rm", ["-rf", String(place)])
            rmdir("/var/lib/pawl-embedded")
        }
    }

    // MARK: Helpers

    private func owner(_ path: String) throws -> uid_t {
        var info = stat()
        try #require(stat(path, &info) == 0)
        return info.st_uid
    }

    @LoopActor @discardableResult
    static func run(_ program: String, _ arguments: [String]) async throws -> ChildProcess.Output {
        let output = try await ChildProcess.run(
            ChildProcess.Spec(executable: program, arguments: arguments, environment: ["PATH": "/usr/bin:/bin"]),
            timeout: .seconds(60))
        try #require(output.status.isSuccess, "\(program) \(arguments): \(output.stderrText)")
        return output
    }

    /// Starts the server of a cluster as a process that is nobody's child.
    @LoopActor
    private static func startOrphan(_ base: String) async throws {
        let bin = try await run("/usr/bin/pg_config", ["--bindir"]).stdoutText.split(separator: "\n")[0]
        let start = "\(bin)/pg_ctl -D \(base)/data -w -s -o '-c config_file=\(base)/postgresql.conf' -l /dev/null start"
        let command =
            geteuid() == 0 ? ["--reuid=postgres", "--regid=postgres", "--init-groups", "/bin/sh", "-c", start] : []
        if command.isEmpty {
            try await run("/bin/sh", ["-c", start])
        } else {
            try await run("/usr/bin/setpriv", command)
        }
    }
}

extension PostgresConnection {
    static func connect(_ connectionString: String) async throws -> PostgresConnection {
        try await connect(PostgresConfiguration(connectionString: connectionString), logger: TestDatabase.logger)
    }
}
