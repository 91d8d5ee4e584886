"""A plugin that uses every part of the Rust bindings (ways.rs), in real zygotes and children."""

import json
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "zygote"))
import driver  # noqa: E402
from driver import BIN, PROFILES, Zygote  # noqa: E402

WAYS = BIN / "fixtures" / "rust-ways.so"
FAILED, CANCELLED, INVALID_INPUT = 1, 3, 5
BY_POLICY, NEVER, YES = 0, 1, 2


@unittest.skipUnless(WAYS.exists(), "built without rustc")
class Ways(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zygote = Zygote(WAYS)

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def run_one(self, handler, args=None, **how):
        return self.zygote.spawn(handler, args, **how).finish()[0]

    def test_args(self):
        nothing = {key: None for key in ("text", "int", "real", "flag", "list", "any")}
        kind, value = self.run_one("ways.echo", {}, number=3)
        self.assertEqual(kind, "result")
        self.assertRegex(value.pop("id"), r"^run_\w{13}$")
        self.assertEqual(value, nothing | {"whole": {}, "job": "ways.echo", "number": 3})
        given = {"text": "Zoë \"\n\u0001", "int": -5, "real": 0.25, "flag": True, "list": ["a", "", "ü"], "any": {"b": [1]}}
        kind, value = self.run_one("ways.echo", given)
        self.assertEqual({key: value[key] for key in given}, given)
        self.assertEqual(value["whole"], given)

    def test_wrong_args_are_named(self):
        for args, words in [
            ({"int": 6}, '"int" must be a whole number from -5 to 5'),
            ({"list": [1]}, '"list" must hold strings only'),
            ({"txt": "x"}, '"txt" is not among the args of this handler'),
        ]:
            with self.subTest(words):
                kind, failure = self.run_one("ways.echo", args)
                self.assertEqual((kind, failure["status"]), ("failure", INVALID_INPUT))
                self.assertIn(words, failure["message"])

    def test_progress(self):
        attempt = self.zygote.spawn("ways.progress").spawned()
        self.assertEqual(attempt.end(), ("none", None))
        last = [driver.parse_progress(p) for kind, _, p in attempt.frames if kind == driver.PROGRESS][-1]
        self.assertEqual((last["stage"], last["current"], last["total"], last["unit"]), ("Adding", 3, 3, "numbers"))
        attempt.exited()
        attempt.reap()
        attempt.close()

    def test_cancellation(self):
        for profile in PROFILES:
            with self.subTest(profile), Zygote(WAYS, profile) as zygote:
                attempt = zygote.spawn("ways.spin").spawned()
                attempt.wait(driver.PROGRESS)
                attempt.send(driver.CANCEL)
                kind, failure = attempt.finish()[0]
                self.assertEqual((kind, failure["status"]), ("failure", CANCELLED))

    def test_endings(self):
        for how, status, code, message, retry in [
            ("panic", FAILED, "panic", "it fell over", BY_POLICY),
            ("index", FAILED, "panic", "index out of bounds", BY_POLICY),
            ("io", FAILED, "std::io::error::Error", "No such file or directory", BY_POLICY),
            ("never", FAILED, "gone", "for good", NEVER),
            ("invalid", INVALID_INPUT, "invalid_input", "args/how: must be better", NEVER),
            ("broken", FAILED, "result_not_json", "not valid JSON", NEVER),
        ]:
            with self.subTest(how):
                kind, failure = self.run_one("ways.ends", {"how": how})
                self.assertEqual((kind, failure["status"], failure["code"], failure["retry"]), ("failure", status, code, retry))
                self.assertIn(message, failure["message"])
        kind, failure = self.run_one("ways.ends", {"how": "after"})
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "http_503", YES))
        self.assertEqual(json.loads(failure["details"]), {"a": 1})
        self.assertAlmostEqual(failure["not_before"], (time.time() + 30) * 1000, delta=10_000)
        kind, until = self.run_one("ways.ends", {"how": "snooze"})
        self.assertEqual(kind, "snooze")
        self.assertAlmostEqual(until, (time.time() + 60) * 1000, delta=10_000)
        self.assertEqual(self.run_one("ways.ends", {"how": "bytes"}), ("bytes", (bytes([1, 0, 255]), "image/png")))
        self.assertEqual(self.run_one("ways.ends", {"how": "thread"}), ("none", None))


if __name__ == "__main__":
    driver.become_subreaper()
    unittest.main()
