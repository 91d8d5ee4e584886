"""The schedule editor in a real Chromium against a scripted host."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

import chrome  # noqa: E402
from test_page import browser, page, sent, server  # noqa: E402, F401  (the fixtures)

pytestmark = pytest.mark.skipif(
    chrome.find() is None, reason="Chromium is not installed (Debian: apt-get install chromium); the page was not looked at")

NIGHT = {
    "id": "sch_1", "name": "nightly import", "job": "csv.to_jsonl", "kind": "cron", "spec": {"expression": "30 2 * * *"}, "expression": "30 2 * * *",
    "timezone": "Europe/Berlin", "args": {"input": "/a"}, "queue": "slow", "priority": None, "labels": {"k": "v"}, "starts_at": None, "ends_at": None,
    "max_runs": None, "enabled": True, "dst": {"gap": "shift", "fold": "first"}, "catch_up": {"policy": "latest", "window_ms": None, "cap": 100},
    "overlap": "allow", "jitter_ms": 0, "every_nth": 1, "business_days": False, "calendars": ["holidays"], "blackouts": {"dates": [], "intervals": []},
    "paused_at": None, "next_at": "2027-01-01T01:30:00Z", "run_count": 3, "revision": 7, "description": None}
RUNS = [{"at": f"2027-01-{n:02}T01:30:00Z", "local": f"2027-01-{n:02}T02:30:00+01:00", "utc": f"2027-01-{n:02}T01:30:00Z",
         "note": "clocks show this time twice" if n == 3 else None, "excluded": "blackout" if n == 4 else None} for n in range(1, 11)]


@pytest.fixture
def editor(page, server):  # noqa: F811
    answers = server.host.answers
    answers[("GET", "/api/v1/jobs")] = (200, {"items": [{"name": "csv.to_jsonl"}, {"name": "mischief.noop"}]})
    answers[("GET", "/api/v1/timezones")] = (200, {"release": "2026b", "items": ["Europe/Berlin", "UTC"]})
    answers[("GET", "/api/v1/schedules/sch_1")] = (200, NIGHT)

    def preview(body):
        if body["spec"].get("expression") == "0 25 * * *":
            return 422, {"status": 422, "detail": "/spec/expression: hour 25 is outside 0-23",
                         "errors": [{"pointer": "/spec/expression", "code": "cron_out_of_range", "detail": "hour 25 is outside 0-23"}]}
        return 200, {"sentence": "At <b>02:30</b> every day", "runs": RUNS[:body["count"]],
                     "warnings": [{"code": "repeated", "detail": "2027-10-31: 02:30 comes twice", "at": "2027-10-31T00:30:00Z"}]}
    answers[("POST", "/api/v1/schedules/preview")] = preview
    answers[("PUT", "/api/v1/schedules/sch_1")] = lambda body: (200, {**NIGHT, **body})
    answers[("POST", "/api/v1/schedules/sch_1/pause")] = (200, {**NIGHT, "paused_at": "2026-11-21T00:00:00Z"})
    answers[("POST", "/api/v1/schedules/sch_1/resume")] = (200, NIGHT)
    return page


def opened(page):  # noqa: F811
    """Waits for the dialog and for its next runs: they come later, and move the buttons below them."""
    page.until("document.querySelector('#schedule-dialog').open && document.querySelectorAll('#sched-runs tr').length === 10")


def field(page, name, value):  # noqa: F811
    page.js(f"(() => {{ const f = document.querySelector('#sched-{name}'); f.value = {value!r}; "
            "f.dispatchEvent(new Event('input', {bubbles: true})); f.dispatchEvent(new Event('change', {bubbles: true})); })()")


def test_the_next_ten_runs_are_shown_while_one_writes(editor, server):  # noqa: F811
    editor.click("#new-schedule")
    editor.until("document.querySelectorAll('#sched-runs tr').length === 10")
    text = editor.js("document.querySelector('#schedule-dialog').innerText")
    for words in ("At <b>02:30</b> every day", "2027-01-01 02:30:00+01:00", "clocks show this time twice", "left out: blackout", "02:30 comes twice"):
        assert words in text, (words, text)
    field(editor, "expression", "0 25 * * *")
    editor.until("document.querySelector('#sched-sentence').innerText.includes('hour 25')")
    assert editor.js("document.querySelector('#sched-expression').closest('.field').classList.contains('wrong')")
    assert editor.js("document.querySelectorAll('#sched-runs tr').length") == 0
    editor.events.clear()  # The browser tells of each answer that is no success.
    field(editor, "expression", "0 3 * * *")
    editor.until("document.querySelectorAll('#sched-runs tr').length === 10")
    editor.press("Escape")


def test_a_schedule_of_each_kind_is_made(editor, server):  # noqa: F811
    made = []
    server.host.answers[("POST", "/api/v1/schedules")] = lambda body: (made.append(body), (201, {"id": "sch_9", **body}))[1]
    wanted = [
        ("cron", {"expression": "0 3 * * 1"}, "cron", {"expression": "0 3 * * 1"}),
        ("interval", {"amount": "90", "unit": "1000"}, "interval", {"every_ms": 90_000}),
        ("once", {"at": "2027-01-01T08:00"}, "once", {"local": "2027-01-01T08:00:00"}),
        ("days", {"days": "last", "time": "18:00"}, "calendar", {"last_day": True, "time": "18:00"}),
        ("days", {"days": "day", "day": "15", "time": "06:00"}, "calendar", {"day_of_month": 15, "time": "06:00"}),
        ("days", {"days": "every", "step": "3", "time": "06:00"}, "calendar", {"every_days": 3, "time": "06:00"}),
        ("oncalendar", {"expression": "Mon..Fri 10:00"}, "oncalendar", {"expression": "Mon..Fri 10:00"}),
        ("rrule", {"expression": "FREQ=WEEKLY"}, "rrule", {"rule": "FREQ=WEEKLY"}),
        ("json", {"json": '{"kind":"calendar","spec":{"last_workday":true,"time":"12:00"}}'}, "calendar", {"last_workday": True, "time": "12:00"}),
    ]
    for number, (choice, values, kind, spec) in enumerate(wanted):
        editor.click("#new-schedule")
        opened(editor)
        field(editor, "name", f"s{number}")
        field(editor, "job", "mischief.noop")
        field(editor, "kind", choice)
        for name, value in values.items():
            field(editor, name, value)
        field(editor, "timezone", "Europe/Berlin")
        editor.js("document.querySelector('#schedule-form').requestSubmit()")
        editor.until("!document.querySelector('#schedule-dialog').open")
        editor.js("document.querySelector('#toasts').replaceChildren()")
        assert len(made) == number + 1
        body = made[-1]
        assert (body["kind"], body["spec"]) == (kind, spec), (choice, body)
        assert body["name"] == f"s{number}" and body["job"] == "mischief.noop" and body["timezone"] == "Europe/Berlin" and body["enabled"] is True


def test_a_change_keeps_what_the_form_does_not_show(editor, server):  # noqa: F811
    editor.click(".schedule-name")
    editor.until("document.querySelector('#schedule-dialog').open && document.querySelector('#sched-expression').value === '30 2 * * *'")
    field(editor, "overlap", "skip")
    field(editor, "preset", "3")
    editor.until("!document.querySelector('#sched-weekdays').closest('fieldset').hidden")
    editor.js("document.querySelector('#schedule-form').requestSubmit()")
    editor.until("!document.querySelector('#schedule-dialog').open")
    body = sent(server, "/schedules/sch_1")[-1]
    assert body["kind"] == "calendar" and body["spec"] == {"weekdays": ["mon", "tue", "wed", "thu", "fri"], "time": "08:00"}
    assert body["queue"] == "slow" and body["labels"] == {"k": "v"} and body["calendars"] == ["holidays"] and body["overlap"] == "skip"
    assert body["catch_up"] == {"policy": "latest", "cap": 100} and body["args"] == {"input": "/a"}
    assert not {"id", "next_at", "run_count", "revision", "priority"} & set(body), body


def test_a_refusal_is_read_where_it_arose(editor, server):  # noqa: F811
    server.host.answers[("PUT", "/api/v1/schedules/sch_1")] = (412, {"status": 412, "code": "etag_mismatch", "detail": "The schedule was changed meanwhile. Look at it again."})
    editor.click(".schedule-name")
    opened(editor)
    editor.js("document.querySelector('#schedule-form').requestSubmit()")
    editor.until("document.querySelector('#sched-problem').innerText.includes('changed meanwhile')")
    editor.events.clear()
    assert editor.js("document.querySelector('#schedule-dialog').open")
    field(editor, "args", "{")
    editor.js("document.querySelector('#schedule-form').requestSubmit()")
    editor.until("document.querySelector('#sched-problem').innerText.includes('no JSON')")
    editor.press("Escape")


def test_it_is_paused_and_resumed(editor, server):  # noqa: F811
    editor.click(".schedule-name")
    opened(editor)
    editor.click("#sched-pause")
    editor.until("document.querySelector('#confirm').open")
    editor.js("document.querySelector('#confirm-reason').value = 'upkeep'")
    editor.click("#confirm-yes")
    editor.until("document.querySelector('#sched-pause').innerText === 'Resume'")
    assert sent(server, "/schedules/sch_1/pause")[-1] == {"reason": "upkeep"}
    editor.click("#sched-pause")
    editor.until("document.querySelector('#sched-pause').innerText === 'Pause…'")
    editor.press("Escape")
