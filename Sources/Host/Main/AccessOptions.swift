import ArgumentParser
import ControlPlane
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
        help: ArgumentHelp(
            "Public keys whose JSON Web Tokens count (PAWL_JWT_KEYS): a file with a JWK set; read anew when it changes.",
            discussion: "EdDSA (Ed25519), ES256 and RS256. Needs --jwt-issuer and --jwt-audience.", valueName: "file"))
    var jwtKeys: String?

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

    /// Nil without keys.
    func rules(environment: [String: String]) throws -> JWTRules? {
        func value(_ option: String?, _ name: String) -> String? {
            option ?? environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let file = value(self.jwtKeys, "PAWL_JWT_KEYS") else { return nil }
        guard let issuer = value(self.jwtIssuer, "PAWL_JWT_ISSUER"),
            let audience = value(self.jwtAudience, "PAWL_JWT_AUDIENCE")
        else {
            throw ValidationError(
                "--jwt-keys needs --jwt-issuer and --jwt-audience: otherwise tokens for others would count here")
        }
        var rules = JWTRules(keyFile: file, issuer: issuer, audience: audience)
        guard rules.hasKeys else {
            throw ValidationError("--jwt-keys \(file): cannot be read, or holds no key for EdDSA, ES256 or RS256")
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
