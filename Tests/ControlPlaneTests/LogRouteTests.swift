import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Search, ranges and counts of a run's log over HTTP.
@Suite struct LogRouteTests {
    private func fill(_ plane: Harness, _ id: RunID, _ count: Int64) async throws -> WallTime {
        let began = try await plane.store.databaseTime()
        try await plane.store.appendLogs(
            (1...count).map { n in
                LogInsert(
                    runID: id, attempt: 1, seq: LogSequence.number(attempt: 1, line: n),
                    line: LogLine(
                        time: began.advanced(by: .seconds(n)), level: n % 10 == 0 ? .warning : .info, stream: .handler,
                        message: "Line \(n)", fields: "{\"user\":\"u\(n % 4)\"}"))
            })
        return began
    }

    private func numbers(_ reply: Harness.Reply) -> [Int64] {
        reply.items.compactMap { ($0["seq"]?.integer).map { $0 % LogSequence.stride } }
    }

    @Test func wordsFieldsAndTimesNarrowIt() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            _ = try await plane.claim(id)
            let began = try await fill(plane, id, 40)
            func found(_ query: String) async throws -> [Int64] {
                numbers(try await plane.get("/api/v1/runs/\(id)/logs?\(query)"))
            }
            #expect(try await found("grep=lINE%201") == [1] + Array(10...19))
            #expect(try await found("grep=lINE%201&match_case=true").isEmpty)
            #expect(try await found("grep=1%24&regex=true") == [1, 11, 21, 31])
            #expect(try await found("field.user=u3&min_level=warning") == [])
            #expect(try await found("field.user=u2&min_level=warning") == [10, 30])
            #expect(try await found("attempt=1&tail=2") == [39, 40])
            #expect(try await found("attempt=2").isEmpty)
            let (from, until) = (began.advanced(by: .seconds(5)), began.advanced(by: .seconds(8)))
            #expect(try await found("since=\(from)&until=\(until)") == [5, 6, 7])
            let first = try await plane.get("/api/v1/runs/\(id)/logs?grep=line&limit=3")
            #expect(numbers(first) == [1, 2, 3] && first["complete"] == .boolean(false))
            let next = try #require(first["next_from"]?.integer)
            #expect(try await found("grep=line&limit=3&from=\(next)") == [4, 5, 6])
            let above = try await plane.get("/api/v1/runs/\(id)/logs?tail=3")
            let before = try #require(above["next_before"]?.integer)
            #expect(try await found("tail=3&before=\(before)") == [35, 36, 37])
            let counts = try await plane.get("/api/v1/runs/\(id)/logs/index")
            #expect(counts["lines"]?.integer == 40 && counts["levels"]?["warning"]?.integer == 4)
            #expect(try await plane.get("/api/v1/runs/run_0000000000000/logs/index").status == 404)
        }
    }

    @Test func faultsAreNamed() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            _ = try await plane.claim(id)
            _ = try await fill(plane, id, 1)
            let long = String(repeating: "a", count: 201)
            for (query, name, code) in [
                ("grep=", "grep", "out_of_range"), ("grep=\(long)", "grep", "out_of_range"),
                ("grep=(&regex=true", "grep", "bad_expression"), ("regex=true", "regex", "exclusive"),
                ("grep=(&regex=true&follow=true", "grep", "bad_expression"), ("grep=a&grep=b", "grep", "repeated"),
                ("match_case=true", "match_case", "exclusive"), ("since=yesterday", "since", "wrong_type"),
                ("follow=true&until=2026-01-01T00:00:00Z", "until", "exclusive"),
                ("follow=true&before=5", "before", "exclusive"),
            ] {
                let reply = try await plane.get("/api/v1/runs/\(id)/logs?\(query)")
                #expect(reply.status == 400 && reply.places == [name], "\(query)")
                #expect(reply["errors"]?.elements?.first?["code"]?.text == code, "\(query)")
            }
        }
    }

    /// A browser that has lost its connection asks again with the number of the last event: nothing is missing or doubled.
    @Test func eventsGoOnWhereTheyStopped() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            _ = try await fill(plane, id, 5)
            try await plane.finish(run)
            let path = "/api/v1/runs/\(id)/logs?follow=true&tail=2"
            let whole = try await plane.get(path, headers: [.accept: "text/event-stream"])
            #expect(whole.headers[.contentType] == "text/event-stream")
            let events = whole.text.components(of: "\n\n")
            #expect(events.count == 3)
            #expect(events[0].hasPrefix("id: 1000000004\nevent: line\ndata: {"))
            #expect(events[2] == "event: end\ndata: {}")
            let rest = try await plane.get(path, headers: [.accept: "text/event-stream", .lastEventID: "1000000002"])
            #expect(
                rest.text.components(of: "\n\n").map { $0.prefix(14) } == [
                    "id: 1000000003", "id: 1000000004", "id: 1000000005", "event: end\ndat",
                ])
            let wrong = try await plane.get(path, headers: [.accept: "text/event-stream", .lastEventID: "x"])
            #expect(wrong.places == ["Last-Event-ID"])
        }
    }

    @Test func aFollowerFiltersWhatComes() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            _ = try await fill(plane, id, 12)
            let following = loopTask {
                try await plane.get("/api/v1/runs/\(id)/logs?follow=true&min_level=warning&grep=line")
            }
            while plane.host.followers(of: id) == 0 { try await LoopClock.sleep(for: .milliseconds(2)) }
            try await plane.store.appendLogs(
                (13...25).map { n in
                    LogInsert(
                        runID: id, attempt: 1, seq: LogSequence.number(attempt: 1, line: n),
                        line: LogLine(
                            time: .init(micros: run.createdAt.micros), level: n % 10 == 0 ? .error : .info,
                            stream: .host, message: "Line \(n)"))
                })
            try await plane.finish(run)
            let text = try await following.value.text
            let seqs = try text.split(separator: "\n").compactMap {
                try JSONValue(parsing: String($0))["seq"]?.integer
            }
            #expect(seqs.map { $0 % LogSequence.stride } == [10, 20])
            // The last of those that fit, not of all.
            let last = try await plane.get(
                "/api/v1/runs/\(id)/logs?follow=true&tail=1&min_level=warning", headers: [.accept: "text/plain"])
            #expect(last.text.contains("Line 20") && last.text.split(separator: "\n").count == 1)
        }
    }
}

extension String {
    fileprivate func components(of separator: String) -> [String] {
        self.split(separator: separator, omittingEmptySubsequences: true).map(String.init)
    }
}
