"""P: children that serve one run after the other, and what runs leave in them. Fixture: reuse.c."""

import os
import signal

import pytest

from conftest import make_host
from invariants import Watch, strays, zygotes
from pawl_processes import children_of, descendants, exists, still_alive, until


@pytest.fixture(scope="module", params=["cgroup", "none"])
def pool_host(request, place, cluster):
    host = make_host(place, cluster, request.param, f"pool-{request.param}")
    try:
        host.start()
        host.never_quarantine()
        jobs = [j["name"] for j in host.get("/api/v1/jobs")["items"]]
        for job in jobs:
            if job.startswith("reuse."):
                host.settings(job, execution={"mode": "pool"})
        yield host
        tree = descendants(host.process.pid)
        assert host.stop(30) == 0
        assert not still_alive(tree), "a host that has stopped leaves no child, idle or not"
    finally:
        host.end()


@pytest.fixture
def host(pool_host):
    watch = Watch(pool_host, pool_host.ledger)
    yield pool_host
    left = watch.end_all()
    watch.check(idle=40)
    assert not left


def state(host):
    run = host.run("reuse.state", attempts=1)
    assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
    attempt = host.attempts(run)[0]
    assert attempt["mode"] == "pool", attempt
    return host.get(run + "?include=result")["result"]


def leaks(attempt):
    return attempt.get("leaks") or {}


def test_a_child_serves_one_run_after_the_other(host):
    first = state(host)
    seen = [state(host) for _ in range(5)]
    assert {s["pid"] for s in seen} == {first["pid"]}
    assert [s["runs"] for s in seen] == list(range(first["runs"] + 1, first["runs"] + 6))


@pytest.mark.parametrize("job,member", [
    ("reuse.leak_descriptor", "descriptors"), ("reuse.leak_thread", "threads"), ("reuse.leave_process", "processes")])
def test_p1_what_a_run_leaves_is_reported_and_the_child_is_recycled(host, job, member):
    before = state(host)["pid"]
    attempt = host.end_of(job)
    assert attempt["outcome"] == "succeeded" and attempt["pid"] == before, attempt
    assert leaks(attempt).get(member, 0) >= 1 and leaks(attempt).get("recycled"), attempt
    assert state(host)["pid"] != before
    until(lambda: not exists(before), 10, "the recycled child's end")


def test_p1_growth(host):
    job = "reuse.grow"
    host.settings(job, execution={"mode": "pool", "pool_growth_bytes": 40 << 20})
    attempts = [host.end_of(job) for _ in range(4)]  # 24 MiB each.
    assert {a["outcome"] for a in attempts} == {"succeeded"}
    assert len({a["pid"] for a in attempts}) >= 2, "a child that grew too much serves no more"
    assert any(leaks(a).get("recycled") for a in attempts)


@pytest.mark.parametrize("job", ["reuse.reset_fails", "reuse.reset_hangs"])
def test_p2_a_reset_that_fails_or_hangs(host, job):
    host.settings(job, execution={"mode": "pool"}, limits={"wall_ms": 1500, "term_grace_ms": 100, "cancel_grace_ms": 100})
    first = host.end_of(job)
    second = host.end_of(job)
    assert first["pid"] != second["pid"], (first, second)
    if job == "reuse.reset_fails":
        assert first["outcome"] == "succeeded" and leaks(first).get("recycled"), first


def test_p3_what_a_run_changed_is_put_back_or_the_child_goes(host):
    before = state(host)
    attempt = host.end_of("reuse.change")
    assert attempt["outcome"] == "succeeded"
    after = state(host)
    for word in ("umask", "mark", "path", "usr2_blocked", "usr1_default", "locale"):
        assert after[word] == before[word], (word, before, after)
    if after["pid"] == before["pid"]:
        restored = set(leaks(attempt).get("restored") or [])
        assert {"cwd", "umask", "environment"} <= restored, attempt
    assert after["cwd"] != "/"


def test_p3_environment_is_the_runs_own(host):
    a, b = state(host), state(host)
    assert a["run_id"] != b["run_id"] and a["run_id"].startswith("run_")


def test_p4_a_child_that_dies_idle_is_nobodys_business(host):
    pid = state(host)["pid"]
    assert exists(pid)
    os.kill(pid, signal.SIGKILL)  # It waits: nobody reaps it before its keeper sees this.
    until(lambda: not exists(pid), 10, "its end")
    assert state(host)["pid"] != pid
    assert host.ledger.number("select count(*) from pawl.attempt where outcome not in ('succeeded', 'timed_out', 'crashed')") == 0


def test_p4_a_crash_in_the_pool_is_that_runs_alone(host):
    pid = state(host)["pid"]
    attempt = host.end_of("reuse.crash")
    assert attempt["outcome"] == "crashed" and attempt["signal"] == signal.SIGABRT
    assert state(host)["pid"] != pid or attempt["pid"] != pid


def test_a_terminate_of_a_pooled_run(host):
    run, pid = host.started("reuse.spin")
    host.terminate(run)
    host.wait_state(run)
    assert host.attempts(run)[0]["outcome"] == "terminated" and not exists(pid)


def test_a_kill_of_the_zygote_with_idle_children(host):
    state(host)
    zygote = next(z for z in zygotes(host) if children_of(z))
    os.kill(zygote, signal.SIGKILL)
    until(lambda: not exists(zygote), 10, "the zygote's end")
    assert state(host)["pid"]


def test_a_job_that_may_not_be_pooled_is_forked(host):
    """talker does not say that it may be reused; the attempt runs in a child of its own."""
    host.settings("fixture.talk", execution={"mode": "pool"})
    attempts = [host.end_of("fixture.talk", {"what": "stages"}) for _ in range(2)]
    assert {a["outcome"] for a in attempts} == {"succeeded"} and {a["mode"] for a in attempts} <= {"fork", "spare"}, attempts
    assert attempts[0]["pid"] != attempts[1]["pid"]


@pytest.mark.parametrize("mode", ["fork", "spare", "spawn"])
def test_one_behaviour_in_every_mode(host, mode):
    for job in ("mischief.noop", "mischief.segv", "mischief.leave", "ways.async", "ways.main_queue", "ways.libraries"):
        host.settings(job, execution={"mode": mode})
    try:
        for _ in range(3):  # The second finds a spare child.
            assert host.end_of("mischief.noop")["mode"] == mode
        crash = host.end_of("mischief.segv")
        assert (crash["outcome"], crash["signal"], crash["mode"]) == ("crashed", signal.SIGSEGV, mode)
        assert host.end_of("mischief.leave", {"children": 2})["outcome"] == "succeeded"
        for job, result in (("ways.async", 5100), ("ways.main_queue", 10), ("ways.libraries", ["1970-01-01", "hello\n"])):
            run = host.run(job, attempts=1)
            assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
            assert host.get(run + "?include=result")["result"] == result
    finally:
        for job in ("mischief.noop", "mischief.segv", "mischief.leave", "ways.async", "ways.main_queue", "ways.libraries"):
            host.settings(job, execution={"mode": None})
