import Glibc
import HTTPTypes
import JobCore
import JobStore
import NIOLibuv
import Testing
import UVLoop

@testable import ControlPlane

/// The whole way from a socket: what clients do on purpose, and what they do by accident.
@Suite struct WireTests {
    private static let authorization = "Authorization: Bearer \(Harness.token)\r\n"

    private static func request(_ method: String, _ path: String, _ body: String? = nil, _ headers: String = "")
        -> String
    {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(authorization)\(headers)"
        if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        return text + "\r\n" + (body ?? "")
    }

    /// A plane that listens, and its address. The body runs off the loop: it blocks.
    private func withServer(
        _ change: @escaping @Sendable (inout ControlPlaneConfiguration) -> Void = { _ in },
        _ body: @Sendable (Harness, ListenAddress) async throws -> Void
    ) async throws {
        let (harness, address) = try await LoopActor.test {
            let harness = try await Harness(change)
            return (harness, try harness.plane.start()[0])
        }
        do {
            try await body(harness, address)
        } catch {
            await harness.plane.shutdown(grace: .zero)
            throw error
        }
        await harness.plane.shutdown(grace: .seconds(5))
        await harness.store.shutdown()
    }

    @Test func keepsConnectionsAndAnswersInOrder() async throws {
        try await withServer { _, address in
            let client = try RawClient(address)
            client.send(Self.request("GET", "/livez"))
            let first = try #require(try client.answer())
            #expect(first.status == 200)
            #expect(first.text == "ok\n")
            #expect(first.headers["date"]?.hasSuffix("GMT") == true)
            // Three at once, with bodies between.
            client.send(
                Self.request("POST", "/api/v1/runs", "{\"job\":\"test.echo\",\"title\":\"one\"}")
                    + Self.request("GET", "/api/v1/nothing")
                    + Self.request("POST", "/api/v1/runs", "{\"job\":\"test.echo\",\"title\":\"two\"}"))
            #expect(try client.answer()?.text.contains("\"title\":\"one\"") == true)
            #expect(try client.answer()?.status == 404)
            #expect(try client.answer()?.text.contains("\"title\":\"two\"") == true)
            client.send(Self.request("HEAD", "/api/v1/jobs"))
            let head = try #require(try client.answer(hasBody: false))
            #expect(head.status == 200)
            #expect((head.headers["content-length"].flatMap { Int($0) } ?? 0) > 10)
            client.send(Self.request("GET", "/livez", nil, "Connection: close\r\n"))
            #expect(try client.answer()?.status == 200)
            #expect(try client.answer() == nil)
        }
    }

    @Test func chunkedBodiesAreRead() async throws {
        try await withServer { _, address in
            let client = try RawClient(address)
            client.send(
                Self.request(
                    "POST", "/api/v1/runs", nil, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"))
            for piece in ["{\"job\":", "\"test.ec", "ho\"}"] {
                client.send(String(piece.utf8.count, radix: 16) + "\r\n\(piece)\r\n")
            }
            client.send("0\r\n\r\n")
            #expect(try client.answer()?.status == 201)
        }
    }

    @Test func bodyAboveTheLimitIsAnsweredAndTheConnectionLivesOrEnds() async throws {
        try await withServer { _, address in
            let client = try RawClient(address)
            // Said at once by its length; the client sends on all the same.
            client.send(Self.request("POST", "/api/v1/runs", String(repeating: " ", count: 1_500_000)))
            #expect(try client.answer()?.status == 413)
            client.send(Self.request("GET", "/livez"))
            #expect(try client.answer()?.status == 200)
            // Without a length, and without an end: cut off.
            let endless = try RawClient(address)
            endless.send(
                Self.request(
                    "POST", "/api/v1/runs", nil, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"))
            let piece = Array("10000\r\n".utf8) + [UInt8](repeating: 32, count: 65536) + Array("\r\n".utf8)
            var pieces = 0
            while pieces < 2000, endless.send(piece) { pieces += 1 }
            #expect(pieces < 2000)
        }
    }

    @Test func asksFirstAndIsToldToGoOn() async throws {
        try await withServer { _, address in
            let client = try RawClient(address)
            let body = "{\"job\":\"test.echo\"}"
            let head =
                "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\nExpect: 100-continue\r\n"
            client.send(head + Self.authorization + "\r\n")
            #expect(try client.answer()?.status == 100)
            client.send(body)
            #expect(try client.answer()?.status == 201)
            // Without credentials nobody needs to send anything.
            let stranger = try RawClient(address)
            stranger.send(head + "\r\n")
            #expect(try stranger.answer()?.status == 401)
            #expect(try stranger.answer() == nil)
        }
    }

    @Test func followsALogToItsEnd() async throws {
        try await withServer { harness, address in
            let id = try await harness.makeRun()
            let run = try await harness.claim(id)
            try await harness.log(id, 1...3)
            let client = try RawClient(address)
            client.send(Self.request("GET", "/api/v1/runs/\(id)/logs?follow=true"))
            let head = try #require(try client.answer(hasBody: false))
            #expect(head.headers["content-type"] == "application/x-ndjson")
            #expect(head.headers["transfer-encoding"] == "chunked")
            let first = try #require(try client.chunk())
            #expect(first.count { $0 == 10 } == 3)
            try await harness.log(id, 4...5)
            await harness.host.poke(id)
            let second = try #require(try client.chunk())
            let lines = String(decoding: second, as: UTF8.self).split(separator: "\n")
            #expect(lines.count == 2)
            #expect(try JSONValue(parsing: String(lines[0]))["seq"]?.integer == 4)
            #expect(try JSONValue(parsing: String(lines[0]))["fields"]?["n"]?.integer == 4)
            try await harness.log(id, 6...6)
            try await harness.finish(run)
            await harness.host.poke(id)
            #expect(try client.chunk().map { String(decoding: $0, as: UTF8.self).contains("line 6") } == true)
            #expect(try client.chunk() == [])
            // The connection lives on.
            client.send(Self.request("GET", "/livez"))
            #expect(try client.answer()?.status == 200)
        }
    }

    @Test(arguments: [true, false])
    func aFollowerThatHangsUpIsForgottenAtOnce(politely: Bool) async throws {
        try await withServer { harness, address in
            let id = try await harness.makeRun()
            _ = try await harness.claim(id)
            var clients: [RawClient] = []
            for _ in 0..<20 {
                let client = try RawClient(address)
                client.send(Self.request("GET", "/api/v1/runs/\(id)/logs?follow=true"))
                #expect(try client.answer(hasBody: false)?.status == 200)
                clients.append(client)
            }
            try await until { await harness.host.followers(of: id) == 20 }
            if !politely { for client in clients { client.reset() } }
            clients = []
            try await until { await harness.host.followers(of: id) == 0 }
        }
    }

    @Test func aWaitEndsWithItsClient() async throws {
        try await withServer { harness, address in
            var client: RawClient? = try RawClient(address)
            client?.send(Self.request("POST", "/api/v1/runs", "{\"job\":\"test.echo\"}", "Prefer: wait=60\r\n"))
            var id: RunID?
            try await until {
                id = try await harness.get("/api/v1/runs").items.first?["id"]?.text.flatMap { RunID(parsing: $0) }
                return id != nil
            }
            let run = try #require(id)
            try await until { await harness.host.followers(of: run) == 1 }
            client = nil
            try await until { await harness.host.followers(of: run) == 0 }
        }
    }

    @Test func slowReadersHoldNobodyBack() async throws {
        try await withServer { harness, address in
            let id = try await harness.makeRun()
            let run = try await harness.claim(id)
            for start in stride(from: 1, through: 40_001, by: 10_000) {
                try await harness.log(id, start...(start + 9_999))
            }
            try await harness.finish(run)
            let lazy = try RawClient(address)
            lazy.send(Self.request("GET", "/api/v1/runs/\(id)/logs?follow=true"))
            #expect(try lazy.answer(hasBody: false)?.status == 200)
            let quick = try RawClient(address)
            for _ in 0..<20 {
                quick.send(Self.request("GET", "/livez"))
                #expect(try quick.answer()?.status == 200)
            }
            var lines = 0
            while let piece = try lazy.chunk(), !piece.isEmpty { lines += piece.count { $0 == 10 } }
            #expect(lines == 50_000)
        }
    }

    @Test func tricklersAreCutOff() async throws {
        try await withServer({
            // Not less: an answer takes its time while other suites keep the loop busy.
            $0.idleTimeout = .seconds(2)
            $0.bodyTimeout = .seconds(2)
        }) { _, address in
            let head = try RawClient(address)
            head.send("GET /livez HTTP/1.1\r\nHost: local")
            #expect(try head.answer() == nil)
            let body = try RawClient(address)
            body.send(
                "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n\(Self.authorization)Content-Type: application/json\r\n"
                    + "Content-Length: 100\r\n\r\n{")
            #expect(try body.answer() == nil)
            let idle = try RawClient(address)
            idle.send(Self.request("GET", "/livez"))
            #expect(try idle.answer()?.status == 200)
            #expect(try idle.answer() == nil)
        }
    }

    @Test func shutdownEndsStreamsAndFinishesRequests() async throws {
        try await withServer { harness, address in
            let id = try await harness.makeRun()
            _ = try await harness.claim(id)
            let follower = try RawClient(address)
            follower.send(Self.request("GET", "/api/v1/runs/\(id)/logs?follow=true"))
            #expect(try follower.answer(hasBody: false)?.status == 200)
            let idle = try RawClient(address)
            idle.send(Self.request("GET", "/livez"))
            #expect(try idle.answer()?.status == 200)
            try await until { await harness.host.followers(of: id) == 1 }
            let start = LoopInstant.now
            await harness.plane.shutdown(grace: .seconds(10))
            #expect(LoopInstant.now - start < .seconds(5))
            #expect(try follower.chunk() == [])
            #expect(try idle.answer() == nil)
            #expect(throws: RawClient.NotConnected.self) { _ = try RawClient(address) }
        }
    }

    @Test func moreConnectionsThanAllowedWait() async throws {
        try await withServer({ $0.maxConnections = 2 }) { _, address in
            var first: RawClient? = try RawClient(address)
            let second = try RawClient(address)
            for client in [first, second] {
                client?.send(Self.request("GET", "/livez"))
                #expect(try client?.answer()?.status == 200)
            }
            let third = try RawClient(address)
            third.send(Self.request("GET", "/livez"))
            first = nil
            #expect(try third.answer()?.status == 200)
            _ = second
        }
    }

    /// Whatever comes, the server answers or closes, and goes on.
    @Test func hostileInput() async throws {
        try await withServer { harness, address in
            let seed = UInt64.random(in: .min ... .max)
            var random = SplitMix(state: seed)
            let seeds = [
                Self.request("POST", "/api/v1/runs", "{\"job\":\"test.echo\",\"args\":{\"a\":[1,2,{\"b\":null}]}}"),
                Self.request("GET", "/api/v1/runs?state=failed&label.a=b&limit=10&cursor=abc"),
                Self.request("PUT", "/api/v1/schedules/sch_1", "{\"kind\":\"cron\",\"expression\":\"* * * * *\"}"),
                Self.request("GET", "/api/v1/runs/run_0000000000001/logs?tail=5"),
                "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; pawl_1=xyz\r\n\r\n",
            ]
            for round in 0..<300 {
                var bytes = Array(seeds[Int(random.next() % UInt64(seeds.count))].utf8)
                for _ in 0...(random.next() % 6) {
                    let place = Int(random.next() % UInt64(bytes.count))
                    switch random.next() % 4 {
                    case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                    case 1: bytes.remove(at: place)
                    case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                    default: bytes.removeSubrange(place..<min(bytes.count, place + 20))
                    }
                    if bytes.isEmpty { bytes = [13] }
                }
                let client = try RawClient(address)
                client.send(bytes)
                client.finishSending()
                while let answer = try client.answer() {
                    #expect(
                        (200..<500).contains(answer.status),
                        "seed \(seed) round \(round): \(answer.text) to \(String(decoding: bytes, as: UTF8.self))")
                }
            }
            let client = try RawClient(address)
            client.send(Self.request("GET", "/livez"))
            #expect(try client.answer()?.status == 200, "seed \(seed)")
            _ = harness
        }
    }

    @Test(arguments: [
        "GET /livez HTTP/1.1\r\n\r\n", "GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "a", count: 100_000))\r\n\r\n",
        "GET /\(String(repeating: "a", count: 100_000)) HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ])
    func brokenHeadsHurtNobody(head: String) async throws {
        try await withServer { _, address in
            let client = try RawClient(address)
            client.send(head)
            client.finishSending()
            while let answer = try client.answer() { #expect(answer.status < 500) }
            let next = try RawClient(address)
            next.send(Self.request("GET", "/livez"))
            #expect(try next.answer()?.status == 200)
        }
    }

    /// Waits for something that comes by itself; the bound is a safety net.
    private func until(_ line: Int = #line, _ condition: () async throws -> Bool) async throws {
        let deadline = LoopInstant.now.advanced(by: .seconds(20))
        while try await !condition() {
            try #require(LoopInstant.now < deadline, "what line \(line) waits for never came")
            try await LoopClock.sleep(for: .milliseconds(5))
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: small, and the same everywhere for a seed.
private struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
