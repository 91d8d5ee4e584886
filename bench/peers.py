#!/usr/bin/env python3
"""make bench-peers: the same no-op job through Pawl and through its peers, interleaved in one run.

  enqueue   jobs per second of the bulk call that each has, one caller
  drain     jobs per second from the first that has ended to the last, as many workers as processors, the queue filled
            before they start; each at the best settings that are known, which are printed with its durability

Only Pawl keeps a row of history and an attempt per job, and runs it in another process than the one that claims; "fork" is
its fork per attempt, to be read beside RQ, which forks per job too. Rounds are interleaved because the machine's speed drifts.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / "peers"
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "bench"), str(PEERS)]
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import Host, end_orderly, free_port  # noqa: E402
from run import drain, ok, pooled  # noqa: E402

WORKERS = os.cpu_count()


def started(command, **options):
    return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.STDOUT, **options)


def answering(port, seconds=10):
    """Waits until somebody listens there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Peer:
    """A queue server, if it has one of its own, and workers that are started when the queue is full."""
    durability = "none, in memory"
    jobs = 20_000

    def __init__(self, place):
        self.place, self.processes = place / type(self).__name__.lower(), []
        self.place.mkdir()
        self.place.chmod(0o755)
        self.up()

    def up(self):
        pass

    def enqueue(self, count):
        raise NotImplementedError

    def left(self):
        """Jobs that have not ended."""
        raise NotImplementedError

    def remains(self):
        """Whether there are any: a count of a table would cost what is measured."""
        return self.left() > 0

    def workers(self):
        """Commands, one per process."""
        return [[sys.executable, PEERS / "worker.py", type(self).__name__.lower(), self.address] for _ in range(WORKERS)]

    def environment(self):
        return dict(os.environ)

    def drained(self, count):
        """Jobs per second, from the first that has ended: a worker's own start is not part of it."""
        workers = [started(command, env=self.environment(), cwd=PEERS) for command in self.workers()]
        try:
            limit = time.monotonic() + 300
            while (left := self.left()) >= count:
                self.watch(limit, workers)
            first, at_first = time.monotonic(), left
            while self.remains():
                self.watch(limit, workers)
            return at_first / max(time.monotonic() - first, 1e-6)
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            for worker in workers:
                try:
                    worker.wait(5)
                except subprocess.TimeoutExpired:
                    worker.kill()
                    worker.wait()

    def watch(self, limit, workers=()):
        if time.monotonic() > limit:
            raise SystemExit(f"{type(self).__name__}: not done after 5 minutes")
        if any(worker.poll() is not None for worker in workers):
            raise SystemExit(f"{type(self).__name__}: a worker ended by itself")
        time.sleep(0.05)

    def down(self):
        for process in self.processes:
            process.terminate()
            process.wait(10)


class OnPostgres(Peer):
    durability = "PostgreSQL, fsync and synchronous_commit on"
    jobs = 30_000

    def up(self):
        self.cluster = Cluster(self.place / "cluster")
        self.address = f"postgresql://pawl@/pawl?host={self.cluster.sockets}"

    def down(self):
        self.cluster.stop("fast")
        shutil.rmtree(self.cluster.sockets, ignore_errors=True)


class PgQueuer(OnPostgres):
    settings = "asyncpg, batch_size 1000"

    def up(self):
        super().up()
        self.call(lambda queries: queries.install())

    def call(self, work):
        import asyncpg
        from pgqueuer import AsyncpgDriver, Queries

        async def main():
            connection = await asyncpg.connect(self.address)
            try:
                return await work(Queries(AsyncpgDriver(connection)))
            finally:
                await connection.close()

        return asyncio.run(main())

    def enqueue(self, count):
        async def put(queries):
            for _ in range(count // 1000):
                await queries.enqueue(["noop"] * 1000, [None] * 1000, [0] * 1000)
        self.call(put)

    def left(self):
        return int(self.cluster.look("select count(*) from pgqueuer"))

    def remains(self):
        return self.cluster.look("select exists (select from pgqueuer)") == "t"


class Procrastinate(OnPostgres):
    settings = "psycopg, concurrency 100"
    jobs = 3000

    def up(self):
        super().up()
        import procrastinate
        self.app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=self.address))
        self.app.task(name="noop")(lambda: None)
        with self.app.open():
            self.app.schema_manager.apply_schema()

    def enqueue(self, count):
        with self.app.open():
            for _ in range(count // 1000):
                self.app.configure_task("noop").batch_defer(*({} for _ in range(1000)))

    def left(self):
        return int(self.cluster.look("select count(*) from procrastinate_jobs where status in ('todo', 'doing')"))

    def remains(self):
        return self.cluster.look("select exists (select from procrastinate_jobs where status in ('todo', 'doing'))") == "t"


class OnRedis(Peer):
    durability = "redis, append-only file synced each second"

    def up(self):
        import redis
        self.port = free_port()
        self.processes = [started(["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--appendonly", "yes",
                                   "--appendfsync", "everysec", "--save", "", "--dir", self.place])]
        answering(self.port)
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self.redis = redis.Redis.from_url(self.address)

    def environment(self):
        return {**os.environ, "PAWL_PEER_URL": self.address, "REDIS_URL": self.address, "PYTHONPATH": str(PEERS)}


class RQ(OnRedis):
    settings = "forks per job"
    jobs = 1000

    def enqueue(self, count):
        import jobs
        from rq import Queue
        queue = Queue(connection=self.redis)
        queue.enqueue_many([Queue.prepare_data(jobs.noop) for _ in range(count)])

    def left(self):
        return self.redis.llen("rq:queue:default") + self.redis.zcard("rq:wip:default")

    def workers(self):
        return [[Path(sys.executable).with_name("rq"), "worker", "--quiet", "--url", self.address]] * WORKERS


class Celery(OnRedis):
    settings = "prefork, prefetch 1000"
    jobs = 5000

    def enqueue(self, count):
        os.environ["PAWL_PEER_URL"] = self.address
        from celery_app import app
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(count):
                app.send_task("noop", producer=producer, ignore_result=True)

    def left(self):
        return self.redis.llen("celery") + self.redis.hlen("unacked")

    def workers(self):
        return [[sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--pool", "prefork", "--concurrency", WORKERS, "--without-gossip",
                 "--without-mingle", "--without-heartbeat"]]


class Sidekiq(OnRedis):
    settings = "concurrency 10 per process"

    def enqueue(self, count):
        script = ("Sidekiq::Client.push_bulk('class' => Noop, 'args' => Array.new(1000) { [] })\n" * (count // 1000))
        subprocess.run(["ruby", "-r", PEERS / "sidekiq_job.rb", "-e", script], env=self.environment(), check=True, timeout=120,
                       stderr=subprocess.DEVNULL)

    def left(self):
        return self.redis.llen("queue:default")

    def workers(self):
        return [["sidekiq", "--require", PEERS / "sidekiq_job.rb", "--concurrency", 10]] * WORKERS


class Beanstalkd(Peer):
    durability = "binlog synced each second"
    settings = "greenstalk, one job at a time"

    def up(self):
        self.address = str(free_port())
        self.processes = [started(["beanstalkd", "-l", "127.0.0.1", "-p", self.address, "-b", self.place, "-f", 1000])]
        answering(int(self.address))
        import greenstalk
        self.client = greenstalk.Client(("127.0.0.1", int(self.address)))

    def enqueue(self, count):
        for _ in range(count):
            self.client.put("{}")

    def left(self):
        tube = self.client.stats_tube("default")
        return tube["current-jobs-ready"] + tube["current-jobs-reserved"]


class Gearmand(Peer):
    settings = "background jobs, libgearman"

    def up(self):
        self.port = str(free_port())
        self.program = self.place / "gearman"
        subprocess.run(["cc", "-O2", "-o", self.program, PEERS / "gearman.c", "-lgearman"], check=True)
        self.processes = [started(["gearmand", "--listen", "127.0.0.1", "--port", self.port, "--log-file", self.place / "log"])]
        answering(int(self.port))

    def enqueue(self, count):
        subprocess.run([self.program, self.port, str(count)], check=True, timeout=120)

    def left(self):
        with socket.create_connection(("127.0.0.1", int(self.port)), 5) as line, line.makefile("rw") as text:
            text.write("status\n")
            text.flush()
            return sum(int(row.split("\t")[1]) for row in iter(text.readline, ".\n") if row.startswith("noop\t"))

    def workers(self):
        return [[self.program, self.port]] * WORKERS


class Pawl(Peer):
    durability = "PostgreSQL, fsync and synchronous_commit on; history and attempt of each run kept"
    settings = "over HTTP, pooled children"
    job, jobs = "bench.pooled", 30_000

    def up(self):
        self.cluster = Cluster(self.place / "cluster")
        self.host = Host(self.place / "host", database_url=self.cluster.url)
        self.host.start()
        pooled(self.host)
        drain(self.host, self.cluster, 1000, self.job)  # Warm.

    def enqueue(self, count):
        ok(self.host.call("POST", "/api/v1/queues/default/pause", {"reason": "bench"}))
        items = [{"job": self.job, "args": {}}] * 10_000
        for first in range(0, count, len(items)):
            ok(self.host.call("POST", "/api/v1/runs/batch", {"items": items[:count - first]},
                              headers={"Idempotency-Key": f'"{os.urandom(8).hex()}"'}))

    def remains(self):
        return self.cluster.look("select exists (select from pawl.run_live)") == "t"

    def drained(self, count):
        ok(self.host.call("POST", "/api/v1/queues/default/resume", {}))
        began, limit = time.monotonic(), time.monotonic() + 300
        while self.remains():
            self.watch(limit)
        return count / (time.monotonic() - began)

    def down(self):
        try:
            self.host.stop()
        finally:
            self.cluster.stop("fast")
            shutil.rmtree(self.cluster.sockets, ignore_errors=True)


class PawlAhead(Pawl):
    settings = "over HTTP, pooled children, 8 runs sent ahead"
    job = "bench.ahead"


class PawlFork(Pawl):
    settings = "over HTTP, a fork per attempt"
    job, jobs = "mischief.noop", 5000


ALL = [Pawl, PawlAhead, PawlFork, PgQueuer, Procrastinate, Sidekiq, Beanstalkd, Gearmand, Celery, RQ]


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--scale", type=float, default=1.0, help="jobs per round and peer, times this")
    words.add_argument("--only", nargs="*", choices=[kind.__name__.lower() for kind in ALL], help="these peers")
    words.add_argument("--json", action="store_true")
    options = words.parse_args()
    end_orderly()
    kinds = [kind for kind in ALL if not options.only or kind.__name__.lower() in options.only]
    figures = {kind.__name__: {"enqueue": [], "drain": []} for kind in kinds}
    place = Path(tempfile.mkdtemp(prefix="pawl-peers-"))
    place.chmod(0o755)
    try:
        for number in range(options.rounds):
            for kind in kinds:
                # One at a time: nobody else's server is awake meanwhile.
                scratch = Path(tempfile.mkdtemp(dir=place))
                scratch.chmod(0o755)
                peer = kind(scratch)
                try:
                    count = max(1000, round(kind.jobs * options.scale / 1000) * 1000)
                    began = time.monotonic()
                    peer.enqueue(count)
                    figures[kind.__name__]["enqueue"].append(round(count / (time.monotonic() - began)))
                    figures[kind.__name__]["drain"].append(round(peer.drained(count)))
                finally:
                    peer.down()
                    shutil.rmtree(scratch, ignore_errors=True)
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if options.json:
        print(json.dumps(figures))
        return
    middle = {name: {what: statistics.median(found) for what, found in row.items()} for name, row in figures.items()}
    ours = middle.get("Pawl", {}).get("drain")
    print(f"no-op jobs, {WORKERS} processors and worker processes; medians of {options.rounds} rounds, interleaved")
    print(f"{'':16}{'enqueue/s':>12}{'drain/s':>12}{'Pawl is':>10}   settings; durability")
    for kind in kinds:
        row = middle[kind.__name__]
        times = f"{ours / row['drain']:.2f} x" if ours else ""
        print(f"{kind.__name__:16}{row['enqueue']:>12,.0f}{row['drain']:>12,.0f}{times:>10}   {kind.settings}; {kind.durability}")
    if "RQ" in middle and "PawlFork" in middle:
        print(f"a fork per attempt is {middle['PawlFork']['drain'] / middle['RQ']['drain']:.1f} times RQ, which forks per job")


if __name__ == "__main__":
    main()
