"""What the details of a run that is over ask the host for, in a real Chromium. Skipped where there is none."""

import pathlib
import sys
import time
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

import chrome  # noqa: E402
import sample  # noqa: E402
from fake_host import Running, make_run, run_id, stamp  # noqa: E402

pytestmark = pytest.mark.skipif(
    chrome.find() is None, reason="Chromium is not installed (Debian: apt-get install chromium); the page was not looked at")


def asked(host, path):
    return sum(1 for _, given, _, _ in host.requests if urlsplit(given).path == path)


def looks(outcome, ended, polls=3):
    """How often the attempts of a run with an unnamed crash record are asked for while the page looks again some times."""
    host = sample.busy_host()
    host.add(make_run(1300, "mischief.hog", "failed", attempt=1, started_at=stamp(ended + 5), finished_at=stamp(ended), outcome=outcome),
             attempts=[{"attempt": 1, "outcome": outcome, "started_at": stamp(ended + 5), "ended_at": stamp(ended), "sentence": "It ended.",
                        "crash": {"signal": 6, "address": "0x0", "frames": ["0x1234"], "stack": None, "registers": {}}}])
    attempts = f"/api/v1/runs/{run_id(1300)}/attempts"
    with Running(host) as server, chrome.Browser() as browser:
        browser.open(f"{server.url}/#{run_id(1300)}")
        browser.until("document.querySelectorAll('#detail .attempt').length === 1")
        before = asked(host, "/api/v1/overview")
        deadline = time.monotonic() + 30
        while asked(host, "/api/v1/overview") < before + polls and time.monotonic() < deadline:
            time.sleep(0.05)
        assert asked(host, "/api/v1/overview") >= before + polls
        return asked(host, attempts)


def test_the_names_of_a_stack_are_waited_for():
    assert looks("crashed", ended=2) > 1


def test_an_end_that_is_no_crash_has_no_names_to_wait_for():
    assert looks("out_of_memory", ended=2) == 1


def test_names_that_did_not_come_are_not_waited_for():
    assert looks("crashed", ended=300) == 1
