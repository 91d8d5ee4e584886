"""Pages and lists stay fast: nothing that is read counts runs, and no statement reads more than a bound, whatever there is."""

import re
import time
from urllib.parse import quote

import pytest
from conftest import Cluster, until

HISTORY, BACKLOG = 130_000, 20_000
# A page of 8 KiB holds some 25 runs; the longest list without a filter shows 200 of them, and some more were looked at.
BLOCKS_OF_A_PAGE = 2500
# A filter that finds nothing looks at 100,000 runs; in pieces, of which the largest has 25,000.
BLOCKS_OF_A_WINDOW = 60_000

BULK = f"""
    INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, attempt,
        attempts_used, lost_count, finished_at)
    SELECT nextval('pawl.run_id'), 'default', 0, 'succeeded', now(), 'mischief.noop', '{{}}', 3, now() - interval '1 hour', 30, 'x', 1, 1,
        0, now() FROM generate_series(1, {HISTORY});
    INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger)
    SELECT nextval('pawl.run_id'), 'held', 0, nextval('pawl.run_pos'), now(), 'mischief.noop', '{{}}', 3, now(), 30, 'x'
    FROM generate_series(1, {BACKLOG});
    INSERT INTO pawl.counter_delta (queue, job, state, n) VALUES ('default', 'mischief.noop', 'succeeded', {HISTORY}),
        ('held', 'mischief.noop', 'queued', {BACKLOG});
"""

# Statements that change something are not those of a reader. The host's own go on meanwhile.
WRITES = re.compile(r"\b(insert|update|delete|notify|create|analyze|vacuum|for update)\b", re.I)
# A count over a table of runs, attempts or lines itself, and not over a bounded piece of it.
COUNTS = re.compile(r"count\(\*\)[^()]*\bfrom\s+(pawl\.)?(run|runs|run_all|run_live|run_waiting|attempt|run_log)\b", re.I | re.S)


@pytest.fixture
def watched(scratch):
    cluster = Cluster(scratch / "cluster", "-c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.max=5000")
    cluster.query("create extension pg_stat_statements")
    yield cluster
    cluster.remove()


def statements(cluster):
    """(text, calls, rows, blocks) of what was executed since the last reset, without what changes something."""
    lines = cluster.query(r"""
        select regexp_replace(query, '\s+', ' ', 'g'), calls, rows, shared_blks_hit + shared_blks_read
        from pg_stat_statements join pg_database d on d.oid = dbid where d.datname = 'pawl' and calls > 0""").splitlines()
    rows = [line.rsplit("|", 3) for line in lines]
    return [(text, int(calls), int(rows), int(blocks)) for text, calls, rows, blocks in rows
            if not WRITES.search(text) and "pg_stat_statements" not in text]


def check(cluster, where, bound):
    for text, calls, rows, blocks in statements(cluster):
        assert not COUNTS.search(text), f"{where}: counts runs: {text}"
        assert blocks / calls <= bound, f"{where}: {blocks / calls:.0f} blocks in a call: {text}"
        assert rows / calls <= 1100, f"{where}: {rows / calls:.0f} rows in a call: {text}"


def addresses(document, values):
    """Every path of the document that can be read, with something that exists in each place."""
    for path, methods in document["paths"].items():
        if "get" in methods:
            for name in re.findall(r"{(\w+)}", path):
                value = values(path, name)
                assert value is not None, f"nothing to put into {path}"
                path = path.replace("{%s}" % name, quote(str(value), safe=""))
            yield path


def test_no_get_counts_runs(host_factory, watched):
    host = host_factory(database_url=watched.url).start()
    done = host.expect("POST", "/api/v1/runs", {"job": "mischief.noop", "args": {}})["id"]
    host.wait_state(done)
    host.expect("POST", "/api/v1/queues/default/pause", {"reason": "a tour"})
    schedule = host.expect("POST", "/api/v1/schedules", {
        "job": "mischief.noop", "kind": "cron", "spec": {"expression": "0 0 1 1 *"}, "timezone": "UTC"})["id"]
    watched.query(BULK)
    watched.query("insert into pawl.queue (name, paused_at) values ('held', now()) on conflict (name) do update set paused_at = now()")
    # Everything is folded, and the host has seen it.
    until(lambda: watched.query("select count(*) from pawl.counter_delta") == "0", 30, "folded counters")
    plugin = host.get("/api/v1/plugins")["items"][0]
    version = plugin["version"] or "0" * 64

    def values(path, name):
        if name == "id":
            return schedule if "/schedules/{id}" in path else done
        return {"name": "app.js" if "assets" in path else "mischief.noop", "queue": "default", "queueName": "default",
                "plugin": plugin["name"], "version": version, "fingerprint": "0" * 16, "handler": "mischief.noop"}.get(name)

    document = host.get("/api/v1/openapi.json")
    toured = list(addresses(document, values))
    assert len(toured) > 40
    watched.query("select pg_stat_statements_reset()")
    for path in toured:
        answer = host.call("GET", path)
        assert answer.status < 500, f"{path}: {answer}"
    check(watched, "the tour", BLOCKS_OF_A_PAGE)
    assert any("run_all" in text for text, *_ in statements(watched)), "the tour did not read runs"


FILTERS = ["state=failed", "state=running", "state=scheduled", "state=queued&job=nobody", "job=nobody", "queue=nobody", "owner=nobody",
           "organization=nobody", "label.customer=nobody", "schedule_id=sch_999", "retry_of=run_0000000000001",
           "created_after=2999-01-01T00:00:00Z", "created_before=2001-01-01T00:00:00Z"]


def test_filters_look_at_the_newest_hundred_thousand(host_factory, watched):
    host = host_factory(database_url=watched.url).start()
    watched.query("insert into pawl.queue (name, paused_at) values ('held', now())")
    # Marks of when which id was drawn: this one is before all that comes.
    until(lambda: watched.query("select count(*) from pawl.run_mark") != "0", 30, "a mark")
    watched.query(BULK)
    watched.query("insert into pawl.run_mark select clock_timestamp(), last_value from pawl.run_id")
    known = {name["name"] for name in host.get("/api/v1/openapi.json")["paths"]["/api/v1/runs"]["get"]["parameters"]
             if "name" in name} - {"limit", "cursor", "include"}
    asked = {part.split("=")[0].split(".")[0] for text in FILTERS for part in text.split("&")}
    assert known == asked, "a documented filter is not measured"
    for text in FILTERS:
        watched.query("select pg_stat_statements_reset()")
        began = time.monotonic()
        answer = host.expect("GET", f"/api/v1/runs?{text}")
        seconds = time.monotonic() - began
        assert answer["items"] == [], text
        check(watched, text, BLOCKS_OF_A_WINDOW)
        # Not for speed: a filter that walks everything there is takes much longer on any machine.
        assert seconds < 10, f"{text}: {seconds:.1f} s"
        if text == "job=nobody":
            assert answer["truncated"] and answer["next_cursor"], "130,000 runs were looked at, or nobody says that they were not"
            pages = 1
            while answer["next_cursor"]:
                answer = host.expect("GET", f"/api/v1/runs?{text}&cursor={answer['next_cursor']}")
                pages += 1
                assert pages < 100
            assert not answer["truncated"]
        if text == "state=running":
            assert not answer["truncated"]
        if text.startswith("created_after"):
            # Ids up to a mark are known to be older: nothing is walked.
            assert not answer["truncated"]


def test_a_job_has_its_own_figures(host_factory, cluster):
    host = host_factory(database_url=cluster.url).start()
    runs = [host.expect("POST", "/api/v1/runs", {"job": "mischief.noop", "args": {}, "queue": queue})["id"] for queue in ("a", "a", "b")]
    for run in runs:
        host.wait_state(run)
    stats = host.get("/api/v1/jobs/mischief.noop/stats")
    assert stats["figures"]["succeeded"] == 3 and stats["figures"]["success_rate"] == 100
    assert stats["figures"]["wait"]["count"] == 3 and stats["figures"]["run"]["p50_ms"] > 0
    assert {queue["name"]: queue["figures"]["succeeded"] for queue in stats["queues"]} == {"a": 2, "b": 1}
    assert stats["counts"]["succeeded"] == 3
    assert host.get("/api/v1/jobs/mischief.sleep/stats")["figures"]["succeeded"] == 0
    assert host.request("GET", "/api/v1/jobs/nobodys/stats").status == 404
    summary = host.get("/api/v1/stats/summary")
    assert summary["succeeded"] == 3 and {job["name"] for job in summary["jobs"]} == {"mischief.noop"}
    recent = {queue["name"]: queue["recent"]["figures"]["succeeded"] for queue in host.get("/api/v1/queues")["items"]}
    assert recent["a"] == 2 and recent["b"] == 1

    def ended(queue):
        items = host.get(f"/api/v1/stats/series?step_ms=10000&queue={queue}")["items"]
        return sum(item["figures"]["succeeded"] for item in items if item["figures"])

    until(lambda: ended("a") == 2 and ended("b") == 1, 10, "the runs in the series")
    items = host.get("/api/v1/stats/series")["items"]
    assert items[0]["figures"] is None and items[-1]["figures"] is not None
    for bad in ("step_ms=15000", "step_ms=5000", "from=2020-01-01T00:00:00Z&step_ms=10000", "from=2999-01-01T00:00:00Z", "window=1"):
        assert host.request("GET", f"/api/v1/stats/series?{bad}").status == 400, bad
    table = host.command("stats", "--by", "queue")
    assert table.returncode == 0, table.stderr
    lines = [line.split("\t") for line in table.stdout.splitlines()]
    # Jobs have their default queue, in which nothing was.
    assert lines[0][0] == "QUEUE" and [line[:2] for line in lines[1:]] == [["a", "2"], ["b", "1"], ["default", "0"], ["all", "3"]]
