"""Children that wait for their run, and those that take one after the other: what the C side promises."""

import os
import signal
import tempfile
import time
from pathlib import Path

from driver import *

REUSE = BIN / "fixtures" / "reuse.so"
CWD, UMASK, ENVIRONMENT, SIGNALS, LOCALE, UNFIT = 1, 2, 4, 8, 16, 32


def over(child, ended):
    """The child ends as it should."""
    exited = child.exited()
    child.reap()
    child.close()
    assert (exited["code"], exited["status"]) == ended, exited
    return exited


def test_a_spare_child_waits_for_its_run(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn(None, environment={"PATH": "/bin", "WHO": "spare"}).spawned()
        child.wait(UP)
        child.again("reuse.state", environment={"PAWL_RUN_ID": "run_x", "WHO": "run"})
        kind, found = child.end()
        assert (kind, found["run_id"], found["path"], found["runs"]) == ("result", "run_x", "/bin", 1)
        over(child, (os.CLD_EXITED, 0))


def test_bye_ends_a_child_that_waits(profile):
    with Zygote(REUSE, profile) as z:
        for pooled in (False, True):
            child = z.spawn(None, pooled=pooled).spawned()
            child.wait(UP)
            child.send(BYE)
            over(child, (os.CLD_EXITED, 0))
        child = z.spawn("reuse.noop", pooled=True).spawned()
        child.idle()
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_runs_follow_each_other(profile):
    with Zygote(REUSE, profile) as z, tempfile.TemporaryDirectory() as place:
        child = z.spawn("reuse.state", pooled=True, directory=place, scratch=place,
                        environment={"PATH": "/bin", "PAWL_RUN_ID": "base"}).spawned()
        seen = [child.end()[1]]
        first = child.idle()
        assert first["flags"] == 0 and first["rss_bytes"] > 0
        for run in range(300):
            child.again("reuse.state", environment={"PAWL_RUN_ID": f"run_{run}"})
            seen.append(child.end()[1])
            found = child.idle()
            assert all(found[k] == 0 for k in ("flags", "reset_status", "processes", "descriptors", "threads")), found
        assert [s["runs"] for s in seen] == list(range(1, 302)) and len({s["pid"] for s in seen}) == 1
        assert [s["run_id"] for s in seen[:3]] == ["base", "run_0", "run_1"]
        assert found["rss_bytes"] - first["rss_bytes"] < 1 << 20, (first, found)
        child.data.close()  # The host is gone.
        assert child.exited()["status"] == 70
        child.data = socket.socket()
        child.reap()
        child.close()


def test_what_a_run_changed_is_put_back(profile):
    with Zygote(REUSE, profile) as z, tempfile.TemporaryDirectory() as place:
        child = z.spawn("reuse.state", pooled=True, directory=place, scratch=place, environment={"PATH": "/bin"}).spawned()
        before = child.end()[1]
        child.idle()
        child.again("reuse.change")
        assert child.end()[0] == "none"
        assert child.idle()["flags"] == CWD | UMASK | ENVIRONMENT | SIGNALS | LOCALE
        child.again("reuse.state")
        after = child.end()[1]
        assert child.idle()["flags"] == 0
        assert {**after, "runs": 1} == before
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_leaks_are_counted(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.noop", pooled=True).spawned()
        child.idle()
        for handler, what in (("reuse.leak_descriptor", "descriptors"), ("reuse.leak_thread", "threads"),
                              ("reuse.leave_process", "processes")):
            for _ in range(2):  # Each compared with what was there before.
                child.again(handler)
                found = child.idle()
                assert found[what] == 1, (handler, found)
        child.kill()
        over(child, (os.CLD_KILLED, signal.SIGKILL))


def test_what_ends_in_time_is_no_leak(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.noop", pooled=True).spawned()
        child.idle()
        for handler in ("reuse.short_thread", "reuse.leave_zombie", "reuse.short_thread"):
            child.again(handler)
            found = child.idle()
            assert (found["threads"], found["processes"], found["descriptors"]) == (0, 0, 0), (handler, found)
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_late_words_of_an_earlier_run_are_not_heard():
    with Zygote(REUSE) as z:
        child = z.spawn("reuse.leak_thread", pooled=True).spawned()
        child.idle()
        child.frames_before = len(child.frames)
        for _ in range(3):
            child.again("reuse.work")
            child.idle()
        assert not [f for f in child.frames[child.frames_before:] if f[0] == LOG]
        child.kill()
        over(child, (os.CLD_KILLED, signal.SIGKILL))


def test_growth_and_peak():
    with Zygote(REUSE) as z:
        child = z.spawn("reuse.noop", pooled=True).spawned()
        first = child.idle()
        child.again("reuse.grow")
        second = child.idle()
        assert second["rss_bytes"] - first["rss_bytes"] > 20 << 20
        child.again("reuse.noop")
        third = child.idle()
        assert third["rss_bytes"] > 20 << 20 and third["user_us"] >= second["user_us"]
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_a_failed_reset_is_told():
    with Zygote(REUSE) as z:
        child = z.spawn("reuse.reset_fails", pooled=True).spawned()
        assert child.idle()["reset_status"] == 1
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_a_cancellation_does_not_reach_the_next_run(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.wait", pooled=True).spawned()
        child.wait(LOG)
        child.send(CANCEL, struct.pack("<II", 1, 1000))
        assert child.end()[1]["status"] == 3
        child.idle()
        child.send(CANCEL, struct.pack("<II", 1, 1000))  # Too late, and before the next RUN.
        child.again("reuse.state")
        assert child.end()[1]["cancelled"] == 0
        child.idle()
        child.again("reuse.wait")
        child.wait(LOG)
        child.send(CANCEL, struct.pack("<II", 1, 1000))
        assert child.end()[1]["status"] == 3
        child.idle()
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_either_thread_may_take_the_next_run(profile):
    """The worker looks for its next run itself; the main thread takes over where none comes, or one of another handler."""
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.noop", pooled=True).spawned()
        child.idle()
        name = Path(f"/proc/{child.pid}/comm")
        for handler, pause in (("noop", 0), ("state", 0), ("noop", 0), ("noop", 0.06), ("state", 0.06), ("noop", 0.012)) * 5:
            time.sleep(pause)  # Around the moments in which the two change: nothing is expected of the time itself.
            child.again(f"reuse.{handler}")
            child.idle()
            assert name.read_text() == f"reuse.{handler}\n"
        # One that the worker took, and that lasts: the main thread hears of its end.
        child.again("reuse.wait")
        child.wait(LOG)
        child.send(CANCEL, struct.pack("<II", 1, 1000))
        assert child.end()[1]["status"] == 3
        child.idle()
        child.again("reuse.wait")
        child.wait(LOG)
        child.send(F_PING)
        child.wait(F_PONG)
        child.send(CANCEL, struct.pack("<II", 1, 1000))
        assert child.end()[1]["status"] == 3
        child.idle()
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_a_cancellation_that_comes_with_the_run_is_heard(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.wait", pooled=True).spawned()
        child.wait(LOG)
        child.send(CANCEL, struct.pack("<II", 1, 1000))
        child.end(), child.idle()
        for pause in (0, 0.05):  # The worker reads; the main thread reads.
            time.sleep(pause)
            os.kill(child.pid, signal.SIGSTOP)
            child.again("reuse.wait")
            child.send(CANCEL, struct.pack("<II", 1, 1000))
            os.kill(child.pid, signal.SIGCONT)
            assert child.end()[1]["status"] == 3
            child.idle()
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_a_fork_of_the_handler_that_returns_hears_nothing_of_the_host(profile):
    """It has the same socket: what it read would be lost to the handler."""
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.noop", pooled=True).spawned()
        child.idle()
        for _ in range(5):
            child.again("reuse.fork_and_wait")
            child.wait(LOG)
            time.sleep(0.002)  # The copy is back in a moment; later the handler's main thread reads again.
            child.send(CANCEL, struct.pack("<II", 1, 1000))
            assert child.end()[1]["status"] == 3
            child.idle()
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_output_is_there_before_idle(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.print", {"text": "one", "lines": 2}, pooled=True).spawned()
        child.idle()
        assert child.output(child.out) == "one\none\n" and child.output(child.err) == "one\n"
        child.again("reuse.print", {"text": "two"})
        child.idle()
        assert child.output(child.out) == "two\n" and child.output(child.err) == "two\n"
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def test_processor_time_is_limited_per_run(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.work", pooled=True).spawned()
        child.idle()
        for _ in range(4):
            child.again("reuse.work", cpu_ms=1000)
            child.idle()
        began = time.monotonic()
        child.again("reuse.spin", cpu_ms=1000)
        over(child, (os.CLD_KILLED, signal.SIGXCPU))
        assert time.monotonic() - began < 60


def test_a_run_that_was_not_expected_ends_the_child():
    with Zygote(REUSE) as z:
        child = z.spawn("reuse.wait", pooled=True).spawned()
        child.wait(LOG)
        child.again("reuse.noop")
        assert child.exited()["status"] == 71
        child.reap()
        child.close()


def test_a_child_that_dies_idle(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.noop", pooled=True).spawned()
        child.idle()
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        over(child, (os.CLD_KILLED, signal.SIGKILL))
        assert z.run("reuse.noop")[0] == ("none", None)


def test_descriptors_of_a_pooled_child():
    with Zygote(REUSE) as z:
        child = z.spawn("reuse.noop", pooled=True).spawned()
        child.idle()
        assert sorted(map(int, os.listdir(f"/proc/{child.pid}/fd"))) == list(range(10))
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


SWIFT = BIN / "fixtures" / "swift-ways.so"


def test_what_swift_keeps_is_no_leak():
    with Zygote(SWIFT) as z:
        child = z.spawn("ways.async", pooled=True).spawned()
        found = child.idle()
        for handler in ("ways.async", "ways.main_queue", "ways.contended", "ways.async"):
            child.again(handler)
            found = child.idle()
            assert (found["threads"], found["descriptors"], found["flags"]) == (0, 0, 0), (handler, found)
        before = cpu_ticks(child.pid)
        time.sleep(0.3)  # The main queue was used: nobody may spin on its descriptor now.
        assert cpu_ticks(child.pid) - before <= 5
        child.send(BYE)
        over(child, (os.CLD_EXITED, 0))


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def cpu_ticks(pid):
    """Hundredths of a second that a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def used_until(pid, ticks):
    bound = time.monotonic() + 30
    while cpu_ticks(pid) < ticks:
        assert time.monotonic() < bound, "it does not work at all"
        time.sleep(0.01)


def test_a_task_that_outlives_its_run_is_a_leak():
    with Zygote(SWIFT) as z:
        child = z.spawn("ways.async", pooled=True).spawned()
        child.idle()
        child.again("ways.late")
        child.idle()
        used_until(child.pid, cpu_ticks(child.pid) + 10)  # It works while nothing should.
        child.again("ways.async")
        assert child.idle()["threads"] >= 1
        child.kill()
        over(child, (os.CLD_KILLED, signal.SIGKILL))


def waiting_child(zygote, **how):
    child = zygote.spawn(None, pooled=True, **how).spawned()
    child.wait(UP)
    return child.with_board()


def bye(child):
    child.send(BYE)
    over(child, (os.CLD_EXITED, 0))


def test_runs_sent_ahead_follow_by_themselves(profile):
    with Zygote(REUSE, profile) as z, tempfile.TemporaryDirectory() as place:
        child = waiting_child(z, directory=place, scratch=place)
        descriptors = os.listdir(f"/proc/{child.pid}/fd")
        for handler in ("reuse.state", "reuse.noop"):  # The second one has another name, which the main thread sees to.
            child.again("reuse.state")
            ahead = [child.ahead(handler, environment={"PAWL_RUN_ID": f"run_{n}"}) for n in range(6)]
            child.end()
            assert child.idle()["flags"] == CLEAN
            for n, (run, place_) in enumerate(ahead):
                assert child.run_id == run
                kind, found = child.end()
                assert child.word(place_) == TAKEN
                assert handler == "reuse.noop" or found["run_id"] == f"run_{n}", found
                assert child.idle()["flags"] == CLEAN
        assert len(os.listdir(f"/proc/{child.pid}/fd")) <= len(descriptors) + 3  # 7 to 9; the board's is closed.
        bye(child)


def test_what_is_withdrawn_does_not_begin(profile):
    with Zygote(REUSE, profile) as z, tempfile.TemporaryDirectory() as place:
        child = waiting_child(z, directory=place, scratch=place)
        child.again("reuse.noop")
        child.idle()
        for which in ((0,), (2,), (0, 1, 2), (1,), ()):
            child.again("reuse.wait")
            child.wait(LOG)
            ahead = [child.ahead("reuse.state") for _ in range(3)]
            for index in which:
                child.withdraw(*ahead[index])
            child.send(CANCEL, struct.pack("<II", 1, 1000))
            assert child.end()[1]["status"] == 3
            child.idle()
            for run, where in [a for i, a in enumerate(ahead) if i not in which]:
                assert child.run_id == run and child.end()[0] == "result" and child.word(where) == TAKEN
                child.idle()
        bye(child)


def test_nothing_sent_ahead_follows_a_run_that_left_something(profile):
    with Zygote(REUSE, profile) as z, tempfile.TemporaryDirectory() as place:
        child = waiting_child(z, directory=place, scratch=place)
        for handler, args in (("reuse.print", {"text": "words"}), ("reuse.noop", {})) * 3:
            child.again(handler, args)
            ahead = [child.ahead("reuse.state") for _ in range(2)]
            child.end()
            clean = child.idle()["flags"] & CLEAN
            if handler == "reuse.noop":
                assert clean
                for _ in ahead:
                    assert child.end()[0] == "result"
                    child.idle()
                continue
            assert not clean
            time.sleep(0.05)  # It does not begin, also where the main thread has taken over.
            assert child.output(child.out) == "words\n"
            child.output(child.err)
            for one in ahead:
                child.withdraw(*one)
            child.again("reuse.state")
            assert child.end()[0] == "result"
            child.idle()
        (Path(place) / "left").write_text("")
        child.again("reuse.noop")
        run = child.ahead("reuse.noop")
        child.end()
        assert not child.idle()["flags"] & CLEAN
        child.withdraw(*run)
        os.unlink(Path(place) / "left")
        child.again("reuse.noop")
        child.end()
        assert child.idle()["flags"] & CLEAN
        bye(child)


def test_words_for_one_of_several_runs(profile):
    with Zygote(REUSE, profile) as z, tempfile.TemporaryDirectory() as place:
        child = waiting_child(z, directory=place, scratch=place)
        child.again("reuse.noop")
        child.idle()
        for pause in (0, 0.03):  # The worker reads; the main thread has taken over.
            child.again("reuse.wait")
            child.wait(LOG)
            first = child.run_id
            time.sleep(pause)
            second, _ = child.ahead("reuse.wait")
            child.ahead("reuse.state")
            child.send(CANCEL, struct.pack("<II", 1, 1000), run_id=second)  # Before it begins.
            child.send(CREDIT, struct.pack("<II", 1, 0), run_id=second)
            child.send(CANCEL, struct.pack("<II", 1, 1000), run_id=first)
            assert child.end()[1]["status"] == 3
            child.idle()
            assert child.run_id == second and child.end()[1]["status"] == 3
            child.idle()
            assert child.end()[1]["cancelled"] == 0
            child.idle()
        bye(child)


def test_what_the_host_may_not_send_ahead(profile):
    with Zygote(REUSE, profile) as z:
        child = z.spawn("reuse.wait", pooled=True).spawned()  # Without a board.
        child.wait(LOG)
        child.ahead("reuse.noop")
        assert child.exited()["status"] == 71
        child.reap()
        child.close()
        child = waiting_child(z)
        child.again("reuse.wait")
        child.wait(LOG)
        for _ in range(40):
            try:
                child.ahead("reuse.noop")
            except (BrokenPipeError, ConnectionResetError):
                break
        assert child.exited()["status"] == 71
        child.reap()
        child.close()


def test_a_child_that_dies_has_taken_none_of_those_that_wait(profile):
    with Zygote(REUSE, profile) as z, tempfile.TemporaryDirectory() as place:
        child = waiting_child(z, directory=place, scratch=place)
        child.again("reuse.wait")
        child.wait(LOG)
        ahead = [child.ahead("reuse.noop") for _ in range(4)]
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        child.exited()
        assert all(child.word(place_) == OFFERED for _, place_ in ahead)
        child.reap()
        child.close()
