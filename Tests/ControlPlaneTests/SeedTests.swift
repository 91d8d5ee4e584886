import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// The seeds' old paths: each has an example of request and answer, which is replayed here.
@Suite struct SeedTests {
    @Test func everyAliasHasAnExampleAndAnswersAsItSays() async throws {
        try await withOwnPlane { plane in
            var values = try await SeedExamples.prepare(plane)
            var shown: Set<String> = []
            for example in SeedExamples.all {
                shown.insert("\(example.method) \(example.pattern)")
                var path = example.path
                for (name, value) in values { path = path.replacing("<\(name)>", with: value) }
                let method = try #require(HTTPRequest.Method(example.method))
                let reply = try await plane.send(method, path, example.body)
                #expect(reply.status == example.status, "\(example.method) \(path): \(reply.text)")
                #expect(reply.headers[.deprecation] != nil, "\(path)")
                #expect(reply.headers[.link]?.contains("successor-version") == true, "\(path)")
                if let answer = example.answer {
                    let expected = try JSONValue(parsing: answer)
                    #expect(SeedExamples.matches(reply.json, expected), "\(example.method) \(path): \(reply.text)")
                }
                if let name = example.keeps, let id = reply["id"]?.text { values[name] = id }
            }
            for route in plane.plane.responder.routes where route.isAlias {
                let name = "\(route.method.rawValue) \(route.path)"
                #expect(
                    shown.contains(name.replacing("/api/v1/admin/jobs", with: "/admin/jobs")), "no example: \(name)")
            }
        }
    }

    @Test func aliasesRefuseAsStrictly() async throws {
        try await withPlane { plane in
            let unknown = try await plane.post("/api/jobs", "{\"type\":\"nobody\"}")
            #expect(unknown.code == "job_not_found")
            #expect(
                try await plane.post("/api/jobs", "{\"type\":\"test.echo\",\"prioritiy\":1}").places == ["/prioritiy"])
            #expect(try await plane.post("/api/jobs", "{\"type\":\"test.echo\",\"data\":\"x\"}").places == ["/data"])
            #expect(try await plane.get("/api/jobs?limit=ten").places == ["limit"])
            #expect(try await plane.get("/api/jobs?offset=10001").places == ["offset"])
            #expect(try await plane.get("/api/jobs?status=odd").places == ["status"])
            #expect(try await plane.get("/api/jobs/'%3B%20DROP%20TABLE%20run_live%3B--").status == 404)
        }
    }

    @Test func offsetsWalkTheList() async throws {
        try await withPlane { plane in
            for index in 0..<7 {
                _ = try await plane.post(
                    "/api/jobs", "{\"type\":\"test.other\",\"name\":\"n\(index)\",\"userId\":\"offset\"}")
            }
            let page = try await plane.get("/api/jobs?userId=offset&limit=3&offset=2&status=pending")
            #expect(page["jobs"]?.elements?.compactMap { $0["name"]?.text } == ["n4", "n3", "n2"])
            #expect(page["hasMore"] == .boolean(true))
            let last = try await plane.get("/api/jobs?userId=offset&limit=3&offset=6")
            #expect(last["jobs"]?.elements?.count == 1)
            #expect(last["hasMore"] == .boolean(false))
        }
    }

    @Test func failuresTellTheirStory() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            try await plane.finish(try await plane.claim(id), .failed, outcome: .crashed) {
                $0.reason = .signal
                $0.signal = 11
                $0.sentence = "It died of signal 11 (SIGSEGV)."
                $0.crash = CrashInfo(
                    signal: 11, code: 1, address: 0, pc: 0x10, threadName: "run", frames: [0x10, 0x20],
                    addressSpaceBytes: 0)
            }
            let reply = try await plane.get("/api/jobs/\(id)")
            #expect(reply["status"]?.text == "failed")
            #expect(reply["error"]?["message"]?.text?.contains("signal 11") == true)
            #expect(reply["error"]?["stack"]?.text?.contains("#1 0x20") == true)
        }
    }

    @Test func withoutThemThePathsAreGone() async throws {
        try await withOwnPlane({ $0.compatSeeds = false }) { plane in
            let gone = try await plane.get("/api/jobs")
            #expect(gone.status == 404)
            #expect(try await plane.get("/api/v1/jobs").status == 200)
        }
    }
}
