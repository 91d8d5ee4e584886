package import NIOLibuv

/// What the control plane is told once, at its start.
package struct ControlPlaneConfiguration: Sendable {
    /// Where to listen; at least one.
    package var listen: [ListenAddress]
    /// The bearer token of the administrator. Keys for cursors, cookies and plans are derived from it, so that they outlive
    /// a restart and end with the token.
    package var adminToken: String
    /// What users of this machine may who come through a Unix socket.
    package var peers: PeerRules
    /// Which JSON Web Tokens count; nil: none.
    package var jwt: JWTRules?
    /// Gets keys of JSON Web Tokens from their address, if that is where they are.
    package var keyFetcher: (any JWTKeyFetching)?
    /// What TCP listeners show; nil: they speak without TLS. Unix sockets always do.
    package var tls: TLSFiles?
    /// Largest body of an ordinary request, in bytes. Source: decisions 5.
    package var bodyLimitBytes: Int
    /// Largest body of `POST /runs/batch`, in bytes. Source: decisions 5.
    package var batchBodyLimitBytes: Int
    /// Largest `args` of one run, in bytes. Source: decisions 5.
    package var argsLimitBytes: Int
    /// Who may upload plugins.
    package var uploads: UploadPolicy
    /// Largest plugin that may be uploaded, in bytes.
    package var uploadLimitBytes: Int
    /// A directory for files that are being uploaded; ours alone. Made when it is needed; what is in it at the start is of no
    /// use to anybody.
    package var uploadDirectory: String
    /// Whether the seeds' old paths are served.
    package var compatSeeds: Bool
    /// Version of this program, for people.
    package var version: String
    /// Commit that it was built from; empty if nobody knows.
    package var gitSHA: String
    /// Open connections at most, per listener; more wait in the kernel's backlog.
    package var maxConnections: Int
    /// Host names (without port) that a request may ask for, beside `localhost` and the loopback addresses. On a loopback
    /// listener everything else is refused: a page on the web must not reach us by a name of its own. On others too, but for
    /// literal addresses, where there are any names here.
    package var allowedHosts: [String]
    /// How long a connection may be idle, or take for its request's head.
    package var idleTimeout: Duration
    /// How long a request's body may take.
    package var bodyTimeout: Duration

    package init(
        listen: [ListenAddress], adminToken: String, peers: PeerRules = PeerRules(), jwt: JWTRules? = nil,
        tls: TLSFiles? = nil, bodyLimitBytes: Int = 1_000_000,
        batchBodyLimitBytes: Int = 32_000_000, argsLimitBytes: Int = 256 << 10, uploads: UploadPolicy = .token,
        uploadLimitBytes: Int = 256 << 20, uploadDirectory: String, compatSeeds: Bool = true,
        version: String, gitSHA: String = "", maxConnections: Int = 4096, allowedHosts: [String] = [],
        idleTimeout: Duration = .seconds(60), bodyTimeout: Duration = .seconds(120)
    ) {
        self.listen = listen
        self.adminToken = adminToken
        self.peers = peers
        self.jwt = jwt
        self.tls = tls
        self.bodyLimitBytes = bodyLimitBytes
        self.batchBodyLimitBytes = batchBodyLimitBytes
        self.argsLimitBytes = argsLimitBytes
        self.uploads = uploads
        self.uploadLimitBytes = uploadLimitBytes
        self.uploadDirectory = uploadDirectory
        self.compatSeeds = compatSeeds
        self.version = version
        self.gitSHA = gitSHA
        self.maxConnections = maxConnections
        self.allowedHosts = allowedHosts
        self.idleTimeout = idleTimeout
        self.bodyTimeout = bodyTimeout
    }
}

/// Who may bring new code to a host over HTTP. A plugin runs with the host's own rights: this is its most powerful request.
package enum UploadPolicy: String, Sendable, CaseIterable {
    /// Nobody: plugins come through the plugin directory only.
    case off
    /// Whoever has the administrator's token.
    case token
    /// Also a browser that signed in by a link.
    case page
}
