"""`pawl replay` and `pawl-zygote --foreground`: the same bytes once more, here. The plugins and the zygote are the built ones."""

import hashlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import zlib

import pytest

from fake_host import make_run, run_id, stamp

ROOT = pathlib.Path(__file__).resolve().parents[2]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="session")
def built(binary):
    """Where the zygote and the plugins are: beside the program, as in a build."""
    for name in ("pawl-zygote", "pawl-ffi.so", "plugins/mischief.so", "plugins/text-stats.so"):
        assert (binary.parent / name).is_file(), f"{name} is not built"
    return binary.parent


@pytest.fixture
def replay(pawl, server, built):
    """Replays a run of `job` that had these bytes; what is printed, and how it ended."""
    def run(job, args, plugin="plugins/mischief.so", configuration=None, options=(), limits=None, version=None, served=None, **changes):
        library = (built / plugin).read_bytes()
        name = version or (sha(f"pawl-ffi {sha(library)} {sha(configuration)}".encode()) if configuration else sha(library))
        server.host.versions[name] = {"bytes": served or library, "configuration": configuration}
        server.host.jobs[job] = {"name": job, "handler": job, "limits": {"wall_ms": 60000, **(limits or {})}, "execution": {}}
        server.host.add(make_run(1, job, "failed", args=args, **changes), attempts=[
            {"attempt": 1, "outcome": "error", "version": name, "started_at": stamp(2)}])
        return pawl("replay", "@last", "--isolation", "none", *options, timeout=60)
    return run


def test_the_bytes_come_from_the_host_and_run_here(replay, server, tmp_path):
    (tmp_path / "in.txt").write_text("one two\nthree\n")
    done = replay("text.stats", {"path": str(tmp_path / "in.txt")}, plugin="plugins/text-stats.so")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["words"] == 3
    assert f"replay of {run_id(1)}, attempt 1: text.stats of" in done.stderr


def test_other_bytes_than_the_versions_are_not_run(replay, built):
    done = replay("mischief.noop", {}, served=(built / "plugins/text-stats.so").read_bytes())
    assert done.returncode == 73 and "nothing was run" in done.stderr and done.stdout == ""


def test_a_file_of_a_local_store_is_checked_too(pawl, server, built, tmp_path):
    # As a host of this machine has it: the data directory's own store is read without asking.
    library = (built / "plugins/mischief.so").read_bytes()
    (tmp_path / "store").mkdir()
    (tmp_path / "host.json").write_text(json.dumps({"pid": os.getpid(), "url": server.url}))
    (tmp_path / "admin-token").write_text(server.host.token)
    stored = tmp_path / "store" / f"{sha(library)}.so"
    stored.write_bytes(library)
    server.host.jobs["mischief.noop"] = {"name": "mischief.noop", "handler": "mischief.noop", "limits": {}, "execution": {}}
    server.host.add(make_run(1, "mischief.noop", "failed"), attempts=[{"attempt": 1, "outcome": "error", "version": sha(library)}])
    arguments = ("replay", "@last", "--isolation", "none", "--data-dir", str(tmp_path))
    done = pawl(*arguments, PAWL_URL=None, PAWL_TOKEN=None)
    assert done.returncode == 0, done.stderr
    assert not [p for _, p, _, _ in server.host.requests if "/bytes" in p]
    stored.write_bytes(library + b"\0")
    assert pawl(*arguments, PAWL_URL=None, PAWL_TOKEN=None).returncode == 73


def test_the_runs_own_timeout_holds(replay):
    done = replay("mischief.sleep", {"ms": 60000}, timeout_ms=300)
    assert done.returncode == 1 and "timed_out" in done.stderr
    # What is said on the command line goes over it.
    done = replay("mischief.sleep", {"ms": 500}, timeout_ms=100, options=("--timeout", "30s"))
    assert done.returncode == 0, done.stderr


def test_a_version_that_is_made_of_a_manifest_is_replayed(replay, built):
    manifest = (ROOT / "plugins/ffi/zlib.pawl.json").read_bytes()
    done = replay("zlib.crc32", {"data": "hello"}, plugin="pawl-ffi.so", configuration=manifest)
    assert done.returncode == 0, done.stderr
    assert str(zlib.crc32(b"hello")) in done.stdout
    # The text is part of what the version names.
    library = (built / "pawl-ffi.so").read_bytes()
    name = sha(f"pawl-ffi {sha(library)} {sha(manifest)}".encode())
    done = replay("zlib.crc32", {"data": "hello"}, plugin="pawl-ffi.so", configuration=manifest + b" ", version=name)
    assert done.returncode == 73 and "nothing was run" in done.stderr


def test_a_failure_is_the_exit_code(replay):
    done = replay("mischief.fail", {"message": "as I was told", "code": "told"})
    assert done.returncode == 1 and "as I was told" in done.stderr


@pytest.fixture
def tool(tmp_path, environment):
    """A stand-in for a tool of this name: notes its arguments and runs what it is given."""
    def make(name, own_arguments):
        directory = tmp_path / "bin"
        directory.mkdir(exist_ok=True)
        script = directory / name
        script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/said"\nshift {own_arguments}\nexec "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        environment["PATH"] = f"{directory}:{environment['PATH']}"
        return tmp_path / "said"
    return make


def test_under_a_tool_it_is_one_process(replay, tool, built):
    said = tool("strace", 3)
    done = replay("mischief.fail", {"message": "as I was told"}, options=("--strace",))
    assert done.returncode == 1 and "failed: as I was told" in done.stderr
    words = said.read_text().splitlines()
    assert words[:3] == ["-f", "-tt", "-y"] and words[4] == "--foreground" and words[6] == "mischief.fail"
    manifest = (ROOT / "plugins/ffi/zlib.pawl.json").read_bytes()
    done = replay("zlib.crc32", {"data": "hello"}, plugin="pawl-ffi.so", configuration=manifest, options=("--strace",))
    assert done.returncode == 0 and str(zlib.crc32(b"hello")) in done.stdout, done.stderr
    # The scratch directory with everything in it is gone.
    assert not os.path.exists(os.path.dirname(said.read_text().splitlines()[5]))


@pytest.mark.skipif(shutil.which("gdb") is None, reason="no gdb here")
def test_gdb_stops_at_the_crash(replay):
    done = replay("mischief.segv", {}, options=("--gdb",))
    assert "SIGSEGV" in done.stdout and "write_to_nowhere" in done.stdout


# The zygote alone


def foreground(built, tmp_path, *words, args="{}"):
    (tmp_path / "args.json").write_text(args)
    plugin, handler, *rest = words
    return subprocess.run([built / "pawl-zygote", "--foreground", plugin, handler, tmp_path / "args.json", *rest], capture_output=True, text=True,
                          timeout=60, cwd=tmp_path)


def test_foreground_prints_log_and_result(built, tmp_path):
    (tmp_path / "in.txt").write_text("one two\n")
    done = foreground(built, tmp_path, built / "plugins/text-stats.so", "text.stats", args=json.dumps({"path": str(tmp_path / "in.txt")}))
    assert done.returncode == 0 and json.loads(done.stdout)["words"] == 2, done.stderr
    failed = foreground(built, tmp_path, built / "plugins/mischief.so", "mischief.fail", args='{"message": "no"}')
    assert failed.returncode == 1 and "failed: no" in failed.stderr


def test_foreground_says_what_it_cannot_do(built, tmp_path):
    done = foreground(built, tmp_path, built / "plugins/mischief.so", "mischief.nothing")
    assert done.returncode == 64 and "no such handler" in done.stderr
    done = foreground(built, tmp_path, tmp_path / "args.json", "x.y")
    assert done.returncode != 0 and "args.json" in done.stderr
    done = foreground(built, tmp_path, built / "plugins/mischief.so", "mischief.segv")
    assert done.returncode == -11, "a plain fault, for the debugger"
