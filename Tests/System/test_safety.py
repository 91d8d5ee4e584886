"""Safety on the built host: emergencies while two hundred runs are going, what is left on the machine without an owner, and sweeps."""

import json
import os
import subprocess
import time

import pytest

from conftest import descendants, still_alive, until

RUNS = 200


@pytest.fixture
def host(cluster, host_factory):
    host = host_factory("safety", database_url=cluster.url, arguments=["--slots", str(RUNS + 8)])
    host.query = cluster.query
    return host.start()


def key(name):
    return {"Idempotency-Key": f'"{name}-{time.monotonic_ns()}"'}


def emergency(host, mode, **more):
    return host.expect("POST", "/api/v1/safety/emergency", {"mode": mode, "reason": "a test", **more}, headers=key(mode))


def lift(host, mode):
    return host.expect("DELETE", f"/api/v1/safety/emergency?mode={mode}")


def count(host, state):
    return int(host.query(f"select count(*) from pawl.run_all where state = '{state}'"))


def start_many(host, ms=600_000):
    items = [{"job": "mischief.sleep", "args": {"ms": ms}} for _ in range(RUNS)]
    host.expect("POST", "/api/v1/runs/batch", {"items": items}, headers=key("many"))
    going = "select count(*) from pawl.run_live where state = 'running' and started_at is not null"
    until(lambda: int(host.query(going)) == RUNS, 90, "all of them go")


def test_emergencies_do_what_they_say_while_200_runs_are_going(host):
    start_many(host)
    processes = descendants(host.process.pid)

    # Nothing new is started; what runs goes on.
    assert emergency(host, "pause_queues")["changed"]
    waiting = [host.run("mischief.noop") for _ in range(5)]
    time.sleep(2)
    assert count(host, "running") == RUNS and count(host, "queued") == len(waiting)
    lift(host, "pause_queues")
    for run in waiting:
        assert host.wait_state(run, bound=10)["state"] == "succeeded"

    # No schedule fires.
    schedule = host.expect("POST", "/api/v1/schedules", {"job": "mischief.noop", "kind": "interval", "spec": {"every_ms": 1000}})
    fired = f"select run_count from pawl.schedule where id = {int(schedule['id'].split('_')[-1])}"
    until(lambda: int(host.query(fired)) >= 2, 20, "it fires")
    emergency(host, "stop_scheduling")
    before = int(host.query(fired))
    time.sleep(3)
    assert int(host.query(fired)) == before
    lift(host, "stop_scheduling")
    until(lambda: int(host.query(fired)) > before, 10, "it fires again")
    host.expect("DELETE", f"/api/v1/schedules/{schedule['id']}", headers={"If-Match": "*"})

    # Nothing is taken from outside.
    emergency(host, "refuse_new")
    refused = host.call("POST", "/api/v1/runs", {"job": "mischief.noop"})
    assert refused.status == 423 and refused.json["code"] == "emergency" and "a test" in refused.json["detail"], refused
    told = host.command("run", "mischief.noop")
    assert told.returncode != 0 and "a test" in told.stderr, told
    shown = host.command("safety", "emergency")
    assert "refuse_new" in shown.stdout, shown
    lift(host, "refuse_new")
    assert host.wait_state(host.run("mischief.noop"), bound=10)["state"] == "succeeded"
    until(lambda: count(host, "running") == RUNS, 10, "nothing but the two hundred runs")

    # Everything ends, and nothing new is started.
    plan = host.expect("POST", "/api/v1/safety/emergency", {"mode": "terminate_all", "dry_run": True})
    assert plan["count"] == RUNS, plan
    assert count(host, "running") == RUNS, "nothing has happened"
    done = emergency(host, "terminate_all", plan=plan["plan"])
    assert done["count"] == RUNS, done
    until(lambda: count(host, "running") == 0, 60, "all of them end")
    outcomes = host.query("select state, outcome, count(*) from pawl.run where job = 'mischief.sleep' group by 1, 2")
    assert sum(int(line.split("|")[2]) for line in outcomes.splitlines()) == RUNS
    assert {line.split("|")[0] for line in outcomes.splitlines()} == {"cancelled"}, outcomes
    later = host.run("mischief.noop")
    time.sleep(2)
    assert host.get(f"/api/v1/runs/{later}")["state"] == "queued"

    # A restart keeps it.
    host.stop()
    assert not still_alive(processes), "processes of runs outlived their host"
    host.start()
    assert [order["mode"] for order in host.get("/api/v1/safety/emergency")["orders"]] == ["terminate_all"]
    assert host.get("/api/v1/safety/health")["verdict"] == "critical"
    time.sleep(2)
    assert host.get(f"/api/v1/runs/{later}")["state"] == "queued"
    lift(host, "terminate_all")
    assert host.wait_state(later, bound=15)["state"] == "succeeded"


def test_a_second_host_obeys_within_two_seconds(cluster, host_factory):
    first, second = (host_factory(f"host-{n}", database_url=cluster.url).start() for n in range(2))
    emergency(first, "refuse_new")
    until(lambda: second.call("POST", "/api/v1/runs", {"job": "mischief.noop"}).status == 423, 2, "the other host refuses")
    emergency(first, "pause_queues")
    lift(first, "refuse_new")
    until(lambda: second.call("POST", "/api/v1/runs", {"job": "mischief.noop"}).status == 201, 2, "the other host takes")
    time.sleep(1.5)
    assert cluster.query("select count(*) from pawl.run_live where state = 'running'") == "0"
    lift(second, "pause_queues")
    until(lambda: cluster.query("select count(*) from pawl.run_live") == "0", 10, "what waited runs")


def test_what_this_machine_has_without_an_owner(host):
    """Every kind is there, and beside each something that lives: the plan is the effect."""
    living = host.run("mischief.sleep", {"ms": 600_000})
    gone = host.run("mischief.sleep", {"ms": 600_000}, queue="theirs")
    until(lambda: int(host.query("select count(*) from pawl.run_live where state = 'running' and pid is not null")) == 2, 30, "they go")
    # Of this machine.
    identity = (host.data / "identity").read_text().strip()
    (host.data / "scratch" / "slot-900" / "deep").mkdir(parents=True)
    (host.data / "scratch" / "slot-900" / "deep" / "file").write_text("left")
    unknown = host.data / "store" / ("0" * 64 + ".so.4711")
    unknown.write_text("nobody's")
    os.utime(unknown, (time.time() - 7200, time.time() - 7200))
    young = host.data / "store" / ("1" * 64 + ".so.4711")
    young.write_text("on its way")
    files = sorted(path.name for path in (host.data / "store").iterdir())
    cgroups = {path.split("slot-")[0] for path in leaves(host)}
    for root in cgroups:
        os.makedirs(root + "slot-900", exist_ok=True)
    # Of the database: a job, a host and a queue's holder that are gone.
    host.expect("POST", "/api/v1/jobs", {"name": "mine", "handler": "mischief.noop"})
    jobless = host.run("mine", delay_ms=3_600_000)
    host.expect("POST", "/api/v1/schedules", {"job": "mine", "kind": "interval", "spec": {"every_ms": 3_600_000}})
    host.expect("POST", "/api/v1/queues/theirs/exclusive", {"exclusive": True})
    stray = subprocess.Popen(["sleep", "600"], env={**os.environ, "PAWL_INSTANCE": identity}, stdin=subprocess.DEVNULL)
    other = subprocess.Popen(["sleep", "600"], env={**os.environ, "PAWL_INSTANCE": "f" * 32}, stdin=subprocess.DEVNULL)
    try:
        host.query(f"""
            SET session_replication_role = replica;
            DELETE FROM pawl.job WHERE name = 'mine';
            INSERT INTO pawl.host (data_directory_id, hostname, pid, version, slots, state, stopped_at)
                VALUES ('gone', 'gone', 1, '1', 1, 'stopped', now());
            UPDATE pawl.holding SET ended_at = now(), end_reason = 'shared' WHERE kind = 'queue' AND name = 'theirs' AND ended_at IS NULL;
            INSERT INTO pawl.holding (kind, name, host_id, host_epoch) SELECT 'queue', 'theirs', id, epoch FROM pawl.host WHERE data_directory_id = 'gone';
            UPDATE pawl.queue SET paused_at = now() WHERE name = 'theirs';
            UPDATE pawl.run_live SET host_id = (SELECT id FROM pawl.host WHERE data_directory_id = 'gone'), host_epoch = 1 WHERE queue = 'theirs'""")
        plan = host.expect("POST", "/api/v1/safety/orphans/cleanup", {"dry_run": True})
        expected = {"run_without_process": 1, "run_without_job": 1, "schedule_without_job": 1, "holding_without_host": 1,
                    "scratch_without_run": 1, "file_without_owner": 1}
        if cgroups:
                expected["cgroup_without_run"] = 1
        found = dict(plan["counts"])
        # Upkeep may have been faster with this one.
        if "run_without_job" not in found:
            expected.pop("run_without_job")
        assert found == expected, json.dumps(plan, indent=1)
        assert stray.poll() is None and unknown.exists(), "nothing has happened"
        done = host.expect("POST", "/api/v1/safety/orphans/cleanup", {"plan": plan["plan"], "reason": "a test"}, headers=key("clean"))
        # Upkeep may have been faster with the waiting run.
        assert done["cleaned"] == expected or done["left"][0]["kind"] == "run_without_job", done
        assert not (host.data / "scratch" / "slot-900").exists()
        assert sorted(path.name for path in (host.data / "store").iterdir()) == [f for f in files if f != unknown.name]
        assert not any(os.path.exists(root + "slot-900") for root in cgroups)
        # What lives is as it was.
        assert stray.poll() is None and other.poll() is None, "whoever is not below the host is none of its business"
        number = host.get(f"/api/v1/runs/{living}")["number"]
        state, pid = host.query(f"select state, pid from pawl.run_live where id = {number}").split("|")
        assert state == "running" and os.path.exists(f"/proc/{pid}")
        assert host.wait_state(jobless, bound=5)["state"] == "cancelled"
        assert host.query("select state, attempt from pawl.run_live where queue = 'theirs'") == "queued|1"
        left = host.get("/api/v1/safety/orphans")["counts"]
        assert left == {}, left
        history = host.get("/api/v1/safety/sweeps?found=true")["items"]
        assert history[0]["kind"] == "orphans" and history[0]["reason"] == "a test" and history[0]["actor"], history[0]
        assert host.query("select count(*) from pawl.audit where action = 'safety.orphans_cleanup'") == "1"
        host.expect("POST", f"/api/v1/safety/terminate/{living}", {"reason": "the end", "grace_ms": 100})
        assert host.wait_state(living, bound=20)["state"] == "cancelled"
        assert gone
    finally:
        for process in (stray, other):
            process.kill()
            process.wait()


def leaves(host):
    """Paths of the cgroups that this host's processes are in; none without cgroups."""
    found = set()
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo") if " - cgroup2 " in line]
    for process in descendants(host.process.pid):
        try:
            lines = open(f"/proc/{process}/cgroup").read().splitlines()
        except OSError:
            continue
        for line in lines:
            path = line.split("::")[-1]
            if line.startswith("0::") and "/pawl-" in path and "slot-" in path:
                found |= {mount + path for mount in mounts if os.path.isdir(mount + path)}
    return found


def test_a_sweep_ends_what_is_stale_and_says_so(host):
    policy = host.call("GET", "/api/v1/safety/policy")
    body = {"mode": "act", "stale_after_ms": 60_000, "sweep_every_ms": 1000}
    host.expect("PUT", "/api/v1/safety/policy", body, headers={"If-Match": policy.headers["ETag"]})
    stale = host.run("mischief.sleep", {"ms": 600_000}, timeout_ms=120_000)
    fresh = host.run("mischief.sleep", {"ms": 600_000})
    until(lambda: int(host.query("select count(*) from pawl.run_live where state = 'running' and pid is not null")) == 2, 30, "they go")
    number = int(host.get(f"/api/v1/runs/{stale}")["number"])
    pid = host.query(f"select pid from pawl.run_live where id = {number}")
    # Its host believes that it has just begun, and says nothing of it before twenty seconds: here it does, that its time is over.
    host.query(f"""
        update pawl.run_live set started_at = now() - interval '3 minutes' where id = {number};
        insert into pawl.run_pulse (run_id, attempt, host_id, noted_at, progressed_at, busy_at, is_frozen, deadline)
            select id, attempt, host_id, now(), now(), now(), false, now() - interval '1 minute' from pawl.run_live where id = {number}
            on conflict (run_id) do update set deadline = excluded.deadline""")
    ended = host.wait_state(stale, bound=20)
    assert ended["state"] == "failed" and ended["reason"] == "stale", ended
    until(lambda: not os.path.exists(f"/proc/{pid}"), 20, "its process ends")
    assert host.get(f"/api/v1/runs/{fresh}")["state"] == "running"
    sweeps = host.get("/api/v1/safety/sweeps?found=true")["items"]
    assert [s["runs"] for s in sweeps if s["stale"]] == [[stale]], sweeps
    stuck = host.get("/api/v1/safety/stuck")["items"]
    assert stuck == [], stuck
