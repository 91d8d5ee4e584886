import Glibc
import NIOCore
import NIOLibuv
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(1))) struct ListenerTests {
    @Test func addressesAreRead() {
        #expect(ListenAddress("127.0.0.1:80") == .ip("127.0.0.1", port: 80))
        #expect(ListenAddress("[::1]:8080") == .ip("::1", port: 8080))
        #expect(ListenAddress("localhost:0") == .ip("127.0.0.1", port: 0))
        #expect(ListenAddress(":9") == .ip("0.0.0.0", port: 9))
        #expect(ListenAddress("unix:/run/pawl.sock") == .unix(path: "/run/pawl.sock"))
        for text in ["", "80", "::1:80", "unix:", "a:b", "a:70000"] { #expect(ListenAddress(text) == nil) }
        #expect(ListenAddress.ip("::1", port: 8).description == "[::1]:8")
    }

    @Test func aTakenPortIsAClearError() async throws {
        try await LoopActor.test {
            let first = try TestServer { _ in }
            #expect(first.listener.localAddress.port != 0)
            #expect {
                try TestServer(on: first.listener.localAddress) { _ in }
            } throws: {
                ($0 as? LoopError)?.code == EADDRINUSE && "\($0)".contains("EADDRINUSE")
            }
        }
    }

    @Test func wrongAddressesAreErrors() async throws {
        try await LoopActor.test {
            for (address, code) in [
                (ListenAddress.ip("not an address", port: 0), EINVAL),
                (.ip("192.0.2.1", port: 0), EADDRNOTAVAIL),
                (.unix(path: String(repeating: "x", count: 200)), ENAMETOOLONG),
                (.unix(path: "/nowhere/at/all/socket"), ENOENT),
            ] {
                #expect {
                    try TestServer(on: address) { _ in }
                } throws: { error in
                    // libuv reports a missing directory as EACCES.
                    (error as? LoopError)?.code == code || (code == ENOENT && (error as? LoopError)?.code == EACCES)
                }
            }
        }
    }

    @Test func aUnixSocketIsPrivateReplacesADeadOneAndGoesWithItsListener() async throws {
        try await LoopActor.test {
            let path = TemporaryPath()
            let address = ListenAddress.unix(path: path.socket)
            let first = try TestServer(on: address) { _ in }
            var status = stat()
            #expect(stat(path.socket, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            // It answers, so it is not dead.
            #expect { try TestServer(on: address) { _ in } } throws: { ($0 as? LoopError)?.code == EADDRINUSE }
            first.close()
            #expect(access(path.socket, F_OK) != 0)

            // What a killed process leaves behind.
            let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var target = sockaddr_un()
            target.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path.socket.utf8) }
            let bound = withUnsafeBytes(of: &target) { bytes in
                bind(dead, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
            }
            try #require(bound == 0)
            close(dead)
            let second = try TestServer(on: address) { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            let peer = try second.connect()
            try await peer.send("alive")
            #expect(try await peer.receiveText(5) == "alive")
        }
    }

    @Test func threeHundredConnectionsAtOnce() async throws {
        try await LoopActor.test {
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            let clients = (0..<300).map { number in
                loopTask {
                    let peer = try server.connect()
                    for round in 0..<5 {
                        let text = "connection \(number) round \(round)"
                        try await peer.send(text)
                        #expect(try await peer.receiveText(text.utf8.count) == text)
                    }
                    peer.close()
                }
            }
            for client in clients { try await client.value }
            for index in 0..<300 { try await server.channel(index).closeFuture.get() }
            for _ in 0..<100 where server.listener.connectionCount > 0 {
                try await LoopClock.sleep(for: .milliseconds(1))
            }
            #expect(server.listener.connectionCount == 0)
        }
    }

    @Test func connectionsAboveTheLimitWait() async throws {
        try await LoopActor.test {
            let server = try TestServer(maxConnections: 2) {
                try $0.pipeline.syncOperations.addHandler(EchoHandler())
            }
            let peers = try (0..<5).map { _ in try server.connect() }
            for peer in peers { try await peer.send("x") }
            _ = try await peers[0].receive(1)
            _ = try await peers[1].receive(1)
            try await LoopClock.sleep(for: .milliseconds(10))
            #expect(server.listener.connectionCount == 2)
            // Each end lets the next one in.
            for index in 2..<5 {
                peers[index - 2].close()
                #expect(try await peers[index].receive(1) == [0x78])
                #expect(server.listener.connectionCount <= 2)
            }
        }
    }

    @Test func closingTheListenerKeepsItsConnections() async throws {
        try await LoopActor.test {
            let server = try TestServer { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            let peer = try server.connect()
            _ = await server.channel()
            server.close()
            server.close()
            #expect(throws: LoopError.self) { try server.connect() }
            try await peer.send("still")
            #expect(try await peer.receiveText(5) == "still")
        }
    }
}
