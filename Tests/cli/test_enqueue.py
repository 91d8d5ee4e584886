"""`pawl enqueue`, and the unique keys of `pawl run`."""

import pytest

from fake_host import run_id

BATCH = ("POST", "/api/v1/runs/batch")


@pytest.fixture
def batches(server):
    """Takes every item but those whose job is `wrong`; as a host does."""
    taken = []

    def answer(body):
        items = []
        for place, item in enumerate(body["items"]):
            if item["job"] == "wrong":
                items.append({"id": None, "job": "wrong", "status": 404, "code": "job_not_found", "detail": "There is no job wrong.",
                              "errors": [{"pointer": f"/items/{place}/job", "code": "not_found", "detail": "There is no job wrong."}]})
            else:
                taken.append(item)
                items.append({"id": run_id(len(taken)), "job": item["job"], "state": "queued"})
        refused = sum(item["id"] is None for item in items)
        if refused and body["mode"] == "all_or_nothing":
            return 404, {"status": 404, "code": "job_not_found", "detail": "There is no job wrong.", "request_id": "r", "title": "Not Found"}
        return 207 if refused else 201, {"items": items, "count": len(items) - refused, "refused": refused}

    server.host.answers[BATCH] = answer
    return taken


def keys(server):
    return [headers["Idempotency-Key"] for method, path, _, headers in server.host.requests if (method, path) == BATCH]


def test_lines_become_runs_in_batches_and_in_order(pawl, server, batches, tmp_path):
    lines = [f'{{"job": "a.b", "args": {{"n": {n}}}}}' for n in range(25)]
    (tmp_path / "runs.jsonl").write_text("\n".join(lines) + "\n\n")
    done = pawl("enqueue", "--file", str(tmp_path / "runs.jsonl"), "--batch", "10", "--idempotency-key", "k")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [run_id(n) for n in range(1, 26)]
    assert [item["args"]["n"] for item in batches] == list(range(25))
    assert keys(server) == ['"k-0"', '"k-1"', '"k-2"']
    assert [body["mode"] for body in server.host.sent(*BATCH)] == ["per_item"] * 3


def test_arguments_of_one_job_come_from_standard_input(pawl, batches):
    done = pawl("enqueue", "--job", "mail.send", input='{"id": 1}\n{"id": 2}')
    assert done.returncode == 0, done.stderr
    assert batches == [{"job": "mail.send", "args": {"id": 1}}, {"job": "mail.send", "args": {"id": 2}}]


def test_refused_lines_are_named_and_the_others_taken(pawl, batches):
    done = pawl("enqueue", input='{"job": "a"}\n{"job": \n\n{"job": "wrong"}\n{"job": "b"}\n')
    assert done.returncode == 65
    assert done.stdout.splitlines() == [run_id(1), "", "", run_id(2)]
    assert "line 2: no JSON" in done.stderr and "line 4: There is no job wrong." in done.stderr and "2 enqueued, 2 refused" in done.stderr
    assert [item["job"] for item in batches] == ["a", "b"]


def test_all_or_nothing_takes_nothing(pawl, server, batches):
    done = pawl("enqueue", "--all-or-nothing", input='{"job": "a"}\n{"job": "wrong"}\n')
    assert done.returncode == 4 and done.stdout == ""
    broken = pawl("enqueue", "--all-or-nothing", input='{"job": "a"}\n{"job"\n')
    assert broken.returncode == 65 and "line 2" in broken.stderr
    assert batches == [{"job": "a"}] and len(keys(server)) == 1


def test_a_host_that_is_away_is_asked_again_with_the_same_key(pawl, server, batches):
    server.host.fail_next = 1
    done = pawl("enqueue", "--quiet", input='{"job": "a"}\n')
    assert done.returncode == 0 and done.stdout == "", done.stderr
    assert len(keys(server)) == 2 and len(set(keys(server))) == 1


def test_wrong_usage(pawl, server):
    assert pawl("enqueue", "--batch", "0", input="").returncode == 64
    assert pawl("enqueue", "--file", "/nowhere/at/all").returncode == 66
    assert pawl("run", "a.b", "--unique-until", "started", "--unique-period", "1h").returncode == 64
    assert server.host.requests == []


def test_unique_keys_of_a_run(pawl, server):
    done = pawl("run", "csv.to_jsonl", "--unique-key", "k", "--unique-by", "job,args.id", "--unique-period", "10m", "--unique-policy", "replace",
                "--unique-if-started", "new")
    assert done.returncode == 0, done.stderr
    assert server.host.sent("POST", "/api/v1/runs")[0]["unique"] == {
        "key": "k", "by": ["job", "args.id"], "period_ms": 600000, "policy": "replace", "if_started": "new"}
