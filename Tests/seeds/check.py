#!/usr/bin/env python3
"""Holds docs/seeds.md to its word: every row of the seeds stands there once, and what it calls working is proven.

A proof is named in the row's last column, in backticks:
  `seeds:CASE`   a case of Tests/seeds/cases.json that names the row; with --results it must have passed
  `cli:TEST`     a test function in Tests/cli          `page:TEST`  one in Tests/page
  `system:TEST`  one in Tests/System                   `swift:TEST` a test function in a Swift test target
  `plugins:TEST` one in Tests/plugins
The other suites fail `make test` by themselves when a test of theirs fails; here their tests only have to exist.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = 134
STATES = re.compile(r"working|partly|planned: [a-z ,]+")


def read_rows(text):
    """(number, feature, state, how, proof) of every line of a table that begins with a number."""
    rows = []
    for line in text.splitlines():
        if match := re.match(r"\| *(\d+) *\|(.*)\|\s*$", line):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", match[2])]
            rows.append((int(match[1]), *cells))
    return rows


def tests_of(folder, pattern, suffixes):
    found = set()
    for path in (ROOT / folder).rglob("*"):
        if path.suffix in suffixes and path.is_file():
            found |= set(re.findall(pattern, path.read_text(errors="replace")))
    return found


def check(document, cases, results, known):
    """The complaints, as a list of sentences; none when all is as it should be."""
    complaints = []
    rows = read_rows(document)
    numbers = [row[0] for row in rows]
    for number in range(1, ROWS + 1):
        if numbers.count(number) != 1:
            complaints.append(f"row {number} stands there {numbers.count(number)} times")
    for number in sorted(set(numbers)):
        if not 1 <= number <= ROWS:
            complaints.append(f"there is no row {number} among the seeds")

    by_id = {case["id"]: case for case in cases}
    if len(by_id) != len(cases):
        complaints.append("two cases have the same id")
    passed = None if results is None else set(results["passed"])
    used = set()
    for row in rows:
        number = row[0]
        if len(row) != 5:
            complaints.append(f"row {number} has {len(row)} columns, expected #, feature, state, how, proof")
            continue
        _, _, state, how, proof_cell = row
        if not STATES.fullmatch(state):
            complaints.append(f"row {number}: \"{state}\" is no state (working, partly, planned: WHERE)")
        proofs = re.findall(r"`(\w+):([^`]+)`", proof_cell)
        if state in ("working", "partly") and not proofs:
            complaints.append(f"row {number} is {state} but names no test")
        if state == "partly" and "later" not in how:
            complaints.append(f"row {number} is partly done but does not say what comes later")
        for kind, name in proofs:
            if kind == "seeds":
                used.add(name)
                if name not in by_id:
                    complaints.append(f"row {number}: there is no case {name}")
                elif number not in by_id[name]["rows"]:
                    complaints.append(f"row {number}: case {name} is not about it")
                elif passed is not None and name not in passed:
                    complaints.append(f"row {number} is {state}, but case {name} did not pass")
            elif kind not in known:
                complaints.append(f"row {number}: {kind} is no kind of test")
            elif name not in known[kind]:
                complaints.append(f"row {number}: there is no test {name} in {kind}")
    for name in by_id:
        if name not in used:
            complaints.append(f"case {name} proves no row")
    return complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=pathlib.Path, help="what scripts/seeds --results wrote")
    options = parser.parse_args()
    known = {
        "cli": tests_of("Tests/cli", r"def (test_\w+)", {".py"}),
        "page": tests_of("Tests/page", r"def (test_\w+)", {".py"}),
        "system": tests_of("Tests/System", r"def (test_\w+)", {".py"}),
        "plugins": tests_of("Tests/plugins", r"def (test_\w+)", {".py"}),
        "swift": tests_of("Tests", r"func (\w+)\(", {".swift"}),
    }
    complaints = check(
        (ROOT / "docs/seeds.md").read_text(), json.loads((ROOT / "Tests/seeds/cases.json").read_text()),
        json.loads(options.results.read_text()) if options.results else None, known)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if not (os.environ.get("CHROMIUM") or shutil.which("chromium")):
        unseen = [str(row[0]) for row in read_rows((ROOT / "docs/seeds.md").read_text())
                  if len(row) == 5 and row[2] == "working" and {kind for kind, _ in re.findall(r"`(\w+):([^`]+)`", row[4])} == {"page"}]
        print(f"not looked at here, for want of Chromium: rows {', '.join(unseen)}")
    states = [row[2] for row in read_rows((ROOT / "docs/seeds.md").read_text()) if len(row) == 5]
    print(f"{states.count('working')} working, {states.count('partly')} partly, {sum(s.startswith('planned') for s in states)} planned"
          + ("" if options.results else " (the replay's results were not looked at)"))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
