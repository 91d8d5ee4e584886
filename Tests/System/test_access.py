"""Who may what, with the built host: the Unix socket and the command line over it, tokens, what is written down."""

import json
import os
import stat
import subprocess

import pytest

from conftest import BIN


def pawl(*arguments, token=None, user=None, check=True, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PAWL_")}
    if token:
        clean["PAWL_TOKEN"] = token
    options = {"user": user, "group": user, "extra_groups": []} if user is not None else {}
    done = subprocess.run([BIN / "pawl", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=clean | environment, **options)
    assert not check or done.returncode == 0, (arguments, done.stderr)
    return done


def test_the_command_line_needs_no_token_on_the_same_machine(host):
    path = host.data / "pawl.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_ISSOCK(path.stat().st_mode)
    me = json.loads(pawl("whoami", "--json", "--data-dir", host.data).stdout)
    assert me["via"] == "peer" and me["role"] == "owner" and me["name"].startswith("unix:")
    # The socket alone is enough to find the host and to be somebody.
    assert "owner" in pawl("whoami", "--server", f"unix:{path}").stdout
    # The link leads to where a browser can go.
    assert pawl("ui", "--data-dir", host.data).stdout.startswith(f"http://127.0.0.1:{host.port}/login?ticket=")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_other_users_get_what_the_rules_say(host_factory, scratch):
    scratch.chmod(0o755)
    path = scratch / "shared.sock"
    host = host_factory(arguments=["--socket", str(path), "--peer", "12345=viewer", "--peer", "@23456=operator"]).start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    server = ("--server", f"unix:{path}")
    assert pawl("whoami", *server, user=12345).stdout.split() == ["unix:12345", "viewer"]
    assert pawl("whoami", *server, user=23456).stdout.split() == ["unix:23456", "operator"]
    refused = pawl("queues", "pause", "x", *server, user=12345, check=False)
    assert refused.returncode == 77 and "admin" in refused.stderr
    assert pawl("whoami", *server, user=34567, check=False).returncode == 77
    assert host.call("GET", "/api/v1/auth/whoami", token=None).status == 401


def test_tokens_by_the_command_line(host):
    data = ("--data-dir", host.data)
    token = pawl("tokens", "create", "ci-test", "--role", "operator", "--queue", "ci-*", "--expires", "1h", *data).stdout.strip()
    assert token.startswith("pawl_") and len(token) == 48
    server = ("--server", host.url)
    assert pawl("whoami", *server, token=token).stdout.split("\t")[:3] == ["token:ci-test", "operator", "only queue ci-*"]
    refused = pawl("runs", *server, token=token, check=False)
    assert refused.returncode == 77 and token not in refused.stderr
    listed = pawl("tokens", *data).stdout
    assert "ci-test" in listed and token not in listed
    pawl("tokens", "revoke", "ci-test", *data)
    assert pawl("whoami", *server, token=token, check=False).returncode == 77
    assert pawl("tokens", "create", "x", "--role", "emperor", *data, check=False).returncode == 65


def test_who_triggers_a_schedule_ends_no_run_by_force(host):
    """Also where a schedule's own rule, an admin's, says something else."""
    made = host.call("POST", "/api/v1/schedules", {
        "name": "mild", "job": "csv.to_jsonl", "kind": "cron", "spec": {"expression": "0 0 1 1 *"}, "timezone": "UTC",
        "args": {"input": "/none", "output": "/none"}, "enabled": False})
    assert made.status == 201, made.json
    token = pawl("tokens", "create", "trigger-test", "--role", "operator", "--data-dir", host.data).stdout.strip()
    path = f"/api/v1/schedules/{made.json['id']}/trigger"
    refused = host.call("POST", path, {"overlap": "terminate_running"}, token=token)
    assert refused.status == 403 and refused.json["code"] == "insufficient_scope" and "admin" in refused.json["detail"]
    assert host.call("POST", path, {"overlap": "cancel_running"}, token=token).status == 201
    assert host.call("POST", path, {"overlap": "terminate_running"}).status == 201


def test_no_token_is_in_the_log(host_factory):
    host = host_factory(arguments=["--log-level", "trace"]).start()
    token = pawl("tokens", "create", "quiet", "--role", "viewer", "--data-dir", host.data).stdout.strip()
    link = host.expect("POST", "/api/v1/auth/links")["url"]
    host.call("GET", link, token=None)
    for sent in (token, host.token, token + "x"):
        host.call("GET", "/api/v1/runs", token=sent)
        host.call("GET", f"/api/v1/runs?token={sent}", token=None)
        host.call("GET", f"/nothing?access_token={sent}", token=None)
    host.end()
    text = host.log_path.read_text()
    for secret in (token, host.token, link.split("=")[1]):
        # The link that is announced on standard output is another one.
        assert secret not in text


def test_what_was_done_is_written_down(host):
    run = host.run("mischief.noop", queue="audited")
    host.expect("POST", f"/api/v1/runs/{run}/cancel", {"reason": "a test"}, status=(200, 202, 409))
    pawl("queues", "pause", "audited", "--reason", "a test of the audit", "--data-dir", host.data)
    pawl("queues", "resume", "audited", "--data-dir", host.data)
    rows = json.loads(pawl("audit", "--target", "audited", "--json", "--data-dir", host.data).stdout)
    assert [r["action"] for r in rows[:2]] == ["queue.resume", "queue.pause"]
    assert rows[1]["reason"] == "a test of the audit" and rows[1]["actor"].startswith("unix:")
    shown = pawl("audit", "--since", "1h", "--action", "queue.*", "--data-dir", host.data).stdout
    assert "queue.pause" in shown and "a test of the audit" in shown


def test_keys_without_an_issuer_end_the_start(host_factory, scratch):
    keys = scratch / "jwks.json"
    keys.write_text('{"keys": []}')
    for arguments, words in [(["--jwt-keys", str(keys)], "--jwt-issuer"),
                             (["--jwt-keys", str(keys), "--jwt-issuer", "i", "--jwt-audience", "a"], "holds no key"),
                             (["--peer", "nobody-of-this-name=viewer"], "there is no user"),
                             (["--peer", "root=emperor"], "viewer, operator, admin, owner")]:
        host = host_factory(arguments=arguments).launch()
        assert host.process.wait(20) == 64
        assert words in host.log_path.read_text()
