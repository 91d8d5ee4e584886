"""L: limits, each of them passed, and clocks that do not behave."""

import os
import signal
import time

import pytest

from conftest import BIN
from pawl_processes import until

QUICK = {"cancel_grace_ms": 100, "term_grace_ms": 100}


def test_l1_processor_time(host):
    host.limits("mischief.burn", cpu_ms=1000, **QUICK)
    attempt = host.end_of("mischief.burn")
    assert (attempt["outcome"], attempt["reason"]) == ("timed_out", "cpu"), attempt


def test_l1_processor_time_of_the_whole_tree(host):
    """The kernel's limit is per process; a child's time is the attempt's as well."""
    host.limits("mischief.burn", cpu_ms=1500, **QUICK)
    attempt = host.end_of("mischief.burn", {"in_child": True})
    assert (attempt["outcome"], attempt["reason"]) == ("timed_out", "cpu"), attempt


def test_l2_memory_is_named_and_neighbours_live(host):
    host.limits("mischief.hog", memory_bytes=200 << 20)
    neighbours = [host.started("mischief.sleep", {"ms": 700})[0] for _ in range(3)]
    attempt = host.end_of("mischief.hog", {"mb": 1000})
    assert attempt["outcome"] == "out_of_memory", attempt
    for run in neighbours:
        assert host.wait_state(run)["state"] == "succeeded" and len(host.attempts(run)) == 1


def test_l3_open_files(host):
    host.limits("mischief.open", open_files=64)
    run = host.run("mischief.open", attempts=1)
    host.wait_state(run)
    result = host.get(run + "?include=result")["result"]
    assert result["errno"] == 24 and result["got"] < 64


def test_l4_file_size(host):
    host.limits("mischief.write", file_bytes=1 << 20)
    fits = host.run("mischief.write", {"bytes": 1 << 20}, attempts=1)
    assert host.wait_state(fits)["state"] == "succeeded", host.attempts(fits)
    attempt = host.end_of("mischief.write", {"bytes": 2 << 20})
    # SIGXFSZ ends it, or the write fails and the handler says so: EFBIG.
    if attempt["outcome"] == "succeeded":
        assert host.get(attempt["run_id"] + "?include=result")["result"]["errno"] == 27
    else:
        assert attempt["signal"] == signal.SIGXFSZ and "file" in str(attempt), attempt


@pytest.fixture
def clock(tmp_path):
    """Moves the wall clock of a host and its children, and of nobody else."""
    library = BIN / "fixtures" / "clock_step.so"
    assert library.exists(), "make fixtures builds it"
    offset = tmp_path / "offset"
    offset.write_bytes((0).to_bytes(8, "little", signed=True))

    def step(seconds):
        with open(offset, "r+b") as file:
            file.write(int(seconds * 1e9).to_bytes(8, "little", signed=True))
    step.environment = {"LD_PRELOAD": str(library), "CLOCK_STEP_FILE": str(offset)}
    return step


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_l5_the_wall_clock_is_set(own_host, clock, seconds):
    """A time limit is time that passes, not what a clock shows."""
    host = own_host(environment=clock.environment)
    host.limits("mischief.deaf", **QUICK)
    over, _ = host.started("mischief.deaf", timeout_ms=1500)
    within, _ = host.started("mischief.sleep", {"ms": 1200}, timeout_ms=30_000)
    began = time.monotonic()
    clock(seconds)
    assert host.wait_state(within)["state"] == "succeeded"
    host.wait_state(over, bound=30)
    assert time.monotonic() - began < 25
    assert host.attempts(over)[0]["reason"] == "wall"
    ended = host.get(within)["finished_at"]
    shift = time.mktime(time.strptime(ended[:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())
    assert abs(shift) < 7200, "the rows' times are sane either way"


def test_no_progress_time(host):
    host.limits("mischief.read", no_progress_ms=600, **QUICK)
    attempt = host.end_of("mischief.read")
    assert (attempt["outcome"], attempt["reason"]) == ("timed_out", "no_progress"), attempt
    host.limits("mischief.progress", no_progress_ms=600)
    assert host.end_of("mischief.progress", {"steps": 12, "ms": 100})["outcome"] == "succeeded"


def test_queue_time(own_host):
    """A run that is not started in time expires, without an attempt."""
    host = own_host(arguments=["--slots", "1"])
    host.limits("mischief.noop", queue_ms=300)
    blocker, _ = host.started("mischief.sleep", {"ms": 600_000})
    run = host.run("mischief.noop")
    done = host.wait_state(run, bound=30)
    assert (done["state"], done["reason"], host.attempts(run)) == ("failed", "expired", [])
    host.terminate(blocker)
    host.wait_state(blocker)


def test_wall_time(host):
    host.limits("mischief.spin", **QUICK)
    began = time.monotonic()
    attempt = host.end_of("mischief.spin", timeout_ms=300)
    assert (attempt["outcome"], attempt["reason"]) == ("timed_out", "wall"), attempt
    assert time.monotonic() - began >= 0.3
