"""runs.py PLUGIN - loads a plugin into a zygote and runs its first handler; fails where that does not succeed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "zygote"))
from driver import Zygote

with Zygote(Path(sys.argv[1])) as zygote:
    ending, exited = zygote.run(zygote.handlers[0])
    assert ending == ("result", {"greeting": "hello"}), ending
    assert (exited["code"], exited["status"]) == (1, 0), exited
