"""The checker itself can fail."""

import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import check  # noqa: E402


def document(changes=None, leave_out=()):
    lines = []
    for number in range(1, 135):
        if number not in leave_out:
            state, how, proof = (changes or {}).get(number, ("planned: later", "", ""))
            lines.append(f"| {number} | A feature | {state} | {how} | {proof} |")
    return "\n".join(lines)


CASES = [{"id": "a", "rows": [1]}]
KNOWN = {"cli": {"test_x"}}
GOOD = {1: ("working", "GET /", "`seeds:a`, `cli:test_x`")}


def complaints(doc, cases=CASES, results=None):
    return check.check(doc, cases, results, KNOWN)


def test_good():
    assert complaints(document(GOOD), results={"passed": ["a"]}) == []


def test_a_missing_and_a_double_row():
    assert complaints(document(GOOD, leave_out=[77])) == ["row 77 stands there 0 times"]
    assert complaints(document(GOOD) + "\n| 3 | x | planned: later | | |") == ["row 3 stands there 2 times"]
    assert complaints(document(GOOD) + "\n| 135 | x | planned: later | | |") == ["there is no row 135 among the seeds"]


def test_working_needs_a_proof_that_passed():
    assert complaints(document({**GOOD, 2: ("working", "", "")})) == ["row 2 is working but names no test"]
    assert complaints(document(GOOD), results={"passed": []}) == ["row 1 is working, but case a did not pass"]


def test_proofs_must_exist_and_be_about_the_row():
    assert complaints(document({**GOOD, 2: ("working", "", "`seeds:b`")})) == ["row 2: there is no case b"]
    assert complaints(document({**GOOD, 2: ("working", "", "`seeds:a`")})) == ["row 2: case a is not about it"]
    assert complaints(document({**GOOD, 2: ("working", "", "`cli:test_y`")})) == ["row 2: there is no test test_y in cli"]


def test_states_and_unused_cases():
    assert complaints(document({**GOOD, 2: ("done", "", "")})) == ['row 2: "done" is no state (working, partly, planned: WHERE)']
    assert complaints(document({**GOOD, 2: ("partly", "half", "`cli:test_x`")})) == ["row 2 is partly done but does not say what comes later"]
    assert complaints(document(), cases=CASES) == ["case a proves no row"]
