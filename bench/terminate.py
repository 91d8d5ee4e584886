#!/usr/bin/env python3
"""How long a terminate takes: from before the request's write until the tree is proven empty, for every way to refuse.

Proven empty is the attempt's own `ended_at`: the kernel said that the cgroup is empty, or the monitor that it has no
descendant left. The last column is when a client that polls sees the run as cancelled: the rows are committed by then.
Part of `make bench`; nothing here passes or fails by speed. The limits beside the figures are grace + 100 ms with cgroups
and grace + 500 ms without.
"""

import argparse
import datetime
import json
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import Failure, Host, end_orderly  # noqa: E402

KINDS = [("mischief.sleep", {"ms": 600_000}), ("mischief.spin", {}), ("mischief.deaf", {}), ("mischief.escape", {"children": 5}),
         ("mischief.roll", {"chains": 2}), ("mischief.bomb", {"processes": 20}), ("mischief.stop", {}), ("mischief.read", {}),
         ("mischief.deadlock", {}), ("mischief.burn", {"in_child": True})]
MARGIN = {"cgroup": 100, "none": 500}


def milliseconds(rfc3339):
    return datetime.datetime.fromisoformat(rfc3339.replace("Z", "+00:00")).timestamp() * 1000


def one(host, job, args, grace):
    """Milliseconds until empty, and until a client sees it."""
    run = host.run(job, args, attempts=1)
    host.until(f"/api/v1/runs/{run}", lambda r: r["state"] == "running" and r["pid"], f"the start of {job}")
    time.sleep(0.03)  # Let it do what it is here for.
    began = time.time() * 1000
    host.expect("POST", f"/api/v1/runs/{run}/terminate", {"grace_ms": grace})
    while host.get(run)["state"] == "running":
        time.sleep(0.002)
    seen = time.time() * 1000 - began
    attempt = host.attempts(run)[0]
    # A bomb hands in its result when it is asked to stop, and leaves its processes to us.
    if attempt["outcome"] not in ("terminated", "cancelled", "succeeded" if job == "mischief.bomb" else "terminated"):
        raise Failure(f"{job} ended as {attempt['outcome']}")
    return milliseconds(attempt["ended_at"]) - began, seen


def measure(host, kills, grace, at_once):
    """{job: [(empty, seen)]}; kinds take turns, since the machine's speed drifts."""
    found, todo, lock, trouble = {job: [] for job, _ in KINDS}, [kind for _ in range(kills) for kind in KINDS], threading.Lock(), []

    def work():
        while True:
            with lock:
                if not todo or trouble:
                    return
                job, args = todo.pop()
            try:
                figures = one(host, job, args, grace)
            except Exception as error:
                trouble.append(error)
                return
            with lock:
                found[job].append(figures)

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise trouble[0]
    return found


def quantile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--kills", type=int, default=200, help="of each kind, in each profile")
    words.add_argument("--grace-ms", type=int, default=50)
    words.add_argument("--at-once", type=int, default=3, help="attempts that run beside each other")
    words.add_argument("--json", action="store_true")
    options = words.parse_args()
    end_orderly()
    scratch = Path(tempfile.mkdtemp(prefix="pawl-bench-"))
    scratch.chmod(0o755)
    cluster = Cluster(scratch / "cluster")
    figures = {}
    try:
        for profile in ("cgroup", "none"):
            host = Host(scratch / profile, database_url=cluster.create(f"bench_{profile}"), arguments=["--isolation", profile])
            try:
                try:
                    host.start()
                except Failure:
                    if profile == "cgroup":
                        print("no cgroup v2 here: profile cgroup is left out", file=sys.stderr)
                        continue
                    raise
                figures[profile] = measure(host, options.kills, options.grace_ms, options.at_once)
            finally:
                host.end()
    finally:
        cluster.remove()
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        print(json.dumps(figures))
        return
    print(f"terminate, grace {options.grace_ms} ms, {options.kills} of each kind, {options.at_once} at once; milliseconds")
    print(f"{'':34} {'empty p50':>10} {'p99':>8} {'most':>8}   limit p99   seen by a client p50 / p99")
    for profile, kinds in figures.items():
        for job, pairs in kinds.items():
            empty, seen = [p[0] for p in pairs], [p[1] for p in pairs]
            print(f"{job + ', ' + profile:34} {quantile(empty, .5):10.1f} {quantile(empty, .99):8.1f} {max(empty):8.1f} "
                  f"{options.grace_ms + MARGIN[profile]:9}   {quantile(seen, .5):18.1f} / {quantile(seen, .99):.1f}")


if __name__ == "__main__":
    main()
