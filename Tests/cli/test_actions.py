"""Running again, changing and clearing many runs: what is sent, what is asked, what is said."""

import pytest

from fake_host import make_run, run_id


def script(server, method, path, *answers):
    """One answer after the other."""
    left = list(answers)
    server.host.answers[method, path] = lambda body: (200, left.pop(0))


def test_retry_sends_all_its_changes(pawl, server):
    server.host.add(make_run(2, state="failed"))
    done = pawl("retry", run_id(2), "--set", "n:=2", "--set", "who=me", "--priority", "-1", "--attempts", "5",
                "--backoff", "exponential:5s,cap=1m,jitter=0.1,no_retry_on=out_of_memory+error:bad", "--queue", "slow",
                "--delay", "10m", "--timeout", "30s", "--title", "again", "--remove-original", "--idempotency-key", "k")
    assert done.stdout == run_id(100) + "\n", done.stderr
    assert server.host.sent("POST", f"/api/v1/runs/{run_id(2)}/retry") == [{
        "data_overrides": {"n": 2, "who": "me"}, "priority": -1, "attempts": 5, "queue": "slow", "title": "again",
        "backoff": {"type": "exponential", "delay_ms": 5000, "cap_ms": 60000, "jitter": 0.1,
                    "no_retry_on": ["out_of_memory", "error:bad"]},
        "timeout_ms": 30000, "delay_ms": 600000, "remove_original": True}]


@pytest.mark.parametrize("text, sent", [
    ("fixed:30s", {"type": "fixed", "delay_ms": 30000}), ("linear", {"type": "linear"}),
    ("list:1s,10s,1m,jitter=0", {"type": "list", "jitter": 0, "delays_ms": [1000, 10000, 60000]}),
    ("exponential,factor=3,retry_on=crashed", {"type": "exponential", "factor": 3, "retry_on": ["crashed"]}),
    ('{"type":"fixed","delay_ms":1}', {"type": "fixed", "delay_ms": 1}),
])
def test_policies_as_one_word(pawl, server, text, sent):
    server.host.add(make_run(2, state="failed"))
    assert pawl("retry", run_id(2), "--backoff", text).returncode == 0
    assert server.host.sent("POST", f"/api/v1/runs/{run_id(2)}/retry") == [{"backoff": sent}]


@pytest.mark.parametrize("arguments", [
    ["--backoff", "sometimes:5s"], ["--backoff", "fixed:soon"], ["--backoff", "list"], ["--backoff", "fixed:1s,2s"],
    ["--backoff", "fixed:1s,caps=2s"], ["--run-at", "2027-01-01T08:00:00Z", "--delay", "1s"],
    ["--args", "{}", "--set", "a=1"], ["--delay", "soon"]])
def test_wrong_changes_are_wrong_usage(pawl, server, arguments):
    server.host.add(make_run(2, state="failed"))
    assert pawl("retry", run_id(2), *arguments).returncode == 64
    assert server.host.sent("POST", f"/api/v1/runs/{run_id(2)}/retry") == []


def test_clear_shows_its_plan_and_goes_on_to_the_end(pawl, server):
    path = "/api/v1/queues/mail/clear"
    script(
        server, "POST", path,
        {"plan": "pln_1", "dry_run": True, "count": 1500, "count_is": "exact", "by_state": {"failed": 1500},
         "untouched": {"running": 2}, "sample": []},
        {"dry_run": False, "complete": False, "count": 1000, "removed": {"failed": 1000}, "plan": "pln_2", "stopped_by": None},
        {"dry_run": False, "complete": True, "count": 500, "removed": {"failed": 500}, "plan": None, "stopped_by": None})
    done = pawl("queues", "clear", "mail", "--states", "failed", "--older", "7d", "--reason", "old", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1,500 runs deleted\n"
    assert "1,500 failed" in done.stderr and "2 running stay" in done.stderr
    assert server.host.sent("POST", path) == [
        {"states": ["failed"], "older_than_ms": 604800000, "dry_run": True}, {"reason": "old", "plan": "pln_1"},
        {"reason": "old", "plan": "pln_2"}]


def test_nothing_is_cleared_without_a_yes(pawl, server):
    path = "/api/v1/jobs/csv.to_jsonl/clear"
    script(
        server, "POST", path,
        {"plan": "pln_1", "dry_run": True, "count": 3, "count_is": "exact", "by_state": {"queued": 3}, "untouched": {}})
    done = pawl("jobs", "clear", "csv.to_jsonl", "--states", "queued")
    assert done.returncode == 64 and "--yes" in done.stderr
    assert len(server.host.sent("POST", path)) == 1


def test_bulk_says_what_it_did(pawl, server):
    path = "/api/v1/bulk-operations"
    script(
        server, "POST", path,
        {"plan": "pln_1", "dry_run": True, "action": "retry", "count": 3, "count_is": "exact",
         "sample": [make_run(2, state="failed")]},
        {"dry_run": False, "action": "retry", "complete": True, "count": 1, "untouched": 1, "failed": 1, "remaining": 0,
         "errors": [{"id": run_id(3), "code": "invalid_args", "detail": "a is missing"}], "runs": [], "plan": None,
         "stopped_by": None})
    done = pawl("bulk", "retry", "--state", "failed", "--job", "csv.to_jsonl", "--label", "a=b", "--attempts", "5", "--yes")
    assert done.returncode == 2, done.stderr
    assert done.stdout == "1 retried\n" and "1 had moved on" in done.stderr and "a is missing" in done.stderr
    assert server.host.sent("POST", path)[0] == {
        "action": "retry", "params": {"attempts": 5}, "dry_run": True,
        "filter": {"state": ["failed"], "job": ["csv.to_jsonl"], "labels": {"a": "b"}}}


def test_bulk_wants_to_know_which(pawl, server):
    assert pawl("bulk", "cancel").returncode == 64
    assert pawl("bulk", "cancel", "--run", run_id(1), "--state", "queued").returncode == 64


def test_runs_that_wait_are_hurried_and_changed(pawl, server):
    script(server, "POST", f"/api/v1/runs/{run_id(2)}/run-now", {"changed": True, "run": make_run(2)})
    script(server, "PATCH", f"/api/v1/runs/{run_id(2)}", {"changed": True, "run": make_run(2)})
    assert pawl("run-now", run_id(2)).stdout == f"{run_id(2)}\tqueued\n"
    assert pawl("change", run_id(2), "--priority", "-3", "--title", "t").stdout == f"{run_id(2)}\tchanged\n"
    assert server.host.sent("PATCH", f"/api/v1/runs/{run_id(2)}") == [{"priority": -3, "title": "t"}]


def test_show_says_what_is_to_come(pawl, server):
    server.host.add(make_run(2, state="queued", next_attempts=[
        {"number": 1, "wait_ms": 0, "spread_ms": 0, "earliest_at": "2026-01-01T00:00:00Z"},
        {"number": 2, "wait_ms": 5000, "spread_ms": 1000, "earliest_at": "2026-01-01T00:00:04Z"}],
        backoff={"type": "exponential", "delay_ms": 5000, "factor": 2.0, "cap_ms": 3600000, "jitter": 0.2,
                 "no_retry_on": ["crashed"]}))
    shown = pawl("show", run_id(2)).stdout
    assert "0 of 3 used; if it goes wrong, again after 5.0s ±1.0s" in shown, shown
    assert "exponential 5.0s ×2 up to 1h 00m" in shown and "not on crashed" in shown, shown


@pytest.fixture
def nightly(pawl):
    assert pawl("schedules", "create", "nightly", "--job", "csv.to_jsonl", "--cron", "30 2 * * *").returncode == 0
    return "/api/v1/schedules/sch_1"


def test_a_schedule_is_triggered_with_changes(pawl, server, nightly):
    path = nightly + "/trigger"
    server.host.answers[("POST", path)] = (201, {"id": "run_0000000000007", "state": "blocked"})
    done = pawl("schedules", "trigger", "nightly", "--arg", "n:=1", "--queue", "slow", "--overlap", "queue_one", "--reason", "asked for")
    assert done.returncode == 0 and done.stdout == "run_0000000000007\n" and "waits for the run" in done.stderr, done.stderr
    assert server.host.sent("POST", path) == [{"args": {"n": 1}, "queue": "slow", "overlap": "queue_one", "reason": "asked for"}]
    assert pawl("schedules", "trigger", "other").returncode == 4


def test_a_schedule_skips_to_now(pawl, server, nightly):
    path = nightly + "/skip"
    server.host.answers[("POST", path)] = (200, {"id": "sch_1", "skip_until": "2026-11-21T12:00:00Z"})
    assert pawl("schedules", "skip-to-now", "nightly").returncode == 0
    assert server.host.sent("POST", path) == [{"until": "now"}]


def test_a_backfill_shows_its_plan_and_asks(pawl, server, nightly):
    path = nightly + "/backfill"
    span = ["--from", "2026-11-01T00:00:00Z", "--to", "2026-11-08T00:00:00Z"]
    server.host.answers[("POST", path)] = (200, {
        "dry_run": True, "plan": "pln_1", "count": 7, "existing": 2, "excluded": 0, "max_parallel": 3, "first": "2026-11-01T02:30:00Z",
        "last": "2026-11-07T02:30:00Z"})
    shown = pawl("schedules", "backfill", "nightly", *span, "--max-parallel", "3", "--dry-run")
    assert shown.returncode == 0 and "7 runs for 2026-11-01T02:30:00Z to 2026-11-07T02:30:00Z, 3 at once; 2 have a run already" in shown.stderr
    assert server.host.sent("POST", path) == [{"from": span[1], "to": span[3], "max_parallel": 3, "dry_run": True}]
    done = pawl("schedules", "backfill", "nightly", *span, "--yes")
    assert done.returncode == 0 and done.stdout == "7 runs made\n", done.stderr
    assert server.host.sent("POST", path)[-1] == {"plan": "pln_1"}
