"""Typed calls on a whole host: manifests put into the plugin directory of a running one, their functions run as jobs."""

import base64
import ctypes.util
import json
import math
import os
import pwd
import shutil
import sqlite3
import subprocess
import zlib

import pytest

from conftest import ROOT, until

EXAMPLES = ROOT / "plugins" / "ffi"
SOURCE = """#include <stdint.h>
#include <stdlib.h>
int calls;
int64_t add(int64_t a, int32_t b) { calls++; return a + b; }
int count(void) { return ++calls; }
void die(void) { abort(); }
"""


@pytest.fixture
def served(scratch, host_factory):
    """A running host whose plugin directory is empty so far."""
    (scratch / "plugins").mkdir()
    return host_factory("host", plugins=scratch / "plugins").start()


@pytest.fixture
def library(scratch):
    """Compiles the library, with debug information or without; its path."""
    def make(name="own", *flags):
        source, built = scratch / f"{name}.c", scratch / f"lib{name}.so"
        source.write_text(SOURCE)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", *flags, "-o", built, source], check=True, timeout=60)
        return built

    return make


def drop(host, name, content):
    """As an installation does it: written beside, then renamed."""
    beside = host.plugins / f".{name}.tmp"
    if isinstance(content, dict):
        beside.write_text(json.dumps(content))
    elif isinstance(content, str):
        beside.write_text(content)
    else:
        shutil.copy(content, beside)
    os.rename(beside, host.plugins / name)


def row(host, file):
    items = host.get("/api/v1/plugins")["items"]
    return next((item for item in items if item["file"] == file), None)


def settled(host, file, state):
    """Its row, once it is so; where it serves, once its jobs are known as well."""
    found = until(lambda: (lambda r: r if r and r["state"] == state else None)(row(host, file)), 30, f"{file} is {state}")
    for handler in found["handlers"] if state == "active" else ():
        until(lambda: host.call("GET", f"/api/v1/jobs/{handler['name']}").status == 200, 30, f"{handler['name']} is a job")
    return found


def result(host, job, args):
    done = host.wait_state(host.run(job, args))
    assert done["state"] == "succeeded", (done, host.log_text(done["id"]))
    return done["result"]


def own(library, *functions, plugin="own", version="1"):
    return {"plugin": plugin, "version": version, "library": str(library),
            "functions": [{"name": f"{plugin}.{f['prototype'].split('(')[0].split()[-1]}", **f} for f in functions]}


ADD, COUNT, DIE = ({"prototype": text} for text in ("int64_t add(int64_t a, int32_t b)", "int count(void)", "void die(void)"))


def test_the_examples_run_as_jobs(served):
    files = ["zlib", "libm", "libc"] + (["sqlite"] if ctypes.util.find_library("sqlite3") else [])
    for name in files:
        drop(served, f"{name}.pawl.json", EXAMPLES / f"{name}.pawl.json")
    for name in files:
        assert settled(served, f"{name}.pawl.json", "active")["name"] == name
    data = "the same words, over and over; " * 300
    assert result(served, "zlib.crc32", {"data": data}) == {"result": zlib.crc32(data.encode())}
    packed = result(served, "zlib.compress", {"data": data, "level": 9})
    assert packed["result"] == 0
    assert zlib.decompress(base64.b64decode(packed["dest"], validate=True)) == data.encode()
    for x, y in ((2, 10), (2, 0.5), (-1.5, 3)):
        assert result(served, "math.pow", {"x": x, "y": y})["result"] == math.pow(x, y)
    assert result(served, "math.pow", {"x": 0, "y": -1})["result"] == "Infinity"
    root = pwd.getpwnam("root")
    found = result(served, "libc.getpwnam", {"name": "root"})["result"]
    assert (found["name"], found["uid"], found["gid"], found["home"], found["shell"]) == ("root", 0, 0, root.pw_dir, root.pw_shell)
    assert result(served, "libc.getpwnam", {"name": "nobody-of-this-name"})["result"] is None
    if "sqlite" in files:
        said = result(served, "sqlite.version", {})["result"]
        if not os.environ.get("LD_LIBRARY_PATH"):
            assert said.split(".")[0] == sqlite3.sqlite_version.split(".")[0]
    # Args are checked against the types when the run is created.
    refused = served.call("POST", "/api/v1/runs", {"job": "math.pow", "args": {"x": "two", "y": 1}})
    assert refused.status == 422 and "/x" in refused.body.decode()


def test_every_attempt_has_a_process_of_its_own(served, library):
    """A call that is wrong may break its process silently: the next one has another."""
    drop(served, "own.pawl.json", own(library(), COUNT, DIE))
    settled(served, "own.pawl.json", "active")
    runs = [served.run("own.count", {}) for _ in range(12)]
    assert [served.wait_state(run)["result"] for run in runs] == [{"result": 1}] * 12
    attempts = [served.attempts(run)[-1] for run in runs]
    assert len({attempt["pid"] for attempt in attempts}) == 12 and {attempt["mode"] for attempt in attempts} <= {"fork", "spare"}
    crashed = served.wait_state(served.run("own.die", {}, attempts=1))
    assert crashed["state"] == "failed" and served.attempts(crashed["id"])[-1]["outcome"] == "crashed"
    assert result(served, "own.count", {}) == {"result": 1}


def test_what_is_wrong_is_on_the_plugins_row_with_its_place(served, library):
    for number, (content, words) in enumerate((
            ('{"plugin": "a", ', "JSON"),
            (own(library(), {"prototype": "int64_t add(int64_t a, wrong b)"}), 'functions[0].params[1]: unknown type "wrong"'),
            (own(library(), ADD, {"prototype": "int add(int a", "name": "x.y"}), "functions[1]"),
            (own(library(), {"prototype": "int absent(void)"}), 'no function "absent"'),
            (own("libnobodyhasthis.so.9", ADD), "libnobodyhasthis.so.9"))):
        name = f"broken{number}.pawl.json"
        drop(served, name, content)
        error = settled(served, name, "rejected")["error"]
        if words != "JSON":
            assert words in error, error
        assert error
    # Mended in place: the same row serves.
    drop(served, "broken1.pawl.json", own(library(), ADD))
    assert settled(served, "broken1.pawl.json", "active")["error"] is None
    assert result(served, "own.add", {"a": 40, "b": 2}) == {"result": 42}


def test_a_declaration_that_the_library_contradicts(served, library):
    wrong = {"prototype": "int64_t add(int64_t a, int64_t b)"}
    drop(served, "own.pawl.json", own(library("known", "-g"), wrong))
    error = settled(served, "own.pawl.json", "rejected")["error"]
    assert "functions[0] (own.add): parameter 2, \"b\": the manifest says i64, the library int32_t" in error, error
    drop(served, "own.pawl.json", own(library("known", "-g"), ADD))
    right = settled(served, "own.pawl.json", "active")
    assert not [note for note in right["notes"] if "unchecked" in note], right["notes"]
    # A wrong one does not take the place of the one that serves.
    drop(served, "own.pawl.json", own(library("known", "-g"), wrong, version="2"))
    until(lambda: row(served, "own.pawl.json")["error"], 30, "it is refused")
    assert row(served, "own.pawl.json")["state"] == "active"
    assert result(served, "own.add", {"a": 1, "b": 2}) == {"result": 3}


def test_without_debug_information_it_is_said_and_allowed(served, library):
    drop(served, "own.pawl.json", own(library("bare", "-s"), {"prototype": "int64_t add(int64_t a, int64_t b)"}))
    notes = settled(served, "own.pawl.json", "active")["notes"]
    assert [note for note in notes if note.startswith("unchecked: ") and "has no debug information" in note], notes
    # The older ending still serves, and its row says so.
    drop(served, "old.ffi.json", own(library("old", "-g"), COUNT, plugin="old"))
    notes = settled(served, "old.ffi.json", "active")["notes"]
    assert [note for note in notes if ".pawl.json" in note], notes
    assert result(served, "old.count", {}) == {"result": 1}


def test_a_manifest_is_reloaded(served, library):
    built = library("known", "-g")
    drop(served, "own.pawl.json", own(built, ADD))
    first = settled(served, "own.pawl.json", "active")
    assert result(served, "own.add", {"a": 1, "b": 1}) == {"result": 2}
    drop(served, "own.pawl.json", own(built, ADD, COUNT, version="2"))
    until(lambda: row(served, "own.pawl.json")["version"] != first["version"], 30, "the new manifest serves")
    settled(served, "own.pawl.json", "active")
    assert result(served, "own.count", {}) == {"result": 1}
    assert result(served, "own.add", {"a": 2, "b": 2}) == {"result": 4}
