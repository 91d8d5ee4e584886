"""The built client against a scripted host. `PAWL` names the binary; otherwise the release build, then the debug build."""

import os
import pathlib
import subprocess

import pytest

from fake_host import Host, Running

ROOT = pathlib.Path(__file__).resolve().parents[2]


def find_binary() -> pathlib.Path:
    if os.environ.get("PAWL"):
        return pathlib.Path(os.environ["PAWL"])
    for build in ("release", "debug"):
        path = ROOT / ".build" / build / "pawl"
        if path.is_file():
            return path
    pytest.exit("no pawl binary: build first (make build) or set PAWL", returncode=2)


@pytest.fixture(scope="session")
def binary():
    return find_binary()


@pytest.fixture
def server():
    with Running(Host()) as running:
        yield running


@pytest.fixture
def environment(server, tmp_path):
    """Nothing of the machine's own hosts or of the caller's settings is seen."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"),
        "PAWL_URL": server.url, "PAWL_TOKEN": server.host.token, "LANG": "C.UTF-8", "TERM": "xterm-256color",
    }


@pytest.fixture
def pawl(binary, environment):
    def run(*arguments, input=None, timeout=30, **changes):
        env = {name: value for name, value in {**environment, **changes}.items() if value is not None}
        return subprocess.run([binary, *arguments], input=input, capture_output=True, text=True, timeout=timeout, env=env)

    return run
