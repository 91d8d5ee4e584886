"""The host's JSON Schema validator against Python's `jsonschema`, on generated schemas and values. PAWL_SEED chooses others."""

import json
import os
import pathlib
import random
import shutil
import subprocess

import pytest
from jsonschema import Draft202012Validator

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = ["null", "boolean", "object", "array", "string", "integer", "number"]
# Where Python's `re` and ECMA-262 mean the same.
PATTERNS = ["^a", "b$", "^[a-z]+$", "\\d", "^.{1,2}$", "a|b", "^(ab?)*$", "^(?!x)", "^$", "[^a]", "^(?:a|é){1,3}$", "\\w-\\w"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, depth=0):
        pick = self.random
        kind = pick.randrange(9 if depth < 3 else 6)
        if kind == 0:
            return None
        if kind == 1:
            return pick.random() < 0.5
        if kind == 2:
            return pick.choice([0, 1, 2, 3, 5, 10, -1, -7, 100, 2**53 + 1, 10**30])
        if kind == 3:
            return pick.choice([0.5, 1.0, 2.0, 1.5, -0.25, 3.0])
        if kind in (4, 5):
            return pick.choice(["", "a", "b", "ab", "abc", "12", "a-b", "é", "x y", "foo", "😀"])
        if kind == 6:
            return [self.value(depth + 1) for _ in range(pick.randrange(4))]
        return {pick.choice("abcde"): self.value(depth + 1) for _ in range(pick.randrange(4))}

    def schema(self, depth=0):
        pick = self.random
        if depth > 4 or pick.random() < 0.06:
            return pick.choice([True, True, False, {}, {}])
        schema = {}
        for _ in range(pick.randrange(1, 4)):
            self.add_keyword(schema, depth)
        return schema

    def add_keyword(self, schema, depth):
        pick = self.random

        def inner():
            return self.schema(depth + 1)

        def some(number):
            return [inner() for _ in range(pick.randrange(1, number))]

        makers = {
            "type": lambda: pick.choice([pick.choice(TYPES), pick.sample(TYPES, pick.randrange(1, 4))]),
            "enum": lambda: [self.value(2) for _ in range(pick.randrange(1, 5))],
            "const": lambda: self.value(2),
            "minimum": lambda: pick.choice([0, 1, 2.5, -3]), "maximum": lambda: pick.choice([0, 1, 2.5, 10]),
            "exclusiveMinimum": lambda: pick.choice([0, 1, -1]), "exclusiveMaximum": lambda: pick.choice([1, 5, 100]),
            "multipleOf": lambda: pick.choice([1, 2, 0.5, 3]),
            "minLength": lambda: pick.randrange(3), "maxLength": lambda: pick.randrange(3), "pattern": lambda: pick.choice(PATTERNS),
            "properties": lambda: {pick.choice("abcde"): inner() for _ in range(pick.randrange(4))},
            "required": lambda: pick.sample("abcde", pick.randrange(3)),
            "additionalProperties": inner, "propertyNames": inner,
            "patternProperties": lambda: {pick.choice(["^a", "[bc]", ".", "d|e"]): inner()},
            "minProperties": lambda: pick.randrange(3), "maxProperties": lambda: pick.randrange(4),
            "dependentRequired": lambda: {pick.choice("abc"): pick.sample("abcde", 2)},
            "dependentSchemas": lambda: {pick.choice("abc"): inner()},
            "items": inner, "prefixItems": lambda: some(3), "contains": inner,
            "minItems": lambda: pick.randrange(3), "maxItems": lambda: pick.randrange(4), "uniqueItems": lambda: pick.random() < 0.8,
            "allOf": lambda: some(4), "anyOf": lambda: some(4), "oneOf": lambda: some(4), "not": inner,
            "if": inner, "then": inner, "else": inner,
            "unevaluatedProperties": lambda: pick.choice([False, False, inner()]),
            "unevaluatedItems": lambda: pick.choice([False, False, inner()]),
            "$ref": lambda: "#/$defs/" + pick.choice("xyz"),
        }
        keyword = pick.choice(list(makers))
        schema[keyword] = makers[keyword]()
        if keyword == "contains" and pick.random() < 0.5:
            schema[pick.choice(["minContains", "maxContains"])] = pick.randrange(3)

    def case(self):
        schema = self.schema()
        if not isinstance(schema, dict):
            schema = {"allOf": [schema]}
        schema["$defs"] = {"x": self.schema(2), "y": self.schema(2), "z": {"type": "object", "additionalProperties": {"$ref": "#"}}}
        return schema, [self.value() for _ in range(12)]


@pytest.fixture(scope="session")
def ours(tmp_path_factory):
    """A program of the validator alone, and what it says to a list of cases."""
    if not shutil.which("swiftc"):
        pytest.skip("no swiftc")
    build = tmp_path_factory.mktemp("batch")
    options = ["-swift-version", "6", "-package-name", "pawl", "-wmo", "-parse-as-library", "-I", build]
    for feature in ("ExistentialAny", "InternalImportsByDefault", "MemberImportVisibility", "NonisolatedNonsendingByDefault"):
        options += ["-enable-upcoming-feature", feature]
    core = sorted((ROOT / "Sources" / "Runtime" / "JobCore").glob("*.swift"))
    subprocess.run(
        ["swiftc", *options, "-module-name", "JobCore", "-emit-module", "-emit-module-path", build / "JobCore.swiftmodule", "-emit-object",
         "-o", build / "JobCore.o", *core], check=True)
    subprocess.run(
        ["swiftc", *options, "-module-name", "Batch", "-o", build / "batch", pathlib.Path(__file__).parent / "batch.swift",
         build / "JobCore.o", "-lm"], check=True)

    def verdicts(cases):
        lines = "".join(json.dumps({"schema": schema, "values": values}) + "\n" for schema, values in cases)
        done = subprocess.run([build / "batch"], input=lines, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return verdicts


def test_says_what_the_other_says(ours):
    seed = int(os.environ.get("PAWL_SEED", "4"))
    generator = Generator(seed)
    cases, expected = [], []
    while len(cases) < 3000:
        schema, values = generator.case()
        try:
            verdicts = [Draft202012Validator(schema).is_valid(value) for value in values]
        except RecursionError:
            continue
        cases.append((schema, values))
        expected.append(verdicts)
    answers = ours(cases)
    assert len(answers) == len(cases)
    compared = accepted = 0
    for (schema, values), wanted, got in zip(cases, expected, answers):
        if isinstance(got, dict):
            # The other does not mind a loop that it does not happen to walk into.
            assert "leads back to itself" in got["words"], f"seed {seed}: {got} for {json.dumps(schema)}"
            continue
        for value, want, answer in zip(values, wanted, got):
            compared += 1
            accepted += want
            assert answer == want, f"seed {seed}: {json.dumps(value)} is {want} by jsonschema for {json.dumps(schema)}"
    # Both answers must have been tried often, or the comparison says nothing.
    assert compared > 30_000 and compared * 0.1 < accepted < compared * 0.9
