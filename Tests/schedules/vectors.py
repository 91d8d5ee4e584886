"""Writes vectors.tsv: questions with the answers of the oracles.

    python Tests/schedules/vectors.py > Tests/schedules/vectors.tsv

Every row is JSON of a question (as `pawl schedules preview --lines` reads it), a tab, and the times. They stay in the tests, so
that the scheduler can be checked without Python's libraries, and so that a change of the oracles is seen. Only zones whose
rules have not changed for long, and years that any tzdata of this decade knows.
"""
import json
import random
import signal
import sys

import clocks
import oracle
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

ZONES = ["Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Australia/Sydney",
         "Australia/Lord_Howe", "America/St_Johns", "Pacific/Auckland", "Asia/Tokyo", "Asia/Kolkata"]
BEGIN, END = datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2025, 1, 1, tzinfo=timezone.utc)


def main():
    signal.signal(signal.SIGALRM, oracle.give_up)
    chooser = random.Random(2026)
    print("# Made by vectors.py: a question and the times that the oracles give.")
    rows = 0
    while rows < 600:
        name = ZONES[rows % len(ZONES)]
        changes = clocks.transitions(ZoneInfo(name), BEGIN, END) or [datetime(2024, 2, 29, 12, 7, tzinfo=timezone.utc)]
        case, expected, limit = oracle.make(chooser, name, chooser.choice(changes))
        if not expected or len(expected) > 12 or (limit and len(expected) >= case["count"]):
            continue
        # Of a scan: what lies beyond its reach is not known.
        case["count"] = len(expected)
        if expected[-1].year > 2036:
            continue
        print(json.dumps(case, separators=(",", ":")) + "\t" + " ".join(map(oracle.stamp, expected)))
        rows += 1
    print(f"{rows} rows", file=sys.stderr)


if __name__ == "__main__":
    main()
