"""`make install` and `pawl new job`: from nothing to a loaded plugin, with the installed things alone."""

import shutil

import pytest
from conftest import LANGUAGES, needs


def test_everything_is_installed(prefix):
    for file in (
        "bin/pawl", "libexec/pawl/pawl-zygote", "libexec/pawl/pawl-inspect", "libexec/pawl/pawl-ffi.so", "include/pawl.h",
        "include/pawl.hpp", "lib/pkgconfig/pawl.pc", "lib/pawl/swift/plugin.rsp", "lib/pawl/swift/PluginKit.swiftmodule",
        "lib/pawl/rust/pawl.rs", "share/pawl/plugin.map", "share/pawl/templates/c/Makefile",
    ):
        assert (prefix / file).is_file(), file
    # Nothing leads back to where it was built.
    assert str(prefix) in (prefix / "lib/pawl/swift/plugin.rsp").read_text()


@pytest.mark.skipif(shutil.which("pkg-config") is None, reason="there is no pkg-config here")
def test_pkg_config_knows_it(prefix, run):
    where = {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    assert f"-I{prefix}/include" in run("pkg-config", "--cflags", "pawl", **where).stdout
    assert run("pkg-config", "--variable=plugindir", "pawl", **where).stdout.strip() == f"{prefix}/lib/pawl/plugins"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_folder_builds_passes_and_loads(language, pawl, run, tmp_path):
    needs(language)
    pawl("new", "job", "mail.greet", "--lang", language, "folder")
    folder = tmp_path / "folder"
    run("make", cwd=folder)
    tested = run("make", "test", cwd=folder).stdout
    assert "3 cases: 3 passed" in tested
    plugins = tmp_path / "plugins"
    assert run("make", "check", cwd=folder).stdout.splitlines()[-1] == "fine"
    run("make", "install", f"PLUGINS={plugins}", cwd=folder)
    assert [file.name for file in plugins.iterdir()] == ["mail-greet.so"]
    ran = pawl("run-local", plugins / "mail-greet.so", "mail.greet", "--args", '{"name": "Ada", "times": 3}')
    assert ran.stdout == '{"greetings":3}\n'
    assert ran.stderr.count("hello Ada") == 3
    # It has one handler only.
    assert pawl("run-local", plugins / "mail-greet.so", "--args", '{"name": "Ada"}').stdout == '{"greetings":1}\n'
    # The listed files are all there is, and `make clean` leaves what was made.
    run("make", "clean", cwd=folder)
    assert not list(folder.glob("*.so*"))


def test_another_prefix_is_found_by_pkg_config(prefix, pawl, run, tmp_path):
    """A folder that was made elsewhere is built against what pkg-config names."""
    pawl("new", "job", "mail.greet", "--lang", "c", "folder")
    makefile = tmp_path / "folder/Makefile"
    makefile.write_text(makefile.read_text().replace(str(prefix), "/nowhere"))
    run("make", "test", cwd=tmp_path / "folder", PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))


def test_a_name_without_a_dot_becomes_one(pawl, tmp_path):
    pawl("new", "job", "hello", "--lang", "c")
    assert '"hello.run"' in (tmp_path / "hello/hello.c").read_text()


@pytest.mark.parametrize("name", ["Mail.send", "mail..send", "mail.", "mail/send", "a" * 80, "mail-send.x"])
def test_a_name_that_no_handler_can_have_is_refused(name, pawl, tmp_path):
    refused = pawl("new", "job", name, "--lang", "c", code=64)
    assert "handler" in refused.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]


def test_nothing_is_overwritten(pawl, tmp_path):
    (tmp_path / "mail-send").mkdir()
    (tmp_path / "mail-send/mine.txt").write_text("mine")
    refused = pawl("new", "job", "mail.send", "--lang", "c", code=73)
    assert "not empty" in refused.stderr
    assert [file.name for file in (tmp_path / "mail-send").iterdir()] == ["mine.txt"]
