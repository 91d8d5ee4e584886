"""A host in a few lines: speaks the wire protocol of pawl_wire.h to the real pawl-zygote.

Everything waits for events; bounds are a safety net. Every process that is started is ended by its id.
"""

import ctypes
import json
import mmap
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PAWL_TEST_BIN", ROOT / ".build" / "release"))
BOUND = 20.0
WIRE = 4  # PAWL_WIRE_VERSION

HELLO, SPAWN, RETIRE, PING = 1, 2, 3, 4
SIGNAL, KILL, REAP = 10, 11, 12
READY, REFUSED, MANIFEST, PONG, NOTE = 20, 21, 22, 23, 24
SPAWNED, SPAWN_FAILED, EXITED, EMPTY, ORPHAN = 30, 31, 32, 33, 34
RUN, ARGS, CANCEL, CREDIT, DEADLINE, F_PING, BYE = 1, 2, 3, 4, 5, 6, 7
UP, STARTED, LOG, PROGRESS, RESULT, FAILURE, SNOOZE, F_PONG, DROPPED, IDLE = 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
REASONS = {1: "open", 2: "elf", 3: "dlopen", 4: "entry", 5: "abi", 6: "descriptor", 7: "init", 8: "protocol"}
FORK_CLONE3, FORK_GLIBC, FORK_SPAWN = 1, 2, 3
HAS_CGROUP, HAS_MONITOR, POOLED = 1, 2, 4
AHEAD = 4  # PAWL_FLAG_AHEAD
OFFERED, TAKEN, WITHDRAWN = 1, 2, 3
CLEAN = 64  # PAWL_IDLE_CLEAN
UNKNOWN = (1 << 64) - 1
CRASH = struct.Struct("<QIiiiQQQQ16sII64Q")
CRASH_MAGIC = 0x6873617263777050


class Gone(Exception):
    """The peer closed its end."""


def until(condition, bound=BOUND, what="the condition"):
    deadline = time.monotonic() + bound
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError(f"{what} did not come within {bound} s")


def process_state(pid):
    """(state, parent, start time) of a process, or None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return fields[0], int(fields[1]), fields[19]


def alive(pid):
    state = process_state(pid)
    return state is not None and state[0] not in "ZX"


def cgroup_root():
    """A writable cgroup v2 directory, or None."""
    for line in Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2":
            own = next(l.split("::",
                               1)[1] for l in Path("/proc/self/cgroup").read_text().splitlines() if l.startswith("0::"))
            root = Path(fields[1] + own.rstrip("/"))
            if os.access(root, os.W_OK):
                return root
    return None


CGROUP_ROOT = cgroup_root()
PROFILES = ["none"] + (["cgroup"] if CGROUP_ROOT else [])


def become_subreaper():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


class Control:
    """One control connection."""

    def __init__(self, sock):
        self.sock = sock
        self.kept = []

    def send(self, kind, slot=0, body=b"", fds=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"<{len(fds)}i", *fds))] if fds else []
        self.sock.sendmsg([struct.pack("<HHI", kind, 0, slot) + body], ancillary)

    def receive(self, bound=BOUND):
        if not select.select([self.sock], [], [], bound)[0]:
            raise AssertionError(f"no control frame within {bound} s")
        try:
            data, ancillary, flags, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(32))
        except ConnectionResetError:
            raise Gone from None
        if not data:
            raise Gone
        fds = []
        for level, kind, payload in ancillary:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            fds += struct.unpack(f"<{len(payload) // 4}i", payload)
        kind, _, slot = struct.unpack_from("<HHI", data)
        return kind, slot, data[8:], fds

    def wait(self, wanted, slot=None, bound=BOUND):
        """The next frame of a kind (and slot); others are kept in order."""
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        matches = lambda frame: frame[0] in kinds and (slot is None or frame[1] == slot)
        for i, frame in enumerate(self.kept):
            if matches(frame):
                return self.kept.pop(i)
        deadline = time.monotonic() + bound
        while True:
            frame = self.receive(max(0.0, deadline - time.monotonic()))
            if matches(frame):
                return frame
            self.kept.append(frame)


class Attempt:
    """One spawned attempt, as the host sees it."""

    def __init__(self, zygote, slot, handler, args, limits, directory, environment, run_id, number, deadline, scratch,
                 prepared, pooled, sandbox=b""):
        self.zygote, self.slot, self.run_id = zygote, slot, run_id
        self.buffer = b""
        self.frames = []
        self.board, self.board_fd, self.place, self.waiting = None, None, 0, []
        self.cgroup = None
        self.data, child_data = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        crash_read, crash_write = os.pipe()
        self.out, self.err, self.crash_pipe = out_read, err_read, crash_read
        for fd in (out_read, err_read, crash_read):
            os.set_blocking(fd, False)
        fds = [child_data.fileno(), out_write, err_write, crash_write]
        flags, monitor_end, cgroup_fd = 0, None, -1
        if zygote.profile == "cgroup":
            self.cgroup = zygote.cgroup / f"run-{slot}-{run_id}"
            self.cgroup.mkdir()
            cgroup_fd = os.open(self.cgroup, os.O_PATH | os.O_DIRECTORY)
            fds.append(cgroup_fd)
            flags |= HAS_CGROUP
            self.keeper = zygote.control
        else:
            mine, monitor_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            fds.append(monitor_end.fileno())
            flags |= HAS_MONITOR
            self.keeper = Control(mine)
        if pooled:
            flags |= POOLED
        self.scratch = scratch
        if handler is not None:
            self.give(handler, args, number, deadline, prepared)
        entries = entries_of(environment)
        path = directory.encode()
        body = struct.pack("<QIIQQQIIQiIII", run_id, number, flags, limits.get("cpu_ms", 0),
                           limits.get("memory_bytes", 0),
                           limits.get("file_bytes", 0), limits.get("open_files", 0), limits.get("processes", 0),
                           limits.get("stack_bytes", 0), limits.get("nice", 0), len(entries), len(path), len(sandbox))
        self.sent_at = time.perf_counter()
        zygote.control.send(SPAWN, slot, body + entries + path + sandbox, fds)
        child_data.close()
        for fd in (out_write, err_write, crash_write):
            os.close(fd)
        if cgroup_fd >= 0:
            os.close(cgroup_fd)
        if monitor_end is not None:
            monitor_end.close()
        self.pid = self.monitor_pid = self.pidfd = None

    def give(self, handler, args, number=1, deadline=(1 << 63) - 1, prepared=True, environment=None, cpu_ms=0, flags=0,
             run_id=None):
        """RUN and ARGS."""
        index = self.zygote.handlers.index(handler) if isinstance(handler, str) else handler
        payload = args if isinstance(args, bytes) else json.dumps(args).encode()
        entries = entries_of(environment or {})
        texts = [handler.encode() if isinstance(handler, str) else b"job", b"00-trace-01", self.scratch.encode(),
                 f"run_{self.run_id:013}".encode()]
        if self.board is not None:
            self.place = self.place % 63 + 1
            struct.pack_into("<I", self.board, 4 * self.place, OFFERED)
        head = struct.pack("<IIqQ4IIIQ", number, index, deadline, len(payload), *map(len, texts), len(entries), self.place, cpu_ms)
        run_id = self.run_id if run_id is None else run_id
        self.send(RUN, head + b"".join(texts) + entries, flags, run_id)
        if prepared:
            for at in range(0, len(payload), 50000):
                self.send(ARGS, payload[at:at + 50000], run_id=run_id)

    def again(self, handler, args=None, **how):
        """The next run of a child that waits for one."""
        self.run_id = self.zygote.next_run
        self.zygote.next_run += 1
        self.give(handler, {} if args is None else args, **how)

    def with_board(self):
        """From here on runs may be sent ahead."""
        fd = os.memfd_create("board")
        os.ftruncate(fd, 4096)
        self.board, self.board_fd = mmap.mmap(fd, 4096), fd
        return self

    def ahead(self, handler, args=None, **how):
        """A run for a child that is not done with another; its id and its place."""
        run = self.zygote.next_run
        self.zygote.next_run += 1
        self.give(handler, {} if args is None else args, flags=AHEAD, run_id=run, **how)
        self.waiting.append(run)
        return run, self.place

    def word(self, place):
        return struct.unpack_from("<I", self.board, 4 * place)[0]

    def withdraw(self, run, place):
        assert self.word(place) == OFFERED
        struct.pack_into("<I", self.board, 4 * place, WITHDRAWN)
        self.waiting.remove(run)

    def idle(self):
        """What IDLE tells."""
        names = ("flags reset_status processes descriptors threads reserved rss_bytes user_us system_us max_rss_bytes "
                 "minor_faults major_faults blocks_in blocks_out voluntary_switches involuntary_switches").split()
        return dict(zip(names, struct.unpack("<IiIIII10Q", self.wait(IDLE)[2])))

    def send(self, kind, payload=b"", flags=0, run_id=None):
        run_id = self.run_id if run_id is None else run_id
        frame = struct.pack("<IHHQII", len(payload), kind, flags, run_id, 0, 0) + payload
        if self.board_fd is not None:
            frame = frame[socket.send_fds(self.data, [frame], [self.board_fd]):]
            os.close(self.board_fd)
            self.board_fd = None
        self.data.sendall(frame)

    def spawned(self):
        kind, _, body, fds = self.keeper.wait((SPAWNED, SPAWN_FAILED), self.slot)
        assert kind == SPAWNED, f"SPAWN_FAILED {struct.unpack('<iI', body)}"
        self.pid, self.monitor_pid, self.spawned_ns = struct.unpack("<IIQ", body)
        self.pidfd = fds[0]
        for fd in fds[1:]:
            os.close(fd)
        return self

    def next_frame(self, bound=BOUND):
        deadline = time.monotonic() + bound
        while True:
            if len(self.buffer) >= 24:
                length, kind, flags, run_id, sequence, _ = struct.unpack_from("<IHHQII", self.buffer)
                assert length <= 1 << 20, "frame too long"
                if len(self.buffer) >= 24 + length:
                    payload, self.buffer = self.buffer[24:24 + length], self.buffer[24 + length:]
                    assert run_id == self.run_id and sequence == len(self.frames), (run_id, sequence, len(self.frames))
                    self.frames.append((kind, flags, payload))
                    if kind == IDLE and self.waiting and struct.unpack_from("<I", payload)[0] & CLEAN:
                        self.run_id = self.waiting.pop(0)  # It goes on by itself.
                    return kind, flags, payload
            if not select.select([self.data], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"no data frame within {bound} s")
            try:
                got = self.data.recv(1 << 20)
            except ConnectionResetError:
                got = b""
            if not got:
                raise Gone
            self.buffer += got

    def wait(self, *kinds, bound=BOUND):
        while True:
            frame = self.next_frame(bound)
            if frame[0] in kinds:
                return frame

    def wait_log(self, message):
        while True:
            line = parse_log(self.wait(LOG)[2])
            if line["message"].startswith(message):
                return line

    def end(self):
        """The one ending: ("result", value) ("bytes", (bytes, type)) ("none", None) ("failure", {...}) ("snooze", ms)
        or ("gone", None) where the child ended without one."""
        try:
            kind, flags, payload = self.wait(RESULT, FAILURE, SNOOZE)
        except Gone:
            return "gone", None
        if kind == SNOOZE:
            return "snooze", struct.unpack("<q", payload)[0]
        if kind == FAILURE:
            return "failure", parse_failure(payload)
        _, is_json, total, media_length, has_result = struct.unpack_from("<IIQII", payload)
        media_type, value = payload[24:24 + media_length].decode(), payload[24 + media_length:]
        while flags & 1:
            _, flags, more = self.wait(RESULT)
            value += more
        assert len(value) == total, (len(value), total)
        if not has_result:
            return "none", None
        return ("result", json.loads(value.decode(errors="replace"))) if is_json else ("bytes", (value, media_type))

    def rest(self):
        """Reads to the end of the data."""
        try:
            while True:
                self.next_frame()
        except Gone:
            return

    def exited(self, bound=BOUND):
        body = self.keeper.wait(EXITED, self.slot, bound)[2]
        names = ("pid code status reserved user_us system_us max_rss_bytes minor_faults major_faults blocks_in "
                 "blocks_out voluntary_switches involuntary_switches monotonic_ns").split()
        return dict(zip(names, struct.unpack("<Iiii9QQ", body)))

    def signal(self, number):
        self.keeper.send(SIGNAL, self.slot, struct.pack("<iI", number, 0))

    def kill(self):
        self.keeper.send(KILL, self.slot)

    def reap(self, bound=BOUND):
        """REAP and EMPTY; returns {killed, survivors}."""
        self.keeper.send(REAP, self.slot)
        killed, survivors, _ = struct.unpack_from("<IIQ", self.keeper.wait(EMPTY, self.slot, bound)[2])
        if self.cgroup:
            until(lambda: "populated 0" in (self.cgroup / "cgroup.events").read_text(), bound, "an empty cgroup")
        return {"killed": killed, "survivors": survivors}

    def crash(self):
        """The crash record, or None."""
        try:
            record = os.read(self.crash_pipe, 65536)
        except BlockingIOError:
            return None
        if not record:
            return None
        # Registers follow, and what was mapped where.
        (magic, version, number, code, thread, address, pc, sp, size, name, count, overflow,
         *frames) = CRASH.unpack_from(record)
        assert magic == CRASH_MAGIC and version == 2
        if number == 0:
            return None  # A call of exit() leaves a record too.
        return {"signal": number, "code": code, "thread": thread, "address": address, "pc": pc, "sp": sp, "size": size,
                "thread_name": name.split(b"\0")[0].decode(), "overflow": overflow, "frames": frames[:count]}

    def output(self, which):
        """All that stdout or stderr has now."""
        text = b""
        try:
            while part := os.read(which, 65536):
                text += part
        except BlockingIOError:
            pass
        return text.decode(errors="replace")

    def finish(self):
        """The ordinary way: ending, EXITED, REAP, EMPTY. Returns (ending, exited)."""
        if self.pid is None:
            self.spawned()
        ending = self.end()
        exited = self.exited()
        self.reap()
        self.close()
        return ending, exited

    def close(self):
        self.data.close()
        for fd in (self.out, self.err, self.crash_pipe, self.pidfd):
            if fd is not None:
                os.close(fd)
        self.out = self.err = self.crash_pipe = self.pidfd = None
        if self.keeper is not self.zygote.control:
            self.keeper.sock.close()
        if self.cgroup:
            self.cgroup.rmdir()


SAME_USER = 0xffffffff


def strict(uid=SAME_USER, network=False, read=(), write=()):
    """The sandbox text of profile strict."""
    paths = [(1, p) for p in read] + [(2, p) for p in write]
    text = struct.pack("<IIIIII", 1, int(network), uid, uid, len(paths), 0)
    for access, path in paths:
        text += struct.pack("<II", access, len(str(path).encode())) + str(path).encode()
    return text


def entries_of(environment):
    return b"".join(f"{k}={v}".encode() + b"\0" for k, v in environment.items())


def parse_log(payload):
    at, level, flags, stage, message, fields, _ = struct.unpack_from("<QBBHIII", payload)
    text = payload[24:]
    return {"unix_us": at, "level": level, "flags": flags, "stage": text[:stage].decode(),
            "message": text[stage:stage + message].decode(),
            "fields": text[stage + message:stage + message + fields].decode()}


def parse_progress(payload):
    current, total, at, stage, unit, message, count, _ = struct.unpack_from("<QQQHHIII", payload)
    text, counters = payload[40:], {}
    rest = text[stage + unit + message:]
    for _ in range(count):
        value, length = struct.unpack_from("<qH", rest)
        counters[rest[10:10 + length].decode()] = value
        rest = rest[10 + length:]
    assert not rest
    return {"current": current, "total": total, "stage": text[:stage].decode(),
            "unit": text[stage:stage + unit].decode(),
            "message": text[stage + unit:stage + unit + message].decode(), "counters": counters}


def parse_failure(payload):
    status, retry, not_before, code, message, details, _ = struct.unpack_from("<iiqIIII", payload)
    text = payload[32:]
    return {"status": status, "retry": retry, "not_before": not_before, "code": text[:code].decode(),
            "message": text[code:code + message].decode(),
            "details": text[code + message:code + message + details].decode()}


class Refused(Exception):
    def __init__(self, reason, message):
        super().__init__(f"{reason}: {message}")
        self.reason, self.message = reason, message


class Zygote:
    """A zygote with a plugin. Use with `with`."""

    def __init__(self, plugin, profile="none", config="", flags=0, image_bytes=None, environment=None, binary=None,
                 wait=True,
                 parent=None):
        self.profile, self.plugin = profile, Path(plugin)
        self.notes, self.next_slot, self.next_run = [], 1, 1
        self.cgroup = None
        if profile == "cgroup":
            self.cgroup = CGROUP_ROOT / f"pawl-test-{os.getpid()}-{time.monotonic_ns()}"
            self.cgroup.mkdir()
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        its_number = its.fileno()
        self.log = tempfile.TemporaryFile()

        def place():
            os.dup2(its_number, 3)
        sanitizers = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
        self.process = subprocess.Popen([str(binary or BIN / "pawl-zygote")], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, pass_fds=(3,), preexec_fn=place,
                                        start_new_session=True,
                                        env={"SWIFT_BACKTRACE": "enable=no", **sanitizers, **(environment or {})})
        its.close()
        self.control = Control(mine)
        path, text = str(plugin).encode(), config.encode()
        if image_bytes is None:
            image_bytes = self.plugin.stat().st_size if self.plugin.exists() else 0
        self.control.send(HELLO, 0, struct.pack("<IIQIIII", WIRE, parent or os.getpid(), image_bytes, len(path), len(text),
                                                1 if profile == "cgroup" else 0, flags) + path + text)
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.close()
                raise

    def wait_ready(self, bound=BOUND):
        manifest = b""
        while True:
            kind, _, body, _ = self.control.receive(bound)
            if kind == NOTE:
                self.notes.append(body.decode())
            elif kind == MANIFEST:
                manifest += body
            elif kind == REFUSED:
                reason, length = struct.unpack_from("<II", body)
                raise Refused(REASONS[reason], body[8:8 + length].decode(errors="replace"))
            elif kind == READY:
                names = "wire_version fork_mode threads open_fds rss_bytes load_ns plugin_flags".split()
                self.ready = dict(zip(names, struct.unpack("<IIIIQQQ", body)))
                break
            else:
                raise AssertionError(f"unexpected control frame {kind}")
        if manifest:
            self.manifest = json.loads(manifest)
            self.handlers = [h["name"] for h in self.manifest["handlers"]]
        return self

    @property
    def pid(self):
        return self.process.pid

    def spawn(self, handler, args=None, limits=None, directory="/", environment=None, number=1, deadline=(1 << 63) - 1,
              scratch="", prepared=True, pooled=False, sandbox=b""):
        """Without a handler: a child that waits for `again`."""
        slot, run = self.next_slot, self.next_run
        self.next_slot, self.next_run = slot + 1, run + 1
        return Attempt(self, slot, handler, {} if args is None else args, limits or {}, directory, environment or {},
                       run, number, deadline, scratch, prepared, pooled, sandbox)

    def run(self, handler, args=None, **how):
        """(ending, exited) of one attempt, the ordinary way."""
        return self.spawn(handler, args, **how).finish()

    def close(self):
        self.control.sock.close()
        try:
            self.process.wait(BOUND)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the zygote did not end when its host was gone") from None
        finally:
            self.log.close()
            if self.cgroup:
                for leaf in [d for d in self.cgroup.iterdir() if d.is_dir()]:
                    until(lambda: "populated 0" in (leaf / "cgroup.events").read_text(), what=f"an empty {leaf}")
                    leaf.rmdir()
                self.cgroup.rmdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
