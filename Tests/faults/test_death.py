"""D: handlers that die, each way and at each moment; and with them their zygote, their host."""

import os
import signal
import time

import pytest

from invariants import Watch, strays, v1_controller, zygotes
from pawl_processes import children_of, descendants, exists, state_of, status_fields, still_alive, until

CORE = ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGABRT", "SIGSYS"]
PLAIN = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGALRM", "SIGKILL", "SIGXCPU"]


@pytest.mark.parametrize("thread", ["worker", "other", "main"])
@pytest.mark.parametrize("name", CORE)
def test_d1_fatal_signals_in_every_thread(host, name, thread):
    number = int(getattr(signal, name))
    attempt = host.end_of("mischief.signal", {"signal": number, "thread": thread})
    assert attempt["outcome"] == "crashed", attempt
    if name == "SIGSYS":
        assert attempt["reason"] in ("sandbox", "signal"), attempt
    else:
        assert attempt["reason"] == "signal", attempt
    assert attempt["signal"] == number


@pytest.mark.parametrize("name", PLAIN)
def test_d1_signals_that_end_without_a_core(host, name):
    number = int(getattr(signal, name))
    attempt = host.end_of("mischief.signal", {"signal": number})
    assert attempt["outcome"] == ("timed_out" if name == "SIGXCPU" else "crashed"), attempt
    assert attempt["signal"] == number
    if name == "SIGKILL":
        assert attempt["reason"] == "killed"


def test_d1_a_broken_pipe_is_no_death(host):
    assert host.end_of("mischief.signal", {"signal": int(signal.SIGPIPE)})["outcome"] == "succeeded"


@pytest.mark.parametrize("job", ["mischief.overflow", "mischief.handler_overflow", "ways.deep_recursion"])
def test_d2_a_full_stack(host, job):
    attempt = host.end_of(job)
    assert (attempt["outcome"], attempt["signal"]) == ("crashed", signal.SIGSEGV), attempt


@pytest.mark.parametrize("job,ends", [
    ("mischief.abort", signal.SIGABRT), ("mischief.double_free", signal.SIGABRT), ("mischief.smash", None),
    ("mischief.jump", signal.SIGSEGV), ("mischief.thread_segv", signal.SIGSEGV), ("ways.trap", signal.SIGTRAP)])
def test_d3_aborts_traps_and_broken_heaps(host, job, ends):
    attempt = host.end_of(job)
    assert attempt["outcome"] == "crashed" and attempt["reason"] == "signal", attempt
    assert ends is None and attempt["signal"] in (signal.SIGABRT, signal.SIGSEGV) or attempt["signal"] in (ends, signal.SIGILL)
    assert host.end_of("mischief.noop")["outcome"] == "succeeded"


def test_d4_after_the_result_it_stands(host):
    """RESULT is sent when run() has returned: a crash before that is one, a crash after it changes nothing."""
    before = host.end_of("mischief.crash_after_result")
    assert before["outcome"] == "crashed" and before["signal"] == signal.SIGSEGV
    run = host.run("mischief.crash_after_result", {"later": True}, attempts=1)
    assert host.wait_state(run)["state"] == "succeeded"
    assert host.get(run + "?include=result")["result"] == "said"


@pytest.mark.parametrize("code", [0, 1, 255])
def test_d5_an_exit_without_a_result(host, code):
    attempt = host.end_of("mischief.exit", {"code": code})
    assert (attempt["outcome"], attempt["reason"], attempt["exit_code"]) == ("crashed", "no_result", code)


def test_d6_a_kill_of_the_child(host):
    for _ in range(5):
        run, pid = host.started("mischief.sleep", {"ms": 600_000})
        os.kill(pid, signal.SIGKILL)  # The run is shown as running by its host: the number is this child's.
        host.wait_state(run)
        attempt = host.attempts(run)[0]
        assert (attempt["outcome"], attempt["reason"], attempt["signal"]) == ("crashed", "killed", 9)


def test_d6_a_kill_of_the_zygote_loses_nothing(host):
    runs = [host.started("mischief.sleep", {"ms": 500})[0] for _ in range(3)]
    pid = next(z for z in zygotes(host) if set(children_of(z)))
    os.kill(pid, signal.SIGKILL)
    for run in runs:
        assert host.wait_state(run)["state"] == "succeeded"
        outcomes = [a["outcome"] for a in host.attempts(run)]
        assert outcomes[-1] == "succeeded" and set(outcomes[:-1]) <= {"lost"}, outcomes
        assert host.get(run)["attempts_used"] == 1
    assert host.end_of("mischief.noop")["outcome"] == "succeeded"


def test_d7_a_stopped_child_is_ended_at_its_limit(host):
    host.limits("mischief.sleep", cancel_grace_ms=100, term_grace_ms=100)
    run, pid = host.started("mischief.sleep", {"ms": 600_000}, timeout_ms=1000)
    os.kill(pid, signal.SIGSTOP)
    host.wait_state(run, bound=30)
    attempt = host.attempts(run)[0]
    assert (attempt["outcome"], attempt["reason"]) == ("timed_out", "wall"), attempt


def test_d7_a_stopped_zygote_delays_and_loses_nothing(host):
    """A handler may stop its keepers, being of the same user. Nothing of ours does, so the host lets them go on."""
    stopped = zygotes(host)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    runs = [host.run("mischief.noop") for _ in range(3)]
    for run in runs:
        assert host.wait_state(run)["state"] == "succeeded"
    assert set(stopped) <= set(zygotes(host)), "it was let go on, not killed"


def test_d7_a_stopped_keeper_of_a_run_goes_on(host):
    """What rolls on under a subreaper that reaps nothing fills the machine's table of processes."""
    run, pid = host.started("mischief.sleep", {"ms": 2000}, timeout_ms=20_000)
    keeper = int(status_fields(pid)[1])  # With cgroups it is the zygote itself.
    os.kill(keeper, signal.SIGSTOP)
    until(lambda: state_of(keeper) != "T", 10, "a keeper that goes on")
    assert host.wait_state(run)["state"] == "succeeded"


def test_d7_thousands_of_dead_do_not_hold_up_their_zygote(host):
    """Chains of forks leave their dead to the zygote, or the monitor: it reaps them, and hears its host meanwhile."""
    runs = [host.run("mischief.roll", {"chains": 2}, attempts=1, timeout_ms=1500) for _ in range(2)]
    runs += [host.run("mischief.exec", attempts=1) for _ in range(2)]
    before = zygotes(host)
    for run in runs:
        host.wait_state(run, bound=60)
    assert host.end_of("mischief.noop")["outcome"] == "succeeded"
    assert set(before) <= set(zygotes(host)), "it answered all the time"


def test_d8_a_zygote_out_of_memory(host):
    """In a v1 memory group of its own with less room than it has pages: the kernel kills it at its next fork."""
    memory = v1_controller("memory")
    if memory is None:
        pytest.skip("no v1 memory controller to make a group in, and none of v2")
    run, child = host.started("mischief.sleep", {"ms": 3000})
    zygote = next(z for z in zygotes(host) if child in descendants(z))
    group = memory / f"pawl-test-{os.getpid()}-{zygote}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text("65536")
        (group / "cgroup.procs").write_text(str(zygote))
        others = [host.run("mischief.noop") for _ in range(5)]
        until(lambda: not exists(zygote), 20, "the zygote's end")
        assert "oom_kill 0" not in (group / "memory.oom_control").read_text()
        for other in [run, *others]:
            assert host.wait_state(other)["state"] == "succeeded"
        assert {a["outcome"] for a in host.attempts(run)} <= {"lost", "succeeded"}
    finally:
        until(lambda: not (group / "cgroup.procs").read_text().split(), 10, "an empty group")
        group.rmdir()


def test_d9_a_host_that_stands_still_for_ten_seconds(own_host):
    """Nothing is lost: what ended meanwhile is settled, what ran over its limit is ended then. L6 is the same event."""
    host = own_host()
    watch = Watch(host, host.ledger)
    short, _ = host.started("mischief.sleep", {"ms": 1500})
    host.limits("mischief.deaf", cancel_grace_ms=100, term_grace_ms=100)
    over, over_pid = host.started("mischief.deaf", timeout_ms=2000)
    long, _ = host.started("mischief.sleep", {"ms": 12_000})
    talking, _ = host.started("mischief.log", {"lines": 300_000})
    host.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(10)
        assert exists(over_pid)
    finally:
        host.process.send_signal(signal.SIGCONT)
    assert host.wait_state(short)["state"] == "succeeded"
    assert host.wait_state(long)["state"] == "succeeded" and len(host.attempts(long)) == 1
    assert host.wait_state(talking)["state"] == "succeeded"
    host.wait_state(over, bound=30)
    assert (host.attempts(over)[0]["outcome"], host.attempts(over)[0]["reason"]) == ("timed_out", "wall")
    watch.check()


def test_d6_a_kill_of_the_host_at_random_points(own_host):
    host = own_host()
    first = host.ledger.last_run()
    for moment in (0.02, 0.11, 0.3):
        ids = host.expect("POST", "/api/v1/runs/batch", {"items": [{"job": "mischief.sleep", "args": {"ms": 40}}] * 40},
                          headers={"Idempotency-Key": f'"{os.urandom(8).hex()}"'})["items"]
        escape = host.run("mischief.escape", {"children": 2}, attempts=1, labels={"kind": "escape"})
        host.wait_state(escape, "running")
        time.sleep(moment)  # The random point.
        tree = descendants(host.process.pid)
        host.kill()
        until(lambda: not still_alive(tree), 10, "the end of everything below the host")
        host.start()
        host.terminate(escape)
        for item in ids:
            assert host.wait_state(item["id"])["state"] == "succeeded"
        host.wait_state(escape)
    assert not host.ledger.faults(first)
    until(lambda: not strays(host), 10, "nothing but zygotes")
    assert host.stop(30) == 0


def test_d10_a_zygote_outlives_no_host_and_no_thread(own_host):
    """The host has one thread, so the thread that spawned zygotes ends with the process, and they with it."""
    host = own_host()
    host.end_of("mischief.noop")
    assert len(os.listdir(f"/proc/{host.process.pid}/task")) == 1
    tree = descendants(host.process.pid)
    host.kill()
    until(lambda: not still_alive(tree), 10, "the zygotes' end")
    assert all(state_of(pid) in (None, "Z") for pid in tree)
