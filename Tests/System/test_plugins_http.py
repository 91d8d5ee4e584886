"""Plugins over HTTP and from the command line, on a real host: upload, sign, roll back, remove, refuse."""

import base64
import getpass
import hashlib
import http.client
import json
import subprocess

import pytest

from conftest import ROOT, until

SOURCE = r'''#include <pawl.h>
static int32_t which(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user; (void)args;
    return attempt->host->result_json(attempt, PAWL_STR("\"" LABEL "\""));
}
static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "swap.which", .run = which, .args_schema = SCHEMA},
};
PAWL_PLUGIN("swap", LABEL, handlers)
'''
OPEN = '{\\"type\\":\\"object\\"}'
NARROW = '{\\"type\\":\\"object\\",\\"required\\":[\\"path\\"]}'


@pytest.fixture
def build(scratch):
    source = scratch / "swap.c"
    source.write_text(SOURCE)

    def make(label, schema=OPEN):
        path = scratch / f"swap-{label}.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-fvisibility=hidden", "-I", str(ROOT / "include"), f'-DLABEL="{label}"',
                        f'-DSCHEMA="{schema}"', "-o", str(path), str(source)], check=True, timeout=60)
        return path

    return make


@pytest.fixture
def empty_host(scratch, host_factory):
    """A host with an empty plugin directory; options as `pawl serve` takes them."""
    def start(*arguments):
        (scratch / "plugins").mkdir()
        return host_factory("host", plugins=scratch / "plugins", arguments=list(arguments)).start()
    return start


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def send(host, body, query="", headers=None, name="swap"):
    """An upload; its status and answer. `body`: bytes, or pieces that go as chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=60)
    try:
        connection.request("POST", f"/api/v1/plugins/{name}/versions{query}", body=body, encode_chunked=not isinstance(body, bytes), headers={
            "Authorization": f"Bearer {host.token}", "Content-Type": "application/octet-stream",
            **({} if isinstance(body, bytes) else {"Transfer-Encoding": "chunked"}), **(headers or {})})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def result(host):
    return host.wait_state(host.run("swap.which"))["result"]


def uploads(host):
    directory = host.data / "uploads"
    return sorted(p.name for p in directory.iterdir()) if directory.exists() else []


def test_from_upload_to_removal(empty_host, build):
    host = empty_host()
    one, two = build("1.0"), build("2.0")
    done = host.command("plugins", "upload", "swap", one)
    assert done.returncode == 0 and done.stdout == f"swap\t{sha(one)[:12]}\tactive\n", done.stderr
    assert result(host) == "1.0"
    # In pieces, as a program without a length sends it.
    data = two.read_bytes()
    status, answer = send(host, (data[i:i + 1000] for i in range(0, len(data), 1000)))
    assert (status, answer["version"], answer["state"]) == (201, sha(two), "active"), answer
    assert result(host) == "2.0"
    again, answer = send(host, data)
    assert again == 200 and answer["changed"] is False
    shown = host.expect("GET", "/api/v1/plugins/swap")
    assert shown["active"] == sha(two) and shown["previous"] == sha(one) and shown["drift"] == 0
    assert [v["version"] for v in shown["versions"]][:2] == [sha(two), sha(one)]
    steps = [s["step"] for s in shown["versions"][0]["steps"]]
    assert "active" in steps and "warming" in steps
    assert shown["versions"][0]["runs"] >= 1 and shown["versions"][0]["source"] == "upload"
    done = host.command("plugins", "rollback", "swap", "--reason", "a test")
    assert done.returncode == 0 and done.stdout.startswith(f"swap\t{sha(one)[:12]}"), done.stderr
    assert result(host) == "1.0"
    shown = host.expect("GET", "/api/v1/plugins/swap")
    assert (shown["reason"], shown["changed_by"]) == ("a test", f"unix:{getpass.getuser()}")
    in_use = host.command("plugins", "remove", "swap", sha(one)[:8], "--yes")
    assert in_use.returncode == 73, in_use
    host.command("plugins", "activate", "swap", sha(two)[:12], "--reason", "again")
    assert result(host) == "2.0"
    events = [e["kind"] for e in host.get("/api/v1/plugins/swap/events")["items"]]
    assert events.count("active") >= 3
    # A host that comes back knows what was before, though it has not served it itself.
    assert host.stop() == 0
    host.start()
    host.until("/api/v1/plugins/swap", lambda p: p["state"] == "active" and p["active"] == sha(two), "the version of the row serves again")
    assert host.command("plugins", "rollback", "swap").returncode == 0
    assert result(host) == "1.0"
    three = build("3.0")
    assert send(host, three.read_bytes(), "?activate=false")[1]["state"] == "staged"
    done = host.command("plugins", "remove", "swap", sha(three)[:12], "--yes")
    assert done.returncode == 0, done.stderr
    assert sha(three) not in [v["version"] for v in host.expect("GET", "/api/v1/plugins/swap")["versions"]]
    # The very bytes, for a replay elsewhere.
    assert host.call("GET", f"/api/v1/plugins/swap/versions/{sha(one)}/bytes").body == one.read_bytes()
    assert uploads(host) == []


def test_what_cannot_be_used_changes_nothing(empty_host, build):
    host = empty_host()
    one = build("1.0")
    assert send(host, one.read_bytes())[0] == 201
    status, answer = send(host, b"no shared library at all")
    assert status == 422 and answer["code"] == "bad_plugin", answer
    status, answer = send(host, build("2.0").read_bytes()[:3000])
    assert status == 422, answer
    # It must call itself as the path does.
    status, answer = send(host, build("3.0").read_bytes(), name="other")
    assert status in (409, 422), answer
    assert result(host) == "1.0" and uploads(host) == []
    assert host.expect("GET", "/api/v1/plugins/swap")["active"] == sha(one)


def test_what_waits_holds_a_version_back(empty_host, build):
    host = empty_host()
    one, two = build("1.0"), build("2.0", schema=NARROW)
    assert send(host, one.read_bytes())[0] == 201
    host.expect("POST", "/api/v1/schedules", {"name": "nightly", "job": "swap.which", "kind": "interval", "spec": {"every_ms": 3_600_000}})
    done = host.command("plugins", "upload", "swap", two)
    assert done.returncode == 73 and "\theld\n" in done.stdout and "nightly" in done.stderr, done
    shown = host.expect("GET", "/api/v1/plugins/swap")
    assert shown["active"] == sha(one) and shown["held"]["version"] == sha(two)
    assert shown["changes"]["to"] == sha(two) and shown["changes"]["handlers"][0]["breaking"] is True
    assert result(host) == "1.0"
    done = host.command("plugins", "activate", "swap", sha(two))
    assert done.returncode == 73 and "nightly" in done.stderr and "--force" in done.stderr, done
    assert host.command("plugins", "activate", "swap", sha(two), "--force").returncode == 0
    # From now on its schema counts.
    refused = host.call("POST", "/api/v1/runs", {"job": "swap.which", "args": {}})
    assert refused.status == 422 and refused.json["code"] == "invalid_args"
    assert host.get("/api/v1/jobs/swap.which/schema")["args"]["required"] == ["path"]


def test_disabled_plugins_wait(empty_host, build):
    host = empty_host()
    assert send(host, build("1.0").read_bytes())[0] == 201
    assert host.command("plugins", "disable", "swap", "--reason", "the disk is full").returncode == 0
    run = host.run("swap.which")
    # A host may take it once, and give it back when it sees that it has nothing to run it with.
    def waits():
        explanation = host.get(f"/api/v1/runs/{run}/explain")["explanation"]
        return explanation if explanation["cause"] == "no_handler" else None

    why = until(waits, 20, "it waits for its handler")
    assert "plugin swap is disabled (the disk is full)" in why["because"], why
    assert host.command("plugins", "enable", "swap").returncode == 0
    assert host.wait_state(run)["result"] == "1.0"


def test_only_what_is_signed_where_that_is_required(empty_host, build, scratch):
    one, key = build("1.0"), scratch / "key.pem"
    made = subprocess.run([_binary(), "plugins", "keygen", key], capture_output=True, text=True, check=True)
    host = empty_host("--trusted-key", made.stdout.strip(), "--require-signed")
    status, answer = send(host, one.read_bytes())
    assert status == 422 and answer["code"] == "plugin_unsigned", answer
    wrong = base64.b64encode(bytes(64)).decode()
    status, answer = send(host, one.read_bytes(), headers={"X-Pawl-Signature": wrong})
    assert status == 422 and answer["code"] == "plugin_unsigned", answer
    done = host.command("plugins", "upload", "swap", one, "--sign", key)
    assert done.returncode == 0, done.stderr
    assert result(host) == "1.0"
    assert host.expect("GET", "/api/v1/plugins/swap")["versions"][0]["signed_by"]


def test_uploads_may_be_off_and_are_bounded(empty_host, build):
    host = empty_host("--upload-limit", "64K", "--uploads", "token")
    status, answer = send(host, bytes(70_000))
    assert status == 413 and answer["code"] == "body_too_large"
    assert uploads(host) == []
    # Broken off in the middle: nothing stays.
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=10)
    connection.putrequest("POST", "/api/v1/plugins/swap/versions")
    for name, value in (("Authorization", f"Bearer {host.token}"), ("Content-Type", "application/octet-stream"), ("Content-Length", "60000")):
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(bytes(30_000))
    until(lambda: uploads(host), 10, "the upload has begun")
    connection.close()
    until(lambda: uploads(host) == [], 10, "nothing is left of it")


def _binary():
    from conftest import BIN
    return BIN / "pawl"
