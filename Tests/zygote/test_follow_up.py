"""Extension pawl.follow-up/1: what is asked for reaches the host before the end, checked and counted."""

import struct

from driver import *

PLUGIN = BIN / "fixtures" / "follow_up.so"
FOLLOW_UP = 31
HEAD = "<qiIIIIIII"


def asked(attempt):
    """The FOLLOW_UP frames of an attempt, in order."""
    found = []
    for kind, _, payload, *_ in attempt.frames:
        if kind != FOLLOW_UP:
            continue
        delay, priority, flags, attempts, *lengths = struct.unpack_from(HEAD, payload)
        at, texts = struct.calcsize(HEAD), []
        for length in lengths:
            texts.append(payload[at:at + length].decode())
            at += length
        assert at == len(payload)
        found.append((delay, priority if flags & 1 else None, attempts, *texts))
    return found


def ask(z, **args):
    attempt = z.spawn("fixture.ask", args).spawned()
    end, exited = attempt.finish()
    return end, asked(attempt), [parse_log(f[2])["message"] for f in attempt.frames if f[0] == LOG], attempt


def test_follow_up_frames(profile):
    with Zygote(PLUGIN, profile) as z:
        end, frames, _, attempt = ask(z, job="fixture.asked")
        assert end == ("result", 0)
        assert frames == [(0, None, 0, "fixture.asked", "{}", "", "", "")]
        kinds = [f[0] for f in attempt.frames]
        assert STARTED in kinds and kinds.index(STARTED) < kinds.index(FOLLOW_UP) < kinds.index(RESULT)
        options = {"delay_ms": 1500, "priority": -3, "attempts": 2, "queue": "bülk", "title": "a \"b\"", "labels": {"k": "v"}}
        end, frames, _, _ = ask(z, job="a.b", args={"n": 1}, options=options)
        assert end == ("result", 0)
        assert frames == [(1500, -3, 2, "a.b", '{"n": 1}', "bülk", 'a "b"', '{"k": "v"}')]
        # null is as if it were not there.
        assert ask(z, job="a.b", options={"queue": None})[0] == ("result", 0)


def test_follow_up_refused_words(profile):
    wrong = [
        (dict(), "the job's name must have 1 to 200 bytes"),
        (dict(job="x" * 201), "the job's name must have"),
        (dict(job="a.b", args=[1]), "the args must be a JSON object"),
        (dict(job="a.b", options=[1]), "the options must be a JSON object"),
        (dict(job="a.b", options={"dealy_ms": 1}), 'there is no option "dealy_ms"'),
        (dict(job="a.b", options={"delay_ms": -1}), "delay_ms must be a whole number from 0"),
        (dict(job="a.b", options={"delay_ms": 1.5}), "delay_ms must be a whole number"),
        (dict(job="a.b", options={"delay_ms": "1"}), "delay_ms must be a whole number"),
        (dict(job="a.b", options={"priority": 1000001}), "priority must be a whole number from -1000000 to 1000000"),
        (dict(job="a.b", options={"attempts": 0}), "attempts must be a whole number from 1 to 1000"),
        (dict(job="a.b", options={"queue": ""}), "queue must be a string of 1 to 120 bytes"),
        (dict(job="a.b", options={"title": "a\0b"}), "without U+0000"),
        (dict(job="a.b", options={"labels": {"a": 1}}), "labels must be an object of strings"),
        (dict(job="a.b", options={"labels": {str(i): "" for i in range(65)}}), "at most 64 members"),
    ]
    with Zygote(PLUGIN, profile) as z:
        for args, words in wrong:
            end, frames, log, _ = ask(z, **args)
            assert end == ("result", 5) and frames == [], (args, end)
            assert len(log) == 1 and words in log[0], (args, log)
        # A handler that just returns the status fails with the words.
        end, frames, _, _ = ask(z, job="a.b", options={"attempts": 0}, then="status")
        assert end[0] == "failure" and end[1]["message"].startswith("a follow-up run: the option attempts must be")


def test_follow_up_bounds(profile):
    with Zygote(PLUGIN, profile) as z:
        end, frames, log, _ = ask(z, job="a.b", times=100)
        assert end == ("result", 0) and len(frames) == 100 and log == []
        end, frames, log, _ = ask(z, job="a.b", times=101)
        assert end == ("result", 7) and len(frames) == 100 and "at most 100" in log[0]
        end, frames, log, _ = ask(z, job="a.b", args={"t": "x" * 200_000}, times=3)
        assert end == ("result", 7) and len(frames) == 2 and "bytes" in log[0]


def test_follow_up_before_an_end_that_is_none(profile):
    with Zygote(PLUGIN, profile) as z:
        # The frames are there; that they count for nothing is the host's part.
        for then, kind in (("snooze", "snooze"), ("fail", "failure")):
            end, frames, _, _ = ask(z, job="a.b", then=then)
            assert end[0] == kind and len(frames) == 1
