"""What goes to standard output, what to standard error, and with which exit code: no terminal anywhere."""

import json
import pathlib
import re
import time

import pytest

from fake_host import make_run, progress, run_id, stamp

FINISHED = {"state": "succeeded", "outcome": "succeeded", "finished_at": stamp(), "result": {"rows": 3}}
RUNNING = {"state": "running", "attempt": 1, "started_at": stamp(1), "progress": progress(1250, 5000, "Processing users", "users")}


def line(seq, message, level="info"):
    return {"seq": seq, "time": "2026-11-20T12:04:05.123456Z", "level": level, "stream": "handler", "stage": None, "message": message}


def test_run_prints_only_the_id_on_standard_output(pawl, server):
    done = pawl("run", "csv.to_jsonl")
    assert done.returncode == 0
    assert done.stdout == run_id(100) + "\n"
    assert "csv.to_jsonl#100 queued on default" in done.stderr


def test_run_builds_the_body_from_its_options(pawl, server, tmp_path):
    (tmp_path / "args.json").write_text('{"path": "a.csv", "big": 9007199254740993, "keep": 1.10}')
    done = pawl(
        "run", "csv.to_jsonl", "--args", f"@{tmp_path}/args.json", "--arg", "path=b.csv", "--arg", "n:=[1,2]", "--queue", "bulk",
        "--priority", "-5", "--delay", "90s", "--attempts", "2", "--timeout", "10m", "--title", "A title", "--label", "a=b=c",
        "--idempotency-key", "k1")
    assert done.returncode == 0, done.stderr
    body = server.host.sent("POST", "/api/v1/runs")[0]
    assert body == {
        "job": "csv.to_jsonl", "args": {"path": "b.csv", "big": 9007199254740993, "keep": 1.1, "n": [1, 2]}, "queue": "bulk",
        "priority": -5, "delay_ms": 90000, "attempts": 2, "timeout_ms": 600000, "title": "A title", "labels": {"a": "b=c"}}
    headers = [h for m, p, _, h in server.host.requests if m == "POST"][0]
    assert headers["Idempotency-Key"] == '"k1"'
    assert headers["Authorization"] == f"Bearer {server.host.token}"


def test_run_reads_arguments_from_standard_input(pawl, server):
    done = pawl("run", "csv.to_jsonl", "--args", "-", input='{"a": "ü\\u0000"}')
    assert done.returncode == 0, done.stderr
    assert server.host.sent("POST", "/api/v1/runs")[0]["args"] == {"a": "ü\x00"}


@pytest.mark.parametrize("arguments, code, words", [
    (["run", "x", "--args", "{"], 65, "no JSON"),
    (["run", "x", "--args", "@/nowhere/args.json"], 66, "No such file"),
    (["run", "x", "--arg", "novalue"], 64, "name=text"),
    (["run", "x", "--arg", "n:=1x"], 64, "no JSON"),
    (["run", "x", "--args", "[1]", "--arg", "a=b"], 64, "--args is none"),
    (["run"], 64, "Missing expected argument"),
    (["run", "x", "--delay", "soon"], 64, "is no duration"),
    (["run", "x", "--delay", "1s", "--run-at", "2027-01-01T00:00:00Z"], 64, "exclude each other"),
    (["show", "nonsense"], 64, "names no run"),
    (["show", "@first"], 64, "names no run"),
    (["runs", "--limit", "1000"], 64, "1 to 200"),
    (["logs", "@last", "--min-level", "loud"], 64, "is no level"),
    (["schedules", "create", "n", "--job", "j"], 64, "exactly one of"),
    (["api", "GET", "/runs", "--header", "nocolon"], 64, "is no header"),
])
def test_wrong_usage_is_said_before_anything_is_sent(pawl, server, arguments, code, words):
    done = pawl(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert not [r for r in server.host.requests if r[0] != "GET"]


@pytest.mark.parametrize("arguments", [["run", "x"], ["schedules", "create", "n", "--job", "x", "--every", "30s"]])
def test_text_where_json_is_wanted_is_told_with_what_to_write(pawl, server, arguments):
    def refuse(*errors):
        server.host.answers[("POST", "/api/v1/schedules" if arguments[0] == "schedules" else "/api/v1/runs")] = (422, {
            "title": "T", "status": 422, "code": "invalid_args", "detail": "The arguments are not what the job takes",
            "errors": [{"pointer": pointer, "code": code, "detail": "is wrong"} for pointer, code in errors]})

    refuse(("/args/top", "type"), ("/args/mode", "anyOf"), ("/args/list", "type"), ("/args/name", "pattern"), ("/args/a~1b", "type"))
    done = pawl(*arguments, "--arg", "top=3", "--arg", "mode=true", "--arg", "list=a,b", "--arg", "name=7", "--arg", "a/b=[1]",
                "--arg", "fine=4", "--arg", "json:=5")
    assert done.returncode == 65, done.stderr
    for words in ('top=3 is the text "3"; for the value write top:=3', 'mode=true is the text "true"; for the value write mode:=true',
                  "list=… gives text; for anything else give JSON: list:=…", "for the value write a/b:=[1]"):
        assert words in done.stderr, (words, done.stderr)
    for name in ("name", "fine", "json"):
        assert f"{name}:=" not in done.stderr, done.stderr
    # Where it was given as JSON there is nothing to hint at.
    refuse(("/args/top", "type"))
    assert ":=" not in pawl(*arguments, "--arg", "top:=3").stderr


def test_unknown_job_is_told_with_near_matches(pawl):
    done = pawl("run", "csv.to_json")
    assert done.returncode == 4
    assert 'error: There is no job "csv.to_json".' in done.stderr
    assert "did you mean csv.to_jsonl?" in done.stderr
    assert "job: unknown job" in done.stderr


@pytest.mark.parametrize("status, code", [
    (400, 65), (401, 77), (403, 77), (404, 4), (409, 73), (410, 4), (412, 73), (413, 65), (422, 65), (428, 73), (429, 75),
    (500, 70), (503, 75), (418, 1),
])
def test_each_status_has_its_exit_code(pawl, server, status, code):
    server.host.answers[("GET", "/api/v1/queues")] = (
        status, {"title": "T", "status": status, "detail": "It did not work", "errors": [{"pointer": "/a/b", "detail": "is wrong"}]})
    done = pawl("queues")
    assert done.returncode == code
    assert "It did not work." in done.stderr and "a.b: is wrong" in done.stderr


def test_an_unreachable_server_says_what_was_tried(pawl):
    done = pawl("runs", PAWL_URL="http://127.0.0.1:9")
    assert done.returncode == 69
    assert "http://127.0.0.1:9/api/v1/runs" in done.stderr and "PAWL_URL" in done.stderr


def test_without_a_host_the_places_that_were_looked_at_are_listed(pawl, tmp_path):
    done = pawl("runs", PAWL_URL=None, PAWL_DATA_DIR=str(tmp_path / "none"))
    assert done.returncode == 69
    assert str(tmp_path / "none/host.json") in done.stderr


def test_host_and_token_are_found_in_a_data_directory(pawl, server, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "host.json").write_text(json.dumps({"pid": 1, "url": server.url, "version": "0.1.0"}))
    (data / "admin-token").write_text(server.host.token + "\n")
    assert pawl("runs", PAWL_URL=None, PAWL_TOKEN=None, PAWL_DATA_DIR=str(data)).returncode == 0
    assert pawl("runs", "--data-dir", str(data), PAWL_TOKEN=None).returncode == 0
    state = tmp_path / "state" / "pawl"
    state.mkdir(parents=True)
    (state / "default").write_text(f"{data}\n")
    assert pawl("runs", PAWL_URL=None, PAWL_TOKEN=None).returncode == 0
    # Named by its address, its own token file still applies …
    assert pawl("runs", "--server", server.url, PAWL_URL=None, PAWL_TOKEN=None).returncode == 0
    # … but never travels to another server.
    before = len(server.host.requests)
    other = server.url.replace("127.0.0.1", "127.0.0.2")
    pawl("runs", "--server", other, PAWL_URL=None, PAWL_TOKEN=None)
    assert all("Authorization" not in r[3] for r in server.host.requests[before:])


def test_a_wrong_token_is_told_in_words(pawl):
    done = pawl("runs", PAWL_TOKEN="pawl_wrong")
    assert done.returncode == 77
    assert "admin-token" in done.stderr


def test_wait_prints_the_result_and_lines_with_times(pawl, server):
    server.host.new_run_steps = [{}, RUNNING, RUNNING, FINISHED]
    done = pawl("run", "csv.to_jsonl", "--wait")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"rows": 3}
    assert "Z running" in done.stderr and "Processing users (1,250 / 5,000) 25%" in done.stderr
    assert "succeeded" in done.stderr.splitlines()[-1]
    assert "\x1b" not in done.stderr and "\r" not in done.stderr


@pytest.mark.parametrize("ending, code", [
    ({"state": "failed", "outcome": "crashed", "reason": "signal", "error": {"code": "crashed", "message": "SIGSEGV at 0x0"}}, 1),
    ({"state": "cancelled", "outcome": "terminated"}, 3),
    ({"state": "cancelled", "outcome": "cancelled"}, 3),
])
def test_the_outcome_is_the_exit_code_and_the_log_ends_the_talk(pawl, server, ending, code):
    server.host.new_run_steps = [RUNNING, {**ending, "finished_at": stamp()}]
    server.host.logs["new"] = [line(1, "before the end", "warning")]
    done = pawl("run", "mischief.segv", "--wait")
    assert done.returncode == code
    assert done.stdout == ""
    assert "WARNING before the end" in done.stderr
    if code == 1:
        assert "SIGSEGV at 0x0" in done.stderr


def test_wait_with_a_limit_lets_go(pawl, server):
    server.host.new_run_steps = [RUNNING]
    done = pawl("run", "slow.job", "--wait=300ms")
    assert done.returncode == 124
    assert f"pawl watch {run_id(100)}" in done.stderr


def test_wait_may_stand_before_the_job(pawl, server):
    server.host.new_run_steps = [FINISHED]
    assert pawl("run", "--wait", "csv.to_jsonl").returncode == 0
    assert pawl("run", "csv.to_jsonl", "--wait", "soon").returncode == 64


def test_a_server_that_is_away_for_a_moment_is_waited_for(pawl, server):
    host = server.host
    run = host.add(make_run(7, state="running"), {}, {}, {}, {}, FINISHED)
    host.answers[("GET", "/api/v1/queues")] = (200, {})
    original = host.look
    looks = []

    def look(id_):
        looks.append(id_)
        if len(looks) == 1:
            host.fail_next = 2
        return original(id_)

    host.look = look
    done = pawl("watch", run["id"])
    assert done.returncode == 0, done.stderr
    assert "the server is away, trying again" in done.stderr


def test_runs_in_a_pipe_are_tab_separated_and_whole(pawl, server):
    long_title = "t" * 300
    server.host.add(make_run(1, state="failed", title=long_title, error={"message": "broken\tpipe\x1b[31m", "code": "x"}))
    done = pawl("runs")
    assert done.returncode == 0
    header, row = done.stdout.splitlines()
    assert header.split("\t")[0] == "RUN"
    cells = row.split("\t")
    assert cells[0] == "csv.to_jsonl#1" and cells[1] == "✗ failed" and long_title in cells
    assert cells[-1] == run_id(1)
    assert "\x1b" not in done.stdout


def test_json_is_the_servers_own(pawl, server):
    server.host.add(make_run(1))
    done = pawl("runs", "--json")
    assert json.loads(done.stdout)["items"][0]["id"] == run_id(1)


def test_an_empty_list_says_so_on_standard_error(pawl):
    done = pawl("runs")
    assert (done.returncode, done.stdout) == (0, "")
    assert "No runs yet" in done.stderr


def test_filters_become_parameters(pawl, server):
    pawl("runs", "--state", "failed", "--state", "queued", "--job", "a&b", "--label", "x=y z", "--limit", "3")
    assert server.host.requests[-1][1] == "/api/v1/runs?limit=3&state=failed&state=queued&job=a%26b&label.x=y%20z"


def test_a_run_is_named_in_four_ways(pawl, server):
    server.host.add(make_run(33, state="failed"))
    for name in (run_id(33), run_id(33).upper().replace("RUN_", "run_"), "csv.to_jsonl#33", "@last", "@last-failed"):
        done = pawl("show", name)
        assert done.returncode == 0, (name, done.stderr)
        assert "csv.to_jsonl#33" in done.stdout
    done = pawl("show", "other.job#33")
    assert done.returncode == 4 and "it belongs to csv.to_jsonl" in done.stderr
    assert pawl("show", run_id(99)).returncode == 4


def test_show_tells_attempts_crash_and_resources(pawl, server):
    server.host.add(
        make_run(5, "mischief.segv", "failed", attempt=1, outcome="crashed", started_at=stamp(10), finished_at=stamp(9)),
        attempts=[{
            "attempt": 1, "outcome": "crashed", "reason": "signal", "signal": 11, "pid": 77, "started_at": stamp(10), "ended_at": stamp(9),
            "sentence": "It crashed.", "crash": {"signal": 11, "address": "0x0", "frames": ["mischief.so+0x1f"]},
            "resources": {"user_cpu_us": 1500000, "system_cpu_us": 2000, "max_rss_bytes": 5242880},
            "ladder": [{"name": "cancel", "at_ms": 0}, {"name": "kill", "at_ms": 2500}]}])
    out = pawl("show", "@last").stdout
    for words in ("attempt 1", "crashed (signal)", "signal SIGSEGV", "at address 0x0", "mischief.so+0x1f", "1.5s user", "5.0 MiB peak",
                  "cancel at 0ms → kill at 2.5s", "It crashed."):
        assert words in out, words


def test_logs_print_every_page(pawl, server):
    server.host.add(make_run(1), logs=[line(n, f"line {n}") for n in range(1, 1202)])
    out = pawl("logs", "@last").stdout.splitlines()
    assert len(out) == 1201
    assert out[0] == "12:04:05.123 INFO    line 1" and out[-1].endswith("line 1201")
    assert pawl("logs", "@last", "-n", "2").stdout.splitlines()[0].endswith("line 1200")


def test_logs_follow_prints_lines_as_they_come(pawl, server):
    run = server.host.add(make_run(1, state="succeeded"))
    server.host.follow[run["id"]] = [line(1, "one"), 0.05, line(2, "two\x1b[2J"), 0.05, line(3, "three")]
    done = pawl("logs", "@last", "-f")
    assert done.returncode == 0
    assert [text.split()[-1] for text in done.stdout.splitlines()] == ["one", "two\ufffd[2J", "three"]


def test_cancel_stops_the_others_when_one_cannot(pawl, server):
    server.host.add(make_run(1, state="succeeded"))
    server.host.add(make_run(2, state="queued"))
    done = pawl("cancel", run_id(1), run_id(2), "--reason", "why", "--grace", "2s")
    assert done.returncode == 73
    assert "current state: succeeded" in done.stderr
    assert done.stdout == f"{run_id(2)}\tcancelled\n"
    assert server.host.sent("POST", f"/api/v1/runs/{run_id(2)}/cancel") == [{"reason": "why", "grace_ms": 2000}]


def test_terminate_sends_its_grace(pawl, server):
    server.host.add(make_run(2, state="running"))
    done = pawl("terminate", "@last", "--grace", "0s")
    assert done.returncode == 0 and "running, told to end" in done.stdout
    assert server.host.sent("POST", f"/api/v1/runs/{run_id(2)}/terminate") == [{"grace_ms": 0}]


def test_retry_prints_the_new_id(pawl, server):
    server.host.add(make_run(2, state="failed"))
    done = pawl("retry", "@last-failed", "--set-arg", "n:=2", "--priority", "9")
    assert done.stdout == run_id(100) + "\n"
    assert server.host.sent("POST", f"/api/v1/runs/{run_id(2)}/retry") == [{"data_overrides": {"n": 2}, "priority": 9}]


def test_wait_for_several_runs(pawl, server):
    server.host.add(make_run(1, state="running"), {}, {"state": "succeeded", "outcome": "succeeded"})
    server.host.add(make_run(2, state="running"), {}, {"state": "failed", "outcome": "error"})
    done = pawl("wait", run_id(1), run_id(2))
    assert done.returncode == 1
    assert [text.split("\t")[1] for text in done.stdout.splitlines()] == ["succeeded", "failed"]


def test_schedules_are_created_listed_and_deleted(pawl, server):
    done = pawl("schedules", "create", "nightly", "--job", "csv.to_jsonl", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--arg", "a=b")
    assert done.stdout == "sch_1\n" and "next run" in done.stderr
    assert server.host.sent("POST", "/api/v1/schedules")[0] == {
        "name": "nightly", "job": "csv.to_jsonl", "kind": "cron", "spec": {"expression": "30 2 * * *"}, "timezone": "Europe/Berlin", "args": {"a": "b"}}
    assert "nightly\tcsv.to_jsonl\t30 2 * * *\tEurope/Berlin" in pawl("schedules").stdout
    assert pawl("schedules", "delete", "other").returncode == 4
    assert pawl("schedules", "delete", "nightly").returncode == 0
    assert server.host.schedules == []


def test_cleanup_shows_its_plan_and_does_nothing_without_a_yes(pawl, server):
    server.host.add(make_run(1, state="running", started_at=stamp(90_000)))
    done = pawl("safety", "cleanup-stale", "--older", "6h")
    assert done.returncode == 64
    assert "1 stale run:" in done.stderr and "csv.to_jsonl#1" in done.stderr and "--yes" in done.stderr
    assert all(body["dry_run"] for body in server.host.sent("POST", "/api/v1/safety/cleanup-stale"))
    done = pawl("safety", "cleanup-stale", "--older", "6h", "--yes")
    assert done.returncode == 0 and done.stdout == "1 run ended\n"
    assert server.host.sent("POST", "/api/v1/safety/cleanup-stale")[-1] == {"older_than_ms": 21_600_000, "plan": "pln_1"}


def test_plugins_tell_why_one_was_refused(pawl, server):
    server.host.plugins = [
        {"name": "csv", "file": "csv.so", "state": "active", "version": "ab" * 32, "error": None, "handlers": [{"name": "csv.to_jsonl"}]},
        {"name": None, "file": "broken.so", "state": "rejected", "version": "cd" * 32, "error": "no ELF file: " + "x" * 200, "handlers": []}]
    done = pawl("plugins")
    assert "csv\tactive\t\tabababababab\tcsv.so\tcsv.to_jsonl" in done.stdout
    assert "broken.so: no ELF file: " + "x" * 200 in done.stderr


def test_what_a_compiler_said_stays_lines_and_is_folded(pawl, server):
    words = "hello.c:12:5: error: \x1b[31mexpected ';'\n   12 |     return 1\n      |     ^~~~~~\n"
    row = {"name": "hello", "file": "hello.so", "state": "rejected", "version": None, "error": words, "handlers": []}
    server.host.plugins = [row]
    lines = pawl("plugins").stderr.splitlines()
    assert lines == ["hello.so:", "    hello.c:12:5: error: \ufffd[31mexpected ';'", "       12 |     return 1", "          |     ^~~~~~"]
    row["error"] = "\n".join(f"hello.c:{n}: error" for n in range(1, 101))
    lines = pawl("plugins").stderr.splitlines()
    assert len(lines) == 13 and lines[11] == "    hello.c:11: error" and lines[12] == "    … 89 more lines: pawl plugins show hello"
    server.host.plugin_details["hello"] = {**row, "versions": [], "hosts": [], "revision": 1}
    shown = pawl("plugins", "show", "hello").stdout
    assert "  hello.c:100: error\n" in shown and "more lines" not in shown


def test_api_passes_bytes_through(pawl, server):
    server.host.answers[("POST", "/api/v1/echo")] = lambda body: (200, {"got": body})
    done = pawl("api", "POST", "/echo", "--data", "@-", input='{"n": 12345678901234567890}')
    assert done.returncode == 0 and json.loads(done.stdout) == {"got": {"n": 12345678901234567890}}
    done = pawl("api", "GET", "/api/v1/nothing")
    assert done.returncode == 4 and json.loads(done.stdout)["code"] == "not_found"


def test_version_needs_no_server(pawl, server):
    done = pawl("version", PAWL_URL=None)
    assert done.returncode == 0 and done.stdout.startswith("pawl ")
    server.host.answers[("GET", "/api/v1/system")] = (200, {"version": "9.9.9"})
    assert "server 9.9.9" in pawl("version").stdout
    assert pawl("version", "--server", "127.0.0.1:9").returncode == 69


def test_colour_obeys_the_environment(pawl, server):
    server.host.add(make_run(1, state="failed"))
    assert "\x1b[" not in pawl("show", "@last").stdout
    assert "\x1b[31m" in pawl("show", "@last", FORCE_COLOR="1").stdout
    assert "\x1b[" not in pawl("show", "@last", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_without_utf8_the_signs_are_ascii(pawl, server):
    server.host.add(make_run(1, state="failed"))
    assert pawl("show", "@last", LANG="C").stdout.startswith("x failed")


@pytest.mark.parametrize("command", [
    "run", "runs", "show", "logs", "watch", "wait", "cancel", "terminate", "retry", "run-now", "change", "bulk", "jobs", "plugins", "queues", "hosts", "schedules",
    "safety", "ui", "api", "version", "explain", "diagnose", "pauses", "freeze", "thaw", "extend", "renice", "crashes", "quarantines"])
def test_help_of_every_command_has_three_examples(pawl, command):
    done = pawl(command, "--help")
    assert done.returncode == 0
    examples = done.stdout.split("EXAMPLES", 1)[1].split("USAGE", 1)[0].strip().splitlines()
    assert len(examples) >= 3 and all("pawl" in example for example in examples), examples


def test_a_mistyped_command_gets_a_suggestion(pawl):
    done = pawl("plugin")
    assert done.returncode == 64
    assert 'There is no command "plugin".' in done.stderr and "did you mean pawl plugins?" in done.stderr
    assert pawl("--version").stdout.strip() and "USAGE" in pawl().stdout


# Looking into runs and changing what they may


SETTINGS = {
    "name": "etl.load", "handler": "etl.load", "attempts": 3, "priority": 0, "queue": "default", "retention_days": 30,
    "limits": {"wall_ms": 30000, "cpu_ms": None, "memory_bytes": 1 << 30}, "execution": {"mode": "fork", "network": False, "read_paths": []},
    "sources": {"limits": {"wall_ms": "job", "cpu_ms": "default", "memory_bytes": "handler"}, "execution": {"mode": "default"},
                "attempts": "default"}}


def test_live_orders_are_sent_and_told(pawl, server):
    server.host.add(make_run(1, **RUNNING))
    path = f"/api/v1/runs/{run_id(1)}"
    assert pawl("freeze", "@last", "--reason", "repairs").stdout == f"{run_id(1)}\tfrozen\n"
    assert server.host.sent("POST", path + "/freeze") == [{"reason": "repairs"}]
    assert "frozen already" in pawl("freeze", "@last").stdout
    assert "goes on" in pawl("thaw", "@last").stdout
    assert "was not frozen" in pawl("thaw", "@last").stdout
    assert "may run until 2026-11-21T18:00:00Z" in pawl("extend", "@last", "--by", "30m").stdout
    assert server.host.sent("POST", path + "/extend") == [{"by_ms": 1800000}]
    assert "niceness -5" in pawl("renice", "@last", "--niceness", "-5").stdout
    assert json.loads(pawl("freeze", "@last", "--json").stdout)["changed"] is True


@pytest.mark.parametrize("arguments", [("extend", "@last"), ("extend", "@last", "--by", "1m", "--until", "x"), ("renice", "@last")])
def test_orders_that_say_nothing_are_wrong_usage(pawl, server, arguments):
    assert pawl(*arguments).returncode == 64
    assert server.host.requests == []


def test_an_order_goes_on_after_a_refusal(pawl, server):
    server.host.add(make_run(1, **FINISHED))
    server.host.add(make_run(2, **RUNNING))
    done = pawl("freeze", run_id(1), run_id(2))
    assert done.returncode == 73 and "does not run now" in done.stderr
    assert done.stdout == f"{run_id(2)}\tfrozen\n"


def test_diagnose_shows_stacks_and_files(pawl, server):
    server.host.add(make_run(1, **RUNNING))
    server.host.diagnosis = {"position": {"file": "/s/etl.swift", "line": 12}, "processes": [{
        "pid": 7, "name": "etl", "state": "sleeping", "cpu_ms": 1200, "threads": [
            {"tid": 8, "name": "pawl-worker", "state": "running", "frames": [
                {"function": "wait_for", "file": "/s/etl.c", "line": 40}, {"module": "/lib/libc.so.6", "offset": "0x10"}]}],
        "files": [{"fd": 3, "target": "/data/in.csv"}]}]}
    done = pawl("diagnose", "@last")
    assert done.returncode == 0
    for words in ("process 7 etl (sleeping, cpu 1.2s)", "thread 8 pawl-worker (running)", "wait_for (etl.c:40)", "libc.so.6+0x10",
                  "3 /data/in.csv", "last seen at"):
        assert words in done.stdout, words


def test_explain_tells_cause_evidence_and_what_to_type(pawl, server):
    server.host.add(make_run(1, state="failed", outcome="crashed", attempt=1))
    server.host.explanations[run_id(1)] = {
        "cause": "crashed_signal", "summary": "It crashed with SIGSEGV in parse (etl.c:41).", "because": "A fault.",
        "evidence": [{"fact": "signal", "text": "Its process was ended by SIGSEGV.", "value": 11}],
        "next": [{"command": f"pawl replay {run_id(1)} --gdb", "why": "stop where it crashed"}]}
    done = pawl("explain", "@last")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].endswith("It crashed with SIGSEGV in parse (etl.c:41).") and "- Its process was ended by SIGSEGV." in lines[3]
    assert lines[-1].split("  ")[1:] == [f"pawl replay {run_id(1)} --gdb", "stop where it crashed"]
    assert json.loads(pawl("explain", "@last", "--json").stdout)["explanation"]["cause"] == "crashed_signal"


def test_a_stack_that_is_still_being_read_is_waited_for(pawl, server):
    server.host.add(make_run(1, state="failed", outcome="crashed", attempt=1))
    path = f"/api/v1/runs/{run_id(1)}/explain"
    answer = lambda summary, *facts: (200, {"run": run_id(1), "state": "failed", "explanation": {
        "summary": summary, "because": "A fault.", "evidence": [{"fact": f, "text": f"It has {f}.", "value": True} for f in facts], "next": []}})
    looks = []

    def later(pending, done):
        def give(_body):
            looks.append(1)
            return pending if len(looks) < 4 else done
        return give

    server.host.answers[("GET", path)] = later(answer("It crashed.", "stack_pending"), answer("It crashed in parse (etl.c:41).", "frame"))
    done = pawl("explain", run_id(1))
    assert done.returncode == 0 and "parse (etl.c:41)" in done.stdout and "stack_pending" not in done.stdout and len(looks) == 4
    # It does not wait for ever, and says what is missing.
    server.host.answers[("GET", path)] = answer("It crashed.", "stack_pending")
    start = time.monotonic()
    done = pawl("explain", run_id(1))
    assert done.returncode == 0 and "It has stack_pending." in done.stdout and 2.5 < time.monotonic() - start < 15
    looks.clear()
    crash = {"fingerprint": "00ff", "title": "SIGSEGV in parse", "job": "etl.load", "count": 1, "signal_name": "SIGSEGV",
             "first_seen_at": stamp(1), "last_seen_at": stamp(1)}
    server.host.answers[("GET", "/api/v1/error-groups")] = later((200, {"items": [], "pending": 1}), (200, {"items": [crash], "pending": 0}))
    assert "SIGSEGV in parse" in pawl("crashes").stdout and len(looks) == 4
    server.host.answers[("GET", "/api/v1/error-groups")] = (200, {"items": [crash], "pending": 2})
    done = pawl("crashes")
    assert "00ff" in done.stdout and "Not listed yet: 2 crashes: their stacks are still being read" in done.stderr


def test_explain_of_a_code_asks_nobody(pawl, server):
    done = pawl("explain", "etag_mismatch", PAWL_URL="http://127.0.0.1:1")
    assert done.returncode == 0 and "412" in done.stdout and server.host.requests == []
    done = pawl("explain", "etag_mismatsh")
    assert done.returncode == 4 and "did you mean etag_mismatch" in done.stderr


def test_every_code_of_the_documents_is_explained(pawl):
    text = (pathlib.Path(__file__).parents[2] / "docs/api.md").read_text()
    errors = text.split("## Errors", 1)[1].split("## The old paths", 1)[0]
    rows = [line for line in errors.splitlines() if re.match(r"\| [45]\d\d", line)]
    codes = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row.split("|")[2]) if "_" in code or code in ("draining",)]
    assert len(codes) > 40
    known = {"near_matches", "current_state", "existing_run"}
    for code in set(codes) - known:
        assert pawl("explain", code).returncode == 0, code


def test_settings_are_shown_with_who_said_so(pawl, server):
    server.host.jobs["etl.load"] = SETTINGS
    rows = [line.split("\t") for line in pawl("jobs", "settings", "etl.load").stdout.splitlines()]
    assert ["limits.wall", "30.0s", "job"] in rows and ["limits.cpu", "-", "default"] in rows
    assert ["limits.memory", "1.0 GiB", "handler"] in rows and ["execution.network", "off", ""] in rows
    assert not [r for r in server.host.requests if r[0] == "PATCH"]


def test_settings_are_changed_in_one_guarded_request(pawl, server):
    server.host.jobs["etl.load"] = SETTINGS
    done = pawl(
        "jobs", "settings", "etl.load", "--set", "limits.wall=30s", "--set", "limits.memory=1.5G", "--set", "limits.cpu=default", "--mode",
        "pool", "--sandbox", "strict", "--network", "off", "--quarantine", "on", "--niceness", "-3", "--read-path", "/data", "--read-path",
        "/etc/x", "--attempts", "5", "--set", "limits.output_bytes=65536", "--set", "queue=bulk")
    assert done.returncode == 0, done.stderr
    [(_, path, body, headers)] = [r for r in server.host.requests if r[0] == "PATCH"]
    assert path == "/api/v1/jobs/etl.load/settings" and headers["If-Match"] == '"j1"'
    assert body == {
        "limits": {"wall_ms": 30000, "memory_bytes": 1610612736, "cpu_ms": None, "output_bytes": 65536},
        "execution": {"mode": "pool", "sandbox": "strict", "network": False, "niceness": -3, "quarantine": True,
                      "read_paths": ["/data", "/etc/x"]}, "queue": "bulk", "attempts": 5}


@pytest.mark.parametrize("change, words", [
    ("limits.wal=1s", "did you mean limits.wall"), ("limits.wall=soon", "expected a duration"), ("limits.memory=big", "expected a size"),
    ("execution.network=maybe", "expected on, off"), ("limits.wall", "write name=value"), ("attempts=few", "expected a whole number")])
def test_a_wrong_setting_is_said_before_anything_is_sent(pawl, server, change, words):
    done = pawl("jobs", "settings", "etl.load", "--set", change)
    assert done.returncode == 64 and words in done.stderr
    assert server.host.requests == []


def test_crashes_are_listed_and_shown(pawl, server):
    server.host.crashes = [{
        "fingerprint": "00ff", "title": "SIGSEGV in parse (etl.c:41)", "job": "etl.load", "count": 1250, "signal_name": "SIGSEGV",
        "first_seen_at": stamp(4000), "last_seen_at": stamp(20), "first_version": "a" * 64, "last_version": "b" * 64,
        "stack": [{"function": "parse", "file": "/s/etl.c", "line": 41}], "crashes": [{"run": run_id(1), "attempt": 2, "reported_at": stamp(20)}]}]
    assert pawl("crashes").stdout.splitlines()[1].split("\t") == [
        "00ff", "1,250", "SIGSEGV", "etl.load", "20s ago", "1h ago", "SIGSEGV in parse (etl.c:41)"]
    shown = pawl("crashes", "00ff").stdout
    assert "parse (etl.c:41)" in shown and f"{run_id(1)}  attempt 2" in shown and "aaaaaaaaaaaa to bbbbbbbbbbbb" in shown
    assert pawl("crashes", "nope").returncode == 4


def test_quarantines_are_listed_and_lifted(pawl, server):
    item = {"handler": "etl.load", "version": "ab" * 32, "since": stamp(60), "until": stamp(-30), "crashes": 8, "attempts": 10,
            "reason": "8 of 10 crashed", "on_trial": False}
    server.host.quarantines = [item, {**item, "version": "cd" * 32}]
    assert "8 of 10" in pawl("quarantines").stdout
    several = pawl("quarantines", "lift", "etl.load")
    assert several.returncode == 64 and "2 versions" in several.stderr
    assert pawl("quarantines", "lift", "etl.load", "abab").stdout == "etl.load\tabababababab\tserved again\n"
    assert pawl("quarantines", "lift", "etl.load").returncode == 0
    assert pawl("quarantines", "lift", "etl.load").returncode == 4
    assert "Nothing is in quarantine." in pawl("quarantines").stderr


def test_show_tells_names_leaks_and_last_words(pawl, server):
    server.host.add(make_run(1, state="failed", outcome="crashed", attempt=1), attempts=[{
        "attempt": 1, "outcome": "crashed", "reason": "signal", "mode": "pool", "error_group": "00ff",
        "crash": {"signal": 11, "address": "0x0", "stack": [{"function": "parse", "file": "/s/etl.c", "line": 41}], "frames": ["0x1"]},
        "leaks": {"processes": 2, "descriptors": 1, "restored": ["cwd"], "recycled": "it grew"},
        "last_lines": [{"message": "row 8"}], "diagnosis": {"processes": [{"pid": 7, "threads": []}]}}])
    shown = pawl("show", "@last").stdout
    for words in ("parse (etl.c:41)", "00ff", "2 processes, 1 descriptors, cwd put back", "it grew", "row 8", "process 7", "pool"):
        assert words in shown, words
