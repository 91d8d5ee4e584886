#!/usr/bin/env python3
"""make bench-volume: how fast lists and figures are answered with ten million runs in the history and a million in the backlog.

Makes a PostgreSQL of its own, starts a host on it (which makes the tables), fills the tables by SQL with runs of thirty days: 20 jobs
of very different size, 6 queues, 3.5 % failures, labels, owners and schedules on some; backlog and history are mixed in the newest
tenth. Then asks for each documented filter of GET /api/v1/runs, for queues and figures, over one connection, and prints p50 and p99 of
the time from request to answer, which holds the server's time and the way there. Needs 6 GB of disk; --runs makes it smaller.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import Host, end_orderly, scratch_directory  # noqa: E402

DAYS = 29.9  # younger than the shortest retention that is used
CHUNK = 500_000

COLUMNS = """'queue-' || j % 6, -(g % 3)::int, {state}, c, 'job-' || j, '{{"n":1,"path":"/data/in"}}', 3, c, 30,
    CASE WHEN h % 20 = 0 THEN 'schedule' ELSE 'api' END, CASE WHEN h % 4 = 0 THEN 'Import of ' || g END,
    CASE WHEN h % 10 < 3 THEN jsonb_build_object('customer', 'c' || h % 5003, 'env', CASE WHEN h % 7 = 0 THEN 'test' ELSE 'prod' END) END,
    CASE WHEN h % 10 < 3 THEN 'user' || h % 2003 END, CASE WHEN h % 10 < 3 THEN 'org' || h % 211 END,
    CASE WHEN h % 53 = 0 THEN g - 7 END, CASE WHEN h % 20 = 0 THEN 1 + h % 47 END"""
NAMES = "id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, title, labels, owner, organization, " \
        "retry_of, schedule_id"
# g: the id; h: a number that is the same for it each time; j: its job, low numbers far more often; c: when it was made.
ROWS = """(SELECT g, hashint8(g)::bigint & 2147483647 AS h, (20 * ((hashint8(g)::bigint & 65535) / 65536.0::float8) ^ 2)::int % 20 AS j,
    now() - interval '{days} days' * (({last} - g)::float8 / {last}) AS c FROM generate_series({low}::bigint, {high}::bigint) g) s"""


def fill(database, runs, backlog):
    """Ids 1 to runs + backlog; of the newest 1.1 × backlog ten of eleven wait."""
    last = runs + backlog
    young = last - backlog * 11 // 10

    def rows(low, high):
        return ROWS.format(days=DAYS, last=last, low=low, high=high)

    database(f"SELECT count(pawl.make_partitions(now() - d * interval '1 day')) FROM generate_series(0, 33) AS d")
    database("INSERT INTO pawl.job (name, handler, queue) SELECT 'job-' || g, 'mischief.noop', 'queue-' || g % 6 FROM generate_series(0, 19) g "
             "ON CONFLICT DO NOTHING")
    # Nothing is to run meanwhile.
    database("INSERT INTO pawl.queue (name, paused_at) SELECT 'queue-' || g, now() FROM generate_series(0, 5) g")
    state = "CASE WHEN h % 1000 < 950 THEN 'succeeded' WHEN h % 1000 < 985 THEN 'failed' ELSE 'cancelled' END"
    for low in range(1, last + 1, CHUNK):
        high = min(low + CHUNK - 1, last)
        database(f"""INSERT INTO pawl.run ({NAMES}, attempt, attempts_used, lost_count, outcome, version, started_at, finished_at, result)
            SELECT g, {COLUMNS.format(state=state)}, 1, 1, 0, 'succeeded', repeat('ab', 32), c + (h % 900) * interval '1 ms',
                c + (h % 900 + h % 40000) * interval '1 ms', '{{"rows":12}}'
            FROM {rows(low, high)} WHERE g <= {young} OR g % 11 = 0""")
        print(f"\r{high:,} of {last:,} runs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    database(f"""INSERT INTO pawl.run_live ({NAMES}, pos) SELECT g, {COLUMNS.format(state="'queued'")}, g
        FROM {rows(young + 1, last)} WHERE g % 11 <> 0""")
    waiting = max(1000, backlog // 20)
    database(f"""INSERT INTO pawl.run_waiting ({NAMES}) SELECT g, {COLUMNS.format(state="CASE WHEN h % 3 = 0 THEN 'retrying' ELSE 'scheduled' END")
        .replace(', c, ', ", now() + interval '1 day', ", 1)} FROM {rows(last + 1, last + waiting)}""")
    database(f"SELECT setval('pawl.run_id', {last + waiting}), setval('pawl.run_pos', {last + waiting})")
    database(f"""INSERT INTO pawl.run_mark SELECT now() - interval '{DAYS} days' * (({last} - g)::float8 / {last}), g
        FROM generate_series(1, {last}, greatest(1, {last} / 43000)) g ON CONFLICT DO NOTHING""")
    database("""INSERT INTO pawl.counter_delta (queue, job, state, n) SELECT queue, job, state, count(*)
        FROM (SELECT queue, job, state FROM pawl.run WHERE retention = 30 UNION ALL SELECT queue, job, state FROM pawl.run_live
            UNION ALL SELECT queue, job, state FROM pawl.run_waiting) r GROUP BY 1, 2, 3""")
    # Rollups of the same jobs, in every bucket that would still be there.
    database("""INSERT INTO pawl.rollup (step_s, at, queue, job, state, n, wait_us, run_us, wait, run)
        SELECT p.step_s, date_bin(p.step_s * interval '1 second', now(), 'epoch') - b * p.step_s * interval '1 second',
            CASE WHEN j < 20 THEN 'queue-' || j % 6 ELSE '' END, CASE WHEN j < 20 THEN 'job-' || j ELSE '' END, s.state,
            p.step_s * s.w, p.step_s * s.w * 400000::bigint, p.step_s * s.w * 9000000::bigint, h.h, h.h
        FROM pawl.rollup_plan p CROSS JOIN generate_series(0, 20) j
        CROSS JOIN (VALUES ('succeeded', 5), ('failed', 1), ('queued', 6), ('running', 6)) s (state, w)
        CROSS JOIN LATERAL generate_series(1, least(p.keep_s / p.step_s, 30 * 86400 / p.step_s)::int) b
        CROSS JOIN LATERAL (SELECT coalesce(string_agg(int8send((p.step_s / 10 + 1) * 512 + 100 + e), ''::bytea), '') AS h
            FROM generate_series(1, 10 + 10 * s.w) e WHERE s.w < 6) h
        ON CONFLICT DO NOTHING""")
    database("VACUUM ANALYZE")


def asked(newest):
    def ago(hours):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - hours * 3600))

    runs = {"no filter": "", "state=queued": "state=queued", "state=running": "state=running", "state=scheduled": "state=scheduled",
            "state=failed": "state=failed", "three states": "state=failed&state=cancelled&state=retrying", "job (common)": "job=job-1",
            "job (none)": "job=nobody", "queue": "queue=queue-2", "queue (none)": "queue=nobody", "owner": "owner=user77",
            "owner (none)": "owner=nobody", "organization": "organization=org7", "label": "label.customer=c42",
            "two labels (none)": "label.customer=c42&label.env=nobody", "created_after 1 h ago": f"created_after={ago(1)}",
            "created_before 20 d ago": f"created_before={ago(480)}", "a day, 20 d ago, failed":
            f"created_after={ago(480)}&created_before={ago(456)}&state=failed", "schedule_id": "schedule_id=sch_7",
            "schedule_id (none)": "schedule_id=sch_999", "retry_of": f"retry_of={newest}", "job and state (none)": "job=job-19&state=cancelled&owner=user1",
            "limit=200": "limit=200", "limit=200 with args": "limit=200&include=args,result"}
    paths = {f"/runs {name}": "/api/v1/runs" + ("?" + query if query else "") for name, query in runs.items()}
    return paths | {
        "/queues": "/api/v1/queues", "/queues/{queue}": "/api/v1/queues/queue-2", "/jobs": "/api/v1/jobs", "/overview": "/api/v1/overview",
        "/stats/summary 24 h": "/api/v1/stats/summary", "/stats/summary 5 min": "/api/v1/stats/summary?window_ms=300000",
        "/stats/summary 30 d": "/api/v1/stats/summary?window_ms=2592000000", "/stats/series 1 h": "/api/v1/stats/series",
        "/stats/series 24 h by 5 min": f"/api/v1/stats/series?from={ago(24)}&step_ms=300000",
        "/stats/series of a queue": f"/api/v1/stats/series?from={ago(24)}&step_ms=3600000&queue=queue-1",
        "/jobs/{job}/stats": "/api/v1/jobs/job-3/stats", "/safety/health": "/api/v1/safety/health"}


def measure(host, paths, rounds):
    """Milliseconds of each answer, path after path in turn, so that all see the same machine."""
    place = urlsplit(host.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    times, truncated = {name: [] for name in paths}, {}
    for _ in range(rounds):
        for name, path in paths.items():
            began = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {host.token}"})
            answer = connection.getresponse()
            body = answer.read()
            times[name].append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {body[:300]}")
            truncated[name] = b'"truncated":true' in body
    return times, truncated


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000_000)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    end_orderly()
    with scratch_directory() as scratch:
        cluster = Cluster(scratch / "cluster", "-c max_wal_size=4GB -c autovacuum_naptime=10")

        def database(sql):
            done = subprocess.run(["psql", "-d", cluster.url, "-qAt", "-v", "ON_ERROR_STOP=1", "-c", "SET synchronous_commit = off",
                                   "-c", "SET jit = off", "-c", sql], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise SystemExit(done.stderr)
            return done.stdout.strip()

        host = Host(scratch / "host", database_url=cluster.url)
        try:
            host.start()
            began = time.monotonic()
            fill(database, options.runs, options.backlog)
            size = database("SELECT pg_size_pretty(pg_database_size(current_database()))")
            print(f"{options.runs:,} finished and {options.backlog:,} queued runs, {size}, made in {time.monotonic() - began:.0f} s; "
                  "stock settings of PostgreSQL, fsync on")
            newest = database(f"SELECT pawl.run_name({options.runs - 7})")
            paths = asked(newest)
            measure(host, paths, 3)  # each of the host's connections plans each statement once
            times, truncated = measure(host, paths, options.rounds)
        finally:
            host.end()
            cluster.remove()
    print(f"\n{'request':36} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
    figures = {}
    for name, values in times.items():
        values.sort()
        p99 = values[min(len(values) - 1, int(len(values) * 0.99))]
        figures[name] = {"p50_ms": statistics.median(values), "p99_ms": p99, "max_ms": values[-1], "truncated": truncated[name]}
        print(f"{name:36} {statistics.median(values):8.1f} {p99:8.1f} {values[-1]:8.1f}{'  truncated' if truncated[name] else ''}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
