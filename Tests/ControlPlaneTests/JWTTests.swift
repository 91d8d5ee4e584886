import Crypto
import CryptoExtras
import Foundation
import Glibc
import HTTPTypes
import JobCore
import Testing
import UVLoop

@testable import ControlPlane

/// JSON Web Tokens: which count, and all the ways in which others do not.
@Suite struct JWTTests {
    private static let now = WallTime(micros: 1_800_000_000_000_000)
    private static let ed = Curve25519.Signing.PrivateKey()
    private static let ec = P256.Signing.PrivateKey()
    private static let rsa: _RSA.Signing.PrivateKey = {
        do {
            return try _RSA.Signing.PrivateKey(keySize: .bits2048)
        } catch {
            preconditionFailure("no key: \(error)")
        }
    }()

    private static func base64(_ text: String) -> String { Base64URL.encode(Array(text.utf8)) }

    /// The set with all three, and some that are for something else.
    static func set() throws -> String {
        let point = Array(ec.publicKey.rawRepresentation)
        let numbers = try rsa.publicKey.getKeyPrimitives()
        return """
            {"keys": [
              {"kty":"OKP","crv":"Ed25519","kid":"ed","x":"\(Base64URL.encode(ed.publicKey.rawRepresentation))"},
              {"kty":"EC","crv":"P-256","kid":"ec","alg":"ES256","use":"sig",
               "x":"\(Base64URL.encode(point[..<32]))","y":"\(Base64URL.encode(point[32...]))"},
              {"kty":"RSA","kid":"rsa","n":"\(Base64URL.encode(numbers.modulus))",
               "e":"\(Base64URL.encode(numbers.publicExponent))"},
              {"kty":"oct","kid":"secret","k":"c2VjcmV0"},
              {"kty":"RSA","kid":"short","n":"\(Base64URL.encode([UInt8](repeating: 0xff, count: 128)))","e":"AQAB"},
              {"kty":"RSA","kid":"pss","alg":"PS256","n":"\(Base64URL.encode(numbers.modulus))","e":"AQAB"},
              {"kty":"OKP","crv":"Ed25519","kid":"enc","use":"enc","x":"\(Base64URL.encode(ed.publicKey.rawRepresentation))"}
            ]}
            """
    }

    static let claims =
        #"{"iss":"https://id.example","aud":"pawl","sub":"ann","role":"admin","exp":1800000100,"iat":1799999999}"#

    private static let rules = JWTRules(source: .file("/nowhere"), issuer: "https://id.example", audience: "pawl")

    private static func sign(_ algorithm: String, _ message: String) throws -> [UInt8] {
        let bytes = Array(message.utf8)
        return switch algorithm {
        case "EdDSA": Array(try ed.signature(for: bytes))
        case "ES256": Array(try ec.signature(for: bytes).rawRepresentation)
        default: Array(try rsa.signature(for: bytes, padding: .insecurePKCS1v1_5).rawRepresentation)
        }
    }

    static func token(
        _ algorithm: String = "EdDSA", header: String? = nil, kid: String? = nil, claims: String = claims
    ) throws -> String {
        let names = ["EdDSA": "ed", "ES256": "ec", "RS256": "rsa"]
        let head = header ?? #"{"alg":"\#(algorithm)","typ":"JWT","kid":"\#(kid ?? names[algorithm] ?? "")"}"#
        let message = base64(head) + "." + base64(claims)
        return message + "." + Base64URL.encode(try sign(algorithm, message))
    }

    /// One that counts now.
    static func current(_ role: Role) throws -> String {
        let now = Int(Date().timeIntervalSince1970)
        return try token(
            "ES256",
            claims:
                #"{"iss":"https://id.example","aud":"pawl","sub":"ann","role":"\#(role.rawValue)","exp":\#(now + 600),"iat":\#(now)}"#
        )
    }

    /// A file with the set; the caller removes it.
    static func keyFile() throws -> String {
        let file = NSTemporaryDirectory() + "/pawl-jwks-\(UInt64.random(in: 0 ... .max)).json"
        try set().write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    private func fault(_ token: String, _ rules: JWTRules = rules) throws -> JWTFault? {
        let keys = try #require(JWTKey.set(try Self.set()))
        do throws(JWTFault) {
            _ = try rules.principal(of: token, keys: keys, now: Self.now)
            return nil
        } catch {
            return error
        }
    }

    private func principal(_ token: String, _ rules: JWTRules = rules) throws -> Principal {
        try rules.principal(of: token, keys: try #require(JWTKey.set(try Self.set())), now: Self.now)
    }

    @Test func keysOfOtherKindsAreNoKeys() throws {
        let keys = try #require(JWTKey.set(try Self.set()))
        #expect(keys.map(\.id) == ["ed", "ec", "rsa"])
        #expect(keys.map(\.algorithm) == [.edDSA, .es256, .rs256])
        #expect(JWTKey.set("{}") == nil && JWTKey.set("[") == nil && JWTKey.set("{\"keys\":[]}")?.isEmpty == true)
    }

    @Test(arguments: ["EdDSA", "ES256", "RS256"])
    func goodOnesCount(_ algorithm: String) throws {
        let found = try principal(try Self.token(algorithm))
        #expect(found.name == "jwt:ann" && found.role == .admin && found.way == .jwt && found.bounds.isEmpty)
        #expect(found.expires == WallTime(micros: 1_800_000_100_000_000))
    }

    @Test func noneAndConfusedOnesDoNot() throws {
        let body = Self.base64(Self.claims)
        for none in ["none", "None", "NONE", "nOnE"] {
            #expect(try fault(Self.base64("{\"alg\":\"\(none)\"}") + ".\(body).") == .algorithm)
        }
        // The public key as the secret of a MAC.
        for secret in [Data(try Self.set().utf8), Self.rsa.publicKey.derRepresentation] {
            let message = Self.base64(#"{"alg":"HS256","kid":"rsa"}"#) + "." + body
            let code = HMAC<SHA256>.authenticationCode(for: Array(message.utf8), using: SymmetricKey(data: secret))
            #expect(try fault(message + "." + Base64URL.encode(Array(code))) == .algorithm)
        }
        // Every algorithm with every other key, by its name and without one.
        for algorithm in ["EdDSA", "ES256", "RS256"] {
            for (claimed, kid) in [("EdDSA", "ed"), ("ES256", "ec"), ("RS256", "rsa")] where claimed != algorithm {
                let lying = #"{"alg":"\#(claimed)","kid":"\#(kid)"}"#
                #expect(try fault(try Self.token(algorithm, header: lying)) == .signature)
                #expect(try fault(try Self.token(algorithm, header: "{\"alg\":\"\(claimed)\"}")) == .signature)
                let mixed = #"{"alg":"\#(algorithm)","kid":"\#(kid)"}"#
                #expect(try fault(try Self.token(algorithm, header: mixed)) == .key)
            }
        }
        #expect(try fault(try Self.token(kid: "nobody")) == .key)
        #expect(try fault(try Self.token(header: #"{"alg":"EdDSA"}"#)) == nil, "one key fits")
        // A key that the token brings along is nobody's.
        let own = Curve25519.Signing.PrivateKey()
        let jwk = #"{"kty":"OKP","crv":"Ed25519","x":"\#(Base64URL.encode(own.publicKey.rawRepresentation))"}"#
        let message = Self.base64(#"{"alg":"EdDSA","jwk":\#(jwk)}"#) + "." + body
        #expect(
            try fault(message + "." + Base64URL.encode(try own.signature(for: Array(message.utf8)))) == .signature)
    }

    @Test func changedOnesDoNot() throws {
        for algorithm in ["EdDSA", "ES256", "RS256"] {
            let good = try Self.token(algorithm)
            let parts = good.split(separator: ".").map(String.init)
            let more = Self.base64(Self.claims.replacing("admin", with: "owner"))
            #expect(try fault("\(parts[0]).\(more).\(parts[2])") == .signature)
            var bytes = try #require(Base64URL.decode(parts[2]))
            bytes[bytes.count / 2] ^= 1
            #expect(try fault("\(parts[0]).\(parts[1]).\(Base64URL.encode(bytes))") == .signature)
            #expect(try fault("\(parts[0]).\(parts[1]).\(Base64URL.encode(bytes.dropLast()))") == .signature)
            #expect(try fault("\(parts[0]).\(parts[1]).") == .signature)
        }
        for text in [
            "", ".", "..", "a.b", "a.b.c.d", "e30.e30.e30", "!.!.!", String(repeating: "a", count: 9000) + "..a",
        ] {
            let found = try fault(text)
            #expect(found == .malformed || found == .algorithm, "\(text.prefix(20))")
        }
        for header in [
            #"{"alg":"EdDSA","kid":"ed","crit":["b64"],"b64":false}"#, #"{"alg":"EdDSA","alg":"EdDSA","kid":"ed"}"#,
            #"{"alg":"EdDSA","kid":"ed","typ":"dpop+jwt"}"#, "[]", "null",
        ] { #expect(try fault(try Self.token(header: header)) == .malformed, "\(header)") }
        #expect(try fault(try Self.token(claims: Self.claims.replacing("{", with: "{\"exp\":9e9,"))) == .malformed)
    }

    @Test func claimsAreHeld() throws {
        func claims(_ change: (String, String)...) throws -> JWTFault? {
            try fault(try Self.token(claims: change.reduce(Self.claims) { $0.replacing($1.0, with: $1.1) }))
        }
        let exp = "\"exp\":1800000100"
        // Just over, within the leeway of a minute, and past it.
        #expect(try claims((exp, "\"exp\":1799999999")) == nil)
        #expect(try claims((exp, "\"exp\":1799999941")) == nil)
        #expect(try claims((exp, "\"exp\":1799999940")) == .expired)
        #expect(try claims((",\(exp)", "")) == .expired)
        #expect(try claims((exp, "\"exp\":\"1800000100\"")) == .malformed)
        #expect(try claims((exp, "\"exp\":1e300")) == .malformed)
        #expect(try claims((exp, "\"exp\":1800000100.5")) == nil)
        #expect(try claims((exp, "\(exp),\"nbf\":1800000060")) == nil)
        #expect(try claims((exp, "\(exp),\"nbf\":1800000061")) == .early)
        #expect(try claims(("\"iat\":1799999999", "\"iat\":1800000061")) == .early)
        #expect(try claims(("https://id.example", "https://id.example/")) == .issuer)
        #expect(try claims(("\"iss\":\"https://id.example\",", "")) == .issuer)
        #expect(try claims(("\"aud\":\"pawl\"", "\"aud\":[\"x\",\"pawl\"]")) == nil)
        #expect(try claims(("\"aud\":\"pawl\"", "\"aud\":[\"x\"]")) == .audience)
        #expect(try claims(("\"aud\":\"pawl\",", "")) == .audience)
        #expect(try claims(("\"role\":\"admin\"", "\"role\":\"emperor\"")) == .role)
        #expect(try claims(("\"role\":\"admin\",", "")) == .role)
    }

    @Test func rolesAndBoundsComeFromClaims() throws {
        var rules = Self.rules
        rules.roleClaim = ["realm_access", "roles"]
        rules.roles = ["pawl-admins": .admin, "staff": .viewer]
        let claims = Self.claims.replacing(
            "\"role\":\"admin\"",
            with: #""realm_access":{"roles":["staff","other","pawl-admins"]},"pawl":{"queues":["mail-*"]}"#)
        let found = try principal(try Self.token(claims: claims), rules)
        #expect(found.role == .admin && found.bounds == Bounds(queues: ["mail-*"]))
        // Words that nobody mapped are none, also if they are ours.
        #expect(try fault(try Self.token(), rules) == .role)
        // Bounds that are not understood confine wholly.
        for bounds in [
            "[]", "null", "\"mail\"", "{\"queue\":[\"mail\"]}", "{\"queues\":\"mail\"}", "{\"queues\":[\"mail\",1]}",
            "{\"queues\":[\"a\"],\"queues\":[]}",
        ] {
            let claims = Self.claims.replacing("{", with: "{\"pawl\":\(bounds),")
            #expect(try fault(try Self.token(claims: claims)) == .bounds, "\(bounds)")
        }
        #expect(try fault(try Self.token(claims: Self.claims.replacing("{", with: "{\"pawl\":{},"))) == nil)
        let odd = try principal(try Self.token(claims: Self.claims.replacing("\"ann\"", with: "\"a b\\nc\"")))
        #expect(odd.name == "jwt:a?b?c")
    }

    @Test func comesInOverHTTPAndItsKeysAreReadAnew() async throws {
        let file = try Self.keyFile()
        defer { unlink(file) }
        let good = try Self.current(.admin)
        try await withOwnPlane {
            $0.jwt = JWTRules(source: .file(file), issuer: "https://id.example", audience: "pawl")
        } _: { plane in
            let person = try await plane.send(.get, "/api/v1/auth/whoami", token: good)
            #expect(person["name"]?.text == "jwt:ann" && person["via"]?.text == "jwt", "\(person.text)")
            #expect(try await plane.send(.get, "/api/v1/tokens", token: good).status == 403)
            let bad = try await plane.send(.get, "/api/v1/jobs", token: good + "A")
            #expect(bad.status == 401 && bad.code == "invalid_token" && !bad.text.contains(good))
            // A file that is broken changes nothing; one with other keys does.
            let book = try #require(plane.plane.gate.jwt)
            try "{".write(toFile: file, atomically: true, encoding: .utf8)
            book.refresh(file, at: .now.advanced(by: .seconds(10)))
            #expect(book.keys.count == 3)
            let only =
                #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"\#(Base64URL.encode(Self.ed.publicKey.rawRepresentation))"}]}"#
            try only.write(toFile: file, atomically: true, encoding: .utf8)
            book.refresh(file, at: .now.advanced(by: .seconds(20)))
            #expect(book.keys.count == 1)
            #expect(try await plane.send(.get, "/api/v1/auth/whoami", token: good).status == 401)
        }
    }
}
