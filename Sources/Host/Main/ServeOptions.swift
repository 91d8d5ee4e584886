import ArgumentParser
import ControlPlane
import Glibc
import JobCore
import Logging

/// The options of `pawl serve`. Each has an environment variable `PAWL_…`; an option wins over its variable.
struct ServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the host keeps its token, plugins and, by default, its database (PAWL_DATA_DIR).",
            discussion: "Default: /var/lib/pawl as root, ${XDG_STATE_HOME:-~/.local/state}/pawl otherwise.",
            valueName: "directory"))
    var dataDir: String?

    @Option(
        help: ArgumentHelp(
            "Address to listen on (PAWL_LISTEN): HOST:PORT, [IPV6]:PORT or unix:/PATH. May be given several times.",
            discussion: "Default: 127.0.0.1:7070. Anything but loopback is your decision: everything is readable with "
                + "the token, and nothing is encrypted.",
            valueName: "address"))
    var listen: [String] = []

    @Option(
        help: ArgumentHelp(
            "Unix socket for the command line on this machine, or off (PAWL_SOCKET).",
            discussion:
                "Who comes through it needs no token: the kernel says which user it is. Default: pawl.sock in the "
                + "data directory. Without --peer it is open to the host's user and root only.", valueName: "path"))
    var socket: String?

    @Option(
        name: .customLong("peer"),
        help: ArgumentHelp(
            "What a user or a group of this machine may through the socket (PAWL_PEERS, separated by commas).",
            discussion:
                "USER=ROLE or @GROUP=ROLE; roles: viewer, operator, admin, owner. May be repeated. Root and the "
                + "host's own user are owner.", valueName: "rule"))
    var peers: [String] = []

    @OptionGroup(title: "Access") var access: AccessOptions

    @Option(
        help: ArgumentHelp(
            "Directory whose *.so and *.pawl.json files are served (PAWL_PLUGINS).",
            discussion: "Default: plugins/ in the data directory, made if missing.", valueName: "directory"))
    var plugins: String?

    @Option(
        help: ArgumentHelp(
            "PostgreSQL to use (PAWL_DATABASE_URL, DATABASE_URL, or the PG* variables).",
            discussion:
                "A URL or a libpq connection string, several hosts allowed. Default: a private PostgreSQL in the "
                + "data directory, reached over a Unix socket only, stopped with the host.", valueName: "url"))
    var databaseURL: String?

    @Option(
        help: ArgumentHelp(
            "How many attempts may execute at once (PAWL_SLOTS).", discussion: "Default: max(16, 4 × processors).",
            valueName: "n"))
    var slots: Int?

    @Option(
        help: ArgumentHelp(
            "How an attempt's processes are held together: auto, cgroup or none (PAWL_ISOLATION).",
            discussion: "auto takes cgroup v2 where it is writable, else a monitor process per attempt.",
            valueName: "way"))
    var isolation: String?

    @Option(
        help: ArgumentHelp(
            "Users that attempts in profile strict get when the host is root, one each (PAWL_SANDBOX_USERS).",
            discussion: "A range of numbers that nobody else has on this machine. Default: 61184-65519.",
            valueName: "first-last"))
    var sandboxUsers: String?

    @Option(
        name: .customLong("pass-env"),
        help: ArgumentHelp(
            "A variable of the host's own environment that attempts get too (PAWL_PASS_ENV, separated by commas).",
            discussion: "An attempt's environment is built, not inherited: nothing else gets in. May be repeated.",
            valueName: "name"))
    var passedVariables: [String] = []

    @Option(
        name: .customLong("trusted-key"),
        help: ArgumentHelp(
            "A public key whose signatures on plugins count (PAWL_TRUSTED_KEYS, separated by commas).",
            discussion: "The base64 of 32 bytes, or a file with that or a PEM public key (Ed25519). May be repeated.",
            valueName: "key|file"))
    var trustedKeys: [String] = []

    @Flag(help: "Serve only plugins that a trusted key has signed (PAWL_REQUIRE_SIGNED=1).")
    var requireSigned = false

    @Option(
        help: ArgumentHelp(
            "Who may upload plugins: off, token or page (PAWL_UPLOADS). Default: token.",
            discussion:
                "off: nobody. token: whoever has the administrator's token. page: also a browser that is signed "
                + "in.", valueName: "who"))
    var uploads: String?

    @Option(
        help: ArgumentHelp(
            "Largest plugin that may be uploaded: 64M, 1G (PAWL_UPLOAD_LIMIT). Default: 256M.", valueName: "size"))
    var uploadLimit: String?

    @Option(
        help: ArgumentHelp(
            "How large the content store of plugins may get before versions that nobody needs are removed: 512M, 8G "
                + "(PAWL_PLUGIN_STORE). Default: 4G.", valueName: "size"))
    var pluginStore: String?

    @Option(
        help: ArgumentHelp(
            "How much of attempts' log the host keeps in a file while the database takes none: 64M, 2G, or 0 "
                + "(PAWL_LOG_SPILL). Default: 256M.",
            discussion: "In spill/ of the data directory. Beyond it attempts wait or lose lines, as their jobs say.",
            valueName: "size"))
    var logSpill: String?

    @Option(
        help: ArgumentHelp(
            "How long SIGTERM waits for running attempts, in seconds (PAWL_DRAIN_TIMEOUT). Default: 60.",
            valueName: "seconds"))
    var drainTimeout: Int?

    @Option(
        help: ArgumentHelp(
            "Format of the host's log on standard error: text or json (PAWL_LOG_FORMAT).", valueName: "format"))
    var logFormat: String?

    @Option(
        help: ArgumentHelp(
            "Least severe level that is logged: trace, debug, info, notice, warning, error, critical (PAWL_LOG_LEVEL).",
            valueName: "level"))
    var logLevel: String?

    @Flag(help: "Do not serve the old paths of the seed systems (PAWL_COMPAT_SEEDS=0).")
    var noCompatSeeds = false
}

/// What `pawl serve` runs with, checked and with its defaults in place.
struct ServeConfiguration {
    var dataDirectory: String
    var listen: [String]
    /// Path of the Unix socket; nil: none.
    var socket: String?
    var peers: PeerRules
    var jwt: JWTRules?
    /// A file with the authorities of the keys' address; nil: the system's.
    var jwtAuthorities: String?
    var tls: TLSFiles?
    var hostNames: [String]
    var plugins: String?
    /// Nil: the embedded PostgreSQL.
    var databaseURL: String?
    var slots: Int
    var isolation: Isolation
    /// Nil: the supervisor's own range.
    var sandboxUsers: ClosedRange<UInt32>?
    /// What attempts get of the host's own environment.
    var passedEnvironment: [String: String]
    /// Raw Ed25519 public keys, 32 bytes each.
    var trustedKeys: [[UInt8]]
    var requireSigned: Bool
    var uploads: UploadPolicy
    /// In bytes.
    var uploadLimit: Int64
    /// In bytes.
    var pluginStore: Int64
    /// In bytes.
    var logSpill: Int64
    var drainTimeout: Duration
    var liveness: LivenessTimes
    var logFormat: HostLogFormat
    var logLevel: Logger.Level
    var compatSeeds: Bool

    enum Isolation: String, CaseIterable { case auto, cgroup, none }

    /// Throws a `ValidationError` that names the option, what it was and what is allowed.
    init(_ options: ServeOptions, environment: [String: String]) throws {
        func value(_ option: String?, _ variable: String) -> String? {
            if let option { return option }
            guard let found = environment[variable], !found.isEmpty else { return nil }
            return found
        }
        func choice<T: RawRepresentable & CaseIterable>(_ name: String, _ text: String?, default standard: T) throws
            -> T
        where T.RawValue == String {
            guard let text else { return standard }
            guard let chosen = T(rawValue: text) else {
                let allowed = T.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--\(name) is \"\(text)\"; allowed: \(allowed)")
            }
            return chosen
        }
        func number(
            _ name: String, _ given: Int?, _ variable: String, in range: ClosedRange<Int>, default standard: Int
        )
            throws -> Int
        {
            guard let text = given.map(String.init) ?? value(nil, variable) else { return standard }
            guard let number = Int(text), range.contains(number) else {
                throw ValidationError("--\(name) is \"\(text)\"; allowed: \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        self.dataDirectory =
            value(options.dataDir, "PAWL_DATA_DIR") ?? HostDirectory.standardPath(environment: environment)
        self.listen =
            options.listen.isEmpty
            ? (value(nil, "PAWL_LISTEN").map { $0.split(separator: ",").map(String.init) } ?? ["127.0.0.1:7070"])
            : options.listen
        let socket = value(options.socket, "PAWL_SOCKET")
        self.socket = socket == "off" ? nil : socket ?? self.dataDirectory + "/pawl.sock"
        // libuv would cut a longer path. A default that does not fit is none; a wish that does not is told about.
        if let path = self.socket, path.utf8.count > 107 {
            guard socket == nil else {
                throw ValidationError("--socket \(path): a socket's path has at most 107 bytes")
            }
            self.socket = nil
        }
        self.peers = try PeerOption.rules(
            options.peers.isEmpty
                ? value(nil, "PAWL_PEERS").map { $0.split(separator: ",").map(String.init) } ?? [] : options.peers)
        self.jwt = try options.access.rules(environment: environment)
        self.jwtAuthorities = try options.access.jwtAuthorities(environment: environment)
        self.tls = try options.access.tls(environment: environment)
        self.hostNames = options.access.names(environment: environment)
        self.plugins = value(options.plugins, "PAWL_PLUGINS")
        self.databaseURL = value(options.databaseURL, "PAWL_DATABASE_URL") ?? value(nil, "DATABASE_URL")
        // libpq reads the PG* variables itself: the empty connection string means exactly those.
        if self.databaseURL == nil, environment["PGHOST"] != nil || environment["PGSERVICE"] != nil {
            self.databaseURL = ""
        }
        let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        self.slots = try number("slots", options.slots, "PAWL_SLOTS", in: 1...4096, default: max(16, 4 * processors))
        self.isolation = try choice("isolation", value(options.isolation, "PAWL_ISOLATION"), default: Isolation.auto)
        self.sandboxUsers = try value(options.sandboxUsers, "PAWL_SANDBOX_USERS").map(Self.users)
        let passed =
            options.passedVariables.isEmpty
            ? value(nil, "PAWL_PASS_ENV").map { $0.split(separator: ",").map(String.init) } ?? []
            : options.passedVariables
        self.passedEnvironment = try Self.passed(passed, from: environment)
        let keys =
            options.trustedKeys.isEmpty
            ? value(nil, "PAWL_TRUSTED_KEYS").map { $0.split(separator: ",").map(String.init) } ?? []
            : options.trustedKeys
        self.trustedKeys = try keys.map { key in
            do throws(SigningKeyFault) {
                return try SigningKeys.publicKey(textOrFile: key)
            } catch {
                throw ValidationError("--trusted-key \(key): \(error)")
            }
        }
        self.requireSigned = options.requireSigned || value(nil, "PAWL_REQUIRE_SIGNED") == "1"
        if self.requireSigned, self.trustedKeys.isEmpty {
            throw ValidationError("--require-signed without a --trusted-key would serve no plugin at all")
        }
        self.uploads = try choice("uploads", value(options.uploads, "PAWL_UPLOADS"), default: UploadPolicy.token)
        func size(_ name: String, _ text: String?, least: Int64, default standard: Int64) throws -> Int64 {
            guard let text else { return standard }
            guard let size = Format.parseSize(text), size >= least else {
                throw ValidationError("--\(name) is \"\(text)\"; allowed: a size such as 64M, at least \(least) bytes")
            }
            return size
        }
        self.uploadLimit = try size(
            "upload-limit", value(options.uploadLimit, "PAWL_UPLOAD_LIMIT"), least: 1 << 16, default: 256 << 20)
        self.pluginStore = try size(
            "plugin-store", value(options.pluginStore, "PAWL_PLUGIN_STORE"), least: 1 << 20, default: 4 << 30)
        self.logSpill = try size("log-spill", value(options.logSpill, "PAWL_LOG_SPILL"), least: 0, default: 256 << 20)
        let drain = try number(
            "drain-timeout", options.drainTimeout, "PAWL_DRAIN_TIMEOUT", in: 0...86_400, default: 60)
        self.drainTimeout = .seconds(drain)
        // For tests of what takes half a minute in earnest; no option, since nobody else needs another interval.
        self.liveness = LivenessTimes(
            heartbeat: .milliseconds(
                try number("heartbeat-ms", nil, "PAWL_HEARTBEAT_MS", in: 100...60_000, default: 10_000)))
        self.logFormat = try choice(
            "log-format", value(options.logFormat, "PAWL_LOG_FORMAT"), default: HostLogFormat.text)
        self.logLevel = try choice("log-level", value(options.logLevel, "PAWL_LOG_LEVEL"), default: Logger.Level.info)
        self.compatSeeds = !options.noCompatSeeds && value(nil, "PAWL_COMPAT_SEEDS") != "0"
    }

    private static let ofAttempts: Set<String> = ["HOME", "TMPDIR", "PGAPPNAME", "TRACEPARENT"]

    private static func passed(_ names: [String], from environment: [String: String]) throws -> [String: String] {
        var passed: [String: String] = [:]
        for name in names {
            let isName = !name.isEmpty && !name.contains("=") && !name.utf8.contains(0)
            guard isName, !name.hasPrefix("PAWL_"), !name.hasPrefix("LD_"), !Self.ofAttempts.contains(name) else {
                throw ValidationError(
                    "--pass-env is \"\(name)\"; allowed: the name of a variable, but none that begins with PAWL_ or "
                        + "LD_, nor one that each attempt has for itself (HOME, TMPDIR, PGAPPNAME, TRACEPARENT)")
            }
            guard let value = environment[name] else {
                throw ValidationError("--pass-env \(name): the host has no such variable")
            }
            passed[name] = value
        }
        return passed
    }

    /// `61184-65519`
    private static func users(_ text: String) throws -> ClosedRange<UInt32> {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt32($0) }
        // The last number means "no user" to the kernel, root is none of a sandbox.
        guard ends.count == 2, let first = ends[0], let last = ends[1], first > 0, first <= last, last < UInt32.max
        else {
            throw ValidationError("--sandbox-users is \"\(text)\"; allowed: two numbers from 1 up, such as 61184-65519")
        }
        return first...last
    }
}
