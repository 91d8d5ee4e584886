import Glibc
import JobStore
import Postgres
import Testing
import UVLoop

/// `docs/schema.sql` is what the migrations make. To write it anew: run these tests with PAWL_WRITE_SCHEMA=1.
@Suite struct SchemaDumpTests {
    @Test func theCommittedDumpIsTheSchema() async throws {
        try await withBench { bench in
            let version = try await bench.number("SELECT current_setting('server_version_num')::bigint / 10000")
            guard let dump = try await dump(bench), version == 15 else { return }
            let path = Self.path
            if getenv("PAWL_WRITE_SCHEMA") != nil {
                let file = try #require(fopen(path, "w"))
                fputs(dump, file)
                fclose(file)
            }
            let file = try #require(fopen(path, "r"), "docs/schema.sql is missing")
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            let count = fread(&bytes, 1, bytes.count, file)
            let committed = String(decoding: bytes.prefix(count), as: UTF8.self)
            let isEqual = committed == dump
            #expect(isEqual, "docs/schema.sql is not what the migrations make; write it with PAWL_WRITE_SCHEMA=1")
        }
    }

    private static var path: String {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/") + "/docs/schema.sql"
    }

    /// Nil if this machine has no pg_dump of the server's version, or the server is one from outside.
    @LoopActor
    private func dump(_ bench: Bench) async throws -> String? {
        let connection = bench.configuration.connectionString
        let programs: [String] = ["/usr/lib/postgresql/15/bin/pg_dump", "/usr/bin/pg_dump"]
        guard !connection.contains("://"), let database = bench.configuration.database,
            let program = programs.first(where: { (path: String) -> Bool in access(path, X_OK) == 0 })
        else { return nil }
        let output = try await ChildProcess.run(
            ChildProcess.Spec(
                executable: program,
                arguments: [
                    "--dbname=\(connection) dbname=\(database)", "--schema-only", "--schema=pawl", "--no-owner",
                    "--no-privileges",
                    // Dated partitions are made and dropped as time goes by.
                    "--exclude-table=pawl.*_20[0-9][0-9][0-9][0-9][0-9][0-9]",
                ],
                environment: ["PATH": "/usr/bin:/bin"], stdout: .capture(limit: 1 << 20)), timeout: .seconds(60))
        let isWhole = output.status.isSuccess && !output.isTruncated
        try #require(isWhole, "pg_dump failed")
        var lines: [Substring] = []
        for line in output.stdoutText.split(separator: "\n", omittingEmptySubsequences: false) {
            // Versions and a random key of the dump.
            if line.hasPrefix("-- Dumped") || line.hasPrefix("\\") { continue }
            if line.isEmpty && lines.last?.isEmpty ?? true { continue }
            lines.append(line)
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
