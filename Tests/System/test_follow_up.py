"""Runs that follow others (extension pawl.follow-up/1): made with the success of the run that asked, once, or not at all."""

import json
import shutil

import pytest

from conftest import BIN, Host, scratch_directory, until


@pytest.fixture(scope="module")
def asking():
    """A host whose only plugin asks for runs."""
    with scratch_directory() as path:
        (path / "plugins").mkdir()
        shutil.copyfile(BIN / "fixtures" / "follow_up.so", path / "plugins" / "follow_up.so")
        host = Host(path / "host", plugins=path / "plugins")
        try:
            yield host.start()
        finally:
            host.end()


def asked_runs(host):
    return host.get("/api/v1/runs?job=fixture.asked&limit=200")["items"]


def end_of(host, attempts=1, **args):
    run = host.run("fixture.ask", args, attempts=attempts, backoff={"type": "fixed", "delay_ms": 10})
    return run, host.wait_state(run)


def test_a_run_and_its_follow_ups(asking):
    options = {"delay_ms": 0, "priority": 5, "title": "asked for", "labels": {"a": "b"}}
    run = asking.run("fixture.ask", {"job": "fixture.asked", "args": {"n": 7}, "options": options, "times": 3},
                     owner="ada")
    done = asking.wait_state(run)
    assert done["state"] == "succeeded", (done, asking.log_text(run))
    assert done["parent"] is None
    assert [child["job"] for child in done["follow_ups"]] == ["fixture.asked"] * 3
    for child in done["follow_ups"]:
        end = asking.wait_state(child["id"])
        assert end["state"] == "succeeded" and end["result"] == {"n": 7}
        assert (end["parent"], end["trigger"], end["owner"]) == (run, "follow_up", "ada")
        assert (end["priority"], end["title"], end["labels"]) == (5, "asked for", {"a": "b"})
        assert end["follow_ups"] == []


def test_a_delayed_one_waits(asking):
    run, done = end_of(asking, job="fixture.asked", options={"delay_ms": 3_600_000})
    assert done["state"] == "succeeded"
    child = asking.get(f"/api/v1/runs/{done['follow_ups'][0]['id']}")
    assert child["state"] == "scheduled"
    asking.expect("POST", f"/api/v1/runs/{child['id']}/cancel", {})


@pytest.mark.parametrize("then", ["fail", "crash"])
def test_no_success_no_follow_up(asking, then):
    before = len(asked_runs(asking))
    run, done = end_of(asking, job="fixture.asked", then=then)
    assert done["state"] == "failed" and done["follow_ups"] == []
    assert len(asked_runs(asking)) == before


def test_a_retried_attempt_doubles_nothing(asking):
    run = asking.run("fixture.ask", {"job": "fixture.asked", "then": "retry"}, attempts=3,
                     backoff={"type": "fixed", "delay_ms": 10})
    done = asking.wait_state(run)
    assert done["state"] == "succeeded" and done["attempts_used"] == 2
    assert len(done["follow_ups"]) == 1


def test_a_cancelled_run_makes_none(asking):
    run = asking.run("fixture.ask", {"job": "fixture.asked", "then": "wait"}, attempts=1)
    until(lambda: "asked" in asking.log_text(run), what="the handler's word")
    asking.expect("POST", f"/api/v1/runs/{run}/cancel", {})
    done = asking.wait_state(run)
    assert done["state"] == "cancelled" and done["follow_ups"] == []


def test_a_host_that_dies_before_the_end_makes_none(asking):
    """It has been told what the run asks for, and the run's end never came."""
    before = len(asked_runs(asking))
    run = asking.run("fixture.ask", {"job": "fixture.asked", "then": "wait", "times": 3}, attempts=5)
    until(lambda: "asked" in asking.log_text(run), what="the handler's word")
    asking.kill()
    asking.start()
    until(lambda: asking.log_text(run).count("asked") >= 2, what="the next attempt", bound=60)
    asking.expect("POST", f"/api/v1/runs/{run}/cancel", {})
    done = asking.wait_state(run)
    assert done["state"] == "cancelled" and done["follow_ups"] == []
    assert len(asked_runs(asking)) == before
    # And whoever asks again gets what it asks for, once.
    run, done = end_of(asking, job="fixture.asked")
    assert done["state"] == "succeeded" and len(done["follow_ups"]) == 1
    assert len(asked_runs(asking)) == before + 1


def test_what_cannot_be_made_fails_the_run_and_names_it(asking):
    run, done = end_of(asking, job="fixture.askd", attempts=5)
    assert done["state"] == "failed" and done["error"]["code"] == "follow_up_refused"
    assert "follow-up run 1 of 1 (job fixture.askd)" in done["error"]["message"]
    assert "fixture.asked" in done["error"]["message"], "near matches"
    assert done["result"] == 0 and done["attempts_used"] == 1 and done["follow_ups"] == []
    run, done = end_of(asking, job="fixture.asked", args={"n": "x"})
    assert done["state"] == "failed" and "/args/n" in json.dumps(done["error"])
