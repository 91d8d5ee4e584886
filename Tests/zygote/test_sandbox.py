"""What a child has and reaches: profile basic from the inside, and profile strict, as the host's user and as another."""

import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from driver import *

INSIDE = BIN / "fixtures" / "inside.so"
MISCHIEF = BIN / "plugins" / "mischief.so"
FAULTS = BIN / "fixtures" / "pawl-zygote-faults"
UID = 61300  # of systemd's range for users without a name
EXIT_SANDBOX = 73
NUMBER = {"ptrace": 101, "mount": 165, "bpf": 321, "reboot": 169, "setns": 308, "keyctl": 250, "clone3": 435,
          "io_uring_setup": 425, "shmget": 29} if os.uname().machine == "x86_64" else \
    {"ptrace": 117, "mount": 40, "bpf": 280, "reboot": 142, "setns": 268, "keyctl": 219, "clone3": 435,
     "io_uring_setup": 425, "shmget": 194}
DENIED = (errno.EACCES, errno.EPERM)
ROOT_HOST = os.geteuid() == 0
USERS = [SAME_USER] + ([UID] if ROOT_HOST else [])


@contextmanager
def scratch(uid=SAME_USER):
    """A directory as a host makes it, and a place beside it that nobody has named."""
    base = Path(tempfile.mkdtemp())
    base.chmod(0o711)
    (base / "mine").mkdir(mode=0o700)
    (base / "others").mkdir(mode=0o777)
    (base / "others" / "secret").write_text("secret")
    (base / "others").chmod(0o777)
    (base / "others" / "secret").chmod(0o666)
    if uid != SAME_USER:
        os.chown(base / "mine", uid, uid)
    try:
        yield base
    finally:
        shutil.rmtree(base)


def tries(zygote, what, directory, sandbox, **args):
    """(result, errno) of one thing that a handler tries."""
    ending, exited = zygote.run("inside.try", {"do": what, **args}, directory=str(directory), sandbox=sandbox)
    assert ending[0] == "result", (what, ending, exited)
    return ending[1]["result"], ending[1]["errno"]


def test_basic_from_the_inside(profile):
    with scratch() as base, Zygote(INSIDE, profile) as z:
        attempt = z.spawn("inside.look", directory=str(base / "mine"), environment={"ONLY": "this"},
                          limits={"open_files": 64, "file_bytes": 4096, "cpu_ms": 7000}).spawned()
        kind, seen = attempt.end()
        assert kind == "result"
        attempt.exited()
        attempt.reap()
        attempt.close()
    fds = seen["fds"]
    assert sorted(map(int, fds)) == [0, 1, 2, 3, 4, 5, 6], fds
    assert fds["0"] == "/dev/null" and fds["1"].startswith("pipe:") and fds["2"].startswith("pipe:")
    assert fds["3"].startswith("socket:") and fds["4"].startswith("pipe:")
    assert fds["5"] == fds["6"] == "anon_inode:[eventfd]"
    assert seen["status"]["NoNewPrivs"] == "1" and seen["status"]["Seccomp"] == "0"
    assert seen["session"] == seen["group"] == seen["pid"]
    assert seen["environment"] == ["ONLY=this"]
    assert seen["cwd"] == str(base / "mine") and seen["cwd_mode"] == 0o700 and seen["cwd_uid"] == os.geteuid()
    assert seen["dumpable"] == 1 and seen["uid"] == os.geteuid()
    assert seen["limits"]["core"] == [0, 0] and seen["limits"]["nofile"] == [64, 64]
    assert seen["limits"]["fsize"] == [4096, 4096] and seen["limits"]["cpu"] == [7, 8]


def test_strict_from_the_inside(profile):
    for uid in USERS:
        with scratch(uid) as base, Zygote(INSIDE, profile) as z:
            ending, _ = z.run("inside.look", directory=str(base / "mine"), sandbox=strict(uid),
                              limits={"processes": 77})
            assert ending[0] == "result", ending
            seen = ending[1]
            assert sorted(map(int, seen["fds"])) == [0, 1, 2, 3, 4, 5, 6], seen["fds"]
            status = seen["status"]
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
            for rights in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                assert int(status[rights], 16) == 0, (rights, status[rights])
            if ROOT_HOST:
                assert int(status["CapBnd"], 16) == 0
            assert seen["dumpable"] == 1
            wanted = os.geteuid() if uid == SAME_USER else uid
            assert seen["uid"] == wanted and seen["cwd_uid"] == wanted
            if uid != SAME_USER:
                assert status["Groups"] == "" and seen["gid"] == uid and seen["limits"]["nproc"] == [77, 77]
            assert tries(z, "become_root", base / "mine", strict(uid))[0] == (0 if wanted == 0 else -1)


def test_strict_files(profile):
    for uid in USERS:
        with scratch(uid) as base, Zygote(INSIDE, profile) as z:
            (base / "readable").mkdir()
            (base / "readable" / "file").write_text("x")
            (base / "readable").chmod(0o777)
            (base / "readable" / "file").chmod(0o666)
            (base / "writable").mkdir()
            (base / "writable").chmod(0o777)
            box = strict(uid, read=[base / "readable"], write=[base / "writable"])
            mine = base / "mine"
            do = lambda what, path, **more: tries(z, what, mine, box, path=str(path), **more)
            # The system is there to be read; nothing of it to be written.
            for path in ("/etc/passwd", "/proc/self/maps", "/dev/urandom", "/proc/self/statm", "/usr/bin/env"):
                assert do("read", path)[0] > 0, path
            assert do("read", "/dev/null")[0] == 0 and do("write", "/dev/null")[0] == 1
            assert do("exec", "")[0] == 0 and do("thread", "")[0] == 0 and do("kill_child", "")[0] == 0
            for path in ("/etc/pawl-test", "/usr/pawl-test", "/proc/self/comm", "/dev/shm/pawl-test", "/tmp/pawl-test",
                         "/var/tmp/pawl-test", "/sys/kernel/mm/ksm/run"):
                result, error = do("write", path)
                assert result == -1 and error in DENIED + (errno.ENOENT,), (path, result, error)
            # Its own directory is its own.
            assert do("write", mine / "file")[0] == 1 and do("mkdir", mine / "sub")[0] == 0
            assert do("truncate", mine / "file")[0] == 0 and do("unlink", mine / "file")[0] == 0
            # What was named, as it was named.
            assert do("read", base / "readable" / "file")[0] == 1
            for what in ("write", "truncate", "cut", "unlink"):
                assert do(what, base / "readable" / "file")[1] in DENIED, what
            assert do("write", base / "writable" / "file")[0] == 1
            # What nobody named, although its modes are wide open.
            for what in ("read", "write", "truncate", "cut", "unlink"):
                assert do(what, base / "others" / "secret")[1] in DENIED, what
            for what in ("list", "mkdir"):
                assert do(what, base / "others" / ("" if what == "list" else "new"))[1] in DENIED, what
            assert do("chmod", base / "others" / "secret")[1] in DENIED
            assert do("link", base / "others" / "secret")[1] in DENIED + (errno.EXDEV,)
            assert (base / "others" / "secret").read_text() == "secret"


def test_strict_other_processes(profile):
    other = subprocess.Popen(["/bin/sleep", "1000"])
    try:
        for uid in USERS:
            with scratch(uid) as base, Zygote(INSIDE, profile) as z:
                mine, box = base / "mine", strict(uid)
                do = lambda what, **more: tries(z, what, mine, box, pid=other.pid, **more)
                for what in ("kill", "memory", "limits", "nice"):
                    assert do(what, number=0)[1] in DENIED, what
                for pid in (z.pid, os.getpid()):
                    assert tries(z, "kill", mine, box, pid=pid, number=9)[1] in DENIED
                    for file in ("environ", "maps", "mem"):
                        assert tries(z, "read", mine, box, path=f"/proc/{pid}/{file}")[1] in DENIED, file
        assert alive(other.pid)
    finally:
        other.kill()
        other.wait()


def test_strict_has_no_network(profile):
    listener = socket.create_server(("127.0.0.1", 0))
    listener_udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener_udp.bind(("127.0.0.1", listener.getsockname()[1]))
    abstract = socket.socket(socket.AF_UNIX)
    name = f"pawl-test-{os.getpid()}"
    abstract.bind("\0" + name)
    abstract.listen()
    try:
        for uid in USERS:
            with scratch(uid) as base, Zygote(INSIDE, profile) as z:
                path = base / "others" / "socket"
                local = socket.socket(socket.AF_UNIX)
                local.bind(str(path))
                local.listen()
                path.chmod(0o777)
                port = listener.getsockname()[1]
                do = lambda what, box, **more: tries(z, what, base / "mine", box, **more)
                closed, open_ = strict(uid), strict(uid, network=True)
                # A host that is root gives a network without anybody: what goes there comes nowhere.
                result, error = do("udp", closed, number=port)
                assert error in DENIED or (ROOT_HOST and result == 0)
                listener_udp.settimeout(0.05)
                try:
                    raise AssertionError(listener_udp.recv(16))
                except TimeoutError:
                    pass
                for what in ("tcp", "local", "abstract"):
                    assert do(what, closed, number=port, path=str(path))[1] in DENIED, what
                assert do("pair", closed)[0] == 0
                assert do("tcp", open_, number=port)[0] == 0 and do("udp", open_, number=port)[0] == 0
                listener_udp.settimeout(BOUND)
                assert listener_udp.recv(16) == b"x"
                assert do("local", open_, path=str(path))[0] == 0
                assert do("abstract", open_, path=name)[1] in DENIED  # needs Landlock 6, which this test is for
                local.close()
    finally:
        for sock in (listener, listener_udp, abstract):
            sock.close()


def test_strict_calls(profile):
    for uid in USERS:
        with scratch(uid) as base, Zygote(INSIDE, profile) as z:
            mine, box = str(base / "mine"), strict(uid)
            for call in ("ptrace", "mount", "bpf", "reboot", "setns"):
                attempt = z.spawn("inside.try", {"do": "call", "number": NUMBER[call]}, directory=mine,
                                  sandbox=box).spawned()
                assert attempt.end() == ("gone", None)
                exited = attempt.exited()
                assert exited["status"] == signal.SIGSYS, (call, exited)
                record = attempt.crash()
                assert record["signal"] == signal.SIGSYS and record["code"] == 1 and record["frames"], call
                assert record["address"] == NUMBER[call], (call, record["address"])
                attempt.reap()
                attempt.close()
            for call in ("keyctl", "shmget"):
                assert tries(z, "call", mine, box, number=NUMBER[call]) == (-1, errno.EPERM), call
            for call in ("clone3", "io_uring_setup"):
                assert tries(z, "call", mine, box, number=NUMBER[call]) == (-1, errno.ENOSYS), call
            for what in ("unshare_user", "clone_user", "death_signal"):
                assert tries(z, what, mine, box) == (-1, errno.EPERM), what


def test_cgroup_cannot_be_left():
    """As another user in strict, and as a host that is not root in basic."""
    if not CGROUP_ROOT or not ROOT_HOST:
        return
    target = CGROUP_ROOT / "cgroup.procs"
    with scratch(UID) as base, Zygote(INSIDE, "cgroup") as z:
        assert tries(z, "write", base / "mine", strict(UID), path=str(target))[1] in DENIED
        attempt = z.spawn("inside.try", {"do": "write", "path": str(target)}, directory=str(base / "mine"),
                          sandbox=strict(UID)).spawned()
        attempt.end()
        assert str(attempt.pid) not in target.read_text().split()
        attempt.exited()
        attempt.reap()
        attempt.close()


def test_as_another_user():
    """All of this file once more, by a host that is not root."""
    if not ROOT_HOST:
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        result = subprocess.run(
            ["setpriv", "--reuid=61299", "--regid=61299", "--clear-groups", sys.executable, "-B",
             str(Path(__file__).with_name("run.py")), "test_sandbox"],
            env={**os.environ, "TMPDIR": directory, "HOME": directory}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=100)
        assert result.returncode == 0, result.stdout


def test_a_sandbox_that_cannot_be_had_is_an_end(profile):
    for uid in USERS:
        with scratch(uid) as base:
            cases = [({}, strict(uid, read=[base / "missing"]), "missing: No such file"),
                     ({"PAWL_FAULT": "child.landlock:ENOSYS"}, strict(uid), "Landlock: Function not implemented"),
                     ({"PAWL_FAULT": "child.seccomp:EPERM"}, strict(uid), "filter: Operation not permitted")]
            if uid != SAME_USER:
                cases.append(({}, strict(uid), None))
            for environment, box, words in cases:
                if words is None:
                    base.chmod(0o700)
                    words = "must be searchable"
                with Zygote(INSIDE, profile, binary=FAULTS) as z:
                    attempt = z.spawn("inside.look", directory=str(base / "mine"), sandbox=box,
                                      environment=environment).spawned()
                    assert attempt.end() == ("gone", None)
                    exited = attempt.exited()
                    assert (exited["code"], exited["status"]) == (1, EXIT_SANDBOX), exited
                    said = attempt.output(attempt.err)
                    assert said.startswith("pawl: sandbox: ") and words in said, said
                    attempt.reap()
                    attempt.close()


def test_malformed_requests(profile):
    good = strict(read=["/etc"])
    bad = [good[:-1], good + b"x", b"\x02" + good[1:], good[:4] + b"\x80" + good[5:], good[:16] + b"\xff" + good[17:],
           strict(uid=0), strict(read=["relative"]), strict(read=["/a\0b"]), strict(read=["/" + "x" * 5000]), b"\x01"]
    with Zygote(INSIDE, profile) as z:
        for text in bad:
            attempt = z.spawn("inside.look", sandbox=text).spawned()
            assert attempt.end() == ("gone", None), text
            assert attempt.exited()["status"] == 71, text
            attempt.reap()
            attempt.close()


def test_a_strict_child_is_killed_with_its_tree(profile):
    for uid in USERS:
        with scratch(uid) as base, Zygote(MISCHIEF, profile) as z:
            attempt = z.spawn("mischief.escape", directory=str(base / "mine"), sandbox=strict(uid)).spawned()
            attempt.wait_log("")
            attempt.kill()
            attempt.exited()
            attempt.reap()
            attempt.close()


def test_pooled_strict_children(profile):
    for uid in USERS:
        with scratch(uid) as base, Zygote(INSIDE, profile) as z:
            attempt = z.spawn("inside.try", {"do": "read", "path": "/etc/passwd"}, directory=str(base / "mine"),
                              scratch=str(base / "mine"), sandbox=strict(uid), pooled=True).spawned()
            assert attempt.end()[1]["result"] > 0
            idle = attempt.idle()
            assert idle["descriptors"] == idle["threads"] == idle["processes"] == 0, idle
            attempt.again("inside.try", {"do": "read", "path": str(base / "others" / "secret")})
            assert attempt.end()[1]["errno"] in DENIED
            attempt.idle()
            attempt.send(BYE)
            attempt.exited()
            attempt.reap()
            attempt.close()
