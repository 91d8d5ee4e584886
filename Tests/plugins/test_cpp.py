"""A plugin that uses every part of pawl.hpp (ways.cpp), in real zygotes and children."""

import json
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "zygote"))
import driver  # noqa: E402
from driver import BIN, PROFILES, Refused, Zygote  # noqa: E402

FAILED, CANCELLED, INVALID_INPUT = 1, 3, 5
BY_POLICY, NEVER, YES = 0, 1, 2


class Ways(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zygote = Zygote(BIN / "fixtures" / "cpp-ways.so")

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def run_one(self, handler, args=None, **how):
        return self.zygote.spawn(handler, args, **how).finish()[0]

    def declared(self, name):
        return next(h for h in self.zygote.manifest["handlers"] if h["name"] == name)

    def test_the_schema_says_what_the_fields_say(self):
        handler = self.declared("ways.echo")
        schema = handler["args_schema"]
        schema = json.loads(schema) if isinstance(schema, str) else schema
        properties = schema["properties"]
        self.assertEqual(properties["name"], {"type": "string", "description": 'Who is "greeted"', "default": "world"})
        self.assertEqual(properties["times"], {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1})
        self.assertEqual(properties["small"], {"type": "integer", "minimum": 0, "maximum": 255, "default": 7})
        self.assertEqual(properties["natural"], {"type": "integer", "minimum": 0, "default": 0})
        self.assertEqual(properties["real"], {"type": "number", "default": 0.5})
        self.assertEqual(properties["flag"], {"type": "boolean", "default": False})
        self.assertEqual(properties["mode"], {"type": "string", "enum": ["fast", "exact"], "default": "fast"})
        self.assertEqual(properties["note"], {"type": "string"})
        self.assertEqual(properties["tags"], {"type": "array", "items": {"type": "string"}, "default": []})
        self.assertEqual(properties["extra"], {"default": None})
        self.assertEqual(properties["path"], {"type": "string"})
        self.assertEqual((schema["required"], schema["additionalProperties"]), (["path"], False))
        self.assertEqual(handler["limits"]["attempts"], 5)
        nothing = self.declared("ways.nothing")["args_schema"]
        nothing = json.loads(nothing) if isinstance(nothing, str) else nothing
        self.assertEqual(nothing, {"type": "object", "properties": {}, "additionalProperties": False})

    def test_args_are_read_and_defaults_stay(self):
        absent = {"name": "world", "times": 1, "small": 7, "natural": 0, "real": 0.5, "flag": False, "mode": "fast",
                  "note": None, "tags": [], "extra": None, "path": "p"}
        self.assertEqual(self.run_one("ways.echo", {"path": "p"}), ("result", absent))
        given = {"name": "Zoë \"\n\u0001", "times": 1000, "small": 255, "natural": 2**62, "real": 1e300, "flag": True,
                 "mode": "exact", "note": "", "tags": ["a", "", "ü"], "extra": {"a": [1, None]}, "path": ""}
        self.assertEqual(self.run_one("ways.echo", given), ("result", given))

    def test_wrong_args_are_named(self):
        for args, words in [
            ({}, "args/path: is missing"),
            ({"path": 1}, '"path" must be a string'),
            ({"path": "p", "times": 1001}, '"times" must be a whole number from 1 to 1000'),
            ({"path": "p", "small": 256}, '"small" must be a whole number from 0 to 255'),
            ({"path": "p", "natural": -1}, '"natural" must be a whole number from 0'),
            ({"path": "p", "mode": "slow"}, "args/mode: must be one of fast, exact"),
            ({"path": "p", "tags": ["a", 1]}, '"tags" must hold strings only'),
            ({"path": "p", "pth": "p"}, '"pth" is not among the args of this handler'),
        ]:
            with self.subTest(words):
                kind, failure = self.run_one("ways.echo", args)
                self.assertEqual((kind, failure["status"]), ("failure", INVALID_INPUT), failure)
                self.assertIn(words, failure["message"])

    def test_other_forms_of_args(self):
        self.assertEqual(self.run_one("ways.one_by_one", {"a": 3}), ("result", 34))
        self.assertEqual(self.run_one("ways.one_by_one", {"a": 3, "b": 2, "text": ""}), ("result", 6))
        kind, failure = self.run_one("ways.one_by_one", {})
        self.assertEqual((kind, failure["message"], failure["code"]), ("failure", "args/a: is missing", "invalid_input"))
        self.assertEqual(json.loads(failure["details"]), {"pointer": "/a"})
        kind, text = self.run_one("ways.whole_text", {"x": [1]})
        self.assertEqual((kind, json.loads(text)), ("result", {"x": [1]}))

    def test_log_and_progress(self):
        attempt = self.zygote.spawn("ways.echo", {"path": "p"}).spawned()
        self.assertEqual(attempt.end()[0], "result")
        lines = [driver.parse_log(p) for kind, _, p in attempt.frames if kind == driver.LOG]
        text = str(lines)
        self.assertIn("tab\\t quote\" \\x01", text)
        self.assertIn('{"n":1,"list":[1,2],"none":null}', text)
        attempt.exited()
        attempt.reap()
        attempt.close()

        attempt = self.zygote.spawn("ways.walk").spawned()
        self.assertEqual(attempt.end(), ("result", 4))
        last = [driver.parse_progress(p) for kind, _, p in attempt.frames if kind == driver.PROGRESS][-1]
        self.assertEqual((last["stage"], last["current"], last["total"], last["unit"]), ("Adding", 3, 3, "numbers"))
        attempt.exited()
        attempt.reap()
        attempt.close()
        self.assertEqual(self.run_one("ways.nothing"), ("none", None))

    def test_cancellation(self):
        for profile in PROFILES:
            with Zygote(BIN / "fixtures" / "cpp-ways.so", profile) as zygote:
                for handler in ("ways.spin", "ways.sleep"):
                    with self.subTest(profile=profile, handler=handler):
                        attempt = zygote.spawn(handler).spawned()
                        attempt.wait(driver.PROGRESS)
                        attempt.send(driver.CANCEL)
                        kind, failure = attempt.finish()[0]
                        self.assertEqual((kind, failure["status"]), ("failure", CANCELLED))

    def test_endings(self):
        self.assertEqual(self.run_one("ways.picture"), ("bytes", (bytes([1, 0, 255]), "image/png")))
        self.assertEqual(self.run_one("ways.infinite"), ("result", None))
        kind, failure = self.run_one("ways.broken_json")
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "result_not_json", NEVER))

    def test_every_exception_is_a_failure_in_words(self):
        for how, status, code, message, retry in [
            ("never", FAILED, "gone", "for good", NEVER),
            ("policy", FAILED, "hm", "perhaps", BY_POLICY),
            ("invalid", INVALID_INPUT, "invalid_input", "args/how: must be better", NEVER),
            ("cancelled", FAILED, "Cancelled", "the handler threw Cancelled, but nobody had cancelled the attempt", BY_POLICY),
            ("system", FAILED, "generic_2", "open: No such file or directory", BY_POLICY),
            ("runtime", FAILED, "std::runtime_error", "went wrong", BY_POLICY),
            ("own", FAILED, "(anonymous namespace)::OwnError", "of its own", BY_POLICY),
            ("memory", FAILED, "std::bad_alloc", "out of memory", BY_POLICY),
            ("int", FAILED, "exception", "the handler threw what is no std::exception", BY_POLICY),
        ]:
            with self.subTest(how):
                kind, failure = self.run_one("ways.fails", {"how": how})
                self.assertEqual(kind, "failure")
                self.assertEqual((failure["status"], failure["code"], failure["message"], failure["retry"]),
                                 (status, code, message, retry))
        kind, failure = self.run_one("ways.fails", {"how": "after"}, number=4)
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "http_503", YES))
        self.assertEqual(json.loads(failure["details"]), {"tries": 4})
        self.assertAlmostEqual(failure["not_before"], (time.time() + 30) * 1000, delta=10_000)
        kind, until = self.run_one("ways.fails", {"how": "snooze"})
        self.assertEqual(kind, "snooze")
        self.assertAlmostEqual(until, (time.time() + 60) * 1000, delta=10_000)
        self.assertEqual(self.run_one("ways.fails", {"how": "not at all"}), ("none", None))

    def test_hooks(self):
        self.assertEqual(self.run_one("ways.hooks"), ("result", [1, 10, 100]))
        with self.assertRaises(Refused) as caught:
            Zygote(BIN / "fixtures" / "cpp-ways.so", config="refuse")
        self.assertEqual(caught.exception.reason, "init")
        self.assertIn("the configuration says no", caught.exception.message)


if __name__ == "__main__":
    driver.become_subreaper()
    unittest.main()
