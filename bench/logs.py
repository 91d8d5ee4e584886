#!/usr/bin/env python3
"""How fast log lines reach the database, beside the bare COPY of the same rows; and the host's memory while it is away.

Rounds alternate: some runs print numbered lines at once and the time is taken until all of them are committed; then the rows of that round
go into an empty table of the same shape, 5,000 in each COPY as the host writes them, by psql on the same server. Durability as the server has it
(fsync and synchronous_commit on).

    bench/logs.py [--lines 300000] [--runs 2] [--rounds 3] [--seconds-away 10]
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import Host, end_orderly, scratch_directory  # noqa: E402
from pawl_processes import until  # noqa: E402

COLUMNS = "run_id, seq, attempt, time, stream, level, stage, message, fields, retention"


def metrics(host):
    text = host.call("GET", "/metrics").body.decode()
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}


def memory(host):
    status = pathlib.Path(f"/proc/{host.process.pid}/status").read_text()
    return {name: int(re.search(rf"{name}:\s+(\d+) kB", status).group(1)) / 1024 for name in ("VmRSS", "VmHWM")}


def flood(host, runs, lines):
    """Seconds from the first request to the last commit, and how late the loop was meanwhile."""
    before = metrics(host)["pawl_log_lines_total"]
    began = time.monotonic()
    ids = [host.run("mischief.print", {"lines": lines}) for _ in range(runs)]
    # The attempts' last words included.
    until(lambda: metrics(host)["pawl_log_lines_total"] >= before + runs * (lines + 1), 300, "all lines")
    took = time.monotonic() - began
    for run in ids:
        assert host.wait_state(run)["state"] == "succeeded"
        assert host.attempts(run)[0]["dropped_log_lines"] == 0
    return took


def bare(cluster, scratch):
    """Seconds for the rows that are in the log now, into an empty table of the same shape."""
    script = scratch / "bare.sql"
    psql = ["psql", "-h", str(cluster.sockets), "-U", "pawl", "-d", "pawl", "-qAt", "-v", "ON_ERROR_STOP=1"]
    rows = subprocess.run([*psql, "-c", f"COPY (SELECT {COLUMNS} FROM pawl.run_log) TO STDOUT"], stdout=subprocess.PIPE,
                          check=True).stdout.splitlines(keepends=True)
    cluster.query("DROP TABLE IF EXISTS bare; CREATE TABLE bare (LIKE pawl.run_log INCLUDING ALL)")
    with open(script, "wb") as out:
        for start in range(0, len(rows), 5000):
            out.write(f"COPY bare ({COLUMNS}) FROM STDIN;\n".encode())
            out.writelines(rows[start:start + 5000])
            out.write(b"\\.\n")
    began = time.monotonic()
    subprocess.run([*psql, "-f", str(script)], check=True)
    took = time.monotonic() - began
    assert cluster.query("SELECT count(*) FROM bare") == str(len(rows))
    return len(rows), took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=300_000, help="that each run prints")
    parser.add_argument("--runs", type=int, default=2, help="at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds-away", type=float, default=10, help="how long the database is stopped under a flood")
    options = parser.parse_args()
    end_orderly()
    with scratch_directory() as scratch:
        cluster = Cluster(scratch / "cluster")
        host = Host(scratch / "host", database_url=cluster.url)
        try:
            host.start()
            tag = host.call("GET", "/api/v1/jobs/mischief.print").headers["ETag"]
            host.expect("PATCH", "/api/v1/jobs/mischief.print/settings", {"limits": {"output_bytes": 1 << 40}},
                        headers={"If-Match": tag})
            ours, theirs = [], []
            for number in range(options.rounds):
                took = flood(host, options.runs, options.lines)
                ours.append(options.runs * options.lines / took)
                rows, copied = bare(cluster, scratch)
                theirs.append(rows / copied)
                cluster.query("TRUNCATE pawl.run_log, pawl.run_log_index")
                print(f"round {number + 1}: {ours[-1]:9,.0f} lines/s end to end, {theirs[-1]:9,.0f} rows/s bare COPY, "
                      f"{ours[-1] / theirs[-1]:.0%}", flush=True)
            result = {
                "lines_per_second": round(statistics.median(ours)), "bare_copy_rows_per_second": round(statistics.median(theirs)),
                "share": round(statistics.median(ours) / statistics.median(theirs), 3), "rss_mb_after_floods": memory(host)}
            run = host.run("mischief.print", {"lines": 100_000_000})
            until(lambda: metrics(host)["pawl_log_lines_total"] > 0 and host.get(run)["state"] == "running", 30, "a flood")
            cluster.stop("immediate")
            time.sleep(options.seconds_away)
            figures = metrics(host)
            result["away"] = {
                "seconds": options.seconds_away, "spilled_lines": int(figures["pawl_log_spilled_lines_total"]),
                "spilled_mb": round(figures["pawl_log_spilled_bytes"] / (1 << 20), 1),
                "buffer_mb": round(figures["pawl_log_buffer_bytes"] / (1 << 20), 1), **memory(host)}
            cluster.start()
            began = time.monotonic()
            host.wait_ready(60)
            host.call("POST", f"/api/v1/runs/{run}/terminate", {"grace_ms": 0})
            until(lambda: metrics(host)["pawl_log_spilled_bytes"] == 0, 300, "an empty file")
            result["away"]["replay_seconds"] = round(time.monotonic() - began, 1)
            print(json.dumps(result, indent=1))
        finally:
            host.end()
            cluster.remove()


if __name__ == "__main__":
    main()
