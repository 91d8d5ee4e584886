"""What /proc says of processes. Read only: nobody here signals anything."""

import os
import time
from pathlib import Path


def until(condition, bound=30.0, what="the condition"):
    """Waits until condition() is true; returns its value. The bound is a safety net, no measure."""
    deadline = time.monotonic() + bound
    value = None
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    value = condition()
    if value:
        return value
    raise AssertionError(f"{what} did not come within {bound} s; last value: {value!r}")


def status_fields(pid):
    """Fields of /proc/PID/stat from the state on, or None: [0] state, [1] parent, [19] start time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def state_of(pid):
    """The letter of ps(1), or None for a process that is not there."""
    fields = status_fields(pid)
    return fields[0] if fields else None


def exists(pid):
    """Whether a process of that number is there and no zombie."""
    return state_of(pid) not in (None, "Z", "X")


def descendants(pid):
    """{pid: start time} of all processes below pid, zombies included."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = status_fields(entry)
            if fields:
                parents[int(entry)] = (int(fields[1]), fields[19])
    found, grew = {pid: None}, True
    while grew:
        grew = False
        for child, (parent, started) in parents.items():
            if parent in found and child not in found:
                found[child] = started
                grew = True
    found.pop(pid)
    return found


def still_alive(processes):
    """Which of {pid: start time} run still, with their state; a zombie does not count."""
    alive = {}
    for pid, started in processes.items():
        fields = status_fields(pid)
        if fields and fields[19] == started and fields[0] != "Z":
            alive[pid] = fields[0]
    return alive


def command_line(pid):
    """The arguments as one text; "" for a zombie or nobody."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def name_of(pid):
    """The name of the main thread, which children change."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children_of(pid):
    """Pids of the direct children, zombies included."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += [int(p) for p in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        pass
    return found


def resident_bytes(pid):
    """Bytes in memory now; 0 for nobody."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, IndexError, ValueError):
        return 0


def descriptors(pid):
    """{number: what it points to} of the open descriptors."""
    found = {}
    try:
        for entry in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[int(entry)] = os.readlink(f"/proc/{pid}/fd/{entry}")
            except OSError:
                pass
    except OSError:
        pass
    return found
