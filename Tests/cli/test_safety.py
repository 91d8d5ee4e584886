"""`pawl safety` against a scripted host: what is shown, and what is sent only after a yes."""

from fake_host import run_id

SAFETY = "/api/v1/safety/"


def script(server, method, path, answer):
    server.host.answers[(method, SAFETY + path)] = answer


def test_stuck_says_why(pawl, server):
    script(server, "GET", "stuck", (200, {"items": [{
        "id": run_id(7), "number": "7", "job": "csv.to_jsonl", "severity": "high", "running_for_ms": 4_000_000, "evidence": [
            {"kind": "runs_long"}, {"kind": "slower_than_usual", "times": 6.5, "p95_ms": 600_000}, {"kind": "no_cpu", "for_ms": 840_000}]}]}))
    done = pawl("safety", "stuck", "--severity", "high", "--in-queue", "a b")
    assert done.returncode == 0 and "csv.to_jsonl#7" in done.stdout and "6.5 times what 95 of 100 runs take" in done.stdout, done
    assert "no processor time for 14" in done.stdout
    path = [p for method, p, _, _ in server.host.requests if "/stuck" in p][0]
    assert path.endswith("?severity=high&queue=a%20b"), path


def test_orphans_are_cleaned_by_plan_after_a_yes(pawl, server):
    script(server, "POST", "orphans/cleanup", lambda body: (200, {
        "plan": "pln_1", "dry_run": True, "count": 1, "sample": [{"kind": "process_without_run", "name": "4711", "detail": "sleep", "remedy": "is killed"}],
        "hosts_not_seen": ["host_2"]} if body.get("dry_run") else {"dry_run": False, "count": 1, "untouched": 0}))
    done = pawl("safety", "orphans", "clean", "--kind", "process_without_run")
    assert done.returncode == 64 and "4711" in done.stderr and "host_2" in done.stderr, done
    assert all(body.get("dry_run") for body in server.host.sent("POST", SAFETY + "orphans/cleanup"))
    done = pawl("safety", "orphans", "clean", "--yes", "--reason", "a leak")
    assert done.returncode == 0 and done.stdout == "1 put right\n", done
    assert server.host.sent("POST", SAFETY + "orphans/cleanup")[-1] == {"reason": "a leak", "plan": "pln_1"}


def test_an_emergency_needs_a_reason_and_a_yes(pawl, server):
    order = {"mode": "terminate_all", "since": "2026-11-21T08:00:00Z", "actor": "admin", "reason": "wrong mails"}
    script(server, "POST", "emergency", lambda body: (200, {"plan": "pln_e", "count": 3, "effect": "Everything ends."} if body.get("dry_run")
                                                      else {"on": True, "changed": True, "count": 3, "orders": [order]}))
    script(server, "DELETE", "emergency", (200, {"on": False, "changed": True, "orders": [], "lifted": ["terminate_all"]}))
    done = pawl("safety", "emergency", "on", "terminate_all", "--yes")
    assert done.returncode == 64 and "--reason" in done.stderr and "3 runs would end." in done.stderr, done
    done = pawl("safety", "emergency", "on", "terminate_all", "--reason", "wrong mails")
    assert done.returncode == 64 and "--yes" in done.stderr, done
    assert all(body.get("dry_run") for body in server.host.sent("POST", SAFETY + "emergency"))
    done = pawl("safety", "emergency", "on", "terminate_all", "--reason", "wrong mails", "--yes")
    assert done.returncode == 0 and "terminate_all" in done.stdout and "wrong mails" in done.stdout, done
    assert server.host.sent("POST", SAFETY + "emergency")[-1] == {"mode": "terminate_all", "reason": "wrong mails", "plan": "pln_e"}
    done = pawl("safety", "emergency", "off")
    assert done.returncode == 0 and "There is no emergency." in done.stderr, done


def test_the_policy_keeps_what_nobody_changes(pawl, server):
    policy = {"mode": "act", "outcome": "fail", "stale_after_ms": 21_600_000, "sweep_every_ms": 300_000, "idle_after_ms": 600_000, "slow_factor": 2.5,
              "stuck_after_ms": {"low": 1000, "medium": 2000, "high": 3000, "critical": 4000}, "revision": 3}
    script(server, "GET", "policy", (200, policy))
    script(server, "PUT", "policy", lambda body: (200, {**policy, **body}))
    shown = pawl("safety", "policy")
    assert shown.returncode == 0 and "act" in shown.stdout and "2.5" in shown.stdout, shown
    changed = pawl("safety", "policy", "--mode", "report", "--stale-after", "12h")
    assert changed.returncode == 0 and "report" in changed.stdout, changed
    wanted = {name: value for name, value in policy.items() if name != "revision"}
    assert server.host.sent("PUT", SAFETY + "policy") == [{**wanted, "mode": "report", "stale_after_ms": 43_200_000}]


def test_sweeps_are_one_line_each(pawl, server):
    script(server, "GET", "sweeps", (200, {"items": [{
        "id": "1", "at": "2026-11-21T08:00:00Z", "kind": "sweep", "acted": True, "actor": None, "stale": 2, "failed": 2, "requeued": 0,
        "orphans": {"run_without_job": 3}, "cleaned": {}}]}))
    done = pawl("safety", "sweeps", "--found")
    assert done.returncode == 0 and "stale 2, failed 2, requeued 0, orphans 3, cleaned 0" in done.stdout, done
