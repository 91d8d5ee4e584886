"""Typed calls in real zygotes and children: list F. A struct, a buffer, a prototype; what a manifest may not say."""

import base64
import ctypes.util
import functools
import json
import pwd
import sys
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "zygote"))
from driver import BIN, PROFILES, ROOT, Refused, Zygote

FFI = ROOT / "plugins" / "ffi"
BRIDGE = BIN / "pawl-ffi.so"
TYPES = BIN / "fixtures" / "libffi-types.so"
POINT = {"struct": [{"name": "x", "type": "i32"}, {"name": "y", "type": "i32"}]}
NAMED = {"point": POINT,
         "mixed": {"struct": [{"name": "d", "type": "f64"}, {"name": "i", "type": "i64"}]},
         "large": {"struct": [{"name": n, "type": "i64"} for n in "abc"] + [{"name": "d", "type": "f64"}]},
         "edge": {"struct": [{"name": "from", "type": "point"}, {"name": "to", "type": "point"},
                             {"name": "weight", "type": "f32"}, {"name": "tag", "type": "i8"}]},
         "person": {"struct": [{"name": "name", "type": "cstring"}, {"name": "home", "type": "cstring"},
                               {"name": "uid", "type": "u32"}, {"name": "at", "type": "point"}]},
         "colour": {"enum": {"RED": 0, "GREEN": 5}}}


def manifest(*functions, library=str(TYPES), types=NAMED):
    return json.dumps({"plugin": "t", "version": "1", "library": library, "types": types,
                       "functions": [{"name": f"t.f{i}", **f} for i, f in enumerate(functions)]})


def call(zygote, number, args):
    ending, _ = zygote.run(zygote.handlers[number], args)
    return ending


def both(test):
    """In each profile."""
    @functools.wraps(test)
    def tests(self):
        for self.profile in PROFILES:
            with self.subTest(profile=self.profile):
                test(self)
    return tests


class Calls(unittest.TestCase):
    def answers(self, cases, **how):
        """(function, args, the whole result) in each profile."""
        for profile in PROFILES:
            with Zygote(BRIDGE, profile, config=manifest(*[c[0] for c in cases], **how)) as zygote:
                for i, (function, args, result) in enumerate(cases):
                    with self.subTest(profile=profile, function=function):
                        self.assertEqual(call(zygote, i, args), ("result", result))

    def test_f1_scalars_of_every_width(self):
        cases = []
        for bits in (8, 16, 32):
            half = 1 << (bits - 2)
            cases += [({"prototype": f"int{bits}_t i{bits}_twice(int{bits}_t x)"}, {"x": -half}, {"result": -2 * half}),
                      ({"prototype": f"uint{bits}_t u{bits}_twice(uint{bits}_t x)"}, {"x": half}, {"result": 2 * half}),
                      ({"prototype": f"uint{bits}_t u{bits}_twice(uint{bits}_t x)"}, {"x": 2 * half}, {"result": 0})]
        cases += [({"prototype": "int64_t i64_same(int64_t x)"}, {"x": "-9223372036854775808"}, {"result": "-9223372036854775808"}),
                  ({"prototype": "float f32_half(float x)"}, {"x": 1.5}, {"result": 0.75}),
                  ({"prototype": "double f64_half(double x)"}, {"x": -3}, {"result": -1.5}),
                  ({"prototype": "bool is_large(int64_t x)"}, {"x": 5}, {"result": False}),
                  ({"prototype": "bool is_large(int64_t x)"}, {"x": 5000}, {"result": True}),
                  ({"prototype": "enum colour other(enum colour c)"}, {"c": "RED"}, {"result": "GREEN"}),
                  ({"prototype": "enum colour other(enum colour c)"}, {"c": "GREEN"}, {"result": "RED"})]
        self.answers(cases)

    def test_f2_structs_by_value(self):
        self.answers([
            ({"prototype": "struct point swap(struct point p)"}, {"p": {"x": 1, "y": -2}}, {"result": {"x": -2, "y": 1}}),
            ({"prototype": "mixed mixed_twice(mixed m)"}, {"m": {"d": 1.5, "i": -4}}, {"result": {"d": 3, "i": -8}}),
            ({"prototype": "large large_twice(large l)"}, {"l": {"a": 1, "b": -2, "c": "9007199254740993", "d": 0.5}},
             {"result": {"a": 2, "b": -4, "c": "18014398509481986", "d": 1}}),
            ({"prototype": "edge turned(edge e)"},
             {"e": {"from": {"x": 1, "y": 2}, "to": {"x": 3, "y": 4}, "weight": 0.5, "tag": -7}},
             {"result": {"from": {"x": 3, "y": 4}, "to": {"x": 1, "y": 2}, "weight": -0.5, "tag": 7}}),
            ({"prototype": "person *find_person(const char *name)"}, {"name": "ada"},
             {"result": {"name": "ada", "home": None, "uid": 1815, "at": {"x": 1, "y": -2}}}),
            ({"prototype": "person *find_person(const char *name)"}, {"name": "bob"}, {"result": None})])

    def test_out_and_inout(self):
        divide = {"prototype": "int divide(int a, int b, int *quotient, int *rest)", "errno": True,
                  "params": {"quotient": {"type": "out<i32>"}, "rest": {"type": "out<i32>"}}}
        self.answers([
            (divide, {"a": -7, "b": 2}, {"result": 0, "errno": 0, "quotient": -3, "rest": -1}),
            (divide, {"a": 1, "b": 0}, {"result": -1, "errno": 33, "error": "Numerical argument out of domain", "quotient": 0,
                                        "rest": 0}),
            ({"prototype": "void move(point *p, int by)", "params": {"p": {"type": "inout<point>"}}},
             {"p": {"x": 1, "y": 2}, "by": 5}, {"result": None, "p": {"x": 6, "y": 7}})])

    @both
    def test_f3_wrong_args_without_debug_information(self):
        with Zygote(BRIDGE, self.profile, config=manifest({"prototype": "struct point swap(struct point p)"},
                                            {"prototype": "enum colour other(enum colour c)"})) as zygote:
            for number, args, words in ((0, {}, "args/p: is missing"), (0, {"p": 1}, "must be an object"),
                                        (0, {"p": {"x": 1}}, 'member "y" is missing'),
                                        (0, {"p": {"x": 1, "y": 2, "z": 3}}, 'unknown member "z"'),
                                        (0, {"p": {"x": 1 << 31, "y": 2}}, 'member "x" must be a whole number'),
                                        (0, {"q": 1}, "known are p"), (1, {"c": "BLUE"}, 'one of "RED", "GREEN"')):
                kind, failure = call(zygote, number, args)
                self.assertEqual((kind, failure["status"]), ("failure", 5))
                self.assertIn(words, failure["message"])

    @both
    def test_f4_variadic(self):
        text = (FFI / "libc.pawl.json").read_text()
        with Zygote(BRIDGE, self.profile, config=text) as zygote:
            self.assertEqual(zygote.run("libc.format", {"number": -42, "word": "wörd"})[0],
                             ("result", {"result": 11, "out": "  -42 wörd"}))
            root = pwd.getpwnam("root")
            found = zygote.run("libc.getpwnam", {"name": "root"})[0][1]["result"]
            self.assertEqual((found["uid"], found["home"], found["shell"]), (0, root.pw_dir, root.pw_shell))
            self.assertIsNone(zygote.run("libc.getpwnam", {"name": "nobody-of-this-name"})[0][1]["result"])

    @both
    def test_f5_texts(self):
        with Zygote(BRIDGE, self.profile, config=manifest({"prototype": "size_t length_of(const char *text)",
                                             "params": {"text": {"nullable": True}}})) as zygote:
            self.assertEqual(call(zygote, 0, {"text": None}), ("result", {"result": 0}))
            self.assertEqual(call(zygote, 0, {"text": "a" * 100_000}), ("result", {"result": 100_000}))
            self.assertEqual(call(zygote, 0, {"text": "a\0b"})[1]["status"], 5)
            self.assertEqual(call(zygote, 0, {"text": 5})[1]["status"], 5)

    @both
    def test_f6_beyond_two_to_the_53(self):
        with Zygote(BRIDGE, self.profile, config=manifest({"prototype": "uint64_t u64_same(uint64_t x)"})) as zygote:
            for given, back in ((1 << 53, 1 << 53), (str((1 << 53) + 1), str((1 << 53) + 1)), (str((1 << 64) - 1), str((1 << 64) - 1))):
                self.assertEqual(call(zygote, 0, {"x": given}), ("result", {"result": back}))
            for given in ((1 << 53) + 1, str(1 << 64), "-1", "1x", 0.5):
                self.assertEqual(call(zygote, 0, {"x": given})[1]["status"], 5)

    def test_f7_a_smashed_heap_is_its_own_attempts(self):
        for profile in PROFILES:
            with Zygote(BRIDGE, profile, config=manifest({"prototype": "void smash(void)"},
                                                         {"prototype": "int i32_twice(int x)"})) as zygote:
                ending, exited = zygote.run("t.f0", {})
                self.assertEqual(ending[0], "gone")
                self.assertNotEqual(exited["code"], 1)
                self.assertEqual(call(zygote, 1, {"x": 4}), ("result", {"result": 8}))

    @both
    def test_f8_symbols(self):
        for symbol, words in (("absent", "has no function"), ("variable", "is a variable")):
            with self.assertRaisesRegex(Refused, words):
                Zygote(BRIDGE, self.profile, config=manifest({"symbol": symbol, "params": [], "result": "i32"}))
        with Zygote(BRIDGE, self.profile, config=manifest({"prototype": "int indirect(int x)"})) as zygote:
            self.assertEqual(call(zygote, 0, {"x": 4}), ("result", {"result": 5}))

    @both
    def test_a_buffer_and_its_length(self):
        data = bytes(range(256)) * 40
        with Zygote(BRIDGE, self.profile, config=(FFI / "zlib.pawl.json").read_text()) as zygote:
            kind, got = zygote.run("zlib.compress", {"data": "hello " * 1000, "level": 9})[0]
            self.assertEqual((kind, got["result"]), ("result", 0))
            packed = base64.b64decode(got["dest"], validate=True)
            self.assertEqual((len(packed), zlib.decompress(packed)), (got["dest_len"], b"hello " * 1000))
            self.assertEqual(zygote.run("zlib.crc32", {"data": "abc"})[0], ("result", {"result": zlib.crc32(b"abc")}))
        self.assertTrue(data)

    def test_examples(self):
        if ctypes.util.find_library("sqlite3"):
            with Zygote(BRIDGE, config=(FFI / "sqlite.pawl.json").read_text()) as zygote:
                self.assertRegex(zygote.run("sqlite.version", {})[0][1]["result"], r"^3\.\d+")
        with Zygote(BRIDGE, config=(FFI / "libm.pawl.json").read_text()) as zygote:
            self.assertEqual(zygote.run("math.pow", {"x": 2, "y": 10})[0][1]["result"], 1024)


class Manifests(unittest.TestCase):
    def test_what_is_wrong_is_told_with_its_place(self):
        f = lambda **members: {"symbol": "i32_twice", "params": [], "result": "i32"} | members
        for function, words in (
                ({"prototype": "int f(int)"}, "character 10 .*needs a name"),
                ({"prototype": "int f(int x"}, 'character 12 .*"," or "\\)"'),
                ({"prototype": "int f(void *x)"}, 'character 7 .*say in "params" what x is'),
                ({"prototype": "int f(int x[3])"}, "character 12 .*an array"),
                ({"prototype": "int f(int (*x)(void))"}, "pointer to a function"),
                ({"prototype": "short char f(void)"}, "make no type of C"),
                ({"prototype": "wrong f(void)"}, 'unknown type "wrong"'),
                ({"prototype": "int f(const char *x, ...)"}, 'say in "varargs"'),
                ({"prototype": "int f(int x) garbage"}, "character 14 .*the end"),
                ({"prototype": "int f(int x)", "params": {"y": {}}}, "does not have"),
                ({"prototype": "int **f(void)"}, "cannot be read"),
                (f(params=[{"name": "x", "type": "buffer"}]), '"size" is missing'),
                (f(params=[{"name": "x", "type": "buffer", "size": "len(y) + 1"}]), "character 1: no whole number"),
                (f(params=[{"name": "x", "type": "buffer", "size": "1 +"}]), "character 4: a number, a name"),
                (f(params=[{"name": "x", "type": "out<bytes>"}]), "out<bytes> is not possible"),
                (f(params=[{"name": "x", "type": {"struct": []}}]), "1 to 64 members"),
                (f(params=[{"name": "x", "type": "pointer<i32>"}]), "is for results"),
                (f(params=[{"name": "x", "type": "i32"}], varargs=[{"name": "y", "type": "f32"}]), "varargs.0.: behind"),
                (f(result="buffer"), "nothing says how many"),
                (f(params=[{"name": "x", "type": "i32", "value": "18446744073709551616"}]), "too large a number")):
            with self.subTest(function=function), self.assertRaisesRegex(Refused, words):
                Zygote(BRIDGE, config=manifest(function))


if __name__ == "__main__":
    unittest.main()
