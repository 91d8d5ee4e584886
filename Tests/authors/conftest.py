"""What authors of plugins have: Pawl installed under a prefix, a compiler, and nothing of this repository.

`PAWL_TEST_BIN` names another build than the release build. Every process that a test starts is ended by its id.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
BIN = pathlib.Path(os.environ.get("PAWL_TEST_BIN", ROOT / ".build/release")).resolve()

LANGUAGES = ["c", "cpp", "swift", "rust"]
COMPILERS = {"c": "cc", "cpp": "c++", "swift": "swiftc", "rust": "rustc"}


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """What `make install` gives. `-o build`: the build is there, and is not looked at again."""
    prefix = tmp_path_factory.mktemp("prefix")
    subprocess.run(
        ["make", "-s", "-o", "build", "-o", "pluginkit", "install", f"PREFIX={prefix}", f"OUT={BIN}"],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=600)
    return prefix


@pytest.fixture
def environment(tmp_path):
    """Nothing of the machine's own hosts, of another Pawl, or of the caller's settings is seen."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "RUSTUP_HOME", "CARGO_HOME") if name in os.environ}
    # rustup's own program finds its toolchain below the home of who installed it.
    rustup = pathlib.Path.home() / ".rustup"
    if "RUSTUP_HOME" not in kept and rustup.is_dir():
        kept["RUSTUP_HOME"] = str(rustup)
    return {**kept, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "LANG": "C.UTF-8"}


@pytest.fixture
def run(environment, tmp_path):
    """Runs a command to its end; fails with everything it said where it does not end as expected."""

    def call(*words, cwd=tmp_path, code=0, timeout=300, **changes):
        done = subprocess.run(
            [str(word) for word in words], cwd=cwd, env={**environment, **changes}, capture_output=True, text=True,
            timeout=timeout, check=False)
        assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture
def pawl(prefix, run):
    return lambda *words, **options: run(prefix / "bin/pawl", *words, **options)


@pytest.fixture
def greet(pawl, run, tmp_path):
    """A built plugin in C with its cases."""
    pawl("new", "job", "mail.greet", "--lang", "c", "greet")
    run("make", cwd=tmp_path / "greet")
    return tmp_path / "greet"


def needs(language):
    if shutil.which(COMPILERS[language]) is None:
        pytest.skip(f"there is no {COMPILERS[language]} here")
