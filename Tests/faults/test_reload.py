"""R: versions of a plugin come and go while runs of it go on. Plugin: bench/versions.c."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
from conftest import make_host
from invariants import run_name, strays, zygotes
from pawl_processes import command_line, exists, resident_bytes, until
from pawl_versions import BREAKS, Versions, put, sha256
from reloads import Reloads

FILE = "swap.so"


class Swap:
    """A host with the plugin, and what the tests ask of it."""

    def __init__(self, host, versions):
        self.host, self.versions, self.directory = host, versions, Path(host.plugins)

    def put(self, *arguments, **more):
        return put(self.directory, FILE, self.versions.bytes(*arguments, **more))

    @property
    def row(self):
        return next((p for p in self.host.get("/api/v1/plugins")["items"] if p["name"] == "swap"), None)

    @property
    def active(self):
        row = self.row
        return row["version"] if row and row["state"] == "active" else None

    def serves(self, version, bound=30):
        until(lambda: self.active == version, bound, f"version {version[:12]} serves ({self.row})")
        until(lambda: any(j["name"] == "swap.fork" for j in self.host.get("/api/v1/jobs")["items"]), bound, "its jobs")

    def events(self, kind, version=None):
        more = f" and sha256 = '{version}'" if version else ""
        return [words for words, in self.host.ledger.rows(
            f"select coalesce(detail->>'words', '-') from pawl.plugin_event where plugin = 'swap' and kind = '{kind}'{more} order by id")
            if words]

    def happens(self, kind, version=None, bound=30):
        until(lambda: self.events(kind, version), bound, f"{kind} of {version} ({self.row})")
        return self.events(kind, version)[-1]

    def refused(self, count=0, bound=30):
        """Waits for one more refusal than there were; its words."""
        until(lambda: len(self.events("rejected")) > count, bound, f"a refusal ({self.row})")
        return self.events("rejected")[-1]

    def order(self, action, **body):
        """What a person wants of the plugin, as they see it now."""
        seen = self.host.request("GET", "/api/v1/plugins/swap").headers["ETag"]
        return self.host.request("POST", f"/api/v1/plugins/swap/{action}", body, headers={"If-Match": seen})

    def ordered(self, action, **body):
        answer = self.order(action, **body)
        assert answer.status == 200, answer
        return answer.json

    def version_of(self, job="swap.fork", args=None):
        """What a run of it says, and which bytes it ran on."""
        run = self.host.run(job, args, attempts=1)
        assert self.host.wait_state(run)["state"] == "succeeded", self.host.attempts(run)
        return self.host.get(run + "?include=result")["result"]["version"], self.host.attempts(run)[0]["version"]


@pytest.fixture(scope="module", params=["cgroup", "none"])
def swap_host(request, place, cluster):
    directory = place / f"swap-{request.param}"
    directory.mkdir()
    host = make_host(place, cluster, request.param, f"reload-{request.param}", plugins=directory)
    try:
        yield host.start()
    finally:
        host.end()


@pytest.fixture
def swap(swap_host, place):
    """The plugin in its first version; afterwards it is gone."""
    swap = Swap(swap_host, Versions(place / "versions"))
    first = swap.put(1)
    swap.serves(first)
    for job in ("swap.fork", "swap.pool", "swap.nap", "swap.later"):
        swap_host.settings(job, execution={"quarantine": False})
    yield swap
    for number, _, _ in swap_host.ledger.live():
        swap_host.request("POST", f"/api/v1/runs/{run_name(number)}/terminate", {"grace_ms": 0})
    until(lambda: not swap_host.ledger.live(), 30, "the end of what the test left")
    swap_host.take_settings_back()
    for entry in swap.directory.iterdir():
        entry.unlink() if not entry.is_dir() or entry.is_symlink() else None
    until(lambda: swap.active is None, 30, f"the plugin has gone ({swap.row})")
    until(lambda: not strays(swap_host), 30, f"no process of a run ({strays(swap_host)})")
    faults = swap_host.ledger.faults()
    assert not faults, faults


# R1, R9

def test_r1_r9_reloads_under_load_lose_nothing(place, cluster, swap_host):
    directory = place / f"under-load-{swap_host.profile}"
    directory.mkdir()
    host = make_host(place, cluster, swap_host.profile, f"under-load-{swap_host.profile}", plugins=directory)
    try:
        host.start()
        reloads = Reloads(host, host.ledger, place / "versions", pooled=60, forked=20)
        figures, faults = reloads.run(count=40, calm=2)
        assert not faults, (faults, figures)
        assert figures["broken"] == 4 and figures["runs"] > 100
    finally:
        host.end()


# R2

def test_r2_overwritten_in_place(swap):
    data = swap.versions.bytes(2)
    with open(swap.directory / FILE, "r+b") as file:
        # What a linker or `cp` does, slowly.
        file.truncate(0)
        file.write(data[:5000])
        file.flush()
        assert swap.version_of()[0] == 1, "nothing half is ever taken"
        file.write(data[5000:])
    swap.serves(sha256(data))
    assert swap.version_of() == (2, sha256(data))


def test_r2_truncated_in_place(swap):
    first = swap.active
    count = len(swap.events("rejected"))
    with open(swap.directory / FILE, "r+b") as file:
        file.truncate(4096)
    assert "truncated" in swap.refused(count)
    assert swap.version_of() == (1, first), "what runs is a private copy"
    assert swap.row["error"]


def test_r2_replaced_while_it_is_copied(swap):
    """Large enough that the copy takes a while; the last one counts."""
    large = [swap.versions.bytes(2) + b"\0" * (40 << 20) + bytes([n]) for n in range(3)]
    for data in large:
        last = put(swap.directory, FILE, data)
    swap.serves(last)
    assert swap.version_of() == (2, last)


def test_r2_symbolic_links(swap):
    (swap.directory / "old").mkdir(exist_ok=True)
    try:
        first, second = swap.versions.bytes(2), swap.versions.bytes(3)
        (swap.directory / "old" / "2.so").write_bytes(first)
        (swap.directory / "old" / "3.so").write_bytes(second)
        for name, data, said in (("2.so", first, 2), ("3.so", second, 3)):
            os.symlink(Path("old") / name, swap.directory / ".link")
            os.rename(swap.directory / ".link", swap.directory / FILE)
            swap.serves(sha256(data))
            assert swap.version_of() == (said, sha256(data))
    finally:
        for entry in (swap.directory / "old").iterdir():
            entry.unlink()
        (swap.directory / FILE).unlink(missing_ok=True)
        (swap.directory / "old").rmdir()


def test_r2_the_same_content_changes_nothing(swap):
    data = (swap.directory / FILE).read_bytes()
    before = (len(swap.events("active")), sorted(zygotes(swap.host)))
    put(swap.directory, FILE, data)
    last = swap.put(2)  # It is looked at after the other.
    swap.serves(last)
    assert len(swap.events("active")) == before[0] + 1
    assert set(before[1]) <= set(zygotes(swap.host)), "the version before is still loaded"


def test_r2_two_reloads_within_fifty_milliseconds(swap):
    swap.put(2)
    time.sleep(0.02)
    last = swap.put(3)
    swap.serves(last)
    assert swap.version_of() == (3, last)


def test_r2_deleted_and_put_back(swap):
    data = (swap.directory / FILE).read_bytes()
    (swap.directory / FILE).unlink()
    until(lambda: swap.active is None, 10, "it retires")
    put(swap.directory, FILE, data)
    swap.serves(sha256(data))
    assert swap.version_of()[1] == sha256(data)


# R3

@pytest.mark.parametrize("way", [way for way in BREAKS if way != "REMOVED_HANDLER"])
def test_r3_a_broken_version_never_serves(swap, way):
    first, count = swap.active, len(swap.events("rejected"))
    broken = swap.put(2, way)
    words = swap.refused(count)
    assert len(words) > 10
    assert swap.version_of() == (1, first) and swap.active == first
    assert not swap.events("active", broken)
    # What was wrong is seen until something better comes.
    assert swap.row["error"]
    good = swap.put(3)
    swap.serves(good)
    assert not swap.row["error"]


def test_r3_a_version_that_keeps_crashing_is_taken_back(swap):
    first = swap.active
    bad = swap.put(2, crash_percent=100)
    swap.serves(bad)
    runs = [swap.host.run("swap.fork", attempts=3, backoff={"type": "fixed", "delay_ms": 50}) for _ in range(12)]
    assert "crashed" in swap.happens("rolled_back", bad)
    swap.serves(first)
    for run in runs:
        assert swap.host.wait_state(run)["state"] == "succeeded", swap.host.attempts(run)


# R4

def test_r4_what_would_break_something_is_held_until_it_is_forced(swap):
    first = swap.active
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    run = swap.host.expect("POST", "/api/v1/runs", {"job": "swap.later", "args": {}, "run_at": later})["id"]
    for way, code in (("REMOVED_HANDLER", "handler_removed"), ("OTHER_ARGS", "args_incompatible")):
        held = swap.put(2, way)
        swap.happens("held", held)
        assert swap.version_of() == (1, first)
        problems = swap.host.get("/api/v1/plugins/swap")["held"]["problems"]
        assert [p["kind"] for p in problems] == [code] and problems[0]["handler"] == "swap.later", problems
        refused = swap.order("activate", version=held)
        assert refused.status == 409, refused
        assert swap.active == first
    swap.ordered("activate", version=held, force=True)
    swap.serves(held)
    swap.host.expect("POST", f"/api/v1/runs/{run}/cancel", {})


# R5

def test_r5_a_long_run_finishes_on_its_bytes_across_ten_reloads(swap):
    first = swap.active
    run, pid = swap.host.started("swap.nap", {"ms": 600_000})
    inside = Path(f"/proc/{pid}/maps").read_text()
    assert first in inside
    long = swap.host.run("swap.nap", {"ms": 4000}, attempts=1)
    for number in range(2, 12):
        last = swap.put(number)
        swap.serves(last)
        assert exists(pid)
    assert swap.host.wait_state(long)["state"] == "succeeded"
    assert swap.host.attempts(long)[0]["version"] == first
    assert swap.host.get(long + "?include=result")["result"]["version"] == 1
    assert swap.version_of() == (11, last)
    swap.host.terminate(run)
    swap.host.wait_state(run)
    # Its zygote was kept for it alone.
    until(lambda: len(zygotes(swap.host)) <= 2, 20, f"old zygotes: {[command_line(p) for p in zygotes(swap.host)]}")


# R6

def test_r6_rollback(swap):
    first = swap.active
    second = swap.put(2)
    swap.serves(second)
    third = swap.put(3)
    swap.serves(third)
    for wanted, said in ((second, 2), (first, 1)):
        began = time.monotonic()
        swap.ordered("rollback")
        assert time.monotonic() - began < 1, "a rollback is done within a second"
        assert swap.version_of() == (said, wanted)


def test_r6_a_bad_canary_is_taken_back_and_its_runs_succeed(swap):
    first = swap.active
    host = swap.host
    bad = swap.versions.bytes(2, crash_percent=30)
    answer = host.request("POST", "/api/v1/plugins/swap/versions?activate=false", bad,
                          headers={"Content-Type": "application/octet-stream"})
    assert answer.status in (200, 201, 202), answer
    swap.ordered("canary", version=sha256(bad), percent=50)
    runs = []
    for _ in range(30):
        runs += [host.run("swap.fork", attempts=1) for _ in range(10)]
        if swap.events("rolled_back", sha256(bad)):
            break
        time.sleep(0.1)
    assert "crashed" in swap.happens("rolled_back", sha256(bad))
    for run in runs:
        assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
    crashed = [a for run in runs for a in host.attempts(run) if a["outcome"] == "crashed"]
    assert crashed and {a["version"] for a in crashed} == {sha256(bad)}, "outcomes stay truthful"
    assert swap.active == first


def test_r6_a_canary_that_crashes_in_five_percent_is_taken_back_by_itself(swap):
    """With no numbers but its share: the bounds are those that everybody gets. Nobody looks after it until it is over."""
    host, first = swap.host, swap.active
    uploaded = host.request("POST", "/api/v1/plugins/swap/versions?activate=false", swap.versions.bytes(2, crash_percent=5),
                            headers={"Content-Type": "application/octet-stream"})
    assert uploaded.status in (200, 201, 202), uploaded
    bad = uploaded.json["version"]
    for job in ("swap.fork", "swap.nap"):
        # Once each on the version that serves, so that the trial is all that is new.
        assert swap.version_of(job)[1] == first
    swap.ordered("canary", version=bad, percent=50)
    seen = host.get("/api/v1/plugins/swap")["canary"]
    assert seen["version"] == bad and seen["percent"] == 50, seen
    runs = []
    # Of 2,000 runs a thousand meet it: that none of them crashes has a chance of 0.95 ** 1000.
    while len(runs) < 2000 and not swap.events("rolled_back", bad):
        batch = [host.run("swap.fork", attempts=1) for _ in range(20)]
        for run in batch:
            assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
        runs += batch
    words = swap.happens("rolled_back", bad)

    # Every run succeeded, on the old version where the new one had crashed; and the attempts say so.
    met = {run: sorted(host.attempts(run), key=lambda a: a["attempt"]) for run in runs}
    crashed = [attempts for attempts in met.values() if len(attempts) > 1]
    assert crashed and any(attempts[0]["version"] == bad for attempts in met.values())
    assert all(host.get(run)["attempts_used"] == 1 for run in runs), "a crash on trial uses no attempt"
    for attempts in crashed:
        assert [a["outcome"] for a in attempts] == ["crashed", "succeeded"], attempts
        assert [a["version"] for a in attempts] == [bad, first], attempts

    # What the page is told: who serves, what became of the other, why, and when each step was.
    until(lambda: host.get("/api/v1/plugins/swap")["canary"] is None, 10, "the trial is over for all hosts")
    page = host.get("/api/v1/plugins/swap")
    assert page["active"] == first and page["state"] == "active" and not page["error"], page
    assert page["reason"] == words and " runs crashed, and 1 % are allowed" in words, (page["reason"], words)
    version = next(v for v in page["versions"] if v["version"] == bad)
    assert version["state"] == "rolled_back" and version["error"] == words, version
    assert version["crashed"] == len(crashed) <= version["runs"], version
    steps = [step["step"] for step in version["steps"]]
    assert [s for s in steps if s in ("staged", "warming", "canary", "rolled_back", "active")] in (
        ["staged", "warming", "staged", "warming", "canary", "rolled_back"], ["staged", "warming", "canary", "rolled_back"]), steps
    assert all(step["at"] for step in version["steps"])
    events = [(event["kind"], event["version"]) for event in page["events"]]
    assert ("canary", bad) in events and ("rolled_back", bad) in events, events
    # It is over: nobody meets it again.
    later = [host.run("swap.fork", attempts=1) for _ in range(20)]
    for run in later:
        assert host.wait_state(run)["state"] == "succeeded"
        assert [a["version"] for a in host.attempts(run)] == [first]


# R7

def test_r7_a_zygote_killed_during_the_swap(swap):
    host = swap.host
    for number in range(2, 6):
        last = swap.put(number)
        # The new one as it comes up, or the old one: whichever is there.
        limit = time.monotonic() + 0.15
        while time.monotonic() < limit:
            for pid in zygotes(host)[-1:]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                limit = 0
        run = host.run("swap.fork", attempts=1)
        assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
    # A candidate whose zygote was killed is refused; the same bytes, put there again, are another chance.
    if swap.active != last:
        put(swap.directory, FILE, (swap.directory / FILE).read_bytes())
    until(lambda: swap.active == last, 60, f"the last version serves ({swap.row})")
    assert swap.version_of()[1] == last


# R8

def test_r8_a_file_in_the_store_that_was_changed_is_not_loaded(swap):
    host, first = swap.host, swap.active
    stored = next(host.data.rglob(f"{first}.so"))
    second = swap.put(2)
    swap.serves(second)
    stored.chmod(0o644)
    stored.write_bytes(swap.versions.bytes(9))
    # Out of its zygote: it has to be loaded from the file again.
    for pid in zygotes(host):
        if first in Path(f"/proc/{pid}/maps").read_text():
            os.kill(pid, signal.SIGKILL)
            until(lambda: not exists(pid), 10, "the end of the old version's zygote")
    answer = swap.order("rollback")
    said = swap.version_of()
    assert said[0] != 9, "bytes that nobody has checked never run"
    assert answer.status >= 400 and said == (2, second) or said == (1, first), (answer, said)


def test_r8_the_right_bytes_come_back(swap):
    host, first = swap.host, swap.active
    stored = next(host.data.rglob(f"{first}.so"))
    wrong = swap.versions.bytes(9)
    stored.unlink()
    stored.write_bytes(wrong)
    for pid in zygotes(host):
        if first in Path(f"/proc/{pid}/maps").read_text():
            os.kill(pid, signal.SIGKILL)
    swap.happens("tampered", first)
    until(lambda: sha256(stored.read_bytes()) == first if stored.exists() else False, 30, "the right bytes are in the store")
    run = host.run("swap.fork", attempts=1)
    assert host.wait_state(run, bound=60)["state"] == "succeeded", host.attempts(run)
    assert host.get(run + "?include=result")["result"]["version"] == 1


# R9

def test_r9_processes_and_memory_come_back_to_the_baseline(swap):
    host = swap.host
    for number in range(2, 6):
        swap.serves(swap.put(number))
    before = (len(zygotes(host)), resident_bytes(host.process.pid))
    for number in range(6, 26):
        swap.serves(swap.put(number))
    until(lambda: len(zygotes(host)) <= before[0], 20, f"zygotes: {[command_line(p) for p in zygotes(host)]}")
    grown = resident_bytes(host.process.pid) - before[1]
    assert grown < 32 << 20, f"the host grew by {grown >> 20} MiB in twenty reloads"
