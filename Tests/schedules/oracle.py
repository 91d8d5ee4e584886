"""Compares the scheduler with other programs where clocks change.

    python Tests/schedules/oracle.py --pawl .build/release/pawl [--seed N] [--count N] [--zones N]

Zones × their changes of clocks 2020–2037 × made-up schedules: each case asks for the times around one change. Prints its seed;
a failure prints the case as a line for `pawl schedules preview --lines`.
"""
import argparse
import json
import random
import signal
import subprocess
import sys
import time
import zoneinfo
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import clocks
import expressions

UTC = timezone.utc
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
# How far a scan looks from a change of clocks; what is later is for the other oracles.
SCAN = timedelta(hours=30)
SCAN_SECONDS = timedelta(hours=3)


class NoOpinion(Exception):
    pass


def give_up(*_):
    raise NoOpinion


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def zones(limit):
    # Places only: abbreviations and the like are refused.
    names = sorted(name for name in zoneinfo.available_timezones()
                   if "/" in name and not name.startswith(("Etc/", "SystemV/", "posix/", "right/")))
    chooser = random.Random(5)
    if limit < len(names):
        # The same ones every time, those of each continent; the made-up schedules change.
        names = sorted(chooser.sample(names, limit))
    return names


def moments(count_per_zone, name, chooser, cache={}):
    """Changes of clocks to look at, or some moment where there are none."""
    zone = ZoneInfo(name)
    key = name
    if key not in cache:
        cache[key] = clocks.transitions(zone, BEGIN, END)
    changes = cache[key]
    if not changes:
        changes = [BEGIN + timedelta(minutes=chooser.randrange(18 * 365 * 1440))]
    # Every change has its turn: as many as one likes, and never one twice before all were there.
    order = list(changes)
    chooser.shuffle(order)
    while len(order) < count_per_zone:
        order += order
    return order[:count_per_zone]


def make(chooser, name, change):
    """A case, and the expected times."""
    zone = ZoneInfo(name)
    before = change - timedelta(seconds=1)
    # What the clocks would show had they not been changed: inside of the gap, or in the hour that comes twice.
    local = (change + clocks.offset(zone, before)).replace(tzinfo=None)
    gap = chooser.choice(["shift", "shift", "skip"])
    fold = chooser.choice(["first", "first", "last", "both"])
    kind = chooser.choice(["cron", "cron", "choices", "rule", "calendar", "event", "event"])
    step = (clocks.offset(zone, change) - clocks.offset(zone, before)).total_seconds()
    if kind == "cron" and (step % 3600 or (change + clocks.offset(zone, before)).minute):
        # cronsim goes from hour to hour by 3600 seconds: where clocks change by half an hour (Lord Howe), or at a quarter to
        # (Chatham), it leaves out the first minutes of the hour in which it lands.
        kind = "choices"
    if kind == "cron" and step > 0 and local.hour == 0:
        # Nor does it look at midnight again when it has gone on to another day: for `* 0 25 * *` it answers with a midnight that
        # the clocks leave out (Cairo).
        kind = "choices"
    start = change - timedelta(minutes=chooser.choice([1, 31, 61, 121, 600, 1500]))
    start = start.replace(second=0)
    count = chooser.randint(2, 6)
    if kind == "cron":
        case, oracle = expressions.cron(chooser, local)
        # cronsim 2.8 never comes back from `* 3 * 4 *` in Pacific/Chatham, whose clocks change at a quarter to.
        signal.setitimer(signal.ITIMER_REAL, 1)
        try:
            expected = oracle(zone, start, count)
        except NoOpinion:
            expected = None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        limit = None
    elif kind in ("rule", "calendar"):
        maker = expressions.rule if kind == "rule" else expressions.calendar_rule
        case, (text, begin, rhythm) = maker(chooser, local)
        case["dst"] = {"gap": gap, "fold": fold}
        after = start.astimezone(zone).replace(tzinfo=None)
        naive = expressions.locals_of(text, begin, after, count + 4)
        expected = clocks.place(naive, rhythm, zone, start, gap, fold)[:count]
        limit = None
        if len(expected) < count < sum(at > after + timedelta(days=2) for at in naive):
            # Nearly all of those that were looked at lie in gaps, and more would come: the Sunday of week 10 is the one on which
            # America changes its clocks, in ten years out of eleven.
            count = max(1, len(expected))
            expected = expected or None
    else:
        if kind == "choices":
            case, (matches, rhythm, step) = expressions.cron_choices(chooser, local, gap, fold)
        else:
            case, (matches, rhythm, step) = expressions.event(chooser, local)
            case["dst"] = {"gap": gap, "fold": fold}
        reach = SCAN if step >= 30 else SCAN_SECONDS
        start = max(start, change - (timedelta(hours=8) if step >= 30 else timedelta(hours=2)))
        limit = start + reach
        expected = clocks.instants(matches, rhythm, zone, start, limit, gap, fold, step)
        count = min(100, len(expected) + 1)
        expected = expected[:count]
    case.update({"timezone": name, "from": stamp(start), "count": count})
    return case, expected, limit


def check(case, expected, limit, answer):
    """What is wrong; None if all is well."""
    if "error" in answer:
        return f"refused: {answer['error']}"
    times = [datetime.fromisoformat(run["at"].replace("Z", "+00:00")) for run in answer["runs"]]
    if any(later <= earlier for earlier, later in zip(times, times[1:])):
        return "not strictly later"
    if times and stamp(times[0]) <= case["from"]:
        return "not later than asked for"
    if limit:
        times = [at for at in times if at <= limit]
        expected = [at for at in expected if at <= limit]
        times = times[:len(expected)] if len(times) == case["count"] else times
    if times != expected:
        return f"expected {[stamp(at) for at in expected]}\n     got {[stamp(at) for at in times]}"
    return None


def ask(command, cases):
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    result = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {result.returncode}: {result.stderr[-500:]}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pawl", default=".build/release/pawl")
    parser.add_argument("--command", help="instead of `PAWL schedules preview --lines`")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--count", type=int, default=30, help="schedules per zone, each at another change of clocks")
    parser.add_argument("--zones", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=None, help="no new zones after this")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    chooser = random.Random(seed)
    names = zones(options.zones)
    print(f"seed {seed}: {len(names)} zones, {options.count} schedules each", flush=True)
    begun = time.monotonic()
    made, changes, silent = [], set(), []
    signal.signal(signal.SIGALRM, give_up)
    for name in names:
        if options.seconds and time.monotonic() - begun > options.seconds:
            break
        for change in moments(options.count, name, chooser):
            changes.add((name, change))
            case, expected, limit = make(chooser, name, change)
            if expected is None:
                silent.append(case)
            else:
                made.append((case, expected, limit))
    command = options.command.split() if options.command else [options.pawl, "schedules", "preview", "--lines"]
    asked = time.monotonic()
    answers = ask(command, [case for case, _, _ in made])
    took = time.monotonic() - asked
    if len(answers) != len(made):
        raise SystemExit(f"{len(made)} questions, {len(answers)} answers")
    wrong = 0
    for (case, expected, limit), answer in zip(made, answers):
        problem = check(case, expected, limit, answer)
        if problem:
            wrong += 1
            if wrong <= 20:
                print(json.dumps(case) + "\n  " + problem)
    kinds = {}
    for case, _, _ in made:
        kinds[case["kind"]] = kinds.get(case["kind"], 0) + 1
    times = sum(len(expected) for _, expected, _ in made)
    print(f"{len(made)} schedules at {len(changes)} changes of clocks, {times} times compared, {kinds}; oracles "
          f"{asked - begun:.1f} s, ours {took:.2f} s")
    if len(silent) > len(made) // 100:
        raise SystemExit(f"the oracle had no answer for {len(silent)} schedules, first {silent[0]}")
    if wrong:
        print(f"{wrong} differ; again with --seed {seed}")
        sys.exit(1)


if __name__ == "__main__":
    main()
