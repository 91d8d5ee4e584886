"""Was it exactly one outcome for each? A pure function over what was recorded: no host, no database, no clock.

A record is a dictionary of lists; every time is in microseconds since 1970 by the database's clock (effects: by the same machine's).

  accepted   {id, tag, job, fail, attempts, next}  answered with 201; fail: in its first attempts; next: the tag of its follow-up run
  unknown    {tag}                                  asked for, and nobody answered: there may be such a run, or none
  batches    {tags}                                 asked for together: all of them are there, or none
  seen       {id, state}                            a terminal state that somebody read while all went on
  runs       {id, tag, job, state, attempt, attempts_used, lost_count, reason}   rows of the history, at the end
  live       {id, state}                            rows of runs without an end, at the end
  attempts   {run, attempt, outcome, reason, host, epoch, queue, claimed, started, ended}   started, ended may be null
  effects    {tag, run, attempt, at}                what handlers have done to the world
  follow_ups {parent, child}
  pauses     {queue, from, until}                   from: after the answer to the pause; until: before the resume was asked for
  limits     {queue, limit}                         how many of it may execute at once, on all hosts
  exclusive  {queue, from}                          served by one host at a time from then on
"""

import json
import sys
from collections import Counter, defaultdict

TERMINAL = {"succeeded", "failed", "cancelled"}
OUTCOMES = {"succeeded", "error", "crashed", "timed_out", "out_of_memory", "cancelled", "terminated", "lost", "snoozed"}
# Of these the handler has said the last word: it was there, so it has had its effect.
SPOKEN = {"succeeded", "error", "snoozed"}
# A claim begins its transaction, and may then wait for the one that frees a slot.
SLACK = 250_000
EACH = 5


class Faults(list):
    """Sentences; of each kind the first few, and how many there were."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def add(self, kind, words):
        self.counts[kind] += 1
        if self.counts[kind] <= EACH:
            self.append(f"{kind}: {words}")


def check(record):
    """What is wrong with it: sentences; none if nothing is."""
    faults = Faults()
    runs = by_id(faults, record)
    attempts = by_attempt(faults, record, runs)
    accepted_and_finished(faults, record, runs)
    batches(faults, record, runs)
    seen_stays(faults, record, runs)
    ends(faults, record, runs, attempts)
    effects(faults, record, runs, attempts)
    follow_ups(faults, record, runs)
    pauses(faults, record)
    limits(faults, record)
    exclusive(faults, record)
    return list(faults) + [f"{kind}: {n} in all" for kind, n in faults.counts.items() if n > EACH]


def by_id(faults, record):
    runs = {}
    for run in record["runs"]:
        if run["id"] in runs:
            faults.add("ended twice", f"{run['id']} is {runs[run['id']]['state']} and {run['state']}")
        if run["state"] not in TERMINAL:
            faults.add("no end", f"{run['id']} is in the history as {run['state']}")
        runs[run["id"]] = run
    for row in record["live"]:
        words = f"{row['id']} is {row['state']}"
        faults.add("ended and live" if row["id"] in runs else "not finished", words)
    return runs


def by_attempt(faults, record, runs):
    attempts = defaultdict(dict)
    for row in record["attempts"]:
        mine = attempts[row["run"]]
        if row["attempt"] in mine:
            faults.add("attempt number twice", f"{row['run']} attempt {row['attempt']}")
        mine[row["attempt"]] = row
        if row["outcome"] not in OUTCOMES:
            faults.add("attempt without an outcome", f"{row['run']} attempt {row['attempt']}: {row['outcome']}")
        if row["run"] not in runs:
            faults.add("attempt of no run", f"{row['run']} attempt {row['attempt']}")
        elif row["attempt"] > runs[row["run"]]["attempt"]:
            faults.add("attempt after the last", f"{row['run']} attempt {row['attempt']} of {runs[row['run']]['attempt']}")
    return attempts


def accepted_and_finished(faults, record, runs):
    asked = Counter(row["tag"] for row in record["accepted"])
    for row in record["accepted"]:
        if row["id"] not in runs:
            faults.add("accepted and lost", row["id"])
        elif runs[row["id"]]["tag"] != row["tag"]:
            faults.add("another run's id", f"{row['id']} has tag {runs[row['id']]['tag']}, not {row['tag']}")
    for tag, number in asked.items():
        if number > 1:
            faults.add("accepted twice", f"tag {tag}, {number} times")
    of_tag = Counter(run["tag"] for run in runs.values())
    known = set(asked) | {row["tag"] for row in record["unknown"]} | {row["next"] for row in record["accepted"] if row.get("next")}
    known |= {row["next"] for row in record["unknown"] if row.get("next")}
    for tag, number in of_tag.items():
        if tag not in known:
            faults.add("from nowhere", f"a run with tag {tag} that nobody asked for")
        if number > 1:
            faults.add("made twice", f"tag {tag}: {number} runs")


def batches(faults, record, runs):
    there = {run["tag"] for run in runs.values()}
    for row in record["batches"]:
        number = sum(tag in there for tag in row["tags"])
        if 0 < number < len(row["tags"]):
            faults.add("half a batch", f"{number} of {len(row['tags'])} runs: {row['tags'][0]} to {row['tags'][-1]}")


def seen_stays(faults, record, runs):
    for row in record["seen"]:
        if row["id"] not in runs:
            faults.add("an end that was taken back", f"{row['id']} was {row['state']}, and is not there any more")
        elif runs[row["id"]]["state"] != row["state"]:
            faults.add("an end that changed", f"{row['id']} was {row['state']}, and is {runs[row['id']]['state']}")


def ends(faults, record, runs, attempts):
    for run in runs.values():
        mine = attempts.get(run["id"], {})
        good = [n for n, a in mine.items() if a["outcome"] == "succeeded"]
        if len(good) > 1:
            faults.add("succeeded twice", f"{run['id']} in attempts {sorted(good)}")
        if run["state"] == "succeeded" and not good:
            faults.add("succeeded without an attempt that did", run["id"])
        if run["state"] != "succeeded" and good:
            faults.add("an attempt succeeded and its run did not", f"{run['id']} is {run['state']}")
        if good and max(mine) > max(good):
            faults.add("an attempt after the one that succeeded", f"{run['id']}: {sorted(mine)}, succeeded {good}")
        counted = sum(a["outcome"] not in ("lost", "snoozed") for a in mine.values())
        if counted < run["attempts_used"]:
            faults.add("used more attempts than there were", f"{run['id']}: {run['attempts_used']} of {counted}")
    for row in record["accepted"]:
        run = runs.get(row["id"])
        if run is None:
            continue
        if run["attempts_used"] > row["attempts"]:
            faults.add("more attempts than allowed", f"{row['id']}: {run['attempts_used']} of {row['attempts']}")
        if run["state"] == "failed" and run["reason"] != "lost" and run["attempts_used"] < row["attempts"]:
            faults.add("failed too early", f"{row['id']}: {run['attempts_used']} of {row['attempts']} attempts used")
        if run["state"] == "cancelled":
            faults.add("cancelled by nobody", row["id"])


def effects(faults, record, runs, attempts):
    of = Counter()
    for row in record["effects"]:
        key = row["run"], row["attempt"]
        of[key] += 1
        run = runs.get(row["run"])
        if run is None:
            faults.add("effect of no run", f"{row['run']} attempt {row['attempt']} ({row['tag']})")
        elif run["tag"] != row["tag"]:
            faults.add("effect of another run", f"{row['run']} did {row['tag']} instead of {run['tag']}")
        elif row["attempt"] not in attempts.get(row["run"], {}):
            faults.add("effect of an attempt that never was", f"{row['run']} attempt {row['attempt']}")
    for (run, attempt), number in of.items():
        if number > 1:
            faults.add("an attempt was executed twice", f"{run} attempt {attempt}, {number} times")
    for run, mine in attempts.items():
        for number, attempt in mine.items():
            if attempt["outcome"] in SPOKEN and not of[run, number]:
                faults.add("no effect", f"{run} attempt {number}: {attempt['outcome']}")


def follow_ups(faults, record, runs):
    children = defaultdict(list)
    for row in record["follow_ups"]:
        children[row["parent"]].append(row["child"])
    for row in record["accepted"]:
        run = runs.get(row["id"])
        if run is None or not row.get("next"):
            continue
        mine = children.get(row["id"], [])
        tags = [runs[child]["tag"] if child in runs else None for child in mine]
        expected = [row["next"]] if run["state"] == "succeeded" else []
        if tags != expected:
            faults.add("follow-ups", f"{row['id']} is {run['state']} and has {tags}, not {expected}")


def pauses(faults, record):
    spans = defaultdict(list)
    for row in record["pauses"]:
        spans[row["queue"]].append((row["from"], row["until"]))
    for row in record["attempts"]:
        for since, until in spans.get(row["queue"], ()):
            if row["claimed"] is not None and since < row["claimed"] < until:
                faults.add("claimed from a paused queue", f"{row['run']} attempt {row['attempt']} at {row['claimed']}, paused {since}-{until}")


def executing(record, queue):
    """[(from, until, attempt)] of a queue, in order; the beginning is later by the slack."""
    spans = [(row["claimed"] + SLACK, row["ended"], row) for row in record["attempts"]
             if row["queue"] == queue and row["claimed"] is not None and row["ended"] is not None]
    return sorted(((a, b, row) for a, b, row in spans if a < b), key=lambda span: span[0])


def limits(faults, record):
    for row in record["limits"]:
        busy = []
        for since, until, attempt in executing(record, row["queue"]):
            busy = [end for end in busy if end > since]
            busy.append(until)
            if len(busy) > row["limit"]:
                faults.add("over the limit", f"queue {row['queue']}: {len(busy)} instead of {row['limit']} with "
                           f"{attempt['run']} attempt {attempt['attempt']} at {since}")


def exclusive(faults, record):
    for row in record["exclusive"]:
        last = None
        for since, until, attempt in executing(record, row["queue"]):
            if since < row["from"]:
                continue
            who = attempt["host"], attempt["epoch"]
            if last is not None and last[0] != who and last[1] > since:
                faults.add("two hosts in an exclusive queue", f"{row['queue']}: {last[0]} and {who} at {since}")
            if last is None or until > last[1] or last[0] != who:
                last = who, until


def main():
    """checker.py record.json: looks once more at what a failed run of chaos.py has left."""
    with open(sys.argv[1]) as file:
        faults = check(json.load(file))
    print("\n".join(faults) or "exactly one outcome for each")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
