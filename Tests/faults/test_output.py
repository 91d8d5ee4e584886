"""O: what handlers write and say, too much, too fast, or wrong."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BIN, make_host, plugin_directory
from invariants import Watch, v1_controller, zygotes
from pawl_processes import descendants, descriptors, resident_bytes, until


def test_o1_a_gigabyte_of_output_and_a_host_that_hangs(host):
    """Everything is read, what is too much is dropped and counted to the byte; the host grows by none of it."""
    before = resident_bytes(host.process.pid)
    run, _ = host.started("mischief.flood", {"bytes": 1_000_000_000}, timeout_ms=300_000)
    host.process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    host.process.send_signal(signal.SIGCONT)
    peak = 0

    def ended():
        nonlocal peak
        peak = max(peak, resident_bytes(host.process.pid))
        return host.get(run)["state"] == "succeeded"
    until(ended, 120, "the flood's end")
    attempt = host.attempts(run)[0]
    assert attempt["dropped_output_bytes"] == 1_000_000_000 - (16 << 20), attempt
    assert peak - before < 64 << 20, f"the host grew by {(peak - before) >> 20} MiB"


def test_o1_the_policy_may_be_to_kill(host):
    host.settings("mischief.flood", limits={"output_bytes": 1 << 20}, execution={"output_policy": "kill"})
    attempt = host.end_of("mischief.flood", {"bytes": 50_000_000})
    assert attempt["outcome"] not in ("succeeded", "lost"), attempt
    assert "output" in str(attempt), attempt


def test_o2_binary_and_halves_of_characters(host):
    run = host.run("mischief.binary")
    assert host.wait_state(run)["state"] == "succeeded"
    text = host.log_text(run)
    assert "half: é whole" in text and "no end" in text and "�" in text
    page = host.get(f"/api/v1/runs/{run}/logs")  # And all of it is JSON.
    assert any("half: é whole" in (line["message"] or "") for line in page["items"])


def test_o3_credit_runs_out(host):
    """Lines without credit are dropped and counted; lines and count together are all."""
    run = host.run("mischief.log", {"lines": 200_000})
    host.wait_state(run)
    dropped = host.get(run + "?include=result")["result"]["dropped"]
    attempt = host.attempts(run)[0]
    assert attempt["dropped_log_lines"] == dropped, attempt
    stored = host.ledger.number(f"select count(*) from pawl.logs where message like 'line % of 200000'")
    assert stored + dropped == 200_000


@pytest.mark.parametrize("kind,outcome", [
    ("noise", "crashed"), ("unknown", "crashed"), ("optional", "no_result"), ("oversize", "crashed"), ("short_log", "crashed"),
    ("short_progress", "crashed"), ("result_of_noise", "crashed"), ("crash", "crashed"), ("close", None), ("shutdown", None),
    ("wrong_run", None)])
def test_o4_words_that_do_not_belong_there(host, kind, outcome):
    bystander, _ = host.started("mischief.sleep", {"ms": 200})
    attempt = host.end_of("mischief.garbage", {"kind": kind})
    # An unknown frame that is marked as optional is skipped: then only the exit after it is wrong.
    assert outcome in (None, attempt["outcome"], attempt["reason"]), attempt
    assert host.wait_state(bystander)["state"] == "succeeded"


def test_o4_a_frame_torn_at_every_byte(host):
    """124 bytes of a LOG frame, cut after each of them, then an exit."""
    items = [{"job": "mischief.garbage", "args": {"kind": "torn", "length": length}, "attempts": 1} for length in range(124)]
    made = host.expect("POST", "/api/v1/runs/batch", {"items": items}, headers={"Idempotency-Key": f'"{os.urandom(8).hex()}"'})
    for item in made["items"]:
        assert host.wait_state(item["id"])["state"] == "failed"
        attempt = host.attempts(item["id"])[0]
        assert attempt["outcome"] == "crashed" and attempt["exit_code"] in (9, None), attempt


def test_o5_a_socket_buffer_of_four_kilobytes(host):
    run = host.run("mischief.narrow", {"bytes": 900_000})
    assert host.wait_state(run)["state"] == "succeeded"
    assert len(host.get(run + "?include=result")["result"]) == 900_000
    page = host.ledger.number("select count(*) from pawl.logs where message = 'through a narrow door'")
    assert page + host.attempts(run)[0]["dropped_log_lines"] >= 500


def test_o6_a_thousand_children_at_once(own_host):
    host = own_host(arguments=["--slots", "1000"])
    watch = Watch(host, host.ledger)
    items = [{"job": "mischief.sleep", "args": {"ms": 600_000}}] * 1000
    made = host.expect("POST", "/api/v1/runs/batch", {"items": items}, headers={"Idempotency-Key": f'"{os.urandom(8).hex()}"'},
                       timeout=120)
    started = "select count(*) from pawl.run_live where state = 'running' and started_at is not null"
    until(lambda: host.ledger.number(started) == 1000, 120, "a thousand running attempts")
    tree = descendants(host.process.pid)
    assert len(tree) >= 1000 and host.request("GET", "/livez").status == 200
    for item in made["items"]:
        host.terminate(item["id"])
    until(lambda: not host.ledger.live(), 120, "the end of them")
    watch.check(compare_open=False)


def test_o6_a_host_without_descriptors(own_host):
    """With 150 of them it cannot start 60 attempts at once: they wait or come again, none is lost, none is doubled."""
    host = own_host(arguments=["--slots", "60"], bare=["prlimit", "--nofile=150:150"])
    items = [{"job": "mischief.sleep", "args": {"ms": 100}, "attempts": 5}] * 150
    made = host.expect("POST", "/api/v1/runs/batch", {"items": items}, headers={"Idempotency-Key": f'"{os.urandom(8).hex()}"'})
    until(lambda: not host.ledger.live(), 90, "the end of 150 runs")
    for item in made["items"][:20]:
        assert host.get(item["id"])["state"] == "succeeded"
    assert host.ledger.number("select count(*) from pawl.run where state = 'succeeded'") == 150
    Watch(host, host.ledger).check()
    assert not host.ledger.faults()


def test_o6_a_child_without_descriptors(host):
    host.limits("mischief.open", open_files=40)
    run = host.run("mischief.open", attempts=1)
    assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
    result = host.get(run + "?include=result")["result"]
    assert result["errno"] == 24 and 20 < result["got"] < 40  # EMFILE


def test_o6_a_zygote_without_descriptors(own_host):
    """Its table is full: SPAWN cannot bring descriptors in. The attempt does not run, and comes again when there is room."""
    host = own_host()
    host.end_of("mischief.noop")
    pids = zygotes(host)
    for pid in pids:
        subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={max(descriptors(pid)) + 1}:4096"], check=True)
    runs = [host.run("mischief.noop") for _ in range(3)]
    time.sleep(1)  # They are tried meanwhile, as often as the host likes.
    for pid in set(pids) & set(zygotes(host)):
        subprocess.run(["prlimit", f"--pid={pid}", "--nofile=1024:4096"], check=True)
    for run in runs:
        done = host.wait_state(run, bound=90)
        assert done["state"] == "succeeded", host.attempts(run)
    assert not host.ledger.faults()


def test_o6_no_more_processes(own_host):
    """EAGAIN from clone3: the zygote is in a pids group (v1) that is full."""
    pids = v1_controller("pids")
    if pids is None:
        pytest.skip("no v1 pids controller to make a group in")
    host = own_host()
    host.end_of("mischief.noop")
    zygote = next(z for z in zygotes(host))
    group = pids / f"pawl-test-{zygote}"
    group.mkdir()
    try:
        for z in zygotes(host):
            (group / "cgroup.procs").write_text(str(z))
        (group / "pids.max").write_text(str(len(zygotes(host))))
        runs = [host.run("mischief.noop") for _ in range(3)]
        time.sleep(1)
        assert int((group / "pids.events").read_text().split()[1]) > 0
        (group / "pids.max").write_text("max")
        for run in runs:
            assert host.wait_state(run, bound=90)["state"] == "succeeded", host.attempts(run)
        assert not host.ledger.faults()
    finally:
        (group / "pids.max").write_text("max")
        host.end()
        until(lambda: not (group / "cgroup.procs").read_text().split(), 10, "an empty group")
        group.rmdir()


def test_o6_a_store_without_space(place, cluster, tmp_path):
    """ENOSPC while a plugin is taken into the store: it is rejected in words, the host goes on, and with room it is served."""
    if os.getuid() != 0:
        pytest.skip("a small file system needs root")
    small = place / "small"
    small.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    plugins = plugin_directory(tmp_path / "plugins", ["plugins/mischief.so"])
    host = make_host(place, cluster, "none", "own-small-store", plugins=plugins)
    host.data = small / "host"
    try:
        host.start()
        host.end_of("mischief.noop")
        filler = os.open(small / "filler", os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(filler, b"x" * 4096):
                pass
        except OSError:
            os.close(filler)
        shutil.copy(BIN / "fixtures" / "swift-ways.so", plugins / "ways.part")
        os.rename(plugins / "ways.part", plugins / "ways.so")

        def of_ways():
            return next((p for p in host.get("/api/v1/plugins")["items"] if p["file"] == "ways.so"), None)
        until(lambda: (of_ways() or {}).get("error"), 30, "the error of ways.so")
        assert "space" in of_ways()["error"], of_ways()
        assert host.end_of("mischief.noop")["outcome"] == "succeeded"
    finally:
        host.end()
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.parametrize("mode", ["fork", "spawn"])
def test_o7_descriptors_of_a_child(host, mode):
    """0 to 4 are the contract; 5 and 6 are the child's own eventfds. Nothing of the host, the zygote, or another attempt."""
    host.settings("mischief.facts", execution={"mode": mode})
    keep, _ = host.started("mischief.sleep", {"ms": 500})
    run = host.run("mischief.facts", attempts=1)
    host.wait_state(run)
    assert host.get(run + "?include=result")["result"]["fds"] == [0, 1, 2, 3, 4, 5, 6]
    host.wait_state(keep)
