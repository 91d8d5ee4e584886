import JobCore
package import UVLoop

/// Where the keys of JSON Web Tokens come from.
package enum JWTKeySource: Sendable, Hashable {
    case file(String)
    /// By HTTPS; by HTTP from this machine only.
    case address(String)

    /// Nil for an address that must not be asked: what comes by HTTP over a network is anybody's.
    package init?(_ text: String) {
        guard text.contains("://") else {
            self = .file(text)
            return
        }
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        let authority = parts[1].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        // A password would stand in logs.
        guard !authority.isEmpty, !authority.contains("@"), !text.contains("#"),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") })
        else { return nil }
        switch parts[0].lowercased() {
        case "https": break
        case "http": guard Self.isLoopback(authority) else { return nil }
        default: return nil
        }
        self = .address(text)
    }

    /// What is said of it in logs.
    var words: String {
        switch self {
        case .file(let path): path
        case .address(let url): url
        }
    }

    /// Literal addresses of this machine, and the one name that the resolver must give none other (RFC 6761).
    private static func isLoopback(_ authority: Substring) -> Bool {
        if authority.hasPrefix("[") { return authority == "[::1]" || authority.hasPrefix("[::1]:") }
        let host = authority.prefix { $0 != ":" }.lowercased()
        if host == "localhost" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }

    /// Nil if the file cannot be read, is no JWK set, or holds no key that counts.
    static func keys(ofFile path: String) -> [JWTKey]? { SmallFile.read(path).flatMap(keys(of:)) }

    /// Nil if it is no JWK set, or holds no key that counts.
    static func keys(of bytes: [UInt8]) -> [JWTKey]? {
        guard bytes.count <= SmallFile.limit, let text = String(validating: bytes, as: UTF8.self),
            let keys = JWTKey.set(text), !keys.isEmpty
        else { return nil }
        return keys
    }
}

/// Gets what is at an address, at most a megabyte, within seconds; follows nothing.
@LoopActor
package protocol JWTKeyFetching: Sendable {
    func fetch(_ url: String) async throws(KeyFetchFault) -> [UInt8]
}

/// Why keys were not got. For the log: says nothing of what came.
package struct KeyFetchFault: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
