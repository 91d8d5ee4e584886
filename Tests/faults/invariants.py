"""What must be so after every fault, whatever it was: nothing of it is left, and every run has one end.

One set of checks for the fault tests and the monkey.
"""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from pawl_processes import children_of, command_line, descendants, descriptors, name_of, state_of, until  # noqa: E402

BOUND = 10
INSPECTOR = "pawl-inspect"


def cgroup_roots():
    """Mount points of cgroup v2."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ", 1)
        if after.startswith("cgroup2 "):
            found.append(Path(before.split()[4]))
    return found


def has_cgroup_profile():
    """Whether a host could use cgroups here."""
    return any(os.access(root / "cgroup.procs", os.W_OK) for root in cgroup_roots())


def has_controller(name):
    return any(name in (root / "cgroup.controllers").read_text().split() for root in cgroup_roots())


def v1_controller(name):
    """The directory of a controller of cgroup v1, where we may make groups; or None."""
    path = Path("/sys/fs/cgroup") / name
    return path if (path / "tasks").exists() and os.access(path, os.W_OK) else None


def database_processes(host):
    found = set()
    for pid_file in host.data.rglob("postmaster.pid"):
        pid = int(pid_file.read_text().split()[0])
        found |= {pid, *descendants(pid)}
    return found


def zygotes(host):
    """Direct children of the host that are zygotes."""
    return [pid for pid in children_of(host.process.pid) if Path(command_line(pid).split(" ")[0]).name.startswith("pawl-zygote")
            and name_of(pid) in ("pawl-zygote", "exe")]


def strays(host):
    """{pid: words} of what is below the host and neither a zygote nor its database: zombies of zygotes included."""
    database = database_processes(host)
    known = set(zygotes(host)) | database
    # The inspector is a helper of the host's own: it names crashes in the background, one at a time.
    return {pid: f"{state_of(pid)} {name_of(pid)} ({command_line(pid)[:80]})" for pid in descendants(host.process.pid)
            if pid not in known and state_of(pid) is not None and name_of(pid) != INSPECTOR
            or (pid in known - database and state_of(pid) == "Z")}


def instance_group(host):
    """The host's own cgroup, by what it holds open; None in the other profile."""
    for target in descriptors(host.process.pid).values():
        if match := re.match(r"(.*/pawl-[0-9a-f]+)/slot-", target):
            return Path(match[1])
    return None


def populated_leaves(group):
    found = []
    if group is not None and group.is_dir():
        for leaf in group.glob("slot-*"):
            try:
                if "populated 1" in (leaf / "cgroup.events").read_text():
                    found.append(leaf.name)
            except OSError:
                pass  # It was removed meanwhile.
    return found


def open_count(host):
    """Descriptors of the host by kind. Those of leaves and scratch directories are kept for the next attempt: not counted."""
    kinds = {}
    for target in descriptors(host.process.pid).values():
        if "/slot-" in target or "/pawl-" in target and "cgroup" in target:
            continue
        kind = re.sub(r"\d+", "N", target) if not target.startswith("/") else "file"
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def scratch_leftovers(host):
    """Entries in the scratch directories of attempts."""
    place = host.data / "scratch"
    return [str(entry) for slot in place.glob("slot-*") for entry in slot.iterdir()] if place.is_dir() else []


class Ledger:
    """The rows of one database."""

    def __init__(self, cluster, database):
        self.cluster, self.database = cluster, database

    def rows(self, sql):
        text = self.cluster.query(sql, self.database)
        return [line.split("|") for line in text.splitlines()]

    def number(self, sql):
        return int(self.rows(sql)[0][0])

    def last_run(self):
        return self.number("select coalesce(max(id), 0) from pawl.run_all")

    def live(self):
        """Runs without an end: those that run or are queued, and those that wait for their time."""
        return [(int(i), state, job) for i, state, job in self.rows(
            "select id, state, job from pawl.run_live union all select id, state, job from pawl.run_waiting order by id")]

    def faults(self, after=0):
        """Sentences about runs after a number that have not exactly one end."""
        checks = {
            "has two rows of its end": f"select id from pawl.run where id > {after} group by id having count(*) > 1",
            "is finished and live": f"select id from pawl.run join pawl.run_live using (id) where id > {after}",
            "has an attempt twice": f"select run_id from pawl.attempt where run_id > {after} group by run_id, attempt "
            "having count(*) > 1",
            "succeeded twice": f"select run_id from pawl.attempt where run_id > {after} and outcome = 'succeeded' "
            "group by run_id having count(*) > 1",
            "succeeded without an attempt that did": f"select id from pawl.run r where id > {after} and state = 'succeeded' "
            "and not exists (select 1 from pawl.attempt a where a.run_id = r.id and a.outcome = 'succeeded')",
            "did not succeed, and an attempt of it did": f"select id from pawl.run r where id > {after} and "
            "state <> 'succeeded' and exists (select 1 from pawl.attempt a where a.run_id = r.id and a.outcome = 'succeeded')",
        }
        return [f"run {number} {words}" for number, words in self.rows(
            " union all ".join(f"(select x.*, '{words}' from ({sql}) x limit 5)" for words, sql in checks.items()))]


class Watch:
    """What was there before a fault, and the check that it is so again."""

    def __init__(self, host, ledger):
        self.host, self.ledger = host, ledger
        self.first = ledger.last_run()
        self.open, self.zygotes = open_count(host), len(zygotes(host))
        self.process = host.process

    def end_all(self):
        """Terminates what a test left running; how many there were."""
        live = [row for row in self.ledger.live()]
        for number, _, _ in live:
            self.host.request("POST", f"/api/v1/runs/{run_name(number)}/terminate", {"grace_ms": 0})
        until(lambda: not self.ledger.live(), 30, f"the end of {len(live)} runs") if live else None
        return len(live)

    def check(self, idle=0, bound=BOUND, compare_open=True):
        """idle: processes that wait for a run, which a job's mode may keep."""
        host = self.host
        assert host.process.poll() is None, f"the host ended with {host.process.returncode}:\n{host.log_tail()}"
        live = self.ledger.live()
        assert not live, f"runs without an end: {live}"
        faults = self.ledger.faults(self.first)
        assert not faults, faults
        # Idle children have a monitor each, without cgroups.
        until(lambda: len(strays(host)) <= 2 * idle, bound, f"no process of a run; there are {strays(host)}")
        if not idle:
            group = instance_group(host)
            until(lambda: not populated_leaves(group), bound, "empty cgroups")
            until(lambda: not scratch_leftovers(host), bound, f"empty scratch directories ({scratch_leftovers(host)[:5]})")
            if host.process is self.process and compare_open:
                until(lambda: not self.more_open(), bound, f"no new descriptors: {self.more_open()}")

    def more_open(self):
        """Kinds of which more are open than before; a zygote more, for a mode that needs one of its own, has its own."""
        now, more = open_count(self.host), max(0, len(zygotes(self.host)) - self.zygotes)
        of_zygote = {"pipe:[N]": 2, "socket:[N]": 1, "anon_inode:[pidfd]": 1}
        return {kind: f"{self.open.get(kind, 0)} -> {count}" for kind, count in now.items()
                if count > self.open.get(kind, 0) + more * of_zygote.get(kind, 0)}


CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def run_name(number):
    """The id that the API shows."""
    digits = ""
    for _ in range(13):
        digits = CROCKFORD[number & 31] + digits
        number >>= 5
    return "run_" + digits


def run_number(name):
    value = 0
    for letter in name[4:].upper():
        value = value << 5 | CROCKFORD.index(letter)
    return value
