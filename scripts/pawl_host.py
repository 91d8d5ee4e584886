"""A host of one's own for scripts, tests and measurements: starts `pawl serve`, talks to it, and ends it by its own handle.

Only Python's standard library, so that it runs on a fresh machine.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

from pawl_processes import until

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("PAWL_TEST_BIN", ROOT / ".build" / "release"))
TERMINAL = {"succeeded", "failed", "cancelled"}


class Failure(AssertionError):
    """Something is not as it must be; the words are for a person."""


def end_orderly():
    """Makes SIGTERM end the script the way Ctrl-C does: `with` blocks are left, and no host stays behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def scratch_directory():
    """A private directory that the embedded PostgreSQL's user can pass: it refuses to run as root."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="pawl-test-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body) if self.body else None

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


class Client:
    """Requests with a token, and nothing else. A path leads to the API, a run's id to the run."""

    tls = None  # An ssl.SSLContext, for https.

    def __init__(self, url, token):
        self.url = url.rstrip("/")
        self.token = token

    def connect(self, timeout=60):
        place = urllib.parse.urlsplit(self.url)
        if place.scheme == "https":
            return http.client.HTTPSConnection(place.hostname, place.port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection(place.hostname, place.port, timeout=timeout)

    def call(self, method, path, body=None, headers=None, token=True, timeout=60):
        """The answer whatever its status is; OSError where nobody answers. token: True for ours, None for none."""
        connection = self.connect(timeout)
        try:
            sent = dict(headers or {})
            if token:
                sent["Authorization"] = f"Bearer {self.token if token is True else token}"
            data = None
            if body is not None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=data, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def request(self, method, path, body=None, **more):
        """As `call`, but nobody there is a failure in words."""
        try:
            return self.call(method, path, body, **more)
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {path}: the host does not answer ({error})") from error

    def expect(self, method, path, body=None, status=(200, 201, 202, 204), **more):
        """The answer's JSON; anything but a success is a failure in the server's words."""
        answer = self.request(method, path, body, **more)
        if answer.status not in status:
            raise Failure(f"{method} {path} was answered with {answer.status}: {answer.body.decode(errors='replace')[:600]}")
        return answer.json

    def get(self, path, **more):
        return self.expect("GET", path if path.startswith("/") else f"/api/v1/runs/{path}", **more)

    def until(self, path, condition, what, timeout=30):
        """Looks again and again until `condition(answer)` holds."""
        limit = time.monotonic() + timeout
        while True:
            answer = self.get(path)
            if condition(answer):
                return answer
            if time.monotonic() > limit:
                raise Failure(f"{what} did not happen within {timeout} s; last seen: {json.dumps(answer)[:600]}")
            time.sleep(0.05)

    def run(self, job, args=None, **more):
        """Enqueues a run; its id."""
        return self.expect("POST", "/api/v1/runs", {"job": job, "args": args or {}, **more}, status=(201,))["id"]

    def attempts(self, run):
        body = self.get(f"/api/v1/runs/{run}/attempts")
        return body["items"] if isinstance(body, dict) else body

    def wait_state(self, run, states=TERMINAL, bound=60):
        states = {states} if isinstance(states, str) else set(states)
        return until(lambda: (lambda r: r if r["state"] in states else None)(self.get(run)), bound,
                     f"{run} in {sorted(states)}")

    def log_text(self, run):
        answer = self.request("GET", f"/api/v1/runs/{run}/logs", headers={"Accept": "text/plain"})
        if answer.status != 200:
            raise Failure(f"the log of {run}: {answer}")
        return answer.body.decode()


class Host(Client):
    """One `pawl serve`. Its data directory is `data`; without one it makes a scratch directory, which goes away at the end of
    a `with` block unless it is to be kept."""

    def __init__(self, data=None, plugins=None, database_url=None, arguments=(), environment=None, scratch=None, keep=False,
                 bare=(), tls=None):
        self.binary = pathlib.Path(os.environ.get("PAWL", BIN / "pawl"))
        if not self.binary.is_file():
            raise Failure(f"{self.binary} is not there: run `make build` first")
        self.keep = keep or data is not None
        if data is None:
            self.scratch = pathlib.Path(scratch or tempfile.mkdtemp(prefix="pawl-"))
            self.scratch.chmod(0o711)
            self.data = self.scratch / "data"
            self.data.mkdir(mode=0o711, exist_ok=True)
            self.data.chmod(0o711)
            self.log_path = self.scratch / "host.log"
        else:
            self.data = pathlib.Path(data)
            self.scratch = self.data.parent
            self.log_path = self.scratch / f"{self.data.name}.log"
        self.plugins = pathlib.Path(plugins) if plugins else BIN / "plugins"
        self.database_url = database_url
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.bare = list(bare)  # Words before the command: prlimit, setpriv and the like, which exec.
        self.port = free_port()
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.process = None

    @property
    def token(self):
        return (self.data / "admin-token").read_text().strip()

    def launch(self):
        command = [*self.bare, str(self.binary), "serve", "--data-dir", str(self.data), "--listen", f"127.0.0.1:{self.port}",
                   "--plugins", str(self.plugins), *self.arguments]
        if self.database_url:
            command += ["--database-url", self.database_url]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PAWL_", "PG")) and k != "DATABASE_URL"}
        # The note of the last started host is for people: a script's host must not be found by accident.
        environment["XDG_STATE_HOME"] = environment["XDG_RUNTIME_DIR"] = str(self.scratch)
        environment.update(self.environment)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        return self

    def start(self, bound=60):
        self.launch()
        self.wait_ready(bound)
        return self

    def wait_ready(self, bound=60):
        def ready():
            if self.process.poll() is not None:
                raise Failure(f"the host ended with exit code {self.process.returncode}:\n{self.log_tail()}")
            try:
                return self.call("GET", "/readyz", token=None, timeout=5).status == 200
            except (OSError, http.client.HTTPException):
                return False  # Not listening yet; the bound ends the wait.
        try:
            until(ready, bound, "ready")
        except Failure:
            raise
        except AssertionError as error:
            raise Failure(f"{error}\n{self.log_tail()}") from None

    @property
    def page(self):
        """The address that opens the page, which the host prints when it is up; None where it does not."""
        limit = time.monotonic() + 5
        while time.monotonic() < limit:
            if match := re.search(r"https?://\S+/login\?ticket=\S+", self.tail()):
                return match[0]
            time.sleep(0.05)
        return None

    def tail(self, size=6000):
        return self.log_path.read_text(errors="replace")[-size:] if self.log_path.exists() else ""

    def log_tail(self, lines=30):
        return "\n".join(self.tail().splitlines()[-lines:])

    def stop(self, bound=90):
        """SIGTERM, as an operator would; the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(bound)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Failure(f"the host did not stop within {bound} s:\n{self.log_tail()}") from None
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Ends it in any case: a second signal says "at once", nobody waits for a drain here."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        self.end_embedded_postgres()

    def end_embedded_postgres(self):
        """A host that was killed leaves its database running for its successor; the end must not."""
        for pid_file in self.data.rglob("postmaster.pid"):
            try:
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
            except (OSError, ValueError, IndexError):
                pass

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.end()
        if not self.keep:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def command(self, *arguments, **more):
        """One `pawl …` on this host; output is captured."""
        return subprocess.run(
            [self.binary, *map(str, arguments)], env={**os.environ, "PAWL_DATA_DIR": str(self.data)}, text=True,
            capture_output=True, timeout=more.pop("timeout", 60), **more)
