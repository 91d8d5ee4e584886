"""The plugins of this repository, and what a Swift plugin may do, in real zygotes and children."""

import json
import os
import statistics
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "zygote"))
import driver  # noqa: E402
from driver import BIN, FORK_CLONE3, PROFILES, ROOT, Refused, Zygote  # noqa: E402

PLUGINS = BIN / "plugins"
ZLIB = (ROOT / "plugins/ffi/zlib.pawl.json").read_text()
INVALID_INPUT, FAILED, CANCELLED = 5, 1, 3
RETRY_NEVER, RETRY_YES = 1, 2


def run(zygote, handler, args=None, **more):
    return zygote.spawn(handler, args, **more).finish()[0]


class TextStats(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def file(self, text):
        path = Path(self.directory.name, "text")
        path.write_text(text)
        return str(path)

    def test_counts_in_both_profiles(self):
        path = self.file("one two two\nthree")
        for profile in PROFILES:
            with self.subTest(profile), Zygote(PLUGINS / "text-stats.so", profile) as zygote:
                self.assertEqual((zygote.ready["threads"], zygote.ready["fork_mode"]), (1, FORK_CLONE3), zygote.notes)
                kind, value = run(zygote, "text.stats", {"path": path, "top": 1})
                self.assertEqual(kind, "result")
                self.assertEqual((value["lines"], value["words"], value["bytes"]), (2, 4, 17))
                self.assertEqual(value["top"], [{"word": "two", "count": 2}])

    def test_manifest_has_schemas(self):
        with Zygote(PLUGINS / "text-stats.so") as zygote:
            handler = zygote.manifest["handlers"][0]
            schema = handler["args_schema"]
            schema = json.loads(schema) if isinstance(schema, str) else schema
            self.assertEqual(schema["required"], ["path"])
            self.assertIs(schema["additionalProperties"], False)

    def test_errors_are_final_and_named(self):
        with Zygote(PLUGINS / "text-stats.so") as zygote:
            kind, failure = run(zygote, "text.stats", {"path": "/nowhere"})
            self.assertEqual((kind, failure["status"], failure["retry"]), ("failure", FAILED, RETRY_NEVER))
            self.assertEqual(failure["code"], "file_not_found")
            kind, failure = run(zygote, "text.stats", {"path": "/", "top": "ten"})
            self.assertEqual((kind, failure["status"]), ("failure", INVALID_INPUT))
            self.assertEqual(json.loads(failure["details"]), {"pointer": "/top"})

    def test_cancel_in_the_middle(self):
        path = self.file("")
        os.truncate(path, 1 << 40)  # a sparse terabyte
        with Zygote(PLUGINS / "text-stats.so") as zygote:
            attempt = zygote.spawn("text.stats", {"path": path}).spawned()
            attempt.wait(driver.PROGRESS)
            attempt.send(driver.CANCEL)
            kind, failure = attempt.finish()[0]
            self.assertEqual((kind, failure["status"]), ("failure", CANCELLED))


class Ways(unittest.TestCase):
    """S1 to S4 of the test list: Swift after a fork."""

    @classmethod
    def setUpClass(cls):
        cls.zygote = Zygote(BIN / "fixtures" / "swift-ways.so")

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def test_the_zygote_has_one_thread(self):
        self.assertEqual((self.zygote.ready["threads"], self.zygote.ready["fork_mode"]), (1, FORK_CLONE3))

    def test_concurrency(self):
        for _ in range(20):
            self.assertEqual(run(self.zygote, "ways.async"), ("result", 5100))

    def test_main_actor_and_main_queue(self):
        for _ in range(20):
            self.assertEqual(run(self.zygote, "ways.main_queue"), ("result", 10))

    def test_contended_locks(self):
        for _ in range(50):
            self.assertEqual(run(self.zygote, "ways.contended"), ("result", 19900))

    def test_foundation(self):
        self.assertEqual(run(self.zygote, "ways.libraries"), ("result", ["1970-01-01", "hello\n"]))

    def test_cancellation_reaches_the_task(self):
        for handler in ("ways.spin", "ways.sleep"):
            with self.subTest(handler):
                attempt = self.zygote.spawn(handler).spawned()
                attempt.wait(driver.PROGRESS)
                attempt.send(driver.CANCEL)
                kind, failure = attempt.finish()[0]
                self.assertEqual((kind, failure["status"]), ("failure", CANCELLED))

    def test_cancelled_before_it_began(self):
        attempt = self.zygote.spawn("ways.sleep")
        attempt.send(driver.CANCEL)
        kind, failure = attempt.finish()[0]
        self.assertEqual((kind, failure["status"]), ("failure", CANCELLED))

    def test_a_trap_leaves_a_crash_record_of_the_worker(self):
        attempt = self.zygote.spawn("ways.trap").spawned()
        attempt.rest()
        exited = attempt.exited()
        crash = attempt.crash()
        self.assertIn("the sky fell", attempt.output(attempt.err))
        attempt.reap()
        attempt.close()
        self.assertEqual(exited["status"], crash["signal"])
        self.assertGreater(len(crash["frames"]), 2)

    def test_a_stack_overflow_leaves_one_too(self):
        attempt = self.zygote.spawn("ways.deep_recursion").spawned()
        attempt.rest()
        attempt.exited()
        crash = attempt.crash()
        attempt.reap()
        attempt.close()
        self.assertEqual(crash["signal"], 11)

    def test_a_task_that_outlives_the_handler_hurts_nobody(self):
        for _ in range(10):
            attempt = self.zygote.spawn("ways.late")
            ending, exited = attempt.finish()
            self.assertEqual(ending, ("none", None))
            self.assertEqual(exited["status"], 0)

    def test_endings(self):
        kind, failure = run(self.zygote, "ways.fail", {"code": "http_503"}, number=4)
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "http_503", RETRY_YES))
        self.assertEqual(json.loads(failure["details"]), {"tries": 4})
        self.assertAlmostEqual(failure["not_before"], (time.time() + 30) * 1000, delta=10_000)
        kind, until = run(self.zygote, "ways.snooze")
        self.assertEqual(kind, "snooze")
        self.assertAlmostEqual(until, (time.time() + 60) * 1000, delta=10_000)
        self.assertEqual(run(self.zygote, "ways.blob"), ("bytes", (bytes([1, 0, 255]), "image/png")))


class FFI(unittest.TestCase):
    def test_zlib(self):
        for profile in PROFILES:
            with self.subTest(profile), Zygote(BIN / "pawl-ffi.so", profile, config=ZLIB) as zygote:
                self.assertEqual((zygote.ready["threads"], zygote.ready["fork_mode"]), (1, FORK_CLONE3), zygote.notes)
                self.assertEqual(zygote.manifest["name"], "zlib")
                self.assertEqual(run(zygote, "zlib.crc32", {"data": "hello"}), ("result", {"result": 907060870}))
                kind, failure = run(zygote, "zlib.crc32", {"date": "hello"})
                self.assertEqual((kind, failure["status"]), ("failure", INVALID_INPUT))
                self.assertEqual(failure["message"], "args/date: is unknown; known are crc, data")

    def test_refusals_say_why(self):
        manifest = json.loads(ZLIB)
        for change, reason, words in [
            ({"library": "libnowhere.so.9"}, "init", 'cannot load the library "libnowhere.so.9"'),
            ({"functions": [dict(manifest["functions"][0], symbol="crc33")]}, "init", 'has no function "crc33"'),
            ({"functions": []}, "entry", '"functions" must be an array of 1 to 1000'),
            ({"colour": "red"}, "entry", 'unknown member "colour"'),
        ]:
            with self.subTest(words), self.assertRaises(Refused) as caught:
                Zygote(BIN / "pawl-ffi.so", config=json.dumps(manifest | change))
            self.assertEqual(caught.exception.reason, reason)
            self.assertIn(words, caught.exception.message)
        with self.assertRaises(Refused) as caught:
            Zygote(BIN / "pawl-ffi.so")
        self.assertIn("needs a manifest", caught.exception.message)

    def test_a_wrong_declaration_kills_its_own_attempt_only(self):
        function = {"name": "libc.strlen", "symbol": "strlen", "params": [{"name": "s", "type": "u64"}], "result": "usize"}
        manifest = {"plugin": "wrong", "version": "1", "library": "libc.so.6", "functions": [function]}
        with Zygote(BIN / "pawl-ffi.so", config=json.dumps(manifest)) as zygote:
            for _ in range(2):
                attempt = zygote.spawn("libc.strlen", {"s": 1}).spawned()
                attempt.rest()
                self.assertEqual(attempt.exited()["status"], 11)
                attempt.reap()
                attempt.close()


class Figures(unittest.TestCase):
    """No limits: what a reader of the log wants to see."""

    def test_figures(self):
        with tempfile.NamedTemporaryFile("w") as text:
            text.write("one two two\n")
            text.flush()
            for name, config, handler, args in [
                ("plugins/text-stats.so", "", "text.stats", {"path": text.name}),
                ("pawl-ffi.so", ZLIB, "zlib.crc32", {"data": "hello"}),
            ]:
                with Zygote(BIN / name, config=config) as zygote:
                    times = []
                    for _ in range(100):
                        attempt = zygote.spawn(handler, args)
                        self.assertEqual(attempt.end()[0], "result")
                        times.append(time.perf_counter() - attempt.sent_at)
                        attempt.spawned()
                        attempt.exited()
                        attempt.reap()
                        attempt.close()
                    print(
                        f"{name}: {(BIN / name).stat().st_size / 1e6:.1f} MB, loaded in {zygote.ready['load_ns'] / 1e6:.1f} ms, "
                        f"{zygote.ready['rss_bytes'] / 1e6:.1f} MB resident; SPAWN to result "
                        f"{statistics.median(times) * 1e6:.0f} us (median of {len(times)})")


if __name__ == "__main__":
    driver.become_subreaper()
    unittest.main()
