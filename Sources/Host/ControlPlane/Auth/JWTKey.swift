import Crypto
import CryptoExtras
import JobCore

/// A public key of a JWK set (RFC 7517), and the one algorithm that it is for: which one a token names decides nothing.
struct JWTKey: Sendable {
    enum Algorithm: String, Sendable, CaseIterable {
        case edDSA = "EdDSA"
        case es256 = "ES256"
        case rs256 = "RS256"
    }

    private enum Material: Sendable {
        case ed25519(Curve25519.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey)
    }

    let id: String?
    private let material: Material

    var algorithm: Algorithm {
        switch material {
        case .ed25519: .edDSA
        case .p256: .es256
        case .rsa: .rs256
        }
    }

    /// Nil for keys of other kinds, for other uses or other algorithms, and for such that are too weak: a set may hold them
    /// for others.
    init?(_ json: JSONValue) {
        if let use = json["use"]?.text, use != "sig" { return nil }
        func bytes(_ name: String, _ counts: ClosedRange<Int>) -> [UInt8]? {
            guard let found = json[name]?.text.flatMap({ Base64URL.decode($0) }), counts.contains(found.count) else {
                return nil
            }
            return found
        }
        id = json["kid"]?.text
        do {
            switch (json["kty"]?.text, json["crv"]?.text) {
            case ("OKP", "Ed25519"):
                guard let x = bytes("x", 32...32) else { return nil }
                material = .ed25519(try Curve25519.Signing.PublicKey(rawRepresentation: x))
            case ("EC", "P-256"):
                guard let x = bytes("x", 32...32), let y = bytes("y", 32...32) else { return nil }
                material = .p256(try P256.Signing.PublicKey(rawRepresentation: x + y))
            case ("RSA", _):
                // 2048 to 8192 bits. Shorter ones can be broken, longer ones take their time.
                guard let n = bytes("n", 256...1024), n[0] != 0, let e = bytes("e", 1...8) else { return nil }
                material = .rsa(try _RSA.Signing.PublicKey(n: n, e: e))
            default: return nil
            }
        } catch {
            return nil
        }
        if let named = json["alg"]?.text, named != algorithm.rawValue { return nil }
    }

    func isValid(_ signature: [UInt8], for message: [UInt8]) -> Bool {
        switch material {
        case .ed25519(let key): return key.isValidSignature(signature, for: message)
        case .p256(let key):
            // Two numbers of 32 bytes, as RFC 7518 wants it, not DER.
            guard signature.count == 64 else { return false }
            do {
                return key.isValidSignature(
                    try P256.Signing.ECDSASignature(rawRepresentation: signature), for: message)
            } catch {
                return false
            }
        case .rsa(let key):
            return key.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: message, padding: .insecurePKCS1v1_5)
        }
    }

    /// Those keys of a set that tokens may be signed with; nil if the text is no set.
    static func set(_ text: String) -> [JWTKey]? {
        do throws(JSONFault) {
            return try JSONValue(parsing: text)["keys"]?.elements?.compactMap(JWTKey.init)
        } catch {
            return nil
        }
    }
}
