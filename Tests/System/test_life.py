"""A run's whole way, and what everybody may rely on."""

import hashlib
import json
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import BIN, ROOT, TERMINAL, until
from pawl_host import Failure


def test_noop_ends_with_one_attempt(host):
    run = host.run("mischief.noop")
    done = host.wait_state(run)
    assert done["state"] == "succeeded"
    attempts = host.attempts(run)
    assert [a["outcome"] for a in attempts] == ["succeeded"]
    assert attempts[0]["attempt"] == 1


def test_csv_to_jsonl_on_real_input(host, scratch):
    source, target = Path("/usr/share/unicode/UnicodeData.txt"), scratch / "out.jsonl"
    names = [f"f{i}" for i in range(15)]
    run = host.run("csv.to_jsonl", {"input": str(source), "output": str(target), "delimiter": ";", "header": False,
                                    "names": names})
    done = host.wait_state(run)
    assert done["state"] == "succeeded", (done, host.log_text(run))
    rows = source.read_text().splitlines()
    lines = target.read_text().splitlines()
    assert done["result"]["rows"] == len(rows) == len(lines)
    assert done["result"]["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    for number in (0, 65, len(rows) - 1):
        assert list(json.loads(lines[number]).values()) == rows[number].split(";")
    assert done["progress"]["percent"] == 100


def test_swift_plugin(host, scratch):
    text = scratch / "words.txt"
    text.write_text("to be or not to be\nthat is\n")
    run = host.run("text.stats", {"path": str(text), "top": 2})
    done = host.wait_state(run)
    assert done["state"] == "succeeded", (done, host.log_text(run))
    assert done["result"]["lines"] == 2 and done["result"]["words"] == 8


def test_typed_call(host):
    run = host.run("zlib.crc32", {"data": "hello"})
    done = host.wait_state(run)
    assert done["state"] == "succeeded", (done, host.log_text(run))
    assert done["result"] == {"result": 907060870}


def test_failure_is_retried_and_then_final(host):
    run = host.run("mischief.fail", {"message": "no luck"}, attempts=3, backoff={"type": "fixed", "delay_ms": 50})
    done = host.wait_state(run)
    assert done["state"] == "failed"
    attempts = host.attempts(run)
    assert [a["outcome"] for a in attempts] == ["error"] * 3
    assert "no luck" in json.dumps(attempts[-1])


def test_crash_is_named_and_hurts_nobody(host):
    bystander = host.run("mischief.sleep", {"ms": 1500})
    host.wait_state(bystander, "running")
    crashed = host.run("mischief.segv", attempts=1)
    done = host.wait_state(crashed)
    assert done["state"] == "failed"
    attempt = host.attempts(crashed)[0]
    assert (attempt["outcome"], attempt["reason"], attempt["signal"]) == ("crashed", "signal", signal.SIGSEGV)
    assert host.wait_state(bystander)["state"] == "succeeded"


def test_exit_without_a_result(host):
    run = host.run("mischief.exit", {"code": 7}, attempts=1)
    assert host.wait_state(run)["state"] == "failed"
    attempt = host.attempts(run)[0]
    assert (attempt["outcome"], attempt["reason"], attempt["exit_code"]) == ("crashed", "no_result", 7)


def test_wall_timeout(host):
    run = host.run("mischief.spin", timeout_ms=300, attempts=1)
    assert host.wait_state(run)["state"] == "failed"
    attempt = host.attempts(run)[0]
    assert (attempt["outcome"], attempt["reason"]) == ("timed_out", "wall")


def test_cancel_of_waiting_and_running(host):
    waiting = host.run("mischief.noop", delay_ms=3_600_000)
    assert host.get(waiting)["state"] == "scheduled"
    assert host.call("POST", f"/api/v1/runs/{waiting}/cancel", {"reason": "not needed"}).status in (200, 202)
    assert host.wait_state(waiting)["state"] == "cancelled"
    running = host.run("mischief.sleep", {"ms": 600_000})
    host.wait_state(running, "running")
    assert host.call("POST", f"/api/v1/runs/{running}/cancel", {}).status in (200, 202)
    assert host.wait_state(running)["state"] == "cancelled"
    assert host.attempts(running)[0]["outcome"] == "cancelled"
    again = host.call("POST", f"/api/v1/runs/{running}/cancel", {})
    assert again.status == 200 and again.json["changed"] is False


def test_priority_higher_first(host_factory):
    host = host_factory(arguments=["--slots", "1"]).start()
    blocker = host.run("mischief.sleep", {"ms": 1000})
    host.wait_state(blocker, "running")
    low, high = host.run("mischief.noop", priority=-1), host.run("mischief.noop", priority=9)
    a, b = host.wait_state(low), host.wait_state(high)
    assert b["started_at"] < a["started_at"]


def test_output_is_logged_and_bounded(host):
    run = host.run("mischief.flood", {"bytes": 40_000_000}, attempts=1)
    done = host.wait_state(run)
    assert done["state"] == "succeeded", done
    attempt = host.attempts(run)[0]
    assert attempt["dropped_output_bytes"] > 0


def test_logs_follow_until_the_end(host):
    import http.client
    run = host.run("mischief.progress", {"steps": 10, "ms": 100})
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=30)
    connection.request("GET", f"/api/v1/runs/{run}/logs?follow=true",
                       headers={"Authorization": f"Bearer {host.token}", "Accept": "application/x-ndjson"})
    response = connection.getresponse()
    assert response.status == 200
    body = response.read()
    connection.close()
    assert host.get(run)["state"] in TERMINAL  # The stream ended because the run did.
    assert all(json.loads(line) for line in body.splitlines() if line)


def test_one_thread(host):
    for _ in range(50):
        host.run("mischief.noop")
    def threads():
        status = Path(f"/proc/{host.process.pid}/status").read_text()
        return int(next(l for l in status.splitlines() if l.startswith("Threads:")).split()[1])
    assert threads() == 1


def test_attempts_get_the_variables_that_they_may_have(host_factory):
    host = host_factory(arguments=["--pass-env", "SECRET_OF_THE_HOST"],
                        environment={"SECRET_OF_THE_HOST": "a=b c", "OTHER": "not this"}).start()
    run = host.run("mischief.facts")
    assert host.wait_state(run)["state"] == "succeeded"
    found = host.get(run + "?include=result")["result"]["environment"]
    assert "SECRET_OF_THE_HOST=a=b c" in found and not any(entry.startswith("OTHER=") for entry in found)


@pytest.mark.parametrize("name, words", [("PAWL_URL", "none that begins with PAWL_"), ("A=B", "the name of a variable"),
                                         ("NOT_THERE", "the host has no such variable")])
def test_variables_that_cannot_be_passed(host_factory, name, words):
    host = host_factory(arguments=["--pass-env", name])
    with pytest.raises(Failure, match=words):
        host.start()


def test_sigterm_drains_and_a_second_one_does_not_wait(host_factory):
    host = host_factory().start()
    run = host.run("mischief.sleep", {"ms": 2000})
    host.wait_state(run, "running")
    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(60) == 0
    host.start()
    assert host.wait_state(run)["state"] == "succeeded"
    assert len(host.attempts(run)) == 1  # It ended while the host drained.
    slow = host.run("mischief.sleep", {"ms": 600_000})
    host.wait_state(slow, "running")
    drains = host.log_path.read_text().count("draining:")
    host.process.send_signal(signal.SIGTERM)
    # Signals of one kind that are pending together are one: the second must come after the first was seen.
    until(lambda: host.log_path.read_text().count("draining:") > drains, 10, "the drain's log line")
    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(20) == 0
    host.start()
    again = until(lambda: (lambda r: r if r["state"] in ("queued", "running") else None)(host.get(slow)), 20)
    assert again["attempts_used"] == 0  # A host's shutdown uses up no attempt.
    host.call("POST", f"/api/v1/runs/{slow}/terminate", {})
    assert host.wait_state(slow)["state"] == "cancelled"


def test_header_alone_builds_a_plugin_that_runs(host_factory, scratch):
    plugins = scratch / "plugins"
    plugins.mkdir()
    source = scratch / "hello.c"
    source.write_text('''#include <pawl.h>
static int32_t hello(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user; (void)args;
    attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("hello"), PAWL_NO_STR);
    return attempt->host->result_json(attempt, PAWL_STR("{\\"greeting\\":\\"hello\\"}"));
}
static const pawl_handler handlers[] = {{.struct_size = sizeof(pawl_handler), .name = "hello.world", .run = hello}};
PAWL_PLUGIN("hello", "1.0.0", handlers)
''')
    subprocess.run(["cc", "-shared", "-fPIC", "-fvisibility=hidden", "-I", str(ROOT / "include"), "-o",
                    str(plugins / "hello.so"), str(source)], check=True, timeout=60)
    host = host_factory(plugins=plugins).start()
    run = host.run("hello.world")
    assert host.wait_state(run)["result"] == {"greeting": "hello"}
    assert "hello" in host.log_text(run)


def test_zygote_needs_libc_only():
    printed = subprocess.run(["ldd", str(BIN / "pawl-zygote")], capture_output=True, text=True, timeout=20).stdout
    libraries = {line.split()[0].split("/")[-1] for line in printed.splitlines() if line.strip()}
    assert libraries <= {"linux-vdso.so.1", "libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}, printed


def test_a_run_without_a_word_has_one_line(host):
    """It costs no row in the log; whoever reads gets that it succeeded, and nothing twice."""
    run = host.run("mischief.noop")
    assert host.wait_state(run)["state"] == "succeeded"
    logs = f"/api/v1/runs/{run}/logs"
    line, = host.get(logs)["items"]
    assert line["message"] == "It succeeded." and line["stream"] == "host" and line["level"] == "info"
    assert host.get(f"{logs}?tail=5")["items"] == [line] and host.get(f"{logs}?from={line['seq'] + 1}")["items"] == []
    assert host.get(f"{logs}?min_level=warning")["items"] == host.get(f"{logs}?stream=stdout")["items"] == []
    followed = host.request("GET", f"{logs}?follow=true", headers={"Accept": "application/x-ndjson"}).body.decode()
    assert [json.loads(text)["seq"] for text in followed.splitlines() if text] == [line["seq"]]
    # Not so where something was said: the host's own last line is one of the others, and the only one of its kind.
    loud = host.run("shell.exec", {"argv": ["echo", "a word"]})
    assert host.wait_state(loud)["state"] == "succeeded", host.log_text(loud)
    messages = [item["message"] for item in host.get(f"/api/v1/runs/{loud}/logs")["items"]]
    assert "a word" in messages and sum(m.startswith("It succeeded.") for m in messages) == 1 and len(messages) == len(set(messages))
