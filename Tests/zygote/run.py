"""Runs all test_* functions of the test_*.py files beside it, one after the other; see run.sh.

A test that takes `profile` runs once per profile. After each test nothing may be left: no child, no cgroup.
"""

import importlib
import inspect
import os
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import driver

TEST_BOUND = 120


def leftovers():
    """Living or unreaped processes below this one (a subreaper: every orphan of a test comes here)."""
    found = []
    for task in os.listdir("/proc/self/task"):
        found += [int(p) for p in Path(f"/proc/self/task/{task}/children").read_text().split()]
    return [(pid, driver.process_state(pid), Path(f"/proc/{pid}/comm").read_text().strip()) for pid in found]


def reap_everything():
    """Kills and reaps what a failing test left, so that the next one starts clean. Returns what there was."""
    left = []
    while True:
        now = leftovers()
        if not now:
            return left
        for pid, state, name in now:
            left.append((pid, state, name))
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


def run(test, arguments):
    def too_long(*_):
        raise AssertionError(f"the test took longer than {TEST_BOUND} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TEST_BOUND)
    try:
        test(*arguments)
        # Zombies whose parent was killed come here; they are no failure. Living ones are.
        left = []
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                left = leftovers()
                break
        assert not left, f"left behind: {left}"
    finally:
        signal.alarm(0)
        reap_everything()


def main():
    # A shell that runs us in the background ignores some signals, and zygotes would inherit that from us.
    for name in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    driver.become_subreaper()
    passed = failed = 0
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("test_"):
                continue
            takes_profile = "profile" in inspect.signature(test).parameters
            for arguments in [(p,) for p in driver.PROFILES] if takes_profile else [()]:
                title = f"{path.stem}.{name}" + (f"[{arguments[0]}]" if arguments else "")
                if sys.argv[1:] and not any(word in title for word in sys.argv[1:]):
                    continue
                start = time.monotonic()
                try:
                    run(test, arguments)
                    passed += 1
                    print(f"ok    {title} ({time.monotonic() - start:.2f} s)", flush=True)
                except BaseException as error:
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    failed += 1
                    print(f"FAIL  {title}", flush=True)
                    traceback.print_exc(file=sys.stdout)
    if "cgroup" not in driver.PROFILES:
        print("note: no writable cgroup v2 directory here: profile cgroup was not tested")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
