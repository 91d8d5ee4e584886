"""later.py - the two directions of growth, played with a header of the next minor that is made from today's on the spot.

No older host than the first release exists, so today's zygote is the older host of a plugin built with the next header; and a
zygote built with the next header is the later host of the stored plugins. Both are real programs, built here.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "zygote"))
from driver import Zygote

MARK = "    /* Members are added here, never above. */"
PLUGIN = r"""
#include <pawl.h>
static int32_t run(void *user, pawl_attempt *attempt, pawl_bytes args) {
    const pawl_host *host = attempt->host;
    (void)user, (void)args;
    if (PAWL_HOST_HAS(host, later)) return host->result_json(attempt, PAWL_STR("\"later\""));
    if (host->get_extension(host, "pawl.later/1") != NULL) return PAWL_E_INTERNAL;
    return host->result_json(attempt, PAWL_STR("\"older\""));
}
static const void *more(void) { return 0; }
static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .flags = UINT64_C(1) << 32, .name = "next.one", .run = run, .later = more},
    {.struct_size = sizeof(pawl_handler), .flags = UINT64_C(1) << 32, .name = "next.two", .run = run, .later = more}};
static const pawl_plugin plugin = {.struct_size = sizeof plugin, .abi_major = PAWL_ABI_MAJOR, .abi_minor = PAWL_ABI_MINOR,
    .handler_size = sizeof(pawl_handler), .flags = UINT64_C(1) << 33, .name = "next", .version = "2.0.0",
    .handlers = handlers, .handler_count = 2, .later = more};
const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor, uint32_t host_size) {
    (void)host, (void)abi_minor, (void)host_size;
    return abi_major == PAWL_ABI_MAJOR ? &plugin : 0;
}
"""


def next_header(directory):
    text = (ROOT / "include" / "pawl.h").read_text()
    assert text.count(MARK) == 3
    minor = next(line for line in text.splitlines() if line.startswith("#define PAWL_ABI_MINOR "))
    number = int(minor.split()[2].rstrip("u"))
    text = text.replace(minor, f"#define PAWL_ABI_MINOR {number + 1}u").replace(
        MARK, f"    const void *(*later)(void);\n{MARK}")
    # The sugar lists the descriptor's members in order.
    text = text.replace("PAWL_NULL, PAWL_NULL, PAWL_NULL, PAWL_NULL}", "PAWL_NULL, PAWL_NULL, PAWL_NULL, PAWL_NULL, PAWL_NULL}")
    (directory / "pawl.h").write_text(text)
    return number + 1


def main():
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        minor = next_header(scratch)
        (scratch / "next.c").write_text(PLUGIN)
        library = scratch / "next.so"
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-I", scratch,
                        "-o", library, scratch / "next.c"], check=True)
        with Zygote(library) as zygote:  # the newest plugin in the oldest host
            assert zygote.manifest["abi_minor"] == minor and zygote.handlers == ["next.one", "next.two"], zygote.manifest
            for handler in zygote.handlers:
                ending, _ = zygote.run(handler)
                assert ending == ("result", "older"), ending
        print(f"ok    a plugin of minor {minor} in today's zygote")

        later = scratch / "pawl-zygote"
        # -iquote comes before -I: the sources include <pawl.h> and "pawl.h" alike, so the next header stands first in both.
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-fPIE", "-pie", "-iquote", scratch, "-I", scratch, "-I",
                        ROOT / "Sources/PluginABI/Wire/include", '-DPAWL_VERSION="next"', "-o", later,
                        *sorted((ROOT / "Sources/PluginABI/Zygote").glob("*.c")), "-lm"], check=True)
        with Zygote(library, binary=later) as zygote:
            ending, _ = zygote.run("next.two")
            assert ending == ("result", "later"), ending
        print(f"ok    a plugin of minor {minor} in a zygote of minor {minor}")
        done = subprocess.run([sys.executable, HERE / "corpus.py", later], env=os.environ)
        assert done.returncode == 0, "a stored plugin fails in a later zygote"


if __name__ == "__main__":
    main()
