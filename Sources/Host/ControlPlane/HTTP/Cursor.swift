import Crypto
import HTTPTypes
import JobCore
import JobStore

/// Where a list goes on, as an opaque text: position and filter, authenticated. A cursor that was made for another filter,
/// or by somebody else, is refused instead of leading somewhere.
enum Cursor {
    private static let version: UInt8 = 1
    private static let codeLength = 16
    private static let fingerprintLength = 8

    static func encode(_ cursor: RunCursor, filter: String, keys: Keys) -> String {
        seal(UInt64(bitPattern: cursor.beforeID.rawValue).bigEndianBytes, filter: filter, keys: keys)
    }

    static func decode(_ text: String, filter: String, keys: Keys) throws(Problem) -> RunCursor {
        let place = try open(text, filter: filter, keys: keys)
        guard place.count == 8 else { throw broken }
        return RunCursor(beforeID: RunID(Int64(bitPattern: UInt64(bigEndianBytes: place[...]))))
    }

    static func encode(_ cursor: ErrorGroupCursor, filter: String, keys: Keys) -> String {
        let time = UInt64(bitPattern: cursor.lastSeenAt.micros).bigEndianBytes
        return seal(time + Array(cursor.fingerprint.utf8), filter: groups + filter, keys: keys)
    }

    static func decodeGroup(_ text: String, filter: String, keys: Keys) throws(Problem) -> ErrorGroupCursor {
        let place = try open(text, filter: groups + filter, keys: keys)
        guard place.count > 8, let fingerprint = String(validating: place[8...], as: UTF8.self) else { throw broken }
        let time = Int64(bitPattern: UInt64(bigEndianBytes: place[..<8]))
        return ErrorGroupCursor(lastSeenAt: WallTime(micros: time), fingerprint: fingerprint)
    }

    static func encode(audit id: Int64, filter: String, keys: Keys) -> String {
        seal(UInt64(bitPattern: id).bigEndianBytes, filter: audit + filter, keys: keys)
    }

    static func decodeAudit(_ text: String, filter: String, keys: Keys) throws(Problem) -> Int64 {
        let place = try open(text, filter: audit + filter, keys: keys)
        guard place.count == 8 else { throw broken }
        return Int64(bitPattern: UInt64(bigEndianBytes: place[...]))
    }

    /// Keeps cursors of one kind of list out of the other.
    private static let groups = "error-groups "
    private static let audit = "audit "

    // MARK: Any place

    private static func seal(_ place: [UInt8], filter: String, keys: Keys) -> String {
        let payload = [version] + place + fingerprint(filter)
        return Base64URL.encode(payload + code(payload, keys))
    }

    private static func open(_ text: String, filter: String, keys: Keys) throws(Problem) -> [UInt8] {
        guard let bytes = Base64URL.decode(text), bytes.count > 1 + fingerprintLength + codeLength,
            bytes[0] == version
        else { throw broken }
        let payload = Array(bytes.dropLast(codeLength))
        // The code is public once it was handed out; what matters is that nobody can make one.
        guard equal(code(payload, keys), Array(bytes.suffix(codeLength))) else { throw broken }
        guard Array(payload.suffix(fingerprintLength)) == fingerprint(filter) else {
            throw Problem(
                .badRequest, "cursor_mismatch", "The cursor belongs to a list with another filter.",
                fields: [.init(.parameter("cursor"), "cursor_mismatch", "was made for another filter")])
        }
        return Array(payload.dropFirst().dropLast(fingerprintLength))
    }

    private static var broken: Problem {
        Problem(
            .badRequest, "invalid_cursor", "The cursor is none of ours, or was cut short.",
            fields: [.init(.parameter("cursor"), "invalid_cursor", "take it as it stood in next_cursor")])
    }

    private static func fingerprint(_ filter: String) -> [UInt8] {
        Array(SHA256.hash(data: Array(filter.utf8)).prefix(fingerprintLength))
    }

    private static func code(_ payload: [UInt8], _ keys: Keys) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: payload, using: keys.cursor).prefix(codeLength))
    }

    private static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
