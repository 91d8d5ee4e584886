"""Pause, drain and limits of queues and jobs, and enqueues in bulk, by the command line on a real host."""

import json

from conftest import until


def most_at_once(host, runs):
    """How many of these attempts executed at the same time, by the rows they left."""
    spans = [attempt for run in runs for attempt in host.attempts(run)]
    events = sorted([(s["started_at"], 1) for s in spans] + [(s["ended_at"], -1) for s in spans], key=lambda e: (e[0], e[1]))
    now = most = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most


def test_a_queue_and_a_job_have_limits(host_factory):
    host = host_factory().start()
    done = host.command("queues", "set", "narrow", "--concurrency", "2", "--create")
    assert done.returncode == 0, done.stderr
    runs = [host.run("mischief.sleep", {"ms": 200}, queue="narrow") for _ in range(6)]
    for run in runs:
        assert host.wait_state(run)["state"] == "succeeded"
    assert most_at_once(host, runs) == 2
    assert [q for q in host.get("/api/v1/queues")["items"] if q["name"] == "narrow"][0]["concurrency"] == 2
    assert host.command("queues", "set", "narrow", "--concurrency", "none").returncode == 0
    host.expect("PATCH", "/api/v1/jobs/mischief.sleep/settings", {"concurrency": 3}, headers={"If-Match": "*"})
    runs = [host.run("mischief.sleep", {"ms": 200}, queue="narrow") for _ in range(9)]
    for run in runs:
        assert host.wait_state(run)["state"] == "succeeded"
    assert most_at_once(host, runs) == 3
    refused = host.command("queues", "set", "narrow", "--concurrency", "0")
    assert refused.returncode == 64 and "no limit" in refused.stderr


def test_what_is_paused_waits_and_says_why(host_factory):
    host = host_factory().start()
    done = host.command("jobs", "pause", "mischief.noop", "--reason", "the mail server moves")
    assert done.returncode == 0 and done.stdout.startswith("mischief.noop\tpaused"), done
    run, other = host.run("mischief.noop"), host.run("mischief.sleep", {"ms": 1})
    assert host.wait_state(other)["state"] == "succeeded"
    explanation = host.get(f"/api/v1/runs/{run}/explain")["explanation"]
    assert host.get(f"/api/v1/runs/{run}")["state"] == "queued" and "the mail server moves" in json.dumps(explanation), explanation
    assert "already" in host.command("jobs", "pause", "mischief.noop", "--reason", "the mail server moves").stdout
    assert host.command("jobs", "resume", "mischief.noop").returncode == 0
    assert host.wait_state(run)["state"] == "succeeded"
    # It resumes by itself.
    assert host.command("queues", "pause", "default", "--for", "1s").returncode == 0
    assert host.wait_state(host.run("mischief.noop"))["state"] == "succeeded"
    assert host.command("queues", "pause", "default", "--for", "soon").returncode == 64


def test_a_drain_ends_when_nothing_runs(host_factory):
    host = host_factory().start()
    going = host.run("mischief.sleep", {"ms": 1500})
    until(lambda: host.get(f"/api/v1/runs/{going}")["state"] == "running", 20, "its start")
    late = host.command("queues", "drain", "default", "--wait", "--timeout", "100ms")
    assert late.returncode == 124, late
    waiting = host.run("mischief.noop")
    assert host.command("queues", "drain", "default", "--wait").returncode == 0
    assert host.get(f"/api/v1/runs/{going}")["state"] == "succeeded" and host.get(f"/api/v1/runs/{waiting}")["state"] == "queued"
    assert host.get("/api/v1/queues/default")["service"] == "drained"
    assert host.command("queues", "resume", "default").returncode == 0
    assert host.wait_state(waiting)["state"] == "succeeded"


def test_lines_are_enqueued_once(host_factory, scratch):
    host = host_factory().start()
    lines = scratch / "lines.jsonl"
    lines.write_text("".join(json.dumps({"job": "mischief.noop", "args": {}}) + "\n" for _ in range(2500)))
    first = host.command("enqueue", "--file", lines, "--idempotency-key", "import-1")
    assert first.returncode == 0 and len(first.stdout.splitlines()) == 2500, first.stderr
    again = host.command("enqueue", "--file", lines, "--idempotency-key", "import-1")
    assert again.stdout == first.stdout
    until(lambda: host.get("/api/v1/jobs/mischief.noop")["counts"]["succeeded"] == 2500, 60, "all runs")
    lines.write_text('{"job":"mischief.noop"}\n{"job":"nobodys"}\nnot json\n{"job":"mischief.noop"}\n')
    some = host.command("enqueue", "--file", lines)
    ids = some.stdout.split("\n")
    assert some.returncode == 65 and [bool(line) for line in ids[:4]] == [True, False, False, True], some
    assert host.command("enqueue", "--file", lines, "--all-or-nothing").stdout == ""


def test_one_at_a_time_by_a_unique_key(host):
    made = host.command("run", "mischief.sleep", "--arg", "ms:=20000", "--unique-key", "k7")
    assert made.returncode == 0, made.stderr
    run = made.stdout.strip()
    second = host.call("POST", "/api/v1/runs", {"job": "mischief.sleep", "args": {"ms": 1}, "unique": {"key": "k7"}})
    assert second.status == 409 and second.json["code"] == "unique_conflict" and second.json["existing_run"] == run
    third = host.call("POST", "/api/v1/runs", {"job": "mischief.sleep", "args": {"ms": 1}, "unique": {"key": "k7", "policy": "return_existing"}})
    assert third.status == 200 and third.json["id"] == run
    host.expect("POST", f"/api/v1/runs/{run}/terminate", {})
    host.wait_state(run)
    assert host.wait_state(host.expect("POST", "/api/v1/runs", {"job": "mischief.sleep", "args": {"ms": 1}, "unique": {"key": "k7"}})["id"])
