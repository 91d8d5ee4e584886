import JobCore
import Logging
import Postgres

/// A step of the schema. Never edited once released: a change is a further step.
struct Migration {
    let number: Int
    let name: String
    let sql: String
    /// Programs that do not know this step cannot work with the schema after it.
    let isBreaking: Bool

    static let all: [Migration] = [
        Migration("m0001_runs", PackageResources.m0001_runs_up_sql, isBreaking: true),
        Migration("m0002_logs", PackageResources.m0002_logs_up_sql, isBreaking: true),
        Migration("m0003_settings", PackageResources.m0003_settings_up_sql, isBreaking: true),
        Migration("m0004_partitions", PackageResources.m0004_partitions_up_sql, isBreaking: true),
        Migration("m0005_functions", PackageResources.m0005_functions_up_sql, isBreaking: true),
        Migration("m0006_views", PackageResources.m0006_views_up_sql, isBreaking: true),
        Migration("m0007_supervision", PackageResources.m0007_supervision_up_sql, isBreaking: false),
        Migration("m0008_plugins", PackageResources.m0008_plugins_up_sql, isBreaking: false),
        Migration("m0009_follow_ups", PackageResources.m0009_follow_ups_up_sql, isBreaking: false),
        Migration("m0010_silent_attempts", PackageResources.m0010_silent_attempts_up_sql, isBreaking: false),
        Migration("m0011_holdings", PackageResources.m0011_holdings_up_sql, isBreaking: false),
        Migration("m0012_retries", PackageResources.m0012_retries_up_sql, isBreaking: false),
        Migration("m0013_retention", PackageResources.m0013_retention_up_sql, isBreaking: false),
        // A program that does not know of limits would not keep them.
        Migration("m0014_admission", PackageResources.m0014_admission_up_sql, isBreaking: true),
        Migration("m0015_rollups", PackageResources.m0015_rollups_up_sql, isBreaking: true),
        Migration("m0016_unique_keys", PackageResources.m0016_unique_keys_up_sql, isBreaking: false),
        Migration("m0017_log_classes", PackageResources.m0017_log_classes_up_sql, isBreaking: false),
        Migration("m0018_tokens", PackageResources.m0018_tokens_up_sql, isBreaking: false),
        // A program that does not know of emergencies would not obey them.
        Migration("m0019_safety", PackageResources.m0019_safety_up_sql, isBreaking: true),
        Migration("m0020_audit", PackageResources.m0020_audit_up_sql, isBreaking: false),
        // A host that does not know the options would fire against them.
        Migration("m0021_schedules", PackageResources.m0021_schedules_up_sql, isBreaking: true),
        Migration("m0022_schedule_names", PackageResources.m0022_schedule_names_up_sql, isBreaking: false),
        // A host that does not know of the lease would fire beside the one that holds it.
        Migration("m0023_firing", PackageResources.m0023_firing_up_sql, isBreaking: true),
        // A host that does not know calendars would fire on their days.
        Migration("m0024_calendars", PackageResources.m0024_calendars_up_sql, isBreaking: true),
    ]

    init(_ name: String, _ bytes: [UInt8], isBreaking: Bool) {
        guard let number = Int(name.dropFirst().prefix(4)) else { preconditionFailure("m0001_name, not \(name)") }
        self.number = number
        self.name = name
        sql = String(decoding: bytes, as: UTF8.self)
        self.isBreaking = isBreaking
    }

    /// FNV-1a, 64 bits, in hexadecimal: notices an edit, resists nobody. Source of the constants: RFC 9923.
    var checksum: String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in sql.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension JobStore {
    /// Held while the schema changes. `pawl` in ASCII, twice.
    private static let migrationLock: Int64 = 0x7061_776C_7061_776C

    /// Brings the schema up to date, under an advisory lock: any number of hosts may do so at once; those that come second
    /// wait and find it done. All missing steps are one transaction.
    ///
    /// Throws `.incompatibleSchema` if the database has a breaking step that this program does not know, or a step that
    /// differs from its own; `.unavailable` if the database is away for longer than a few seconds.
    package func migrate() async throws(StoreError) {
        let done = try await withTransaction { connection in
            _ = try await connection.query(.migrationLock, [.int64(Self.migrationLock)])
            try await connection.execute(
                """
                CREATE SCHEMA IF NOT EXISTS pawl;
                CREATE TABLE IF NOT EXISTS pawl.migration (
                    number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, breaking boolean NOT NULL,
                    program text, applied_at timestamptz NOT NULL DEFAULT now());
                """)
            let present = try await connection.query(.migrationList)
            try Self.checkSchema(present)
            let known = try Set(present.map { Int(try $0.int64(0)) })
            var done: [String] = []
            for step in Migration.all where !known.contains(step.number) {
                try await connection.execute(step.sql)
                _ = try await connection.query(
                    .migrationAdd,
                    [.int32(Int32(step.number)), .text(step.name), .text(step.checksum), .bool(step.isBreaking), .null])
                done.append(step.name)
            }
            return done
        }
        if !done.isEmpty { logger.info("migrated the schema", metadata: ["steps": "\(done.joined(separator: " "))"]) }
    }

    private static func checkSchema(_ present: PGRows) throws {
        let mine = Dictionary(uniqueKeysWithValues: Migration.all.map { ($0.number, $0) })
        for row in present {
            let number = Int(try row.int64(0))
            let name = try row.text(1)
            if let step = mine[number] {
                guard try row.text(2) == step.checksum else {
                    throw StoreError.incompatibleSchema(
                        "the database's schema step \(name) differs from this program's: they are of different builds")
                }
            } else if try row.bool(3) {
                throw StoreError.incompatibleSchema(
                    "the database's schema is newer than this program (step \(name)): upgrade the program")
            }
        }
    }
}

extension PGStatement {
    static let migrationLock = PGStatement(
        name: "migration_lock", sql: "SELECT pg_advisory_xact_lock($1::int8)::text")
}
