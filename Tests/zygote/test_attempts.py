"""Attempts that run their way: results, what handlers are given and may say, args, limits."""

import gc
import json
import os
import random
import signal
import struct
import tempfile
import time
from pathlib import Path

from driver import *

MISCHIEF = BIN / "plugins" / "mischief.so"
FIXTURES = BIN / "fixtures"


def is_clean(exited):
    return exited["code"] == 1 and exited["status"] == 0


def test_noop(profile):
    with Zygote(MISCHIEF, profile) as z:
        assert z.ready["fork_mode"] == FORK_CLONE3 and z.ready["threads"] == 1 and z.ready["open_fds"] == 0
        assert z.ready["load_ns"] > 0 and z.ready["rss_bytes"] > 100_000
        attempt = z.spawn("mischief.noop").spawned()
        assert attempt.end() == ("none", None)
        assert [f[0] for f in attempt.frames] == [UP, STARTED, RESULT]
        at, unix = struct.unpack("<QQ", attempt.frames[1][2])
        assert abs(unix / 1e6 - time.time()) < 60 and attempt.spawned_ns < at < time.monotonic_ns()
        exited = attempt.exited()
        assert is_clean(exited) and exited["pid"] == attempt.pid and exited["max_rss_bytes"] > 0
        # The leader is kept as a zombie until REAP.
        assert process_state(attempt.pid)[0] == "Z"
        assert attempt.reap() == {"killed": 0, "survivors": 0}
        assert process_state(attempt.pid) is None
        if profile == "none":
            until(lambda: not alive(attempt.monitor_pid), what="the monitor's end")
        attempt.close()


def test_results(profile):
    with Zygote(MISCHIEF, profile) as z:
        assert z.run("mischief.echo", {"a": [1, 2.5, None, "é"]})[0] == ("result", {"a": [1, 2.5, None, "é"]})
        for size in (0, 1, (1 << 20) - 26, (1 << 20) - 25, 5_000_000):
            kind, value = z.run("mischief.result", {"bytes": size})[0]
            assert kind == "result" and value == "x" * size, size
            kind, (value, media_type) = z.run("mischief.bytes", {"bytes": size})[0]
            assert kind == "bytes"
            assert media_type == "application/x-mischief"
            assert value == (bytes(range(256)) * (size // 256 + 1))[:size]
        assert z.run("mischief.fail", {"message": "no luck"})[0] == ("failure", {
            "status": 1, "retry": 0, "not_before": 0, "code": "mischief", "message": "no luck", "details": ""})
        before = time.time() * 1000
        kind, until_ms = z.run("mischief.snooze", {"ms": 60000})[0]
        assert kind == "snooze" and before + 59000 < until_ms < before + 120000


def test_large_args(profile):
    with Zygote(MISCHIEF, profile) as z:
        args = {"text": "y" * 3_000_000}
        # More than the socket holds: sent while the child reads.
        payload = json.dumps(args).encode()
        attempt = z.spawn("mischief.echo", payload, prepared=False).spawned()
        for at in range(0, len(payload), 1 << 20):
            attempt.send(ARGS, payload[at:at + (1 << 20)])
        assert attempt.finish()[0] == ("result", args)


def test_facts(profile):
    with tempfile.TemporaryDirectory() as scratch, Zygote(MISCHIEF, profile) as z:
        deadline = time.monotonic_ns() + 10**12
        attempt = z.spawn("mischief.facts", {}, directory=scratch, scratch=scratch, number=7, deadline=deadline,
                          environment={"A": "1", "EMPTY": "", "PGAPPNAME": "run=1"})
        (kind, facts), exited = attempt.finish()
        assert kind == "result" and is_clean(exited)
        # 0 to 4 are the contract; 5 and 6 are the child's own eventfds, of cancellation and of progress to send.
        assert facts["fds"] == [0, 1, 2, 3, 4, 5, 6], facts["fds"]
        assert facts["environment"] == ["A=1", "EMPTY=", "PGAPPNAME=run=1"]
        assert facts["directory"] == facts["scratch"] == os.path.realpath(scratch)
        assert facts["run_id"] == "run_0000000000001" and facts["job"] == "mischief.facts" and facts["attempt"] == 7
        assert facts["traceparent"] == "00-trace-01" and facts["deadline_ns"] == deadline
        assert facts["thread"] == 2 and facts["pid"] == exited["pid"] and facts["unknown_extension"] is None


def test_process_of_an_attempt(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.sleep", {"ms": 60000}, limits={"cpu_ms": 1500, "memory_bytes": 1 << 30,
                "file_bytes": 5000,
                          "open_files": 77, "nice": 5}, environment={"B": "2", "PAWL_CHILD": "host.7"}).spawned()
        attempt.wait(STARTED)
        for pid in [attempt.pid] + ([attempt.monitor_pid] if attempt.monitor_pid else []):
            assert b"PAWL_CHILD=host.7" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"), "found by its marker"
        lines = Path(f"/proc/{attempt.pid}/limits").read_text().splitlines()
        limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
        assert limits["Max core file size"] == ["0", "0"] and limits["Max cpu time"] == ["2", "3"]
        assert limits["Max address space"] == [str(1 << 30)] * 2 and limits["Max open files"] == ["77", "77"]
        assert limits["Max file size"] == ["5000", "5000"]
        status = dict(line.split(":\t",
                1) for line in Path(f"/proc/{attempt.pid}/status").read_text().splitlines() if ":\t" in line)
        assert status["NoNewPrivs"].strip() == "1" and int(status["SigBlk"],
                16) == 0 and status["Umask"].strip() == "0022"
        # 32 and 33 are the C library's own: its posix_spawn, which make uses, leaves them ignored.
        ignored = int(status["SigIgn"], 16) & ~(3 << 31)
        assert ignored == 1 << (signal.SIGPIPE - 1) and status["Name"] == "mischief.sleep"
        assert os.getpriority(os.PRIO_PROCESS, attempt.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 5
        assert os.getsid(attempt.pid) == attempt.pid == os.getpgid(attempt.pid)
        tasks = {(task / "comm").read_text().strip() for task in Path(f"/proc/{attempt.pid}/task").iterdir()}
        assert tasks == {"mischief.sleep", "pawl-worker"}
        if profile == "cgroup":
            assert str(attempt.pid) in (attempt.cgroup / "cgroup.procs").read_text().split()
        attempt.send(CANCEL, struct.pack("<II", 1, 5000))
        assert attempt.finish()[0][1]["status"] == 3


def test_cancel_before_the_handler_starts(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.sleep", b'{"ms":60000}', prepared=False)
        attempt.send(CANCEL, struct.pack("<II", 1, 5000))
        attempt.send(ARGS, b'{"ms":60000}')
        kind, failure = attempt.finish()[0]
        assert kind == "failure" and failure["status"] == 3 and failure["code"] == "cancelled" and failure["retry"] == 0


def test_cancel_deadline_and_ping_while_it_runs(profile):
    with Zygote(FIXTURES / "talker.so", profile) as z:
        attempt = z.spawn("fixture.talk", {"what": "wait_cancel"}).spawned()
        attempt.wait_log("waiting")
        attempt.send(F_PING)
        attempt.wait(F_PONG)
        attempt.send(99, b"skip me", flags=2)
        attempt.send(CANCEL, struct.pack("<II", 1, 5000))
        failure = attempt.finish()[0][1]
        assert failure["status"] == 3 and failure["message"] == "cancelled", failure
        attempt = z.spawn("fixture.talk", {"what": "wait_deadline"}, deadline=5).spawned()
        attempt.wait_log("waiting")
        attempt.send(DEADLINE, struct.pack("<q", 123456789))
        assert attempt.finish()[0] == ("result", 123456789)


def test_cancellation_by_call(profile):
    with Zygote(FIXTURES / "cancel_call.so", profile) as z:
        attempt = z.spawn("fixture.wait").spawned()
        attempt.wait_log("waiting")
        attempt.send(CANCEL, struct.pack("<II", 1, 5000))
        assert attempt.finish()[0] == ("result", "told")
        # Before child_start made its channel: the call comes at any time.
        attempt = z.spawn("fixture.wait", b"{}", prepared=False).spawned()
        attempt.wait(UP)
        attempt.send(CANCEL, struct.pack("<II", 1, 5000))
        attempt.kill()
        attempt.end(), attempt.exited(), attempt.reap(), attempt.close()


def test_progress(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.progress", {"steps": 12, "ms": 20}).spawned()
        assert attempt.end() == ("result", {"steps": 12})
        seen = [parse_progress(f[2]) for f in attempt.frames if f[0] == PROGRESS]
        assert 2 <= len(seen) <= 6, "coalesced: one at the stage change, then at most one per 100 ms"
        assert [p["current"] for p in seen] == sorted(p["current"] for p in seen)
        last = seen[-1]
        assert (last["stage"], last["current"], last["total"], last["unit"], last["counters"]) == ("Taking steps", 12,
                12, "steps", {"steps": 12})
        attempt.exited()
        attempt.reap()
        attempt.close()
        attempt = z.spawn("mischief.progress", {"steps": 3, "ms": 0, "unknown_total": True}).spawned()
        attempt.end()
        last = [parse_progress(f[2]) for f in attempt.frames if f[0] == PROGRESS][-1]
        assert last["total"] == UNKNOWN and last["current"] == 3
        attempt.exited(), attempt.reap(), attempt.close()


def test_progress_is_sent_while_the_handler_is_busy(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.progress", {"steps": 1000, "ms": 30}).spawned()
        while parse_progress(attempt.wait(PROGRESS)[2])["current"] < 5:
            pass
        attempt.kill()
        attempt.rest()
        attempt.exited(), attempt.reap(), attempt.close()


def test_stages_and_counters(profile):
    with Zygote(FIXTURES / "talker.so", profile) as z:
        attempt = z.spawn("fixture.talk", {"what": "stages"}).spawned()
        assert attempt.end() == ("none", None)
        last = [parse_progress(f[2]) for f in attempt.frames if f[0] == PROGRESS][-1]
        assert (last["stage"], last["current"], last["total"], last["unit"], last["message"], last["counters"]) == (
            "Two", 2, 4, "rows", "nearly", {"items": 3})
        attempt.exited(), attempt.reap(), attempt.close()
        attempt = z.spawn("fixture.talk", {"what": "counters"}).spawned()
        assert attempt.end() == ("result", {"sixty_fifth": 7, "long_kind": 7})
        last = [parse_progress(f[2]) for f in attempt.frames if f[0] == PROGRESS][-1]
        assert last["counters"] == {f"kind{i}": i for i in range(64)}
        attempt.exited(), attempt.reap(), attempt.close()


def test_log_lines(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.log", {"lines": 3}).spawned()
        assert attempt.end() == ("result", {"lines": 3, "dropped": 0})
        lines = [parse_log(f[2]) for f in attempt.frames if f[0] == LOG]
        assert [l["message"] for l in lines] == ["line 1 of 3", "line 2 of 3", "line 3 of 3"]
        assert lines[2]["fields"] == '{"line":3}' and lines[2]["level"] == 1 and lines[2]["flags"] == 0
        assert abs(lines[0]["unix_us"] / 1e6 - time.time()) < 60
        attempt.exited(), attempt.reap(), attempt.close()
    with Zygote(FIXTURES / "talker.so", profile) as z:
        attempt = z.spawn("fixture.talk", {"what": "long_line"}).spawned()
        line = parse_log(attempt.wait(LOG)[2])
        assert line["message"] == "a" * 65535
        assert line["flags"] == 3
        assert line["fields"] == "no object"
        assert line["level"] == 3
        attempt.finish()
        attempt = z.spawn("fixture.talk", {"what": "threads"}).spawned()
        attempt.end()
        assert sum(1 for f in attempt.frames if f[0] == LOG) == 800
        attempt.exited(), attempt.reap(), attempt.close()


def test_log_credit(profile):
    """Out of credit, lines are dropped and counted; with credit they flow again."""
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.log", {"lines": 20000}).spawned()
        kind, result = attempt.end()
        sent = [f for f in attempt.frames if f[0] == LOG]
        bytes_sent = sum(len(f[2]) for f in sent)
        assert kind == "result" and 256 * 1024 - 200 < bytes_sent <= 256 * 1024
        dropped = struct.unpack("<Q", [f for f in attempt.frames if f[0] == DROPPED][-1][2])[0]
        assert dropped == result["dropped"] == 20000 - len(sent) > 0
        attempt.exited(), attempt.reap(), attempt.close()
        attempt = z.spawn("mischief.log", {"lines": 20000})
        attempt.send(CREDIT, struct.pack("<II", 100_000_000, 0))
        attempt.spawned()
        assert attempt.end() == ("result", {"lines": 20000, "dropped": 0})
        attempt.exited(), attempt.reap(), attempt.close()


def test_a_host_that_does_not_read_still_gets_answers(profile):
    """The worker blocks on a full socket; the supervising thread hears CANCEL all the same."""
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.result", {"bytes": 3_000_000}).spawned()
        until(lambda: Path(f"/proc/{attempt.pid}/wchan").read_text() is not None)
        attempt.send(F_PING)
        attempt.send(CANCEL, struct.pack("<II", 1, 0))
        time.sleep(0.05)
        assert attempt.finish()[0] == ("result", "x" * 3_000_000)


def test_results_are_valid_json_or_refused():
    """Against Python's reader, on whole, cut and changed texts: echo hands the text to result_json as it is."""
    seed = int(os.environ.get("PAWL_SEED", random.randrange(1 << 30)))
    chooser = random.Random(seed)

    def value(depth):
        kinds = [None, True, False, 0, -1.5e-7, 12345678901234567890, "", "t\"\\\u0001é😀/"]
        if depth > 3 or chooser.random() < 0.4:
            return chooser.choice(kinds)
        if chooser.random() < 0.5:
            return [value(depth + 1) for _ in range(chooser.randrange(4))]
        return {chooser.choice(["a", "b c", "é", "\n"]) + str(i): value(depth + 1) for i in range(chooser.randrange(4))}

    def refuse(word):
        raise ValueError(word)

    def is_valid(content):
        try:
            json.loads(content.decode("utf-8", "surrogateescape"), parse_constant=refuse)
            return True
        except ValueError:
            return False
    texts = [b"", b" ", b"nul", b"01", b"1.", b"-", b".5", b"1e", b"1e+", b"+1", b"1 2", b"[1,]", b"[,1]", b"{,}",
             b'{"a"}', b'{"a":}', b"{1:2}",
             b'"\\x"', b'"\\u12"', b'"a\nb"', b"\xef\xbb\xbf1", b"[" * 512 + b"]" * 512, b" \t\n\r1 ", b'"\\ud800"',
             b"NaN", b"'a'", b"{}}", b"[]]"]
    for _ in range(400):
        content = bytearray(json.dumps(value(0), ensure_ascii=chooser.random() < 0.5,
                                       indent=chooser.choice((None, 1))).encode())
        for _ in range(chooser.randrange(3)):
            at = chooser.randrange(len(content) + 1)
            content[at:at + chooser.randrange(2)] = bytes(chooser.choices(b'{}[]",:\\ute0-1.\x1f\xff ',
                    k=chooser.randrange(2)))
        texts.append(bytes(content))
    with Zygote(MISCHIEF) as z:
        for content in texts:
            kind, result = z.run("mischief.echo", content)[0]
            assert (kind == "result") == is_valid(content), (seed, content, kind)
            assert kind == "result" or result["status"] == 5
        deep = z.run("mischief.echo", b"[" * 513 + b"]" * 513)[0]
        assert deep[0] == "failure" and deep[1]["status"] == 5, "nesting is bounded"


def test_a_child_whose_host_goes_before_the_run_came(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.echo", b"{}", prepared=False).spawned()
        attempt.wait(UP)
        attempt.data.close()
        exited = attempt.exited()
        assert (exited["code"], exited["status"]) == (1, 70)
        attempt.reap(), attempt.close()


def test_endings_at_their_limits(profile):
    with Zygote(FIXTURES / "talker.so", profile) as z:
        talk = lambda what: z.run("fixture.talk", {"what": what})[0]
        assert talk("two_results") == ("result", {"first": True})
        assert talk("bad_json") == ("result", 5)
        assert talk("too_large") == ("result", 7)
        assert talk("full_failure") == ("failure", {"status": 1, "retry": 2, "not_before": 1234567, "code": "http_503",
                                                    "message": "come back later", "details": '{"after":5}'})
        odd = talk("odd_failure")
        assert odd[0] == "failure"
        assert odd[1]["details"] == ""
        assert odd[1]["retry"] == 0
        assert odd[1]["code"] == "failed"
        assert odd[1]["status"] == 1
        status = talk("ok_then_status")
        assert status[0] == "failure" and status[1]["status"] == 1042 and "1042" in status[1]["message"]
        assert talk("status_retry")[1]["retry"] == 2


def test_a_fork_of_the_handler_cannot_speak_for_it(profile):
    with Zygote(FIXTURES / "talker.so", profile) as z:
        attempt = z.spawn("fixture.talk", {"what": "fork_and_return"}).spawned()
        assert attempt.end() == ("result", "handler")
        attempt.rest()
        assert [f[0] for f in attempt.frames if f[0] in (RESULT, LOG)] == [RESULT]
        attempt.exited(), attempt.reap(), attempt.close()


def test_late_calls_find_no_attempt(profile):
    with Zygote(MISCHIEF, profile) as z:
        for _ in range(20):
            assert z.run("mischief.late")[0] == ("result", "returned")


def test_args_getters():
    with Zygote(FIXTURES / "getters.so") as z:
        get = lambda call, **more: z.run("fixture.get", {"call": call, **more})[0][1]
        assert get("int", v=42) == {"status": 0, "value": 42}
        assert get("int", v=3.0) == {"status": 0, "value": 3} and get("int", v=1e2) == {"status": 0, "value": 100}
        for bad in (3.5, "3", 1001, -11, 10**30, [1], True):
            assert get("int", v=bad) == {"status": 5, "value": -7}, bad
        assert get("int", v=None) == get("int") == {"status": 10, "value": -7}
        assert get("double", v=2.25) == {"status": 0, "value": 2.25} and get("double", v=-3) == {"status": 0,
                "value": -3}
        assert get("double", v="2")["status"] == 5
        assert get("bool", v=True) == {"status": 0, "value": 1} and get("bool", v=False) == {"status": 0, "value": 0}
        assert get("bool", v=1)["status"] == 5 and get("bool")["value"] == -1
        assert get("str", v="hé\0llo") == {"status": 0, "length": 7, "terminated": True}
        assert get("str", v=7)["status"] == 5 and get("str")["length"] == len("default")
        assert get("array", v=["a", "bcd"]) == {"status": 0, "count": 2, "last": 0, "length": 3, "beyond": 10}
        assert get("array", v=[]) == {"status": 0, "count": 0, "last": -1, "length": 7, "beyond": 10}
        assert get("array", v="a")["status"] == 5
        assert get("only", v=1) == {"status": 0} and get("only", w=1) == {"status": 5}
        for value in ("", "plain", 'quote " \\ / \b\f\n\r\t', "ütf 😀 \u2028", "lone \ud800 surrogate"):
            got = get("bytes", v=value)[0].decode()
            assert got == value.replace("\ud800", "\ufffd"), value
        raw = b'{"call": "json" , "\\u0076" : [1, {"x": "]}" }, -2.5e-3 ] }'
        assert z.run("fixture.get", raw)[0] == ("result", [1, {"x": "]}"}, -0.0025])
        failure = z.run("fixture.get", {"call": "int", "v": "x", "strict": True})[0][1]
        assert failure["status"] == 5
        assert failure["retry"] == 1
        assert '"v" must be a whole number from -10 to 1000' in failure["message"]
        assert z.run("fixture.get", b"[1]")[0][1]["message"] == "the args must be a JSON object"
        # What was missing is named, unless the handler went on behind it.
        for lacking in ({}, {"call": None}):
            failure = z.run("fixture.get", lacking)[0][1]
            assert failure["status"] == 5 and failure["message"] == 'the args have no "call"', failure
        failure = z.run("fixture.get", {"call": "int", "strict": True})[0][1]
        assert failure["status"] == 10 and failure["message"] == "the handler returned 10 (not_found)", failure


def test_configuration_text(profile):
    text = '{"library":"libz.so.1"} ' + "x" * 20000
    with Zygote(FIXTURES / "config.so", profile, config=text) as z:
        assert z.run("fixture.run")[0] == ("bytes", (text.encode(), "text/plain"))


def test_atfork_plugin_is_forked_by_the_c_library(profile):
    with Zygote(FIXTURES / "atfork.so", profile) as z:
        assert z.ready["fork_mode"] == FORK_GLIBC
        for _ in range(3):
            ending, exited = z.run("fixture.run")
            assert ending == ("result", "atfork ran") and is_clean(exited)


def test_plugins_that_cannot_be_forked_are_loaded_in_each_child(profile):
    for name in ("no_fork", "thread_in_entry"):
        with Zygote(FIXTURES / f"{name}.so", profile) as z:
            assert z.ready["fork_mode"] == FORK_SPAWN and z.manifest["handlers"][0]["name"] == "fixture.run"
            for _ in range(3):
                ending, exited = z.run("fixture.run")
                assert ending == ("result", "it ran") and is_clean(exited)
            assert len(os.listdir(f"/proc/{z.pid}/task")) == 1
            assert bool(z.notes) == (name == "thread_in_entry"), z.notes


def test_threads_that_appear_later(profile):
    """A zygote that can no longer be forked refuses, lets its attempts end, and goes on in spawn mode."""
    with Zygote(FIXTURES / "late_thread.so", profile) as z:
        assert z.run("fixture.run")[0] == ("result", "it ran")
        running = z.spawn("fixture.run", b"{}", prepared=False).spawned()
        os.kill(z.pid, signal.SIGUSR1)
        until(lambda: len(os.listdir(f"/proc/{z.pid}/task")) == 2, what="the thread")
        refused = z.spawn("fixture.run")
        assert struct.unpack("<iI", z.control.wait(SPAWN_FAILED, refused.slot)[2])[1] == 4
        assert "threads after loading" in z.control.wait(NOTE)[2].decode()
        refused.close()
        running.send(ARGS, b"{}")
        assert running.finish()[0] == ("result", "it ran")
        until(lambda: len(os.listdir(f"/proc/{z.pid}/task")) == 1, what="a fresh process")
        for _ in range(3):
            assert z.run("fixture.run")[0] == ("result", "it ran")


def test_spawn_mode_from_the_start(profile):
    with Zygote(FIXTURES / "getters.so", profile, flags=1) as z:
        assert z.ready["fork_mode"] == FORK_SPAWN and not hasattr(z, "manifest")
        assert z.run(0, {"call": "int", "v": 1})[0] == ("result", {"status": 0, "value": 1})
    with Zygote(FIXTURES / "init_fails.so", profile, flags=1) as z:
        code, message = ended_before_started(z.spawn(0))
        assert code == "load" and "the table of prices is missing" in message


def ended_before_started(attempt):
    """Code and message of the last log line of an attempt that never came to STARTED."""
    assert attempt.spawned().end() == ("gone", None)
    assert attempt.exited()["status"] == 71
    assert STARTED not in [f[0] for f in attempt.frames]
    line = [parse_log(f[2]) for f in attempt.frames if f[0] == LOG][-1]
    assert line["level"] == 3
    attempt.reap(), attempt.close()
    return json.loads(line["fields"])["code"], line["message"]


def test_child_start_that_fails_is_told_before_started(profile):
    with Zygote(FIXTURES / "child_start_fails.so", profile) as z:
        code, message = ended_before_started(z.spawn("fixture.run"))
        assert code == "child_start" and "status 4" in message


def test_no_room_for_the_worker(profile):
    with Zygote(MISCHIEF, profile) as z:
        code, message = ended_before_started(z.spawn("mischief.noop", limits={"memory_bytes": 8 << 20}))
        assert code == "thread" and "out of memory within its limit" in message
        assert ended_before_started(z.spawn(999))[0] == "handler_index"


def test_output_and_stages(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.flood", {"bytes": 50_000}).spawned()
        attempt.exited()
        assert len(attempt.output(attempt.out)) == 50_000
        attempt.reap(), attempt.close()


def test_limits(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.hog", {"mb": 500}, limits={"memory_bytes": 200 << 20}).spawned()
        assert attempt.end()[0] == "gone"
        exited, crash = attempt.exited(), attempt.crash()
        assert exited["code"] in (2, 3) and exited["status"] == signal.SIGABRT
        # Near the limit: so the host can name it out of memory.
        assert crash["signal"] == signal.SIGABRT and crash["size"] > 190 << 20
        assert "out of memory" in attempt.output(attempt.err)
        attempt.reap(), attempt.close()
        attempt = z.spawn("mischief.spin", {}, limits={"cpu_ms": 1000}).spawned()
        assert attempt.end()[0] == "gone"
        exited = attempt.exited()
        # The kernel's limit counts in ticks, the usage exactly: they differ a little.
        used = exited["user_us"] + exited["system_us"]
        assert exited["status"] == signal.SIGXCPU and 500_000 < used < 2_500_000, (exited["status"], used)
        attempt.reap(), attempt.close()


def test_bad_scratch_directory(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempt = z.spawn("mischief.noop", directory="/nonexistent/place").spawned()
        assert attempt.end()[0] == "gone" and attempt.exited()["status"] == 71
        assert "/nonexistent/place: No such file" in attempt.output(attempt.err)
        attempt.reap(), attempt.close()


def test_a_thousand_leave_nothing(profile):
    with Zygote(MISCHIEF, profile) as z:
        z.run("mischief.noop")
        count = lambda: len(os.listdir(f"/proc/{z.pid}/fd"))
        children = lambda: Path(f"/proc/{z.pid}/task/{z.pid}/children").read_text()
        until(lambda: not children(), what="the end of the first one's monitor")
        z.control.send(PING)  # and of the zygote's work for it
        z.control.wait(PONG)
        gc.collect()
        before, mine = count(), len(os.listdir("/proc/self/fd"))
        for _ in range(1000):
            ending, exited = z.run("mischief.noop")
            assert ending == ("none", None) and is_clean(exited)
        until(lambda: not Path(f"/proc/{z.pid}/task/{z.pid}/children").read_text(),
              what="no child or zombie of the zygote")
        until(lambda: count() == before, what="no more descriptors in the zygote than before")
        assert len(os.listdir("/proc/self/fd")) == mine


def test_many_at_once(profile):
    with Zygote(MISCHIEF, profile) as z:
        attempts = [z.spawn("mischief.sleep", {"ms": i % 7}) for i in range(60)]
        for attempt in reversed(attempts):
            ending, exited = attempt.finish()
            assert ending[0] == "result" and is_clean(exited)
