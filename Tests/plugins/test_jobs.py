"""data.convert, document.process, bulk.operation and train.classifier, on real input in real zygotes."""

import csv
import hashlib
import io
import itertools
import json
import math
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_useful  # noqa: E402
from test_useful import NEVER  # noqa: E402

driver = test_useful.driver


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def make_pdf(path, pages):
    """A PDF of lines of text, by hand: no program is needed for it."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", None, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        shown = "".join(f"({line}) Tj T* " for line in text)
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {shown}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
                       "/Resources << /Font << /F1 3 0 R >> >> >>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    objects.append("<< /Title (The report) >>")
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    path.write_bytes(out)


class Convert(test_useful.Case):
    plugin = "data"

    ROWS = [{"name": 'Anna "A" Berg', "city": "Köln, Süd", "note": "two\nlines"}, {"name": "Bo", "city": "", "note": "x;y"},
            {"name": "雪", "city": "東京", "note": "\\ \t end"}]

    def write(self, name, rows=None):
        path = self.directory / name
        rows = self.ROWS if rows is None else rows
        if name.endswith(".csv"):
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            path.write_text(text.getvalue())
        elif name.endswith(".json"):
            path.write_text(json.dumps(rows, indent=2, ensure_ascii=False))
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def read(self, path):
        if path.suffix == ".csv":
            with path.open(newline="") as file:
                return list(csv.DictReader(file))
        return json.loads(path.read_text()) if path.suffix == ".json" else lines(path)

    def convert(self, source, target, **more):
        kind, result = self.run_one("data.convert", {"input": str(source), "output": str(target), **more})
        self.assertEqual(kind, "result", result)
        return result

    def test_all_six_directions_keep_every_value(self):
        for source, target in itertools.permutations(["csv", "json", "jsonl"], 2):
            with self.subTest(f"{source} to {target}"):
                made = self.directory / f"from-{source}.{target}"
                result = self.convert(self.write(f"in.{source}"), made)
                self.assertEqual(self.read(made), self.ROWS)
                self.assertEqual((result["from"], result["to"], result["rows"], result["errors"]), (source, target, 3, 0))
                self.assertEqual(result["sha256"], hashlib.sha256(made.read_bytes()).hexdigest())
                self.assertEqual(result["bytes_out"], made.stat().st_size)

    def test_types_and_nested_values(self):
        rows = [{"n": 1.5e300, "b": True, "z": None, "a": [1, {"x": "y"}]}, {"extra": "only here", "n": -0}]
        table = self.directory / "t.csv"
        self.convert(self.write("in.jsonl", rows), table)
        with table.open(newline="") as file:
            read = list(csv.reader(file))
        self.assertEqual(read[0], ["n", "b", "z", "a", "extra"])
        self.assertEqual(read[1], ["1.5e+300", "true", "", '[1,{"x":"y"}]', ""])
        back = self.directory / "back.jsonl"
        self.convert(table, back, infer=True)
        self.assertEqual(lines(back)[0], {"n": 1.5e300, "b": True, "z": None, "a": '[1,{"x":"y"}]', "extra": None})
        chosen = self.directory / "chosen.csv"
        self.convert(self.write("in.jsonl", rows), chosen, columns=["extra", "n"], delimiter=";")
        self.assertEqual(chosen.read_text(), "extra;n\n;1.5e+300\nonly here;0\n")
        # Numbers, their digits and the order of members stay as they were written.
        exact = self.directory / "exact.json"
        exact.write_text('[ {"b" : 1.000, "a":12345678901234567890 , "e":"\\u0041\\ud83d\\ude00"} ,{}]')
        self.convert(exact, self.directory / "exact.jsonl")
        self.assertEqual((self.directory / "exact.jsonl").read_text(),
                         '{"b":1.000,"a":12345678901234567890,"e":"\\u0041\\ud83d\\ude00"}\n{}\n')

    def test_malformed_records_are_skipped_or_the_end(self):
        bad = self.directory / "bad.jsonl"
        bad.write_text('{"a":1}\n{"a":\n[1]\n\n{"a":2}\n{"a":01}\n')
        good = self.directory / "good.json"
        ending, log, progress = self.run_all("data.convert", {"input": str(bad), "output": str(good)})
        self.assertEqual(ending[1]["errors"], 3)
        self.assertEqual(self.read(good), [{"a": 1}, {"a": 2}])
        self.assertIn("line 2 skipped", json.dumps(log, default=str))
        good.unlink()
        kind, failure = self.run_one("data.convert", {"input": str(bad), "output": str(good), "strict": True})
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "data_malformed", NEVER))
        self.assertIn("line 2", failure["message"])
        for text, words in [('[{"a":1}', "ends before"), ("{}", "no JSON array"), ('[{"a":1}] x', "follows the array")]:
            (self.directory / "x.json").write_text(text)
            kind, failure = self.run_one("data.convert", {"input": str(self.directory / "x.json"), "output": str(good) + "l"})
            self.assertIn(words, failure["message"])
        self.assertEqual([p for p in self.directory.iterdir() if "tmp" in p.name], [])
        self.assertFalse(good.exists())

    def test_wrong_args(self):
        path = str(self.write("in.csv"))
        self.refused("data.convert", {"input": path, "output": path}, "another format")
        self.refused("data.convert", {"input": path, "output": "/x/y.z"}, "is needed")
        self.refused("data.convert", {"input": path, "output": "rel.json"}, "absolute path")
        self.refused("data.convert", {"input": path, "output": "/x.json", "delimiter": "::"}, "one ASCII character")

    def test_cancellation_leaves_nothing(self):
        big = self.directory / "big.jsonl"
        with big.open("w") as file:
            for _ in range(40):
                file.write('{"a":1,"b":"some text that is copied"}\n' * 50000)
        made = self.directory / "made.csv"
        self.cancel("data.convert", {"input": str(big), "output": str(made)},
                    lambda attempt: attempt.wait(driver.PROGRESS), within=1.0)
        self.assertEqual(sorted(p.name for p in self.directory.iterdir()), ["big.jsonl"])


class Document(test_useful.Case):
    plugin = "document"

    def process(self, source, **more):
        made = self.directory / "chunks.jsonl"
        kind, result = self.run_one("document.process", {"input": str(source), "output": str(made), **more})
        self.assertEqual(kind, "result", result)
        return result, lines(made)

    def test_pdf(self):
        path = self.directory / "report.pdf"
        make_pdf(path, [["The harvest was good this year. Apples were", "plenti-", "ful and sweet."], ["Winter came early. Snow fell."]])
        result, chunks = self.process(path, chunk_characters=60, overlap_characters=20, dimensions=64)
        self.assertEqual((result["format"], result["pages"], result["title"]), ("pdf", 2, "The report"))
        text = " ".join(chunk["text"].replace("\n", " ") for chunk in chunks)
        self.assertIn("plentiful and sweet.", text)
        self.assertEqual([chunks[0]["page"], chunks[-1]["page"]], [1, 2])
        self.assertEqual(result["chunks"], len(chunks))
        self.assertTrue(all(chunk["characters"] <= 60 and len(chunk["vector"]) == 64 for chunk in chunks))

    def test_html(self):
        path = self.directory / "page.html"
        path.write_text("<html><head><title>Ein  Tag</title><style>p{color:red}</style></head><body><h1>Früh</h1>"
                        "<p>Kaffee am <b>Mor</b>gen.<p>Tee &amp; Brot<script>alert('unseen')</script></body>")
        result, chunks = self.process(path, dimensions=0)
        self.assertEqual((result["title"], result["pages"], len(chunks)), ("Ein Tag", None, 1))
        self.assertEqual(chunks[0]["text"], "Früh\nKaffee am Morgen.\nTee & Brot")
        self.assertNotIn("vector", chunks[0])
        self.assertEqual(chunks[0]["characters"], len(chunks[0]["text"]))

    def test_chunks_overlap_in_sentences_and_vectors_find_what_is_alike(self):
        path = self.directory / "long.html"
        topics = ["The cat sleeps on the warm sofa.", "Stocks fell sharply on the market today.", "Rain is expected over the hills."]
        sentences = [topics[n % 3] + f" Number {n} says so." for n in range(60)]
        path.write_text("<p>" + "</p><p>".join(sentences) + "</p>")
        result, chunks = self.process(path, chunk_characters=120, overlap_characters=40, dimensions=256)
        self.assertGreater(len(chunks), 20)
        for before, after in zip(chunks, chunks[1:]):
            first = after["text"].replace("\n", " ").split(". ")[0]
            self.assertIn(first.rstrip("."), before["text"].replace("\n", " "))
        for chunk in chunks:
            self.assertAlmostEqual(math.sqrt(sum(x * x for x in chunk["vector"])), 1, places=3)
        again, same = self.process(path, chunk_characters=120, overlap_characters=40, dimensions=256)
        self.assertEqual((again["sha256"], same), (result["sha256"], chunks))

        path.write_text("".join(f"<p>{t}</p>" for t in [topics[0] * 3, topics[1] * 3, "A cat on a sofa, warm: it sleeps. " * 3]))
        _, three = self.process(path, chunk_characters=140, overlap_characters=0, dimensions=1024)
        self.assertEqual(len(three), 3)
        near = lambda a, b: sum(x * y for x, y in zip(three[a]["vector"], three[b]["vector"]))  # noqa: E731
        self.assertGreater(near(0, 2), near(0, 1) + 0.1)

    def test_what_is_no_document(self):
        path = self.directory / "no.pdf"
        path.write_bytes(b"this is no PDF at all")
        kind, failure = self.run_one("document.process", {"input": str(path), "output": str(path) + ".jsonl"})
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "document_malformed", NEVER))
        kind, failure = self.run_one("document.process", {"input": str(path) + "x.html", "output": str(path) + ".jsonl"})
        self.assertEqual((kind, failure["code"]), ("failure", "document_input"))
        self.refused("document.process", {"input": str(self.directory / "a.txt"), "output": "/x"}, "is needed")
        self.refused("document.process", {"input": str(path), "output": "/x", "chunk_characters": 100,
                                          "overlap_characters": 100}, "less than chunk_characters")


class Bulk(test_useful.Case):
    plugin = "bulk"

    def setUp(self):
        super().setUp()
        self.files = []
        for n in range(40):
            path = self.directory / f"f{n}.txt"
            path.write_bytes(f"content {n}\n".encode() * (n + 1))
            self.files.append(path)
        self.items = self.directory / "items.jsonl"
        self.results = self.directory / "results.jsonl"

    def list(self, items):
        self.items.write_text("".join(json.dumps(item) + "\n" for item in items))

    def args(self, operation, **more):
        return {"operation": operation, "items": str(self.items), "results": str(self.results), **more}

    def bulk(self, operation, **more):
        kind, result = self.run_one("bulk.operation", self.args(operation, **more))
        self.assertEqual(kind, "result", result)
        return result, lines(self.results)

    def test_schemas_are_json_and_closed(self):
        """What is not in the schema never reaches a handler of the kit: the host checks."""
        for handler in self.zygote.manifest["handlers"]:
            self.assertIs(handler["args_schema"]["additionalProperties"], False)
            self.assertTrue(handler["result_schema"])

    def test_hash(self):
        self.list([{"source": str(path)} for path in self.files])
        result, found = self.bulk("hash")
        self.assertEqual((result["items"], result["done"], result["failed"]), (40, 40, 0))
        self.assertEqual([line["sha256"] for line in found], [hashlib.sha256(p.read_bytes()).hexdigest() for p in self.files])
        self.assertFalse(Path(str(self.results) + ".journal").exists())

    def test_copy_move_and_remove_with_errors_of_their_own(self):
        self.files[0].chmod(0o640)
        self.list([{"source": str(self.files[0]), "target": str(self.directory / "copy")},
                   {"source": str(self.directory / "none"), "target": str(self.directory / "x")},
                   {"source": str(self.files[1]), "target": str(self.files[2])}, {"source": "relative", "target": "/x"},
                   {"source": str(self.directory), "target": str(self.directory / "y")}])
        result, found = self.bulk("copy")
        self.assertEqual([line["status"] for line in found], ["done", "failed", "failed", "failed", "failed"])
        self.assertIn("No such file", found[1]["error"])
        self.assertIn("File exists", found[2]["error"])
        self.assertIn("absolute", found[3]["error"])
        self.assertIn("no regular file", found[4]["error"])
        self.assertEqual((self.directory / "copy").read_bytes(), self.files[0].read_bytes())
        self.assertEqual((self.directory / "copy").stat().st_mode & 0o777, 0o640)
        self.list([{"source": str(self.files[3]), "target": str(self.files[4])},
                   {"source": str(self.files[5]), "target": str(self.directory / "moved")}])
        content = self.files[3].read_bytes()
        _, found = self.bulk("move")
        self.assertEqual([line["status"] for line in found], ["failed", "done"])
        self.bulk("move", overwrite=True, max_errors=5)
        self.assertEqual(self.files[4].read_bytes(), content)
        self.assertFalse(self.files[3].exists() or self.files[5].exists())
        self.list([{"source": str(self.directory / "moved")}, {"source": str(self.directory / "moved")}])
        _, found = self.bulk("remove")
        self.assertEqual([line["status"] for line in found], ["done", "failed"])
        self.assertEqual([p.name for p in self.directory.iterdir() if p.name.endswith(".tmp")], [])

    def test_errors_are_bounded(self):
        self.list([{"source": str(self.directory / f"none{n}")} for n in range(20)])
        kind, failure = self.run_one("bulk.operation", self.args("hash", max_errors=5))
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "bulk_too_many_errors", NEVER))
        self.assertFalse(self.results.exists())

    def test_goes_on_where_a_dead_attempt_was(self):
        targets = [self.directory / f"moved{n}" for n in range(40)]
        self.list([{"source": str(s), "target": str(t)} for s, t in zip(self.files, targets)])
        contents = [path.read_bytes() for path in self.files]
        # Ten in the journal, the eleventh done but not written down, half of its line.
        for n in range(11):
            self.files[n].rename(targets[n])
        head = {"journal": 1, "operation": "move", "items": str(self.items), "itemBytes": self.items.stat().st_size,
                "overwrite": False}
        journal = Path(str(self.results) + ".journal")
        journal.write_text(json.dumps(head) + "\n" + "".join(
            json.dumps({"item": n + 1, "status": "done"}) + "\n" for n in range(10)) + '{"item":11,"sta')
        result, found = self.bulk("move")
        self.assertEqual((result["resumed_at"], result["done"], result["failed"]), (10, 40, 0))
        self.assertEqual([line["item"] for line in found], list(range(1, 41)))
        self.assertEqual([t.read_bytes() for t in targets], contents)
        # A journal of another list is none of ours.
        journal.write_text(json.dumps({**head, "itemBytes": 7}) + "\n" + json.dumps({"item": 1, "status": "done"}) + "\n")
        self.list([{"source": str(t)} for t in targets])
        result, _ = self.bulk("remove")
        self.assertEqual((result["resumed_at"], result["done"]), (0, 40))

    def test_a_cancelled_attempt_and_the_next_do_it_together(self):
        big = self.directory / "big"
        big.write_bytes(os.urandom(1 << 20))
        self.list([{"source": str(big), "target": str(self.directory / f"c{n}")} for n in range(3000)])
        args = self.args("copy")
        attempt = self.zygote.spawn("bulk.operation", args).spawned()
        driver.until(lambda: (self.directory / "c20").exists())
        attempt.send(driver.CANCEL)
        kind, failure = attempt.end()
        self.assertEqual((kind, failure["status"]), ("failure", test_useful.CANCELLED))
        attempt.exited()
        attempt.reap()
        attempt.close()
        journal = Path(str(self.results) + ".journal")
        done = len(journal.read_text().splitlines()) - 1
        self.assertTrue(20 <= done < 3000)
        attempt = self.zygote.spawn("bulk.operation", args, number=2).spawned()
        driver.until(lambda: len(journal.read_text().splitlines()) - 1 > done + 5)
        attempt.kill()
        attempt.rest()
        attempt.exited()
        attempt.reap()
        attempt.close()
        later = len(journal.read_text().splitlines())
        self.assertGreater(later, done)
        count = sum(1 for p in self.directory.iterdir() if p.name.startswith("c") and p.name[1:].isdigit())
        self.assertGreaterEqual(count, later - 1)


class Train(test_useful.Case):
    plugin = "train"

    WORDS = {"sport": "goal team match ball player league coach score".split(),
             "food": "soup bread oven butter salt recipe plate cook".split()}

    def examples(self, name, labels=("sport", "food"), count=200, salt=0, words=None):
        words = words or self.WORDS
        rows = []
        for n in range(count):
            label = labels[n % len(labels)]
            own = words[label]
            text = " ".join([own[(n * 7 + salt) % 8], own[(n * 3 + 1) % 8], "the", f"thing{n % 11}", own[(n + salt) % 8]])
            rows.append({"text": text, "label": label})
        path = self.directory / name
        if name.endswith(".csv"):
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, ["label", "text"])
                writer.writeheader()
                writer.writerows(rows)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def train(self, data, model, **more):
        kind, result = self.run_one("train.classifier", {"data": str(data), "model": str(self.directory / model), **more})
        self.assertEqual(kind, "result", result)
        return result

    def test_schemas_are_json_and_closed(self):
        """What is not in the schema never reaches a handler of the kit: the host checks."""
        for handler in self.zygote.manifest["handlers"]:
            self.assertIs(handler["args_schema"]["additionalProperties"], False)
            self.assertTrue(handler["result_schema"])

    def test_learns_and_repeats_itself(self):
        data = self.examples("e.jsonl")
        one = self.train(data, "one", epochs=8, dimensions=512)
        self.assertEqual((one["labels"], one["examples"], one["held_out"], one["epochs"]), (["food", "sport"], 160, 40, 8))
        self.assertEqual(one["accuracy"], 1.0)
        self.assertLess(one["loss"], one["history"][0]["loss"] / 2)
        two = self.train(data, "two", epochs=8, dimensions=512)
        self.assertEqual((self.directory / "one").read_bytes(), (self.directory / "two").read_bytes())
        self.assertEqual(one["history"], two["history"])
        other = self.train(data, "three", epochs=8, dimensions=512, seed=2)
        self.assertNotEqual(other["history"], one["history"])
        table = self.train(self.examples("e.csv"), "four", epochs=8, dimensions=512)
        self.assertEqual(table["history"], one["history"])

    def test_an_attempt_that_died_is_gone_on_with_and_ends_alike(self):
        data = self.examples("e.jsonl", count=4000)
        whole = self.train(data, "whole", epochs=30, dimensions=256)
        self.assertEqual(whole["resumed_at"], 0)
        model = self.directory / "model"
        args = {"data": str(data), "model": str(model), "epochs": 30, "dimensions": 256}

        def epochs():
            if not model.exists():
                return 0
            return len(json.loads(model.read_bytes().split(b"\n", 1)[0])["history"])

        attempt = self.zygote.spawn("train.classifier", args).spawned()
        driver.until(lambda: epochs() >= 2)
        attempt.kill()
        attempt.rest()
        attempt.exited()
        attempt.reap()
        attempt.close()
        died_at = epochs()
        resumed = self.train(data, "model", epochs=30, dimensions=256)
        self.assertEqual(resumed["resumed_at"], died_at)
        self.assertEqual(resumed["history"], whole["history"])
        self.assertEqual(model.read_bytes(), (self.directory / "whole").read_bytes())
        # Done already: nothing is done again.
        self.assertEqual(self.train(data, "model", epochs=30, dimensions=256)["resumed_at"], 30)

    def test_fine_tuning_keeps_what_was_learnt_and_adds_a_label(self):
        base = self.examples("base.jsonl")
        self.train(base, "base", epochs=8, dimensions=1024)
        words = {**self.WORDS, "music": "violin tune opera choir drum piano song band".split()}
        more = self.examples("more.jsonl", labels=("music", "sport"), count=120, salt=3, words=words)
        tuned = self.train(more, "tuned", base=str(self.directory / "base"), epochs=6)
        self.assertEqual(tuned["labels"], ["food", "sport", "music"])
        self.assertGreaterEqual(tuned["accuracy"], 0.95)
        # From nothing the first epoch is worse.
        fresh = self.train(more, "fresh", epochs=6, dimensions=1024)
        self.assertEqual(fresh["labels"], ["music", "sport"])

    def test_what_cannot_be_trained(self):
        data = self.examples("e.jsonl")
        self.train(data, "model", epochs=1, dimensions=64)
        args = {"data": str(data), "model": str(self.directory / "model")}
        kind, failure = self.run_one("train.classifier", {**args, "epochs": 2, "dimensions": 64})
        self.assertEqual((kind, failure["code"], failure["retry"]), ("failure", "train_other_model", NEVER))
        kind, failure = self.run_one("train.classifier", {**args, "base": str(self.directory / "none"), "model": "/x"})
        self.assertEqual((kind, failure["code"]), ("failure", "train_model"))
        kind, failure = self.run_one("train.classifier", {"data": str(data), "model": "/x", "base": str(data)})
        self.assertEqual((kind, failure["code"]), ("failure", "train_model"))
        (self.directory / "bad.jsonl").write_text('{"text": "a", "label": 1}\n')
        kind, failure = self.run_one("train.classifier", {"data": str(self.directory / "bad.jsonl"), "model": "/x"})
        self.assertEqual((kind, failure["code"]), ("failure", "train_malformed"))
        self.assertIn("line 1", failure["message"])
        kind, failure = self.run_one("train.classifier", {"data": "x", "model": "/x"})
        self.assertIn("absolute", failure["message"])


if __name__ == "__main__":
    driver.become_subreaper()
    unittest.main(argv=sys.argv)
