/// Where a listener waits for connections.
package enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A literal IPv4 or IPv6 address, never a name: looking names up would block the loop. Port 0: any free one.
    case ip(String, port: UInt16)
    /// A Unix socket of this path, at most 107 bytes long, for the owner (mode 0600) unless `mode` says otherwise.
    case unix(path: String, mode: UInt32 = 0o600)

    /// Reads "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (IPv4's loopback), ":8080" (all of IPv4) or "unix:/path".
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        switch host {
        case "localhost": self = .ip("127.0.0.1", port: port)
        case "", "*": self = .ip("0.0.0.0", port: port)
        default: self = .ip(String(host), port: port)
        }
    }

    package var description: String {
        switch self {
        case .ip(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path, _): "unix:\(path)"
        }
    }
}
