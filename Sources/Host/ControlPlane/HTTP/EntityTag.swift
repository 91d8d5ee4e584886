import Crypto
import HTTPTypes

/// Tags of representations: a hash of the body, after the revision where a resource has one. `If-None-Match` compares the
/// whole, `If-Match` the revision only, so that what changes by itself (the next firing) stops nobody's update.
enum EntityTag {
    static func of(_ body: some Sequence<UInt8>, revision: Int64? = nil) -> String {
        let hash = Base64URL.encode(SHA256.hash(data: Array(body)).prefix(12))
        return revision.map { "\"\($0)-\(hash)\"" } ?? "\"\(hash)\""
    }

    /// Whether `If-None-Match` names `tag`: the weak comparison.
    static func matches(_ header: String, _ tag: String) -> Bool {
        list(header).contains { $0 == "*" || ($0.hasPrefix("W/") ? $0.dropFirst(2) : $0[...]) == tag }
    }

    /// The revision in `If-Match`.
    /// - Parameter isRequired: without the header: 428.
    /// - Returns: nil for `*`, or for no header where none is required.
    static func revision(_ headers: HTTPFields, isRequired: Bool) throws(Problem) -> Int64? {
        guard let header = headers[.ifMatch] else {
            guard isRequired else { return nil }
            throw Problem(
                .preconditionRequired, "if_match_required",
                "Send the ETag that you saw as If-Match, so that nobody's change is lost.",
                fields: [.init(.header("If-Match"), "required", "is missing")])
        }
        let tags = list(header)
        if tags == ["*"] { return nil }
        guard tags.count == 1, let tag = tags.first, tag.hasPrefix("\""), tag.hasSuffix("\""), tag.count > 2 else {
            throw .invalidHeader("If-Match", "malformed", "must be one ETag in quotes")
        }
        // Anything else is a tag that we never gave: no revision is below zero.
        return Int64(tag.dropFirst().prefix { $0 != "-" && $0 != "\"" }) ?? -1
    }

    private static func list(_ header: String) -> [String] {
        header.split(separator: ",").map { String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
    }
}

extension Answer {
    /// Adds the tag, and takes the body away if the client has it.
    /// - Parameter tagged: what the tag is made of, if the body has parts that should not count.
    func tagged(_ call: Call, revision: Int64? = nil, by tagged: [UInt8]? = nil) -> Answer {
        guard status == .ok, case .bytes(let bytes) = body else { return self }
        let tag = EntityTag.of(tagged ?? bytes, revision: revision)
        var answer = self
        if let known = call.headers[.ifNoneMatch], EntityTag.matches(known, tag) {
            answer = Answer(.notModified)
        } else {
            answer.headers[.cacheControl] = "private, no-cache"
        }
        answer.headers[.eTag] = tag
        return answer
    }
}
