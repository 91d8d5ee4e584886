"""Files of `pawl plan` and `apply`, and what the client makes of them."""

import json

import pytest

STATE = """\
# Anchors are understood.
x_common: &common
  timezone: Europe/Berlin
  labels: {team: a}
calendars:
  holidays:
    dates: [2026-12-24/2026-12-26, "2027-01-01"]
queues:
  - {name: bulk, concurrency: 4}
jobs:
  nightly:
    handler: csv.to_jsonl
    settings:
      attempts: 2
schedules:
  night:
    job: nightly
    kind: cron
    expression: "30 2 * * *"
    args: {path: /a, on: yes, empty: , ratio: 1.50, hex: 0x1F, big: 12345678901234567890, text: "5"}
    labels: *anchor
"""


@pytest.fixture
def state(server):
    """What the host was sent."""
    bodies = []

    def answer(body):
        bodies.append(body)
        changes = [{"kind": "schedule", "name": "night", "action": "change", "fields": [{"name": "spec", "from": {"expression": "@daily"}, "to": {"expression": "30 2 * * *"}}]},
                   {"kind": "calendar", "name": "holidays", "action": "create", "fields": []}]
        return 200, {"dry_run": body.get("dry_run", False), "count": 2, "unchanged": 1, "changes": changes}
    server.host.answers[("POST", "/api/v1/apply")] = answer
    return bodies


def test_yaml_becomes_what_the_api_takes(pawl, state, tmp_path):
    file = tmp_path / "state.yaml"
    file.write_text(STATE.replace("*anchor", "*team").replace("{team: a}", "&team {team: a}"))
    done = pawl("plan", "-f", str(file))
    assert done.returncode == 2, done.stderr
    assert done.stdout.splitlines() == ["~ schedule night", '    spec: {"expression":"@daily"} -> {"expression":"30 2 * * *"}', "+ calendar holidays"]
    assert state == [{
        "calendars": [{"name": "holidays", "dates": ["2026-12-24/2026-12-26", "2027-01-01"]}],
        "queues": [{"name": "bulk", "concurrency": 4}],
        "jobs": [{"name": "nightly", "handler": "csv.to_jsonl", "settings": {"attempts": 2}}],
        "schedules": [{"name": "night", "job": "nightly", "kind": "cron", "expression": "30 2 * * *", "labels": {"team": "a"},
                       "args": {"path": "/a", "on": "yes", "empty": None, "ratio": 1.5, "hex": 31, "big": 12345678901234567890, "text": "5"}}],
        "set": "default", "dry_run": True}]
    done = pawl("apply", "-f", str(file), "--prune", "--yes", "--set", "mine", "--reason", "r")
    assert done.returncode == 0 and "changed: 2" in done.stderr
    assert state[1]["prune"] is True and state[1]["set"] == "mine" and state[1]["reason"] == "r" and "dry_run" not in state[1]


def test_what_is_removed_is_asked_about_and_nothing_else_is_done(pawl, server, tmp_path):
    bodies, changes = [], [{"kind": "schedule", "name": "old\u001b[1m", "action": "delete", "fields": []}]

    def answer(body):
        bodies.append(body)
        return 200, {"dry_run": body.get("dry_run", False), "plan": "p1", "count": len(changes), "unchanged": 0, "changes": changes}
    server.host.answers[("POST", "/api/v1/apply")] = answer
    (tmp_path / "a.yaml").write_text("schedules: []\n")
    done = pawl("apply", "-f", str(tmp_path / "a.yaml"), "--prune")
    assert done.returncode == 64 and "- schedule old" in done.stderr and "\x1b" not in done.stderr, done.stderr
    assert len(bodies) == 1 and bodies[0]["dry_run"] is True
    # Without a removal nobody is asked; what was shown is what is done.
    changes[0]["action"] = "create"
    assert pawl("apply", "-f", "-", "--prune", input="schedules: []\n").returncode == 0
    assert len(bodies) == 3 and bodies[2]["plan"] == "p1" and "dry_run" not in bodies[2]


def test_nothing_to_change_is_exit_code_0(pawl, server, tmp_path):
    server.host.answers[("POST", "/api/v1/apply")] = (200, {"dry_run": True, "count": 0, "unchanged": 3, "changes": []})
    (tmp_path / "a.yaml").write_text("schedules: []\n")
    done = pawl("plan", "-f", str(tmp_path / "a.yaml"))
    assert done.returncode == 0 and "nothing to change" in done.stderr


def test_directories_and_several_documents_are_one_whole(pawl, state, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/two.yml").write_text("schedules:\n  b: {job: j, kind: cron, expression: '@daily'}\n---\nschedules:\n- {name: c, job: j, kind: cron, expression: '@daily'}\n")
    (tmp_path / "one.json").write_text(json.dumps({"schedules": [{"name": "a", "job": "j", "kind": "cron", "expression": "@daily"}]}))
    (tmp_path / "two.json").write_text(json.dumps({"schedules": [{"name": "\U0001f600", "job": "j" * 2000}]}, separators=(",", ":")))
    (tmp_path / "README.md").write_text("not: read\n")
    (tmp_path / ".hidden.yaml").write_text("nonsense: 1\n")
    assert pawl("apply", "-f", str(tmp_path)).returncode == 0
    assert [s["name"] for s in state[0]["schedules"]] == ["b", "c", "a", "\U0001f600"]
    assert pawl("apply", "-f", "-", input="schedules: {x: {job: j, kind: once, at: 2027-01-01T00:00:00Z}}").returncode == 0
    assert state[1]["schedules"] == [{"name": "x", "job": "j", "kind": "once", "at": "2027-01-01T00:00:00Z"}]


@pytest.mark.parametrize("text, words", [
    ("schedules:\n  a: {job: x\n", "state.yaml:"),
    ("schedules:\n  a:\n    job: x\n    job: y\n", "state.yaml:4:5: job stands here and in line 3"),
    ("schedule:\n  a: {}\n", "state.yaml:1:1: schedule is none of calendars, queues, jobs, schedules; did you mean schedules?"),
    ("schedules:\n- {job: x}\n", "state.yaml:2:3: each of schedules needs a name"),
    ("schedules:\n- {name: a}\n- {name: a}\n", "a stands in schedules here and in"),
    ("- 1\n", "state.yaml:1:1: a document must have"),
    ("jobs:\n  a: !!binary aGk=\n", "tag"),
    ("jobs:\n  a:\n    <<: {b: 1}\n", "state.yaml:3:5: merge keys are not understood"),
    ("jobs: 5\n", "jobs must be a list, or an object by name"),
    ("a: &a [*a]\n", "state.yaml:"),
    ("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
     "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "more than 200000 values"),
])
def test_files_that_are_wrong_are_told_by_line(pawl, state, tmp_path, text, words):
    (tmp_path / "state.yaml").write_text(text)
    done = pawl("plan", "-f", str(tmp_path / "state.yaml"))
    assert done.returncode == 65 and words in done.stderr, done.stderr
    assert state == []


def test_what_the_host_finds_wrong_is_told_by_file_and_line(pawl, server, tmp_path):
    server.host.answers[("POST", "/api/v1/apply")] = (422, {
        "status": 422, "code": "invalid_fields", "detail": "2 fields are not right.", "errors": [
            {"pointer": "/schedules/1/expression", "code": "cron_out_of_range", "detail": "hour 25 is outside 0-23"},
            {"pointer": "/jobs/0/settings/limits/wall_ms", "code": "wrong_type", "detail": "must be a whole number"}]})
    (tmp_path / "state.yaml").write_text(
        "jobs:\n  j:\n    settings:\n      limits: {wall_ms: x}\nschedules:\n  a: {job: j}\n  b:\n    job: j\n    expression: 0 25 * * *\n")
    done = pawl("apply", "-f", str(tmp_path / "state.yaml"))
    assert done.returncode == 65
    assert "state.yaml:9: schedules.b.expression: hour 25 is outside 0-23" in done.stderr, done.stderr
    assert "state.yaml:4: jobs.j.settings.limits.wall_ms: must be a whole number" in done.stderr, done.stderr
    assert pawl("plan", "-f", str(tmp_path / "none.yaml")).returncode == 66
    assert pawl("plan").returncode == 64
