import Crypto
import HTTPTypes

/// `Prefer` (RFC 7240), as far as we know it.
struct Preference: Sendable {
    /// Seconds to wait for the run's end.
    var wait: Int?
    var isMinimal = false

    /// Longer waits are cut: who wants more asks again.
    static let longestWait = 60

    init(_ headers: HTTPFields) {
        for field in headers[values: .prefer] {
            for part in field.split(separator: ",") {
                let words = part.filter { $0 != " " }.lowercased()
                if words.hasPrefix("wait="), let seconds = Int(words.dropFirst(5)), seconds >= 0 {
                    wait = min(seconds, Self.longestWait)
                } else if words == "return=minimal" {
                    isMinimal = true
                }
            }
        }
    }

    /// What `Preference-Applied` says; nil for nothing.
    var applied: String? {
        let parts = [wait.map { "wait=\($0)" }, isMinimal ? "return=minimal" : nil].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}

/// `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a string in quotes, or, as many clients send it, without.
enum IdempotencyKey {
    static func read(_ headers: HTTPFields) throws(Problem) -> String? {
        guard let field = headers[.idempotencyKey] else { return nil }
        var text = field[...]
        if text.hasPrefix("\"") {
            guard text.count >= 2, text.hasSuffix("\"") else {
                throw .invalidHeader("Idempotency-Key", "malformed", "the quotes do not match")
            }
            text = text.dropFirst().dropLast()
        }
        guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x22 })
        else {
            throw .invalidHeader("Idempotency-Key", "malformed", "must be 1 to 255 visible ASCII characters")
        }
        return String(text)
    }

    /// What the key stands for: the same key with another request is a mistake.
    static func fingerprint(_ call: Call) -> String {
        var hash = SHA256()
        for part in [call.method.rawValue, call.path, call.principal.name] {
            hash.update(data: Array(part.utf8) + [0])
        }
        hash.update(data: call.body)
        return Hex.text(hash.finalize())
    }
}
