"""The vectors, the bounds of time, and a short run of the oracles, against the built program."""
import json
import os
import pathlib
import resource
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
PAWL = os.path.join(os.environ.get("PAWL_TEST_BIN", str(HERE.parent.parent / ".build/release")), "pawl")


def ask(questions, *options):
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    result = subprocess.run([PAWL, "schedules", "preview", "--lines", *options], input=lines, capture_output=True, text=True,
                            timeout=60)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def cpu():
    """Processor seconds of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def preview(*words):
    return subprocess.run([PAWL, "schedules", "preview", *words], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "PAWL_URL": "http://127.0.0.1:1"})


def test_the_published_vectors():
    rows = [line.split("\t") for line in (HERE / "vectors.tsv").read_text().splitlines() if not line.startswith("#")]
    assert len(rows) >= 500
    questions = [json.loads(question) for question, _ in rows]
    wrong = []
    for question, (_, expected), answer in zip(questions, rows, ask(questions), strict=True):
        times = [run["at"][:19] + "Z" for run in answer.get("runs", [])]
        if times != expected.split(" "):
            wrong.append((question, expected, answer))
    assert not wrong, f"{len(wrong)} of {len(rows)}, first {wrong[0]}"


# Each takes its time to be ruled out: the last date is looked for, then a whole cycle of the calendar.
NEVER = [
    {"kind": "cron", "expression": "0 0 30 2 *"}, {"kind": "cron", "expression": "* * 31 2,4,6,9,11 *"},
    {"kind": "cron", "expression": "*/7 3 30,31 2 *", "timezone": "Europe/Berlin"},
    {"kind": "oncalendar", "expression": "*-02-30 00:00:00", "timezone": "America/New_York"},
    {"kind": "oncalendar", "expression": "2001-01-01"}, {"kind": "oncalendar", "expression": "Mon 2027-01-01"},
    {"kind": "rrule", "spec": {"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "dtstart": "2026-01-01T00:00:00"}},
    {"kind": "rrule", "spec": {"rule": "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=4", "dtstart": "2026-01-01T00:00:00"}},
    {"kind": "rrule", "spec": {"rule": "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "dtstart": "2026-01-01T00:00:00"}},
    {"kind": "rrule", "spec": {"rule": "FREQ=SECONDLY;INTERVAL=60;BYSECOND=7", "dtstart": "2026-01-01T00:00:00"}},
    {"kind": "rrule", "spec": {"rule": "FREQ=MINUTELY;INTERVAL=120;BYHOUR=7", "dtstart": "2026-01-01T00:00:00"},
     "timezone": "Europe/Berlin"},
    {"kind": "rrule", "spec": {"rule": "FREQ=DAILY;COUNT=10000", "dtstart": "1990-01-01T00:00:00"}},
]


@pytest.mark.parametrize("question", NEVER, ids=lambda question: json.dumps(question.get("spec", question)))
def test_never_is_answered_within_ten_milliseconds(question):
    repeats = 20
    # Of processor time, so that a busy machine is no fault; what the process itself costs is in both.
    begun = cpu()
    first = ask([question])[0]
    between = cpu()
    ask([question] * repeats)
    each = (cpu() - between - (between - begun)) / (repeats - 1)
    assert first["runs"] == [] and first["warnings"][0]["code"] == "never_fires"
    assert each < 0.010, f"{each * 1000:.1f} ms"


def test_a_short_run_of_the_oracles():
    seed = os.environ.get("SEED")
    result = subprocess.run(
        [sys.executable, str(HERE / "oracle.py"), "--pawl", PAWL, "--count", os.environ.get("COUNT", "8"),
         *(["--seed", seed] if seed else [])], capture_output=True, text=True)
    print(result.stdout)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]


def test_preview_needs_no_host():
    shown = preview("30 2 * * *", "--tz", "Europe/Berlin", "-n", "2", "--from", "2027-03-27T12:00:00Z")
    assert shown.returncode == 0
    assert "At 02:30 every day, Europe/Berlin" in shown.stderr
    assert "02:30 does not exist on 2027-03-28: it runs at 03:00." in shown.stderr
    rows = [line.split("\t") for line in shown.stdout.splitlines()]
    assert rows[0] == ["LOCAL", "UTC", "IN", "NOTE"]
    assert rows[1][:2] == ["2027-03-28T03:00:00+02:00", "2027-03-28T01:00:00Z"] and rows[1][3].startswith("shifted")
    assert rows[2][:2] == ["2027-03-29T02:30:00+02:00", "2027-03-29T00:30:00Z"]


def test_preview_in_json():
    shown = json.loads(preview("Mon..Fri 10:00 Europe/Berlin", "--json", "-n", "3").stdout)
    assert shown["normalized"]["kind"] == "oncalendar" and shown["normalized"]["timezone"] == "Europe/Berlin"
    assert len(shown["runs"]) == 3 and shown["sentence"] == "At 10:00 on Monday to Friday, Europe/Berlin"


@pytest.mark.parametrize("words, code, text", [
    (["0 0 * * *", "--tz", "EST"], 65, "abbreviation"), (["0 0 32 * *"], 65, "32 is outside 1-31"),
    (["0 0 0 * * *"], 65, "dialect"), (["0 0 * * *", "--gap", "jump"], 65, "shift, skip"), ([], 64, "exactly one"),
    (["0 0 * * *", "--cron", "0 0 * * *"], 64, "exactly one"), (["0 0 * * *", "-n", "0"], 64, "1 to 100"),
    (["0 0 * * *", "--dialect", "greek"], 64, "vixie, seconds or quartz"),
])
def test_what_preview_refuses(words, code, text):
    shown = preview(*words)
    assert shown.returncode == code and text in shown.stderr
