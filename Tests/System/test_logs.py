"""The log while the database is away, and after the host was killed meanwhile: each line once, in order, or counted."""

import re
import time

import pytest

from conftest import descendants, still_alive, until


def metric(host, name):
    text = host.call("GET", "/metrics").body.decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M).group(1))


def resident(host):
    status = open(f"/proc/{host.process.pid}/status").read()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) << 10


def settings(host, job, **changes):
    tag = host.call("GET", f"/api/v1/jobs/{job}").headers["ETag"]
    answer = host.call("PATCH", f"/api/v1/jobs/{job}/settings", changes, headers={"If-Match": tag})
    assert answer.status == 200, answer


def number_of(run):
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    value = 0
    for digit in run[4:]:
        value = value * 32 + digits.index(digit)
    return value


def printed(cluster, run, attempt):
    """The numbers that an attempt printed, in the order of seq; each seq is there once, without gaps."""
    rows = cluster.query(f"select seq - {attempt}000000000, stream, message from pawl.run_log where run_id = {number_of(run)} "
                         f"and attempt = {attempt} order by seq").splitlines()
    seqs = [int(row.split("|", 2)[0]) for row in rows]
    assert seqs == list(range(1, len(seqs) + 1)), (seqs[:10], len(seqs))
    found = []
    for row in rows:
        _, stream, message = row.split("|", 2)
        if stream != "1":
            continue
        match = re.fullmatch(r"line (\d+) of \d+: (0+)", message)
        assert match and len(match.group(2)) == int(match.group(1)) % 97 + 1, message
        found.append(int(match.group(1)))
    return found


def test_a_flood_while_the_database_is_away_and_the_host_is_killed(host_factory, cluster):
    host = host_factory(database_url=cluster.url).start()
    settings(host, "mischief.print", limits={"output_bytes": 1 << 30})
    # More than fits into the file: it goes on printing all the time.
    run = host.run("mischief.print", {"lines": 1_500_000}, attempts=3)
    host.wait_state(run, "running")
    until(lambda: metric(host, "pawl_log_lines_total") > 1000, 20, "lines in the database")
    cluster.stop("immediate")
    until(lambda: metric(host, "pawl_log_spilled_lines_total") > 100_000, 60, "a flood into the file")
    children = descendants(host.process.pid)
    written, spilled = metric(host, "pawl_log_lines_total"), metric(host, "pawl_log_spilled_lines_total")
    assert resident(host) < 160 << 20, resident(host)
    host.kill()
    until(lambda: not still_alive(children), 10, "the end of the children")
    cluster.start()
    host.start()
    done = host.wait_state(run, bound=240)
    assert done["state"] == "succeeded" and done["lost_count"] == 1, done
    # Of the attempt that was lost there is a beginning without gaps: all that was in database and file at least.
    first = printed(cluster, run, 1)
    assert first == list(range(1, len(first) + 1))
    assert len(first) >= written + spilled - 2, (len(first), written, spilled)
    # Of the one after it there is everything.
    assert printed(cluster, run, 2) == list(range(1, 1_500_001))
    assert not list((host.data / "spill").glob("*"))


def test_a_database_that_goes_and_comes_costs_no_line(host_factory, cluster):
    host = host_factory(database_url=cluster.url).start()
    settings(host, "mischief.print", limits={"output_bytes": 1 << 30})
    runs = [host.run("mischief.print", {"lines": 300_000}) for _ in range(2)]
    for _ in range(3):
        until(lambda: metric(host, "pawl_log_lines_total") > 1000, 20, "lines in the database")
        cluster.stop("immediate")
        time.sleep(2)
        cluster.start()
        host.wait_ready(60)
    for run in runs:
        assert host.wait_state(run, bound=120)["state"] == "succeeded"
        assert printed(cluster, run, 1) == list(range(1, 300_001))
        counts = host.get(f"{run}/logs/index")
        assert counts["lines"] == int(cluster.query(f"select count(*) from pawl.run_log where run_id = {number_of(run)}"))
        assert host.attempts(run)[0]["dropped_log_lines"] == 0
    assert resident(host) < 160 << 20, resident(host)


@pytest.mark.parametrize("policy", ["block", "drop"])
def test_where_there_is_no_room_the_job_says_what_happens(host_factory, cluster, policy):
    host = host_factory(database_url=cluster.url, arguments=["--log-spill", "2M"]).start()
    settings(host, "mischief.print", limits={"output_bytes": 1 << 30}, execution={"log_policy": policy})
    cluster_lines = 400_000
    run = host.run("mischief.print", {"lines": cluster_lines})
    host.wait_state(run, "running")
    until(lambda: metric(host, "pawl_log_lines_total") > 100, 20, "lines in the database")
    cluster.stop("immediate")
    until(lambda: metric(host, 'pawl_log_path{state="full"}') == 1, 30, "a full file")
    until(lambda: metric(host, "pawl_log_buffer_bytes") >= 8 << 20, 30, "no room in memory")
    assert metric(host, "pawl_log_spilled_bytes") <= 2 << 20
    if policy == "drop":
        # It does not wait: it ends while nobody takes its lines.
        until(lambda: not any(b"PAWL_RUN_ID=" in environment(pid) for pid in descendants(host.process.pid)), 60, "its end")
        assert metric(host, "pawl_log_dropped_lines_total") > 0
    else:
        time.sleep(2)
        assert metric(host, "pawl_log_dropped_lines_total") == 0
    assert resident(host) < 160 << 20, resident(host)
    cluster.start()
    host.wait_ready(60)
    assert host.wait_state(run, bound=120)["state"] == "succeeded"
    there = printed(cluster, run, 1)
    dropped = host.attempts(run)[0]["dropped_log_lines"]
    assert sorted(set(there)) == there and len(there) + dropped == cluster_lines
    assert (dropped > 0) == (policy == "drop")
    if policy == "drop":
        note = cluster.query("select message from pawl.run_log where message like '%dropped here%'")
        assert int(note.split()[0]) == dropped, note


def environment(pid):
    try:
        return open(f"/proc/{pid}/environ", "rb").read()
    except OSError:
        return b""


def test_search_over_a_real_log(host):
    run = host.run("mischief.print", {"lines": 30_000})
    host.wait_state(run)
    page = host.get(f"{run}/logs?grep=LINE%2029999%20")
    assert [line["message"].split(":")[0] for line in page["items"]] == ["line 29999 of 30000"] and page["complete"]
    counts = host.get(f"{run}/logs/index")
    assert counts["lines"] == 30_001 and counts["levels"]["info"] == 30_001, counts
    answer = host.call("GET", f"/api/v1/runs/{run}/logs?grep=%28&regex=true")
    assert answer.status == 400 and answer.json["errors"][0]["code"] == "bad_expression"
