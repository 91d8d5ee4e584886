import JobCore
import JobStore
import UVLoop

@testable import ControlPlane

/// One request to an old path, and what it is answered.
struct SeedExample: Sendable {
    var method: String
    /// As the route has it.
    var pattern: String
    /// With `<name>` for what came up before.
    var path: String
    var body: String?
    var status: Int
    /// JSON; `"*"` stands for anything, and members that are not named may be there too.
    var answer: String?
    /// Remembers the answer's `id` under this name.
    var keeps: String?

    init(
        _ method: String, _ pattern: String, at path: String? = nil, body: String? = nil, _ status: Int,
        _ answer: String? = nil, keeps: String? = nil
    ) {
        self.method = method
        self.pattern = pattern
        self.path = path ?? pattern
        self.body = body
        self.status = status
        self.answer = answer
        self.keeps = keeps
    }
}

enum SeedExamples {
    /// In this order: later ones use what earlier ones made.
    static let all: [SeedExample] = [
        // S1: background jobs
        SeedExample(
            "POST", "/api/jobs",
            body: """
                {"type":"test.echo","name":"Nap","description":"A short one","data":{"ms":20},"priority":5,"maxAttempts":3,
                 "userId":"user-1","organizationId":"org-1"}
                """, 201, #"{"id":"*"}"#, keeps: "job"),
        SeedExample(
            "GET", "/api/jobs/{id}", at: "/api/jobs/<job>", 200,
            """
            {"id":"*","type":"test.echo","name":"Nap","description":"A short one","status":"pending","data":{"ms":20},
             "priority":5,"maxAttempts":3,"attemptsMade":0,"progress":null,"result":null,"error":null,"userId":"user-1",
             "organizationId":"org-1","createdAt":"*","startedAt":null,"completedAt":null}
            """),
        SeedExample(
            "GET", "/api/jobs", at: "/api/jobs?type=test.echo&status=pending&limit=20&offset=0", 200,
            #"{"jobs":[{"id":"*","type":"test.echo","status":"pending"}],"limit":20,"offset":0,"hasMore":false}"#),
        SeedExample(
            "GET", "/api/jobs/stats", 200,
            #"{"total":"*","pending":1,"active":1,"completed":0,"failed":1,"cancelled":0,"successRate":"*","failureRate":"*"}"#
        ),
        SeedExample(
            "PATCH", "/api/jobs/{id}/cancel", at: "/api/jobs/<job>/cancel", 200,
            #"{"success":true,"id":"*","status":"cancelled","message":"*"}"#),
        SeedExample(
            "POST", "/api/jobs/{id}/retry", at: "/api/jobs/<job>/retry", body: "{}", 200,
            #"{"success":true,"id":"*","retryOf":"*","status":"pending"}"#),
        // S0: queues
        SeedExample(
            "GET", "/api/queues/status", 200,
            #"{"queues":"*","timestamp":"*"}"#),
        SeedExample(
            "GET", "/api/queues/{queueName}", at: "/api/queues/q-seeds", 200,
            #"{"name":"q-seeds","waiting":0,"active":1,"completed":0,"failed":1,"delayed":0,"paused":false,"activeJobs":[{"id":"*"}]}"#
        ),
        // S3: monitoring
        SeedExample(
            "GET", "/admin/jobs/metrics", 200,
            """
            {"timestamp":"*","queues":"*","totals":{"waiting":"*","active":1,"completed":0,"failed":1,"delayed":0},
             "successRate":"*","processingRate":"*"}
            """),
        SeedExample("GET", "/admin/jobs/alerts/stuck", 200, "[]"),
        SeedExample(
            "PATCH", "/admin/jobs/queue/{queueName}/pause", at: "/admin/jobs/queue/q-seeds/pause", 200,
            #"{"success":true,"queueName":"q-seeds","message":"Queue q-seeds is now paused."}"#),
        SeedExample(
            "PATCH", "/admin/jobs/queue/{queueName}/resume", at: "/api/v1/admin/jobs/queue/q-seeds/resume", 200,
            #"{"success":true,"queueName":"q-seeds","message":"Queue q-seeds is now running."}"#),
        SeedExample(
            "POST", "/admin/jobs/retry/{queueName}/{jobId}", at: "/admin/jobs/retry/q-seeds/<failed>",
            body: """
                {"priority":1,"attempts":5,"backoff":{"type":"exponential","delay":5000},"dataOverrides":{"a":2},
                 "removeOriginal":false}
                """, 200, #"{"success":true,"newJobId":"*","message":"*"}"#),
        // S4: safety
        SeedExample("GET", "/api/jobs/safety/health", 200, #"{"verdict":"ok","checks":"*"}"#),
        SeedExample(
            "POST", "/api/jobs/safety/cleanup-stale", body: "{}", 200,
            #"{"dry_run":false,"count":0,"older_than_ms":21600000}"#),
        SeedExample(
            "POST", "/api/jobs/safety/terminate/{id}", at: "/api/jobs/safety/terminate/<active>", 202,
            #"{"changed":true,"state":"running"}"#),
        // S4: schedules
        SeedExample(
            "POST", "/api/jobs/schedules",
            body: """
                {"job_id":"test.echo","name":"Weekly","kind":"calendar","spec":{"weekdays":["mon"],"time":"07:00"},
                 "timezone":"Europe/Berlin","max_executions":10,"end_date":"2099-01-01T00:00:00Z","parameters":{"a":1}}
                """, 201, #"{"id":"*","job":"test.echo","max_runs":10,"next_at":"*","args":{"a":1}}"#, keeps: "schedule"
        ),
        SeedExample(
            "GET", "/api/jobs/{id}/schedules", at: "/api/jobs/<failed>/schedules", 200,
            #"{"schedules":[{"name":"Weekly"}],"count":1}"#
        ),
        SeedExample(
            "GET", "/api/jobs/schedules/{id}", at: "/api/jobs/schedules/<schedule>", 200,
            #"{"name":"Weekly","kind":"calendar"}"#),
        SeedExample(
            "PUT", "/api/jobs/schedules/{id}", at: "/api/jobs/schedules/<schedule>",
            body: #"{"job":"test.echo","name":"Daily","kind":"cron","spec":{"expression":"0 7 * * *"}}"#, 200,
            #"{"name":"Daily","spec":{"expression":"0 7 * * *"}}"#),
        SeedExample("GET", "/api/jobs/schedules/due/list", 200, #"{"schedules":"*","count":"*"}"#),
        SeedExample("DELETE", "/api/jobs/schedules/{id}", at: "/api/jobs/schedules/<schedule>", 204),
        // S3 again: what came up before is over now
        SeedExample(
            "DELETE", "/admin/jobs/queue/{queueName}/clear", at: "/admin/jobs/queue/q-seeds/clear?type=completed", 200,
            #"{"success":true,"queueName":"q-seeds","cleared":0,"message":"*"}"#),
        SeedExample(
            "DELETE", "/admin/jobs/queue/{queueName}/clear", at: "/api/v1/admin/jobs/queue/q-seeds/clear", 200,
            #"{"success":true,"queueName":"q-seeds","cleared":1,"message":"*"}"#),
    ]

    /// One run that has failed and one that is active, both in a queue of their own.
    @LoopActor
    static func prepare(_ plane: Harness) async throws -> [String: String] {
        let body = "{\"job\":\"test.echo\",\"queue\":\"q-seeds\",\"args\":{\"a\":1}}"
        let failed = try await plane.makeRun(body)
        try await plane.finish(try await plane.claim(failed), .failed, outcome: .error)
        let active = try await plane.makeRun(body)
        _ = try await plane.claim(active)
        return ["failed": failed.description, "active": active.description]
    }

    static func matches(_ value: JSONValue, _ expected: JSONValue) -> Bool {
        switch expected {
        case .string("*"): return true
        case .object(let members):
            return members.allSatisfy { member in value[member.key].map { matches($0, member.value) } ?? false }
        case .array(let elements):
            guard let found = value.elements, found.count == elements.count else { return false }
            return zip(found, elements).allSatisfy { matches($0, $1) }
        default: return value == expected
        }
    }
}
