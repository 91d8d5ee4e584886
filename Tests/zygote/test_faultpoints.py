"""The fault points of the test build: each that fault.h lists is there, and does what it says."""

import errno
import re

from driver import *

FAULTS = BIN / "fixtures" / "pawl-zygote-faults"
MISCHIEF = BIN / "plugins" / "mischief.so"
SOURCES = ROOT / "Sources" / "PluginABI" / "Zygote"


def points():
    """Those of the list, and those of errors."""
    lines = (SOURCES / "fault.h").read_text().split("Points, in the order")[1].split("#ifndef")[0]
    steps, errors = lines.split("Points of errors")
    name = re.compile(r"\b((?:zygote|monitor|child)\.[a-z]+)\b")
    return set(name.findall(steps)), set(name.findall(errors))


def test_the_list_is_complete():
    steps, errors = points()
    code = "".join(path.read_text() for path in SOURCES.glob("*.c"))
    assert set(re.findall(r'fault_at\("([^"]+)"\)', code)) == steps
    assert set(re.findall(r'fault_error\("([^"]+)"\)', code)) == errors


def ended(profile, fault, of_zygote=True):
    """How an attempt ends under a plan."""
    plan = {"PAWL_FAULT": fault}
    with Zygote(MISCHIEF, profile, binary=FAULTS, environment=plan if of_zygote else {}) as z:
        attempt = z.spawn("mischief.noop", environment={} if of_zygote else plan).spawned()
        ending = attempt.end()
        exited = attempt.exited()
        attempt.reap()
        attempt.close()
        return ending, exited


def test_every_step_of_a_child(profile):
    for point in sorted(p for p in points()[0] if p.startswith("child.")):
        if point in ("child.reset", "child.idle"):  # of pooled children
            continue
        ending, exited = ended(profile, f"{point}:kill")
        assert exited["status"] == signal.SIGKILL, (point, exited)
        assert ending == (("none", None) if point == "child.ended" else ("gone", None)), (point, ending)


def test_one_attempt_of_many(profile):
    with Zygote(MISCHIEF, profile, binary=FAULTS) as z:
        attempt = z.spawn("mischief.noop", environment={"PAWL_FAULT": "child.started:exit"}).spawned()
        assert attempt.end() == ("gone", None) and attempt.exited()["status"] == 99
        attempt.reap()
        attempt.close()
        assert z.run("mischief.noop")[0] == ("none", None)


def test_errors(profile):
    assert ended(profile, "child.dup:EMFILE")[1]["status"] == 71
    assert ended(profile, "child.setrlimit:EPERM")[1]["status"] == 71
    assert ended(profile, "child.chdir:EIO")[1]["status"] == 71
    assert ended(profile, "child.thread:EAGAIN")[1]["status"] == 71
    for point, error in (("zygote.fork", errno.EAGAIN), ("zygote.table", errno.ENOMEM)):
        with Zygote(MISCHIEF, profile, binary=FAULTS, environment={"PAWL_FAULT": f"{point}:EAGAIN@1"}) as z:
            attempt = z.spawn("mischief.noop")
            kind, _, body, _ = z.control.wait(SPAWN_FAILED, attempt.slot)
            assert struct.unpack("<iI", body)[0] == error, point
            attempt.close()
            if profile == "cgroup" or point == "zygote.table":
                assert z.run("mischief.noop")[0] == ("none", None)
