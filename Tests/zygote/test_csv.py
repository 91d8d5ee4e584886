"""csv.to_jsonl against Python's csv, json and hashlib."""

import csv
import hashlib
import io
import json
import os
import random
import signal
import stat
import struct
import tempfile
from pathlib import Path

from driver import *

CSV = BIN / "plugins" / "csv.so"


class Converter:
    """Runs csv.to_jsonl on bytes."""

    def __enter__(self):
        self.zygote = Zygote(CSV)
        self.scratch = tempfile.TemporaryDirectory()
        self.input, self.output = Path(self.scratch.name) / "in.csv", Path(self.scratch.name) / "out.jsonl"
        return self

    def __exit__(self, *_):
        self.zygote.close()
        self.scratch.cleanup()

    def end(self, content, **args):
        self.input.write_bytes(content)
        attempt = self.zygote.spawn("csv.to_jsonl", {"input": str(self.input), "output": str(self.output),
                                                     **args}).spawned()
        ending = attempt.end()
        self.frames = attempt.frames
        attempt.exited(), attempt.reap(), attempt.close()
        return ending

    def convert(self, content, **args):
        """(rows as lists of pairs, result)."""
        kind, result = self.end(content, **args)
        assert kind == "result", result
        written = self.output.read_bytes()
        assert result["sha256"] == hashlib.sha256(written).hexdigest() and result["bytes_out"] == len(written)
        assert result["bytes_in"] == len(content) and result["output"] == str(self.output)
        assert sorted(p.name for p in Path(self.scratch.name).iterdir()) == ["in.csv",
                "out.jsonl"], "no temporary file is left"
        lines = written.decode().split("\n")
        assert lines.pop() == "" and len(lines) == result["rows"]
        return [json.loads(line, object_pairs_hook=list) for line in lines], result

    def rows(self, content, **args):
        return [[v for _, v in row] for row in self.convert(content, **args)[0]]

    def logs(self):
        return [parse_log(f[2]) for f in self.frames if f[0] == LOG]


def test_header_and_names():
    with Converter() as c:
        rows, result = c.convert(b"name,age\r\nAnn,34\r\nBob,7\r\n")
        assert rows == [[("name", "Ann"), ("age", "34")], [("name", "Bob"), ("age", "7")]]
        assert (result["rows"], result["errors"], result["repaired"]) == (2, 0, 0)
        names = lambda content, **args: [k for k, _ in c.convert(content, **args)[0][0]]
        assert names(b"1,2\n", header=False) == ["column_1", "column_2"]
        assert names(b"1,2\n", names=["x", "y"]) == ["x", "y"] and len(c.rows(b"1,2\n3,4\n", names=["x", "y"])) == 2
        assert c.rows(b"a,b\n3,4\n", names=["x", "y"], header=True) == [["3", "4"]]
        assert names(b"a,,a,a_2,\n1,2,3,4,5\n") == ["a", "column_2", "a_2", "a_2_2", "column_5"]
        assert names('"q""t",é\n1,2\n'.encode()) == ['q"t', "é"]
        assert c.convert(b"")[1]["rows"] == 0 and c.convert(b"a,b\n")[1]["rows"] == 0


def test_rfc_4180():
    with Converter() as c:
        assert c.rows(b'a,b\n"x, y","line 1\nline 2"\n"say ""hi""",\n') == [["x, y", "line 1\nline 2"],
                ['say "hi"', ""]]
        assert c.rows(b'a\r\n"1\r\n2"\r\nlast') == [["1\r\n2"], ["last"]]
        assert c.rows(b'a,b\n"",""\n') == [["", ""]]
        assert c.rows(b"\xef\xbb\xbfa,b\n1,2\n") == [["1", "2"]] and c.convert(b"\xef\xbb\xbfa\n1\n")[0][0][0][0] == "a"
        assert c.rows(b"a,b\n\n1,2\n\r\n") == [["1", "2"]], "empty lines are skipped"
        assert c.rows(b"a\n\n1\n") == [[""], ["1"]], "but in one column they are values"
        assert c.rows(b"a,b\n1\rx,2\n") == [["1\rx", "2"]]
        assert c.rows(b"a\tb\n1,5\t'x\ty'\n", delimiter="\t", quote="'") == [["1,5", "x\ty"]]
        assert c.rows(b'a,b\n"1",2\n', quote="") == [['"1"', "2"]]
        assert c.rows(b'a,b\nNULL,"NULL"\n', null_text="NULL") == [[None, "NULL"]]
        assert c.rows(b"a,b\n,x\n", null_text="") == [[None, "x"]]


def test_against_python_on_random_input():
    seed = int(os.environ.get("PAWL_SEED", random.randrange(1 << 30)))
    chooser = random.Random(seed)
    with Converter() as c:
        for _ in range(20):
            delimiter, columns = chooser.choice(",;\t|"), chooser.randrange(2, 9)
            alphabet = [delimiter, '"', "\n", "\r\n", "a", "é", "😀", "\\", "\t", "\x01", " ", "word "]
            rows = [["".join(chooser.choices(alphabet, k=chooser.randrange(0, 12) * chooser.choice((1, 1, 1,
                    400)))) for _ in range(columns)]
                    for _ in range(chooser.randrange(1, 400))]
            text = io.StringIO(newline="")
            csv.writer(text, delimiter=delimiter, lineterminator=chooser.choice(("\n", "\r\n")),
                       quoting=csv.QUOTE_ALL if chooser.random() < 0.3 else csv.QUOTE_MINIMAL).writerows(rows)
            got = c.rows(text.getvalue().encode(), header=False, delimiter=delimiter)
            assert got == rows, f"seed {seed}"


def test_malformed_records():
    with Converter() as c:
        content = b'a,b\n1,2\n1\n1,2,3\n"x"y,2\n"x"\ry,2\nx"y,2\n5,6\n"open,2\n'
        rows, result = c.convert(content)
        assert [[v for _, v in r] for r in rows] == [["1", "2"], ["5", "6"]] and result["errors"] == 6
        logs = c.logs()
        assert [json.loads(l["fields"])["line"] for l in logs] == [3, 4, 5, 6, 7,
                9] and all(l["level"] == 2 for l in logs)
        assert "1 fields, where 2 are named" in logs[0]["message"] and "not closed" in logs[-1]["message"]
        kind, failure = c.end(content, strict=True)
        assert kind == "failure"
        assert failure["code"] == "csv_malformed"
        assert failure["retry"] == 1
        assert failure["message"].startswith("line 3: ")
        many = b"a,b\n" + b"1\n" * 1000
        assert c.convert(many)[1]["errors"] == 1000 and len(c.logs()) == 20
        counters = [parse_progress(f[2]) for f in c.frames if f[0] == PROGRESS][-1]["counters"]
        assert counters == {"errors": 1000}
        kind, failure = c.end(b'a,b\n"' + b"x" * (17 << 20))
        assert failure["code"] == "csv_malformed" and "16 MiB" in failure["message"]
        assert c.end(b'a,"b\n1,2')[1]["code"] == "csv_malformed"


def test_invalid_utf8_is_repaired_and_counted():
    with Converter() as c:
        rows, result = c.convert(b"a,b\n\xff\xfex,\xc3\xa9\n\xe2\x82,\xed\xa0\x80\n\xf4\x90\x80\x80,ok\n\x00,\x7f\n")
        values = [[v for _, v in row] for row in rows]
        assert values == [["\ufffd\ufffdx", "é"], ["\ufffd\ufffd", "\ufffd" * 3], ["\ufffd" * 4, "ok"], ["\0", "\x7f"]]
        assert result["repaired"] == 4
        # Long fields are escaped in pieces: no sequence may be cut.
        long = "a" * 8190 + "😀é" * 5000
        assert c.rows(f"a,b\n{long},1\n".encode()) == [[long,
                "1"]] and c.convert(f"a,b\n{long},1\n".encode())[1]["repaired"] == 0


def test_bad_args():
    with Converter() as c:
        for args, words in (({"delimiter": ""}, '"delimiter" must be one'), ({"delimiter": "ab"}, '"delimiter"'),
                            ({"delimiter": "é"}, '"delimiter"'),
                            ({"delimiter": "\n"}, '"delimiter"'), ({"quote": ","},
                                    '"quote" must differ'), ({"header": 1}, '"header" must be true or false'),
                            ({"names": "a"}, '"names" must be an array'), ({"names": [1]},
                                    '"names" must hold strings'), ({"colour": 1}, '"colour"'),
                            ({"input": "in.csv"}, '"input" must be an absolute path'), ({"output": ""},
                                    '"output" must be an absolute path'),
                            ({"output": None}, '"output" is missing'), ({"input": 3}, '"input" must be a string')):
            kind, failure = c.end(b"a\n", **args)
            assert kind == "failure"
            assert failure["status"] == 5
            assert failure["retry"] == 1
            assert words in failure["message"], (args, failure)
        assert not c.output.exists()


def test_files_that_cannot_be_used():
    with Converter() as c:
        missing = c.end(b"", input="/nonexistent/x")[1]
        assert missing["message"] == "cannot read /nonexistent/x: No such file or directory"
        assert c.end(b"", input="/")[1]["message"] == "cannot read /: Is a directory"
        assert c.end(b"", output="/nonexistent/x")[1]["code"] == "csv_output"
        kind, failure = c.end(b"a\n" + b"x\n" * 3_000_000, output="/dev/full")
        assert failure["code"] == "csv_output" and "No space left" in failure["message"]
        kind, result = c.end(b"a\n1\n", output="/dev/null")
        assert kind == "result" and stat.S_ISCHR(os.stat("/dev/null").st_mode), "a device is written to, not replaced"
        # An output that was there is replaced whole, or not touched.
        c.output.write_text("old")
        assert c.end(b"a,b\n1\n", strict=True)[0] == "failure" and c.output.read_text() == "old"
        assert sorted(p.name for p in Path(c.scratch.name).iterdir()) == ["in.csv", "out.jsonl"]


def test_file_size_limit_and_cancel():
    with Converter() as c:
        c.input.write_bytes(b"a,b\n" + b"some text,other text\n" * 2_000_000)
        args = {"input": str(c.input), "output": str(c.output)}
        attempt = c.zygote.spawn("csv.to_jsonl", args).spawned()
        attempt.wait(PROGRESS)
        attempt.send(CANCEL, struct.pack("<II", 1, 0))
        kind, failure = attempt.end()
        assert kind == "failure" and failure["status"] == 3
        attempt.exited(), attempt.reap(), attempt.close()
        assert [p.name for p in Path(c.scratch.name).iterdir()] == ["in.csv"]
        attempt = c.zygote.spawn("csv.to_jsonl", args, limits={"file_bytes": 1_000_000}).spawned()
        assert attempt.end()[0] == "gone" and attempt.exited()["status"] == signal.SIGXFSZ
        attempt.reap(), attempt.close()


def test_progress_is_by_bytes():
    with Converter() as c:
        content = b"a,b\n" + b"1,2\n" * 300_000
        c.convert(content)
        last = [parse_progress(f[2]) for f in c.frames if f[0] == PROGRESS][-1]
        assert last["current"] == last["total"] == len(content)
        assert last["unit"] == "bytes"
        assert last["stage"] == "Converting"
        assert last["counters"] == {"rows": 300_000}


def test_sha256_at_every_block_boundary():
    with Converter() as c:
        for length in [*range(0, 140), 4095, 8192, 262143, 262144, 262145]:
            c.convert(b"a\n" + b"x" * length + b"\n")


def test_unicode_data():
    source = Path("/usr/share/unicode/UnicodeData.txt")
    if not source.exists():
        print("      (unicode-data is not installed)")
        return
    with Converter() as c:
        content = source.read_bytes()
        rows = c.rows(content, delimiter=";", header=False)
        assert rows == [line.split(";") for line in content.decode().splitlines()] and len(rows) > 30000
