#!/usr/bin/env python3
"""make bench-schedules: what a hundred thousand schedules cost.

Makes a PostgreSQL of its own and a host on it, puts schedules into the table by SQL, all but some of them far from being due, and prints

  idle     how long a look at schedules takes that fires nothing (the host's own metric, the most of so many looks), limit 2 ms
  firing   how long the look takes that fires a thousand schedules of one moment, their runs included, limit 100 ms
  late     from the moment to the transaction that fires the last of them
  memory   what the host holds more than before the schedules came, limit 8 MiB

The runs wait in a queue that is held. --count and --due make it smaller.
"""

import argparse
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import Host, end_orderly, scratch_directory  # noqa: E402
from pawl_processes import resident_bytes, until  # noqa: E402

LIMITS = {"idle": 2.0, "firing": 100.0, "memory": 8.0}


def rounds(host):
    """Milliseconds of the last look of each kind."""
    text = host.request("GET", "/metrics").body.decode()
    return {kind: float(value) * 1000 for kind, value in re.findall(r'^pawl_schedule_round_seconds\{kind="(\w+)"\} (\S+)$', text, re.M)}


def fill(database, count):
    database("INSERT INTO pawl.queue (name, paused_at) VALUES ('held', now()) ON CONFLICT (name) DO UPDATE SET paused_at = now()")
    database(f"""INSERT INTO pawl.schedule (name, job, kind, spec, timezone, args, queue, next_at)
        SELECT 'bench-' || n, 'mischief.noop', CASE WHEN n % 2 = 0 THEN 'cron' ELSE 'interval' END,
            CASE WHEN n % 2 = 0 THEN '{{"expression": "30 2 * * *"}}' ELSE '{{"every_ms": 86400000, "anchor": "2026-01-01T00:00:00Z"}}' END::json,
            CASE WHEN n % 2 = 0 THEN 'Europe/Berlin' ELSE 'UTC' END, '{{"n": 1}}', 'held', now() + interval '1 day' + n * interval '1 ms'
        FROM generate_series(1, {count}) n""")
    database("VACUUM ANALYZE pawl.schedule")


def fire(host, database, due):
    """A thousand of one moment; (milliseconds of the look, milliseconds late)."""
    before = int(database("SELECT count(*) FROM pawl.schedule_occurrence"))
    database(f"""UPDATE pawl.schedule SET next_at = date_trunc('second', now()) + interval '3 s'
        WHERE id IN (SELECT id FROM pawl.schedule WHERE next_at > now() + interval '1 hour' ORDER BY id LIMIT {due})""")
    until(lambda: int(database("SELECT count(*) FROM pawl.schedule_occurrence")) >= before + due, 60, f"{due} firings")
    late = database(f"""SELECT extract(epoch FROM max(fired_at - planned_at)) * 1000 FROM (
        SELECT * FROM pawl.schedule_occurrence ORDER BY fired_at DESC LIMIT {due}) o""")
    time.sleep(0.3)  # The metric is written behind the commit.
    return rounds(host)["firing"], float(late)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--due", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    end_orderly()
    with scratch_directory() as scratch:
        cluster = Cluster(scratch / "cluster")
        try:
            with Host(scratch / "host", database_url=cluster.url) as host:
                time.sleep(3)
                small = resident_bytes(host.process.pid)
                fill(cluster.query, options.count)
                idle = []
                for _ in range(20):
                    time.sleep(0.5)
                    idle.append(rounds(host)["idle"])
                firing, late = zip(*(fire(host, cluster.query, options.due) for _ in range(options.rounds)))
                grown = (resident_bytes(host.process.pid) - small) / 2**20
        finally:
            cluster.remove()
    idle.sort()
    figures = {"idle": idle[len(idle) // 2], "firing": sorted(firing)[len(firing) // 2], "memory": grown}
    print(f"{options.count:,} schedules, {options.due:,} due at once")
    print(f"idle    {figures['idle']:8.2f} ms (median of {len(idle)}, most {idle[-1]:.2f})   limit {LIMITS['idle']:.0f} ms")
    print(f"firing  {figures['firing']:8.1f} ms (median of {len(firing)}, most {max(firing):.1f})   limit {LIMITS['firing']:.0f} ms")
    print(f"late    {max(late):8.1f} ms")
    print(f"memory  {figures['memory']:8.1f} MiB more   limit {LIMITS['memory']:.0f} MiB")
    return 1 if any(figures[name] > limit for name, limit in LIMITS.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
