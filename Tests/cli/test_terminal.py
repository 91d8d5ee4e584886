"""What a person sees: the client on a terminal of its own."""

import signal
import subprocess

import pexpect
import pytest

from fake_host import make_run, progress, run_id, stamp

RUNNING = {"state": "running", "attempt": 1, "started_at": stamp(1)}
FINISHED = {"state": "succeeded", "outcome": "succeeded", "finished_at": stamp(), "result": {"rows": 3}}


@pytest.fixture
def spawn(binary, environment):
    children = []

    def start(*arguments, columns=80, **changes):
        child = pexpect.spawn(str(binary), list(arguments), env={**environment, **changes}, dimensions=(24, columns), encoding="utf-8", timeout=20)
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def finish(child):
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_a_bar_is_redrawn_in_place(spawn, server):
    steps = [{**RUNNING, "progress": progress(n, 5000, counters={"errors": 2})} for n in range(0, 5000, 250)]
    server.host.new_run_steps = [*steps, FINISHED]
    child = spawn("run", "csv.to_jsonl", "--wait", columns=100)
    child.expect_exact("\r\x1b[K")
    child.expect("50%")
    child.expect_exact("/ 5,000 rows")
    child.expect_exact("errors 2")
    child.expect("succeeded")
    child.expect_exact('"rows": 3')
    assert finish(child) == 0


def test_no_line_is_wider_than_the_window(spawn, server):
    server.host.new_run_steps = [{**RUNNING, "progress": progress(1, 5000, "A stage with a long name " * 5, message="m" * 300)}, FINISHED]
    child = spawn("run", "csv.to_jsonl", "--wait", columns=40, NO_COLOR="1")
    child.expect_exact("\r\x1b[K")
    child.expect("\r")
    assert len(child.before) < 40
    assert finish(child) == 0


def test_an_unknown_total_walks(spawn, server):
    server.host.new_run_steps = [{**RUNNING, "progress": progress(1250, None, "Scanning", "files")}] * 3 + [FINISHED]
    child = spawn("run", "scan", "--wait", NO_COLOR="1")
    child.expect_exact("1,250 files")
    assert finish(child) == 0


def test_the_rest_of_the_time_is_told(spawn, server):
    server.host.new_run_steps = [{**RUNNING, "progress": progress(n, 100_000)} for n in range(0, 20_000, 500)] + [FINISHED]
    child = spawn("run", "csv.to_jsonl", "--wait", columns=120, NO_COLOR="1")
    child.expect(r"/s +ETA \d")
    assert finish(child) == 0


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_interrupt_lets_go_of_the_run(spawn, server, number, code):
    server.host.new_run_steps = [RUNNING]
    child = spawn("run", "slow.job", "--wait")
    child.expect("running")
    child.kill(number)
    child.expect_exact(f"pawl watch {run_id(100)}")
    assert finish(child) == code
    assert not [r for r in server.host.requests if "cancel" in r[1]]


def test_following_a_log_can_be_interrupted(spawn, server):
    run = server.host.add(make_run(1, state="running"))
    text = {"seq": 1, "time": stamp(), "level": "info", "message": "hello"}
    server.host.follow[run["id"]] = [text, 30]
    child = spawn("logs", "@last", "-f")
    child.expect("hello")
    child.sendintr()
    assert finish(child) == 130


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_the_table_fits_the_window(spawn, server, columns):
    for n in range(1, 4):
        server.host.add(make_run(n, "a.rather.long.job.name", "failed", title="title " * 20, error={"message": "went wrong " * 30}, attempt=1))
    child = spawn("runs", columns=columns, NO_COLOR="1")
    child.expect(pexpect.EOF)
    lines = [text for text in child.before.split("\r\n") if text]
    assert len(lines) == 4
    assert all(len(text) <= columns for text in lines), lines
    assert all("failed" in text for text in lines[1:])


@pytest.mark.parametrize("answer, done", [("y", True), ("n", False), ("", False)])
def test_cleanup_asks(spawn, server, answer, done):
    server.host.add(make_run(1, state="running", started_at=stamp(90_000)))
    child = spawn("safety", "cleanup-stale")
    child.expect_exact("End this run? [y/N]")
    child.sendline(answer)
    assert finish(child) == 0
    assert (server.host.runs[run_id(1)]["state"] == "cancelled") == done


def test_a_closed_pipe_is_no_trap(binary, environment, server):
    server.host.add(make_run(1), logs=[{"seq": n, "time": stamp(), "level": "info", "message": "x" * 500} for n in range(1, 3000)])
    child = subprocess.Popen([binary, "logs", "@last"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.read(10)
    child.stdout.close()
    errors = child.stderr.read()
    child.stderr.close()
    assert child.wait(timeout=20) in (0, -signal.SIGPIPE), errors
    assert errors == b""


def test_dumb_terminals_get_plain_text(spawn, server):
    server.host.new_run_steps = [RUNNING, FINISHED]
    child = spawn("run", "csv.to_jsonl", "--wait", TERM="dumb")
    child.expect(pexpect.EOF)
    assert "\x1b" not in child.before
