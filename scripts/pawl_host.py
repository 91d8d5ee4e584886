"""A host of one's own for scripts: starts `pawl serve` in a scratch directory, talks to it, and ends it by its own handle.

Only Python's standard library, so that it runs on a fresh machine.
"""

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
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]


class Failure(Exception):
    """Something is not as it must be; the words are for a person."""


def end_orderly():
    """Makes SIGTERM end the script the way Ctrl-C does: `with` blocks are left, and no host stays behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body) if self.body else None


class Client:
    """Requests with a token, and nothing else."""

    def __init__(self, url, token):
        self.url = url.rstrip("/")
        self.token = token

    def request(self, method, path, body=None, headers=None, timeout=30, token=True) -> Answer:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {self.token if token is True else token}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())
        except OSError as error:
            raise Failure(f"{method} {path}: the host does not answer ({error})") from error

    def get(self, path, **more):
        return self.expect("GET", path, **more)

    def expect(self, method, path, body=None, status=(200, 201, 202, 204), **more):
        """The answer's JSON; anything but a success is a failure in the server's words."""
        answer = self.request(method, path, body, **more)
        if answer.status not in status:
            raise Failure(f"{method} {path} was answered with {answer.status}: {answer.body.decode(errors='replace')[:600]}")
        return answer.json

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


class Host(Client):
    """One host, for a `with` block. Everything it leaves is in `scratch`, which goes away unless it is to be kept."""

    def __init__(self, scratch=None, plugins=None, keep=False, arguments=(), environment=None):
        self.binary = pathlib.Path(os.environ.get("PAWL", ROOT / ".build/release/pawl"))
        if not self.binary.is_file():
            raise Failure(f"{self.binary} is not there: run `make build` first")
        self.keep = keep
        self.scratch = pathlib.Path(scratch or tempfile.mkdtemp(prefix="pawl-"))
        # The embedded PostgreSQL refuses to run as root and gets a user of its own, who must be able to pass.
        self.scratch.chmod(0o711)
        self.data = self.scratch / "data"
        self.data.mkdir(mode=0o711, exist_ok=True)
        self.data.chmod(0o711)
        self.plugins = pathlib.Path(plugins or ROOT / ".build/release/plugins")
        self.log = self.scratch / "host.log"
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.page = None
        self.exit_code = None
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, timeout=60):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PAWL_", "PG")) and k != "DATABASE_URL"}
        # The note of the last started host is for people: a script's host must not be found by accident.
        environment["XDG_STATE_HOME"] = environment["XDG_RUNTIME_DIR"] = str(self.scratch)
        environment.update(self.environment)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data-dir", self.data, "--listen", f"127.0.0.1:{port}", "--plugins", self.plugins, *self.arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self.read_lines, daemon=True)
        self.reader.start()
        self.url = f"http://127.0.0.1:{port}"
        limit = time.monotonic() + timeout
        while True:
            if self.process.poll() is not None:
                raise Failure(f"the host ended with exit code {self.process.returncode}:\n{self.log_tail()}")
            try:
                if self.request("GET", "/readyz", timeout=2, token=False).status == 200:
                    break
            except Failure:
                pass  # Not listening yet; the limit below ends the wait.
            if time.monotonic() > limit:
                raise Failure(f"the host was not ready within {timeout} s:\n{self.log_tail()}")
            time.sleep(0.05)
        self.token = (self.data / "admin-token").read_text().strip()
        limit = time.monotonic() + 5
        while self.page is None and time.monotonic() < limit:
            time.sleep(0.01)

    def read_lines(self):
        for line in self.process.stdout:
            self.lines.append(line)
            if match := re.search(r"http://\S+/login\?ticket=\S+", line):
                self.page = match[0]

    def log_tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, timeout=90) -> int:
        """SIGTERM, as an operator would; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"the host did not stop within {timeout} s:\n{self.log_tail()}") from None
        self.reader.join()
        self.process.stdout.close()
        return self.exit_code

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            # A second signal says "at once": nobody waits for a drain here.
            self.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not self.keep:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def command(self, *arguments, **more):
        """One `pawl …` on this host; output is captured."""
        return subprocess.run(
            [self.binary, *map(str, arguments)], env={**os.environ, "PAWL_DATA_DIR": str(self.data)}, text=True, capture_output=True,
            timeout=more.pop("timeout", 60), **more)
