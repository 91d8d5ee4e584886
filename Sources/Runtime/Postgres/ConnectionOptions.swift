import CLibpq

/// A connection string taken apart, so that each host can be tried by itself.
///
/// libpq would try several hosts in one attempt, but in its non-blocking form without a time limit for each: a machine that
/// is off would keep us from the next one for minutes.
struct ConnectionOptions: Equatable {
    /// One place to connect to.
    struct Endpoint: Equatable {
        /// A name, numeric address or directory of a Unix socket; nil: libpq's default directory.
        var host: String?
        /// A numeric address; nil for Unix sockets, and while `host` has not been looked up.
        var address: String?
        var port: String?

        /// True if connecting needs a lookup of the name, which blocks in libpq.
        var needsLookup: Bool {
            guard address == nil, let host else { return false }
            return !host.hasPrefix("/") && !host.hasPrefix("@")
        }

        var description: String {
            [address ?? host ?? "default socket", port].compactMap(\.self).joined(separator: " port ")
        }
    }

    /// What the string itself says, by libpq keyword.
    var explicit: [String: String]
    /// What environment, service file and compiled-in defaults say.
    var defaults: [String: String]

    subscript(keyword: String) -> String? { explicit[keyword] ?? defaults[keyword] }

    /// Places in the order of the string. Empty if a service of the string names the host, which only libpq knows then.
    func endpoints() throws(PostgresError) -> [Endpoint] {
        if explicit["service"] != nil, explicit["host"] == nil, explicit["hostaddr"] == nil { return [] }
        let hosts = list("host")
        // An address from the environment belongs to the environment's host, not to one that the string names.
        let addresses = explicit["host"] != nil && explicit["hostaddr"] == nil ? [] : list("hostaddr")
        let ports = list("port")
        let count = max(hosts.count, addresses.count, 1)
        guard hosts.isEmpty || addresses.isEmpty || hosts.count == addresses.count else {
            throw PostgresError(
                kind: .connection,
                message: "the connection string has \(hosts.count) hosts and \(addresses.count) addresses")
        }
        guard ports.count <= 1 || ports.count == count else {
            throw PostgresError(
                kind: .connection, message: "the connection string has \(count) hosts and \(ports.count) ports")
        }
        return (0..<count).map { index in
            // One port stands for all hosts.
            let port = ports.count == 1 ? ports[0] : entry(index, ports)
            return Endpoint(host: entry(index, hosts), address: entry(index, addresses), port: port)
        }
    }

    private func entry(_ index: Int, _ list: [String]) -> String? {
        index < list.count && !list[index].isEmpty ? list[index] : nil
    }

    private func list(_ keyword: String) -> [String] {
        guard let value = self[keyword], !value.isEmpty else { return [] }
        return value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// Keywords and values for one attempt.
    /// - Parameter attributes: replaces `target_session_attrs`.
    func parameters(
        for endpoint: Endpoint?, _ configuration: PostgresConfiguration, attributes: String?
    ) -> [String: String] {
        var parameters = explicit
        if let endpoint {
            parameters["host"] = endpoint.host ?? ""
            parameters["hostaddr"] = endpoint.address ?? ""
            parameters["port"] = endpoint.port ?? ""
        }
        if let database = configuration.database { parameters["dbname"] = database }
        if let attributes { parameters["target_session_attrs"] = attributes }
        parameters["application_name"] = configuration.applicationName
        parameters["client_encoding"] = "UTF8"
        let settings = configuration.sessionSettings.sorted { $0.key < $1.key }.map {
            "-c \(escaped("\($0.key)=\($0.value)"))"
        }
        parameters["options"] = ([self["options"] ?? ""] + settings).filter { !$0.isEmpty }.joined(separator: " ")
        // A peer that vanishes without a word is noticed after about a minute instead of hours.
        for (keyword, value) in [
            ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "60000"),
        ] where explicit[keyword] == nil {
            parameters[keyword] = value
        }
        return parameters
    }

    /// Source: PostgreSQL `pg_split_opts`: a backslash keeps the next character, blanks end an option.
    private func escaped(_ option: String) -> String {
        var text = ""
        for character in option {
            if character.isWhitespace || character == "\\" { text.append("\\") }
            text.append(character)
        }
        return text
    }
}

extension ConnectionOptions {
    /// Parses a `key=value` string or URI with libpq's own parser; reads environment and service file.
    init(parsing text: String) throws(PostgresError) {
        var message: UnsafeMutablePointer<CChar>?
        defer { PQfreemem(message) }
        guard let parsed = PQconninfoParse(text, &message) else {
            // libpq quotes what it stumbled over, which can be a part of the password.
            throw PostgresError(kind: .connection, message: "the connection string is not valid")
        }
        explicit = Self.values(of: parsed)
        guard let found = PQconndefaults() else {
            throw PostgresError(kind: .connection, message: "out of memory while reading libpq's defaults")
        }
        defaults = Self.values(of: found)
    }

    /// Takes the array over.
    private static func values(of options: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return values
    }
}
