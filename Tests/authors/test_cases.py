"""`pawl test`: cases as files, compared, told in three formats, recorded."""

import json
import xml.etree.ElementTree

import pytest


def write(folder, *cases, name="own.json"):
    file = folder / name
    file.write_text(json.dumps({"cases": list(cases)}))
    return file


def case(expect, **more):
    return {"name": "own", "handler": "mail.greet", "args": {"name": "Ada", "times": 2}, "expect": expect, **more}


def test_without_arguments_it_takes_what_is_there(pawl, greet):
    assert "3 cases: 3 passed" in pawl("test", cwd=greet).stdout


def test_a_difference_is_told_by_its_place(pawl, greet):
    file = write(greet, case({"result": {"greetings": 3}}))
    told = pawl("test", "mail-greet.so", file, cwd=greet, code=1).stdout
    assert "FAILED" in told
    assert "result/greetings\n      - 3\n      + 2\n" in told
    assert "hello Ada" in told, "the log explains a failure"
    assert "1 case: 0 passed, 1 failed" in told


@pytest.mark.parametrize(
    ("expect", "more", "code"),
    [
        ({}, {}, 0),
        ({"result": {}}, {}, 0),
        ({"result": {}}, {"match": "exact"}, 1),
        ({"result": {"greetings": 2}}, {"match": "exact"}, 0),
        ({"result": {"greetings": 2.0}}, {}, 0),
        ({"result": {"greetings": "2"}}, {}, 1),
        ({"result": {"greetings": "${any}"}}, {}, 0),
        ({"result": {"other": "${any}"}}, {}, 1),
        ({"result": None}, {}, 1),
        ({"outcome": "crashed"}, {}, 1),
        ({"error": {"code": "invalid_input"}}, {}, 1),
        ({"error": {"code": "invalid_input"}}, {"args": {"times": 0}}, 0),
        ({"error": {"code": "other"}}, {"args": {"times": 0}}, 1),
        ({"log": ["Ada", "hello"]}, {}, 0),
        ({"log": ["Ada", "Ada", "Ada"]}, {}, 1),
        ({"log": ["hello Ada", "hello Ada"], "result": {"greetings": 2}}, {"match": "exact"}, 0),
        ({"log": ["hello Ada"], "result": {"greetings": 2}}, {"match": "exact"}, 1),
        ({"log": [{"level": "info", "message": "hello Ada"}]}, {}, 0),
        ({"log": [{"level": "warning"}]}, {}, 1),
    ],
)
def test_what_is_equal_and_what_is_not(expect, more, code, pawl, greet):
    pawl("test", "mail-greet.so", write(greet, case(expect, **more)), cwd=greet, code=code)


def test_a_case_that_takes_too_long_fails(pawl, run, greet):
    source = (greet / "mail-greet.c").read_text()
    (greet / "mail-greet.c").write_text(source.replace("int64_t times = 1;", "int64_t times = 1;\n    for (;;) {}", 1))
    run("make", cwd=greet)
    told = pawl("test", "mail-greet.so", write(greet, case({}, timeout="300ms")), cwd=greet, code=1).stdout
    assert "timed_out" in told
    pawl("test", "mail-greet.so", write(greet, case({"outcome": "timed_out"}, timeout="300ms")), cwd=greet)


def test_what_came_is_recorded(pawl, greet):
    file = write(
        greet, case({"result": {"greetings": 9}}, name="wrong"), case({"result": {"greetings": 2}}, name="right"),
        {"name": "new", "handler": "mail.greet", "args": {"times": 0}})
    told = pawl("test", "mail-greet.so", file, "--update", cwd=greet).stdout
    assert "3 cases: 1 passed, 2 updated" in told
    cases = json.loads(file.read_text())["cases"]
    assert cases[0]["expect"] == {"result": {"greetings": 2}}
    assert cases[1]["expect"] == {"result": {"greetings": 2}}
    assert cases[2]["expect"] == {"outcome": "error", "error": {"code": "invalid_input"}}
    before = file.read_text()
    assert "3 cases: 3 passed" in pawl("test", "mail-greet.so", file, cwd=greet).stdout
    pawl("test", "mail-greet.so", file, "--update", cwd=greet)
    assert file.read_text() == before, "what is as expected is not written again"


def test_programs_can_read_it(pawl, greet):
    file = write(greet, case({"result": {"greetings": 2}}, name="good"), case({"log": ["<&>"]}, name="bad <&>"))
    told = json.loads(pawl("test", "mail-greet.so", file, "--format", "json", cwd=greet, code=1).stdout)
    assert (told["cases"], told["failed"]) == (2, 1)
    assert [result["passed"] for result in told["results"]] == [True, False]
    assert told["results"][1]["differences"][0]["place"] == "log/0"
    suites = xml.etree.ElementTree.fromstring(
        pawl("test", "mail-greet.so", file, "--format", "junit", cwd=greet, code=1).stdout)
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("2", "1", "0")
    assert [case.get("name") for case in suites.iter("testcase")] == ["good", "bad <&>"]
    assert "<&>" in next(suites.iter("failure")).text


def test_directories_of_a_case(pawl, greet):
    file = write(greet, case({"log": ["hello ${dir}/x"]}, args={"name": "${dir}/x"}))
    pawl("test", "mail-greet.so", file, cwd=greet)
    file = write(greet, case({"log": ["hello ${tmp}"]}, args={"name": "${tmp}"}))
    pawl("test", "mail-greet.so", file, cwd=greet)


def test_of_several_handlers_one_is_named(pawl, run, greet):
    source = greet / "mail-greet.c"
    text = source.read_text()
    assert text.count("static const pawl_handler ") == 1
    two = '{.struct_size = sizeof(pawl_handler), .name = "mail.other", .run = run}, {'
    head, tail = text.split("static const pawl_handler ")
    source.write_text(head + "static const pawl_handler " + tail.replace("{{", "{" + two, 1))
    run("make", cwd=greet)
    assert "say which: mail.other, mail.greet" in pawl("run-local", greet / "mail-greet.so", code=64).stderr


def test_a_handler_that_is_not_there(pawl, greet):
    told = pawl("test", "mail-greet.so", write(greet, case({}, handler="mail.send")), cwd=greet, code=1).stdout
    assert "mail.send" in told and "mail.greet" in told


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"handler": "mail.greet", "expct": {}}', "/expct"),
        ('{"args": {}}', "/handler"),
        ('{"cases": [{"handler": "mail.greet", "timeout": "soon"}]}', "/cases/0/timeout"),
        ('{"handler": "mail.greet", "expect": {"outcome": "good"}}', "/expect/outcome"),
        ('{"handler": "mail.greet", "match": "about"}', "/match"),
        ("{", "JSON"),
    ],
)
def test_a_slip_in_a_case_is_no_passed_case(text, place, pawl, greet):
    file = greet / "own.json"
    file.write_text(text)
    assert place in pawl("test", "mail-greet.so", file, cwd=greet, code=65).stderr


def test_what_is_missing_or_refused(pawl, greet):
    assert "no cases" in pawl("test", "mail-greet.so", write(greet), cwd=greet, code=66).stderr
    pawl("test", "other.so", cwd=greet, code=66)
    (greet / "mail-greet.so").write_text("no library")
    pawl("test", "mail-greet.so", cwd=greet, code=70)
