"""latency.py [COUNT] - times of a no-op attempt in us, per profile: from SPAWN's write to RESULT's read, and inside it
from the fork to STARTED by the processes' own clocks. Not a test: figures depend on what else the machine does, and the
driver is Python."""

import statistics
import struct
import sys
import time

from driver import BIN, PROFILES, RESULT, STARTED, Zygote

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1000


def quantiles(values):
    cuts = statistics.quantiles(values, n=100)
    return f"min {min(values):6.0f}  median {statistics.median(values):6.0f}  p90 {cuts[89]:6.0f}  p99 {cuts[98]:6.0f}"


for profile in PROFILES:
    whole, inside = [], []
    with Zygote(BIN / "plugins" / "mischief.so", profile) as zygote:
        for i in range(COUNT + 20):
            attempt = zygote.spawn("mischief.noop")
            attempt.wait(RESULT)
            took = (time.perf_counter() - attempt.sent_at) * 1e6
            attempt.spawned()
            started = struct.unpack("<QQ", next(f for f in attempt.frames if f[0] == STARTED)[2])[0]
            if i >= 20:
                whole.append(took)
                inside.append(max(0, started - attempt.spawned_ns) / 1e3)
            attempt.exited(), attempt.reap(), attempt.close()
    print(f"{profile:7} SPAWN -> RESULT   {quantiles(whole)}")
    print(f"{profile:7} fork  -> STARTED  {quantiles(inside)}")
