import Crypto
import HTTPTypes
import JobCore
import JobStore

/// Where a list goes on, as an opaque text: position and filter, authenticated. A cursor that was made for another filter,
/// or by somebody else, is refused instead of leading somewhere.
enum Cursor {
    private static let version: UInt8 = 1
    private static let codeLength = 16

    static func encode(_ cursor: RunCursor, filter: String, keys: Keys) -> String {
        let payload = [version] + UInt64(bitPattern: cursor.beforeID.rawValue).bigEndianBytes + fingerprint(filter)
        return Base64URL.encode(payload + code(payload, keys))
    }

    static func decode(_ text: String, filter: String, keys: Keys) throws(Problem) -> RunCursor {
        guard let bytes = Base64URL.decode(text), bytes.count == 17 + codeLength, bytes[0] == version else {
            throw broken
        }
        let payload = Array(bytes[..<17])
        // The code is public once it was handed out; what matters is that nobody can make one.
        guard equal(code(payload, keys), Array(bytes[17...])) else { throw broken }
        guard Array(payload[9...]) == fingerprint(filter) else {
            throw Problem(
                .badRequest, "cursor_mismatch", "The cursor belongs to a list with another filter.",
                fields: [.init(.parameter("cursor"), "cursor_mismatch", "was made for another filter")])
        }
        return RunCursor(beforeID: RunID(Int64(bitPattern: UInt64(bigEndianBytes: payload[1..<9]))))
    }

    private static var broken: Problem {
        Problem(
            .badRequest, "invalid_cursor", "The cursor is none of ours, or was cut short.",
            fields: [.init(.parameter("cursor"), "invalid_cursor", "take it as it stood in next_cursor")])
    }

    private static func fingerprint(_ filter: String) -> [UInt8] {
        Array(SHA256.hash(data: Array(filter.utf8)).prefix(8))
    }

    private static func code(_ payload: [UInt8], _ keys: Keys) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: payload, using: keys.cursor).prefix(codeLength))
    }

    private static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
