"""A primary PostgreSQL with a streaming standby, on Unix sockets only: killed and promoted by hand, as an operator would do it.

Commits wait for the standby as long as there is one. After a failover `rebuild` makes a new standby of the other place.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from pawl_processes import descendants, still_alive, until

SETTINGS = "-c max_connections=200 -c wal_keep_size=256MB -c max_wal_size=512MB -c wal_retrieve_retry_interval=500ms"


class Node:
    """One server of the pair, in a directory of its own."""

    def __init__(self, pair, name):
        self.pair, self.name = pair, name
        self.data, self.log = pair.directory / name, pair.directory / f"{name}.log"
        self.sockets = pair.sockets / name
        self.sockets.mkdir()
        self.sockets.chmod(0o777)

    def run(self, program, *arguments):
        done = subprocess.run([*self.pair.user, str(self.pair.bindir / program), *map(str, arguments)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", timeout=120)
        assert done.returncode == 0, f"{program} {self.name}: {done.stdout.decode(errors='replace')}"

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-l", self.log, "-o",
                 f"-c listen_addresses='' -c unix_socket_directories={self.sockets} {SETTINGS} {self.pair.settings}", "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    @property
    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def kill(self):
        """kill -9 of the whole server: nothing of it commits any more when this returns."""
        pid = self.pid
        tree = descendants(pid)
        entry = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        os.kill(pid, signal.SIGKILL)
        for child in still_alive(tree):
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass  # It ended with its postmaster.
        until(lambda: not still_alive({**tree, pid: entry}), 20, f"the end of {self.name}")
        # Its number may be somebody else's by the time of the next start, which would take that one for this server.
        for file in self.sockets.glob(".s.PGSQL.*"):
            file.unlink()

    def query(self, sql, database="pawl"):
        return self.pair.psql(f"host={self.sockets} user=pawl dbname={database}", sql)

    def synchronous(self, names):
        """Which standbys a commit waits for. In a file that a standby's copy does not keep."""
        (self.data / "sync.conf").write_text(f"synchronous_standby_names = '{names}'\n")
        (self.data / "sync.conf").chmod(0o644)
        self.run("pg_ctl", "-D", self.data, "reload")

    def copy_of(self, other):
        """Becomes a standby of another, from nothing."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.run("pg_basebackup", "-h", other.sockets, "-U", "pawl", "-D", self.data, "-R", "-X", "stream", "-c", "fast",
                 "--no-sync", "-d", f"application_name={self.name}")
        (self.data / "sync.conf").unlink(missing_ok=True)
        self.start()

    @property
    def is_streaming_to_standby(self):
        return self.query("select count(*) from pg_stat_replication where state = 'streaming'", "postgres") == "1"


class Pair:
    """`primary` and `standby` change places with each failover; `url` names both and means whoever takes writes."""

    def __init__(self, directory, settings=""):
        self.directory, self.settings = directory, settings
        self.bindir = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        self.user = []
        directory.mkdir()
        # A socket's path has room for 107 bytes.
        self.sockets = Path(tempfile.mkdtemp(prefix="pg-"))
        self.sockets.chmod(0o777)
        self.primary, self.standby = Node(self, "a"), Node(self, "b")
        if os.getuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(directory, entry.pw_uid, entry.pw_gid)
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        first = self.primary
        first.run("initdb", "-D", first.data, "-A", "trust", "-U", "pawl", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        with open(first.data / "postgresql.conf", "a") as file:
            file.write("include_if_exists 'sync.conf'\n")
        first.start()
        first.run("createdb", "-h", first.sockets, "-U", "pawl", "pawl")
        self.attach()

    def attach(self):
        """Gives the primary its standby; from the return on commits wait for it."""
        self.standby.copy_of(self.primary)
        until(lambda: self.primary.is_streaming_to_standby, 60, "the standby's stream")
        self.primary.synchronous("*")
        until(lambda: self.primary.query("show synchronous_standby_names") == "*", 20, "commits that wait for the standby")
        self.settle()

    def settle(self):
        """When it returns the standby has all that was committed before, also what did not wait for it: what a server that was
        killed had written alone is visible after its restart."""
        until(lambda: self.primary.is_streaming_to_standby, 60, "the standby's stream")
        self.primary.query("select pg_logical_emit_message(true, 'pawl', '')", "postgres")

    def fail_over(self):
        """The primary is gone from one moment to the next, and the standby takes its place."""
        self.primary.kill()
        self.primary, self.standby = self.standby, self.primary
        self.primary.run("pg_ctl", "-D", self.primary.data, "-w", "promote")

    @property
    def url(self):
        hosts = sorted([self.primary, self.standby], key=lambda node: node.name)
        return (f"host={','.join(str(node.sockets) for node in hosts)} user=pawl dbname=pawl target_session_attrs=read-write "
                "connect_timeout=3")

    def psql(self, url, sql):
        done = subprocess.run(["psql", url, "-At", "-v", "ON_ERROR_STOP=1", "-c", sql], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def query(self, sql):
        """Rows as psql prints them, from whoever takes writes."""
        return self.psql(self.url, sql)

    def remove(self):
        """Stops both at once and takes their sockets' directory away; the data stays in `directory`."""
        for node in (self.primary, self.standby):
            try:
                node.stop("immediate")
            except (AssertionError, OSError):
                pass  # It was stopped already.
        shutil.rmtree(self.sockets, ignore_errors=True)
