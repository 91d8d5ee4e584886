"""Several hosts on one database: what one of them begins to serve, all serve; who cannot says so."""

import hashlib
import json
import os
import shutil
import subprocess
import threading

import pytest

from conftest import ROOT, TERMINAL, until

SOURCE = r'''#include <pawl.h>
static int32_t which(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user; (void)args;
#ifdef CRASH
    __builtin_trap();
#endif
    return attempt->host->result_json(attempt, PAWL_STR("{\"label\":\"" LABEL "\"}"));
}
static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "swap.which", .run = which, .args_schema = SCHEMA},
#ifdef SECOND
    {.struct_size = sizeof(pawl_handler), .name = "swap.second", .run = which},
#endif
};
PAWL_PLUGIN("swap", LABEL, handlers)
'''
OPEN = '{\\"type\\":\\"object\\"}'
NARROW = '{\\"type\\":\\"object\\",\\"required\\":[\\"path\\"]}'


@pytest.fixture
def build(scratch):
    """Compiles a version of the plugin; its path. Not in any host's directory yet."""
    source = scratch / "swap.c"
    source.write_text(SOURCE)
    count = 0

    def make(label, schema=OPEN, second=True, crash=False):
        nonlocal count
        count += 1
        path = scratch / f"built-{count}.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-fvisibility=hidden", "-I", str(ROOT / "include"), f'-DLABEL="{label}"',
                        f'-DSCHEMA="{schema}"', *(["-DSECOND"] if second else []),
                        *(["-DCRASH"] if crash else []), "-o", str(path), str(source)],
                       check=True, timeout=60)
        return path

    return make


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Hosts:
    """Hosts on one database, each with a plugin directory of its own."""

    def __init__(self, scratch, cluster, factory):
        self.scratch, self.cluster, self.factory = scratch, cluster, factory
        self.names = {}

    def start(self, name, *files, **options):
        directory = self.scratch / f"plugins-{name}"
        directory.mkdir(exist_ok=True)
        for file in files:
            self.drop(name, file)
        host = self.factory(name, plugins=directory, database_url=self.cluster.url, **options)
        self.names[name] = host
        return host.start()

    def drop(self, name, file):
        """As an installation does it: written beside, then renamed."""
        target = self.scratch / f"plugins-{name}" / "swap.so"
        shutil.copy(file, target.with_name(".swap.tmp"))
        os.rename(target.with_name(".swap.tmp"), target)

    def remove(self, name):
        (self.scratch / f"plugins-{name}" / "swap.so").unlink()

    @property
    def active(self):
        return self.cluster.query("SELECT coalesce(active, '') FROM pawl.plugin WHERE name = 'swap'")

    def notes(self):
        """What each running host says of itself: version and state, by its number."""
        rows = self.cluster.query("SELECT p.host_id, coalesce(p.sha256, ''), p.state, coalesce(p.problem, '') "
                                  "FROM pawl.plugin_host p JOIN pawl.host h ON h.id = p.host_id "
                                  "WHERE p.plugin = 'swap' AND h.state = 'running' ORDER BY 1")
        return [line.split("|", 3)[1:] for line in rows.splitlines()]

    def all_serve(self, version, count=None, bound=30):
        def told():
            notes = self.notes()
            return self.active == version and len(notes) == (count or len(self.names)) and all(
                n[0] == version and n[1] == "active" for n in notes)
        until(told, bound, f"all hosts serve {version[:12]}; now {self.active[:12]} and {self.notes()}")

    def events(self):
        rows = self.cluster.query("SELECT kind FROM pawl.plugin_event WHERE plugin = 'swap' ORDER BY id")
        return rows.splitlines()


@pytest.fixture
def hosts(scratch, cluster, host_factory):
    return Hosts(scratch, cluster, host_factory)


def finish(host, runs):
    return [host.wait_state(run) for run in runs]


def test_what_appears_on_one_host_serves_on_all(hosts, build):
    one, two = build("1.0"), build("2.0")
    first = hosts.start("a", one)
    second, third = hosts.start("b"), hosts.start("c")
    hosts.all_serve(sha(one))
    assert {r["result"]["label"] for r in finish(first, [second.run("swap.which") for _ in range(30)])} == {"1.0"}
    # Under load, from a host that had none: nothing fails, and in the end all have it.
    stop, runs = threading.Event(), []

    def load():
        while not stop.is_set():
            runs.append(third.run("swap.which"))
    worker = threading.Thread(target=load)
    worker.start()
    try:
        hosts.drop("b", two)
        hosts.all_serve(sha(two))
    finally:
        stop.set()
        worker.join()
    done = finish(first, runs)
    assert {r["state"] for r in done} == {"succeeded"}
    labels = {r["result"]["label"] for r in finish(first, [first.run("swap.which") for _ in range(30)])}
    assert labels == {"2.0"}
    # Each attempt says what it ran.
    for run in (runs[0], runs[-1]):
        attempts = first.attempts(run)
        label = first.get(run)["result"]["label"]
        assert attempts[-1]["version"] == sha(one if label == "1.0" else two)
    assert "active" in hosts.events()


def test_an_upload_serves_on_all(hosts, build):
    one, two = build("1.0"), build("2.0")
    first = hosts.start("a", one)
    hosts.start("b")
    hosts.all_serve(sha(one))
    answer = first.call("POST", "/api/v1/plugins/swap/versions", two.read_bytes(),
                        {"Content-Type": "application/octet-stream"})
    assert answer.status in (200, 201, 202), answer
    hosts.all_serve(sha(two))


def test_a_host_whose_copy_is_broken_says_so_and_takes_no_runs(hosts, build):
    one, two = build("1.0"), build("2.0")
    good = hosts.start("a", one)
    bad = hosts.start("b")
    hosts.all_serve(sha(one))
    bad.stop()
    hosts.drop("a", two)
    until(lambda: hosts.cluster.query(
        f"SELECT complete FROM pawl.plugin_blob WHERE sha256 = '{sha(two)}'") == "t", 20, "its bytes are in the database")
    flip = f"""UPDATE pawl.plugin_blob_part SET bytes = set_byte(bytes, 5000, 255 - get_byte(bytes, 5000))
               WHERE sha256 = '{sha(two)}' AND part = 0"""
    hosts.cluster.query(flip)
    bad.start()
    until(lambda: ["failed"] == [n[1] for n in hosts.notes() if n[0] != sha(two)], 20, "it says that it cannot")
    problem = next(n[2] for n in hosts.notes() if n[1] == "failed")
    assert "not what they should be" in problem, problem
    # Everything is done by the other one.
    runs = [bad.run("swap.which") for _ in range(40)]
    assert {r["result"]["label"] for r in finish(good, runs)} == {"2.0"}
    attempts = [a for run in runs for a in good.attempts(run)]
    assert {a["version"] for a in attempts} == {sha(two)}
    mine = hosts.cluster.query(f"SELECT host_id FROM pawl.plugin_host WHERE state = 'failed'")
    assert hosts.cluster.query(f"SELECT count(*) FROM pawl.attempt WHERE host_id = {mine}") == "0"
    assert "cannot_follow" in hosts.events()
    # Mended: it comes by itself.
    hosts.cluster.query(flip)
    hosts.cluster.query("NOTIFY pawl_plugin, 'swap'")
    hosts.all_serve(sha(two))


def test_two_that_propose_at_once_agree(hosts, build):
    one = build("1.0")
    first = hosts.start("a", one)
    hosts.start("b")
    hosts.all_serve(sha(one))
    for number in range(5):
        versions = build(f"2.{number}"), build(f"3.{number}")
        threads = [threading.Thread(target=hosts.drop, args=(name, file)) for name, file in zip("ab", versions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: hosts.active in {sha(v) for v in versions}, 20, "one of the two")
        until(lambda: {n[0] for n in hosts.notes()} == {hosts.active}, 20, "both serve it")
    winner = first.get(first.run("swap.which"))
    assert winner["state"] not in ("failed", "cancelled")


def test_a_host_that_starts_with_an_old_file_follows(hosts, build):
    one, two, three = build("1.0"), build("2.0"), build("3.0")
    late = hosts.start("a", one)
    other = hosts.start("b")
    hosts.all_serve(sha(one))
    late.stop()
    hosts.drop("b", two)
    hosts.all_serve(sha(two), count=1)
    late.start()
    hosts.all_serve(sha(two))
    # Bytes that nobody has ever seen are a proposal, also at the start.
    late.stop()
    hosts.drop("a", three)
    late.start()
    hosts.all_serve(sha(three))
    # And the old file, put there anew while the host runs, is one too.
    hosts.drop("b", one)
    hosts.all_serve(sha(one))
    assert other.wait_state(other.run("swap.which"))["result"] == {"label": "1.0"}


def test_a_deleted_file(hosts, build):
    one, two = build("1.0"), build("2.0")
    origin = hosts.start("a", one)
    other = hosts.start("b", one)
    hosts.all_serve(sha(one))
    owner = hosts.cluster.query("SELECT h.data_directory_id FROM pawl.plugin p JOIN pawl.host h ON h.id = p.origin_host")
    assert owner
    # Of the host whose file it is not: it goes without, the others go on.
    hosts.remove("b")
    until(lambda: sorted(n[1] for n in hosts.notes()) == ["active", "retired"], 20, f"one without: {hosts.notes()}")
    assert hosts.active == sha(one)
    assert origin.wait_state(origin.run("swap.which"))["state"] == "succeeded"
    # A new version is a new decision: it has part in it again.
    hosts.drop("a", two)
    hosts.all_serve(sha(two))
    # Of the host whose file it is: nobody serves it any more.
    hosts.remove("a")
    until(lambda: hosts.active == "" and {n[1] for n in hosts.notes()} == {"retired"}, 20, "nobody serves it")
    run = other.run("swap.which")
    # A host that has not looked at its plugins since may claim it once, and gives it back.
    until(lambda: other.get(run)["state"] == "queued", 20, "it waits for a version")
    hosts.drop("b", one)
    hosts.all_serve(sha(one))
    done = other.wait_state(run)
    assert done["result"] == {"label": "1.0"} and done["attempts_used"] == 1


def test_the_database_may_be_away(hosts, build, cluster):
    one, two = build("1.0"), build("2.0")
    first = hosts.start("a", one)
    hosts.start("b")
    hosts.all_serve(sha(one))
    cluster.stop()
    hosts.drop("a", two)
    served = lambda: any(v.get("version") == sha(two) for v in json.loads(
        first.call("GET", "/api/v1/plugins").body or b"{}").get("items", []))
    until(served, 20, "it serves here at once")
    cluster.start()
    hosts.all_serve(sha(two), bound=60)


def test_what_waits_holds_a_version_back(hosts, build):
    one, gone, narrow = build("1.0"), build("2.0", second=False), build("3.0", schema=NARROW)
    host = hosts.start("a", one)
    hosts.all_serve(sha(one))
    waits = host.run("swap.second", delay_ms=3_600_000)
    hosts.drop("a", gone)
    until(lambda: "held" in hosts.events(), 20, "it is held")
    assert hosts.active == sha(one)
    assert [n[1] for n in hosts.notes()] == ["held"] and "swap.second" in hosts.notes()[0][2]
    host.call("POST", f"/api/v1/runs/{waits}/cancel", {})
    bare = host.run("swap.which", {}, delay_ms=3_600_000)
    before = hosts.events().count("held")
    hosts.drop("a", narrow)
    until(lambda: hosts.events().count("held") > before, 20, "it is held")
    assert bare in hosts.notes()[0][2] and "path" in hosts.notes()[0][2], hosts.notes()
    assert hosts.active == sha(one)
    # Nothing waits any more: the same bytes, put there anew, serve; and from then on args must fit.
    host.call("POST", f"/api/v1/runs/{bare}/cancel", {})
    until(lambda: host.get(bare)["state"] in TERMINAL, 10)
    hosts.drop("a", narrow)
    hosts.all_serve(sha(narrow))
    answer = host.call("POST", "/api/v1/runs", {"job": "swap.which", "args": {}})
    assert answer.status == 422 and answer.json["code"] == "invalid_args", answer
    assert [e["pointer"] for e in answer.json["errors"]] == ["/args/path"], answer.json
    assert host.wait_state(host.run("swap.which", {"path": "x"}))["result"] == {"label": "3.0"}


def test_a_bad_canary_ends_everywhere_and_costs_nothing(hosts, build):
    one, bad = build("1.0"), build("2.0", crash=True)
    first = hosts.start("a", one)
    second = hosts.start("b")
    hosts.all_serve(sha(one))
    answer = first.call("POST", "/api/v1/plugins/swap/versions?canary_percent=50", bad.read_bytes(),
                        {"Content-Type": "application/octet-stream"})
    assert answer.status in (200, 201, 202), answer
    until(lambda: [n[1] for n in hosts.notes()] == ["canary", "canary"], 30, "both hosts try it")
    # One attempt each: a crash that counted would be the end of its run.
    runs = [second.run("swap.which", attempts=1) for _ in range(80)]
    assert {(r["state"], r["result"]["label"]) for r in finish(first, runs)} == {("succeeded", "1.0")}
    crashed = hosts.cluster.query(f"SELECT count(*) FROM pawl.attempt WHERE outcome = 'crashed' AND version = '{sha(bad)}'")
    assert int(crashed) > 0
    hosts.all_serve(sha(one))
    assert hosts.cluster.query("SELECT canary IS NULL, reason IS NOT NULL FROM pawl.plugin WHERE name = 'swap'") == "t|t"
    assert "rolled_back" in hosts.events()
