#!/usr/bin/env python3
"""bench/enqueue.py: how fast runs are taken, beside what PostgreSQL alone takes of rows of the same shape, in the same run.

Each figure is the median of interleaved rounds; the machine's speed drifts, the ratios stay. The queue is paused, so that
nothing is executed meanwhile. The client is bench/post.c: it costs next to nothing and shares the machine with host and database.

  single      POST /runs, one caller and eight; each answer is a committed run
  batch       POST /runs/batch with 1,000 and 10,000 items on two and four connections
  SQL         unnest of the same number of rows per commit, on as many connections, by libpq alone
  pawl.enqueue  in SQL, 5,000 calls in one transaction, without and with a unique key
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
import urllib.parse
from pathlib import Path

from run import Cluster, Host, compiled, lag, ok, printed


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--singles", type=int, default=4000, help="single requests per round")
    words.add_argument("--rows", type=int, default=200_000, help="rows of batches per round")
    words.add_argument("--json", action="store_true")
    options = words.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="pawl-bench-"))
    scratch.chmod(0o755)
    cluster = Cluster(scratch / "cluster")
    host = Host(scratch / "host", database_url=cluster.url)
    found = {}
    try:
        post = compiled(scratch, "post")
        limit = compiled(scratch, "enqueuelimit", "-lpq")
        host.start()
        ok(host.call("POST", "/api/v1/queues/default/pause", {"reason": "bench"}))
        address = urllib.parse.urlsplit(host.url)

        def body(name, value):
            path = scratch / name
            path.write_text(json.dumps(value))
            return path

        item = {"job": "mischief.noop", "args": {"n": 12345}}
        single = body("single", item)
        batches = {size: body(f"batch-{size}", {"items": [item] * size}) for size in (1000, 10_000)}

        def measure(name, program, *arguments, scale=1):
            result = printed(program, *arguments)
            found.setdefault(name, []).append(result["per_second"] * scale)
            if "p50_us" in result:
                found.setdefault(name + " p50 us", []).append(result["p50_us"])

        def requests(name, path, file, connections, count, scale=1, keyed=()):
            measure(name, post, address.hostname, address.port, host.token, path, file, connections, count, *keyed, scale=scale)

        def clear():
            cluster.query("truncate pawl.run_live, pawl.run_key")
            cluster.query("checkpoint")

        def calls(name, options_text, count=5000):
            began = time.monotonic()
            cluster.query(f"select count(pawl.enqueue('mischief.noop', json_build_object('n', i), '{options_text}')) "
                          f"from generate_series(1, {count}) i")
            found.setdefault(name, []).append(count / (time.monotonic() - began))
            clear()

        for _ in range(options.rounds):
            for callers in (1, 8):
                requests(f"single, {callers} caller{'s' * (callers > 1)}", "/api/v1/runs", single, callers, options.singles)
                measure(f"  SQL, 1 row per commit, {callers} connections", limit, cluster.url, options.singles, 1, callers)
            clear()
            for size in (1000, 10_000):
                for connections in (2, 4):
                    count = max(connections, options.rows // size)
                    requests(f"batch of {size:,}, {connections} connections", "/api/v1/runs/batch", batches[size], connections, count,
                             scale=size, keyed=("key",))
                    clear()
                measure(f"  SQL, {min(size, 1000):,} rows per commit, 2 connections", limit, cluster.url, options.rows, min(size, 1000), 2)
            clear()
            calls("pawl.enqueue, 5,000 in one transaction", "{}")
            calls("pawl.enqueue with a unique key", '{"unique": {}}')
        figures = {name: statistics.median(values) for name, values in found.items()}
        figures["lag"] = lag(host)
        figures["rss_bytes"] = ok(host.call("GET", "/api/v1/hosts"))["items"][0].get("resident_bytes")
        settings = {name: cluster.query(f"show {name}") for name in ("fsync", "synchronous_commit", "shared_buffers", "server_version")}
    finally:
        try:
            host.stop()
        finally:
            cluster.stop("fast")
            shutil.rmtree(cluster.sockets, ignore_errors=True)
            shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        print(json.dumps({**figures, **settings, "rounds": found}))
        return
    print(f"PostgreSQL {settings['server_version']}, fsync {settings['fsync']}, synchronous_commit {settings['synchronous_commit']}, "
          f"shared_buffers {settings['shared_buffers']}; {os.cpu_count()} processors; medians of {options.rounds} rounds")
    for name, value in figures.items():
        if name.endswith(" p50 us") or name in ("lag", "rss_bytes"):
            continue
        middle = figures.get(name + " p50 us")
        print(f"{name:42} {value:>12,.0f} rows/s" + (f"   p50 {middle / 1000:.2f} ms" if middle else ""))
    print(f"loop lag p99 {figures['lag']['p99_ms']} ms; the host has {(figures['rss_bytes'] or 0) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
