#!/usr/bin/env python3
"""make monkey: everything that can go wrong, mixed at random for a while, and then the invariants.

The seed decides what is done and when; the machine decides what comes of it. The seed is printed first, and again with a
failure: `make monkey SEED=… SECONDS=…` does the same things again.

Workers enqueue runs of every kind of mischief in every mode, cancel, terminate, freeze, thaw, extend and renice them.
Beside them one kills children and zygotes, one puts new versions of plugins in place, one restarts the database now and then,
and with --kills everything else makes room for kills of child, zygote and host. At the end, in that order: every run has
ended, and once; nothing lives below the host but zygotes and idle children; the host's memory and descriptors are back to
where they were when it was warm; and when it has stopped, nothing is left at all.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from conftest import FaultHost, plugin_directory  # noqa: E402
from invariants import (  # noqa: E402
    Ledger, has_cgroup_profile, instance_group, open_count, populated_leaves, run_name, run_number, scratch_leftovers, strays, zygotes)
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import Failure, end_orderly, scratch_directory  # noqa: E402
from pawl_processes import descendants, resident_bytes, state_of, status_fields, still_alive, until  # noqa: E402

# job, args, and the weight of it. What never ends gets a time limit with its run.
KINDS = [
    ("mischief.noop", {}, 10), ("mischief.sleep", {"ms": 50}, 8), ("mischief.sleep", {"ms": 1500}, 4), ("mischief.echo", {"a": [1]}, 3),
    ("mischief.progress", {"steps": 20, "ms": 5}, 4), ("mischief.log", {"lines": 2000}, 3), ("mischief.fail", {}, 3),
    ("mischief.snooze", {"ms": 50}, 2), ("mischief.result", {"bytes": 2_000_000}, 1), ("mischief.bytes", {"bytes": 100_000}, 2),
    ("mischief.segv", {}, 3), ("mischief.abort", {}, 2), ("mischief.overflow", {}, 1), ("mischief.jump", {}, 1),
    ("mischief.thread_segv", {}, 1), ("mischief.exit", {"code": 3}, 2), ("mischief.hog", {"mb": 40}, 1), ("mischief.hog", {"mb": 3000}, 1),
    ("mischief.flood", {"bytes": 3_000_000}, 2), ("mischief.late", {}, 2), ("mischief.spin", {}, 1), ("mischief.deaf", {}, 2),
    ("mischief.escape", {"children": 3}, 2), ("mischief.leave", {"children": 2}, 2), ("mischief.exec", {}, 1),
    ("mischief.crash_after_result", {"later": True}, 1), ("mischief.signal", {"signal": 15}, 1), ("mischief.double_free", {}, 1),
    ("mischief.smash", {}, 1), ("mischief.roll", {"chains": 2}, 1), ("mischief.bomb", {"processes": 30}, 1), ("mischief.hold", {}, 2),
    ("mischief.garbage", {"kind": "noise"}, 1), ("mischief.garbage", {"kind": "torn", "length": 37}, 1), ("mischief.narrow", {"bytes": 50_000}, 1),
    ("mischief.binary", {}, 1), ("mischief.open", {"files": 200}, 1), ("mischief.write", {"bytes": 300_000}, 2), ("mischief.threads", {"threads": 8}, 1),
    ("mischief.stop", {}, 1), ("mischief.read", {}, 1), ("mischief.deadlock", {}, 1), ("ways.async", {}, 3), ("ways.main_queue", {}, 1),
    ("ways.contended", {}, 2), ("ways.trap", {}, 1), ("ways.sleep", {}, 1), ("ways.fail", {"code": "x"}, 1), ("reuse.noop", {}, 6),
    ("reuse.state", {}, 4), ("reuse.change", {}, 2), ("reuse.leak_descriptor", {}, 1), ("reuse.leak_thread", {}, 1),
    ("reuse.leave_process", {}, 1), ("reuse.grow", {}, 1), ("reuse.crash", {}, 1), ("reuse.reset_fails", {}, 1), ("reuse.work", {}, 1),
    ("cpp.throws", {}, 1), ("cpp.returns", {}, 2), ("fixture.talk", {"what": "threads"}, 1)]
MODES = ["fork", "fork", "spare", "pool", "spawn"]
BACKLOG = 400
LIMITS = {"wall_ms": 2500, "cancel_grace_ms": 150, "term_grace_ms": 150, "memory_bytes": 1 << 30, "cpu_ms": 2000}


class Monkey:
    def __init__(self, options, place, cluster):
        self.options, self.place, self.cluster = options, place, cluster
        self.dice = random.Random(options.seed)
        self.plugins = plugin_directory(place / "plugins")
        database = "monkey"
        cluster.create(database)
        self.ledger = Ledger(cluster, database)
        self.host = FaultHost(place / "host", plugins=self.plugins, database_url=cluster.url_of(database), arguments=[
            "--isolation", options.isolation, "--slots", str(options.slots)])
        self.deadline = None
        self.reload_pace = 1.0
        self.live = []  # Ids of runs that may be running still; any worker may do something to any of them.
        self.accepted = {}  # Id: what was asked for.
        self.counts = {}
        self.lock = threading.Lock()
        self.trouble = []
        self.backlog = 0  # Runs without an end, as last seen.

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + by

    def done(self):
        return time.monotonic() >= self.deadline or self.trouble

    def asked(self, method, path, body=None, **more):
        """The answer, or None where the host or its database is away at the moment: both are killed and stopped here."""
        try:
            answer = self.host.call(method, path, body, timeout=30, **more)
        except (OSError, http.client.HTTPException):
            self.count("unanswered")
            time.sleep(0.02)
            return None
        if answer.status >= 500 and answer.status != 503:
            self.trouble.append(f"{method} {path} {json.dumps(body)} was answered with {answer}")
        return answer

    # ---- who does what ----

    def worker(self, number):
        """Enqueues, and disturbs what runs."""
        dice = random.Random(f"{self.options.seed}/{number}")
        weights = [kind[2] for kind in KINDS]
        while not self.done():
            if (dice.random() < 0.55 and self.backlog < BACKLOG) or not self.live:
                job, args, _ = dice.choices(KINDS, weights)[0]
                answer = self.asked("POST", "/api/v1/runs", {
                    "job": job, "args": args, "attempts": 1 if job == "ways.fail" else dice.choice([1, 2, 3]), "priority": dice.randrange(-2, 3),
                    "backoff": {"type": "fixed", "delay_ms": dice.choice([0, 10, 200])}}, headers={"Prefer": "return=minimal"})
                if answer is not None and answer.status == 201:
                    with self.lock:
                        self.accepted[answer.json["id"]] = job
                        self.live = [*self.live[-150:], answer.json["id"]]
                elif answer is not None:
                    self.count(f"refused {answer.status}")
            else:
                with self.lock:
                    run = dice.choice(self.live)
                verb, body = dice.choice([
                    ("cancel", {}), ("cancel", {"grace_ms": 20}), ("terminate", {"grace_ms": 0}), ("terminate", {"grace_ms": 100}),
                    ("freeze", {}), ("thaw", {}), ("thaw", {}), ("extend", {"by_ms": 300}), ("niceness", {"niceness": 10}),
                    ("diagnostics", {}), ("retry", {})])
                if verb == "diagnostics" and dice.random() < 0.7:
                    continue
                answer = self.asked("POST", f"/api/v1/runs/{run}/{verb}", body)
                if answer is not None:
                    self.count(f"{verb} {answer.status // 100}xx")
                if verb == "retry" and answer is not None and answer.status == 201:
                    with self.lock:
                        self.accepted[answer.json["new_run_id"]] = f"retry of {run}"
            time.sleep(dice.random() * 0.08 * self.options.workers / 16)

    def gauge(self):
        """Enough is always waiting, and no more than can be worked off: the machine's speed decides how much is done."""
        while not self.done():
            try:
                self.backlog = len(self.ledger.live())
            except (AssertionError, OSError):
                pass  # The database is away.
            time.sleep(1)

    def settler(self):
        """Moves jobs between modes."""
        dice = random.Random(f"{self.options.seed}/settler")
        jobs = sorted({kind[0] for kind in KINDS})
        while not self.done():
            job = dice.choice(jobs)
            self.set_mode(job, dice.choice(MODES), dice.choice([0, 8]))
            time.sleep(dice.random() * 0.5)

    def set_mode(self, job, mode, ahead=0):
        got = self.asked("GET", f"/api/v1/jobs/{job}")
        if got is not None and got.status == 200:
            answer = self.asked("PATCH", f"/api/v1/jobs/{job}/settings", {"execution": {"mode": mode, "pool_ahead": ahead, "quarantine": False}, "limits": LIMITS},
                                headers={"If-Match": got.headers["ETag"]})
            if answer is not None and answer.status == 200:
                self.count("settings")

    def killer(self):
        """kill -9 of children and zygotes; SIGSTOP now and then, and SIGCONT soon after."""
        dice = random.Random(f"{self.options.seed}/killer")
        while not self.done():
            time.sleep(dice.random() * 0.8)
            kind = dice.choice(["child", "child", "child", "zygote", "stop"])
            pids = self.of_kind("child" if kind == "stop" else kind)
            if not pids:
                continue
            pid = dice.choice(sorted(pids))
            self.hit(pid, signal.SIGSTOP if kind == "stop" else signal.SIGKILL, kind)

    def of_kind(self, kind):
        """Pids below the host now: zygotes, or what is below them."""
        found = zygotes(self.host)
        return found if kind == "zygote" else [pid for z in found for pid in descendants(z)]

    def hit(self, pid, number, what):
        """Signals one of the host's descendants, by its pidfd, so that no other process can be meant."""
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            # Still below our host: then the pidfd is of the process that we have seen.
            if pid in descendants(self.host.process.pid):
                signal.pidfd_send_signal(descriptor, number)
                self.count(f"{what} {'stopped' if number == signal.SIGSTOP else 'killed'}")
                return True
        except OSError:
            pass
        finally:
            os.close(descriptor)
        return False

    def zygote_watch(self):
        """What zygotes do that do nothing: the first thing to know when one stops answering."""
        since = {}
        while not self.done():
            for pid in zygotes(self.host):
                state = state_of(pid)
                try:
                    place = Path(f"/proc/{pid}/wchan").read_text(), Path(f"/proc/{pid}/syscall").read_text().split()[0]
                except (OSError, IndexError):
                    continue
                seen = (state, *place)
                before, at = since.get(pid, (None, 0))
                if seen != before:
                    since[pid] = (seen, time.monotonic())
                elif state not in ("S", "R") and time.monotonic() - at > 3:
                    print(f"  zygote {pid} for 3 s: {seen}", flush=True)
                    since[pid] = (None, 0)
            time.sleep(0.5)

    def host_watch(self):
        """Whether the host's loop turns. A host that does not answer at all is what nobody can ask later."""
        silent = 0
        while not self.done():
            time.sleep(2)
            try:
                self.host.call("GET", "/livez", token=None, timeout=10)
                silent = 0
            except (OSError, http.client.HTTPException):
                silent += 1
            if silent == 2 and not self.options.kills:
                pid = self.host.process.pid
                print(f"  the host does not answer: state {state_of(pid)}", flush=True)
                for name in ("wchan", "syscall", "stack"):
                    try:
                        print(f"  {name}: {Path(f'/proc/{pid}/{name}').read_text()}", flush=True)
                    except OSError as error:
                        print(f"  {name}: {error}")
                if shutil.which("gdb"):
                    print(subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "bt 40"], stdin=subprocess.DEVNULL, capture_output=True,
                                         text=True, timeout=120).stdout[-6000:], flush=True)
                self.trouble.append("the host does not answer")

    def reloader(self):
        """New versions of plugins: the same library with some bytes more behind it; sometimes a broken one."""
        dice = random.Random(f"{self.options.seed}/reloader")
        originals = {path.name: path.read_bytes() for path in self.plugins.glob("*.so") if path.stat().st_size < 1 << 20}
        while not self.done():
            time.sleep((1 + dice.random() * 4) * self.reload_pace)
            name = dice.choice(sorted(originals))
            content = originals[name] + bytes(dice.randrange(256) for _ in range(16)) if dice.random() < 0.85 else b"\x7fELF, and no more"
            part = self.plugins / f".{name}.part"
            part.write_bytes(content)
            os.rename(part, self.plugins / name)
            self.count("reloads")
            if len(content) < 100:
                time.sleep(0.3)
                part.write_bytes(originals[name])
                os.rename(part, self.plugins / name)

    def disaster(self):
        """The database goes and comes back, at a low rate."""
        dice = random.Random(f"{self.options.seed}/disaster")
        while not self.done():
            time.sleep(8 + dice.random() * 24)
            if self.done():
                return
            self.cluster.stop(dice.choice(["fast", "immediate"]))
            time.sleep(dice.random() * 2)
            self.cluster.start()
            self.count("database restarts")

    # ---- the whole ----

    def phase(self, seconds, actors):
        """All workers, and these besides, for so long; then everything is let go of, and ends."""
        self.deadline = time.monotonic() + seconds
        threads = [threading.Thread(target=self.guarded, args=(self.worker, n)) for n in range(self.options.workers)]
        threads += [threading.Thread(target=self.guarded, args=(actor,)) for actor in actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.trouble:
            raise Failure("\n".join(self.trouble[:5]))
        self.host.wait_ready(60)
        self.deadline = time.monotonic() + 600
        for _ in range(3):  # A frozen run ends only when somebody thaws it.
            self.thaw_all()
            time.sleep(0.3)
        self.drain(120)

    def warm_up(self):
        """Everything has been used: then memory and descriptors are what they will be."""
        self.deadline = time.monotonic() + 600
        for job in sorted({kind[0] for kind in KINDS}):
            self.set_mode(job, "fork")
        for job, args, _ in KINDS:
            self.accepted[self.host.run(job, args, attempts=1)] = job
        self.drain(60)
        if self.options.warm:
            # The host remembers a dozen versions of each plugin: so many must have been there before its memory is noted.
            self.reload_pace = 0.2
            self.phase(self.options.warm, [self.gauge, self.settler, self.killer, self.reloader])
            self.reload_pace = 1.0
            self.rest()
        return resident_bytes(self.host.process.pid), open_count(self.host), len(zygotes(self.host))

    def rest(self, bound=90):
        """Until nothing is below the host but zygotes: idle children go after half a minute."""
        try:
            until(lambda: not strays(self.host), bound, "no children of any kind")
        except AssertionError as error:
            left = strays(self.host)
            raise Failure(f"{error}; {len(left)} are left, such as {dict(list(left.items())[:20])}") from None
        until(lambda: not populated_leaves(instance_group(self.host)), 10, "empty cgroups")
        until(lambda: not scratch_leftovers(self.host), 20, "empty scratch directories")
        # Each of them is a process with its descriptors for a moment.
        until(lambda: not int(self.ledger.rows("select count(*) from pawl.crash_pending")[0][0]), 600, "all crashes filed")

    def drain(self, bound):
        """Until every run has ended. What has piled up on a slow machine takes its time: only a standstill is a failure."""
        live = self.ledger.live()
        while live:
            try:
                until(lambda: len(self.ledger.live()) < len(live), bound, "the end of some run")
            except AssertionError as error:
                raise Failure(f"{error}\n{len(live)} live: {live[:10]}") from None
            live = self.ledger.live()

    def thaw_all(self):
        for number, state, _ in self.ledger.live():
            if state == "running":
                self.asked("POST", f"/api/v1/runs/{run_name(number)}/thaw", {})
        for pid in descendants(self.host.process.pid):
            fields = status_fields(pid)
            if fields and fields[0] == "T":
                self.hit(pid, signal.SIGCONT, "cont")

    def run(self):
        options = self.options
        self.host.start()
        memory, opened, warm_zygotes = self.warm_up()
        print(f"warm: {memory / 1e6:.1f} MB, {sum(opened.values())} descriptors, {len(self.accepted)} runs", flush=True)
        if options.kills:
            self.phase(7200, [self.gauge, self.kill_storm])
        else:
            self.phase(options.seconds, [self.gauge, self.settler, self.killer, self.reloader, self.disaster, self.zygote_watch, self.host_watch])
        self.judge(memory, opened, warm_zygotes)

    def guarded(self, actor, *arguments):
        try:
            actor(*arguments)
        except BaseException as error:  # Told by the main thread.
            self.trouble.append(f"{getattr(actor, '__name__', actor)}: {type(error).__name__}: {error}")

    def kill_storm(self):
        """--kills N: as many kills of child, zygote and host, each at a random moment of a busy host."""
        dice = random.Random(f"{self.options.seed}/storm")
        killed = 0
        while killed < self.options.kills and not self.trouble:
            time.sleep(dice.random() * self.options.pace)
            kind = dice.choices(["child", "zygote", "host"], [20, 6, 1])[0]
            if kind == "host":
                tree = descendants(self.host.process.pid)
                self.host.kill()
                self.count("host killed")
                killed += 1
                try:
                    until(lambda: not still_alive(tree), 5, "the end of everything below a killed host")
                except AssertionError:
                    # A zygote that was killed just before cannot end its trees, nor the host any more: the next one does.
                    self.count("trees left to the next host")
                self.host.start(60)
                until(lambda: not still_alive(tree), 15, "the end of everything below a killed host")
                continue
            pids = self.of_kind(kind)
            if pids and self.hit(dice.choice(sorted(pids)), signal.SIGKILL, kind):
                killed += 1
            if killed % 100 == 0 and killed:
                print(f"  {killed} kills, {len(self.accepted)} runs", flush=True)
        self.deadline = 0

    def judge(self, memory, opened, warm_zygotes):
        problems = self.ledger.faults()
        ended = {int(row[0]) for row in self.ledger.rows("select id from pawl.run")}
        lost = {name: job for name, job in self.accepted.items() if run_number(name) not in ended}
        if lost:
            number = run_number(next(iter(lost)))
            for table in ("run_all", "attempt"):
                column = "id" if table.startswith("run") else "run_id"
                try:
                    print(f"  {table}: {self.ledger.rows(f'select * from pawl.{table} where {column} = {number}')}")
                except AssertionError as error:
                    print(f"  {table}: {error}")
            print(f"  around it: {self.ledger.rows(f'select id, state, job, created_at from pawl.run where id between {number - 2} and {number + 2}')}")
            problems.append(f"accepted and lost: {lost}")
        if not self.options.short:
            self.rest()
        host_was_killed = self.counts.get("host killed", 0) > 0
        if not host_was_killed and not self.options.short:
            try:  # What is free goes back to the system when the host has been idle for a moment.
                until(lambda: resident_bytes(self.host.process.pid) <= memory * 1.10, 45, "less memory")
            except AssertionError:
                pass  # Told below.
        now, open_now = resident_bytes(self.host.process.pid), open_count(self.host)
        if not host_was_killed and not self.options.short:
            more = {k: (opened.get(k, 0), n) for k, n in open_now.items() if n > opened.get(k, 0)}
            # A version more is a zygote more: the host holds its socket, two pipes and its pidfd.
            allowed = 4 * max(0, len(zygotes(self.host)) - warm_zygotes)
            if more and sum(open_now.values()) > sum(opened.values()) + allowed:
                problems.append(f"more descriptors than at the start: {more}")
            if now > memory * 1.10:
                problems.append(f"the host has {now / 1e6:.1f} MB, at the start it had {memory / 1e6:.1f}")
        outcomes = dict(self.ledger.rows("select coalesce(outcome, '-') || ':' || coalesce(reason, '-'), count(*) "
                                         "from pawl.attempt group by 1 order by 1"))
        tree = descendants(self.host.process.pid)
        group = instance_group(self.host)
        if self.host.stop(60) != 0:
            problems.append(f"the host ended with {self.host.process.returncode}")
        until(lambda: not still_alive(tree), 10, "nothing after the host's end")
        if group is not None and group.exists():
            problems.append(f"{group} is left")
        print(f"runs {len(ended)}, attempts by outcome: " + ", ".join(f"{k} {v}" for k, v in outcomes.items()))
        print("done: " + ", ".join(f"{k} {v}" for k, v in sorted(self.counts.items())))
        print(f"memory {memory / 1e6:.1f} -> {now / 1e6:.1f} MB, descriptors {sum(opened.values())} -> {sum(open_now.values())}"
              + (" (a new process since)" if host_was_killed else ""))
        if problems:
            raise Failure("\n".join(problems))
        print("0 lost, 0 doubled, 0 survivors")


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seconds", type=float, default=40)
    words.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    words.add_argument("--workers", type=int, default=16)
    words.add_argument("--slots", type=int, default=24)
    words.add_argument("--isolation", choices=["cgroup", "none", "auto"], default="auto")
    words.add_argument("--kills", type=int, default=0, help="instead of SECONDS: until so many processes have been killed")
    words.add_argument("--pace", type=float, default=0.25, help="at most so many seconds between two kills")
    words.add_argument("--warm", type=float, default=60, help="seconds of the same before memory and descriptors are noted")
    words.add_argument("--short", action="store_true", help="no warm-up: memory and descriptors are shown, not judged")
    words.add_argument("--keep", action="store_true", help="keep the host's log after a failure")
    options = words.parse_args()
    if options.isolation == "auto":
        options.isolation = "cgroup" if has_cgroup_profile() else "none"
    if options.short:
        options.warm = 0
    end_orderly()
    again = f"make monkey SEED={options.seed} SECONDS={options.seconds:g} WORKERS={options.workers}" + (
        f" KILLS={options.kills}" if options.kills else "") + f" ISOLATION={options.isolation}"
    print(f"monkey: seed {options.seed}, {options.isolation}, {options.workers} workers ({again})", flush=True)
    with scratch_directory() as place:
        cluster = Cluster(place / "cluster", settings="-c fsync=off -c max_connections=200")
        monkey = Monkey(options, place, cluster)
        try:
            monkey.run()
        except AssertionError as error:
            print(f"\nFAILED: {error}\nseed {options.seed}: {again}\nthe host's last words:\n{monkey.host.log_tail(25)}", flush=True)
            if options.keep:
                shutil.copy(monkey.host.log_path, Path(tempfile.gettempdir(), f"monkey-{options.seed}.log"))
            return 1
        finally:
            monkey.deadline = 0
            monkey.host.end()
            cluster.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
