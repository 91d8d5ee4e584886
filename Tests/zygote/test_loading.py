"""Plugins on their way into a zygote: refused with the exact reason, or gone with it."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from driver import *

CSV = BIN / "plugins" / "csv.so"
FIXTURES = BIN / "fixtures"


def refusal(path, **how):
    """(reason, message), after the zygote has ended with exit code 72."""
    z = Zygote(path, wait=False, **how)
    try:
        z.wait_ready()
        raise AssertionError(f"{path} was not refused")
    except Refused as refused:
        assert z.process.wait(BOUND) == 72
        return refused.reason, refused.message
    finally:
        z.close()


def test_broken_descriptors_are_refused_with_the_reason():
    wanted = {
        "no_entry": ("entry", "exports no pawl_plugin_entry"),
        "null_descriptor": ("entry", "returned NULL: no licence was found"),
        "wrong_major": ("abi", "built for ABI 99.0; this host speaks 1.0"),
        "unresolved": ("dlopen", "nobody_has_this_function"),
        "small_descriptor": ("descriptor", "struct_size is 40, less than the 88"),
        "unknown_flag": ("descriptor", "0x80000000"),
        "null_name": ("descriptor", "name is NULL"),
        "bad_name": ("descriptor", '"Bad Name"'),
        "wild_pointer": ("descriptor", "leads nowhere"),
        "no_handlers": ("descriptor", "handler_count is 0; 1 to 1000 are allowed"),
        "too_many_handlers": ("descriptor", "handler_count is 2147483648"),
        "more_handlers_than_there_are": ("descriptor", "handler 1"),
        "null_handler_name": ("descriptor", "handler 0: name is NULL"),
        "undotted_name": ("descriptor", '"undotted"'),
        "duplicate_names": ("descriptor", 'two handlers are named "fixture.run"'),
        "null_run": ("descriptor", "handler fixture.run: run is NULL"),
        "bad_schema": ("descriptor", "args_schema of handler fixture.run is no valid JSON: line 3, column 2 (byte 20), at: \"properties\": {}}"),
        "init_fails": ("init", "init failed with status 10: the table of prices is missing"),
        "prefork_fails": ("init", "prefork failed with status 8"),
    }
    for name, (reason, words) in wanted.items():
        got = refusal(FIXTURES / f"{name}.so")
        assert got[0] == reason and words in got[1], (name, got)


def test_plugins_that_end_their_process_end_only_the_zygote():
    for name, code in (("crash_in_entry", -signal.SIGSEGV), ("exit_in_entry", 0), ("exit_in_init", 3)):
        z = Zygote(FIXTURES / f"{name}.so", wait=False)
        try:
            z.wait_ready()
            raise RuntimeError(f"{name} came to READY")
        except Gone:
            assert z.process.wait(BOUND) == code, name
        z.close()


def test_a_looping_plugin_is_the_hosts_to_end():
    z = Zygote(FIXTURES / "loop_in_entry.so", wait=False)
    try:
        z.control.wait(READY, bound=0.3)
        raise RuntimeError("it came to READY")
    except AssertionError:
        assert z.process.poll() is None
    z.process.kill()
    assert z.process.wait(BOUND) == -signal.SIGKILL
    z.close()


def test_files_that_are_no_plugins():
    with tempfile.TemporaryDirectory() as scratch:
        good = CSV.read_bytes()
        place = Path(scratch) / "x.so"

        def of(content):
            place.write_bytes(content)
            return refusal(place)
        assert of(b"") == ("elf", "empty file")
        assert of(b"\x7fE") == ("elf", "no ELF file: too short")
        assert of(b"this is no library") == ("elf", "no ELF file: it does not begin with \\x7fELF")
        alien = bytearray(good)
        alien[18:20] = (183 if alien[18] == 62 else 62).to_bytes(2, "little")
        names = "aarch64, this one is x86-64" if good[18] == 62 else "x86-64, this one is"
        assert of(bytes(alien))[1].startswith(f"for another machine: {names}")
        wide = bytearray(good)
        wide[4] = 1
        assert "ELF class" in of(bytes(wide))[1]
        program = Path("/bin/sh").read_bytes()
        assert of(program)[0] in ("dlopen", "entry", "elf")
        assert refusal(Path(scratch) / "missing.so") == ("open", "cannot open the image: No such file or directory")
        assert refusal(Path(scratch), image_bytes=0)[0] == "open"
        place.write_bytes(good)
        assert refusal(place, image_bytes=len(good) - 1)[0] == "open"


def test_a_truncated_file_is_refused_at_every_length():
    """Cut anywhere, it is refused by its headers: the loader would end with SIGBUS."""
    with tempfile.TemporaryDirectory() as scratch:
        good, place = CSV.read_bytes(), Path(scratch) / "cut.so"
        for length in [*range(1, len(good), 4096), 63, 64, 65, len(good) - 1]:
            place.write_bytes(good[:length])
            reason, message = refusal(place)
            assert reason == "elf" and message, (length, reason, message)


def test_headers_full_of_nonsense_never_crash_the_zygote():
    """Each byte of the ELF header and the program headers in turn: refused, or it loads."""
    with tempfile.TemporaryDirectory() as scratch:
        good, place = CSV.read_bytes(), Path(scratch) / "odd.so"
        loaded = 0
        for at in [*range(4, 64), *range(64, 64 + 56 * 4, 3)]:
            odd = bytearray(good)
            odd[at] ^= 0xFF
            place.write_bytes(bytes(odd))
            z = Zygote(place, wait=False)
            try:
                z.wait_ready()
                loaded += 1
            except Refused:
                pass
            except Gone:
                # Flags and addresses of segments are the loader's to judge, and it may fault on them: only in the
                # zygote.
                assert at >= 64 or at in range(24, 32), at
            z.close()
        assert loaded > 0


def test_manifest():
    with Zygote(CSV) as z:
        m = z.manifest
        assert (m["name"], m["version"], m["abi_major"], m["abi_minor"], m["flags"]) == ("csv", "1.0.0", 1, 0, 0)
        handler = m["handlers"][0]
        assert handler["name"] == "csv.to_jsonl" and handler["description"] and handler["limits"] == {}
        assert handler["args_schema"]["required"] == ["input",
                                                      "output"] and handler["result_schema"]["type"] == "object"
        notes = subprocess.run(["readelf", "-n", str(CSV)], capture_output=True, text=True, check=True).stdout
        assert m["build_id"] in notes and len(m["build_id"]) == 40
        assert m["needed"] == ["libc.so.6"]
    with Zygote(BIN / "plugins" / "mischief.so") as z:
        assert {"mischief.noop", "mischief.sleep", "mischief.segv", "mischief.abort", "mischief.spin", "mischief.deaf",
                "mischief.escape", "mischief.flood", "mischief.hog", "mischief.exit",
                "mischief.fail"} <= set(z.handlers)


def test_plugins_of_a_later_minor_load():
    with Zygote(FIXTURES / "higher_minor.so") as z:
        assert z.manifest["abi_minor"] == 99 and z.run("fixture.run")[0] == ("result", "it ran")


def test_open_descriptors_are_noticed():
    with Zygote(FIXTURES / "opens_fd.so") as z:
        assert z.ready["open_fds"] == 1 and "1 descriptors" in z.notes[0]
        assert z.run("fixture.run")[0] == ("result", "it ran")


def test_replacing_the_file_of_a_running_zygote():
    """By rename, as everybody should: it goes on with the bytes it has."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "p.so"
        shutil.copy(BIN / "plugins" / "mischief.so", place)
        with Zygote(place) as z:
            other = Path(scratch) / "new"
            other.write_bytes(b"nonsense")
            os.rename(other, place)
            assert z.run("mischief.noop")[0] == ("none", None)


def test_hello_is_checked():
    z = Zygote(CSV, wait=False)
    z.wait_ready()
    z.close()
    for body in (b"", struct.pack("<IIQIIII", WIRE + 1, os.getpid(), 0, 0, 0, 0, 0),
                 struct.pack("<IIQIIII", WIRE, os.getpid(), 0, 500, 0, 0, 0)):
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        number = its.fileno()
        process = subprocess.Popen([str(BIN / "pawl-zygote")], stdin=subprocess.DEVNULL, pass_fds=(3,),
                                   preexec_fn=lambda: os.dup2(number, 3))
        its.close()
        control = Control(mine)
        control.send(HELLO, 0, body)
        assert struct.unpack_from("<I", control.wait(REFUSED)[2]) == (8,)
        assert process.wait(BOUND) == 72
        mine.close()


def test_probe_and_version():
    probe = subprocess.run([str(BIN / "pawl-zygote"), "--probe", str(CGROUP_ROOT or "/nonexistent")],
                           capture_output=True, text=True, check=True)
    caps = json.loads(probe.stdout)
    for name in ("pidfd", "clone3", "tid_address", "close_range", "subreaper"):
        assert caps[name] is True or caps["why"][name], caps
    assert caps["into_cgroup"] == caps["cgroup_kill"] == caps["cgroup_writable"] == bool(CGROUP_ROOT)
    assert isinstance(caps["landlock_abi"], int)
    if CGROUP_ROOT:
        assert not list(CGROUP_ROOT.glob("pawl-probe-*"))
    other = json.loads(subprocess.run([str(BIN / "pawl-zygote"), "--probe", "/"], capture_output=True, text=True,
                                      check=True).stdout)
    assert other["cgroup_writable"] is False and "cgroup v2" in other["why"]["cgroup_writable"]
    version = subprocess.run([str(BIN / "pawl-zygote"), "--version"], capture_output=True, text=True, check=True).stdout
    client = (ROOT / "Sources/Host/Main/Client/ClientVersion.swift").read_text()
    assert version == f"pawl-zygote {client.split('current = ')[1].split(chr(34))[1]} (ABI 1.0, wire {WIRE})\n"
    assert subprocess.run([str(BIN / "pawl-zygote"), "--nonsense"], capture_output=True).returncode == 64


def test_needs_the_c_library_only():
    for binary in ("pawl-zygote", "plugins/csv.so", "plugins/mischief.so"):
        dynamic = subprocess.run(["readelf", "-d", str(BIN / binary)], capture_output=True, text=True,
                                 check=True).stdout
        needed = [line.split("[")[1].rstrip("]") for line in dynamic.splitlines() if "(NEEDED)" in line]
        assert needed == ["libc.so.6"], (binary, needed)
