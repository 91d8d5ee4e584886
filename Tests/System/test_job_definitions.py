"""Jobs by definition, on a real host: the job types of the first seed on real input under their own names, and what happens to
such jobs when their plugin is replaced, their host restarted, or they are removed."""

import csv
import json
import subprocess
import time

import pytest

from conftest import BIN, ROOT, until
from test_plugins_http import OPEN, SOURCE

TYPES = {"data-conversion": "data.convert", "document-processing": "document.process", "model-training": "train.classifier",
         "fine-tuning": "train.classifier", "bulk-operation": "bulk.operation"}


def define(host, name, handler, **more):
    host.until("/api/v1/jobs", lambda jobs: any(j["name"] == handler for j in jobs["items"]), f"{handler} to appear")
    return host.expect("POST", "/api/v1/jobs", {"name": name, "handler": handler, **more})


def remove(host, name, query="", match="*"):
    return host.call("DELETE", f"/api/v1/jobs/{name}{query}", headers={"If-Match": match})


def done(host, job, args):
    run = host.wait_state(host.run(job, args))
    assert run["state"] == "succeeded", run
    assert run["job"] == job
    return run["result"]


@pytest.mark.skipif(not (BIN / "plugins" / "document.so").exists(), reason="Poppler or libxml2 was not there when it was built")
def test_the_job_types_of_the_first_seed_run_under_their_own_names(host, scratch):
    for name, handler in TYPES.items():
        job = define(host, name, handler)
        assert job["defined"] and job["handler"] == handler
    try:
        rows = [{"text": f"{words} number {n}", "label": label} for n in range(50)
                for label, words in (("sport", "goal match team"), ("food", "soup bread salt"))]
        table = scratch / "texts.csv"
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows)
        converted = done(host, "data-conversion", {"input": str(table), "output": str(scratch / "texts.jsonl")})
        assert converted["rows"] == 100
        assert [json.loads(line) for line in (scratch / "texts.jsonl").open()] == rows

        trained = done(host, "model-training", {"data": str(scratch / "texts.jsonl"), "model": str(scratch / "model"), "epochs": 4})
        assert trained["accuracy"] == 1.0 and trained["epochs"] == 4
        tuned = done(host, "fine-tuning", {"data": str(table), "model": str(scratch / "tuned"), "base": str(scratch / "model"), "epochs": 2})
        assert tuned["labels"] == ["food", "sport"] and tuned["history"][0]["loss"] < trained["history"][0]["loss"]

        page = scratch / "page.html"
        page.write_text("<title>T</title>" + "".join(f"<p>Paragraph {n} says something of its own.</p>" for n in range(40)))
        processed = done(host, "document-processing", {"input": str(page), "output": str(scratch / "chunks.jsonl"), "chunk_characters": 200})
        assert processed["chunks"] == len((scratch / "chunks.jsonl").read_text().splitlines()) > 5

        (scratch / "items.jsonl").write_text("".join(
            json.dumps({"source": str(p), "target": str(scratch / f"copy-{p.name}")}) + "\n" for p in (table, page, scratch / "none")))
        bulk = done(host, "bulk-operation", {"operation": "copy", "items": str(scratch / "items.jsonl"), "results": str(scratch / "results.jsonl")})
        assert (bulk["done"], bulk["failed"]) == (2, 1)
        assert (scratch / "copy-texts.csv").read_bytes() == table.read_bytes()

        # S1's own request takes the name as its type; args are held against the handler's schema.
        made = host.call("POST", "/api/jobs", {"type": "bulk-operation", "name": "n", "data": {
            "operation": "hash", "items": str(scratch / "items.jsonl"), "results": str(scratch / "hashes.jsonl")}})
        assert made.status in (200, 201), made
        wrong = host.call("POST", "/api/v1/runs", {"job": "data-conversion", "args": {"input": 1}})
        assert wrong.status == 422 and wrong.json["code"] == "invalid_args"
    finally:
        for name in TYPES:
            until(lambda name=name: remove(host, name, "?cascade=true").status == 200, what="the job to be removed")


def test_what_cannot_be_made_and_removed(host):
    unknown = host.call("POST", "/api/v1/jobs", {"name": "x", "handler": "csv.to_jsonll"})
    assert unknown.status == 422 and "csv.to_jsonl" in unknown.json["near_matches"]
    assert host.call("POST", "/api/v1/jobs", {"name": "csv.to_jsonl", "handler": "csv.to_jsonl"}).status == 409
    own = remove(host, "csv.to_jsonl")
    assert own.status == 409 and own.json["code"] == "job_of_handler"
    made = host.command("jobs", "create", "from-the-line", "--handler", "csv.to_jsonl", "--set", "limits.wall=9s", "--set", "attempts=2")
    assert made.returncode == 0, made.stderr
    again = host.command("jobs", "create", "from-the-line", "--handler", "csv.to_jsonl")
    assert again.returncode == 73
    assert host.command("jobs", "create", "from-the-line", "--handler", "csv.to_jsonl", "--if-missing").returncode == 0
    job = host.get("/api/v1/jobs/from-the-line")
    assert job["limits"]["wall_ms"] == 9000 and job["attempts"] == 2
    host.expect("POST", "/api/v1/runs", {"job": "from-the-line", "args": {"input": "/a", "output": "/b"}, "delay_ms": 3_600_000})
    refused = host.command("jobs", "delete", "from-the-line")
    assert refused.returncode == 73 and "1 waiting run" in refused.stderr
    plan = host.command("jobs", "delete", "from-the-line", "--cascade", "--dry-run")
    assert plan.returncode == 0 and host.call("GET", "/api/v1/jobs/from-the-line").status == 200
    assert host.command("jobs", "delete", "from-the-line", "--cascade").returncode == 0
    assert host.call("GET", "/api/v1/jobs/from-the-line").status == 404


def test_a_job_outlives_versions_and_restarts(scratch, host_factory):
    """S0's "job not found after five minutes": it is scheduled, its plugin is replaced, its host restarted, and it still fires."""
    plugins = scratch / "plugins"
    plugins.mkdir()
    source = scratch / "swap.c"
    source.write_text(SOURCE)

    def install(label, schema=OPEN):
        built = scratch / f"swap-{label}.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-fvisibility=hidden", "-I", str(ROOT / "include"), f'-DLABEL="{label}"',
                        f'-DSCHEMA="{schema}"', "-o", str(built), str(source)], check=True, timeout=60)
        built.rename(plugins / "swap.so")

    install("1.0")
    host = host_factory("host", plugins=plugins).start()
    define(host, "nightly-swap", "swap.which", settings={"attempts": 2}, schedules=[
        {"name": "each-second", "kind": "interval", "spec": {"every_ms": 1000}, "args": {"n": 1}}])
    assert done(host, "nightly-swap", {}) == "1.0"
    # Whoever registers it at each start makes no second one.
    again = host.call("PUT", "/api/v1/schedules/each-second", {"job": "nightly-swap", "kind": "interval", "interval_ms": 1000, "args": {"n": 1}},
                      headers={"If-None-Match": "*"})
    assert again.status == 200 and len(host.get("/api/v1/jobs/nightly-swap/schedules")["items"]) == 1, again
    install("2.0", '{\\"type\\":\\"object\\",\\"properties\\":{\\"n\\":{\\"type\\":\\"integer\\"}}}')
    host.until("/api/v1/jobs/nightly-swap", lambda job: "properties" in (job["args_schema"] or {}), "the new schema")
    assert done(host, "nightly-swap", {}) == "2.0"
    assert host.get("/api/v1/jobs/nightly-swap")["attempts"] == 2
    # What waits for it under its own name holds a version that would not take it.
    install("3.0", '{\\"type\\":\\"object\\",\\"properties\\":{\\"n\\":{\\"type\\":\\"string\\"}}}')
    host.until("/api/v1/plugins/swap", lambda plugin: any(v["state"] == "held" for v in plugin["versions"]), "the version to be held")
    host.stop()
    host.start()
    begun = time.time()

    def fired():
        runs = host.get("/api/v1/runs?job=nightly-swap&state=succeeded&limit=50")["items"]
        return any(run.get("schedule_id") and run["created_at"] > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begun)) for run in runs)
    until(fired, what="a scheduled run after the restart")
    plan = host.call("DELETE", "/api/v1/jobs/nightly-swap?cascade=true&dry_run=true")
    assert plan.status == 200 and plan.json["removed_schedules"] == 1
    until(lambda: remove(host, "nightly-swap", "?cascade=true").status == 200, what="the job to be removed with its schedule")
    assert host.call("GET", "/api/v1/schedules/each-second").status == 404
