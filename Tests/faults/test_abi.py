"""A and S: plugins that are wrong, and languages that leave by the wrong door. Tests/zygote/test_loading.py has A1 to A9 at the
zygote; here the same comes in through a host's directory."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import BIN, plugin_directory
from invariants import Watch
from pawl_host import ROOT
from pawl_processes import descendants, until

# What each of the broken fixtures must be told, in part.
REJECTED = {
    "wrong_major": "ABI 99", "small_descriptor": "struct_size", "unknown_flag": "flag", "null_name": "name", "null_run": "run",
    "too_many_handlers": "handler", "null_descriptor": "NULL", "crash_in_entry": "SIGSEGV", "exit_in_entry": "exit",
    "exit_in_init": "exit", "loop_in_entry": "", "no_entry": "pawl_plugin_entry", "unresolved": "undefined symbol",
    "init_fails": "the table of prices is missing", "duplicate_names": "", "undotted_name": "", "bad_name": "", "bad_schema": "JSON"}


def test_a_broken_plugins_in_a_host(own_host, place, tmp_path):
    """A1 to A9: each is rejected with its reason, the good one beside them serves."""
    plugins = plugin_directory(tmp_path / "plugins", ["plugins/mischief.so", *(f"fixtures/{name}.so" for name in REJECTED)])
    host = own_host(plugins=plugins)

    def told():
        found = {p["file"].removesuffix(".so"): p for p in host.get("/api/v1/plugins")["items"]}
        return found if all((found.get(name) or {}).get("error") for name in REJECTED) else None
    found = until(told, 60, "an error for each")
    for name, words in REJECTED.items():
        assert words.lower() in found[name]["error"].lower(), (name, found[name]["error"])
    assert host.end_of("mischief.noop")["outcome"] == "succeeded"
    Watch(host, host.ledger).check()


def test_a7_a_thread_in_the_entry_means_spawn(own_host, tmp_path):
    """Forking it would be unsafe: every attempt loads it afresh, and the plugin says why."""
    host = own_host(plugins=plugin_directory(tmp_path / "plugins", ["fixtures/thread_in_entry.so"]))
    plugin = host.get("/api/v1/plugins")["items"][0]
    assert plugin["state"] == "active", plugin
    job = plugin["handlers"][0]["name"]
    attempt = host.end_of(job)
    assert attempt["outcome"] == "succeeded" and attempt["mode"] == "spawn", attempt
    assert "thread" in str(plugin).lower(), plugin


def test_a10_plugins_built_with_every_released_header(own_host, tmp_path):
    """Tests/abi/released has the header of each release, as it was."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    releases = sorted(p.name for p in (ROOT / "Tests" / "abi" / "released").iterdir())
    assert releases
    for release in releases:
        name = release.replace(".", "_")
        source = tmp_path / f"old{name}.c"
        source.write_text((ROOT / "Tests/abi/corpus/1.0/plugin.c").read_text().replace("old.release", f"old.r{name}"))
        subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-I", str(ROOT / "Tests/abi/released" / release),
                        "-o", str(plugins / f"old-{release}.so"), str(source)], check=True, timeout=60)
    host = own_host(plugins=plugins)
    for release in releases:
        run = host.run(f"old.r{release.replace('.', '_')}", {"n": 20}, attempts=1)
        done = host.wait_state(run)
        assert done["state"] == "succeeded", host.attempts(run)
        assert host.get(run + "?include=result")["result"] == {"twice": 40}
        assert "this is an old plugin" in host.log_text(run) and done["progress"]["percent"] == 100


@pytest.mark.parametrize("job", ["mischief.late", "ways.late"])
def test_a11_a12_calls_after_the_return_and_from_other_threads(host, job):
    assert host.end_of(job)["outcome"] == "succeeded"
    assert host.end_of("fixture.talk", {"what": "threads"})["outcome"] == "succeeded"


def test_a13_a_swift_throw_is_an_error(host):
    attempt = host.end_of("ways.fail", {"code": "told"})
    assert (attempt["outcome"], attempt["error"]["code"]) == ("error", "told"), attempt


@pytest.mark.parametrize("job", ["cpp.throws", "cpp.gives_up"])
def test_a13_a_cpp_exception_is_a_crash_with_its_last_words(host, job):
    attempt = host.end_of(job)
    assert (attempt["outcome"], attempt["signal"]) == ("crashed", signal.SIGABRT)
    words = host.log_text(attempt["run_id"])
    assert "terminate called" in words and ("nobody catches this" in words or job == "cpp.gives_up")
    assert host.end_of("cpp.returns")["outcome"] == "succeeded"


@pytest.mark.parametrize("size", [(1 << 20) + 1, 20_000_000])
def test_a14_large_results(host, size):
    run = host.run("mischief.result", {"bytes": size}, attempts=1)
    assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
    answer = host.request("GET", f"/api/v1/runs/{run}/result")
    assert answer.status == 200 and len(answer.body) == size + 2


def test_a14_results_that_are_too_large(host):
    """64 MiB are the most: the call says so, and the handler may still end well; 300 MiB end it as an error."""
    assert host.end_of("fixture.talk", {"what": "too_large"})["outcome"] == "succeeded"
    attempt = host.end_of("mischief.result", {"bytes": 300_000_000})
    assert attempt["outcome"] == "error", attempt


def test_a14_a_result_that_is_no_json(host):
    assert host.end_of("fixture.talk", {"what": "bad_json"})["outcome"] == "succeeded"  # Refused at the call.


def test_s_swift_after_a_fork(host):
    """S1 to S4: tasks, actors, groups; the main queue and @MainActor; Foundation's Process."""
    for job, result in (("ways.async", 5100), ("ways.main_queue", 10), ("ways.libraries", ["1970-01-01", "hello\n"])):
        run = host.run(job, attempts=1)
        assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
        assert host.get(run + "?include=result")["result"] == result


def test_s3_contended_locks_two_hundred_times(host):
    """On the thread that forked this crashed in 8 of 20 runs (SIGILL): the worker is a thread of its own."""
    made = host.expect("POST", "/api/v1/runs/batch", {"items": [{"job": "ways.contended", "args": {}, "attempts": 1}] * 200},
                       headers={"Idempotency-Key": f'"{os.urandom(8).hex()}"'})
    until(lambda: not host.ledger.live(), 60, "200 runs")
    numbers = host.ledger.rows("select state, count(*) from pawl.run where job = 'ways.contended' group by 1")
    assert [row[0] for row in numbers] == ["succeeded"] and int(numbers[0][1]) >= len(made["items"]), numbers


def test_s4_url_session(host):
    """URLSession brings threads, a run loop and libcurl into the child; the server it asks is its own host."""
    run = host.run("dynamic.fetch", {"url": f"{host.url}/livez"}, attempts=1)
    assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
    answer = host.get(run + "?include=result")["result"]
    assert answer["status"] == 200 and answer["bytes"] > 0
    refused = host.end_of("dynamic.fetch", {"url": "http://127.0.0.1:1/"})
    assert refused["outcome"] == "error", refused


def test_s5_a_dynamic_runtime_beside_static_ones(host):
    """Each in a zygote of its own: what one brings does not meet the other."""
    for _ in range(5):
        for job, result in (("dynamic.tasks", 5050), ("ways.async", 5100)):
            run = host.run(job, attempts=1)
            assert host.wait_state(run)["state"] == "succeeded", host.attempts(run)
            assert host.get(run + "?include=result")["result"] == result
