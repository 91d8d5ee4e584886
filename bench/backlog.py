#!/usr/bin/env python3
"""make bench-backlog: whether claiming slows down with what lies around it.

Drains of no-op runs in pooled children, each figure beside one without the burden, measured in the same run:

  snapshot  a transaction somewhere holds a snapshot during the whole drain, so that nothing that has ended can be removed
  backlog   this many runs wait in the queue, of which the first are drained
  history   this many runs have ended before

Needs 6 GB of disk and some minutes for the largest; --backlog and --history make it smaller.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "bench")]
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import Host, end_orderly, scratch_directory  # noqa: E402
from run import finished, lag, ok, pooled  # noqa: E402
from volume import fill as fill_history  # noqa: E402

CHUNK = 500_000
PUT = """WITH put AS (
    INSERT INTO pawl.run_live (id, pos, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger)
    SELECT nextval('pawl.run_id'), nextval('pawl.run_pos'), 'default', 0, 'queued', now(), 'bench.pooled', '{{}}', 3, now(), 30, 'api'
    FROM generate_series(1, {count}) RETURNING 1)
INSERT INTO pawl.counter_delta (queue, job, state, n) SELECT 'default', 'bench.pooled', 'queued', count(*) FROM put"""


class Place:
    """A host on a database of its own, with a paused queue."""

    def __init__(self, directory):
        directory.mkdir()
        directory.chmod(0o755)
        self.cluster = Cluster(directory / "cluster", "-c max_wal_size=4GB -c autovacuum_naptime=10")
        self.host = Host(directory / "host", database_url=self.cluster.url)
        self.host.start()
        pooled(self.host)
        self.pause()

    def pause(self):
        ok(self.host.call("POST", "/api/v1/queues/default/pause", {"reason": "bench"}))

    def database(self, sql):
        done = subprocess.run(["psql", "-d", self.cluster.url, "-qAt", "-v", "ON_ERROR_STOP=1", "-c", "SET synchronous_commit = off",
                               "-c", "SET jit = off", "-c", sql], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout.strip()

    def waiting(self):
        return int(self.database("SELECT count(*) FROM pawl.run_live"))

    def fill(self, backlog):
        """Until so many wait."""
        missing = backlog - self.waiting()
        while missing > 0:
            self.database(PUT.format(count=min(missing, CHUNK)))
            missing -= CHUNK
        self.database("VACUUM ANALYZE pawl.run_live")
        # What filling has left to write is no part of the drain, and each drain is the first to touch its pages since.
        self.database("CHECKPOINT")

    def rate(self, runs):
        """Runs per second until so many of them have ended."""
        before = finished(self.cluster)
        began = time.monotonic()
        ok(self.host.call("POST", "/api/v1/queues/default/resume", {}))
        while (done := finished(self.cluster) - before) < runs:
            if time.monotonic() - began > 900:
                raise SystemExit(f"{done} of {runs} runs ended")
            time.sleep(0.05)
        figure = done / (time.monotonic() - began)
        self.pause()
        while self.database("SELECT count(*) FROM pawl.run_live WHERE state = 'running'") != "0":
            time.sleep(0.05)
        return figure

    def remove(self):
        self.host.end()
        self.cluster.remove()


def snapshots(place, runs, rounds):
    """Pairs of drains, without and with a snapshot held."""
    found = {"without": [], "with": []}
    for _ in range(rounds):
        place.fill(runs)
        found["without"].append(place.rate(runs))
        place.fill(runs)
        holder = subprocess.Popen(["psql", "-d", place.cluster.url, "-qAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            holder.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;\n")
            holder.stdin.flush()
            assert holder.stdout.readline() == "1\n"
            found["with"].append(place.rate(runs))
        finally:
            holder.stdin.close()
            holder.wait()
    return found


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--runs", type=int, default=60_000, help="drained for each figure")
    words.add_argument("--snapshot-runs", type=int, default=300_000)
    words.add_argument("--backlog", type=int, nargs="*", default=[1_000_000, 10_000_000])
    words.add_argument("--history", type=int, default=10_000_000)
    words.add_argument("--rounds", type=int, default=2)
    options = words.parse_args()
    end_orderly()
    with scratch_directory() as scratch:
        place = Place(scratch / "one")
        try:
            place.fill(10_000)
            place.rate(10_000)  # Warm.
            found = snapshots(place, options.snapshot_runs, options.rounds)
            plain, held = (statistics.median(found[name]) for name in ("without", "with"))
            print(f"drain of {options.snapshot_runs:,} runs, medians of {options.rounds}")
            print(f"{'  without a snapshot held':40} {plain:>9,.0f} /s")
            print(f"{'  with one held throughout':40} {held:>9,.0f} /s      {held / plain:.2f} of it", flush=True)
            print(f"drain of {options.runs:,} runs, medians of {options.rounds}")
            base = None
            for backlog in [options.runs + 10_000, *options.backlog]:
                rates = []
                for _ in range(options.rounds):
                    place.fill(backlog)
                    rates.append(place.rate(options.runs))
                figure = statistics.median(rates)
                base = base or figure
                print(f"{f'  of {backlog:,} waiting':40} {figure:>9,.0f} /s      {figure / base:.2f} of the smallest", flush=True)
            print(f"{'loop lag p99':40} {lag(place.host)['p99_ms']} ms")
        finally:
            place.remove()
        if options.history:
            place = Place(scratch / "two")
            try:
                fill_history(place.database, options.history, 0)
                place.fill(10_000)
                place.rate(10_000)  # Warm.
                rates = []
                for _ in range(options.rounds):
                    place.fill(options.runs + 10_000)
                    rates.append(place.rate(options.runs))
                figure = statistics.median(rates)
                print(f"{f'  after {options.history:,} that have ended':40} {figure:>9,.0f} /s      {figure / base:.2f} of the smallest")
                print(f"{'loop lag p99':40} {lag(place.host)['p99_ms']} ms")
            finally:
                place.remove()


if __name__ == "__main__":
    main()
