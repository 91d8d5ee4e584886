"""Several hosts on one database: who is silent loses what it had, who wakes up finds itself fenced, and what only one host may do
has one host that does it."""

import re
import shutil
import signal
import threading
import time

import pytest

from conftest import BIN, until
from pawl_host import Failure
from pawl_pair import Pair
from pawl_processes import exists

# Everything that takes half a minute in earnest takes a second and a half.
HEARTBEAT = {"PAWL_HEARTBEAT_MS": "500"}
SILENCE = 1.5


class Hosts:
    """Hosts with the plugin of effects: each attempt leaves one line in a file."""

    def __init__(self, scratch, factory, url, query):
        self.scratch, self.factory, self.url, self.query = scratch, factory, url, query
        self.file = scratch / "effects"
        self.file.touch()
        self.file.chmod(0o666)
        self.all = []

    def start(self, count, *arguments, environment=HEARTBEAT):
        for number in range(count):
            plugins = self.scratch / f"plugins-{len(self.all)}"
            plugins.mkdir()
            shutil.copy(BIN / "fixtures" / "effect.so", plugins)
            host = self.factory(f"host-{len(self.all)}", plugins=plugins, database_url=self.url, environment=environment,
                                arguments=["--slots", "4", *arguments])
            self.all.append(host.launch())
        for host in self.all:
            host.wait_ready()
            host.until("/api/v1/jobs", lambda jobs: any(j["name"] == "effect.append" for j in jobs["items"]), "the handler")
        return self.all

    def run(self, host, tag, ms=0, **more):
        return host.run("effect.append", {"file": str(self.file), "tag": tag, "ms": ms}, **more)

    def effects(self):
        """[(tag, attempt)] in the order in which they came."""
        return [(line.split()[0], int(line.split()[2])) for line in self.file.read_text().splitlines()]

    def id_of(self, host):
        return next(item["id"] for item in host.get("/api/v1/hosts")["items"] if item["this_host"])

    def of_id(self, number):
        """The one that has this number in the database."""
        return next(host for host in self.all if host.process.poll() is None and self.id_of(host) == f"host_{number}")

    def where(self, run_id):
        """(number of its host, attempt) of a run that executes."""
        rows = self.query("select host_id, attempt from pawl.run_live where state = 'running' and started_at is not null and "
                          f"args->>'tag' = '{run_id}'")
        return tuple(map(int, rows.split("|"))) if rows else None


@pytest.fixture
def hosts(scratch, cluster, host_factory):
    return Hosts(scratch, host_factory, cluster.url, cluster.query)


def metric(host, name):
    text = host.request("GET", "/metrics").body.decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1])


def test_a_host_that_slept_too_long_changes_nothing_and_ends_its_children(hosts):
    others = hosts.start(3)
    run = hosts.run(others[0], "long", ms=8000)
    number, attempt = until(lambda: hosts.where("long"), 20, "the start")
    assert attempt == 1
    sleeper = hosts.of_id(number)
    awake = [host for host in others if host is not sleeper]
    child = int(hosts.query("select pid from pawl.run_live where args->>'tag' = 'long'"))
    assert exists(child)
    sleeper.process.send_signal(signal.SIGSTOP)
    try:
        second = until(lambda: (lambda w: w if w and w[0] != number else None)(hosts.where("long")), 20, "the second attempt, elsewhere")
        assert second[1] == 2
        rows = {item["id"]: item["state"] for item in awake[0].get("/api/v1/hosts")["items"]}
        assert rows[f"host_{number}"] == "silent" and sorted(rows.values()) == ["running", "running", "silent"]
        # Known when the limit is over, give or take the machine's load, and never before.
        late = float(hosts.query("select extract(epoch from a.ended_at - h.heartbeat_at) from pawl.attempt a join pawl.host h on h.id = a.host_id "
                                 f"where h.id = {number} and a.outcome = 'lost'"))
        assert SILENCE <= late < SILENCE + 3, late
        before = hosts.query("select * from pawl.attempt order by run_id, attempt")
        # What comes meanwhile it must not take either.
        waiting = [hosts.run(awake[0], f"w{n}", ms=100) for n in range(10)]
    finally:
        sleeper.process.send_signal(signal.SIGCONT)
    until(lambda: metric(sleeper, "pawl_host_fenced_total") == 1, 20, "the fence")
    # Fenced with 2, registered with 3: the one is counted before the other is written.
    until(lambda: hosts.query(f"select epoch from pawl.host where id = {number}") == "3", 20, "the new registration")
    until(lambda: not exists(child), 20, "the end of the fenced attempt's process")
    old = hosts.query(f"select run_id, outcome, reason from pawl.attempt where host_id = {number} and host_epoch = 1")
    assert old.endswith("|lost|host") and "\n" not in old
    done = awake[0].wait_state(run, bound=40)
    assert done["state"] == "succeeded" and done["attempt"] == 2 and done["attempts_used"] == 1, done
    assert all(awake[0].wait_state(r)["state"] == "succeeded" for r in waiting)
    assert hosts.query("select * from pawl.attempt where outcome = 'lost'") == before
    effects = hosts.effects()
    assert sorted(e for e in effects if e[0] == "long") == [("long", 1), ("long", 2)]
    assert len(effects) == len(set(effects)) == 12
    # It is a host like the others again, with children of its own.
    assert all(host.get("/api/v1/hosts")["drift"] is False for host in others)
    assert "declared dead" in sleeper.log_path.read_text()


@pytest.mark.parametrize("kill", [False, True])
def test_rolling_restarts_use_up_nothing(hosts, kill):
    """kill: what runs is ended when the drain's time is over. Else it ends by itself in time."""
    # As in earnest: nobody is to be taken for dead because the machine is busy for a second and a half.
    others = hosts.start(3, "--drain-timeout", "1" if kill else "30", environment={})
    run = hosts.run(others[0], "long", ms=6000 if kill else 4000, attempts=1)
    for turn in range(4 if kill else 1):
        number, attempt = until(lambda: hosts.where("long"), 20, "its start")
        assert attempt == turn + 1
        host = hosts.of_id(number)
        assert host.stop() == 0, host.log_tail()
        host.start()
    done = others[0].wait_state(run, bound=60)
    assert done["state"] == "succeeded" and done["attempts_used"] == 1 and done["lost_count"] == 0, done
    attempts = others[0].attempts(run)
    assert [a["outcome"] for a in attempts] == (["lost"] * 4 if kill else []) + ["succeeded"]
    assert all(item["state"] == "running" for item in others[0].get("/api/v1/hosts")["items"])


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_an_exclusive_queue_has_one_host(hosts, way):
    others = hosts.start(3)
    for name in ("solo", "default"):  # A queue is there when a run has been in it.
        others[0].wait_state(hosts.run(others[0], f"first-{name}", queue=name))
    assert others[0].command("exclusive", "solo").returncode == 0

    def holder():
        queue = others[-1].get("/api/v1/queues/solo")
        assert queue["exclusive"]
        return queue["holder"]

    first = until(holder, 10, "a holder")
    runs = [hosts.run(host, f"solo{n}", queue="solo", ms=50) for n in range(6) for host in others]
    for run in runs:
        assert others[0].wait_state(run)["state"] == "succeeded"
    who = hosts.query("select distinct a.host_id from pawl.attempt a join pawl.run r on r.id = a.run_id where queue = 'solo' and "
                      "r.args->>'tag' like 'solo%'")
    assert f"host_{who}" == first["host"]
    # Everybody says who holds it.
    for host in others:
        held = {item["id"]: [h["name"] for h in item["holds"]] for item in host.get("/api/v1/hosts")["items"]}
        assert "solo" in held[first["host"]] and sum("solo" in names for names in held.values()) == 1
        assert sum("upkeep" in names for names in held.values()) == 1
    assert first["host"] in others[0].command("queues").stdout
    standby = [host for host in others if hosts.id_of(host) != first["host"]]
    assert all(first["host"] in host.log_path.read_text() for host in standby)
    gone = next(host for host in others if host not in standby)
    others[:] = standby + [gone]
    blocked = hosts.run(standby[0], "waits", queue="solo", ms=3000)
    until(lambda: hosts.where("waits"), 10, "its start")
    gone.kill() if way == "kill" else gone.stop()
    others.remove(gone)
    second = until(lambda: (lambda h: h if h and h["host"] != first["host"] else None)(holder()), 20, "another holder")
    assert standby[0].wait_state(blocked, bound=30)["state"] == "succeeded"
    last = hosts.run(standby[0], "last", queue="solo")
    assert standby[0].wait_state(last)["state"] == "succeeded"
    served = hosts.query("select host_id from pawl.run where args->>'tag' = 'last'")
    assert f"host_{served}" == second["host"]
    assert standby[0].command("exclusive", "solo", "--off").returncode == 0
    assert standby[0].get("/api/v1/queues/solo")["exclusive"] is False


def test_drift_is_seen(hosts):
    one, two = hosts.start(2)
    assert one.get("/api/v1/hosts")["drift"] is False and metric(one, "pawl_hosts_drift") == 0
    # A host looks at the others with its heartbeats.
    until(lambda: metric(one, 'pawl_hosts{state="running"}') == 2, 10, "both hosts")
    number = hosts.id_of(two)[5:]
    hosts.query(f"update pawl.host set git_sha = 'f00f00f' where id = {number}")
    answer = one.get("/api/v1/hosts")
    assert answer["drift"] is True
    difference, = answer["differences"]
    assert difference["field"] == "git_sha"
    assert {value["value"]: value["hosts"] for value in difference["values"]}["f00f00f"] == [f"host_{number}"]
    until(lambda: metric(one, "pawl_hosts_drift") == 1, 10, "the metric")
    assert "f00f00f on host_" in one.log_path.read_text()
    shown = one.command("hosts")
    assert "f00f00f on host_" in shown.stdout + shown.stderr
    two.stop()
    until(lambda: metric(one, "pawl_hosts_drift") == 0, 10, "no drift with who is gone")


def test_a_failover_loses_nothing_and_ends_nothing_twice(scratch, host_factory):
    pair = Pair(scratch / "pair", settings="-c fsync=off")
    try:
        hosts = Hosts(scratch, host_factory, pair.url, pair.query)
        others = hosts.start(2)
        accepted, over = {}, threading.Event()

        def enqueue(number):
            count = 0
            while not over.is_set():
                count += 1
                tag = f"e{number}-{count}"
                try:
                    accepted[tag] = hosts.run(others[count % 2], tag, ms=count % 7 * 20)
                except Failure:
                    time.sleep(0.05)  # Nobody knows; if it is there, it was not promised.

        threads = [threading.Thread(target=enqueue, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(2):
            target = len(accepted) + 60
            until(lambda: len(accepted) > target, 60, "runs before the failover")
            ended = pair.query("select id, state from pawl.run order by id").splitlines()
            pair.fail_over()
            # What had ended has ended so.
            assert set(ended) <= set(pair.query("select id, state from pawl.run").splitlines())
            target = len(accepted) + 30
            until(lambda: len(accepted) > target, 60, "runs after the failover")
            pair.attach()
        over.set()
        for thread in threads:
            thread.join()
        until(lambda: pair.query("select count(*) from pawl.run_live") == "0", 60, "the end of all")
        rows = dict(line.split("|") for line in pair.query("select args->>'tag', string_agg(state, ',') from pawl.run group by 1").splitlines())
        assert {tag: rows.get(tag) for tag in accepted if rows.get(tag) != "succeeded"} == {}
        assert set(rows.values()) == {"succeeded"}
        doubled = pair.query("select run_id, attempt from pawl.attempt group by 1, 2 having count(*) > 1")
        assert doubled == ""
        effects = hosts.effects()
        assert len(effects) == len(set(effects)) and {tag for tag, _ in effects} >= set(accepted)
        assert all(host.request("GET", "/readyz").status == 200 for host in others)
    finally:
        for host in list(hosts.all):
            host.end()
        pair.remove()
