import Glibc
import NIOLibuv
import Testing

/// A socket and nothing else: sends bytes, reads what comes. Blocks its thread, so never on the loop; every wait has a bound.
final class RawClient {
    private let fd: Int32
    private var buffer: [UInt8] = []

    struct Timeout: Error {}
    struct NotConnected: Error {}

    init(_ address: ListenAddress) throws {
        switch address {
        case .ip: fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        case .unix: fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        }
        try #require(fd >= 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result: Int32
        switch address {
        case .ip(_, let port):
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            result = Self.connect(fd, &name)
        case .unix(let path, _):
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
            result = Self.connect(fd, &name)
        }
        guard result == 0 else { throw NotConnected() }
    }

    private static func connect<Name>(_ fd: Int32, _ name: inout Name) -> Int32 {
        withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
    }

    deinit { close(fd) }

    /// Returns false when the other side has closed.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Ends with a reset instead of a polite end.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        shutdown(fd, Int32(SHUT_RDWR))
    }

    func finishSending() { shutdown(fd, Int32(SHUT_WR)) }

    struct Answer {
        var status: Int
        var headers: [String: String]
        var body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// One answer with its body, by Content-Length or chunks. Nil when the connection has ended.
    func answer(hasBody: Bool = true) throws -> Answer? {
        guard let head = try read(until: [13, 10, 13, 10]) else { return nil }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let status = Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].drop { $0 == " " }.description : ""
        }
        var answer = Answer(status: status, headers: headers, body: [])
        guard hasBody, status >= 200, status != 204, status != 304 else { return answer }
        if headers["transfer-encoding"] == "chunked" {
            while let chunk = try chunk(), !chunk.isEmpty { answer.body += chunk }
        } else if let length = headers["content-length"].flatMap({ Int($0) }) {
            answer.body = try read(count: length)
        }
        return answer
    }

    /// The next piece of a chunked body; empty at its end.
    func chunk() throws -> [UInt8]? {
        guard let line = try read(until: [13, 10]) else { return nil }
        guard let length = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16) else { return nil }
        let bytes = try read(count: length)
        _ = try read(count: 2)
        return bytes
    }

    private func read(until end: [UInt8]) throws -> [UInt8]? {
        while true {
            if let index = buffer.indices.first(where: { buffer[$0...].starts(with: end) }) {
                let head = Array(buffer[..<(index + end.count)])
                buffer.removeFirst(head.count)
                return head
            }
            if try !fill() { return nil }
        }
    }

    private func read(count: Int) throws -> [UInt8] {
        while buffer.count < count { guard try fill() else { break } }
        let bytes = Array(buffer.prefix(count))
        buffer.removeFirst(bytes.count)
        return bytes
    }

    private func fill() throws -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(fd, &piece, piece.count, 0)
        if count < 0, errno == EAGAIN { throw Timeout() }
        guard count > 0 else { return false }
        buffer += piece[..<count]
        return true
    }
}
