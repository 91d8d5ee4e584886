"""report.py HEADER-DIRECTORY... - compares the debug information of today's header with that of every released minor.

abidiff's exit code cannot tell growth at the end from anything else, so its report is read: it may hold insertions of members
at the end of structures that grow, and nothing else. To prove that the reader can say no, it is shown three broken headers.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = HERE.parents[1] / "include" / "pawl.h"
GROWING = {"pawl_host", "pawl_plugin", "pawl_handler", "pawl_limits", "pawl_failure", "pawl_ext_args", "pawl_ext_config",
           "pawl_ext_thread_check", "pawl_ext_main_queue", "pawl_ext_cancel"}
STRUCT = re.compile(r"^\s*(?:in pointed to type '(?:const )?(\w+)'|underlying type 'struct (\w+)' changed|type 'struct (\w+)').*:$")
SIZE = re.compile(r"^\s*type size changed from (\d+) to (\d+) \(in bits\)$")
MEMBER = re.compile(r"^\s*'.*', at offset (\d+) \(in bits\)( .*)?$")
# Words that lead to a change further in, and say nothing themselves.
LEADS = re.compile(
    r"^\s*(Functions changes summary: 0 Removed, .*|Variables changes summary: 0 Removed, 0 Changed.*"
    r"|\d+ functions? with some indirect sub-type change:|\d+ Added functions?:"
    r"|\[C\] 'function .*' has some (indirect )?sub-type changes:|return type changed:"
    r"|parameter \d+ of type '.*' has sub-type changes:|in (pointed to|unqualified underlying) type '.*':"
    r"|underlying type '.*' changed:|type size hasn't changed|\d+ data member insertions?:"
    r"|\d+ data member changes?( \(\d+ filtered\))?( \(\d+ filtered\))?[:;]?|no data member changes? \(\d+ filtered\);"
    r"|type of '.*' changed:|and size changed from \d+ to \d+ \(in bits\).*)$")


def objections(report):
    """The lines that a report of allowed changes would not have."""
    found, old_size = [], None
    for line in report.splitlines():
        if not line.strip():
            continue
        if structure := STRUCT.match(line):
            name = next(filter(None, structure.groups()))
            if "struct" in line and name not in GROWING and name != "pawl_attempt":
                found.append(f"{line.strip()}: it never grows")
            continue
        if size := SIZE.match(line):
            old_size = int(size[1])
            if int(size[2]) < old_size:
                found.append(line.strip())
            continue
        if member := MEMBER.match(line):
            if old_size is None or int(member[1]) < old_size:
                found.append(line.strip())
            continue
        if not LEADS.match(line):
            found.append(line.strip())
    return found


def build(header_text, directory):
    directory.mkdir()
    (directory / "pawl.h").write_text(header_text)
    library = directory / "header.so"
    subprocess.run(["cc", "-std=c11", "-g", "-gdwarf-4", "-O0", "-shared", "-fPIC", "-fvisibility=hidden", "-I", directory,
                    "-o", library, HERE / "frozen" / "exported.c"], check=True)
    return library


def differences(golden, library):
    answer = subprocess.run(["abidiff", "--no-show-locs", golden, library], capture_output=True, text=True)
    if answer.returncode & 3 or answer.stderr:  # an error of the tool or of its use
        raise SystemExit(f"abidiff: {answer.stderr}{answer.stdout}")
    return answer.stdout


def main():
    today = HEADER.read_text()
    mark = "    /* Members are added here, never above. */"
    assert today.count(mark) == 3, "the header's marks of growth"
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        library = build(today, scratch / "today")
        for golden in sorted((HERE / "frozen").glob("*.abi.xml")):
            report = differences(golden, library)
            wrong = objections(report)
            if wrong:
                raise SystemExit(f"against {golden.name}:\n{report}\nnot allowed:\n" + "\n".join(wrong))
            print(f"against {golden.name}: " + ("grown at the ends" if report.strip() else "nothing changed"))
            if report.strip():
                print(report)
        golden = HERE / "frozen" / "1.0.abi.xml"
        grown = differences(golden, build(today.replace(mark, f"    void *(*later)(void);\n{mark}"), scratch / "grown"))
        assert "insertion" in grown and not objections(grown), (objections(grown), grown)
        for name, old, new in (
                ("middle", "    const char *version; ", "    void *middle;\n    const char *version; "),
                ("removed", "    int32_t (*snooze)(pawl_attempt *attempt, int64_t until_unix_ms);", ""),
                ("retyped", "    uint32_t open_files;", "    uint64_t open_files;"),
                ("by_value", "    size_t len;\n} pawl_str;", "    size_t len;\n    size_t more;\n} pawl_str;"),
                ("narrowed", "    uint32_t open_files;", "    int32_t open_files;"),
                ("signature", "int32_t (*advance)(pawl_attempt *attempt, uint64_t n);",
                 "int32_t (*advance)(pawl_attempt *attempt, uint32_t n);")):
            assert today.count(old) == 1, name
            report = differences(golden, build(today.replace(old, new), scratch / name))
            assert objections(report), f"the reader allows the change {name!r}:\n{report}"


if __name__ == "__main__":
    sys.exit(main())
