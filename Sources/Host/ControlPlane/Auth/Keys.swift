import Crypto

/// Keys that are derived from the administrator's token: they outlive a restart, and end with the token.
struct Keys: Sendable {
    let token: SymmetricKey
    let cursor: SymmetricKey
    let session: SymmetricKey
    /// Part of the cookie's name: browsers share cookies between the ports of one host, and two hosts of ours must not take
    /// each other's.
    let cookieName: String

    init(adminToken: String) {
        let root = SymmetricKey(data: Array(adminToken.utf8))
        func derive(_ purpose: String) -> SymmetricKey {
            // HKDF would do no more for one block: the token has 256 bits of its own.
            SymmetricKey(data: Array(HMAC<SHA256>.authenticationCode(for: Array(purpose.utf8), using: root)))
        }
        token = derive("pawl token v1")
        cursor = derive("pawl cursor v1")
        session = derive("pawl session v1")
        let name = HMAC<SHA256>.authenticationCode(for: Array("pawl cookie name v1".utf8), using: root)
        cookieName = "pawl_" + name.prefix(4).map { Hex.byte($0) }.joined()
        tokenCode = Array(HMAC<SHA256>.authenticationCode(for: Array(adminToken.utf8), using: token))
    }

    private let tokenCode: [UInt8]

    /// Takes the same time for every wrong token: what is compared is a keyed hash, by swift-crypto's own comparison.
    func accepts(token candidate: some StringProtocol) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(tokenCode, authenticating: Array(candidate.utf8), using: token)
    }
}

enum Hex {
    static func byte(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return byte < 16 ? "0" + text : text
    }

    static func text(_ bytes: some Sequence<UInt8>) -> String { bytes.map(byte).joined() }
}

/// The alphabet of RFC 4648 section 5, without padding: fits into URLs, cookies and headers.
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        var buffer: UInt32 = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(buffer >> UInt32(bits) & 63)])
            }
            buffer &= (1 << UInt32(bits)) - 1
        }
        if bits > 0 { text.append(alphabet[Int(buffer << UInt32(6 - bits) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for other characters, impossible lengths, and bits that say nothing and are not zero.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer: UInt32 = 0
        var bits = 0
        for character in text.utf8 {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(buffer >> UInt32(bits) & 255))
                buffer &= (1 << UInt32(bits)) - 1
            }
        }
        return bits < 6 && buffer == 0 ? bytes : nil
    }
}

extension UInt64 {
    var bigEndianBytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> UInt64(56 - 8 * $0)) } }

    init(bigEndianBytes bytes: some Collection<UInt8>) { self = bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
