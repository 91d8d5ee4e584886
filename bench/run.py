#!/usr/bin/env python3
"""make bench: Pawl's figures beside limits measured in the same run.

Nothing here passes or fails by speed; every figure stands next to what the machine can do at all, so that a slow or noisy
machine shows in both. Prints a table, and with --json the raw figures.

  drain           no-op runs, one forked process per attempt, in pooled children, and in such with pool_ahead 8, from the queue's resume to the last commit
    limits        bare fork: clone3 + same cgroup + thread + request and reply, same parallelism, no database;
                  SQL: rows of the same shape claimed and settled by libpq alone, in batches as large as ours
  ten log lines   as pooled no-op runs, each of which prints ten lines, every line in the database before its run's outcome
  processor time  of each part per pooled run, from /proc: it tells a busy machine from a slow program
  idle latency    from before the POST's write to the handler's first clock read, in a fork and in a pooled child
    limit         one row stored and claimed in one commit + one bare fork
  memory          resident, at the end: of the host, of a zygote and of one of its pooled children
  loop lag p99    lateness of the host's 10 ms timer over the whole run
  attempts        per second in the four modes, for a no-op handler in C and one in Swift that reads a small file, without
                  a database: host loop, zygote and children alone (--attempts measures only these)
    limit         bare fork, as above, with the same parallelism
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from pawl_cluster import Cluster  # noqa: E402  (the same host and database helpers as the tests)
from pawl_host import BIN, Host  # noqa: E402
from pawl_processes import descendants, resident_bytes, until  # noqa: E402


def compiled(directory, name, *libraries):
    program = directory / name
    include = subprocess.run(["pg_config", "--includedir"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["cc", "-std=c11", "-O2", f"-I{include}", "-o", str(program), str(ROOT / "bench" / f"{name}.c"),
                    *libraries], check=True)
    return program


def printed(program, *arguments):
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise SystemExit(f"{program.name}: {done.stderr}")
    return json.loads(done.stdout)


def ok(answer):
    if answer.status >= 300:
        raise SystemExit(f"the host answered {answer}")
    return answer.json


def finished(cluster):
    """Runs that have succeeded, from the counters: nothing that is measured waits for a count."""
    return int(cluster.look("select coalesce(sum(n), 0) from (select n from pawl.run_counter where state = 'succeeded' "
                            "union all select n from pawl.counter_delta where state = 'succeeded') c"))


def drain(host, cluster, runs, job="mischief.noop", args=None):
    """Seconds from the queue's resume until every run is in the history."""
    before = finished(cluster)
    ok(host.call("POST", "/api/v1/queues/default/pause", {"reason": "bench"}))
    for _ in range(runs // 1000):
        items = [{"job": job, "args": args or {}}] * 1000
        ok(host.call("POST", "/api/v1/runs/batch", {"items": items},
                     headers={"Idempotency-Key": f'"{os.urandom(8).hex()}"'}))
    began = time.monotonic()
    ok(host.call("POST", "/api/v1/queues/default/resume", {}))
    while (done := finished(cluster) - before) < runs:
        if time.monotonic() - began > 600:
            raise SystemExit(f"{done} of {runs} runs ended")
        time.sleep(0.1)
    return time.monotonic() - began


def processor_time():
    """Seconds used so far, by the name of the process."""
    used, tick = {}, os.sysconf("SC_CLK_TCK")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            line = Path("/proc", entry, "stat").read_text()
        except OSError:
            continue
        name, fields = line[line.index("(") + 1:line.rindex(")")], line[line.rindex(")") + 2:].split()
        used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / tick
    return used


def pooled(host):
    """Jobs over the same handlers, whose runs share children."""
    for name, handler in {"bench.pooled": "mischief.noop", "bench.latency": "mischief.latency", "bench.logged": "mischief.print"}.items():
        ok(host.call("POST", "/api/v1/jobs", {"name": name, "handler": handler, "settings": {"execution": {"mode": "pool"}}}))
    ok(host.call("POST", "/api/v1/jobs", {"name": "bench.ahead", "handler": "mischief.noop",
                                          "settings": {"execution": {"mode": "pool", "pool_ahead": 8}}}))


def memory(host):
    """Resident bytes: of the host, of its largest zygote, and of the largest of the children that wait for a run."""
    found = {"host": resident_bytes(host.process.pid)}
    for pid in descendants(host.process.pid):
        try:
            name, size = Path(f"/proc/{pid}/comm").read_text().strip(), resident_bytes(pid)
        except OSError:
            continue
        part = "zygote" if name == "pawl-zygote" else "child" if name.startswith("mischief.") else None
        if part:
            found[part] = max(found.get(part, 0), size)
    return found


def latencies(host, scratch, rounds, job):
    """Microseconds from before the POST's write to the handler's first clock read, one run at a time on an idle host.

    The client costs next to nothing: what reads an answer on the processor on which the handler is to begin is part of it."""
    body = scratch / "latency.json"
    body.write_text(json.dumps({"job": job, "args": {}}))
    written = printed(compiled(scratch, "post"), "127.0.0.1", host.port, host.token, "/api/v1/runs", body, 1, rounds, "pause")
    started = []
    for began, place in written:
        run = place.rsplit("/", 1)[1]
        done = until(lambda: (lambda r: r if r["state"] == "succeeded" else None)(host.get(run)), 10)
        started.append(done["result"]["clock_unix_us"] - began)
    return sorted(started)


def attempts(scratch, barefork, cgroup, options):
    """Attempts per second by plugin and mode beside bare forks, interleaved: the machine's speed drifts."""
    words = scratch / "words.txt"
    words.write_text("one two\nthree two\n")
    handlers = {"C": (BIN / "plugins" / "mischief.so", "mischief.noop", {}),
                "Swift": (BIN / "plugins" / "text-stats.so", "text.stats", {"path": str(words)})}
    runs = {"fork": 1, "spare": 1, "pool": 10, "spawn": 0.3}
    found = {"bare": []} | {f"{name} {mode}": [] for name in handlers for mode in runs}
    profile = "cgroup" if cgroup else "none"
    for _ in range(options.rounds):
        found["bare"].append(printed(barefork, options.attempt_runs, options.parallel, cgroup)["per_second"])
        for name, (plugin, handler, args) in handlers.items():
            for mode, share in runs.items():
                done = printed(BIN / "bench-attempts", BIN / "pawl-zygote", plugin, handler, json.dumps(args), mode,
                               int(options.attempt_runs * share), options.parallel, profile)
                found[f"{name} {mode}"].append(done["per_second"])
    return found


def print_attempts(found, options):
    middle = {name: statistics.median(figures) for name, figures in found.items()}
    print(f"attempts per second without a database, {options.parallel} at once; medians of {options.rounds} rounds")
    print(f"{'  limit: bare fork':34} {middle['bare']:>9,.0f} /s")
    for name, figure in middle.items():
        if name == "bare":
            continue
        fork = middle[name.split()[0] + " fork"]
        print(f"{'  ' + name:34} {figure:>9,.0f} /s      {figure / middle['bare']:.2f} of bare forks, "
              f"{figure / fork:.1f} times fork")


def lag(host):
    """Quantile bound of the loop's lag from the exported histogram, in milliseconds."""
    text = host.call("GET", "/metrics").body.decode()
    view = ok(host.call("GET", "/api/v1/hosts"))["items"][0]
    total, buckets = 0, []
    for line in text.splitlines():
        if line.startswith("pawl_event_loop_lag_seconds_bucket"):
            buckets.append((line.split('le="')[1].split('"')[0], float(line.rsplit(" ", 1)[1])))
        if line.startswith("pawl_event_loop_lag_seconds_count"):
            total = float(line.rsplit(" ", 1)[1])
    bound = next((le for le, n in buckets if total and n >= 0.99 * total), "+Inf")
    return {"p99_at_most_s": bound, "samples": total, "p99_ms": view.get("loop_lag_p99_ms")}


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--runs", type=int, default=10_000, help="no-op runs per round (thousands)")
    words.add_argument("--pooled-runs", type=int, default=50_000, help="no-op runs in pooled children per round (thousands)")
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--latency-rounds", type=int, default=200)
    words.add_argument("--json", action="store_true")
    words.add_argument("--attempts", action="store_true", help="only attempts without a database")
    words.add_argument("--attempt-runs", type=int, default=3000, help="attempts per mode and round, without a database")
    words.add_argument("--parallel", type=int, default=16, help="attempts at once, without a database")
    options = words.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="pawl-bench-"))
    scratch.chmod(0o755)
    slots = max(16, 4 * os.cpu_count())
    cgroup = next((p for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if Path(p, "cgroup.procs").exists()
                   and os.access(p, os.W_OK)), "")
    if options.attempts:
        try:
            found = attempts(scratch, compiled(scratch, "barefork", "-lpthread"), cgroup, options)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        print(json.dumps(found)) if options.json else print_attempts(found, options)
        return
    cluster = Cluster(scratch / "cluster")
    host = Host(scratch / "host", database_url=cluster.url)
    figures = {"slots": slots, "drain": [], "pooled": [], "ahead": [], "logged": [], "fork": [], "sql": [], "sql_large": [], "cpu_us": {}}
    try:
        barefork = compiled(scratch, "barefork", "-lpthread")
        sqllimit = compiled(scratch, "sqllimit", "-lpq")
        host.start()
        ok(host.call("GET", "/api/v1/queues"))
        pooled(host)
        drain(host, cluster, 1000)  # Warm.
        drain(host, cluster, 1000, "bench.pooled")
        for _ in range(options.rounds):  # Interleaved: the machine's speed drifts.
            figures["fork"].append(printed(barefork, options.runs, slots, cgroup)["per_second"])
            figures["drain"].append(round(options.runs / drain(host, cluster, options.runs)))
            figures["sql"].append(printed(sqllimit, cluster.url, options.runs, 64)["per_second"])
            before = processor_time()
            figures["pooled"].append(round(options.pooled_runs / drain(host, cluster, options.pooled_runs, "bench.pooled")))
            after = processor_time()
            figures["cpu_us"] = {name: round((after[name] - before.get(name, 0)) / options.pooled_runs * 1e6, 1)
                                 for name in ("pawl", "postgres", "mischief.noop") if name in after}
            figures["ahead"].append(round(options.pooled_runs / drain(host, cluster, options.pooled_runs, "bench.ahead")))
            logged = max(1000, options.pooled_runs // 10 // 1000 * 1000)
            figures["logged"].append(round(logged / drain(host, cluster, logged, "bench.logged", {"lines": 10})))
            figures["sql_large"].append(printed(sqllimit, cluster.url, options.pooled_runs, 500)["per_second"])
        for name, job in {"latency_us": "mischief.latency", "pooled_latency_us": "bench.latency"}.items():
            found = latencies(host, scratch, options.latency_rounds, job)
            figures[name] = {"p50": found[len(found) // 2], "p99": found[len(found) * 99 // 100]}
        single = printed(barefork, 500, 1, cgroup)["p50_us"]
        commits = printed(sqllimit, cluster.url, "idle", 200)["p50_us"]
        figures["latency_limit_us"] = single + commits
        figures["lag"] = lag(host)
        figures["resident_bytes"] = memory(host)
        figures["attempts"] = attempts(scratch, barefork, cgroup, options)
        for setting in ("fsync", "synchronous_commit", "shared_buffers", "server_version"):
            figures[setting] = cluster.query(f"show {setting}")
    finally:
        try:
            host.stop()
        finally:
            cluster.stop("fast")
            shutil.rmtree(cluster.sockets, ignore_errors=True)
            shutil.rmtree(scratch, ignore_errors=True)
    middle = {name: statistics.median(figures[name]) for name in ("drain", "pooled", "ahead", "logged", "fork", "sql", "sql_large")}
    if options.json:
        print(json.dumps({**figures, "median": middle}))
        return
    print(f"PostgreSQL {figures['server_version']}, fsync {figures['fsync']}, synchronous_commit "
          f"{figures['synchronous_commit']}, shared_buffers {figures['shared_buffers']}; {os.cpu_count()} processors, "
          f"{slots} slots; medians of {options.rounds} rounds")
    print(f"{'drain, fork per attempt':34} {middle['drain']:>9,.0f} runs/s")
    print(f"{'  limit: bare fork':34} {middle['fork']:>9,.0f} /s      ours is {middle['drain'] / middle['fork']:.2f} of it")
    print(f"{'  limit: SQL of the same shape':34} {middle['sql']:>9,.0f} /s      ours is {middle['drain'] / middle['sql']:.2f} of it")
    both = 1 / (1 / middle["fork"] + 1 / middle["sql"])
    print(f"{'  limit: both, one after the other':34} {both:>9,.0f} /s      ours is {middle['drain'] / both:.2f} of it")
    print(f"{'drain, pooled children':34} {middle['pooled']:>9,.0f} runs/s   processor time per run, us, enqueue included: "
          + ", ".join(f"{name} {us}" for name, us in figures["cpu_us"].items()))
    print(f"{'  limit: SQL of the same shape':34} {middle['sql_large']:>9,.0f} /s      "
          f"ours is {middle['pooled'] / middle['sql_large']:.2f} of it")
    print(f"{'  sent ahead, 8 to a child':34} {middle['ahead']:>9,.0f} runs/s   {middle['ahead'] / middle['sql_large']:.2f} of that limit")
    print(f"{'  ten log lines each':34} {middle['logged']:>9,.0f} runs/s   {10 * middle['logged']:,.0f} lines/s")
    latency, limit = figures["latency_us"], figures["latency_limit_us"]
    print(f"{'idle latency p50 / p99':34} {latency['p50'] / 1000:>9.2f} / {latency['p99'] / 1000:.2f} ms")
    warm = figures["pooled_latency_us"]
    print(f"{'  in a pooled child':34} {warm['p50'] / 1000:>9.2f} / {warm['p99'] / 1000:.2f} ms")
    print(f"{'  limit: one commit and a bare fork':34} {limit / 1000:>9.2f} ms      ours is {latency['p50'] / limit:.2f} times it")
    print(f"{'loop lag p99':34} {figures['lag']['p99_ms']} ms (at most {figures['lag']['p99_at_most_s']} s by the histogram, "
          f"{figures['lag']['samples']:.0f} samples)")
    print_attempts(figures["attempts"], options)
    sizes = {part: f"{size / 1e6:.1f} MB" for part, size in figures["resident_bytes"].items()}
    print(f"{'resident memory':34} " + ", ".join(f"{part} {size}" for part, size in sizes.items()))


if __name__ == "__main__":
    main()
