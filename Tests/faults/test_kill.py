"""K: handlers that will not go. A terminate is reported when the tree is empty, and then it is. K12: all in both profiles."""

import os
import random
import signal
import time

import pytest

from invariants import cgroup_roots
from pawl_processes import descendants, exists, state_of, still_alive, until
from stuck_file_system import StuckFileSystem


def terminated(host, run, grace_ms=0, bound=30):
    """Terminates it; at the very moment of the report nothing of its tree is left."""
    pid = host.get(run)["pid"]
    tree = {p: s for p, s in descendants(host.process.pid).items() if p == pid or pid in ancestors(p)}
    host.terminate(run, grace_ms)
    host.wait_state(run, bound=bound)
    left = still_alive(tree)
    assert not left, f"of the tree {left} are left"
    attempt = host.attempts(run)[0]
    assert attempt["outcome"] == "terminated", attempt
    return attempt


def ancestors(pid):
    found = []
    while pid > 1:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                pid = int(stat.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
        found.append(pid)
    return found


def escaped(host, run, count, word="escaped: "):
    """Pids that the handler named in its log."""
    def found():
        pids = [int(line.rsplit(word, 1)[1]) for line in host.log_text(run).splitlines() if word in line]
        return pids if len(pids) == count else None
    return until(found, 20, f"{count} escapees")


@pytest.mark.parametrize("job", ["mischief.spin", "mischief.deaf", "mischief.read", "mischief.deadlock", "mischief.burn", "ways.sleep"])
def test_k1_k2_busy_and_deaf(host, job):
    run, pid = host.started(job)
    terminated(host, run)
    assert not exists(pid)


def test_k2_a_deaf_one_gets_its_grace_and_then_the_kill(host):
    run, _ = host.started("mischief.deaf")
    host.said(run, "ignoring SIGTERM")
    began = time.monotonic()
    attempt = terminated(host, run, grace_ms=400)
    assert time.monotonic() - began >= 0.4 and attempt["signal"] == signal.SIGKILL


def test_k3_five_that_left_their_session(host):
    run, pid = host.started("mischief.escape", {"children": 5})
    pids = escaped(host, run, 5)
    assert all(exists(p) for p in pids)
    terminated(host, run)
    assert not [p for p in [pid, *pids] if exists(p)]


def test_k3_what_a_success_leaves_behind(host):
    run = host.run("mischief.leave", {"children": 3})
    assert host.wait_state(run)["state"] == "succeeded"
    assert not [p for p in escaped(host, run, 3) if exists(p)]


def test_k4_chains_that_roll_through_the_pids(host):
    run, _ = host.started("mischief.roll", {"chains": 3})
    host.said(run, "they roll")
    terminated(host, run)


def test_k5_a_fork_bomb_under_its_limit(host):
    host.limits("mischief.bomb", processes=40)
    run = host.run("mischief.bomb", {"processes": 400}, attempts=1)
    done = host.wait_state(run)
    attempt = host.attempts(run)[0]
    if done["state"] == "succeeded":  # The kernel counts (pids controller), and refused the next fork.
        assert host.get(run + "?include=result")["result"]["made"] <= 40
    else:  # The host counts, and ended it.
        assert attempt["outcome"] in ("terminated", "crashed", "error") and "process" in str(attempt), attempt


def test_k5_a_fork_bomb_without_a_limit_is_terminated(host):
    run, _ = host.started("mischief.bomb", {"processes": 300})
    terminated(host, run)


def test_k6_a_child_that_stopped_itself(host):
    run, pid = host.started("mischief.stop")
    until(lambda: state_of(pid) == "T", 10, "the stopped child")
    terminated(host, run, grace_ms=200)


def test_k7_a_grandchild_that_holds_stdout(host):
    began = time.monotonic()
    run = host.run("mischief.hold")
    assert host.wait_state(run)["state"] == "succeeded"
    assert time.monotonic() - began < 20  # It would be 600 s if anybody waited for the pipe's end.
    assert "held" in host.log_text(run)


def test_k8_uninterruptible_sleep(host, tmp_path):
    """A process that no signal reaches: the run ends all the same, says so, and the host goes on in another place."""
    if reason := StuckFileSystem.reason_not_here():
        pytest.skip(reason)
    stuck = StuckFileSystem(tmp_path / "stuck")
    try:
        run, pid = host.started("mischief.read", {"path": str(stuck.file)})
        assert stuck.taken.wait(10)
        host.terminate(run, grace_ms=100)
        host.wait_state(run, bound=30)
        attempt = host.attempts(run)[0]
        assert attempt["outcome"] == "terminated", attempt
        assert "unkillable" in [step["name"] for step in attempt["ladder"]], attempt
        assert sleepers(pid) == ["D"] and host.end_of("mischief.noop")["outcome"] == "succeeded"
    finally:
        stuck.let_go()
    until(lambda: not sleepers(pid), 10, "its end, now that it can")


def sleepers(pid):
    """States of the threads that are left of a process: its leader is a zombie while another thread lives."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat") as stat:
                found.append(stat.read().rsplit(")", 1)[1].split()[0])
    except OSError:
        pass
    return [state for state in found if state != "Z"]


def test_k9_cancel_races_with_the_result(host):
    dice = random.Random(9)
    seen = set()
    for turn in range(40):
        run = host.run("mischief.sleep", {"ms": 5}, attempts=1)
        time.sleep(dice.random() * 0.03)
        answer = host.request("POST", f"/api/v1/runs/{run}/{'cancel' if turn % 2 else 'terminate'}", {})
        assert answer.status in (200, 202, 409), answer
        state = host.wait_state(run)["state"]
        outcomes = [a["outcome"] for a in host.attempts(run)]
        # Stopped while it waited: no attempt at all.
        assert outcomes in ([], ["succeeded"], ["cancelled"], ["terminated"]), outcomes
        assert (state == "succeeded") == (outcomes == ["succeeded"])
        seen.add(state)
    assert seen


def test_k10_cancel_before_it_started(host):
    for turn in range(20):
        run = host.run("mischief.sleep", {"ms": 600_000})
        (host.cancel if turn % 2 else host.terminate)(run)
        assert host.wait_state(run)["state"] == "cancelled"
        assert all(a["outcome"] in ("cancelled", "terminated") for a in host.attempts(run))


def test_k11_force_during_the_grace(host):
    run, _ = host.started("mischief.deaf")
    host.said(run, "ignoring SIGTERM")
    host.cancel(run, grace_ms=60_000)
    time.sleep(0.1)
    assert host.get(run)["state"] == "running"
    began = time.monotonic()
    host.terminate(run)
    host.wait_state(run)
    assert time.monotonic() - began < 10
    assert host.attempts(run)[0]["outcome"] == "terminated"


def test_k13_nobody_but_root_leaves_the_group(host):
    """`strict` gives an attempt another user where the host is root, and takes the control groups out of its sight."""
    if os.getuid() != 0 or host.profile != "cgroup":
        pytest.skip("another user needs a host that is root, and groups")
    host.settings("mischief.move", execution={"sandbox": "strict"})
    run = host.run("mischief.move", {"path": str(cgroup_roots()[0] / "cgroup.procs")}, attempts=1)
    done = host.wait_state(run)
    if done["state"] == "succeeded":
        result = host.get(run + "?include=result")["result"]
        assert result["moved"] is False and result["uid"] != 0, result
    else:
        assert host.attempts(run)[0]["reason"] == "sandbox", host.attempts(run)
