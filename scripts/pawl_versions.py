"""Versions of one plugin (bench/versions.c), good ones and ones that are broken in one of ten ways, and ways to put them into
a plugin directory.

Only Python's standard library and `cc`.
"""

import hashlib
import os
import subprocess

from pawl_host import ROOT

# As in versions.c; the first two are made from good bytes.
BREAKS = ["truncated", "not_elf", "WRONG_MAJOR", "MISSING_SYMBOL", "CRASH_IN_ENTRY", "CRASH_IN_INIT", "HANG_IN_INIT", "INIT_REFUSES",
          "FIRST_RUN_CRASHES", "REMOVED_HANDLER"]


class Versions:
    """Compiles each kind once, in a directory of its own; every call of `bytes` gives bytes that nobody has seen."""

    def __init__(self, place):
        self.place = place
        self.place.mkdir(parents=True, exist_ok=True)
        self.compiled = {}
        self.made = 0

    def base(self, version, broken="NONE", crash_percent=0):
        key = (version, broken, crash_percent)
        if key not in self.compiled:
            target = self.place / f"{version}-{broken}-{crash_percent}.so"
            subprocess.run(
                ["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-fPIC", "-fvisibility=hidden", "-shared", f"-I{ROOT / 'include'}",
                 f"-DVERSION={version}", f"-DBREAK={broken}", f"-DCRASH_PERCENT={crash_percent}", "-o", str(target),
                 str(ROOT / "bench" / "versions.c")], check=True)
            self.compiled[key] = target.read_bytes()
        return self.compiled[key]

    def bytes(self, version=1, broken=None, **more):
        """A shared library, or what is none. Bytes behind the end of an ELF file are nobody's."""
        self.made += 1
        tail = f"\nbytes {os.getpid()}-{self.made}\n".encode()
        if broken == "truncated":
            whole = self.base(version)
            return whole[:len(whole) * 2 // 3] + tail
        if broken == "not_elf":
            return b"#!/bin/sh\necho this is no library\n" + tail
        return self.base(version, broken or "NONE", **more) + tail


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def put(directory, name, data):
    """As people should: a new file, renamed over the old one. Returns the hash."""
    temporary = directory / f".{name}.new"
    temporary.write_bytes(data)
    os.rename(temporary, directory / name)
    return sha256(data)
