"""A PostgreSQL of one's own, on a Unix socket only, that can be stopped and started under a host."""

import os
import pwd
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path


class Cluster:
    """One cluster; `directory` must not be there yet. As root it runs as the user postgres."""

    def __init__(self, directory, settings=""):
        self.directory = directory
        self.settings = settings
        self.looks = {}
        self.bindir = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        self.user = []
        directory.mkdir()
        if os.getuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(directory, entry.pw_uid, entry.pw_gid)
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        # A socket's path has room for 107 bytes.
        self.sockets = Path(tempfile.mkdtemp(prefix="pg-"))
        self.sockets.chmod(0o777)
        self._run("initdb", "-D", str(directory / "db"), "-A", "trust", "-U", "pawl", "-E", "UTF8", "--locale=C.UTF-8",
                  "--no-sync")
        self.start()
        self.create("pawl")

    def _run(self, program, *arguments):
        done = subprocess.run([*self.user, str(self.bindir / program), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", timeout=120)
        assert done.returncode == 0, done.stdout.decode(errors="replace")

    def start(self):
        self._run("pg_ctl", "-D", str(self.directory / "db"), "-w", "-l", str(self.directory / "log"), "-o",
                  f"-c listen_addresses='' -c unix_socket_directories={self.sockets} {self.settings}", "start")

    def stop(self, mode="fast"):
        self._look_away()
        self._run("pg_ctl", "-D", str(self.directory / "db"), "-w", "-m", mode, "stop")

    def create(self, database):
        """Makes a database; its URL."""
        self._run("createdb", "-h", str(self.sockets), "-U", "pawl", database)
        return self.url_of(database)

    def url_of(self, database):
        return f"host={self.sockets} user=pawl dbname={database}"

    @property
    def url(self):
        return self.url_of("pawl")

    def query(self, sql, database="pawl"):
        """Rows as psql prints them: columns with |, one row per line."""
        # Not the one of PATH: Debian's is a script around it that costs ten times as much.
        done = subprocess.run([str(self.bindir / "psql"), "-h", str(self.sockets), "-U", "pawl", "-d", database, "-At", "-v", "ON_ERROR_STOP=1",
                               "-c", sql], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def look(self, sql, database="pawl"):
        """As `query`, over a connection that stays open until the server stops: for what is asked again and again while
        something is measured. A new psql and a new server process for each look would use a tenth of two processors.
        After a failure the next look has a new connection."""
        psql = self.looks.pop(database, None)
        if psql is None:
            psql = subprocess.Popen(
                [str(self.bindir / "psql"), "-X", "-h", str(self.sockets), "-U", "pawl", "-d", database, "-qAt", "-v", "ON_ERROR_STOP=1"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        try:
            rows = self._answer(psql, sql)
        except BaseException:
            self._end(psql)
            raise
        self.looks[database] = psql
        return rows.decode().strip()

    @staticmethod
    def _answer(psql, sql, bound=60):
        psql.stdin.write(f"{sql};\n\\echo =\n".encode())
        rows, deadline = b"", time.monotonic() + bound
        while rows != b"=\n" and not rows.endswith(b"\n=\n"):
            ready, _, _ = select.select([psql.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no answer within {bound} s: {sql}"
            piece = os.read(psql.stdout.fileno(), 1 << 16)
            assert piece, f"psql has ended: {sql}"
            rows += piece
        return rows[:-2]

    @staticmethod
    def _end(psql):
        psql.kill()
        psql.wait()
        psql.stdin.close()
        psql.stdout.close()

    def _look_away(self):
        looks, self.looks = self.looks, {}
        for psql in looks.values():
            self._end(psql)

    def remove(self):
        """Stops it at once and takes its socket's directory away; its data stays in `directory`."""
        try:
            self.stop("immediate")
        except AssertionError:
            pass  # It was stopped already.
        shutil.rmtree(self.sockets, ignore_errors=True)
