import Glibc
import HTTPTypes
import JobCore
import JobStore
import NIOLibuv
import Testing
import UVLoop

@testable import ControlPlane

/// New versions over HTTP: through a file, never whole in memory, and nothing of it stays behind.
@Suite struct UploadTests {
    private static let path = "/api/v1/plugins/test/versions"

    /// What lies in the directory of uploads.
    @LoopActor
    private static func leftovers(_ plane: Harness) -> [String] {
        guard let stream = opendir(plane.uploads) else { return ["?"] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static let octets: [HTTPField.Name: String] = [.contentType: "application/octet-stream"]

    @Test func theHostGetsAFileWithTheSameBytes() async throws {
        try await withOwnPlane { plane in
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 17) }
            let signature = Base64URL.encode([UInt8](repeating: 0xfb, count: 64))
            var headers = Self.octets
            headers[.xPawlSignature] = signature.replacing("-", with: "+").replacing("_", with: "/") + "=="
            let reply = try await plane.send(
                .post, Self.path + "?file=libtest.so&canary_percent=5&reason=new", headers: headers, bytes: bytes)
            #expect(reply.status == 201 && reply["state"]?.text == "active", "\(reply.text)")
            #expect(reply.headers[.location] == "/api/v1/plugins/test")
            let seen = try #require(plane.host.uploads.first)
            #expect(seen.content == bytes && seen.upload.bytes == 3_000_000)
            #expect(seen.upload.plugin == "test" && seen.upload.fileName == "libtest.so")
            #expect(seen.upload.canary == CanaryWish(percent: 5) && seen.upload.activates && !seen.upload.force)
            #expect(seen.upload.reason == "new" && seen.upload.actor == "admin")
            #expect(seen.upload.signature == headers[.xPawlSignature])
            #expect(seen.upload.path.hasPrefix(plane.uploads + "/") && seen.upload.path.hasSuffix(".so"))
            #expect(Self.leftovers(plane).isEmpty)
        }
    }

    @Test func whatBecomesOfItIsTold() async throws {
        try await withOwnPlane { plane in
            let problem = ContractProblem(
                kind: .argsIncompatible, handler: "test.echo", where: "run run_0", words: "/a is missing")
            plane.host.proposal.state = "held"
            plane.host.proposal.problems = [problem]
            let held = try await plane.send(.post, Self.path, headers: Self.octets, bytes: [1])
            #expect(held.status == 202 && held["problems"]?.elements?.count == 1)
            plane.host.proposal.hasChanged = false
            let same = try await plane.send(.post, Self.path + "?activate=false", headers: Self.octets, bytes: [1])
            #expect(same.status == 200 && same["changed"] == .boolean(false))
            #expect(plane.host.uploads.last?.upload.activates == false)
            plane.host.pluginFault = PluginFault(.refused, "plugin_refused", "no ELF file")
            let refused = try await plane.send(.post, Self.path, headers: Self.octets, bytes: [1])
            #expect(refused.status == 422 && refused["detail"]?.text == "no ELF file")
            let manifest = try await plane.send(.post, Self.path + "?file=z.ffi.json", "{}")
            #expect(manifest.status == 422 && plane.host.uploads.last?.upload.path.hasSuffix(".ffi.json") == true)
            #expect(Self.leftovers(plane).isEmpty)
        }
    }

    @Test(arguments: [
        ("?file=../x.so", 400), ("?file=.so", 400), ("?file=x.txt", 400), ("?activate=maybe", 400),
        ("?canary_percent=0", 400), ("?canary_percent=5&canary_runs=5", 400), ("?activate=false&canary_percent=5", 400),
        ("?flie=x.so", 400),
    ])
    func wrongRequestsAreRefusedBeforeTheirBody(query: String, status: Int) async throws {
        try await withPlane { plane in
            let before = plane.host.uploads.count
            let reply = try await plane.send(.post, Self.path + query, headers: Self.octets, bytes: [1])
            #expect(reply.status == status, "\(query): \(reply.text)")
            #expect(plane.host.uploads.count == before)
        }
    }

    @Test func headersAreChecked() async throws {
        try await withPlane { plane in
            var headers = Self.octets
            headers[.xPawlSignature] = "c2hvcnQ="
            let reply = try await plane.send(.post, Self.path, headers: headers, bytes: [1])
            #expect(reply.status == 400 && reply.places == ["X-Pawl-Signature"])
            let form = try await plane.send(
                .post, Self.path, headers: [.contentType: "multipart/form-data; boundary=x"], bytes: [1])
            #expect(form.status == 415)
            #expect(try await plane.send(.post, Self.path, headers: Self.octets, bytes: []).code == "empty_body")
            #expect(try await plane.send(.post, Self.path, token: nil, bytes: [1]).status == 401)
        }
    }

    @Test(arguments: UploadPolicy.allCases)
    func whoMayUploadIsTheOperatorsDecision(policy: UploadPolicy) async throws {
        try await withOwnPlane({ $0.uploads = policy }) { plane in
            let byToken = try await plane.send(.post, Self.path, headers: Self.octets, bytes: [1])
            #expect(byToken.status == (policy == .off ? 403 : 201))
            let ticket = plane.plane.loginTicket()
            let login = try await plane.send(.get, "/login?ticket=\(ticket)", token: nil)
            let cookie = try #require(login.headers[.setCookie]?.prefix { $0 != ";" })
            var headers = Self.octets
            headers[.cookie] = String(cookie)
            headers[.secFetchSite] = "same-origin"
            let byPage = try await plane.send(.post, Self.path, token: nil, headers: headers, bytes: [1])
            #expect(byPage.status == (policy == .page ? 201 : 403), "\(byPage.text)")
            if byPage.status == 403 { #expect(byPage.code == "uploads_off") }
            headers[.secFetchSite] = "cross-site"
            #expect(
                try await plane.send(.post, Self.path, token: nil, headers: headers, bytes: [1]).code == "cross_site")
        }
    }

    // MARK: On the wire

    private static func head(_ more: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(Harness.token)\r\n"
            + "Content-Type: application/octet-stream\r\n\(more)\r\n"
    }

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
        rmdir(harness.uploads)
    }

    /// Waits until nothing lies in the directory of uploads: the end of a request that was broken off is seen later.
    private static func untilGone(_ plane: Harness) async throws {
        let deadline = LoopInstant.now.advanced(by: .seconds(20))
        while try await LoopActor.test({ Self.leftovers(plane) }) != [] {
            guard LoopInstant.now < deadline else {
                Issue.record("an upload was left behind")
                return
            }
            try await LoopClock.sleep(for: .milliseconds(5))
        }
    }

    @Test func aChunkedUploadArrives() async throws {
        try await withServer { plane, address in
            let client = try RawClient(address)
            client.send(Self.head("Transfer-Encoding: chunked\r\n"))
            let piece = [UInt8](repeating: 7, count: 65_536)
            for _ in 0..<32 { client.send(Array("10000\r\n".utf8) + piece + [13, 10]) }
            client.send("0\r\n\r\n")
            #expect(try client.answer()?.status == 201)
            #expect(await plane.host.uploads.first?.content == [UInt8](repeating: 7, count: 32 * 65_536))
            try await Self.untilGone(plane)
        }
    }

    @Test func tooLargeIsSaidAtOnceOrAsSoonAsItIs() async throws {
        try await withServer({ $0.uploadLimitBytes = 100_000 }) { plane, address in
            let told = try RawClient(address)
            told.send(Self.head("Content-Length: 100001\r\nExpect: 100-continue\r\n"))
            // Asked first: it need not send a byte.
            let answer = try told.answer()
            #expect(answer?.status == 413 || answer?.status == 100)
            let untold = try RawClient(address)
            untold.send(Self.head("Transfer-Encoding: chunked\r\n"))
            let piece = Array("10000\r\n".utf8) + [UInt8](repeating: 7, count: 65_536) + [13, 10]
            untold.send(piece)
            untold.send(piece)
            untold.send("0\r\n\r\n")
            #expect(try untold.answer()?.status == 413)
            try await Self.untilGone(plane)
            #expect(await plane.host.uploads.isEmpty)
        }
    }

    @Test func abortedUploadsLeaveNothing() async throws {
        try await withServer { plane, address in
            for isReset in [true, false] {
                let client = try RawClient(address)
                client.send(Self.head("Content-Length: 1000000\r\n"))
                client.send([UInt8](repeating: 7, count: 500_000))
                // It is being written by now.
                let deadline = LoopInstant.now.advanced(by: .seconds(20))
                while try await LoopActor.test({ Self.leftovers(plane) }) == [], LoopInstant.now < deadline {
                    try await LoopClock.sleep(for: .milliseconds(5))
                }
                if isReset { client.reset() } else { client.finishSending() }
                try await Self.untilGone(plane)
            }
            #expect(await plane.host.uploads.isEmpty)
        }
    }

    @Test func whatADeadHostLeftIsSwept() async throws {
        try await LoopActor.test {
            let harness = try await Harness()
            let left = harness.uploads + "/upload-1.so"
            let other = harness.uploads + "/mine"
            for path in [left, other] { close(open(path, O_CREAT | O_WRONLY, 0o600)) }
            _ = try harness.plane.start()
            #expect(Self.leftovers(harness) == ["mine"])
            unlink(other)
            rmdir(harness.uploads)
            await harness.plane.shutdown(grace: .zero)
            await harness.store.shutdown()
        }
    }
}
