import ArgumentParser
import ControlPlane
import Glibc
import JobCore

/// Who else may come in, and by which names: options of `pawl serve`.
struct AccessOptions: ParsableArguments {
    @Option(
        name: .customLong("host-name"),
        help: ArgumentHelp(
            "A name that this host is asked for by (PAWL_HOST_NAMES, separated by commas). May be repeated.",
            discussion:
                "With any, requests for other names are refused on every address: 421. On loopback they always are.",
            valueName: "name"))
    var hostNames: [String] = []

    @Option(
        name: .customLong("tls-cert"),
        help: ArgumentHelp(
            "Serve HTTPS with this certificate (PAWL_TLS_CERT): PEM, the host's own first, then its chain.",
            discussion:
                "On every TCP address; needs --tls-key. Read anew when a file changes and on SIGHUP; open connections go on.",
            valueName: "file"))
    var tlsCertificate: String?

    @Option(
        name: .customLong("tls-key"),
        help: ArgumentHelp(
            "The certificate's key (PAWL_TLS_KEY): PEM, without a passphrase, not to be read by everybody.",
            valueName: "file"))
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "Public keys whose JSON Web Tokens count (PAWL_JWT_KEYS): a JWK set, in a file or at an https address.",
            discussion:
                "EdDSA (Ed25519), ES256 and RS256. Needs --jwt-issuer and --jwt-audience. A file is read anew when it "
                + "changes, an address every five minutes and when a token names a key that is not known.",
            valueName: "file|url"))
    var jwtKeys: String?

    @Option(
        name: .customLong("jwt-ca"),
        help: ArgumentHelp(
            "Certificates that the address's own must come from, PEM (PAWL_JWT_CA). Default: the system's.",
            valueName: "file"))
    var jwtAuthorities: String?

    @Option(help: ArgumentHelp("What the claim iss must be (PAWL_JWT_ISSUER).", valueName: "text"))
    var jwtIssuer: String?

    @Option(help: ArgumentHelp("What the claim aud must be or hold (PAWL_JWT_AUDIENCE).", valueName: "text"))
    var jwtAudience: String?

    @Option(
        help: ArgumentHelp(
            "The claim that says the role, as realm_access.roles (PAWL_JWT_ROLE_CLAIM). Default: role.",
            valueName: "path"))
    var jwtRoleClaim: String?

    @Option(
        name: .customLong("jwt-role"),
        help: ArgumentHelp(
            "What a word of that claim stands for: staff=viewer (PAWL_JWT_ROLES, separated by commas). May be repeated.",
            discussion: "Without any the words are the roles' own names.", valueName: "word=role"))
    var jwtRoles: [String] = []

    func names(environment: [String: String]) -> [String] {
        self.hostNames.isEmpty
            ? (environment["PAWL_HOST_NAMES"] ?? "").split(separator: ",").map(String.init) : self.hostNames
    }

    /// Nil without a certificate.
    func tls(environment: [String: String]) throws -> TLSFiles? {
        func value(_ option: String?, _ name: String) -> String? {
            option ?? environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        let (certificate, key) = (value(self.tlsCertificate, "PAWL_TLS_CERT"), value(self.tlsKey, "PAWL_TLS_KEY"))
        guard let certificate, let key else {
            guard certificate == nil, key == nil else {
                throw ValidationError("--tls-cert and --tls-key belong together")
            }
            return nil
        }
        let files = TLSFiles(certificate: certificate, key: key)
        do throws(TLSFault) {
            try files.check()
        } catch {
            throw ValidationError("\(error)")
        }
        return files
    }

    /// The file with the authorities of the keys' address; nil: the system's.
    func jwtAuthorities(environment: [String: String]) throws -> String? {
        let named = self.jwtAuthorities ?? environment["PAWL_JWT_CA"].flatMap { $0.isEmpty ? nil : $0 }
        if let named, access(named, R_OK) != 0 { throw ValidationError("--jwt-ca \(named): cannot be read") }
        return named
    }

    /// Nil without keys.
    func rules(environment: [String: String]) throws -> JWTRules? {
        func value(_ option: String?, _ name: String) -> String? {
            option ?? environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let text = value(self.jwtKeys, "PAWL_JWT_KEYS") else { return nil }
        guard let source = JWTKeySource(text) else {
            throw ValidationError(
                "--jwt-keys \(text): allowed: a file, https://…, or http:// on a loopback address; no user, no fragment"
            )
        }
        guard let issuer = value(self.jwtIssuer, "PAWL_JWT_ISSUER"),
            let audience = value(self.jwtAudience, "PAWL_JWT_AUDIENCE")
        else {
            throw ValidationError(
                "--jwt-keys needs --jwt-issuer and --jwt-audience: otherwise tokens for others would count here")
        }
        var rules = JWTRules(source: source, issuer: issuer, audience: audience)
        guard rules.hasKeys else {
            throw ValidationError("--jwt-keys \(text): cannot be read, or holds no key for EdDSA, ES256 or RS256")
        }
        if let claim = value(self.jwtRoleClaim, "PAWL_JWT_ROLE_CLAIM") {
            rules.roleClaim = claim.split(separator: ".").map(String.init)
        }
        let words =
            self.jwtRoles.isEmpty
            ? (environment["PAWL_JWT_ROLES"] ?? "").split(separator: ",").map(String.init) : self.jwtRoles
        if !words.isEmpty { rules.roles = [:] }
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let role = Role(rawValue: parts[1]) else {
                let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--jwt-role is \"\(word)\"; allowed: WORD=ROLE, with one of \(roles)")
            }
            rules.roles[parts[0]] = role
        }
        return rules
    }
}
