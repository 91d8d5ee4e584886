"""Attempts, monitors, zygotes and hosts that die, and trees that will not: nothing survives, records are true."""

import functools
import multiprocessing
import os
import random
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

from driver import *

MISCHIEF = BIN / "plugins" / "mischief.so"
FIXTURES = BIN / "fixtures"
FAULTS = FIXTURES / "pawl-zygote-faults"


@functools.cache
def symbols_of(library):
    """[(address, size, name)] of a library's functions."""
    lines = subprocess.run(["nm", "-S", "--defined-only", str(library)], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return [(int(f[0], 16), int(f[1], 16), f[3]) for f in map(str.split, lines) if len(f) == 4 and f[2] in "tT"]


def name_of(maps, pc):
    """The function of mischief.so that `pc` lies in, by the zygote's memory map."""
    for line in maps:
        fields = line.split()
        start, end = (int(x, 16) for x in fields[0].split("-"))
        if start <= pc < end and fields[-1].endswith("mischief.so"):
            offset = pc - start + int(fields[2], 16)
            for address, size, name in symbols_of(MISCHIEF):
                if address <= offset < address + size:
                    return name
    return None


def escaped_pids(attempt, count):
    pids = [int(attempt.wait_log("escaped: ")["message"].split()[1]) for _ in range(count)]
    attempt.wait_log("all have escaped")
    return pids


def end_of(attempt):
    """(code, status) of an attempt that ended without a word; reaped."""
    assert attempt.end() == ("gone", None)
    exited = attempt.exited()
    return exited["code"], exited["status"]


def done(attempt):
    attempt.reap()
    attempt.close()


def test_segv_is_recorded(profile):
    with Zygote(MISCHIEF, profile) as z:
        maps = Path(f"/proc/{z.pid}/maps").read_text().splitlines()
        attempt = z.spawn("mischief.segv").spawned()
        assert end_of(attempt) == (2, signal.SIGSEGV)
        crash = attempt.crash()
        assert crash["signal"] == signal.SIGSEGV and crash["code"] == 1 and crash["address"] == 42
        assert crash["thread_name"] == "pawl-worker" and crash["thread"] != attempt.pid and crash["overflow"] == 0
        assert crash["frames"][0] == crash["pc"] and name_of(maps, crash["pc"]) == "write_to_nowhere"
        assert "mischief_segv" in [name_of(maps, pc - 1) for pc in crash["frames"][1:]]
        assert 1 << 20 < crash["size"] < 1 << 33
        assert attempt.crash() is None, "one record, then the pipe's end"
        assert parse_log(attempt.frames[2][2])["message"] == "about to write to address 42"
        done(attempt)
        # Others are not hurt.
        assert z.run("mischief.noop")[0] == ("none", None)


def test_abort(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.abort").spawned()
        assert end_of(attempt) == (2, signal.SIGABRT)
        crash = attempt.crash()
        maps = Path(f"/proc/{z.pid}/maps").read_text().splitlines()
        assert crash["signal"] == signal.SIGABRT and "mischief_abort" in [name_of(maps,
                pc - 1) for pc in crash["frames"]]
        assert "calling abort()" in attempt.output(attempt.err)
        done(attempt)


def test_stack_overflow(profile):
    with Zygote(MISCHIEF, profile) as z:
        maps = Path(f"/proc/{z.pid}/maps").read_text().splitlines()
        attempt = z.spawn("mischief.overflow").spawned()
        assert end_of(attempt) == (2, signal.SIGSEGV)
        crash = attempt.crash()
        assert crash["signal"] == signal.SIGSEGV and len(crash["frames"]) == 64 and crash["overflow"] == 1
        assert {name_of(maps, pc) for pc in crash["frames"]} == {"deeper"}
        assert abs(crash["address"] - crash["sp"]) < 65536
        done(attempt)


def test_call_of_a_bad_pointer(profile):
    with Zygote(MISCHIEF, profile) as z:
        maps = Path(f"/proc/{z.pid}/maps").read_text().splitlines()
        attempt = z.spawn("mischief.jump").spawned()
        assert end_of(attempt) == (2, signal.SIGSEGV)
        crash = attempt.crash()
        assert crash["pc"] == crash["address"] == crash["frames"][0] == 42, crash
        assert name_of(maps, crash["frames"][1] - 1) == "mischief_jump"
        done(attempt)


def test_crash_in_another_thread(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.thread_segv").spawned()
        assert end_of(attempt) == (2, signal.SIGSEGV)
        crash = attempt.crash()
        assert crash["signal"] == signal.SIGSEGV and crash["address"] == 42
        done(attempt)


def test_core_signal_from_outside(profile):
    with Zygote(MISCHIEF, profile) as z:
        for number in (signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS):
            attempt = z.spawn("mischief.sleep", {"ms": 60000}).spawned()
            attempt.wait(STARTED)
            signal.pidfd_send_signal(attempt.pidfd, number)
            assert end_of(attempt)[1] == number
            crash = attempt.crash()
            assert crash["signal"] == number and crash["code"] <= 0 and crash["address"] == 0
            done(attempt)


def test_exit_without_a_result(profile):
    with Zygote(MISCHIEF, profile) as z:
        for code in (0, 7, 255):
            attempt = z.spawn("mischief.exit", {"code": code}).spawned()
            assert end_of(attempt) == (1, code)
            assert STARTED in [f[0] for f in attempt.frames] and attempt.crash() is None
            done(attempt)


def test_kill_of_the_child_from_outside(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.sleep", {"ms": 60000}).spawned()
        attempt.wait(STARTED)
        signal.pidfd_send_signal(attempt.pidfd, signal.SIGKILL)
        assert end_of(attempt) == (2, signal.SIGKILL) and attempt.crash() is None
        done(attempt)


def test_ladder_for_the_deaf(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.sleep", {"ms": 60000}).spawned()
        attempt.wait(STARTED)
        attempt.signal(signal.SIGTERM)
        assert end_of(attempt) == (2, signal.SIGTERM)
        done(attempt)
        attempt = z.spawn("mischief.deaf").spawned()
        attempt.wait_log("ignoring SIGTERM")
        attempt.signal(signal.SIGTERM)
        attempt.send(F_PING)
        attempt.wait(F_PONG)  # it lives, and its supervising thread answers
        assert alive(attempt.pid)
        attempt.kill()
        assert end_of(attempt) == (2, signal.SIGKILL)
        done(attempt)


def test_signal_reaches_the_stopped(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.sleep", {"ms": 60000}).spawned()
        attempt.wait(STARTED)
        attempt.signal(signal.SIGSTOP)
        until(lambda: process_state(attempt.pid)[0] == "T", what="a stopped child")
        attempt.signal(signal.SIGTERM)
        assert end_of(attempt) == (2, signal.SIGTERM)
        # The zombie still holds its group's number: signals to it reach nobody else.
        attempt.signal(signal.SIGKILL)
        done(attempt)


def test_signal_and_kill_right_after_spawn(profile):
    """Before the child has a session of its own, and before it has handlers."""
    with Zygote(MISCHIEF, profile) as z:
        for how in ["signal", "kill"] * 15:
            attempt = z.spawn("mischief.deaf" if how == "kill" else "mischief.sleep",
                              {} if how == "kill" else {"ms": 60000})
            attempt.spawned()
            attempt.signal(signal.SIGTERM) if how == "signal" else attempt.kill()
            number = signal.SIGTERM if how == "signal" else signal.SIGKILL
            assert end_of(attempt) == (2, number)
            done(attempt)


def test_spin_ends_by_sigterm(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.spin").spawned()
        attempt.wait(STARTED)
        attempt.send(CANCEL, struct.pack("<II", 2, 0))
        attempt.signal(signal.SIGTERM)
        assert end_of(attempt) == (2, signal.SIGTERM)
        done(attempt)


def test_escapees_are_killed_with_the_tree(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.escape", {"children": 5}).spawned()
        pids = escaped_pids(attempt, 5)
        assert all(alive(p) for p in pids)
        keeper = attempt.monitor_pid if profile == "none" else z.pid
        assert all(process_state(p)[1] == keeper for p in pids), "adopted by the attempt's keeper"
        attempt.signal(signal.SIGTERM)
        assert alive(attempt.pid)
        start = time.monotonic()
        attempt.kill()
        assert end_of(attempt) == (2, signal.SIGKILL)
        empty = attempt.reap()
        took = time.monotonic() - start
        assert not any(alive(p) for p in pids) and empty["survivors"] == 0
        if profile == "none":
            assert empty["killed"] == 5
        assert took < 2, took
        until(lambda: all(process_state(p) is None for p in pids), what="reaped escapees")
        attempt.close()


def test_two_trees_are_never_mixed_up(profile):
    with Zygote(MISCHIEF, profile) as z:
        first, second = (z.spawn("mischief.escape", {"children": 3}).spawned() for _ in range(2))
        theirs = escaped_pids(first, 3), escaped_pids(second, 3)
        first.kill()
        end_of(first)
        done(first)
        assert not any(alive(p) for p in theirs[0]) and all(alive(p) for p in theirs[1]) and alive(second.pid)
        second.kill()
        end_of(second)
        done(second)


def test_what_a_handler_leaves_behind_is_killed_after_a_good_end(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.leave", {"children": 3}).spawned()
        pids = [int(attempt.wait_log("escaped: ")["message"].split()[1]) for _ in range(3)]
        assert attempt.end() == ("none", None) and attempt.exited()["status"] == 0
        assert all(alive(p) for p in pids)
        attempt.kill()
        assert attempt.reap()["survivors"] == 0
        assert not any(alive(p) for p in pids)
        attempt.close()


def test_reap_alone_does_not_leave_a_tree(profile):
    """Without KILL: with cgroups REAP ends the rest; a monitor says EMPTY only when it is."""
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.leave", {"children": 2}).spawned()
        pids = [int(attempt.wait_log("escaped: ")["message"].split()[1]) for _ in range(2)]
        attempt.end(), attempt.exited()
        attempt.keeper.send(REAP, attempt.slot)
        if profile == "none":
            try:
                attempt.keeper.wait(EMPTY, attempt.slot, bound=0.2)
                raise RuntimeError("EMPTY came while processes of the tree lived")
            except AssertionError:
                assert all(alive(p) for p in pids)
            attempt.kill()
        attempt.keeper.wait(EMPTY, attempt.slot)
        until(lambda: not any(alive(p) for p in pids), what="the end of the tree")
        attempt.cgroup and until(lambda: "populated 0" in (attempt.cgroup / "cgroup.events").read_text())
        attempt.close()


def test_leader_that_became_another_program(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.exec").spawned()
        other = z.spawn("mischief.leave", {"children": 2}).spawned()
        pids = [int(other.wait_log("escaped: ")["message"].split()[1]) for _ in range(2)]
        assert end_of(attempt) == (1, 0)
        # Its zombie (which exec turned into an ordinary child) does not keep orphans from being reaped.
        other.end(), other.exited(), other.kill()
        until(lambda: all(process_state(p) is None for p in pids), what="reaped orphans")
        done(other)
        assert process_state(attempt.pid)[0] == "Z"
        done(attempt)


def host_that_dies(profile, plugin, pipe):
    """A host of its own, which reports the processes it made and then waits to be killed."""
    z = Zygote(plugin, profile)
    attempt = z.spawn("mischief.escape", {"children": 5}).spawned()
    pids = escaped_pids(attempt, 5)
    idle = z.spawn("mischief.sleep", {"ms": 600000}).spawned()
    idle.wait(STARTED)
    pipe.send(([z.pid, attempt.pid, idle.pid, *pids] + [p for p in (attempt.monitor_pid, idle.monitor_pid) if p],
               str(z.cgroup)))
    signal.pause()


def test_kill_of_the_host(profile):
    context = multiprocessing.get_context("fork")
    for _ in range(3):
        mine, its = context.Pipe()
        host = context.Process(target=host_that_dies, args=(profile, MISCHIEF, its))
        host.start()
        pids, cgroup = mine.recv()
        assert all(alive(p) for p in pids)
        os.kill(host.pid, signal.SIGKILL)
        until(lambda: not any(alive(p) for p in pids), 10, "the end of everything that the host had started")
        host.join()
        while True:  # zombies come to this subreaper
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        if profile == "cgroup":
            for leaf in Path(cgroup).iterdir():
                if leaf.is_dir():
                    leaf.rmdir()
            Path(cgroup).rmdir()
        mine.close(), its.close()


def test_kill_of_the_zygote(profile):
    z = Zygote(MISCHIEF, profile)
    try:
        attempt = z.spawn("mischief.escape", {"children": 3}).spawned()
        pids = escaped_pids(attempt, 3)
        os.kill(z.pid, signal.SIGKILL)
        z.process.wait()
        if profile == "cgroup":
            # The leader dies with its parent; escapees come to the host, which kills the cgroup.
            # (They hold its data socket too: the end of the data proves nothing.)
            until(lambda: not alive(attempt.pid), what="the leader's end")
            assert all(alive(p) for p in pids)
            (attempt.cgroup / "cgroup.kill").write_text("1")
            until(lambda: "populated 0" in (attempt.cgroup / "cgroup.events").read_text())
        else:
            # The monitor keeps its tree and still obeys.
            attempt.send(F_PING)
            attempt.wait(F_PONG)
            attempt.kill()
            assert end_of(attempt) == (2, signal.SIGKILL)
            assert attempt.reap() == {"killed": 3, "survivors": 0}
        until(lambda: not any(alive(p) for p in pids), what="the end of the tree")
        until(lambda: not attempt.monitor_pid or not alive(attempt.monitor_pid))
        attempt.close()
    finally:
        z.close()


def test_kill_of_a_monitor():
    with Zygote(MISCHIEF, "none") as z:
        attempt = z.spawn("mischief.escape", {"children": 3}).spawned()
        other = z.spawn("mischief.escape", {"children": 1}).spawned()
        pids, others = escaped_pids(attempt, 3), escaped_pids(other, 1)
        os.kill(attempt.monitor_pid, signal.SIGKILL)
        # The zygote, subreaper above it, kills what the monitor kept, and says so in its place.
        z.control.wait(EMPTY, attempt.slot)
        assert not any(alive(p) for p in [attempt.pid, *pids])
        assert "monitor" in z.control.wait(NOTE)[2].decode()
        assert all(alive(p) for p in others) and alive(other.pid)
        other.kill(), end_of(other), done(other)
        attempt.close()


def test_a_monitor_that_stands_still_when_the_host_goes():
    """The zygote kills it after a while, and then what it kept."""
    z = Zygote(MISCHIEF, "none")
    attempt = z.spawn("mischief.escape", {"children": 2}).spawned()
    pids = [attempt.pid, attempt.monitor_pid, *escaped_pids(attempt, 2)]
    os.kill(attempt.monitor_pid, signal.SIGSTOP)
    z.close()
    assert z.process.returncode == 0 and not any(alive(p) for p in pids)
    attempt.close()


def test_zygote_dies_with_its_host_while_it_loads():
    """Before READY nothing but the parent's death can end a plugin that loops."""
    reader, writer = os.pipe()
    host = os.fork()
    if host == 0:
        z = Zygote(FIXTURES / "loop_in_entry.so", wait=False)
        os.write(writer, str(z.pid).encode())
        signal.pause()
    pid = int(os.read(reader, 20))
    until(lambda: "loop_in_entry" in Path(f"/proc/{pid}/maps").read_text(), what="the plugin in the zygote")
    os.kill(host, signal.SIGKILL)
    os.waitpid(host, 0)
    until(lambda: not alive(pid), what="the zygote's end")
    os.close(reader), os.close(writer)


def test_zygote_of_another_parent_ends():
    z = Zygote(MISCHIEF, parent=1, wait=False)
    assert z.process.wait(BOUND) == 70
    z.close()


def test_data_end_ends_the_child(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.deaf").spawned()
        attempt.wait_log("ignoring")
        attempt.data.close()
        exited = attempt.exited()
        assert (exited["code"], exited["status"]) == (1, 70)
        done(attempt)


def test_garbage_ends_the_child(profile):
    with Zygote(MISCHIEF, profile) as z:
        for garbage in (struct.pack("<IHHQII", 1 << 30, 3, 0, 0, 0, 0), struct.pack("<IHHQII", 0, 77, 0, 0, 0, 0),
                        b"\xff" * 64):
            attempt = z.spawn("mischief.sleep", {"ms": 60000}).spawned()
            attempt.wait(STARTED)
            attempt.data.sendall(garbage)
            assert end_of(attempt) == (1, 71)
            assert attempt.output(attempt.err).startswith("pawl: the host sent a frame")
            done(attempt)


def test_torn_frames(profile):
    """The run arrives byte by byte."""
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.echo", b'{"a":1}', prepared=False)
        attempt.spawned()
        frame = struct.pack("<IHHQII", 7, ARGS, 0, attempt.run_id, 0, 0) + b'{"a":1}'
        for byte in frame:
            attempt.data.sendall(bytes([byte]))
        assert attempt.finish()[0] == ("result", {"a": 1})


def test_wrong_spawn_frames(profile):
    with Zygote(MISCHIEF, profile) as z:
        z.control.send(SPAWN, 900, b"short")
        assert z.control.wait(SPAWN_FAILED, 900)[2][4:] == struct.pack("<I", 2)
        z.control.send(SPAWN, 901, struct.pack("<QIIQQQIIQiIII", 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        assert z.control.wait(SPAWN_FAILED, 901)[2][4:] == struct.pack("<I", 2)
        z.control.send(777)
        assert "unknown kind" in z.control.wait(NOTE)[2].decode()
        before = len(os.listdir(f"/proc/{z.pid}/fd"))
        spare = os.open("/dev/null", os.O_RDONLY)
        z.control.send(SPAWN, 902, struct.pack("<QIIQQQIIQiIII", 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), [spare] * 3)
        z.control.wait(SPAWN_FAILED, 902)
        os.close(spare)
        assert len(os.listdir(f"/proc/{z.pid}/fd")) == before
        z.control.send(PING, 5)
        z.control.wait(PONG, 5)
        assert z.run("mischief.noop")[0] == ("none", None)


def test_retire_waits_for_the_running(profile):
    z = Zygote(MISCHIEF, profile)
    attempt = z.spawn("mischief.sleep", {"ms": 100}).spawned()
    z.control.send(RETIRE)
    late = z.spawn("mischief.noop")
    assert z.control.wait(SPAWN_FAILED, late.slot)[2][4:] == struct.pack("<I", 4)
    late.data.close(), late.keeper is z.control or late.keeper.sock.close()
    assert attempt.finish()[0][0] == "result"
    assert z.process.wait(BOUND) == 0
    late.close()
    z.close()


def test_sigterm_to_everybody_does_not_end_keepers(profile):
    """As a service manager does: zygote and monitor stay until their trees have ended."""
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.deaf").spawned()
        attempt.wait_log("ignoring")
        for pid in [z.pid, *([attempt.monitor_pid] if attempt.monitor_pid else [])]:
            os.kill(pid, signal.SIGTERM)
        z.control.send(PING, 1)
        z.control.wait(PONG, 1)
        attempt.kill()
        assert end_of(attempt) == (2, signal.SIGKILL)
        done(attempt)


def test_faults_at_each_step(profile):
    """Built with fault points: whatever dies, the host hears of it, and nothing is left."""
    for point in ("child.start", "child.up", "child.started", "child.ended"):
        for action, wanted in (("exit", (1, 99)), ("kill", (2, signal.SIGKILL)), ("abort", (2, signal.SIGABRT))):
            with Zygote(MISCHIEF, profile, binary=FAULTS, environment={"PAWL_FAULT": f"{point}:{action}"}) as z:
                attempt = z.spawn("mischief.noop").spawned()
                ending = attempt.end()
                assert ending == (("none", None) if point == "child.ended" else ("gone", None)), (point, action, ending)
                assert (STARTED in [f[0] for f in attempt.frames]) == (point in ("child.started", "child.ended"))
                exited = attempt.exited()
                assert (exited["code"], exited["status"]) == wanted, (point, action, exited)
                done(attempt)
    for point in ("zygote.spawn", "zygote.spawned", "zygote.reap"):
        z = Zygote(MISCHIEF, profile, binary=FAULTS, environment={"PAWL_FAULT": f"{point}:kill"})
        attempt = z.spawn("mischief.noop")
        if profile == "cgroup" and point == "zygote.reap":
            attempt.spawned(), attempt.end(), attempt.exited()
            attempt.keeper.send(REAP, attempt.slot)
        elif profile == "none" and point == "zygote.reap":
            attempt.finish()
            z.close()
            continue
        assert z.process.wait(BOUND) == -signal.SIGKILL
        attempt.data.close()
        if attempt.cgroup:
            (attempt.cgroup / "cgroup.kill").write_text("1")
        attempt.data, _ = socket.socketpair()
        attempt.keeper is z.control or attempt.keeper.sock.close()
        z.close()
    if profile == "none":
        with Zygote(MISCHIEF, profile, binary=FAULTS, environment={"PAWL_FAULT": "monitor.start:kill"}) as z:
            attempt = z.spawn("mischief.noop")
            z.control.wait(EMPTY, attempt.slot)
            attempt.close()


def test_deaths_at_random_moments(profile):
    """Children and trees killed at any point of their life: each ends with EXITED and EMPTY, nothing is left."""
    seed = int(os.environ.get("PAWL_SEED", random.randrange(1 << 30)))
    chooser = random.Random(seed)
    with Zygote(MISCHIEF, profile) as z:
        for i in range(200):
            handler, args = chooser.choice([("mischief.noop", {}), ("mischief.leave", {"children": 2}),
                                            ("mischief.log", {"lines": 50}),
                                            ("mischief.escape", {"children": 2}), ("mischief.sleep", {"ms": 1})])
            attempt = z.spawn(handler, args).spawned()
            delay, how = chooser.random() * 0.006, chooser.choice(["child", "tree", "group"])
            end = time.perf_counter() + delay
            while time.perf_counter() < end:
                pass
            if how == "child":
                try:
                    signal.pidfd_send_signal(attempt.pidfd, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            elif how == "group":
                attempt.signal(signal.SIGKILL)
            attempt.kill()
            exited = attempt.exited()
            assert (exited["code"], exited["status"]) in ((1, 0), (2, signal.SIGKILL)), (seed, i, exited)
            assert attempt.reap()["survivors"] == 0, (seed, i)
            attempt.close()
        until(lambda: not Path(f"/proc/{z.pid}/task/{z.pid}/children").read_text(), what="no child of the zygote")
