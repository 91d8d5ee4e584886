import Glibc
import JobCore

/// Where a host listens and what lets us in.
struct ServerAddress {
    /// Root of the server without a slash at the end: "http://127.0.0.1:7070".
    var url: String
    /// A Unix socket to connect to instead of the URL's host and port.
    var socketPath: String?
    var token: String?
    /// A file with the certificates that its own must come from; nil: the system's.
    var authorities: String?
    /// Where the address came from, for messages: "--server", "/var/lib/pawl/host.json".
    var origin: String?

    /// What requests are sent to. Whatever a host speaks elsewhere, through its socket it needs no TLS.
    var root: String { self.socketPath == nil ? self.url : "http://localhost" }

    var headers: [(name: String, value: String)] {
        self.token.map { [("Authorization", "Bearer \($0)")] } ?? []
    }

    /// An address as a person writes it: a URL, host:port, or unix:/path.
    init(address: String, token: String?, origin: String?) throws(ClientFailure) {
        self.token = token
        self.origin = origin
        if address.hasPrefix("unix:") {
            self.socketPath = String(address.dropFirst("unix:".count))
            self.url = "http://localhost"
            return
        }
        var url = address.contains("://") ? address : "http://" + address
        while url.hasSuffix("/") { url.removeLast() }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.hasSuffix(":") else {
            throw ClientFailure(
                exit: .configuration, message: "\"\(address)\" is no address of a server.",
                details: ["expected http://HOST:PORT, HOST:PORT or unix:/PATH"] + (origin.map { ["from \($0)"] } ?? []))
        }
        self.url = url
    }
}

/// Finds the server and the token: what is given on the command line, then the environment, then the files that a host
/// leaves in its data directory (`host.json` with its address, `admin-token`, both readable by their owner only).
struct ServerLocator {
    var server: String?
    var token: String?
    var dataDirectory: String?
    var authorities: String?
    var environment: [String: String]

    func locate() throws(ClientFailure) -> ServerAddress {
        var address = try self.find()
        address.authorities = self.authorities ?? self.nonEmpty("PAWL_CA_FILE")
        if let file = address.authorities, access(file, R_OK) != 0 {
            throw ClientFailure(
                exit: .configuration, message: "\(file) cannot be read.",
                details: [
                    "it should hold the certificates that a server's own must come from (--ca-file, PAWL_CA_FILE)"
                ])
        }
        return address
    }

    private func find() throws(ClientFailure) -> ServerAddress {
        let givenToken = self.token ?? self.nonEmpty("PAWL_TOKEN")
        if let server = self.server { return try self.given(server, token: givenToken, origin: "--server") }
        if self.dataDirectory == nil, let url = self.nonEmpty("PAWL_URL") {
            return try self.given(url, token: givenToken, origin: "PAWL_URL")
        }

        var tried: [String] = []
        for directory in self.candidates() {
            let path = directory + "/host.json"
            switch Self.read(path) {
            case .success(let bytes):
                guard let host = try? JSONValue(parsing: bytes), let url = host["url"]?.text else {
                    throw ClientFailure(exit: .configuration, message: "\(path) does not say where the host listens.")
                }
                if let socket = host["socket"]?.text, access(socket, R_OK | W_OK) == 0 {
                    // Who may open it is known there by the kernel's word, and needs no token.
                    var address = try ServerAddress(address: url, token: givenToken, origin: path)
                    if address.socketPath == nil { address.socketPath = socket }
                    return address
                }
                return try ServerAddress(
                    address: url, token: self.token(givenToken, in: directory), origin: path)
            case .failure(let reason): tried.append("\(path): \(reason.words)")
            }
        }
        throw ClientFailure(
            exit: .unreachable, message: "No host found on this machine.",
            details: tried.map { "tried \($0)" }
                + ["start one with: pawl serve", "or name one: --server URL, PAWL_URL, --data-dir DIR"])
    }

    /// A server that was named. Its token may still lie in a data directory on this machine: the host's own file is used
    /// only when it names the same address, so that a token never travels to another server.
    private func given(_ address: String, token: String?, origin: String) throws(ClientFailure) -> ServerAddress {
        var server = try ServerAddress(address: address, token: token, origin: origin)
        guard server.token == nil else { return server }
        for directory in self.candidates() {
            guard case .success(let bytes) = Self.read(directory + "/host.json"),
                let host = try? JSONValue(parsing: bytes), let url = host["url"]?.text,
                try ServerAddress(address: url, token: nil, origin: nil).url == server.url
            else { continue }
            server.token = try self.adminToken(in: directory, required: false)
            break
        }
        return server
    }

    /// Data directories to look into, best first.
    func candidates() -> [String] {
        if let directory = self.dataDirectory ?? self.nonEmpty("PAWL_DATA_DIR") { return [Self.trimmed(directory)] }
        var found: [String] = []
        let home = self.nonEmpty("HOME") ?? ""
        let state = (self.nonEmpty("XDG_STATE_HOME") ?? home + "/.local/state") + "/pawl"
        // Where `pawl serve` keeps its data when nobody says where (decisions 5).
        if geteuid() == 0 { found.append("/var/lib/pawl") }
        found.append(state)
        if geteuid() != 0 { found.append("/var/lib/pawl") }
        // No host there? Then the one that was started last, wherever it is.
        found += HostNote.places(environment: self.environment).compactMap(HostNote.read).map(Self.trimmed)
        var seen: Set<String> = []
        return found.filter { seen.insert($0).inserted }
    }

    /// The token that was given, else the host's own.
    private func token(_ given: String?, in directory: String) throws(ClientFailure) -> String? {
        if let given { return given }
        return try self.adminToken(in: directory, required: true)
    }

    private func adminToken(in directory: String, required: Bool) throws(ClientFailure) -> String? {
        let path = directory + "/admin-token"
        switch Self.read(path) {
        case .success(let bytes):
            return String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        case .failure(let reason):
            guard required else { return nil }
            throw ClientFailure(
                exit: .notAllowed, message: "The host's token cannot be read: \(path): \(reason.words).",
                details: ["run the command as the host's user, or give --token or PAWL_TOKEN"])
        }
    }

    private func nonEmpty(_ name: String) -> String? {
        guard let value = self.environment[name], !value.isEmpty else { return nil }
        return value
    }

    private static func trimmed(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    static func read(_ path: String) -> Result<[UInt8], FileError> { ClientFiles.read(path) }
}
