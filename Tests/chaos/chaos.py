#!/usr/bin/env python3
"""make chaos: three hosts on one database, everything that can be taken away is taken away, and then: exactly one outcome for each.

Runs come in over the API of all hosts and leave one line in a file for each attempt. Meanwhile hosts, zygotes and children are
killed, hosts are stopped for longer than they may be silent and go on, hosts drain and come back, queues are paused, the
database is restarted, and the primary is killed and its standby promoted. What was accepted, seen, paused and done is recorded;
at the end everything is put right, what is left runs out, the rows are added to the record, and checker.py looks at it.

The seed decides what is done and when; the machine decides what comes of it. It is printed first and with a failure, and the
record of a failure is kept: `checker.py` can be run on it again.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "faults"), str(HERE.parents[1] / "scripts")]
from checker import check  # noqa: E402
from invariants import run_name, zygotes  # noqa: E402
from pawl_host import BIN, Failure, Host, end_orderly, scratch_directory  # noqa: E402
from pawl_pair import Pair  # noqa: E402
from pawl_processes import descendants, still_alive, until  # noqa: E402

HEARTBEAT_MS = 1000
SILENT = 3 * HEARTBEAT_MS / 1000
# Kind: how it is executed, its args, and its weight.
KINDS = {
    "quick": ("chaos.pooled", {"ms": 0}, 20), "small": ("chaos.forked", {"ms": 20}, 16), "slow": ("chaos.forked", {"ms": 1500}, 8),
    "steady": ("chaos.pooled", {"ms": 200}, 8), "long": ("chaos.forked", {"ms": 6000}, 1), "flaky": ("chaos.pooled", {"ms": 5, "fail": 1}, 6),
    "stubborn": ("chaos.forked", {"ms": 5, "fail": 2}, 3), "doomed": ("chaos.forked", {"fail": 1000}, 3), "parent": ("chaos.pooled", {"ms": 1}, 6)}
QUEUES = ["default", "default", "mail", "solo", "narrow"]
TROUBLES = {"child": 30, "zygote": 8, "host": 6, "pause host": 4, "hiccup": 5, "drain": 3, "queue": 8, "connections": 3, "restart": 2, "standby": 2, "fail over": 2}
ROWS = {
    "runs": "select json_build_object('id', id, 'tag', args->>'tag', 'job', job, 'state', state, 'attempt', attempt, 'attempts_used', "
            "attempts_used, 'lost_count', lost_count, 'reason', reason) from pawl.run",
    "live": "select json_build_object('id', id, 'state', state) from pawl.run_live union all "
            "select json_build_object('id', id, 'state', state) from pawl.run_waiting",
    "attempts": "select json_build_object('run', run_id, 'attempt', a.attempt, 'outcome', a.outcome, 'reason', a.reason, 'host', a.host_id, "
                "'epoch', host_epoch, 'queue', r.queue, 'claimed', {claimed}, 'started', {started}, 'ended', {ended}) "
                "from pawl.attempt a left join pawl.run r on r.id = a.run_id".format(
                    **{n: f"(extract(epoch from a.{n}_at) * 1000000)::bigint" for n in ("claimed", "started", "ended")}),
    "follow_ups": "select json_build_object('parent', parent, 'child', child) from pawl.follow_up"}


class Chaos:
    def __init__(self, options, place, pair):
        self.options, self.place, self.pair = options, place, pair
        self.dice = random.Random(options.seed)
        self.effects = place / "effects"
        self.effects.touch()
        self.effects.chmod(0o666)
        self.record = {name: [] for name in ("accepted", "unknown", "batches", "seen", "pauses", "limits", "exclusive")}
        self.hosts = [self.make_host(number) for number in range(options.hosts)]
        self.locks = [threading.RLock() for _ in self.hosts]  # Who does something to a host has it.
        self.counts, self.trouble, self.deadline = {}, [], None
        self.lock = threading.Lock()
        self.number, self.waiting = 0, 0

    def make_host(self, number):
        plugins = self.place / f"plugins-{number}"
        plugins.mkdir()
        shutil.copy(BIN / "fixtures" / "effect.so", plugins)
        return Host(self.place / f"host-{number}", plugins=plugins, database_url=self.pair.url,
                    arguments=["--slots", "12", "--drain-timeout", "5", "--isolation", self.options.isolation],
                    environment={"PAWL_HEARTBEAT_MS": str(HEARTBEAT_MS)})

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + by

    def done(self):
        return time.monotonic() >= self.deadline or self.trouble

    def rest(self, seconds):
        """Sleeps, unless it is over."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and not self.done():
            time.sleep(min(0.1, seconds))

    def asked(self, host, method, path, body=None, timeout=6, **more):
        """The answer, or None where nobody answered: then nobody knows."""
        try:
            answer = host.call(method, path, body, timeout=timeout, **more)
        except (OSError, http.client.HTTPException):
            return None
        if answer.status >= 500 and answer.status != 503:
            self.trouble.append(f"{method} {path} {json.dumps(body)} was answered with {answer}")
        return answer

    def certainly(self, method, path, body=None, bound=90):
        """Asks any host again and again until one says yes."""
        limit = time.monotonic() + bound
        while True:
            for host in self.hosts:
                answer = self.asked(host, method, path, body)
                if answer is not None and answer.status < 300:
                    return answer.json
            if time.monotonic() > limit:
                raise Failure(f"{method} {path}: no host did it within {bound} s; the last answer was {answer}")
            time.sleep(0.2)

    def clock(self):
        """The database's, in microseconds."""
        return int(self.pair.query("select (extract(epoch from clock_timestamp()) * 1000000)::bigint"))

    # ---- what is asked for ----

    def enqueuer(self, number):
        dice = random.Random(f"{self.options.seed}/enqueuer {number}")
        pace = self.options.enqueuers / self.options.rate
        while not self.done():
            items = [self.next_run(dice) for _ in range(dice.choice([1, 1, 1, 1, 5, 20]))]
            if len(items) == 1:
                self.enqueue_one(dice, *items[0])
            else:
                self.enqueue_many(dice, items)
            self.rest(dice.random() * 2 * pace * len(items))
            while self.waiting > self.options.backlog and not self.done():
                self.rest(0.2)

    def next_run(self, dice):
        with self.lock:
            self.number += 1
            tag = f"t{self.number}"
        job, args, _ = dice.choices([*KINDS.values()], [kind[2] for kind in KINDS.values()])[0]
        is_parent = args == KINDS["parent"][1]
        body = {"job": job, "queue": dice.choice(QUEUES), "attempts": 3, "priority": dice.randrange(-1, 2),
                "backoff": {"type": "fixed", "delay_ms": dice.choice([0, 50, 500])},
                "args": {"file": str(self.effects), "tag": tag, **args}}
        if is_parent:
            body["args"]["next"] = {"file": str(self.effects), "tag": f"{tag}.f"}
        if dice.random() < 0.05:
            body["delay_ms"] = dice.randrange(1, 3000)
        fact = {"tag": tag, "job": job, "fail": args.get("fail", 0), "attempts": 3, "next": f"{tag}.f" if is_parent else None}
        return body, fact

    def enqueue_one(self, dice, body, fact):
        self.enqueue(dice, "/api/v1/runs", body, [fact], has_key=dice.random() < 0.33)

    def enqueue_many(self, dice, items):
        self.note("batches", {"tags": [fact["tag"] for _, fact in items]})
        self.enqueue(dice, "/api/v1/runs/batch", {"items": [body for body, _ in items]}, [fact for _, fact in items], has_key=True)

    def enqueue(self, dice, path, body, facts, has_key):
        """Under an idempotency key a run may be asked for until there is an answer; else nobody knows."""
        headers = {"Idempotency-Key": f"{self.options.seed}-{facts[0]['tag']}"} if has_key else {}
        while True:
            answer = self.asked(dice.choice(self.hosts), "POST", path, body, headers=headers)
            if answer is not None and answer.status in (200, 201):
                made = answer.json["items"] if path.endswith("batch") else [answer.json]
                for fact, run in zip(facts, made, strict=True):
                    self.note("accepted", {**fact, "id": run["id"].lower()})
                return
            # 409: an earlier request with this key, whose answer was lost, is under way still.
            if answer is not None and answer.status not in (503, 409):
                self.trouble.append(f"an enqueue was answered with {answer}")
            if not has_key or self.done():
                self.count("enqueues without an answer", len(facts))
                for fact in facts:
                    self.note("unknown", fact)
                return
            self.rest(0.3)

    def note(self, kind, row):
        with self.lock:
            self.record[kind].append(row)

    def observer(self):
        """Reads ends while all goes on: what somebody has read once must stay so."""
        seen = set()
        while not self.done():
            try:
                rows = self.pair.query("select id, state from pawl.run where finished_at > now() - interval '20 seconds'")
                self.waiting = int(self.pair.query("select (select count(*) from pawl.run_live) + (select count(*) from pawl.run_waiting)"))
            except (AssertionError, OSError, ValueError):
                self.count("looks at an absent database")
                self.rest(0.5)
                continue
            for line in rows.splitlines():
                if line not in seen:
                    seen.add(line)
                    number, state = line.split("|")
                    self.note("seen", {"id": run_name(int(number)).lower(), "state": state})
            self.rest(0.7)

    # ---- what goes wrong ----

    def trouble_maker(self, number):
        dice = random.Random(f"{self.options.seed}/trouble {number}")
        kinds = {kind: weight for kind, weight in TROUBLES.items() if kind not in self.options.without}
        while not self.done():
            self.rest(dice.random() * 2 * self.options.pace)
            kind = dice.choices([*kinds], [*kinds.values()])[0]
            if not self.done():
                started = time.monotonic()
                getattr(self, "do_" + kind.replace(" ", "_"))(dice)
                if self.options.verbose:
                    print(f"  {started - self.started:6.1f} s  {kind} ({time.monotonic() - started:.1f} s)", flush=True)

    def do_child(self, dice, kind="child"):
        host = dice.choice(self.hosts)
        try:
            found = zygotes(host)
            pids = found if kind == "zygote" else [pid for z in found for pid in descendants(z)]
        except (OSError, AttributeError):
            return
        if pids and self.hit(host, dice.choice(sorted(pids))):
            self.count(f"{kind} killed")

    def do_zygote(self, dice):
        self.do_child(dice, "zygote")

    def hit(self, host, pid):
        """By its pidfd, so that no other process can be meant."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            if pid in descendants(host.process.pid):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                return True
        except OSError:
            pass
        finally:
            os.close(descriptor)
        return False

    def one_host(self, dice):
        """A host of which nobody else wants anything now, and its lock; None: there is none."""
        number = dice.randrange(len(self.hosts))
        return (self.hosts[number], self.locks[number]) if self.locks[number].acquire(blocking=False) else (None, None)

    def with_host(self, dice, what, action):
        host, lock = self.one_host(dice)
        if host is None:
            return
        try:
            action(host)
            self.count(what)
        finally:
            lock.release()

    def do_host(self, dice):
        def kill(host):
            tree = descendants(host.process.pid)
            host.kill()
            try:
                until(lambda: not still_alive(tree), 5, "the end of what a killed host had")
            except AssertionError:
                self.count("trees left to the next host")
            self.rest(dice.choice([0, 0.5, 2, SILENT * 2]))
            host.launch()
        self.with_host(dice, "host killed", kill)

    def do_pause_host(self, dice):
        """Longer than it may be silent: it wakes up fenced."""
        def stop(host):
            host.process.send_signal(signal.SIGSTOP)
            self.rest(SILENT * (1.5 + dice.random()))
            host.process.send_signal(signal.SIGCONT)
            self.rest(1)
        self.with_host(dice, "host stopped for too long", stop)

    def do_hiccup(self, dice):
        """Not long enough, or just about."""
        def stop(host):
            host.process.send_signal(signal.SIGSTOP)
            self.rest(dice.choice([0.2, 1, SILENT - 0.3, SILENT]))
            host.process.send_signal(signal.SIGCONT)
        self.with_host(dice, "host stopped shortly", stop)

    def do_drain(self, dice):
        def drain(host):
            code = host.stop(60)
            if code != 0:
                self.trouble.append(f"a host that was told to stop ended with {code}:\n{host.log_tail()}")
            host.launch()
        self.with_host(dice, "host drained", drain)

    def do_queue(self, dice):
        queue = dice.choice(["mail", "default", "narrow"])
        if not self.queue_lock.acquire(blocking=False):
            return
        try:
            self.certainly("POST", f"/api/v1/queues/{queue}/pause", {"reason": "chaos"})
            since = self.clock_of_a_living_database()
            self.rest(dice.random() * 4)
            until_ = self.clock_of_a_living_database()
            self.certainly("POST", f"/api/v1/queues/{queue}/resume", {})
            self.note("pauses", {"queue": queue, "from": since, "until": until_})
            self.count("queue paused")
        finally:
            self.queue_lock.release()

    def clock_of_a_living_database(self):
        while True:
            try:
                return self.clock()
            except (AssertionError, OSError):
                time.sleep(0.2)

    def do_connections(self, dice):
        try:
            self.pair.query("select count(pg_terminate_backend(pid)) from pg_stat_activity where backend_type = 'client backend' "
                            "and pid <> pg_backend_pid() and application_name not like '%receiver%'")
            self.count("all connections cut")
        except (AssertionError, OSError):
            pass  # The database is away anyhow.

    def do_restart(self, dice):
        with self.database_lock:
            self.pair.primary.stop(dice.choice(["fast", "immediate"]))
            time.sleep(dice.choice([0, 1, 4]))
            self.pair.primary.start()
            self.pair.settle()
        self.count("database restarted")

    def do_standby(self, dice):
        """Without it commits wait, heartbeats too: nobody may be declared dead for that."""
        with self.database_lock:
            self.pair.standby.stop("fast")
            time.sleep(dice.choice([0.5, 2, SILENT + 1]))
            self.pair.standby.start()
            self.pair.settle()
        self.count("standby restarted")

    def do_fail_over(self, dice):
        with self.database_lock:
            self.pair.fail_over()
            self.count("failed over")
            self.rest(dice.random() * 3)
            self.pair.attach()

    # ---- the whole ----

    def run(self):
        began = time.monotonic()
        for host in self.hosts:
            host.launch()
        for host in self.hosts:
            host.wait_ready()
        self.prepare()
        print(f"  {len(self.hosts)} hosts are up after {time.monotonic() - began:.0f} s", flush=True)
        self.queue_lock, self.database_lock = threading.Lock(), threading.Lock()
        self.started = time.monotonic()
        self.deadline = self.started + self.options.seconds
        actors = [(self.observer, ())] + [(self.enqueuer, (n,)) for n in range(self.options.enqueuers)]
        actors += [(self.trouble_maker, (n,)) for n in range(2)]
        threads = [threading.Thread(target=self.guarded, args=actor, daemon=True) for actor in actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.trouble:
            raise Failure("\n".join(self.trouble[:5]))
        self.put_right()
        self.judge()

    def guarded(self, actor, arguments):
        try:
            actor(*arguments)
        except BaseException as error:  # Told by the main thread.
            self.trouble.append(f"{actor.__name__}: {type(error).__name__}: {error}")

    def prepare(self):
        host = self.hosts[0]
        host.until("/api/v1/jobs", lambda jobs: any(job["name"] == "effect.append" for job in jobs["items"]), "the handler")
        ways = {"chaos.pooled": {"mode": "pool", "pool_ahead": 8}, "chaos.forked": {"mode": "fork"}}
        for name, way in ways.items():
            host.expect("POST", "/api/v1/jobs", {"name": name, "handler": "effect.append"})
            self.settings(host, name, {**way, "quarantine": False})
        self.settings(host, "effect.append", {"quarantine": False})
        for queue in sorted(set(QUEUES)):  # They are there when there is a run of them.
            tag = f"first-{queue}"
            run = host.run("effect.append", {"file": str(self.effects), "tag": tag}, queue=queue)
            host.wait_state(run)
            self.note("accepted", {"id": run.lower(), "tag": tag, "job": "effect.append", "fail": 0, "attempts": 3, "next": None})
        host.expect("PATCH", "/api/v1/queues/narrow", {"concurrency": 3}, headers={"If-Match": "*"})
        self.note("limits", {"queue": "narrow", "limit": 3})
        host.expect("POST", "/api/v1/queues/solo/exclusive", {"exclusive": True})
        self.note("exclusive", {"queue": "solo", "from": self.clock()})

    def settings(self, host, job, execution):
        revision = host.request("GET", f"/api/v1/jobs/{job}").headers["ETag"]
        host.expect("PATCH", f"/api/v1/jobs/{job}/settings", {"execution": execution}, headers={"If-Match": revision})

    def put_right(self):
        """Nothing more goes wrong: everything that was accepted must come to its end."""
        for host in self.hosts:
            if host.process.poll() is None:
                host.process.send_signal(signal.SIGCONT)
            else:
                host.launch()
        for host in self.hosts:
            host.wait_ready(60)
        for queue in sorted(set(QUEUES)):
            self.certainly("POST", f"/api/v1/queues/{queue}/resume", {})
        began = time.monotonic()
        number = "select (select count(*) from pawl.run_live) + (select count(*) from pawl.run_waiting)"
        try:
            until(lambda: self.pair.query(number) == "0", self.options.patience, "the end of every run")
        except AssertionError as error:
            self.trouble.append(str(error))  # The checker says which.
        print(f"  what was left ran out in {time.monotonic() - began:.0f} s", flush=True)
        trees = [descendants(host.process.pid) for host in self.hosts]
        for host, tree in zip(self.hosts, trees):
            if host.stop(60) != 0:
                self.trouble.append(f"{host.data.name} ended with {host.process.returncode}")
            until(lambda: not still_alive(tree), 15, f"nothing of {host.data.name} after its end")

    def judge(self):
        for name, sql in ROWS.items():
            rows = [json.loads(line) for line in self.pair.query(sql).splitlines()]
            for row in rows:
                for member in ("id", "run", "parent", "child"):
                    if member in row:
                        row[member] = run_name(row[member]).lower()
            self.record[name] = rows
        self.record["effects"] = [
            {"tag": tag, "run": run.lower(), "attempt": int(attempt), "at": int(at)}
            for tag, run, attempt, at in (line.split() for line in self.effects.read_text().splitlines())]
        faults = self.trouble + check(self.record)
        outcomes, states = {}, {}
        for row in self.record["attempts"]:
            outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
        for row in self.record["runs"]:
            states[row["state"]] = states.get(row["state"], 0) + 1
        words = lambda counts: ", ".join(f"{k} {v}" for k, v in sorted(counts.items()))  # noqa: E731
        print(f"runs {len(self.record['runs'])} ({words(states)}), accepted {len(self.record['accepted'])}, "
              f"unknown {len(self.record['unknown'])}, ends seen meanwhile {len(self.record['seen'])}, effects {len(self.record['effects'])}")
        print(f"attempts by outcome: {words(outcomes)}")
        print(f"done: {words(self.counts)}")
        if faults:
            raise Failure("\n".join(faults))
        print("exactly one outcome for each")

    def keep(self):
        """What a failure leaves behind for whoever looks for its cause."""
        place = Path(self.options.keep or tempfile.mkdtemp(prefix=f"chaos-{self.options.seed}-"))
        place.mkdir(exist_ok=True)
        (place / "record.json").write_text(json.dumps(self.record))
        for host in self.hosts:
            if host.log_path.exists():
                shutil.copy(host.log_path, place)
        for node in (self.pair.primary, self.pair.standby):
            shutil.copy(node.log, place)
        return place

    def end(self):
        self.deadline = 0
        for host in self.hosts:
            host.end()


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seconds", type=float, default=180)
    words.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    words.add_argument("--hosts", type=int, default=3)
    words.add_argument("--rate", type=float, default=24, help="runs a second, as far as the machine goes")
    words.add_argument("--backlog", type=int, default=1500, help="so many may wait; then nothing is enqueued")
    words.add_argument("--enqueuers", type=int, default=3)
    words.add_argument("--pace", type=float, default=1.5, help="seconds between two troubles, of each of two who make them")
    words.add_argument("--patience", type=float, default=180, help="seconds for what is left at the end")
    words.add_argument("--isolation", choices=["cgroup", "none", "auto"], default="auto")
    words.add_argument("--without", action="append", default=[], choices=[*TROUBLES], help="leave this trouble out")
    words.add_argument("--keep", help="where the record of a failure goes")
    words.add_argument("--verbose", action="store_true")
    options = words.parse_args()
    end_orderly()
    again = f"make chaos SEED={options.seed} SECONDS={options.seconds:g}"
    print(f"chaos: seed {options.seed}, {options.hosts} hosts ({again})", flush=True)
    with scratch_directory() as place:
        pair = Pair(place / "pair", settings="-c fsync=off")
        chaos = None
        try:
            chaos = Chaos(options, place, pair)
            chaos.run()
        except AssertionError as error:
            print(f"\nFAILED: {error}\nseed {options.seed}: {again}", flush=True)
            if chaos is not None:
                print(f"record and logs: {chaos.keep()}", flush=True)
            return 1
        finally:
            if chaos is not None:
                chaos.end()
            pair.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
