import HTTPTypes
import JobCore
import Postgres
import Testing
import UVLoop

@testable import ControlPlane
@testable import JobStore

/// Calendars, state from files, imports and exports over HTTP.
@Suite struct CalendarTests {
    @Test func lifeOfACalendar() async throws {
        try await withOwnPlane { plane in
            let made = try await plane.post(
                "/api/v1/calendars", #"{"name":"holidays","description":"Here","dates":["2026-12-25"]}"#)
            #expect(made.status == 201 && made.headers[.location] == "/api/v1/calendars/holidays", "\(made.text)")
            let path = "/api/v1/calendars/holidays"
            let tag = try #require(try await plane.get(path).headers[.eTag])
            #expect(made.headers[.eTag] == tag)
            #expect(try await plane.post("/api/v1/calendars", #"{"name":"holidays"}"#).code == "calendar_exists")
            let body =
                #"{"dates":["2026-12-24/2026-12-26"],"intervals":[{"from":"2026-05-01T08:00","to":"2026-05-01T09:00"}]}"#
            #expect(try await plane.send(.put, path, body).status == 428)
            let changed = try await plane.send(.put, path, body, headers: [.ifMatch: tag])
            #expect(changed.status == 200 && changed["dates"]?.elements?.count == 1, "\(changed.text)")
            #expect(try await plane.send(.put, path, body, headers: [.ifMatch: tag]).status == 412)
            // Named by a schedule it stays.
            let schedule =
                #"{"name":"s","job":"test.echo","kind":"cron","expression":"@daily","calendars":["holidays"]}"#
            #expect(try await plane.post("/api/v1/schedules", schedule).status == 201)
            #expect(try await plane.get(path)["schedules"]?.integer == 1)
            let used = try await plane.send(.delete, path, headers: [.ifMatch: "*"])
            #expect(
                used.status == 409 && used.code == "calendar_in_use" && used.text.contains("named by the schedules s"),
                "\(used.text)"
            )
            #expect(try await plane.send(.delete, "/api/v1/schedules/s", headers: [.ifMatch: "*"]).status == 204)
            #expect(try await plane.send(.delete, path, headers: [.ifMatch: "*"]).status == 204)
            #expect(try await plane.get(path).status == 404)
            let gone = try await plane.post("/api/v1/schedules", schedule)
            #expect(gone.status == 422 && gone.places == ["/calendars/0"], "\(gone.text)")
        }
    }

    @Test func icalendarFilesAreImported() async throws {
        try await withOwnPlane { plane in
            let ics = """
                BEGIN:VCALENDAR\\r\\nBEGIN:VEVENT\\r\\nDTSTART;VALUE=DATE:20261225\\r\\nRRULE:FREQ=YEARLY\\r\\nEND:VEVENT\\r\\n\
                BEGIN:VEVENT\\r\\nDTSTART:20260501T080000Z\\r\\nDURATION:PT1H\\r\\nEND:VEVENT\\r\\nEND:VCALENDAR\\r\\n
                """
            let path = "/api/v1/calendars/holidays"
            let made = try await plane.send(
                .put, path, "{\"ics\":\"\(ics)\",\"until\":\"2028-06-01T00:00:00Z\"}", headers: [.ifNoneMatch: "*"])
            #expect(made.status == 201, "\(made.text)")
            #expect(made["dates"]?.elements?.compactMap(\.text) == ["2026-12-25", "2027-12-25"])
            #expect(made["intervals"]?.elements?.first?["to"]?.text == "2026-05-01T09:00:00.000000Z")
            let file = try await plane.get(path + "?format=ics")
            #expect(file.headers[.contentType]?.hasPrefix("text/calendar") == true)
            #expect(file.text.contains("DTSTART;VALUE=DATE:20271225"))
            let bad = try await plane.post("/api/v1/calendars", #"{"name":"x","ics":"BEGIN:VEVENT"}"#)
            #expect(bad.status == 422 && bad.places == ["/ics"], "\(bad.text)")
            let both = try await plane.post("/api/v1/calendars", #"{"name":"x","ics":"","dates":[]}"#)
            #expect(both.status == 422 && both.places.contains("/dates"))
        }
    }

    @Test func aCrontabIsImportedOnce() async throws {
        try await withOwnPlane { plane in
            try await plane.store.registerHandlers(plugin: "shell", [JobUpsert(handler: "shell.exec")])
            let crontab = """
                MAILTO=me@example.org\\nPATH=/usr/bin\\n# Each night\\n30 2 * * * /usr/local/bin/backup.sh --all\\n\
                CRON_TZ=Europe/Berlin\\n@daily mail me%Hello\\n@daily mail me%Hello\\n
                """
            let body = "{\"text\":\"\(crontab)\""
            let plan = try await plane.post("/api/v1/schedules/import", body + ",\"dry_run\":true}")
            #expect(plan.status == 200 && plan["count"]?.integer == 3, "\(plan.text)")
            #expect(try await plane.get("/api/v1/schedules").items.isEmpty)
            let name = try #require(plan["plan"]?.text)
            let done = try await plane.post("/api/v1/schedules/import", body + ",\"plan\":\"\(name)\"}")
            #expect(done.status == 200 && done["count"]?.integer == 3, "\(done.text)")
            let rows = try await plane.get("/api/v1/schedules").items
            let backup = try #require(rows.first { $0["name"]?.text?.hasPrefix("backupsh-") == true })
            #expect(backup["description"]?.text == "Each night" && backup["timezone"]?.text == "UTC")
            #expect(backup["args"]?["argv"]?.json == #"["/bin/sh","-c","/usr/local/bin/backup.sh --all"]"#)
            #expect(backup["args"]?["env"]?.json == #"["PATH=/usr/bin"]"#)
            #expect(backup["catch_up"]?["policy"]?.text == "none")
            let mails = rows.filter { $0["name"]?.text?.hasPrefix("mail-") == true }
            #expect(mails.count == 2 && mails.allSatisfy { $0["args"]?["stdin"]?.text == "Hello\n" })
            #expect(mails.allSatisfy { $0["timezone"]?.text == "Europe/Berlin" })
            let again = try await plane.post("/api/v1/schedules/import", body + "}")
            #expect(again["count"]?.integer == 0 && again["unchanged"]?.integer == 3, "\(again.text)")
            // Back again, as somebody would have written it.
            let exported = try await plane.get("/api/v1/schedules/export?format=crontab").text
            #expect(exported.contains("30 2 * * * /usr/local/bin/backup.sh --all\n"), "\(exported)")
            #expect(exported.contains("CRON_TZ=Europe/Berlin\n@daily mail me%Hello\n"))
            #expect(exported.contains("PATH=\"/usr/bin\"\n# Each night\n30 2"))
            let text = JSONValue.string(exported).json
            let round = try await plane.post("/api/v1/schedules/import", "{\"text\":\(text)}")
            #expect(round["count"]?.integer == 0 && round["unchanged"]?.integer == 3, "\(round.text)")
            let faulty = "{\"text\":\"0 0 32 * * bad\\n@daily good\"}"
            let refused = try await plane.post("/api/v1/schedules/import", faulty)
            #expect(refused.status == 422 && refused.text.contains("line 1: "), "\(refused.text)")
            let partly = try await plane.post(
                "/api/v1/schedules/import", faulty.dropLast() + ",\"skip_faulty\":true}")
            #expect(partly["count"]?.integer == 1 && partly["problems"]?.elements?.first?["line"]?.integer == 1)
        }
    }

    @Test func exportsReadBack() async throws {
        try await withOwnPlane { plane in
            for body in [
                #"{"name":"a","job":"test.echo","kind":"cron","expression":"30 2 * * *","args":{"x":"it's 5%"}}"#,
                #"{"name":"b","job":"test.echo","kind":"rrule","expression":"FREQ=WEEKLY;BYDAY=MO","timezone":"Europe/Berlin"}"#,
                #"{"name":"c","job":"test.other","kind":"interval","interval_ms":90000,"enabled":false}"#,
            ] { #expect(try await plane.post("/api/v1/schedules", body).status == 201) }
            let json = try await plane.get("/api/v1/schedules/export").text
            let again = try await plane.post("/api/v1/schedules/import", json.dropLast() + ",\"format\":\"json\"}")
            #expect(
                again.status == 200 && again["count"]?.integer == 0 && again["unchanged"]?.integer == 3, "\(again.text)"
            )
            let wrong =
                #"{"format":"json","skip_faulty":true,"schedules":[{"name":"w","job":"none","kind":"cron","expression":"@daily"}]}"#
            let partly = try await plane.post("/api/v1/schedules/import", wrong)
            #expect(partly["problems"]?.elements?.first?["detail"]?.text?.hasPrefix("w: ") == true, "\(partly.text)")
            let crontab = try await plane.get("/api/v1/schedules/export?format=crontab&job=test.echo").text
            #expect(crontab.contains(#"30 2 * * * pawl run test.echo --args '{"x":"it'\''s 5\u0025"}'"#), "\(crontab)")
            #expect(crontab.contains("# b is left out"))
            let ics = try await plane.get("/api/v1/schedules/export?format=ics").text
            #expect(ics.contains("RRULE:FREQ=WEEKLY;BYDAY=MO") && ics.contains("TZID=Europe/Berlin"))
            #expect(ics.contains("RDATE:") && !ics.contains("SUMMARY:c") && !ics.contains("CALDESC"), "\(ics)")
            try await plane.store.pool.withTransaction { connection in
                try await connection.execute("UPDATE pawl.schedule SET timezone = 'Land/Of_Nowhere' WHERE name = 'b'")
            }
            let rest = try await plane.get("/api/v1/schedules/export?format=ics").text.replacing("\r\n ", with: "")
            #expect(rest.contains("X-WR-CALDESC:Left out") && rest.contains("missing: b\r\n"), "\(rest)")
            #expect(!rest.contains("SUMMARY:b") && rest.contains("SUMMARY:a"), "\(rest)")
        }
    }

    @Test func theLoadIsShownByHour() async throws {
        try await withOwnPlane { plane in
            _ = try await plane.post(
                "/api/v1/schedules", #"{"job":"test.echo","kind":"cron","expression":"*/20 * * * *"}"#)
            let load = try await plane.get(
                "/api/v1/schedules/calendar?from=2031-01-01T00:00:00Z&to=2031-01-01T06:00:00Z")
            let runs = load["buckets"]?.elements?.compactMap { $0["runs"]?.integer }
            #expect(load.status == 200 && runs == [3, 3, 3, 3, 3, 3], "\(load.text)")
            #expect(try await plane.get("/api/v1/schedules/calendar?bucket=week").status == 400)
            let long = "/api/v1/schedules/calendar?from=2031-01-01T00:00:00Z&to=2032-01-01T00:00:00Z"
            #expect(try await plane.get(long).status == 400)
            #expect(try await plane.get(long + "&bucket=day")["buckets"]?.elements?.count == 365)
        }
    }
}
