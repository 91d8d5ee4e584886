"""The checker rejects what it is there to reject: records that are right but for one thing."""

import copy
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from checker import SLACK, check  # noqa: E402


def good(size=60, seed=1):
    """A record without a fault, of runs of every fate."""
    dice = random.Random(seed)
    record = {name: [] for name in ("accepted", "unknown", "batches", "seen", "runs", "live", "attempts", "effects", "follow_ups", "pauses", "limits",
                                    "exclusive")}
    clock = 1_000_000_000

    def live(number, tag, fates, state, queue, reason=None):
        nonlocal clock
        name, used, lost = f"run_{number}", 0, 0
        for attempt, outcome in enumerate(fates, 1):
            clock += 3 * SLACK
            record["attempts"].append({"run": name, "attempt": attempt, "outcome": outcome, "reason": None, "host": 1 + number % 3, "epoch": 1,
                                       "queue": queue, "claimed": clock, "started": clock + 10, "ended": clock + 2 * SLACK})
            if outcome != "lost" or dice.random() < 0.5:
                record["effects"].append({"tag": tag, "run": name, "attempt": attempt, "at": clock + 20})
            used += outcome not in ("lost", "snoozed")
            lost += outcome == "lost"
        record["runs"].append({"id": name, "tag": tag, "job": "j", "state": state, "attempt": len(fates), "attempts_used": used,
                               "lost_count": lost, "reason": reason})
        record["seen"].append({"id": name, "state": state})
        return name

    for number in range(size):
        fates, allowed, state, reason, follow = dice.choice([
            (["succeeded"], 3, "succeeded", None, False), (["lost", "succeeded"], 3, "succeeded", None, False),
            (["error", "lost", "crashed", "succeeded"], 3, "succeeded", None, False), (["error"] * 3, 3, "failed", None, False),
            (["lost"] * 3, 3, "failed", "lost", False), (["succeeded"], 3, "succeeded", None, True)])
        queue = dice.choice(["default", "mail", "solo"])
        name = live(number, f"t{number}", fates, state, queue, reason)
        following = f"t{number}.f" if follow else None
        record["accepted"].append({"id": name, "tag": f"t{number}", "job": "j", "fail": 0, "attempts": allowed, "next": following})
        if following:
            child = live(10_000 + number, following, ["succeeded"], "succeeded", "default")
            record["follow_ups"].append({"parent": name, "child": child})
    record["unknown"] += [{"tag": "u1"}, {"tag": "u2"}, {"tag": "u3"}]
    record["batches"] += [{"tags": ["t0", "t1", "t2"]}, {"tags": ["u2", "u3"]}]
    live(20_000, "u1", ["succeeded"], "succeeded", "default")
    clock += 10 * SLACK
    record["pauses"].append({"queue": "mail", "from": clock, "until": clock + SLACK})
    record["limits"].append({"queue": "mail", "limit": 1})
    record["exclusive"].append({"queue": "solo", "from": 0})
    return record


@pytest.mark.parametrize("seed", range(20))
def test_a_right_record_is_accepted(seed):
    assert check(good(seed=seed)) == []


def of(record, state, more=lambda run: True):
    return next(run for run in record["runs"] if run["state"] == state and run["id"] != "run_20000" and more(run))


def attempt_of(record, outcome, more=lambda row: True):
    return next(row for row in record["attempts"] if row["outcome"] == outcome and more(row))


def forge(change):
    record = copy.deepcopy(good())
    change(record)
    return check(record)


def lose(record):
    record["runs"].remove(of(record, "succeeded"))


def end_twice(record):
    run = of(record, "succeeded")
    record["runs"].append({**run, "state": "failed"})


def still_live(record):
    run = of(record, "succeeded")
    record["runs"].remove(run)
    record["live"].append({"id": run["id"], "state": "running"})


def live_and_ended(record):
    record["live"].append({"id": of(record, "succeeded")["id"], "state": "queued"})


def change_end(record):
    run = of(record, "failed", lambda run: run["reason"] == "lost")
    next(row for row in record["seen"] if row["id"] == run["id"])["state"] = "cancelled"


def take_end_back(record):
    record["seen"].append({"id": "run_777", "state": "succeeded"})


def succeed_twice(record):
    row = attempt_of(record, "succeeded")
    record["attempts"].append({**row, "attempt": row["attempt"] + 1})
    next(run for run in record["runs"] if run["id"] == row["run"])["attempt"] += 1


def number_twice(record):
    record["attempts"].append(dict(attempt_of(record, "error")))


def go_on_after_success(record):
    row = attempt_of(record, "succeeded")
    record["attempts"].append({**row, "attempt": row["attempt"] + 1, "outcome": "lost"})
    next(run for run in record["runs"] if run["id"] == row["run"])["attempt"] += 1


def success_without_attempt(record):
    row = attempt_of(record, "succeeded", lambda row: row["attempt"] == 1)
    row["outcome"] = "lost"


def success_that_failed(record):
    row = attempt_of(record, "lost", lambda row: row["attempt"] == 3)
    row["outcome"] = "succeeded"
    record["effects"].append({"tag": "t" + row["run"][4:], "run": row["run"], "attempt": 3, "at": 0})


def no_effect(record):
    row = attempt_of(record, "succeeded")
    record["effects"] = [e for e in record["effects"] if (e["run"], e["attempt"]) != (row["run"], row["attempt"])]


def no_effect_of_an_error(record):
    row = attempt_of(record, "error")
    record["effects"] = [e for e in record["effects"] if (e["run"], e["attempt"]) != (row["run"], row["attempt"])]


def effect_twice(record):
    record["effects"].append(dict(record["effects"][0]))


def effect_of_no_attempt(record):
    record["effects"].append({**record["effects"][0], "attempt": 9})


def effect_of_no_run(record):
    record["effects"].append({"tag": "t0", "run": "run_555", "attempt": 1, "at": 0})


def effect_of_another(record):
    record["effects"][0]["tag"] = "t999"


def more_attempts(record):
    of(record, "failed", lambda run: run["reason"] is None)["attempts_used"] = 4


def fail_early(record):
    run = of(record, "failed", lambda run: run["reason"] is None)
    run["attempts_used"] = 2


def cancel(record):
    run = of(record, "failed", lambda run: run["reason"] == "lost")
    run["state"] = "cancelled"
    record["seen"] = [row for row in record["seen"] if row["id"] != run["id"]]


def nowhere(record):
    run = of(record, "succeeded")
    record["runs"].append({**run, "id": "run_999", "tag": "strange"})


def doubled(record):
    run = next(run for run in record["runs"] if run["tag"] == "u1")
    record["runs"].append({**run, "id": "run_998"})


def half_a_batch(record):
    record["batches"][1]["tags"].append("u1")


def accepted_twice(record):
    record["accepted"].append(dict(record["accepted"][0]))


def no_follow_up(record):
    record["follow_ups"].pop()


def follow_up_twice(record):
    record["follow_ups"].append(dict(record["follow_ups"][0]))


def follow_up_of_a_failure(record):
    row = next(row for row in record["accepted"] if next(r for r in record["runs"] if r["id"] == row["id"])["state"] == "failed")
    row["next"] = f"{row['tag']}.f"
    record["follow_ups"].append({"parent": row["id"], "child": record["runs"][0]["id"]})


def claim_while_paused(record):
    row = next(row for row in record["attempts"] if row["queue"] == "mail")
    record["pauses"].append({"queue": "mail", "from": row["claimed"] - 1, "until": row["claimed"] + 1})


def over_limit(record):
    record["limits"].append({"queue": "mail", "limit": 0})


def beside_each_other(record):
    first, second = [row for row in record["attempts"] if row["queue"] == "mail"][:2]
    second["claimed"], second["ended"] = first["claimed"], first["ended"]


def two_in_exclusive(record):
    first = next(row for row in record["attempts"] if row["queue"] == "solo")
    second = next(row for row in record["attempts"] if row["queue"] == "solo" and row["host"] != first["host"])
    second["claimed"], second["ended"] = first["claimed"] + 1, first["ended"] + 1


def two_lives_in_exclusive(record):
    first, second = [row for row in record["attempts"] if row["queue"] == "solo"][:2]
    second["host"], second["epoch"] = first["host"], 2
    second["claimed"], second["ended"] = first["claimed"] + 1, first["ended"] + 1


def no_outcome(record):
    attempt_of(record, "lost")["outcome"] = None


@pytest.mark.parametrize("change, words", [
    (lose, "accepted and lost"), (end_twice, "ended twice"), (still_live, "not finished"), (live_and_ended, "ended and live"),
    (change_end, "an end that changed"), (take_end_back, "an end that was taken back"), (succeed_twice, "succeeded twice"),
    (number_twice, "attempt number twice"), (go_on_after_success, "an attempt after the one that succeeded"),
    (success_without_attempt, "succeeded without an attempt that did"), (success_that_failed, "an attempt succeeded and its run did not"),
    (no_effect, "no effect"), (no_effect_of_an_error, "no effect"), (effect_twice, "an attempt was executed twice"),
    (effect_of_no_attempt, "effect of an attempt that never was"), (effect_of_no_run, "effect of no run"),
    (effect_of_another, "effect of another run"), (more_attempts, "more attempts than allowed"), (fail_early, "failed too early"),
    (cancel, "cancelled by nobody"), (nowhere, "from nowhere"), (doubled, "made twice"), (half_a_batch, "half a batch"), (accepted_twice, "accepted twice"),
    (no_follow_up, "follow-ups"), (follow_up_twice, "follow-ups"), (follow_up_of_a_failure, "follow-ups"),
    (claim_while_paused, "claimed from a paused queue"), (over_limit, "over the limit"), (beside_each_other, "over the limit"),
    (two_in_exclusive, "two hosts in an exclusive queue"), (two_lives_in_exclusive, "two hosts in an exclusive queue"),
    (no_outcome, "attempt without an outcome")], ids=lambda value: getattr(value, "__name__", None))
def test_a_forged_record_is_rejected(change, words):
    faults = forge(change)
    assert any(fault.startswith(words + ":") for fault in faults), faults


def test_many_faults_of_a_kind_are_counted():
    def lose_all(record):
        record["runs"].clear()
    faults = forge(lose_all)
    assert "accepted and lost: 60 in all" in faults and sum(f.startswith("accepted and lost") for f in faults) == 6
