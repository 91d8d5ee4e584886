"""http.fetch, sql.run, shell.exec and their kin, on real input in real zygotes. A library that is missing skips its plugin's tests."""

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "zygote"))
import driver  # noqa: E402
from driver import BIN, PROFILES, Zygote  # noqa: E402

PLUGINS = BIN / "plugins"
FAILED, RETRY, CANCELLED, TIMEOUT, INVALID_INPUT = 1, 2, 3, 4, 5
NEVER, YES = 1, 2
STOPPED_WITHIN = 0.1  # seconds from the cancellation to the ending


class Case(unittest.TestCase):
    plugin = None

    @classmethod
    def setUpClass(cls):
        file = PLUGINS / f"{cls.plugin}.so"
        if not file.exists():
            raise unittest.SkipTest(f"{file} is not built: a library is missing")
        cls.zygotes = {profile: Zygote(file, profile) for profile in PROFILES}
        cls.zygote = cls.zygotes[PROFILES[-1]]

    @classmethod
    def tearDownClass(cls):
        for zygote in cls.zygotes.values():
            zygote.close()

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def run_one(self, handler, args, **how):
        return self.zygote.spawn(handler, args, **how).finish()[0]

    def run_all(self, handler, args, **how):
        """(ending, log lines, last progress)"""
        attempt = self.zygote.spawn(handler, args, **how).spawned()
        ending = attempt.end()
        attempt.exited()
        attempt.reap()
        attempt.close()
        log = [driver.parse_log(p) for kind, _, p in attempt.frames if kind == driver.LOG]
        progress = [driver.parse_progress(p) for kind, _, p in attempt.frames if kind == driver.PROGRESS]
        return ending, log, progress[-1] if progress else None

    def refused(self, handler, args, words):
        kind, failure = self.run_one(handler, args)
        self.assertEqual((kind, failure["status"]), ("failure", INVALID_INPUT), failure)
        self.assertIn(words, failure["message"])

    def cancel(self, handler, args, ready, within=STOPPED_WITHIN):
        """Cancels in the middle, in every profile; `ready` waits for it."""
        for profile, zygote in self.zygotes.items():
            with self.subTest(profile):
                attempt = zygote.spawn(handler, args).spawned()
                ready(attempt)
                began = time.monotonic()
                attempt.send(driver.CANCEL)
                kind, failure = attempt.end()
                took = time.monotonic() - began
                attempt.exited()
                left = attempt.reap()
                attempt.close()
                self.assertEqual((kind, failure and failure["status"]), ("failure", CANCELLED))
                self.assertLess(took, within)
                self.assertEqual(left["killed"], 0)

    def test_schemas_are_json_and_closed(self):
        for handler in self.zygote.manifest["handlers"]:
            schema = handler["args_schema"]
            schema = json.loads(schema) if isinstance(schema, str) else schema
            self.assertIs(schema["additionalProperties"], False)
            result = handler["result_schema"]
            self.assertTrue(json.loads(result) if isinstance(result, str) else result)
            self.refused(handler["name"], {"no_such_arg": 1}, "no_such_arg")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.content, self.tag, self.requests, self.answers = b"", '"one"', [], []
        self.stop_after, self.hold = None, threading.Event()
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def handle_error(self, request, client_address):
        """A client that goes away in the middle is what some tests want."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def url(self, path="/file"):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def close(self):
        self.hold.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if server.answers:
            status, headers = server.answers.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"error")
            return
        body, first = server.content, 0
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range") == server.tag:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", server.tag)
        self.send_header("Content-Type", "text/x-test")
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        end = len(body) if server.stop_after is None else min(len(body), server.stop_after)
        try:
            self.wfile.write(body[first:end])
        except ConnectionError:
            self.close_connection = True  # it was too much for the client
            return
        if end < len(body):
            self.wfile.flush()
            if self.path == "/hold":
                server.hold.wait(driver.BOUND)
            self.close_connection = True


class HTTPFetch(Case):
    plugin = "http"

    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)
        self.server.content = os.urandom(3_000_000)
        self.output = self.directory / "file"
        self.args = {"url": self.server.url(), "output": str(self.output)}

    def only_output(self):
        self.assertEqual([p.name for p in self.directory.iterdir()], ["file"])

    def test_download(self):
        digest = hashlib.sha256(self.server.content).hexdigest()
        more = {"sha256": digest.upper(), "headers": ["X-Key: abc"], "url": self.server.url("/moved")}
        (kind, value), _, progress = self.run_all("http.fetch", {**self.args, **more})
        self.assertEqual(kind, "result", value)
        self.assertEqual(value, {"bytes": 3_000_000, "sha256": digest, "status": 200, "resumed_bytes": 0,
                                 "content_type": "text/x-test", "url": self.server.url(), "output": str(self.output)})
        self.assertEqual(self.output.read_bytes(), self.server.content)
        self.assertEqual(self.server.requests[-1]["X-Key"], "abc")
        self.assertEqual((progress["stage"], progress["current"], progress["total"], progress["unit"]),
                         ("Downloading", 3_000_000, 3_000_000, "bytes"))
        self.only_output()

    def test_an_empty_file(self):
        self.server.content = b""
        kind, value = self.run_one("http.fetch", self.args)
        self.assertEqual((kind, value["bytes"]), ("result", 0))
        self.assertEqual(self.output.read_bytes(), b"")

    def again(self, args, run):
        self.zygote.next_run = run
        return self.run_one("http.fetch", args, number=2)

    def test_the_next_attempt_goes_on(self):
        self.server.stop_after = 1_000_000
        run = self.zygote.next_run
        kind, failure = self.run_one("http.fetch", self.args)
        self.assertEqual((kind, failure["status"], failure["retry"]), ("failure", RETRY, YES))
        self.assertFalse(self.output.exists())
        self.server.stop_after = None
        kind, value = self.again(self.args, run)
        self.assertEqual((kind, value["status"], value["resumed_bytes"]), ("result", 206, 1_000_000))
        self.assertEqual(value["sha256"], hashlib.sha256(self.server.content).hexdigest())
        self.assertEqual(self.output.read_bytes(), self.server.content)
        self.only_output()

    def test_a_file_that_changed_meanwhile_begins_anew(self):
        self.server.stop_after = 1_000_000
        run = self.zygote.next_run
        self.run_one("http.fetch", self.args)
        self.server.stop_after, self.server.tag, self.server.content = None, '"two"', os.urandom(2_000_000)
        kind, value = self.again(self.args, run)
        self.assertEqual((kind, value["status"], value["resumed_bytes"]), ("result", 200, 0))
        self.assertEqual(self.output.read_bytes(), self.server.content)
        self.only_output()

    def test_refusals(self):
        for status, headers, retry, later in [(503, {"Retry-After": "120"}, YES, 120), (500, {}, YES, None), (404, {}, NEVER, None),
                                              (429, {"Retry-After": "7"}, YES, 7), (401, {"Retry-After": "7"}, NEVER, None)]:
            with self.subTest(status):
                self.server.answers = [(status, headers)]
                kind, failure = self.run_one("http.fetch", self.args)
                self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", f"http_{status}", retry))
                self.assertEqual(json.loads(failure["details"])["status"], status)
                if later is None:
                    self.assertEqual(failure["not_before"], 0)
                else:
                    self.assertAlmostEqual(failure["not_before"], (time.time() + later) * 1000, delta=5000)
                self.assertEqual(list(self.directory.iterdir()), [])

    def test_wrong_bytes_never_get_the_name(self):
        self.output.write_bytes(b"old")
        kind, failure = self.run_one("http.fetch", {**self.args, "sha256": "0" * 64})
        self.assertEqual((kind, failure["code"]), ("failure", "checksum"))
        kind, failure = self.run_one("http.fetch", {**self.args, "max_bytes": 1000})
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "too_large", NEVER))
        kind, failure = self.run_one("http.fetch", {**self.args, "overwrite": False})
        self.assertEqual((kind, failure["code"]), ("failure", "exists"))
        self.assertEqual(self.output.read_bytes(), b"old")
        self.only_output()

    def test_nobody_there(self):
        kind, failure = self.run_one("http.fetch", {**self.args, "url": "http://127.0.0.1:1/x"})
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "curl_7", YES))

    def test_wrong_args(self):
        self.refused("http.fetch", {"output": "/x"}, '"url" is missing')
        self.refused("http.fetch", {**self.args, "url": "file:///etc/passwd"}, "must begin with http")
        self.refused("http.fetch", {**self.args, "output": "x"}, "absolute path")
        self.refused("http.fetch", {**self.args, "sha256": "x"}, "64 hex digits")
        self.refused("http.fetch", {**self.args, "headers": ["a: b\r\nc: d"]}, "line breaks")

    def test_cancel_while_the_server_is_silent(self):
        self.server.stop_after = 1000
        self.cancel("http.fetch", {**self.args, "url": self.server.url("/hold")}, lambda a: a.wait(driver.PROGRESS))
        self.assertEqual(list(self.directory.iterdir()), [])


class ShellExec(Case):
    plugin = "shell"

    def test_output_is_the_log(self):
        args = {"argv": ["sh", "-c", "pwd; echo $A; echo oops >&2; cat; printf last"], "env": ["A=one", "A=two words"],
                "directory": str(self.directory), "stdin": "fed\n"}
        (kind, value), log, progress = self.run_all("shell.exec", args)
        self.assertEqual(kind, "result", value)
        self.assertEqual((value["exit_code"], value["stdout_tail"]), (0, f"{self.directory}\ntwo words\nfed\nlast"))
        self.assertEqual([l["message"] for l in log if l["level"] == 1], [str(self.directory), "two words", "fed", "last"])
        self.assertEqual([l["message"] for l in log if l["level"] == 2], ["oops"])
        self.assertEqual(progress["counters"], {"stdout_lines": 4, "stderr_lines": 1})

    def test_no_shell(self):
        kind, value = self.run_one("shell.exec", {"argv": ["echo", "$HOME; rm *", "`x`"]})
        self.assertEqual(value["stdout_tail"], "$HOME; rm * `x`\n")

    def test_environment(self):
        kind, value = self.run_one("shell.exec", {"argv": ["/usr/bin/env"], "clean_env": True, "env": ["B=1"]}, environment={"C": "2"})
        self.assertEqual(value["stdout_tail"], "B=1\n")
        kind, value = self.run_one("shell.exec", {"argv": ["/usr/bin/env"], "env": ["B=1"]}, environment={"C": "2"})
        self.assertLessEqual({"B=1", "C=2"}, set(value["stdout_tail"].splitlines()))

    def test_exit_codes(self):
        kind, failure = self.run_one("shell.exec", {"argv": ["sh", "-c", "echo why >&2; exit 3"]})
        self.assertEqual((kind, failure["code"]), ("failure", "exit_3"))
        self.assertEqual(failure["message"], "sh exited with code 3: why")
        self.assertEqual(json.loads(failure["details"]), {"exit_code": 3})
        kind, value = self.run_one("shell.exec", {"argv": ["sh", "-c", "exit 3"], "success_codes": [1, 3]})
        self.assertEqual((kind, value["exit_code"]), ("result", 3))
        kind, failure = self.run_one("shell.exec", {"argv": ["sh", "-c", "kill -9 $$"]})
        self.assertEqual((kind, failure["code"]), ("failure", "signal_9"))
        kind, failure = self.run_one("shell.exec", {"argv": ["/no/such/program"]})
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "exec", NEVER))

    def test_much_output_and_much_input(self):
        text = "x" * 999 + "\n"
        (kind, value), log, _ = self.run_all("shell.exec", {"argv": ["cat"], "stdin": text * 100})
        self.assertEqual((kind, value["stdout_bytes"], value["stdout_lines"]), ("result", 100_000, 100))
        self.assertEqual(value["stdout_tail"], (text * 100)[-65536:])
        kind, value = self.run_one("shell.exec", {"argv": ["true"], "stdin": text * 100})
        self.assertEqual((kind, value["exit_code"]), ("result", 0))

    def test_a_background_child_does_not_hold_it(self):
        began = time.monotonic()
        attempt = self.zygote.spawn("shell.exec", {"argv": ["sh", "-c", "sleep 60 & echo done"]}).spawned()
        kind, value = attempt.end()
        self.assertEqual((kind, value["stdout_tail"]), ("result", "done\n"))
        self.assertLess(time.monotonic() - began, 5)
        attempt.exited()
        attempt.reap()
        attempt.close()

    def test_cancel_ends_the_group(self):
        # Its child would outlive it; the group does not.
        args = {"argv": ["sh", "-c", "sleep 61 & echo up; wait"]}
        self.cancel("shell.exec", args, lambda a: a.wait_log("up"), within=0.2)

    def test_cancel_of_one_that_refuses(self):
        args = {"argv": ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"], "grace_ms": 50}
        self.cancel("shell.exec", args, lambda a: a.wait_log("up"), within=0.4)

    def test_wrong_args(self):
        self.refused("shell.exec", {}, '"argv" must have the program')
        self.refused("shell.exec", {"argv": ["a", 1]}, '"argv" must hold strings only')
        self.refused("shell.exec", {"argv": ["a"], "env": ["=x"]}, "NAME=value")
        self.refused("shell.exec", {"argv": ["a"], "success_codes": [256]}, "from 0 to 255")
        self.refused("shell.exec", {"argv": ["a"], "directory": "here"}, "absolute path")


def postgres_bin():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) + [Path(p) for p in [shutil.which("initdb")] if p]
    return found[-1].parent if found else None


class SQLRun(Case):
    plugin = "sql"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        bin_directory = postgres_bin()
        if bin_directory is None:
            raise unittest.SkipTest("there is no PostgreSQL server")
        cls.place = tempfile.TemporaryDirectory()
        root = Path(cls.place.name)
        as_user = []
        if os.geteuid() == 0:
            shutil.chown(root, "postgres")
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
        subprocess.run([*as_user, str(bin_directory / "initdb"), "-D", str(root / "data"), "-U", "pawl", "-A", "trust",
                        "--no-sync", "-E", "UTF8"], check=True, **quiet)
        cls.server = subprocess.Popen([*as_user, str(bin_directory / "postgres"), "-D", str(root / "data"), "-k", str(root),
                                       "-c", "listen_addresses=", "-c", "fsync=off"], **quiet)
        cls.url = f"host={root} user=pawl dbname=postgres"
        driver.until(lambda: cls.zygote.run("sql.run", {"url": cls.url, "sql": "SELECT 1"})[0][0] == "result", what="the server")

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.server.terminate()
        cls.server.wait(driver.BOUND)
        cls.place.cleanup()

    def sql(self, text, **more):
        return self.run_one("sql.run", {"url": self.url, "sql": text, **more})

    def value(self, text, **more):
        kind, value = self.sql(text, **more)
        self.assertEqual(kind, "result", value)
        return value

    def test_types(self):
        row = self.value("SELECT 1 AS i, 9007199254740993::bigint AS b, 1.50::numeric AS n, 'NaN'::float8 AS nan, true AS t, NULL AS z, "
                         "'a\"\u00fc\n' AS s, '{\"k\":[1]}'::jsonb AS j, '2024-02-03'::date AS d")["rows"][0]
        self.assertEqual(row, {"i": 1, "b": 9007199254740993, "n": 1.5, "nan": "NaN", "t": True, "z": None, "s": 'a"\u00fc\n',
                               "j": {"k": [1]}, "d": "2024-02-03"})

    def test_parameters_are_never_sql(self):
        value = self.value("SELECT $1::text AS a, $2::int + 1 AS b", params=["'; DROP TABLE x", "41"])
        self.assertEqual(value["rows"], [{"a": "'; DROP TABLE x", "b": 42}])

    def test_counts_and_several_statements(self):
        value = self.value("CREATE TEMP TABLE t (n int); INSERT INTO t SELECT generate_series(1, 5); UPDATE t SET n = n WHERE n > 3; "
                           "SELECT n FROM t ORDER BY n")
        self.assertEqual((value["statements"], value["affected"], value["row_count"]), (4, 7, 5))
        self.assertEqual(value["rows"], [{"n": n} for n in range(1, 6)])

    def test_rows_are_bounded(self):
        ending, _, progress = self.run_all("sql.run", {"url": self.url, "sql": "SELECT generate_series(1, 50000) AS n", "max_rows": 3})
        value = ending[1]
        self.assertEqual((value["row_count"], value["truncated"], len(value["rows"])), (50000, True, 3))
        self.assertEqual(progress["counters"]["rows"], 50000)

    def test_all_or_nothing(self):
        self.value("DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int)")
        kind, failure = self.sql("INSERT INTO kept VALUES (1); SELECT 1/0")
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "sql_22012", NEVER))
        self.assertIn("division by zero", failure["message"])
        self.assertEqual(self.value("SELECT count(*) AS n FROM kept")["rows"], [{"n": 0}])
        kind, failure = self.sql("INSERT INTO kept VALUES (1)", read_only=True)
        self.assertEqual((kind, failure["code"]), ("failure", "sql_25006"))
        self.value("VACUUM kept", transaction=False)

    def test_errors(self):
        kind, failure = self.sql("SELEC 1")
        self.assertEqual((kind, failure["code"], json.loads(failure["details"])["position"]), ("failure", "sql_42601", 1))
        kind, failure = self.sql("SELECT pg_sleep(10)", statement_timeout_ms=50)
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "sql_57014", YES))
        kind, failure = self.sql("COPY (SELECT 1) TO STDOUT")
        self.assertEqual((kind, failure["code"]), ("failure", "copy"))
        kind, failure = self.run_one("sql.run", {"url": f"host={self.directory} user=pawl", "sql": "SELECT 1"})
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "connect", YES))

    def test_notices_are_log_lines(self):
        _, log, progress = self.run_all("sql.run", {"url": self.url, "sql": "DO $$BEGIN RAISE WARNING 'careful'; END$$"})
        self.assertIn("WARNING: careful", [l["message"] for l in log])
        self.assertEqual(progress["counters"]["warnings"], 1)

    def test_the_session_is_the_runs(self):
        run = self.zygote.next_run
        value = self.run_one("sql.run", {"url_env": "THE_URL", "sql": "SELECT current_setting('application_name') AS name"},
                             environment={"THE_URL": self.url})[1]
        self.assertEqual(value["rows"], [{"name": f"pawl run_{run:013}"}])

    def sessions(self, what):
        return self.value(f"SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%{what}%' AND pid <> pg_backend_pid()"
                          )["rows"][0]["n"]

    def test_cancel_reaches_the_server(self):
        text = "SELECT pg_sleep(61) /* nap */"
        self.cancel("sql.run", {"url": self.url, "sql": text}, lambda a: driver.until(lambda: self.sessions("nap */") == 1))
        driver.until(lambda: self.sessions("nap */") == 0, what="the session's end")

    def test_a_killed_run_leaves_no_session(self):
        attempt = self.zygote.spawn("sql.run", {"url": self.url, "sql": "SELECT pg_sleep(62) /* doze */"}).spawned()
        driver.until(lambda: self.sessions("doze */") == 1)
        attempt.kill()
        attempt.rest()
        attempt.exited()
        attempt.reap()
        attempt.close()
        driver.until(lambda: self.sessions("doze */") == 0, what="the session's end")

    def test_wrong_args(self):
        self.refused("sql.run", {"sql": " ; "}, '"sql" must not be empty')
        self.refused("sql.run", {"sql": "x", "url": "a", "url_env": "b"}, "exclude each other")
        self.refused("sql.run", {"sql": "x", "url_env": "NO_SUCH_VARIABLE"}, "does not have")
        self.refused("sql.run", {"sql": "x", "params": [1]}, "must hold strings only")


if __name__ == "__main__":
    driver.become_subreaper()
    del Case
    unittest.main()
