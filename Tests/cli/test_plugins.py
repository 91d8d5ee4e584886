"""`pawl plugins …` and `pawl jobs schema`: what is sent, what is said, and with which exit code."""

import base64
import json
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest

from fake_host import stamp

NOW, OLD, NEW = "3f5a" * 16, "11aa" * 16, "9d9d" * 16


@pytest.fixture
def plugin(server):
    def version(sha, label, state, **more):
        return {"version": sha, "label": label, "state": state, "size_bytes": 182_304, "source": "upload", "signed_by": "k7xF", "runs": 1200,
                "failed": 3, "crashed": 2, "running": 1, "loaded_at": stamp(60), "steps": [], **more}
    server.host.plugin_details["csv"] = {
        "name": "csv", "file": "csv.so", "kind": "native", "version": NOW, "label": "1.0.0", "state": "active", "error": None, "notes": [],
        "active": NOW, "previous": OLD, "disabled": False, "revision": 7, "reason": "the fix", "drift": 1,
        "held": {"version": NEW, "problems": [{"kind": "args_incompatible", "handler": "csv.to_jsonl", "where": "schedule nightly",
                                               "words": "/header must be a boolean"}]},
        "canary": {"version": NEW, "percent": 5, "seen": {"runs": 120, "crashed": 2}},
        "versions": [version(NOW, "1.0.0", "active", steps=[
            {"step": "staged", "at": "2026-11-21T08:00:00.100000Z", "after_ms": None, "detail": None},
            {"step": "active", "at": "2026-11-21T08:00:00.180000Z", "after_ms": 80, "detail": None}]), version(OLD, "0.9", "retired")],
        "changes": {"from": NOW, "to": NEW, "handlers": [{"handler": "csv.to_jsonl", "kind": "changed", "breaking": True, "changes": [
            {"of": "args", "pointer": "/properties/header", "words": "must be a boolean", "breaking": True}]}]},
        "hosts": [{"host": "host_2", "name": "other", "version": OLD, "state": "active", "drift": True, "updated_at": stamp(4),
                   "error": "version `GLIBC_2.38' not found"}],
        "events": [{"id": "1", "at": "2026-11-21T08:00:00.000000Z", "kind": "held", "version": NEW, "host_name": "here",
                    "detail": {"words": "1 thing would break"}}]}
    return server.host.plugin_details["csv"]


def posts(server, path):
    return [(body, headers) for m, p, body, headers in server.host.requests if m == "POST" and urlsplit(p).path == "/api/v1/plugins" + path]


def test_the_list_says_what_is_wrong_below_it(pawl, server):
    server.host.plugins = [{"name": "csv", "file": "csv.so", "state": "active", "version": NOW, "error": None, "handlers": [], "drift": 2,
                            "disabled": True, "held": {"version": NEW, "problems": [{}, {}]}, "canary": {"version": NEW, "runs": 100}}]
    done = pawl("plugins")
    assert "csv\tactive\t\t3f5a3f5a3f5a\tcsv.so\t" in done.stdout
    for words in ("version 9d9d9d9d9d9d is held, 2 problems", "takes the first 100 runs", "2 hosts have another version", "disabled"):
        assert words in done.stderr, words
    assert pawl("plugins", "list").stdout == done.stdout


def test_show_has_versions_steps_changes_and_drift(pawl, plugin):
    shown = pawl("plugins", "show", "csv").stdout
    for words in ('active, 1.0.0, csv.so, native, "the fix"', "csv.to_jsonl, schedule nightly: /header must be a boolean",
                  "9d9d9d9d9d9d takes 5 % of the runs; 2 of 120 crashed", "3f5a3f5a3f5a: staged 08:00:00.100, active +80ms",
                  "breaking args/properties/header: must be a boolean", "version `GLIBC_2.38' not found"):
        assert words in shown, words
    rows = [line.split("\t") for line in shown.splitlines()]
    [row] = [r for r in rows if r[0] == "11aa11aa11aa"]
    assert row[1:7] == ["0.9", "retired", "1,200", "3", "2", "1"]
    assert json.loads(pawl("plugins", "show", "csv", "--json").stdout)["revision"] == 7
    missing = pawl("plugins", "show", "csb")
    assert missing.returncode == 4 and "did you mean csv?" in missing.stderr


def test_two_versions_are_compared(pawl, server, plugin):
    assert pawl("plugins", "show", "csv", "--from", "11aa", "--to", "3f5a").returncode == 0
    assert [p for _, p, _, _ in server.host.requests] == ["/api/v1/plugins/csv?from=11aa&to=3f5a"]


def test_events_are_listed(pawl, plugin):
    assert "held\t9d9d9d9d9d9d\there\t1 thing would break" in pawl("plugins", "events", "csv").stdout
    assert pawl("plugins", "events", "csv", "--limit", "0").returncode == 64


@pytest.mark.parametrize("arguments, verb, body, words", [
    (["activate", "csv", "11aa", "--force", "--reason", "why"], "activate", {"version": "11aa", "force": True, "reason": "why"}, "active"),
    (["rollback", "csv"], "rollback", {}, "rolled back"),
    (["canary", "csv", "11aa", "--percent", "5", "--crash-percent", "2.5", "--for", "1h"], "canary",
     {"version": "11aa", "percent": 5, "crash_percent_bound": 2.5, "deadline_ms": 3600000}, "canary"),
    (["canary", "csv", "11aa", "--runs", "50", "--minimum-runs", "10"], "canary", {"version": "11aa", "runs": 50, "minimum_runs": 10}, "canary"),
    (["disable", "csv", "--reason", "full"], "disable", {"reason": "full"}, "disabled"),
    (["enable", "csv"], "enable", {}, "enabled"),
    (["unquarantine", "csv"], "unquarantine", {}, "started again"),
    (["pin", "csv", "--reason", "month end"], "pin", {"reason": "month end"}, "pinned"),
    (["unpin", "csv"], "unpin", {}, "unpinned"),
])
def test_changes_are_guarded_by_what_was_seen(pawl, server, plugin, arguments, verb, body, words):
    done = pawl("plugins", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("csv\t") and done.stdout.endswith(f"\t{words}\n")
    [(sent, headers)] = posts(server, f"/csv/{verb}")
    assert sent == body and headers["If-Match"] == '"7-x"'


def test_what_is_held_is_listed_and_force_is_named(pawl, server, plugin):
    server.host.plugin_changes["activate"] = {
        "status": 409, "code": "activation_held", "detail": "1 thing would break.",
        "problems": [{"kind": "args_incompatible", "handler": "csv.to_jsonl", "where": "schedule nightly", "words": "/header must be a boolean"}]}
    done = pawl("plugins", "activate", "csv", "11aa")
    assert done.returncode == 73
    assert "csv.to_jsonl, schedule nightly: /header must be a boolean" in done.stderr and "--force" in done.stderr


@pytest.mark.parametrize("arguments", [
    ["canary", "csv", "11aa"], ["canary", "csv", "11aa", "--percent", "5", "--runs", "5"], ["canary", "csv", "11aa", "--runs", "5", "--for", "soon"],
    ["upload", "csv", "x.so", "--stage", "--force"], ["activate", "csv"]])
def test_orders_that_say_too_little_or_too_much_are_wrong_usage(pawl, server, arguments):
    assert pawl("plugins", *arguments).returncode == 64
    assert server.host.requests == []


def test_a_version_is_removed_after_a_yes(pawl, server, plugin):
    done = pawl("plugins", "remove", "csv", "11aa")
    assert done.returncode == 64 and "--yes" in done.stderr
    assert pawl("plugins", "remove", "csv", "ffff", "--yes").returncode == 4
    done = pawl("plugins", "remove", "csv", "11AA", "--yes")
    assert done.returncode == 0 and done.stdout == "csv\t11aa11aa11aa\tremoved\n"
    [(path, headers)] = [(p, h) for m, p, _, h in server.host.requests if m == "DELETE"]
    assert path == f"/api/v1/plugins/csv/versions/{OLD}" and headers["If-Match"] == '"7-x"'


# Uploads and signatures


def test_an_upload_is_the_file_itself(pawl, server, tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "csv-2.0.so").write_bytes(content)
    done = pawl("plugins", "upload", "csv", str(tmp_path / "csv-2.0.so"), "--canary-percent", "5", "--reason", "a b&c")
    assert done.returncode == 0 and done.stdout == "csv\teeeeeeeeeeee\tcanary\n", done.stderr
    [(method, path, body, headers)] = server.host.requests
    assert path == "/api/v1/plugins/csv/versions?file=csv-2.0.so&canary_percent=5&reason=a%20b%26c"
    assert body == content and headers["Content-Type"] == "application/octet-stream" and "X-Pawl-Signature" not in headers


def test_an_upload_that_is_held_says_by_what(pawl, server, tmp_path):
    (tmp_path / "csv.so").write_bytes(b"x")
    server.host.plugin_changes["upload"] = {"state": "held", "detail": "1 thing would break", "problems": [
        {"handler": "csv.to_jsonl", "where": "12 waiting runs", "words": "/a is missing"}]}
    done = pawl("plugins", "upload", "csv", str(tmp_path / "csv.so"))
    assert done.returncode == 73 and done.stdout == "csv\teeeeeeeeeeee\theld\n"
    assert "csv.to_jsonl, 12 waiting runs: /a is missing" in done.stderr
    server.host.uploads = "off"
    refused = pawl("plugins", "upload", "csv", str(tmp_path / "csv.so"))
    assert refused.returncode == 77 and "serve --uploads" in refused.stderr
    assert pawl("plugins", "upload", "csv", "/nowhere/x.so").returncode == 66


def test_keys_and_signatures_without_a_host(pawl, server, tmp_path):
    key, file = tmp_path / "key.pem", tmp_path / "csv.so"
    file.write_bytes(b"\x7fELF" + bytes(1000))
    made = pawl("plugins", "keygen", str(key), PAWL_URL=None)
    assert made.returncode == 0, made.stderr
    assert len(base64.b64decode(made.stdout)) == 32 and key.stat().st_mode & 0o777 == 0o600
    assert pawl("plugins", "keygen", str(key)).returncode == 78, "a key is never overwritten"
    assert pawl("plugins", "sign", str(file), "--key", str(key), PAWL_URL=None).returncode == 0
    signature = (tmp_path / "csv.so.sig").read_bytes()
    assert len(signature) == 64 and server.host.requests == []
    # What lies beside the file goes with it; --sign makes one, of the same bytes.
    for extra in ([], ["--sign", str(key)]):
        assert pawl("plugins", "upload", "csv", str(file), *extra).returncode == 0
        assert len(base64.b64decode(server.host.requests[-1][3]["X-Pawl-Signature"])) == 64
    (tmp_path / "csv.so.sig").write_text("nonsense")
    assert pawl("plugins", "upload", "csv", str(file)).returncode == 65
    assert pawl("plugins", "sign", str(file), "--key", str(file)).returncode == 66


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to compare with")
def test_openssl_and_we_understand_each_other(pawl, tmp_path):
    ours, theirs, file = tmp_path / "ours.pem", tmp_path / "theirs.pem", tmp_path / "x.so"
    file.write_bytes(b"some bytes")
    pawl("plugins", "keygen", str(ours))
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", theirs], check=True)
    subprocess.run(["openssl", "pkey", "-in", theirs, "-pubout", "-out", str(theirs) + ".pub"], check=True)
    for key in (ours, theirs):
        assert pawl("plugins", "sign", str(file), "--key", str(key)).returncode == 0
        checked = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(key) + ".pub", "-rawin", "-in", file, "-sigfile",
                                  str(file) + ".sig"], capture_output=True, text=True)
        assert "Verified Successfully" in checked.stdout, checked.stderr


# Schemas, and the terms of runs


def test_the_schema_of_a_job_is_printed(pawl, server):
    server.host.jobs["etl.load"] = {"args_schema": {"type": "object"}, "result_schema": None}
    assert json.loads(pawl("jobs", "schema", "etl.load").stdout) == {"type": "object"}
    none = pawl("jobs", "schema", "etl.load", "--result")
    assert none.returncode == 4 and "declares no schema of its result" in none.stderr
    assert pawl("jobs", "schema", "nope").returncode == 4


def test_queue_times_are_sent(pawl, server):
    assert pawl("run", "csv.to_jsonl", "--queue-time", "1h").returncode == 0
    assert server.host.sent("POST", "/api/v1/runs")[0]["queue_ms"] == 3600000
    assert pawl("schedules", "create", "x", "--job", "a.b", "--every", "1h", "--queue-time", "5m", "--queue", "bulk", "--attempts", "2").returncode == 0
    schedule = server.host.sent("POST", "/api/v1/schedules")[0]
    assert (schedule["queue_ms"], schedule["queue"], schedule["attempts"]) == (300000, "bulk", 2)
    assert pawl("run", "csv.to_jsonl", "--queue-time", "soon").returncode == 64
    server.host.jobs["etl.load"] = {"limits": {}, "execution": {}, "sources": {}}
    assert pawl("jobs", "settings", "etl.load", "--queue-time", "default").returncode == 0
    assert [b for m, _, b, _ in server.host.requests if m == "PATCH"] == [{"limits": {"queue_ms": None}}]


@pytest.mark.parametrize("command", [
    "list", "show", "upload", "activate", "rollback", "canary", "disable", "enable", "pin", "unpin", "unquarantine", "remove", "events", "sign", "keygen"])
def test_help_of_every_verb_has_three_examples(pawl, command):
    done = pawl("plugins", command, "--help")
    assert done.returncode == 0
    examples = done.stdout.split("EXAMPLES", 1)[1].split("USAGE", 1)[0].strip().splitlines()
    assert len(examples) >= 3 and all("pawl" in example for example in examples), examples
