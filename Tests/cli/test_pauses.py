"""`pawl pauses`: of what nothing new starts, since when, and why."""
import json

from fake_host import stamp

PATH = "/api/v1/pauses"


def test_pauses_say_what_since_when_and_why(pawl, server):
    pauses = [
        {"kind": "queue", "name": "mail", "since": stamp(3600), "reason": "provider away", "until": None, "drain": False},
        {"kind": "job", "name": "report", "since": stamp(60), "reason": None, "until": stamp(-3600), "drain": True}]
    server.host.answers["GET", PATH] = (200, {"items": pauses})
    done = pawl("pauses")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[-2:]
    assert first.split()[:3] == ["queue", "mail", "paused"] and "provider away" in first
    assert second.split()[:3] == ["job", "report", "draining"]
    assert json.loads(pawl("pauses", "--json").stdout)["items"] == pauses


def test_that_nothing_is_paused_is_said(pawl, server):
    server.host.answers["GET", PATH] = (200, {"items": []})
    done = pawl("pauses")
    assert done.returncode == 0 and "Nothing is paused." in done.stdout + done.stderr
