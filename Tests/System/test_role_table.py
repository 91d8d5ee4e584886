"""Roles × routes × transports on the built host, over its sockets, as its own document says it: a new route is in the table by
being in the document. (What the document must say of each route is held by the unit tests.)"""

import json
import os
import subprocess

import pytest

from authority import Signer

ROLES = ["viewer", "operator", "admin", "owner"]
USERS = dict(zip(ROLES, range(12341, 12345)))
# Sent by a user of their own: reads the table from standard input, asks for everything through the socket.
PEER = """
import http.client, json, socket, sys
class Through(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(sys.argv[1])
answers = []
for method, target in json.load(sys.stdin):
    connection = Through("localhost")
    connection.request(method, target, body=None if method == "GET" else b"{}", headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    answers.append([answer.status, json.loads(body).get("code") if answer.status >= 400 and body else None])
    connection.close()
json.dump(answers, sys.stdout)
"""


def table(host):
    """(method, target, role or None) of every operation; what ends the session comes last."""
    found = []
    for path, operations in host.get("/api/v1/openapi.json")["paths"].items():
        parts = ["run_0000000000000" if part == "{id}" else "none" if part.startswith("{") else part for part in path.split("/")]
        for method, operation in operations.items():
            if method != "parameters":
                assert operation["x-role"] in [*ROLES, "none"], f"{method} {path} has no x-role"
                found.append((method.upper(), "/".join(parts), operation["x-role"]))
    assert len(found) > 100
    return sorted(found, key=lambda operation: "logout" in operation[1])


def ask(host, operations, headers):
    """One connection, as long as the host keeps it: status and code of each."""
    answers = []
    for method, target in operations:
        answer = host.call(method, target, None if method == "GET" else b"{}", headers=headers, token=None)
        answers.append((answer.status, answer.json.get("code") if answer.status >= 400 and answer.body else None))
    return answers


def check(operations, answers, role, transport):
    for (method, target, needed), (status, code) in zip(operations, answers, strict=True):
        where = f"{role} by {transport}: {method} {target} needs {needed}: {status} {code}"
        refused = (status, code) == (403, "insufficient_scope")
        assert refused == (needed != "none" and ROLES.index(role) < ROLES.index(needed)), where
        assert status != 401, where


@pytest.fixture
def host(cluster, host_factory, scratch):
    scratch.chmod(0o755)
    signer = Signer(scratch, "provider")
    keys = scratch / "jwks.json"
    keys.write_text(json.dumps({"keys": [signer.jwk]}))
    arguments = ["--jwt-keys", keys, "--jwt-issuer", "https://id.example", "--jwt-audience", "pawl", "--socket", scratch / "table.sock"]
    for role, user in USERS.items():
        arguments += ["--peer", f"{user}={role}"]
    host = host_factory("table", database_url=cluster.url, arguments=list(map(str, arguments)))
    host.signer, host.socket = signer, scratch / "table.sock"
    return host.start()


def test_roles_routes_and_transports(host):
    operations = table(host)
    requests = [(method, target) for method, target, _ in operations]

    # Nobody.
    for (method, target, needed), (status, code) in zip(operations, ask(host, requests, {}), strict=True):
        assert (status == 401) == (needed != "none"), f"nobody: {method} {target}: {status} {code}"

    for role in ROLES:
        token = host.expect("POST", "/api/v1/tokens", {"name": f"a-{role}", "role": role})["token"]
        check(operations, ask(host, requests, {"Authorization": f"Bearer {token}"}), role, "token")
        check(operations, ask(host, requests, {"Authorization": f"Bearer {host.signer.token(role)}"}), role, "JSON Web Token")

        link = host.expect("POST", "/api/v1/auth/links", token=token)["url"]
        login = host.call("GET", link[link.index("/login"):], token=None)
        cookie = {name.lower(): value for name, value in login.headers.items()}["set-cookie"].split(";")[0]
        # Nothing is changed by a page of another origin, nor by who knows no origin.
        changing = [(method, target) for method, target, needed in operations if method != "GET" and needed != "none"]
        for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {}):
            for (method, target), (status, code) in zip(changing, ask(host, changing, {"Cookie": cookie, **foreign}), strict=True):
                assert (status, code) == (403, "cross_site"), f"{foreign}: {method} {target}: {status} {code}"
        own = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
        # What a token alone may is refused by another name.
        check(operations, ask(host, requests, own), role, "cookie")
        assert host.call("GET", "/api/v1/auth/whoami", headers=own, token=None).status == 401, "it has logged out"


# The system's: the one that runs the tests may lie where other users cannot go.
PYTHON = "/usr/bin/python3"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs other users")
def test_roles_and_routes_through_the_socket(host):
    operations = table(host)
    text = json.dumps([(method, target) for method, target, _ in operations])
    for role, user in USERS.items():
        done = subprocess.run([PYTHON, "-c", PEER, host.socket], input=text, capture_output=True, text=True, timeout=120,
                              user=user, group=user, extra_groups=[], cwd="/")
        assert done.returncode == 0, done.stderr
        check(operations, json.loads(done.stdout), role, "socket")
    stranger = subprocess.run([PYTHON, "-c", PEER, host.socket], input='[["GET", "/api/v1/runs"]]', capture_output=True,
                              text=True, timeout=60, user=23456, group=23456, extra_groups=[], cwd="/")
    assert json.loads(stranger.stdout) == [[401, "unauthenticated"]], stranger
