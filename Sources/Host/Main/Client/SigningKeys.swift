import Crypto
import FoundationEssentials
import Glibc

/// Ed25519 keys as people keep them (RFC 8032, RFC 8410): raw bytes in base64, or PEM as OpenSSL writes it, so that
/// `openssl pkeyutl -sign -rawin` and this program make and check the same signatures. Blocks on files.
enum SigningKeys {
    /// SubjectPublicKeyInfo and PKCS#8 of an Ed25519 key are a fixed head and the 32 bytes. Source: RFC 8410, section 10.
    private static let publicHead: [UInt8] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
    private static let privateHead: [UInt8] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    ]

    static func makePrivateKey() -> [UInt8] { Array(Curve25519.Signing.PrivateKey().rawRepresentation) }

    static func publicKey(of privateKey: [UInt8]) throws(SigningKeyFault) -> [UInt8] {
        Array(try Self.key(privateKey).publicKey.rawRepresentation)
    }

    /// 64 bytes over exactly these bytes.
    static func signature(of bytes: [UInt8], by privateKey: [UInt8]) throws(SigningKeyFault) -> [UInt8] {
        let key = try Self.key(privateKey)
        do {
            return Array(try key.signature(for: bytes))
        } catch {
            throw SigningKeyFault("it cannot be signed: \(error)")
        }
    }

    private static func key(_ bytes: [UInt8]) throws(SigningKeyFault) -> Curve25519.Signing.PrivateKey {
        do {
            return try Curve25519.Signing.PrivateKey(rawRepresentation: bytes)
        } catch {
            throw SigningKeyFault("this is no private Ed25519 key")
        }
    }

    // MARK: Texts

    static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// Nil for anything but 64 bytes.
    static func signature(base64 text: String) -> [UInt8]? {
        guard let bytes = Self.decoded(text), bytes.count == 64 else { return nil }
        return bytes
    }

    static func privatePEM(_ key: [UInt8]) -> String { Self.pem("PRIVATE KEY", Self.privateHead + key) }
    static func publicPEM(_ key: [UInt8]) -> String { Self.pem("PUBLIC KEY", Self.publicHead + key) }

    /// - Parameter text: the base64 of the key, or the path of a file with that or with PEM.
    static func publicKey(textOrFile text: String) throws(SigningKeyFault) -> [UInt8] {
        if let bytes = Self.decoded(text), bytes.count == 32 { return bytes }
        let found = try Self.content(of: text)
        guard let key = Self.parse(found, "PUBLIC KEY", head: Self.publicHead) else {
            throw SigningKeyFault("this holds no public Ed25519 key (the base64 of 32 bytes, or PEM)")
        }
        return key
    }

    static func privateKey(file: String) throws(SigningKeyFault) -> [UInt8] {
        guard let key = Self.parse(try Self.content(of: file), "PRIVATE KEY", head: Self.privateHead) else {
            throw SigningKeyFault("this holds no private Ed25519 key (PEM, or the base64 of 32 bytes)")
        }
        return key
    }

    private static func content(of file: String) throws(SigningKeyFault) -> String {
        switch ClientFiles.read(file) {
        case .success(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .failure(let fault): throw SigningKeyFault("neither the base64 of 32 bytes nor a file: \(fault.words)")
        }
    }

    private static func parse(_ text: String, _ label: String, head: [UInt8]) -> [UInt8]? {
        guard let begin = text.firstRange(of: "-----BEGIN \(label)-----"),
            let end = text.firstRange(of: "-----END \(label)-----"),
            begin.upperBound <= end.lowerBound
        else {
            let bytes = Self.decoded(text)
            return bytes?.count == 32 ? bytes : nil
        }
        guard let der = Self.decoded(text[begin.upperBound..<end.lowerBound]), der.count == head.count + 32,
            der.starts(with: head)
        else { return nil }
        return Array(der.dropFirst(head.count))
    }

    private static func decoded(_ text: some StringProtocol) -> [UInt8]? {
        Data(base64Encoded: String(text.filter { !$0.isWhitespace })).map { Array($0) }
    }

    private static func pem(_ label: String, _ der: [UInt8]) -> String {
        "-----BEGIN \(label)-----\n\(Self.base64(der))\n-----END \(label)-----\n"
    }
}

/// Why a key is none, in words for people.
struct SigningKeyFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
