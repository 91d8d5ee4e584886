"""corpus.py [ZYGOTE] - plugins as they were built for each released minor, loaded and run by a zygote of today.

First the stored bytes (x86-64), which no compiler of today has touched; then the same sources, built with the released headers
by whatever compilers there are: C, C++ with pawl.hpp, Rust, Swift with its runtime inside. The last line is 'N passed, N failed'.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "zygote"))
from driver import BIN, IDLE, STARTED, Zygote

ZYGOTE = Path(sys.argv[1]) if len(sys.argv) > 1 else BIN / "pawl-zygote"
MAP = HERE.parents[1] / "share" / "swift" / "plugin.map"
passed = failed = 0


def ended(zygote, handler, args, ending, **how):
    got, exited = zygote.run(handler, args, **how)
    assert got == ending, (got, ending)
    assert (exited["code"], exited["status"]) == (1, 0), exited


def twice(zygote):
    assert zygote.manifest["version"] == "1.0.0" and zygote.manifest["abi_minor"] == 0
    ended(zygote, zygote.handlers[0], {"n": 21}, ("result", {"twice": 42}))
    ending, _ = zygote.run(zygote.handlers[0], {"n": 1001})
    assert ending[0] == "failure" and ending[1]["status"] == 5 and "1000" in ending[1]["message"], ending


def smallest(zygote):
    ended(zygote, "old.smallest", {"a": 1}, ("bytes", (b'{"a": 1}', "application/json")))
    ending, _ = zygote.run("old.smallest", {})
    assert ending[1]["code"] == "empty" and ending[1]["message"] == "no args" and ending[1]["retry"] == 1, ending


def everything(zygote):
    handler = zygote.manifest["handlers"][0]
    assert handler["limits"]["attempts"] == 3 and handler["limits"]["term_grace_ms"] == 1000, handler
    good = {"mode": "result", "number": -5, "real": 0.5, "truth": True, "list": ["a"]}
    ended(zygote, "old.everything", good, ("result", {"done": True}))
    ended(zygote, "old.everything", {"mode": "snooze"}, ("snooze", 4102444800000))
    ending, _ = zygote.run("old.everything", {"mode": "fail"})
    assert ending == ("failure", {"status": 1, "retry": 2, "not_before": 4102444800000, "code": "code", "message": "why",
                                  "details": "[1]"}), ending
    ending, _ = zygote.run("old.everything", {"mode": "own"})
    assert ending[0] == "failure" and ending[1]["status"] == 1000, ending
    ending, _ = zygote.run("old.everything", {"number": 6})
    assert ending[0] == "failure" and ending[1]["status"] == 5, ending
    pooled = zygote.spawn("old.everything", good, pooled=True).spawned()
    for _ in range(2):
        assert pooled.end() == ("result", {"done": True})
        assert pooled.idle()["reset_status"] == 0
        pooled.again("old.everything", good)
        pooled.wait(STARTED)
    assert pooled.end() == ("result", {"done": True})
    pooled.wait(IDLE)
    pooled.send(7)
    pooled.exited()
    pooled.reap()
    pooled.close()


def greets(zygote):
    ended(zygote, zygote.handlers[0], {"times": 3, "name": "you"}, ("result", {"greetings": 3}))
    ending, _ = zygote.run(zygote.handlers[0], {"times": 0})
    assert ending[0] == "failure" and ending[1]["status"] == 5, ending


CHECKS = {"plugin": twice, "plugin-clang": twice, "smallest": smallest, "everything": everything}


def check(title, library, body):
    global passed, failed
    try:
        with Zygote(library, binary=ZYGOTE) as zygote:
            body(zygote)
    except Exception as error:  # all of them are told, and counted
        failed += 1
        print(f"FAIL  {title}: {type(error).__name__}: {error}")
        return
    passed += 1
    print(f"ok    {title}")


def builds(minor, released, sources, scratch):
    """(title, what is needed, command, library, check) of every language."""
    for name in ("plugin", "smallest", "everything"):
        out = scratch / f"{minor}-{name}.so"
        yield (f"{name}.c", "cc", ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
                                   "-I", released, "-o", out, sources / f"{name}.c"], out, CHECKS[name])
    out = scratch / f"{minor}-cpp.so"
    yield ("plugin.cpp", "c++", ["c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
                                 "-I", released, f"-Wl,--version-script={MAP}", "-o", out, sources / "plugin.cpp"], out, greets)
    for name in ("plugin.rs", "pawl.rs"):
        shutil.copy((sources if name == "plugin.rs" else released) / name, scratch)
    out = scratch / f"{minor}-rust.so"
    yield ("plugin.rs", "rustc", ["rustc", "--edition", "2021", "--crate-type", "cdylib", "-C", "opt-level=1", "-o", out,
                                  scratch / "plugin.rs"], out, greets)
    module = scratch / "module"
    module.mkdir(exist_ok=True)
    shutil.copy(released / "pawl.h", module)
    (module / "module.modulemap").write_text('module PluginABI { header "pawl.h" export * }\n')
    out = scratch / f"{minor}-swift.so"
    yield ("plugin.swift", "swiftc", ["swiftc", "-swift-version", "6", "-O", "-wmo", "-parse-as-library", "-module-name", "Old",
                                      "-I", module, "-emit-library", "-static-stdlib", "-use-ld=lld", "-Xlinker",
                                      f"--version-script={MAP}", "-Xlinker", "--gc-sections", "-o", out,
                                      sources / "plugin.swift"], out, twice)


for release in sorted((HERE / "corpus").iterdir()):
    stored = release / platform.machine()
    if not stored.is_dir():
        print(f"skipped: no stored bytes of {release.name} for {platform.machine()}")
    for library in sorted(stored.glob("*.so")):
        check(f"{release.name} {library.name}, as it was built", library, CHECKS[library.stem])
    with tempfile.TemporaryDirectory() as scratch:
        for title, needs, command, library, body in builds(release.name, HERE / "released" / release.name, release, Path(scratch)):
            if shutil.which(needs) is None:
                print(f"skipped: {release.name} {title}: there is no {needs} here")
                continue
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=os.environ)
            if done.returncode != 0:
                failed += 1
                print(f"FAIL  {release.name} {title} does not compile\n{done.stderr[-2000:]}")
                continue
            check(f"{release.name} {title}, built with its headers", library, body)

print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0 or passed == 0)
