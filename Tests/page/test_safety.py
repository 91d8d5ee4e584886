"""The safety panel in a real Chromium against a scripted host."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

import chrome  # noqa: E402
from fake_host import run_id, stamp  # noqa: E402
from test_page import browser, change, page, sent, server  # noqa: E402, F401  (the fixtures)

pytestmark = pytest.mark.skipif(
    chrome.find() is None, reason="Chromium is not installed (Debian: apt-get install chromium); the page was not looked at")

STUCK = {
    "id": run_id(1239), "number": "1239", "job": "mischief.deaf", "queue": "default", "attempt": 1, "running_for_ms": 7_500_000,
    "severity": "critical", "evidence": [
        {"kind": "runs_long", "severity": "critical"}, {"kind": "slower_than_usual", "times": 12.5, "p95_ms": 600_000},
        {"kind": "no_progress", "for_ms": 840_000}, {"kind": "no_cpu", "for_ms": 840_000}],
}
ORPHAN = {"kind": "process_without_run", "name": "4711", "mark": "1", "detail": "<b>sleep</b>", "remedy": "is killed"}
POLICY = {"mode": "act", "outcome": "fail", "stale_after_ms": 21_600_000, "sweep_every_ms": 300_000, "idle_after_ms": 600_000,
          "slow_factor": 3, "stuck_after_ms": {"low": 600_000, "medium": 1_800_000, "high": 3_600_000, "critical": 7_200_000}}
SWEEP = {"id": "1", "at": stamp(90), "kind": "sweep", "acted": True, "actor": None, "stale": 2, "failed": 2, "requeued": 0, "orphans": {}, "cleaned": {}}


@pytest.fixture
def safety(page, server):  # noqa: F811
    def answer(method, path, value):
        server.host.answers[(method, "/api/v1/safety/" + path)] = value

    answer("GET", "stuck", (200, {"items": [STUCK]}))
    answer("POST", "orphans/cleanup", lambda body: (200, {"plan": "pln_o", "dry_run": True, "count": 1, "sample": [ORPHAN]} if body.get("dry_run")
                                                    else {"dry_run": False, "count": 1, "untouched": 0}))
    answer("GET", "policy", (200, POLICY))
    answer("PUT", "policy", (200, {**POLICY, "mode": "report"}))
    answer("GET", "sweeps", (200, {"items": [SWEEP]}))
    answer("POST", "emergency", lambda body: (200, {"plan": "pln_e", "count": 2, "effect": "…"} if body.get("dry_run")
                                              else {"on": True, "changed": True, "count": 2, "orders": []}))
    answer("DELETE", "emergency", (200, {"on": False, "changed": True, "orders": [], "lifted": ["terminate_all"]}))
    return page


def test_what_is_stuck_is_shown_with_its_evidence(safety):
    safety.click("#safety-more")
    safety.until("document.querySelector('#safety-stuck').innerText.includes('mischief.deaf#1239')")
    text = safety.js("document.querySelector('#safety-dialog').innerText")
    for words in ("12.5 times what 95 of 100 runs take", "no processor time for 14", "process without run", "4711", "is killed",
                  "Every 5", "ended as failed", "2 stale: 2 failed"):
        assert words in text, (words, text)
    assert "<b>sleep</b>" in text, "text from outside stays text"
    safety.click("#safety-stuck button")
    safety.until("document.querySelector('#confirm').open")
    safety.press("Escape")
    safety.press("Escape")


def test_orphans_are_put_right_by_the_plan_that_was_shown(safety, server):  # noqa: F811
    safety.click("#safety-more")
    safety.until("!document.querySelector('#orphans-clean').disabled")
    safety.click("#orphans-clean")
    safety.until("document.querySelector('#ask').open")
    safety.js("document.querySelector('#ask-reason').value = 'a leak'")
    safety.click("#ask-yes")
    safety.until("!document.querySelector('#ask').open")
    bodies = sent(server, "/safety/orphans/cleanup")
    assert {"plan": "pln_o", "reason": "a leak"} in bodies, bodies
    keys = [headers.get("Idempotency-Key") for method, path, body, headers in server.host.requests
            if path.endswith("/orphans/cleanup") and body and "plan" in body]
    assert len(keys) == 1 and keys[0].startswith('"page-')
    safety.press("Escape")


def test_an_emergency_is_declared_framed_and_lifted(safety, server):  # noqa: F811
    safety.click("#safety-more")
    safety.until("document.querySelector('#safety-sweeps').innerText.includes('2 failed')")
    safety.click("#emergency-declare")
    safety.until("document.querySelector('#ask').open")
    safety.js("document.querySelector('#ask-mode').value = 'terminate_all'; document.querySelector('#ask-reason').value = 'wrong mails'")
    safety.click("#ask-yes")
    safety.until("!document.querySelector('#ask').open")
    assert sent(server, "/safety/emergency")[:2] == [
        {"mode": "terminate_all", "dry_run": True}, {"mode": "terminate_all", "reason": "wrong mails", "plan": "pln_e"}]
    safety.press("Escape")

    order = {"mode": "terminate_all", "since": stamp(30), "actor": "admin", "reason": "<i>wrong</i> mails"}
    change(server, lambda host: setattr(host, "health", {"verdict": "critical", "emergency": [order], "checks": [
        {"name": "emergency", "ok": False, "detail": "terminate_all by admin"}]}))
    safety.until("document.body.classList.contains('emergency')")
    text = safety.js("document.querySelector('#emergency-bar').innerText")
    assert "Terminate all" in text and "<i>wrong</i> mails" in text and "admin" in text, text
    safety.click("#emergency-lift")
    safety.until("document.querySelector('#toasts').innerText.includes('lifted')")
    change(server, lambda host: setattr(host, "health", {"verdict": "ok", "checks": [{"name": "emergency", "ok": True, "detail": ""}]}))
    safety.until("!document.body.classList.contains('emergency') && document.querySelector('#emergency-bar').hidden")


def test_the_policy_is_changed_as_a_whole(safety, server):  # noqa: F811
    safety.click("#safety-more")
    safety.until("document.querySelector('#safety-policy').textContent.includes('ended as failed')")
    safety.click("#policy-change")
    safety.until("document.querySelector('#ask').open")
    safety.js("document.querySelector('#ask-mode').value = 'report'; document.querySelector('#ask-hours').value = '12'")
    safety.click("#ask-yes")
    safety.until("!document.querySelector('#ask').open")
    body = sent(server, "/safety/policy")[0]
    assert body == {**POLICY, "mode": "report", "stale_after_ms": 43_200_000}, body
    safety.press("Escape")
