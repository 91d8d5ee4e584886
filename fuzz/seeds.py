#!/usr/bin/env python3
"""Writes the first inputs of the corpora: what host, zygote and child really say to each other. See pawl_wire.h."""

import json
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def write(target, name, data):
    directory = CORPUS / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data)


def control(kind, slot=0, body=b""):
    return struct.pack("<HHI", kind, 0, slot) + body


def piece(datagram, fds=0):
    return struct.pack("<HB", len(datagram), fds) + datagram


def frame(kind, payload=b"", run=1, sequence=0, flags=0):
    return struct.pack("<IHHQII", len(payload), kind, flags, run, sequence, 0) + payload


def stream(*frames, tear=255):
    return bytes([tear]) + b"".join(frame(kind, payload, sequence=i, flags=flags)
                                    for i, (kind, payload, flags) in enumerate(frames))


SCHEMAS = {
    "object": ({"type": "object", "required": ["a"], "properties": {"a": {"type": ["string", "null"], "pattern": "^(?=.)[a-z\\d]{1,3}$",
                "format": "date-time"}, "b": {"enum": [1, "x"]}}, "patternProperties": {"^x-": {"multipleOf": 0.01}},
                "additionalProperties": False, "dependentRequired": {"b": ["a"]}}, {"a": "ab1", "x-1": 2.5e1, "c": 1}),
    "list": ({"prefixItems": [{"minimum": 1}], "items": {"maxLength": 2}, "uniqueItems": True, "contains": {"const": {"k": [1.0]}},
              "minContains": 0, "unevaluatedItems": False}, [1, "ab", {"k": [1]}, {"k": [1.0]}]),
    "tree": ({"$ref": "#/$defs/n", "$defs": {"n": {"$anchor": "n", "oneOf": [{"type": "null"}, {"properties": {"l": {"$ref": "#n"}},
              "unevaluatedProperties": {"not": {"type": "string"}}}], "if": {"type": "object"}, "then": {"maxProperties": 2}}}},
             {"l": {"l": None, "r": 1}}),
}


def main():
    for name, (schema, value) in SCHEMAS.items():
        write("host-schema", name, json.dumps(schema).encode() + b"\0" + json.dumps(value).encode())
    path = b"/p.so"
    hello = piece(control(1, 0, struct.pack("<IIQIIII", 2, 1, 10, len(path), 2, 0, 0) + path + b"{}"))
    strict = struct.pack("<IIIIII", 1, 1, 61300, 61300, 2, 0)
    for access, place in ((1, b"/etc"), (2, b"/srv")):
        strict += struct.pack("<II", access, len(place)) + place
    entries, directory = b"A=1\0B=2\0", b"/tmp"
    spawn = lambda flags, box: control(2, 7, struct.pack(
        "<QIIQQQIIQiIII", 1, 1, flags, 1000, 1 << 30, 1 << 20, 64, 8, 0, 5, len(entries), len(directory), len(box))
        + entries + directory + box)
    write("control", "life", hello + piece(spawn(0, b""), 4) + piece(control(10, 7, struct.pack("<iI", 15, 0)))
          + piece(control(11, 7)) + piece(control(12, 7)) + piece(control(4, 1)) + piece(control(3)))
    write("control", "cgroup", hello + piece(spawn(1, strict), 5))
    write("control", "monitor", hello + piece(spawn(2, strict), 5) + piece(spawn(6, b""), 5))
    write("sandbox", "strict", strict)
    write("sandbox", "same", struct.pack("<IIIIII", 1, 0, 0xffffffff, 0xffffffff, 0, 0))

    texts = [b"job", b"00-trace-01", b"/tmp/s", b"run_0000000000001"]
    args = b'{"a": 1}'
    run = struct.pack("<IIqQ4IIIQ", 1, 0, 1 << 40, len(args), *map(len, texts), len(entries), 0, 0) + b"".join(texts) + entries
    for tear in (0, 5):
        write("child", f"run-{tear}", stream((1, run, 0), (2, args, 0), (3, struct.pack("<II", 1, 5000), 0),
                                             (4, struct.pack("<II", 100, 0), 0), (5, struct.pack("<q", 5), 0), (6, b"", 0),
                                             (1, run, 0), (2, args[:3], 0), (2, args[3:], 0), (7, b"", 0), tear=tear))
    at = lambda place, number: struct.pack("<IIqQ4IIIQ", number, 0, 1 << 40, len(args), *map(len, texts), len(entries), place, 0) + \
        b"".join(texts) + entries
    # 1 and 7: with a board; sent ahead, and cancelled before it begins.
    for tear in (1, 7, 252):
        write("child", f"ahead-{tear}", bytes([tear]) + b"".join((
            frame(1, at(1, 1)), frame(2, args), frame(1, at(2, 3), flags=4), frame(2, args), frame(3, struct.pack("<II", 1, 5000)),
            frame(1, at(3, 1), flags=4), frame(2, args))))
    log = struct.pack("<QBBHIII", 1, 1, 0, 1, 5, 2, 0) + b"shello{}"
    progress = struct.pack("<QQQHHIII", 1, 2, 3, 1, 1, 2, 1, 0) + b"summ" + struct.pack("<qH", 9, 1) + b"k"
    result = struct.pack("<IIQII", 0, 1, 8, 0, 1) + args
    part = struct.pack("<IIQII", 0, 0, 4, 9, 1) + b"text/htmlab"
    failure = struct.pack("<iiqIIII", 1, 0, 0, 1, 2, 2, 0) + b"cmm{}"
    idle = struct.pack("<IiIIII10Q", 0, 0, 0, 0, 0, 0, *range(10))
    write("host-frames", "result", stream((20, b"", 0), (21, struct.pack("<QQ", 1, 2), 0), (22, log, 0), (23, progress, 0),
                                          (28, struct.pack("<Q", 3), 0), (27, b"", 0), (24, result, 0), (29, idle, 0)))
    write("host-frames", "parts", stream((20, b"", 0), (24, part, 1), (24, b"cd", 0), tear=3))
    write("host-frames", "failure", stream((20, b"", 0), (25, failure, 0), (99, b"x", 2), (98, b"", 0)))
    write("host-frames", "snooze", stream((26, struct.pack("<q", 1 << 40), 0)))
    for name, data in {
            "ready": control(20, 0, struct.pack("<IIIIQQQ", 2, 1, 1, 0, 1, 2, 3)),
            "refused": control(21, 0, struct.pack("<II", 3, 4) + b"what"), "manifest": control(22, 0, b"{}"),
            "pong": control(23), "note": control(24, 0, b"said"), "spawned": control(30, 7, struct.pack("<IIQ", 1, 2, 3)),
            "failed": control(31, 7, struct.pack("<iI", 11, 1)),
            "exited": control(32, 7, struct.pack("<Iiii9QQ", 1, 1, 0, 0, *range(10))),
            "empty": control(33, 7, struct.pack("<IIQ", 0, 0, 1)), "orphan": control(34, 0, struct.pack("<Ii", 1, 9))}.items():
        write("host-control", name, data)
    write("host-manifest", "csv", json.dumps({
        "name": "csv", "version": "1", "abi_major": 1, "abi_minor": 0, "handlers": [
            {"name": "csv.x", "description": "d", "args_schema": "{}", "result_schema": None,
             "limits": {"wall_ms": 1000, "memory_bytes": 1 << 20}}]}).encode())
    write("host-lines", "lines", b"\x02one\r\ntwo\n\xc3\xa9\xc3\nlast")
    for name, text in {"object": '{"a": [1, -2.5e3, "x\\u00e9\\ud83d\\ude00\\n"], "b": {"c": null, "d": true}}',
                       "lone": '["\\ud800", "\\"", ""]', "deep": "[" * 40 + "]" * 40}.items():
        write("json", name, text.encode())
    magic = 0x6873617263777050
    for version, size in ((1, 592), (2, 872)):
        record = struct.pack("<QIiiiQQQQ16sII", magic, version, 11, 1, 7, 16, 4096, 8192, 1 << 20, b"worker", 2, 0)
        record += struct.pack("<2Q", 4096, 8192)
        maps = b"7f0000000000-7f0000001000 r-xp 00001000 fe:01 99 /usr/lib/x.so\n"
        write("host-crash", f"version-{version}", record + bytes(max(0, size - len(record))) + maps)
    # A small shared object, as linkers begin them: header, one segment to load, no sections.
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 256, 256, 4096)
    elf += struct.pack("<IIQQQQQQ", 4, 4, 176, 176, 176, 20, 20, 4) + struct.pack("<III4s4s", 4, 4, 3, b"GNU\0", b"abcd")
    for target in ("elf", "host-elf"):
        write(target, "tiny", elf + bytes(256 - len(elf)))


if __name__ == "__main__":
    main()
