"""TLS on the built host: curl and the command line with an authority of their own, certificates that are replaced while
connections are open, keys of JSON Web Tokens from an address."""

import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from authority import Authority, Signer
from conftest import BIN, until


@pytest.fixture
def authority(scratch):
    directory = scratch / "authority"
    directory.mkdir()
    return Authority(directory)


@pytest.fixture
def host(cluster, host_factory, authority):
    authority.certificate, authority.private = authority.issue("host", 1001)
    arguments = ["--tls-cert", authority.certificate, "--tls-key", authority.private]
    return host_factory("tls", database_url=cluster.url, arguments=list(map(str, arguments)),
                        tls=ssl.create_default_context(cafile=authority.file)).start()


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--max-time", "20", "--noproxy", "*", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def pawl(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PAWL_")}
    return subprocess.run([BIN / "pawl", *map(str, arguments)], capture_output=True, text=True, timeout=60, env=clean | environment)


def serial(host):
    """Of the certificate that a new connection is shown."""
    connection = host.connect(10)
    connection.connect()
    number = int(connection.sock.getpeercert()["serialNumber"], 16)
    connection.close()
    return number


def metric(host, name):
    text = host.call("GET", "/metrics").body.decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)}


def test_curl_with_an_authority_of_its_own(host, authority):
    told = curl("--cacert", authority.file, "-H", f"Authorization: Bearer {host.token}", f"{host.url}/api/v1/auth/whoami")
    assert told.returncode == 0 and json.loads(told.stdout)["role"] == "owner", told
    # By its name, by both versions, and by no older one.
    by_name = f"https://localhost:{host.port}/livez"
    for version in ("1.2", "1.3"):
        assert curl("--cacert", authority.file, f"--tlsv{version}", "--tls-max", version, by_name).returncode == 0
    assert curl("--cacert", authority.file, "--tls-max", "1.1", by_name).returncode != 0
    # Without the authority nobody is trusted, and without TLS nobody answers.
    assert curl(f"{host.url}/livez").returncode == 60
    assert curl(f"http://127.0.0.1:{host.port}/livez").returncode != 0
    # Bodies of many records, both ways.
    document = host.call("GET", "/api/v1/openapi.json")
    assert document.status == 200 and len(document.body) > 100_000
    items = [{"job": "mischief.noop", "args": {"text": "x" * 10_000}, "run_at": "2090-01-01T00:00:00Z"} for _ in range(500)]
    made = host.expect("POST", "/api/v1/runs/batch", {"items": items}, headers={"Idempotency-Key": '"tls"'})
    assert len(made["items"]) == 500, list(made)
    # The page's cookie goes back by TLS only.
    assert host.page.startswith("https://")
    login = curl("--cacert", authority.file, "-D", "-", "-o", os.devnull, host.page)
    cookie = next(line for line in login.stdout.splitlines() if line.lower().startswith("set-cookie:"))
    assert "Secure" in cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie, cookie


def test_the_command_line_knows_authorities(host, authority):
    server = ("--server", host.url)
    assert "owner" in pawl("whoami", *server, "--ca-file", authority.file, PAWL_TOKEN=host.token).stdout
    assert "owner" in pawl("whoami", *server, PAWL_TOKEN=host.token, PAWL_CA_FILE=str(authority.file)).stdout
    refused = pawl("whoami", *server, PAWL_TOKEN=host.token)
    assert refused.returncode == 69 and "certificate" in refused.stderr and host.token not in refused.stderr, refused.stderr
    assert pawl("whoami", *server, "--ca-file", "/nowhere.pem", PAWL_TOKEN=host.token).returncode == 78
    # On this machine the socket needs neither, and a link leads to where a browser can go.
    assert "owner" in pawl("whoami", "--data-dir", host.data).stdout
    assert pawl("ui", "--data-dir", host.data).stdout.startswith(f"https://127.0.0.1:{host.port}/login?ticket=")


def test_a_new_certificate_ends_no_connection(host, authority):
    assert serial(host) == 1001
    # One that asks now and then, and one that follows a log.
    kept = host.connect(30)

    def ask():
        kept.request("GET", "/api/v1/auth/whoami", headers={"Authorization": f"Bearer {host.token}"})
        return json.loads(kept.getresponse().read())["role"]

    assert ask() == "owner"
    sock = kept.sock
    run = host.run("mischief.sleep", {"ms": 600_000})
    host.wait_state(run, "running")
    stream = host.connect(30)
    stream.request("GET", f"/api/v1/runs/{run}/logs?follow=true", headers={"Authorization": f"Bearer {host.token}", "Accept": "text/event-stream"})
    followed = stream.getresponse()
    assert followed.status == 200

    # Replaced as certbot does: other files take the names.
    for number, (fresh, key) in ((1002, authority.issue("second", 1002)), (1003, authority.issue("third", 1003))):
        os.replace(fresh, authority.certificate)
        if number == 1002:
            # Between the two files they do not fit: the old pair goes on.
            time.sleep(1.2)
            assert serial(host) == 1001
        os.replace(key, authority.private)
        if number == 1003:
            host.process.send_signal(signal.SIGHUP)
        until(lambda: serial(host) == number, 10, f"certificate {number} is shown")
        assert ask() == "owner" and kept.sock is sock, "the connection goes on"
    # What is broken changes nothing, and is told about.
    authority.private.write_text("no key")
    host.process.send_signal(signal.SIGHUP)
    until(lambda: metric(host, "pawl_tls_reloads_total")['pawl_tls_reloads_total{result="failed"}'] >= 2, 10, "it is counted")
    assert serial(host) == 1003 and "holds no private key" in host.log_path.read_text()
    expires = metric(host, "pawl_tls_certificate_expires_timestamp_seconds")["pawl_tls_certificate_expires_timestamp_seconds"]
    assert 28 * 86400 < expires - time.time() < 31 * 86400
    assert ask() == "owner" and kept.sock is sock
    # The stream has seen none of it: it ends when its run does.
    host.expect("POST", f"/api/v1/runs/{run}/terminate", {})
    followed.read()
    kept.close()
    stream.close()


def test_who_says_nothing_holds_up_nobody(host):
    silent = [socket.create_connection(("127.0.0.1", host.port)) for _ in range(20)]
    garbage = socket.create_connection(("127.0.0.1", host.port))
    garbage.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    garbage.settimeout(10)
    answer = b""
    try:
        while piece := garbage.recv(4096):
            answer += piece
    except ConnectionResetError:
        pass
    assert b"HTTP" not in answer, answer
    assert host.call("GET", "/livez", token=None).status == 200
    for connection in silent:
        connection.close()
    until(lambda: metric(host, "pawl_http_connections")["pawl_http_connections"] == 1, 10, "they are gone")


def test_what_cannot_be_served_is_told_at_the_start(scratch, authority):
    first, second = authority.issue("a", 1), authority.issue("b", 2)
    broken = scratch / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    def start(*arguments):
        return pawl("serve", "--data-dir", scratch / "data", *arguments)

    for arguments, words in (
        (("--tls-cert", first[0]), "belong together"), (("--tls-key", first[1]), "belong together"),
        (("--tls-cert", first[0], "--tls-key", second[1]), "does not fit"),
        (("--tls-cert", broken, "--tls-key", first[1]), "no certificate"),
        (("--tls-cert", "/nowhere.pem", "--tls-key", first[1]), "cannot be read"),
        (("--tls-cert", first[0], "--tls-key", first[0]), "chmod"),
        (("--jwt-keys", "http://id.example/keys", "--jwt-issuer", "x", "--jwt-audience", "y"), "https"),
    ):
        done = start(*arguments)
        assert done.returncode == 64 and words in done.stderr, (arguments, done.stderr)
    os.chmod(first[1], 0o644)
    assert "everybody" in start("--tls-cert", first[0], "--tls-key", first[1]).stderr


class Provider:
    """An identity provider's address, on loopback: by TLS if it is given a certificate."""

    def __init__(self, certificate=None, port=0):
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                provider.hits += 1
                status, body = provider.answer()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.hits = 0
        self.status, self.keys = 200, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server.server_port}/keys"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self):
        return self.status, json.dumps({"keys": self.keys}).encode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def test_keys_of_web_tokens_from_an_address(cluster, host_factory, authority, scratch):
    signer, other = Signer(scratch, "first"), Signer(scratch, "second")
    provider = Provider(authority.issue("provider", 7))
    provider.keys = [signer.jwk]
    options = ["--jwt-keys", provider.url, "--jwt-issuer", "https://id.example", "--jwt-audience", "pawl"]
    try:
        # Whom it does not trust it does not ask; the host serves all the same.
        host = host_factory("distrustful", database_url=cluster.url, arguments=options).start()
        assert host.call("GET", "/api/v1/auth/whoami", token=signer.token("admin")).status == 401
        until(lambda: "keys of tokens cannot be fetched" in host.log_path.read_text(), 15, "it says so")
        assert provider.hits == 0
        host.end()

        provider.status = 302
        host = host_factory("trusting", database_url=cluster.url, arguments=[*options, "--jwt-ca", str(authority.file)]).start()
        until(lambda: provider.hits == 1, 15, "keys are asked for before a token is there")
        assert host.call("GET", "/api/v1/auth/whoami", token=signer.token("admin")).status == 401
        until(lambda: "answered 302" in host.log_path.read_text(), 10, "a redirect is not followed")
        provider.status = 200

        def who(token):
            answer = host.call("GET", "/api/v1/auth/whoami", token=token)
            return answer.status, answer.json.get("role")

        # As long as there are no keys it is asked every five seconds, when a token comes.
        time.sleep(5.2)
        assert who(signer.token("admin")) == (200, "admin")
        assert who(signer.token("viewer", sub="bob"))[1] == "viewer"
        hits = provider.hits
        for _ in range(5):
            assert who(other.token("admin")) == (401, None)
        assert provider.hits <= hits + 1, "guesses do not make it ask"
        # The provider goes away: what is known goes on.
        provider.close()
        assert who(signer.token("operator"))[1] == "operator"
        assert metric(host, "pawl_jwt_keys")["pawl_jwt_keys"] == 1
        assert signer.token("viewer").split(".")[2] not in host.log_path.read_text()
    finally:
        provider.close()
