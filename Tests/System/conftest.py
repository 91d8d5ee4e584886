"""Fixtures of the system tests: the built host, driven over HTTP and signals, on loopback only.

Every process that a test starts is ended by its id. Nothing here waits for time where an event can be awaited: `until`
polls a condition and fails with its last value when its bound is over.
"""

import contextlib
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PAWL_TEST_BIN", ROOT / ".build" / "release"))
TERMINAL = {"succeeded", "failed", "cancelled"}


def until(condition, bound=30.0, what="the condition"):
    """Waits until condition() is true; returns its value."""
    deadline = time.monotonic() + bound
    value = None
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {bound} s; last value: {value!r}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid):
    """{pid: start time} of all processes below pid, by /proc."""
    parents = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        parents[int(entry)] = (int(fields[1]), fields[19])
    found, grew = {pid: None}, True
    while grew:
        grew = False
        for child, (parent, started) in parents.items():
            if parent in found and child not in found:
                found[child] = started
                grew = True
    found.pop(pid)
    return found


def still_alive(processes):
    """Which of {pid: start time} run still; a zombie does not count."""
    alive = {}
    for pid, started in processes.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if fields[19] == started and fields[0] != "Z":
            alive[pid] = fields[0]
    return alive


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


class Host:
    """One `pawl serve`."""

    def __init__(self, data, plugins=None, database_url=None, arguments=(), environment=None):
        self.data = Path(data)
        self.plugins = Path(plugins) if plugins else BIN / "plugins"
        self.database_url = database_url
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.port = free_port()
        self.process = None
        self.log_path = self.data.parent / f"{self.data.name}.log"

    def launch(self):
        command = [str(BIN / "pawl"), "serve", "--data-dir", str(self.data), "--listen", f"127.0.0.1:{self.port}",
                   "--plugins", str(self.plugins), *self.arguments]
        if self.database_url:
            command += ["--database-url", self.database_url]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PAWL_", "PG", "DATABASE_URL"))}
        environment.update(self.environment)
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env=environment)
        return self

    def start(self, bound=60):
        self.launch()
        self.wait_ready(bound)
        return self

    def wait_ready(self, bound=60):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the host ended with {self.process.returncode}:\n{self.tail()}")
            try:
                return self.call("GET", "/readyz", token=None).status == 200
            except OSError:
                return False
        try:
            until(ready, bound, "ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def tail(self, size=6000):
        return self.log_path.read_text(errors="replace")[-size:] if self.log_path.exists() else ""

    @property
    def token(self):
        return (self.data / "admin-token").read_text().strip()

    def call(self, method, path, body=None, headers=None, token="admin", timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = dict(headers or {})
            if token == "admin":
                sent["Authorization"] = f"Bearer {self.token}"
            elif token:
                sent["Authorization"] = f"Bearer {token}"
            data = None
            if body is not None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=data, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def run(self, job, args=None, **more):
        answer = self.call("POST", "/api/v1/runs", {"job": job, "args": args or {}, **more})
        assert answer.status == 201, answer
        return answer.json["id"]

    def get(self, run):
        answer = self.call("GET", f"/api/v1/runs/{run}")
        assert answer.status == 200, answer
        return answer.json

    def attempts(self, run):
        answer = self.call("GET", f"/api/v1/runs/{run}/attempts")
        assert answer.status == 200, answer
        body = answer.json
        return body["items"] if isinstance(body, dict) else body

    def wait_state(self, run, states=TERMINAL, bound=60):
        states = {states} if isinstance(states, str) else set(states)
        return until(lambda: (lambda r: r if r["state"] in states else None)(self.get(run)), bound,
                     f"{run} in {sorted(states)}")

    def log_text(self, run):
        answer = self.call("GET", f"/api/v1/runs/{run}/logs", headers={"Accept": "text/plain"})
        assert answer.status == 200, answer
        return answer.body.decode()

    def stop(self, bound=90):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(bound)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the host did not stop within {bound} s:\n{self.tail()}")
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def scratch_directory():
    """A private directory that the embedded PostgreSQL's user can reach too."""
    path = Path(tempfile.mkdtemp(prefix="pawl-test-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def scratch():
    with scratch_directory() as path:
        yield path


def end(host):
    if host.process and host.process.poll() is None:
        try:
            host.stop(30)
        except AssertionError:
            pass
    end_embedded_postgres(host.data)


@pytest.fixture
def host_factory(scratch):
    hosts = []

    def make(name="host", **options):
        host = Host(scratch / name, **options)
        hosts.append(host)
        return host

    yield make
    for host in hosts:
        end(host)


@pytest.fixture(scope="session")
def host():
    """One host with an embedded PostgreSQL for all tests that do it no harm."""
    with scratch_directory() as path:
        host = Host(path / "host")
        try:
            yield host.start()
        finally:
            end(host)


def end_embedded_postgres(data):
    """A host that was killed leaves its database running for its successor; the test's end must not."""
    for pid_file in data.rglob("postmaster.pid"):
        try:
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
        except (OSError, ValueError, IndexError):
            pass


class Cluster:
    """A PostgreSQL of the test's own, to be stopped and started under a host."""

    def __init__(self, directory):
        self.directory = directory
        self.bindir = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        self.user = []
        directory.mkdir()
        if os.getuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(directory, entry.pw_uid, entry.pw_gid)
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        self.sockets = Path(tempfile.mkdtemp(prefix="pg-"))
        self.sockets.chmod(0o777)
        self._run("initdb", "-D", str(directory / "db"), "-A", "trust", "-U", "pawl", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync")
        self.start()
        self._run("createdb", "-h", str(self.sockets), "-U", "pawl", "pawl")

    def _run(self, program, *arguments):
        done = subprocess.run([*self.user, str(self.bindir / program), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", timeout=120)
        assert done.returncode == 0, done.stdout.decode(errors="replace")

    def start(self):
        self._run("pg_ctl", "-D", str(self.directory / "db"), "-w", "-l", str(self.directory / "log"), "-o",
                  f"-c listen_addresses='' -c unix_socket_directories={self.sockets}", "start")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", str(self.directory / "db"), "-w", "-m", mode, "stop")

    @property
    def url(self):
        return f"host={self.sockets} user=pawl dbname=pawl"

    def query(self, sql):
        done = subprocess.run(["psql", "-h", str(self.sockets), "-U", "pawl", "-d", "pawl", "-At", "-v", "ON_ERROR_STOP=1",
                               "-c", sql], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()


@pytest.fixture
def cluster(scratch):
    cluster = Cluster(scratch / "cluster")
    yield cluster
    try:
        cluster.stop("immediate")
    except AssertionError:
        pass
    shutil.rmtree(cluster.sockets, ignore_errors=True)
