"""`pawl-inspect calls`: a manifest is compared with the debug information of its library, where there is some. One mismatch of each kind,
each way to have no debug information, and libraries that are broken on purpose."""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "zygote"))
from driver import BIN, ROOT

INSPECT = BIN / "pawl-inspect"
SOURCE = r"""
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef struct { int32_t x, y; } point;
typedef struct { point from, to; float weight; int8_t tag; } edge;
typedef struct { char name[4]; uint16_t grid[2][2]; void *next; } packed;
typedef union { uint64_t whole; uint32_t halves[2]; } either;
typedef struct { int32_t kind; either of; } tagged;
typedef struct { unsigned a : 3, b : 5; } flags;
struct opaque;
enum colour { RED, GREEN = 5 };
typedef unsigned long amount;
typedef int (*callback)(int);

double power(double x, double y) { return x * y; }
int64_t wide(int64_t a, amount b, size_t c) { return a + (int64_t)(b + c); }
unsigned char narrow(short a, signed char b, bool c, char d) { return (unsigned char)(a + b + c + d); }
float single(float x) { return x; }
long double extended(long double x) { return x; }
const char *text(const char *a, const unsigned char *b) { return *b ? a : NULL; }
size_t sum(const void *bytes, size_t length) { return bytes != NULL ? length : 0; }
int fill(unsigned char *out, unsigned long *length, const unsigned char *in, unsigned in_length)
{
    *length = in_length;
    memcpy(out, in, in_length);
    return 0;
}
point swap(point p) { return (point){p.y, p.x}; }
edge turned(edge e) { return (edge){e.to, e.from, e.weight, e.tag}; }
void move(point *p, int by) { p->x += by; }
const packed *first(void) { return NULL; }
uint64_t view(tagged t) { return t.of.whole; }
int bits(flags f) { return (int)f.a; }
enum colour other(enum colour c) { return c == RED ? GREEN : RED; }
int count(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int first = va_arg(list, int);
    va_end(list);
    return first;
}
int later(callback call) { return call(1); }
int keep(struct opaque *where) { return where != NULL; }
void *memory(void) { return NULL; }
char *copy(const char *from) { return strdup(from); }
void give_back(void *pointer) { free(pointer); }
void give_two(void *pointer, int how) { free(how ? pointer : NULL); }
int aliased(int x) { return x; }
int also(int x) __attribute__((alias("aliased")));
static int chosen(int x) { return x; }
static int (*choose(void))(int) { return chosen; }
int indirect(int x) __attribute__((ifunc("choose")));
int variable;
void nothing(void) {}
"""
POINT = {"struct": [{"name": "x", "type": "i32"}, {"name": "y", "type": "i32"}]}
TYPES = {"point": POINT,
         "edge": {"struct": [{"name": "from", "type": "point"}, {"name": "to", "type": "point"}, {"name": "weight", "type": "f32"},
                             {"name": "tag", "type": "i8"}]},
         "packed": {"struct": [{"name": f"n{i}", "type": "i8"} for i in range(4)] + [{"name": f"g{i}", "type": "u16"} for i in range(4)]
                    + [{"name": "next", "type": "cstring"}]},
         "head": {"struct": [{"name": f"n{i}", "type": "i8"} for i in range(4)] + [{"name": "g", "type": "u16"}]},
         "tagged": {"struct": [{"name": "kind", "type": "i32"}, {"name": "value", "type": "u64"}]},
         "halves": {"struct": [{"name": "kind", "type": "i32"}, {"name": "pad", "type": "i32"}, {"name": "value", "type": "u64"}]},
         "flags": {"struct": [{"name": "a", "type": "u32"}]},
         "wrong_order": {"struct": [{"name": "x", "type": "i32"}, {"name": "y", "type": "i64"}]},
         "three": {"struct": [{"name": n, "type": "i32"} for n in "xyz"]},
         "one": {"struct": [{"name": "x", "type": "i32"}]},
         "colour": {"enum": {"RED": 0, "GREEN": 5}}, "tone": {"enum": {"RED": 1, "GREEN": 5}}, "shade": {"enum": {"DARK": 0}}}


class Declarations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Path(tempfile.mkdtemp(prefix="pawl-declarations-"))
        cls.library = cls.compile("typed", "-g")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    @classmethod
    def compile(cls, name, *flags, compiler="cc"):
        source, library = cls.directory / "typed.c", cls.directory / f"lib{name}.so"
        source.write_text(SOURCE)
        subprocess.run([compiler, "-std=gnu11", "-O1", "-shared", "-fPIC", "-Wl,--build-id", *flags, "-o", library, source], check=True)
        return library

    def ask(self, *functions, library=None, bound=30, environment=None):
        manifest = {"plugin": "t", "version": "1", "library": str(library or self.library), "types": TYPES,
                    "functions": [{"name": f"t.f{i}", **f} for i, f in enumerate(functions)]}
        done = subprocess.run([INSPECT, "calls"], input=json.dumps(manifest), capture_output=True, text=True, timeout=bound,
                              env=environment)
        self.assertEqual(done.returncode, 0, (done.stderr, done.returncode))
        return json.loads(done.stdout)

    def states(self, *functions, **how):
        answer = self.ask(*functions, **how)
        self.assertNotIn("problem", answer)
        return [(f["state"], f.get("words", "")) for f in answer["functions"]]

    RIGHT = [
        {"prototype": "double power(double x, double y)"},
        {"prototype": "long wide(int64_t a, unsigned long b, size_t c)"},
        {"prototype": "uint8_t narrow(int16_t a, int8_t b, bool c, char d)"},
        {"prototype": "float single(float x)"},
        {"prototype": "const char *text(const char *a, const char *b)", "params": {"b": {"type": "cstring"}}},
        {"prototype": "size_t sum(const void *bytes, size_t length)", "params": {"bytes": {"type": "bytes"}}},
        {"prototype": "size_t sum(const void *bytes, size_t length)",
         "params": {"bytes": {"type": "usize", "const": 0}, "length": {"const": 0}}},
        {"prototype": "int fill(unsigned char *out, unsigned long *length, const unsigned char *in, unsigned in_length)",
         "params": {"out": {"type": "buffer", "size": "len(in)"}, "length": {"type": "out<u64>"}, "in": {"type": "bytes"}}},
        {"prototype": "point swap(point p)"},
        {"prototype": "edge turned(edge e)"},
        {"prototype": "void move(point *p, int by)", "params": {"p": {"type": "inout<point>"}}},
        {"prototype": "packed *first(void)"},
        {"prototype": "head *first(void)"},
        {"prototype": "uint64_t view(tagged t)"},
        {"prototype": "colour other(colour c)"},
        {"prototype": "uint32_t other(int c)"},
        {"prototype": "shade other(shade c)"},
        {"prototype": "int count(const char *format, ...)", "varargs": [{"name": "n", "type": "i32"}]},
        {"prototype": "char *copy(const char *from)", "free": "give_back"},
        {"prototype": "int also(int x)"},
        {"prototype": "void nothing(void)"},
    ]

    def test_what_is_right_is_checked(self):
        self.assertEqual(self.states(*self.RIGHT), [("checked", "")] * len(self.RIGHT))

    def test_by_clang_and_in_older_and_newer_formats(self):
        ways = [("cc", "-g", "-gdwarf-4"), ("cc", "-g", "-gdwarf-5"), ("cc", "-g", "-gz=zlib"), ("cc", "-g", "-O2"), ("cc", "-g", "-flto")]
        if shutil.which("clang"):
            ways += [("clang", "-g"), ("clang", "-g", "-gdwarf-4")]
        for number, (compiler, *flags) in enumerate(ways):
            with self.subTest(compiler=compiler, flags=flags):
                library = self.compile(f"way{number}", *flags, compiler=compiler)
                self.assertEqual(self.states(*self.RIGHT, library=library), [("checked", "")] * len(self.RIGHT))

    def test_each_kind_of_mismatch(self):
        for function, words in (
                ({"prototype": "double power(double x)"}, r"the manifest has 1 parameter \(f64\), the library 2 \(double, double\)"),
                ({"prototype": "double power(double x, double y, int z)"}, r"3 parameters \(f64, f64, i32\), the library 2"),
                ({"prototype": "double power(float x, double y)"}, 'parameter 1, "x": the manifest says f32, the library double'),
                ({"prototype": "double power(double x, int64_t y)"}, 'parameter 2, "y": the manifest says i64, the library double'),
                ({"prototype": "float power(double x, double y)"}, "the result: the manifest says f32, the library double"),
                ({"prototype": "void power(double x, double y)"}, "the result: the manifest says void, the library double"),
                ({"prototype": "int wide(int64_t a, unsigned long b, size_t c)"}, r"result: .* i32, the library int64_t \(long int\)"),
                ({"prototype": "long wide(int a, unsigned long b, size_t c)"}, r'"a": .* i32, the library int64_t \(long int\)'),
                ({"prototype": "long wide(int64_t a, long b, size_t c)"}, r'"b": .* i64, the library amount \(long unsigned int\)'),
                ({"prototype": "uint8_t narrow(int a, int8_t b, bool c, char d)"}, '"a": the manifest says i32, the library short int'),
                ({"prototype": "uint8_t narrow(short a, uint8_t b, bool c, char d)"}, '"b": the manifest says u8, the library signed char'),
                ({"prototype": "uint8_t narrow(short a, int8_t b, int c, char d)"}, '"c": .* i32, the library _Bool'),
                ({"prototype": "double extended(double x)"}, '"x": the manifest says f64, the library long double'),
                ({"prototype": "int *text(const char *a, const char *b)"}, "the result: the manifest says i32, the library const char"),
                ({"prototype": "int text(const char *a, const char *b)"}, "the manifest says i32, the library const char \\*"),
                ({"prototype": "uint64_t text(const char *a, const char *b)"}, "the manifest says u64, the library const char \\*"),
                ({"prototype": "double power(const char *x, double y)"}, '"x": the manifest says cstring, the library double'),
                ({"prototype": "void move(const char *p, int by)"}, '"p": the manifest says cstring, the library point \\*'),
                ({"prototype": "size_t sum(const void *b, int n)", "params": {"b": {"type": "bytes"}}}, r'"b" \(its length\): .* i32'),
                ({"prototype": "int fill(char *out, int *length, const char *in, unsigned n)",
                  "params": {"out": {"type": "buffer", "size": "8"}, "length": {"type": "out<i32>"}, "in": {"type": "bytes"}}},
                 '"length": behind the pointer the manifest says i32, the library long unsigned int'),
                ({"prototype": "int later(const char *call)", "params": {"call": {"type": "buffer", "size": "8"}}},
                 r"says buffer, the library callback \(a pointer to a function\)"),
                ({"prototype": "wrong_order swap(point p)"}, 'the result: member "y" is at byte 8 .*"y" at byte 4'),
                ({"prototype": "three swap(point p)"}, 'member "z" that the library\'s has not'),
                ({"prototype": "point swap(one p)"}, 'parameter 1, "p": the library\'s struct has a member "y" that the manifest\'s has not'),
                ({"prototype": "void move(one *p, int by)", "params": {"p": {"type": "inout<one>"}}}, "has a member \"y\""),
                ({"prototype": "point turned(edge e)"}, 'the result: the library\'s struct has a member "to.x"'),
                ({"prototype": "edge swap(edge p)"}, 'member "to.x" that the library\'s has not'),
                ({"prototype": "point *first(void)"}, 'the result: member "x": the manifest says i32, the library char'),
                ({"prototype": "uint64_t view(halves t)"}, 'member "pad" is at byte 4 .*"of" at byte 8'),
                ({"prototype": "int bits(flags f)"}, "bit field"),
                ({"prototype": "double swap(point p)"}, "the result: the manifest says f64, the library point"),
                ({"prototype": "tone other(tone c)"}, "says that RED is 1, the library 0"),
                ({"prototype": "double other(colour c)"}, "the result: the manifest says f64, the library enum colour"),
                ({"prototype": "int count(const char *format)"}, 'takes variable arguments: say which in "varargs"'),
                ({"prototype": "float single(float x, ...)", "varargs": [{"name": "n", "type": "i32"}]}, "takes no variable arguments"),
                ({"prototype": "char *copy(const char *from)", "free": "give_two"}, '"free": give_two of the library'),
                ({"prototype": "long also(int x)"}, "the result: the manifest says i64, the library int")):
            with self.subTest(function=function):
                state, said = self.states(function)[0]
                self.assertEqual(state, "mismatch", said)
                self.assertRegex(said, words)

    def test_what_nobody_can_tell_is_unchecked(self):
        for function, words in (
                ({"prototype": "int indirect(int x)"}, "IFUNC"),
                ({"prototype": "int absent(int x)"}, "does not export"),
                ({"prototype": "int variable(void)"}, "no function"),
                ({"prototype": "int keep(const char *where)", "params": {"where": {"type": "out<point>"}}}, "cannot be read"),
                ({"prototype": "double power(int x)", "unchecked": True}, "asks for that")):
            with self.subTest(function=function):
                state, said = self.states(function)[0]
                self.assertEqual(state, "unchecked", said)
                self.assertIn(words, said)

    def test_without_debug_information(self):
        wrong = {"prototype": "int power(int x)"}
        for flags in ([], ["-g", "-s"]):
            self.assertEqual(self.states(wrong, library=self.compile("bare", *flags)),
                             [("unchecked", "the library has no debug information")])
        self.assertEqual(self.states(wrong, library=self.directory / "none.so"), [("unchecked", "the library is not found")])
        self.assertEqual(self.states(wrong, library="./libtyped.so"), [("unchecked", "the library is not found")])

    def test_assembler_says_nothing_of_parameters(self):
        source, library = self.directory / "twice.s", self.directory / "libtwice.so"
        source.write_text("    .text\n    .globl twice\n    .type twice, @function\ntwice:\n    nop\n    .size twice, . - twice\n")
        subprocess.run(["cc", "-g", "-shared", "-fPIC", "-Wl,-z,noexecstack", "-o", library, source], check=True, stderr=subprocess.DEVNULL)
        self.assertEqual(self.states({"prototype": "int twice(int x)"}, library=library),
                         [("unchecked", "the function is written in assembler")])

    def test_what_the_c_library_has(self):
        """Of a large library that is well known nothing is refused that is right."""
        types = {"timespec": {"struct": [{"name": "s", "type": "i64"}, {"name": "ns", "type": "i64"}]},
                 "div_t": {"struct": [{"name": "quot", "type": "i32"}, {"name": "rem", "type": "i32"}]}}
        room = {"out": {"type": "buffer", "size": "256"}, "n": {"value": "size(out)"}}
        functions = [
            {"prototype": "char *getenv(const char *name)"}, {"prototype": "int abs(int x)"}, {"prototype": "div_t div(int a, int b)"},
            {"prototype": "long strtol(const char *s, char **end, int base)", "params": {"end": {"type": "usize", "const": 0}}},
            {"prototype": "int64_t time(int64_t *t)", "params": {"t": {"type": "out<i64>"}}},
            {"prototype": "int clock_gettime(int which, timespec *t)", "params": {"t": {"type": "out<timespec>"}}},
            {"prototype": "int gethostname(char *out, size_t n)", "params": room},
            {"prototype": "char *getcwd(char *out, size_t n)", "params": room},
            {"prototype": "int open(const char *p, int f, ...)", "varargs": [{"name": "m", "type": "u32"}]},
            {"prototype": "int getpid(void)"}, {"prototype": "int kill(int pid, int signal)"}, {"prototype": "size_t strlen(const char *s)"},
            {"prototype": "ssize_t write(int fd, const void *b, size_t n)", "params": {"b": {"type": "bytes"}}},
            {"prototype": "char *strdup(const char *s)", "free": "free"}, {"prototype": "unsigned sleep(unsigned s)"}]
        manifest = {"plugin": "t", "version": "1", "library": "libc.so.6", "types": types,
                    "functions": [{"name": f"t.f{i}", **f} for i, f in enumerate(functions)]}
        done = subprocess.run([INSPECT, "calls"], input=json.dumps(manifest), capture_output=True, text=True, timeout=60)
        answer = json.loads(done.stdout)
        self.assertEqual([f for f in answer["functions"] if f["state"] == "mismatch"], [])
        self.assertEqual(len(answer["functions"]), len(functions))
        if answer["debug"] is not None:
            self.assertIn("checked", [f["state"] for f in answer["functions"]])

    def test_debug_information_of_its_own_file(self):
        library = self.compile("apart", "-g")
        debug = library.with_suffix(".so.debug")
        subprocess.run(["objcopy", "--only-keep-debug", library, debug], check=True)
        subprocess.run(["objcopy", "--strip-debug", f"--add-gnu-debuglink={debug}", library], check=True)
        answer = self.ask({"prototype": "double power(double x, int y)"}, library=library)
        self.assertEqual((answer["debug"], answer["functions"][0]["state"]), (str(debug), "mismatch"))
        # Of another build: it is no answer.
        other = self.compile("other", "-g", "-O0")
        subprocess.run(["objcopy", "--only-keep-debug", other, debug], check=True)
        self.assertEqual(self.states({"prototype": "double power(double x, int y)"}, library=library)[0][0], "unchecked")

    def test_names_are_found_as_the_loader_finds_them(self):
        answer = self.ask({"prototype": "double power(double x, double y)"}, library="libtyped.so",
                          environment={"LD_LIBRARY_PATH": f"/nowhere:{self.directory}"})
        self.assertEqual((answer["path"], answer["functions"][0]["state"]), (str(self.library), "checked"))
        found = self.ask({"prototype": "double pow(double x, double y)"}, library="libm.so.6", environment={})
        self.assertTrue(found["path"].endswith("/libm.so.6"), found)
        self.assertNotEqual(found["functions"][0]["state"], "mismatch")

    def test_broken_and_hostile_libraries(self):
        """An answer each, in bounded time; never a mismatch where the bytes were not readable."""
        whole = self.library.read_bytes()
        path = self.directory / "libhostile.so"
        generator = random.Random(610)
        for size in (0, 1, 63, 64, 200, len(whole) // 3, len(whole) // 2, len(whole) - 64, len(whole) - 1):
            path.write_bytes(whole[:size])
            for state, _ in self.states(*self.RIGHT, library=path):
                self.assertIn(state, ("unchecked", "checked"))
        sections = subprocess.run(["readelf", "-SW", self.library], capture_output=True, text=True, check=True).stdout
        rows = [line.split("]", 1)[-1].split() for line in sections.splitlines()]
        places = [(int(row[3], 16), int(row[4], 16)) for row in rows if len(row) > 5 and row[0].startswith(".debug_")]
        self.assertGreater(len(places), 3)
        crashed = 0
        for number in range(150):
            damaged = bytearray(whole)
            at, size = places[number % len(places)]
            for _ in range(generator.randrange(1, 12)):
                damaged[at + generator.randrange(size)] = generator.randrange(256)
            path.write_bytes(bytes(damaged))
            manifest = {"plugin": "t", "version": "1", "library": str(path), "types": TYPES,
                        "functions": [{"name": f"t.f{i}", **f} for i, f in enumerate(self.RIGHT)]}
            done = subprocess.run([INSPECT, "calls"], input=json.dumps(manifest), capture_output=True, text=True, timeout=60)
            crashed += done.returncode < 0
            if done.returncode == 0:
                json.loads(done.stdout)
        self.assertLess(crashed, 15, "libdw may fall over what is broken, but not over most of it")

    def test_what_is_wrong_in_the_manifest_is_told(self):
        answer = self.ask({"prototype": "double power(double x"})
        self.assertIn("functions[0]", answer["problem"])
        done = subprocess.run([INSPECT, "calls"], input=" " * 60_001, capture_output=True, text=True, timeout=10)
        self.assertIn("too large", json.loads(done.stdout)["problem"])


if __name__ == "__main__":
    unittest.main()
