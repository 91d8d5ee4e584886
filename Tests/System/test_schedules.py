"""Schedules on several hosts: who fires is killed and stopped again and again, the clock is set, the database goes away. Each planned
time fires once, or has a row that says why not.

Lengths: PAWL_CHAOS_SECONDS (60), PAWL_OUTAGE_SECONDS (75: times count as missed when they are a minute late).
"""

import os
import random
import signal
import struct
import time

import pytest

from conftest import BIN, until
from pawl_cluster import Cluster

CHAOS = float(os.environ.get("PAWL_CHAOS_SECONDS", "60"))
OUTAGE = float(os.environ.get("PAWL_OUTAGE_SECONDS", "75"))
HEARTBEAT = {"PAWL_HEARTBEAT_MS": "500"}


def leader(query):
    """The number of the host that fires; None: nobody, for the moment."""
    row = query("select host_id from pawl.holding where kind = 'role' and name = 'scheduler' and ended_at is null")
    return int(row) if row else None


def number_of(host):
    return int(next(item["id"] for item in host.get("/api/v1/hosts")["items"] if item["this_host"]).removeprefix("host_"))


def every_second(host, query, count, **options):
    """So many schedules of one second each; their runs wait in a queue that is held."""
    query("insert into pawl.queue (name, paused_at) values ('held', now()) on conflict (name) do update set paused_at = now()")
    first = host.expect("POST", "/api/v1/schedules", {
        "job": "mischief.noop", "kind": "interval", "spec": {"every_ms": 1000, "anchor": "2026-01-01T00:00:00Z"}, "queue": "held",
        "name": "s0", **options})
    number = int(first["id"].removeprefix("sch_"))
    query(f"""insert into pawl.schedule (name, job, kind, spec, timezone, args, queue, next_at, options)
        select 's' || n, job, kind, spec, timezone, args, queue, next_at, options
        from pawl.schedule, generate_series(1, {count - 1}) n where id = {number}""")


def once_each(query, until_time):
    """Each second of each schedule up to a time has one row, and each row without a reason one run; (fired, explained)."""
    holes = query(f"""select o.schedule_id, count(*), extract(epoch from max(planned_at) - min(planned_at)) + 1
        from pawl.schedule_occurrence o where planned_at <= '{until_time}' group by 1
        having count(*) <> extract(epoch from max(planned_at) - min(planned_at)) + 1""")
    assert holes == "", holes
    wrong = query("select count(*) from pawl.schedule_occurrence where (run_id is null) = (reason is null)")
    assert wrong == "0"
    runs = query("select count(*), count(distinct (schedule_id, planned_at)) from pawl.run_live")
    made = query("select count(*), count(distinct run_id) from pawl.schedule_occurrence where run_id is not null")
    assert runs == made and len(set(runs.split("|"))) == 1, (runs, made)
    strangers = query("""select count(*) from pawl.run_live r where not exists (
        select from pawl.schedule_occurrence o where o.schedule_id = r.schedule_id and o.planned_at = r.planned_at and o.run_id = r.id)""")
    assert strangers == "0"
    return int(runs.split("|")[0]), int(query("select count(*) from pawl.schedule_occurrence where reason is not null"))


def test_each_time_fires_once_whoever_dies(cluster, host_factory):
    seed = int(os.environ.get("SEED", str(random.randrange(2**31))))
    print(f"SEED={seed}")
    dice = random.Random(seed)
    hosts = [host_factory(f"host-{n}", database_url=cluster.url, environment=HEARTBEAT) for n in range(3)]
    for host in hosts:
        host.start()
    numbers = {number_of(host): host for host in hosts}
    every_second(hosts[0], cluster.query, 200, catch_up={"policy": "all", "cap": 10000})
    end = time.monotonic() + CHAOS
    terms = set()
    stops = kills = 0
    while time.monotonic() < end:
        who = until(lambda: leader(cluster.query), 30, "somebody who fires")
        terms.add(cluster.query("select max(id) from pawl.holding where name = 'scheduler'"))
        host = numbers[who]
        time.sleep(dice.uniform(1, 3))
        if dice.random() < 0.5:
            stops += 1
            host.process.send_signal(signal.SIGSTOP)
            try:
                until(lambda: leader(cluster.query) != who, 30, "a host that takes over")
                time.sleep(dice.uniform(0, 2))
            finally:
                host.process.send_signal(signal.SIGCONT)
        else:
            kills += 1
            host.kill()
            host.start()
    until_time = cluster.query("select date_trunc('second', now())")
    until(lambda: cluster.query(f"select count(*) from pawl.schedule where next_at <= '{until_time}'") == "0", 60, "the last second")
    cluster.query("update pawl.schedule set enabled = false")
    assert stops + kills > CHAOS / 20 and len(terms) > 1
    fired, explained = once_each(cluster.query, until_time)
    print(f"{fired} fired, {explained} explained, {kills} kills, {stops} stops, {len(terms)} terms")
    assert fired > 200 * CHAOS / 3


def test_an_idle_host_is_not_late(cluster, host_factory):
    host = host_factory("host", database_url=cluster.url).start()
    every_second(host, cluster.query, 20)
    until(lambda: int(cluster.query("select count(*) from pawl.schedule_occurrence where run_id is not null")) >= 200, 60, "200 firings")
    late = float(cluster.query("select max(extract(epoch from fired_at - planned_at)) from pawl.schedule_occurrence"))
    # How late on an idle machine is a figure of bench/schedules.py; here others build.
    assert 0 <= late < 2, late


def test_the_database_goes_away(cluster, host_factory):
    host = host_factory("host", database_url=cluster.url, environment=HEARTBEAT).start()
    policies = ["none", "latest", "all"]
    for policy in policies:
        every_second(host, cluster.query, 1, name=policy, catch_up={"policy": policy, "cap": 10000})
    until(lambda: cluster.query("select count(*) from pawl.schedule_occurrence where run_id is not null") != "0", 20, "a firing")
    cluster.stop()
    gone = time.monotonic()
    time.sleep(max(0, OUTAGE - (time.monotonic() - gone)))
    cluster.start()
    until_time = cluster.query("select date_trunc('second', now())")
    until(lambda: cluster.query(f"select count(*) from pawl.schedule where next_at <= '{until_time}'") == "0", 60, "the last second")
    cluster.query("update pawl.schedule set enabled = false")
    fired, explained = once_each(cluster.query, until_time)
    print(f"{fired} fired, {explained} explained")
    # What was no later than a minute is not missed, whatever the policy.
    rows = cluster.query("""select s.name, count(o.reason) from pawl.schedule s join pawl.schedule_occurrence o on o.schedule_id = s.id
        where o.reason = 'missed' or o.reason is null group by 1""")
    missed = {name: int(count) for name, count in (row.split("|") for row in rows.splitlines())}
    assert missed["all"] == 0, missed
    for policy in ["none", "latest"]:
        assert OUTAGE - 62 <= missed[policy] <= OUTAGE + 5, missed


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set(scratch, host_factory, monkeypatch, hours):
    """The clock of the machine: of the host and of its database."""
    step = scratch / "step"
    step.write_bytes(struct.pack("=q", 0))
    step.chmod(0o644)
    scratch.chmod(0o755)
    clock = {"LD_PRELOAD": str(BIN / "fixtures" / "clock_step.so"), "CLOCK_STEP_FILE": str(step)}
    with monkeypatch.context() as patch:
        for name, value in clock.items():
            patch.setenv(name, value)
        cluster = Cluster(scratch / "stepped")
    try:
        host = host_factory("host", database_url=cluster.url, environment=clock).start()
        every_second(host, cluster.query, 5, catch_up={"policy": "latest"})
        until(lambda: int(cluster.query("select count(*) from pawl.schedule_occurrence")) >= 10, 30, "two seconds")
        before = cluster.query("select now()")
        with step.open("r+b") as file:
            file.write(struct.pack("=q", hours * 3600 * 10**9))
        until(lambda: abs(float(cluster.query(f"select extract(epoch from now() - '{before}'::timestamptz)"))) > 3000, 10, "the step")
        if hours > 0:
            until(lambda: cluster.query("select count(*) from pawl.schedule where next_at < now() - interval '5 s'") == "0", 60, "the hour")
        else:
            # Nothing is due for an hour; nothing fires meanwhile.
            count = cluster.query("select count(*) from pawl.schedule_occurrence")
            time.sleep(3)
            assert cluster.query("select count(*) from pawl.schedule_occurrence") == count
        cluster.query("update pawl.schedule set enabled = false")
        runs, times = cluster.query("select count(*), count(distinct (schedule_id, planned_at)) from pawl.run_live").split("|")
        assert runs == times
        missed = int(cluster.query("select count(*) from pawl.schedule_occurrence where reason = 'missed'"))
        counted = int(cluster.query("select coalesce(sum(missed), 0) from pawl.schedule_occurrence"))
        if hours > 0:
            # An hour each but for its last minute; the latest thousand have rows, all are counted with the first that fires after them.
            assert missed == 5 * 1000 and 5 * 3500 <= counted <= 5 * 3560, (missed, counted)
        else:
            assert missed == 0
    finally:
        cluster.remove()
