/// The text of the server's configuration files. Written anew at each start.
struct ClusterConfiguration {
    let layout: ClusterLayout
    let socketDirectory: String
    /// Further settings of the caller, by name; they win over ours.
    let overrides: [String: String]
    /// Whether the operator has put a file there.
    let hasLocalConfig: Bool

    var server: String {
        var settings: [(String, String)] = [
            ("data_directory", layout.data),
            ("hba_file", layout.accessRules),
            ("ident_file", layout.userMap),
            // Only this machine, only through a directory that only owner and root may enter.
            ("listen_addresses", ""),
            ("port", "5432"),  // A part of the socket's name, nothing else.
            ("unix_socket_directories", socketDirectory),
            ("unix_socket_permissions", "0700"),
            ("max_connections", "60"),
            // It shares the machine with the work that it records.
            ("shared_buffers", "128MB"),
            ("min_wal_size", "256MB"),
            ("max_wal_size", "1GB"),
            ("checkpoint_timeout", "15min"),
            ("jit", "off"),
            // What was acknowledged survives a power failure.
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("synchronous_commit", "on"),
            ("autovacuum", "on"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            // The host removes old files: see `ServerLog`.
            ("logging_collector", "on"),
            ("log_directory", layout.log),
            ("log_filename", "\(ServerLog.prefix)%Y-%m-%d_%H%M%S.log"),
            ("log_file_mode", "0600"),
            ("log_rotation_size", "10MB"),
            ("log_rotation_age", "1d"),
            ("log_line_prefix", "%m [%p] %a "),
            // Statements carry payload.
            ("log_min_error_statement", "panic"),
            ("log_error_verbosity", "terse"),
            ("log_parameter_max_length", "0"),
            ("log_checkpoints", "off"),
        ]
        settings.removeAll { overrides[$0.0] != nil }
        settings += overrides.sorted { $0.key < $1.key }
        let lines = settings.map { "\($0) = \(quoted($1))" }
        return """
            # Written by the host at each start. Put settings of your own into local.conf beside this file.
            \(lines.joined(separator: "\n"))
            \(hasLocalConfig ? "include = \(quoted(layout.localConfig))" : "")

            """
    }

    /// Whoever may enter the socket's directory may be anybody in the database.
    var accessRules: String { "local all all trust\n" }

    /// For libpq.
    var connectionString: String {
        "host=\(quoted(socketDirectory)) port=5432 user=\(Self.user) dbname=postgres"
    }

    /// The database's superuser.
    static let user = "pawl"

    /// Source: PostgreSQL documentation 20.1.2 and 34.1.1.1; both know `\'`, the server also doubled quotes.
    private func quoted(_ value: String) -> String {
        var text = "'"
        for character in value {
            if character == "'" || character == "\\" { text.append("\\") }
            text.append(character)
        }
        return text + "'"
    }
}
