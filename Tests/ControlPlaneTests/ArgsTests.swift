import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Arguments that are not what a job takes: told at once, wherever runs come from, and nothing is stored.
@Suite struct ArgsTests {
    private static let schema = """
        {"type":"object","required":["path"],"additionalProperties":false,
        "properties":{"path":{"type":"string"},"rows":{"type":"integer","minimum":1}}}
        """

    /// A job `etl.load` that is particular about its arguments.
    @LoopActor
    private static func prepare(_ plane: Harness) async throws {
        try await plane.store.registerHandlers(plugin: "etl", [JobUpsert(handler: "etl.load", argsSchema: schema)])
    }

    @LoopActor
    private static func runs(_ plane: Harness) async throws -> Int {
        try await plane.get("/api/v1/runs?job=etl.load").items.count
    }

    @Test func aSingleRunIsRefusedWithPointers() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let body = "{\"job\":\"etl.load\",\"args\":{\"path\":1,\"rows\":0,\"rwos\":2}}"
            let reply = try await plane.post("/api/v1/runs", body)
            #expect(reply.status == 422 && reply.code == "invalid_args", "\(reply.text)")
            #expect(Set(reply.places) == ["/args/path", "/args/rows", "/args/rwos"], "\(reply.text)")
            #expect(
                reply["errors"]?.elements?.allSatisfy { $0["code"]?.text != nil && $0["detail"]?.text != nil } == true)
            let missing = try await plane.post("/api/v1/runs", "{\"job\":\"etl.load\"}")
            #expect(missing.status == 422 && missing.code == "invalid_args")
            #expect(try await Self.runs(plane) == 0)
            let good = try await plane.post(
                "/api/v1/runs", "{\"job\":\"etl.load\",\"args\":{\"path\":\"x\",\"rows\":2}}")
            #expect(good.status == 201, "\(good.text)")
        }
    }

    /// Too large to be looked at without holding the loop: taken, and said.
    @Test func whatNobodyLookedAtIsSaid() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let large = "{\"path\":\"\(String(repeating: "x", count: 70_000))\"}"
            let body = "{\"job\":\"etl.load\",\"args\":\(large)}"
            let reply = try await plane.post("/api/v1/runs", body)
            #expect(reply.status == 201 && reply["args_unchecked"] == .boolean(true))
            let minimal = try await plane.post("/api/v1/runs", body, headers: [.prefer: "return=minimal"])
            #expect(minimal["args_unchecked"] == .boolean(true))
            let batch = try await plane.post(
                "/api/v1/runs/batch",
                "{\"items\":[\(body),{\"job\":\"etl.load\",\"args\":{\"path\":\"x\"}},"
                    + "{\"job\":\"test.echo\",\"args\":\(large)}]}", headers: [.idempotencyKey: "\"u\""])
            #expect(batch.status == 201, "\(batch.text.prefix(300))")
            #expect(batch["items"]?.elements?.map { $0["args_unchecked"] } == [.boolean(true), nil, nil])
            // Of a schedule when it is made and when it is replaced; what it says of itself later has the same tag.
            let schedule =
                "{\"job\":\"etl.load\",\"kind\":\"interval\",\"spec\":{\"every_ms\":60000},\"args\":\(large)}"
            let made = try await plane.post("/api/v1/schedules", schedule)
            #expect(made.status == 201 && made["args_unchecked"] == .boolean(true), "\(made.text.prefix(300))")
            let id = try #require(made["id"]?.text)
            let path = "/api/v1/schedules/\(id)"
            let shown = try await plane.get(path)
            #expect(shown["args_unchecked"] == nil && shown.headers[.eTag] == made.headers[.eTag])
            let tag = try #require(shown.headers[.eTag])
            let replaced = try await plane.send(.put, path, schedule, headers: [.ifMatch: tag])
            #expect(replaced.status == 200 && replaced["args_unchecked"] == .boolean(true))
            let small = schedule.replacing(large, with: "{\"path\":\"x\"}")
            let checked = try await plane.send(.put, path, small, headers: [.ifMatch: "*"])
            #expect(checked.status == 200 && checked["args_unchecked"] == nil, "\(checked.text.prefix(300))")
        }
    }

    @Test func anItemOfABatchAnswersForItself() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let items =
                "[{\"job\":\"etl.load\",\"args\":{\"path\":\"x\"}},{\"job\":\"etl.load\",\"args\":{\"path\":2}},"
                + "{\"job\":\"test.echo\",\"args\":{\"path\":2}}]"
            let whole = try await plane.post(
                "/api/v1/runs/batch", "{\"items\":\(items)}", headers: [.idempotencyKey: "\"whole\""])
            #expect(whole.status == 422 && whole.code == "invalid_args" && whole.places == ["/items/1/args/path"])
            #expect(try await Self.runs(plane) == 0)
            let reply = try await plane.post(
                "/api/v1/runs/batch", "{\"mode\":\"per_item\",\"items\":\(items)}", headers: [.idempotencyKey: "\"k\""])
            #expect(
                reply.status == 207 && reply["count"]?.integer == 2 && reply["refused"]?.integer == 1, "\(reply.text)")
            let refused = try #require(reply["items"]?.elements?[1])
            #expect(refused["code"]?.text == "invalid_args" && refused["id"] == .null)
            #expect(refused["errors"]?.elements?.first?["pointer"]?.text == "/items/1/args/path")
            #expect(try await Self.runs(plane) == 1)
        }
    }

    @Test func schedulesAreRefusedToo() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            func body(_ args: String) -> String {
                "{\"job\":\"etl.load\",\"kind\":\"interval\",\"spec\":{\"every_ms\":60000},\"queue_ms\":5000,\"args\":\(args)}"
            }
            let wrong = try await plane.post("/api/v1/schedules", body("{\"rows\":1}"))
            #expect(wrong.status == 422 && wrong.code == "invalid_args", "\(wrong.text)")
            let made = try await plane.post("/api/v1/schedules", body("{\"path\":\"x\"}"))
            #expect(made.status == 201 && made["queue_ms"]?.integer == 5000, "\(made.text)")
            let id = try #require(made["id"]?.text)
            let changed = try await plane.send(
                .put, "/api/v1/schedules/\(id)", body("{\"path\":2}"), headers: [.ifMatch: "*"])
            #expect(changed.status == 422 && changed.places == ["/args/path"], "\(changed.text)")
        }
    }

    @Test func retriesWithOtherArgumentsAreRefused() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let id = try await plane.makeRun("{\"job\":\"etl.load\",\"queue\":\"retries\",\"args\":{\"path\":\"x\"}}")
            try await plane.finish(try await plane.claim(id), .failed, outcome: .error)
            let path = "/api/v1/runs/\(id)/retry"
            let overrides = try await plane.post(path, "{\"data_overrides\":{\"rows\":\"many\"}}")
            #expect(overrides.status == 422 && overrides.places == ["/data_overrides/rows"], "\(overrides.text)")
            let args = try await plane.post(path, "{\"args\":{}}")
            #expect(args.status == 422 && args.code == "invalid_args", "\(args.text)")
            let seed = try await plane.post(
                "/admin/jobs/retry/retries/\(id)", "{\"dataOverrides\":{\"rows\":\"many\"}}")
            #expect(seed.status == 422 && seed.places == ["/dataOverrides/rows"], "\(seed.text)")
            #expect(try await plane.post(path, "{\"data_overrides\":{\"rows\":3},\"queue_ms\":1000}").status == 201)
        }
    }

    @Test func theOldPathsNameTheirOwnField() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let reply = try await plane.post("/api/jobs", "{\"type\":\"etl.load\",\"data\":{\"path\":1}}")
            #expect(reply.status == 422 && reply.places == ["/data/path"], "\(reply.text)")
            let schedule = try await plane.post(
                "/api/jobs/schedules",
                "{\"job_id\":\"etl.load\",\"kind\":\"interval\",\"spec\":{\"every_ms\":60000},\"parameters\":{\"path\":1}}"
            )
            #expect(schedule.status == 422 && schedule.code == "invalid_args", "\(schedule.text)")
            #expect(try await Self.runs(plane) == 0)
        }
    }
}
