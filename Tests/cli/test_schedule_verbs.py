"""The verbs of `pawl schedules` and `pawl calendars`: what they ask the host for."""

import pytest

SCHEDULE = {"id": "sch_7", "name": "night ly", "job": "j", "kind": "cron", "spec": {"expression": "@daily"}, "timezone": "UTC", "enabled": True,
            "next_at": None, "paused_at": None, "labels": {}}
PATH = "/api/v1/schedules/night%20ly"


@pytest.fixture
def schedules(server):
    for method, action in (("PATCH", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/skip"), ("GET", "")):
        server.host.answers[(method, PATH + action)] = (200, SCHEDULE)
    return server.host


def asked(host, method):
    return [(path, body) for m, path, body, _ in host.requests if m == method]


@pytest.mark.parametrize("arguments, method, action, body", [
    (["pause", "night ly", "--reason", "r"], "POST", "/pause", {"reason": "r"}),
    (["resume", "night ly"], "POST", "/resume", None),
    (["skip", "night ly"], "POST", "/skip", {"next": 1}),
    (["skip", "night ly", "--next", "3"], "POST", "/skip", {"next": 3}),
    (["skip", "night ly", "--until", "2027-01-01T00:00:00Z"], "POST", "/skip", {"until": "2027-01-01T00:00:00Z"}),
    (["enable", "night ly"], "PATCH", "", {"enabled": True}),
    (["disable", "night ly"], "PATCH", "", {"enabled": False}),
    (["set", "night ly", "--every", "90s", "--tz", "Europe/Berlin"], "PATCH", "", {"timezone": "Europe/Berlin", "kind": "interval", "spec": {"every_ms": 90000}}),
    (["set", "night ly", "--when", "Mon..Fri 10:00"], "PATCH", "", {"kind": "oncalendar", "spec": {"expression": "Mon..Fri 10:00"}}),
    (["set", "night ly", "--calendar", '{"last_day":true,"time":"18:00"}'], "PATCH", "", {"kind": "calendar", "spec": {"last_day": True, "time": "18:00"}}),
    (["set", "night ly", "--overlap", "skip", "--catch-up", "none", "--fold", "both", "--jitter", "5s", "--calendar-name", "h", "--max-runs", "3"], "PATCH", "",
     {"overlap": "skip", "catch_up": {"policy": "none"}, "dst": {"fold": "both"}, "jitter_ms": 5000, "calendars": ["h"], "max_runs": 3}),
    (["set", "night ly", "--json-patch", '{"max_runs":null}', "--rename", "x"], "PATCH", "", {"name": "x", "max_runs": None}),
])
def test_verbs_ask_for_what_they_say(pawl, schedules, arguments, method, action, body):
    done = pawl("schedules", *arguments)
    assert done.returncode == 0, done.stderr
    assert asked(schedules, method) == [(PATH + action, body)]


@pytest.mark.parametrize("arguments", [
    ["set", "x", "--cron", "@daily", "--every", "1h"], ["skip", "x", "--next", "1", "--until", "now"], ["skip", "x", "--until", "soon"],
    ["parse"], ["export", "--format", "xml"], ["load", "--for", "soon"], ["occurrences", "x", "-n", "0"], ["import"], ["set", "x", "--jitter", "soon"]])
def test_what_makes_no_sense_is_a_usage_error(pawl, arguments):
    assert pawl("schedules", *arguments).returncode == 64


def test_set_makes_a_missing_schedule_if_told_so(pawl, server):
    missing = (404, {"status": 404, "code": "schedule_not_found", "detail": "There is no schedule x."})
    server.host.answers[("GET", "/api/v1/schedules/x")] = missing
    server.host.answers[("PUT", "/api/v1/schedules/x")] = (201, {**SCHEDULE, "name": "x"})
    assert pawl("schedules", "set", "x", "--every", "1h").returncode == 4
    done = pawl("schedules", "set", "x", "--create", "--job", "j", "--every", "1h")
    assert done.returncode == 0 and "created x" in done.stderr, done.stderr
    method, path, body, headers = server.host.requests[-1]
    assert (method, body) == ("PUT", {"job": "j", "kind": "interval", "spec": {"every_ms": 3600000}}) and headers["If-None-Match"] == "*"
    assert pawl("schedules", "create", "x", "--if-missing", "--job", "j", "--every", "1h").returncode == 0
    assert server.host.requests[-1][3]["If-None-Match"] == "*"


def test_files_are_imported_and_exported(pawl, server, tmp_path):
    change = {"kind": "schedule", "name": "backup-1a2b3c", "action": "create", "fields": []}
    server.host.answers[("POST", "/api/v1/schedules/import")] = lambda body: (200, {
        "dry_run": body.get("dry_run", False), "count": 1, "unchanged": 0, "changes": [change], "problems": [{"line": 3, "code": "x", "detail": "no"}] if "skip_faulty" in body else []})
    server.host.answers[("GET", "/api/v1/schedules/export")] = (200, {"schedules": []})
    crontab = tmp_path / "crontab"
    crontab.write_text("@daily backup\n")
    done = pawl("schedules", "import", str(crontab), "--dry-run", "--user", "--tz", "Europe/Berlin", "--prefix", "p-", "--disabled")
    assert done.returncode == 2 and "+ schedule backup-1a2b3c" in done.stdout, done.stderr
    assert asked(server.host, "POST")[-1][1] == {"format": "crontab", "text": "@daily backup\n", "user": True, "timezone": "Europe/Berlin", "prefix": "p-",
                                                 "enabled": False, "dry_run": True}
    assert pawl("schedules", "import", "-", input="@daily x").returncode == 0
    done = pawl("schedules", "import", str(crontab), "--skip-faulty")
    assert done.returncode == 2 and "line 3: no" in done.stderr
    assert pawl("schedules", "import", "-", input=' {"schedules": [{"name": "a"}]}').returncode == 0
    assert asked(server.host, "POST")[-1][1] == {"format": "json", "schedules": [{"name": "a"}]}
    assert pawl("schedules", "export").stdout == '{"schedules": []}\n'


def test_calendars_are_made_and_replaced(pawl, server, tmp_path):
    path = "/api/v1/calendars/holidays"
    server.host.answers[("GET", path)] = (404, {"status": 404, "code": "calendar_not_found", "detail": "There is no calendar holidays."})
    server.host.answers[("PUT", path)] = lambda body: (201, {"name": "holidays", "dates": body.get("dates", []), "intervals": []})
    done = pawl("calendars", "set", "holidays", "--date", "2026-12-25", "--between", "2026-05-01T08:00,2026-05-01T09:00")
    assert done.returncode == 0 and "dates: 1" in done.stderr, done.stderr
    method, _, body, headers = server.host.requests[-1]
    assert method == "PUT" and headers["If-None-Match"] == "*"
    assert body == {"dates": ["2026-12-25"], "intervals": [{"from": "2026-05-01T08:00", "to": "2026-05-01T09:00"}]}
    (tmp_path / "h.ics").write_text("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", newline="")
    assert pawl("calendars", "import", "holidays", str(tmp_path / "h.ics")).returncode == 0
    assert server.host.requests[-1][2]["ics"].startswith("BEGIN:VCALENDAR\r\n")
    assert pawl("calendars", "set", "holidays").returncode == 64
    server.host.answers[("GET", path)] = (200, {"name": "holidays", "description": "Here", "dates": [], "intervals": []})
    assert pawl("calendars", "set", "holidays", "--date", "2026-12-26").returncode == 0
    assert server.host.requests[-1][2] == {"description": "Here", "dates": ["2026-12-26"], "intervals": []}
