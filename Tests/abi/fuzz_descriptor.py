"""fuzz_descriptor.py [SEED [CASES]] - descriptors that no compiler would write, from a seed; one zygote each.

A zygote answers each with READY, and then runs the first handler, or with REFUSED and words. It never dies, never hangs.
PAWL_FUZZ_SEED, PAWL_FUZZ_CASES. A failure prints the configuration text that repeats it alone.
"""

import collections
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "zygote"))
from driver import BIN, Gone, Refused, Zygote

SEED = int((sys.argv[1:2] or [os.environ.get("PAWL_FUZZ_SEED", "1")])[0])
CASES = int((sys.argv[2:3] or [os.environ.get("PAWL_FUZZ_CASES", "600")])[0])
NUMBERS = [0, 1, 4, 16, 63, 64, 71, 72, 80, 81, 87, 88, 104, 1000, 1001, 4096, 4104, 1 << 16,
           1 << 31, (1 << 32) - 1, 1 << 32, 1 << 63, (1 << 64) - 1]
PLACES = ["@n", "@w", "@k", "@e", "@u", "@t", "@s", "@m"]
FUNCTIONS = ["@n"]  # A plugin's functions are called: a wild one is the plugin's crash, not a descriptor's.
# object: offset, width, what it may become
MEMBERS = [("p", 0, 4, NUMBERS), ("p", 4, 4, NUMBERS), ("p", 8, 4, NUMBERS), ("p", 12, 4, NUMBERS), ("p", 16, 8, NUMBERS),
           ("p", 24, 8, PLACES), ("p", 32, 8, PLACES), ("p", 40, 8, PLACES), ("p", 48, 4, NUMBERS), ("p", 52, 4, NUMBERS),
           ("h", 0, 4, NUMBERS), ("h", 4, 4, NUMBERS), ("h", 8, 8, NUMBERS), ("h", 16, 8, PLACES), ("h", 24, 8, PLACES),
           ("h", 32, 8, PLACES), ("h", 40, 8, PLACES), ("h", 48, 8, PLACES), ("h", 64, 8, FUNCTIONS),
           ("l", 0, 4, NUMBERS), ("l", 4, 4, NUMBERS), ("l", 8, 8, NUMBERS), ("l", 24, 8, NUMBERS), ("l", 64, 8, NUMBERS),
           ("r", 0, 0, PLACES)]


def cases():
    """Every member with every value it may become, alone; then several at once."""
    alone = [f"{o} {at} {width} {value}" for o, at, width, values in MEMBERS for value in values]
    source = random.Random(SEED)
    source.shuffle(alone)
    yield ""
    yield from alone
    while True:
        chosen = source.sample(MEMBERS, source.randint(2, 6))
        yield " ".join(f"{o} {at} {width} {source.choice(values + NUMBERS[:4] if values is NUMBERS else values)}"
                       for o, at, width, values in chosen)


def attempt(library, text):
    """What became of it, as one word."""
    try:
        with Zygote(library, config=text) as zygote:
            ending, exited = zygote.run(zygote.handlers[0])
            assert ending == ("result", True), ending
            assert (exited["code"], exited["status"]) == (1, 0), exited
            return "ready"
    except Refused as refused:
        assert refused.reason in ("entry", "abi", "descriptor"), refused
        assert refused.message.strip() and "\0" not in refused.message, "no words"
        return refused.reason
    except Gone:
        raise AssertionError("the zygote ended without a word") from None


def main():
    told = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "descriptor.so"
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-I",
                        HERE.parents[1] / "include", "-o", library, HERE / "descriptor.c"], check=True)
        for number, text in zip(range(CASES), cases()):
            try:
                told[attempt(library, text)] += 1
            except Exception as error:
                raise SystemExit(f"seed {SEED}, case {number}, {text!r}: {type(error).__name__}: {error}") from error
    print(f"seed {SEED}: {CASES} descriptors, " + ", ".join(f"{count} {word}" for word, count in sorted(told.items())))
    assert told["ready"] and told["descriptor"] and told["abi"], "the generator makes only one kind"


if __name__ == "__main__":
    main()
