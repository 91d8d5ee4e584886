"""`pawl check` on plugins that are right, and on ones that are wrong in one way each."""

import json
import os
import pathlib
import random
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HARDENED = ["-O2", "-g", "-fstack-protector-strong", "-fPIC", "-fvisibility=hidden", "-shared", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id"]

HELLO = r"""
#include <pawl.h>
%(top)s
static int32_t hello(void *user, pawl_attempt *attempt, pawl_bytes args) {
    volatile char buffer[64];
    for (size_t i = 0; i < sizeof buffer; i++) buffer[i] = (char)args.len;
    (void)user; (void)buffer;
    %(body)s
    return attempt->host->result_json(attempt, PAWL_STR("{}"));
}
static const pawl_handler handlers[] = {{.struct_size = sizeof(pawl_handler), .name = "hello.world",
    .args_schema = %(schema)s, .run = hello}};
PAWL_PLUGIN("hello", "1.0.0", handlers)
"""


@pytest.fixture
def build(tmp_path):
    def build(name="hello", top="", body="", schema='"{\\"type\\":\\"object\\"}"', source=None, flags=HARDENED, libraries=()):
        code = tmp_path / f"{name}.c"
        code.write_text(source if source is not None else HELLO % {"top": top, "body": body, "schema": schema})
        library = tmp_path / f"{name}.so"
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", f"-I{ROOT}/include", *flags, "-o", library, code, *libraries], check=True)
        return library

    return build


@pytest.fixture
def check(binary, tmp_path):
    def check(path, *arguments, **environment):
        done = subprocess.run(
            [binary, "check", path, "--format", "json", *arguments], capture_output=True, text=True, timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", **environment})
        assert done.returncode in (0, 1, 2), done.stderr
        return done.returncode, json.loads(done.stdout)

    return check


def levels(report, check):
    return [finding["level"] for finding in report["findings"] if finding["check"] == check]


def words(report, check):
    return " ".join(finding["words"] for finding in report["findings"] if finding["check"] == check)


def test_a_good_plugin_is_fine(build, check):
    code, report = check(build(), "--strict")
    assert code == 0
    assert report["verdict"] == "fine"
    assert [f for f in report["findings"] if f["level"] not in ("ok", "note")] == []
    plugin = report["plugin"]
    assert (plugin["name"], plugin["version"], plugin["abi"], plugin["threads"]) == ("hello", "1.0.0", "1.0", 1)
    assert plugin["handlers"] == [{"name": "hello.world", "has_args_schema": True, "has_result_schema": False}]
    assert "libc.so.6" in words(report, "libraries")


def test_people_are_told_what_to_do(binary, build, tmp_path):
    library = build(flags=["-fPIC", "-shared", "-Wl,-z,execstack", "-Wl,--build-id=none"])
    done = subprocess.run([binary, "check", library], capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    assert done.returncode == 0
    assert "hello 1.0.0" in done.stdout and "hello.world" in done.stdout
    assert "! warning  stack: it asks for an executable stack" in done.stdout
    assert "→ newer systems refuse that: link with -Wl,-z,noexecstack" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("it works, with ")


def test_warnings_fail_only_when_strict(build, check):
    library = build(flags=["-fPIC", "-shared", "-Wl,-z,norelro,-z,lazy", "-Wl,--build-id=none", "-s"])
    code, report = check(library)
    assert (code, report["verdict"]) == (0, "warnings")
    assert levels(report, "relro") == ["warning"] and levels(report, "build_id") == ["warning"]
    assert "stripped" in words(report, "debug_info")
    assert check(library, "--strict")[0] == 1


@pytest.mark.parametrize("flags, name", [(["-Wl,-z,execstack"], "stack"), (["-Wl,-z,lazy"], "relro"), (["-Wl,-z,norelro"], "relro"), (["-ftls-model=initial-exec"], "tls")])
def test_names_what_is_not_hardened(build, check, flags, name):
    top = "_Thread_local int counter;" if name == "tls" else ""
    _, report = check(build(top=top, body="counter++;" if name == "tls" else "", flags=[*HARDENED, *flags]))
    assert levels(report, name) == ["warning"], report


def test_names_what_is_exported(build, check):
    library = build(top="PAWL_EXPORT int helper(void); int helper(void) { return 1; }")
    _, report = check(library)
    assert levels(report, "exports") == ["warning"]
    assert "helper" in words(report, "exports")


def test_refuses_a_library_without_entry(build, check):
    code, report = check(build(source="int nothing(void); int nothing(void) { return 0; }"))
    assert (code, report["verdict"]) == (2, "refused")
    assert levels(report, "exports") == ["refused"] and levels(report, "load") == ["refused"]
    assert "plugin" not in report


def test_refuses_what_is_defined_nowhere(build, check):
    code, report = check(build(top="extern int nobody_has_this(void); extern int nor_this(void);", body="nobody_has_this(); nor_this();"))
    assert code == 2
    assert "2 symbols are defined nowhere: nobody_has_this, nor_this" in words(report, "symbols")


@pytest.fixture
def helper(tmp_path):
    """A library that is in no place where the loader looks."""
    (tmp_path / "helper.c").write_text("int help(void) { return 1; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libpawlhelper.so.1", "-o", tmp_path / "libpawlhelper.so", tmp_path / "helper.c"], check=True)
    shutil.copy(tmp_path / "libpawlhelper.so", tmp_path / "libpawlhelper.so.1")
    return tmp_path


USING = {"top": "extern int help(void);", "body": "help();"}


def test_refuses_a_library_that_is_not_there(build, check, helper):
    code, report = check(build(**USING, libraries=[f"-L{helper}", "-lpawlhelper"]))
    assert code == 2
    assert "libpawlhelper.so.1 is not on this machine" in words(report, "libraries")


def test_refuses_origin(build, check, helper):
    code, report = check(build(**USING, libraries=[f"-L{helper}", "-lpawlhelper", "-Wl,-rpath,$ORIGIN"]))
    assert code == 2
    assert levels(report, "search_path") == ["refused"] and "$ORIGIN" in words(report, "search_path")


def test_warns_of_a_path_of_this_machine(build, check, helper):
    code, report = check(build(**USING, libraries=[f"-L{helper}", "-lpawlhelper", f"-Wl,-rpath,{helper}"]))
    assert code == 0
    assert levels(report, "search_path") == ["warning"]
    assert str(helper / "libpawlhelper.so.1") in words(report, "libraries")


def test_warns_of_threads_while_loading(build, check):
    top = """
#include <pthread.h>
#include <unistd.h>
static void *idle(void *none) { for (;;) pause(); return none; }
__attribute__((constructor)) static void start(void) { pthread_t thread; pthread_create(&thread, NULL, idle, NULL); }
"""
    code, report = check(build(top=top))
    assert code == 0
    assert levels(report, "fork") == ["warning"] and "2 threads" in words(report, "fork")
    assert "1 function runs" in words(report, "constructors")


def test_warns_of_a_schema_that_is_none(build, check):
    code, report = check(build(schema='"{\\"type\\":\\"text\\"}"'))
    assert code == 0
    assert levels(report, "schema") == ["warning"]
    assert "hello.world's args" in words(report, "schema") and "/type" in words(report, "schema")


def test_notes_what_is_not_described(build, check):
    _, report = check(build(schema="NULL"))
    assert levels(report, "schema") == ["note"]


def test_refuses_what_a_host_refuses(build, check):
    source = HELLO % {"top": "", "body": "", "schema": "NULL"}
    code, report = check(build(source=source.replace("hello.world", "Hello World")))
    assert code == 2
    assert levels(report, "load") == ["refused"]
    code, report = check(build(top="#include <stdlib.h>\n__attribute__((constructor)) static void leave(void) { abort(); }"))
    assert code == 2 and "SIGABRT" in words(report, "load")


def section(text):
    quoted = json.dumps(text)
    return f'__attribute__((section(".pawl.manifest"), used)) static const char manifest[] = {quoted};'


def test_compares_the_manifest_in_the_file(build, check):
    said = {"name": "hello", "version": "1.0.0", "abi": "1.0", "handlers": ["hello.world"]}
    _, report = check(build(top=section(json.dumps(said))))
    assert levels(report, "manifest") == ["ok"]
    said.update(version="0.9", handlers=["hello.moon"])
    _, report = check(build(top=section(json.dumps(said))))
    assert levels(report, "manifest") == ["warning"]
    assert "0.9" in words(report, "manifest") and "hello.moon" in words(report, "manifest")
    _, report = check(build(top=section("{")))
    assert levels(report, "manifest") == ["warning"]


def test_the_macro_writes_the_manifest_of_the_file(build, check):
    _, report = check(build(top='#include <pawl_note.h>\nPAWL_NOTE("hello", "1.0.0", "hello.world")'))
    assert levels(report, "manifest") == ["ok"]
    _, report = check(build(top='#include <pawl_note.h>\nPAWL_NOTE("hello", "1.0.1", "hello.world", "hello.moon")'))
    assert levels(report, "manifest") == ["warning"]
    assert "1.0.1" in words(report, "manifest") and "hello.moon" in words(report, "manifest")


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF" + bytes(200)])
def test_refuses_what_is_no_library(check, tmp_path, content):
    path = tmp_path / "odd.so"
    path.write_bytes(content)
    code, report = check(path)
    assert code == 2 and levels(report, "file") == ["refused"]


def test_hostile_files_break_nothing(build, check, tmp_path):
    """Truncated and damaged ones: an answer each, and never a crash."""
    whole = build().read_bytes()
    generator = random.Random(4)
    path = tmp_path / "hostile.so"
    for size in range(64, len(whole), max(1, len(whole) // 8)):
        path.write_bytes(whole[:size])
        assert check(path)[0] == 2
    for _ in range(12):
        damaged = bytearray(whole)
        for _ in range(generator.randrange(1, 30)):
            damaged[generator.randrange(16, min(len(damaged), 4096))] = generator.randrange(256)
        path.write_bytes(bytes(damaged))
        code, report = check(path)
        assert report["verdict"] in ("fine", "warnings", "refused")


def test_a_missing_file_has_a_code_of_its_own(binary, tmp_path):
    done = subprocess.run([binary, "check", tmp_path / "none.so"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 66 and "none.so" in done.stderr


def test_a_manifest_of_functions_is_tried(check, tmp_path):
    good = tmp_path / "m.pawl.json"
    build_of_repository = ROOT / "plugins" / "ffi" / "zlib.pawl.json"
    if not build_of_repository.exists():
        pytest.skip("the example's manifest is elsewhere")
    shutil.copy(build_of_repository, good)
    code, report = check(good)
    assert code == 0 and report["plugin"]["handlers"]
    good.write_text("{")
    assert check(good)[0] == 2


def test_declarations_are_compared_with_the_librarys_debug_information(check, tmp_path):
    source = tmp_path / "own.c"
    source.write_text("double half(double x) { return x / 2; }\n")
    manifest = tmp_path / "own.pawl.json"

    def said(prototype, *flags):
        library = tmp_path / "libown.so"
        subprocess.run(["cc", "-shared", "-fPIC", *flags, "-o", library, source], check=True)
        manifest.write_text(json.dumps({"plugin": "own", "version": "1", "library": str(library),
                                        "functions": [{"name": "own.half", "prototype": prototype}]}))
        return check(manifest, "--strict", "--all")

    code, report = said("double half(double x)", "-g")
    assert (code, levels(report, "declaration")) == (0, ["ok"]), report
    code, report = said("double half(float x)", "-g")
    assert (code, levels(report, "declaration")) == (2, ["refused"])
    assert 'functions[0] (own.half): parameter 1, "x": the manifest says f32, the library double' in words(report, "declaration")
    code, report = said("double half(float x)", "-s")
    assert (code, levels(report, "declaration")) == (0, ["note"])
    assert words(report, "declaration").startswith("unchecked: ") and "no debug information" in words(report, "declaration")
