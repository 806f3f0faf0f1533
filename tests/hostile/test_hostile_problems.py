"""Hostile problem files, ids and paths: a bad row is named, and no file is named after an id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import problems_params, within
from guard import one_line

from stages import generate
from stages.problems import jsonl, sources
from stages.problems.solutions.annotations import MAX_LENGTH, equations
from stages.records.errors import InputError
from stages.records.files import replace_file

PROBLEM = {"question": "1 + 2?", "answer": "3", "task": "math"}
ROWS_OF_PROBLEMS = {
    "a key given twice": '{"question": "1?", "question": "2?", "answer": "3", "task": "math"}',
    "NaN": '{"question": "1?", "answer": NaN, "task": "math"}',
    "a number for a question": json.dumps({**PROBLEM, "question": 5}),
    "half a surrogate pair": '{"question": "\\ud800?", "answer": "3", "task": "math"}',
    "half a surrogate pair in the answer": '{"question": "1?", "answer": "\\udc00", "task": "math"}',
    "an empty question": json.dumps({**PROBLEM, "question": " \n "}),
    "a toolkit that is no text": json.dumps({**PROBLEM, "toolkit": ["arithmetic"]}),
    "a toolkit that does not exist": json.dumps({**PROBLEM, "toolkit": "shell"}),
    "a task that is an attribute": json.dumps({**PROBLEM, "task": "__class__"}),
    "a solution that is code": json.dumps({**PROBLEM, "solution": ["__import__('os').system('true')"]}),
    "a solution without end": json.dumps({**PROBLEM, "solution": ["Add(a=1, b=2)"]}),
    "a solution of objects": json.dumps({**PROBLEM, "solution": [{"tool": "Add"}]}),
    "an id with a line end": json.dumps({**PROBLEM, "id": "a\nb"}),
    "an id with an escape sequence": json.dumps({**PROBLEM, "id": "\x1b[2J"}),
    "an id with NUL": json.dumps({**PROBLEM, "id": "a\0b"}),
    "an empty id": json.dumps({**PROBLEM, "id": ""}),
    "an id of 300 characters": json.dumps({**PROBLEM, "id": "a" * 300}),
    "an id that is a number": json.dumps({**PROBLEM, "id": 5}),
    "a story of a megabyte": json.dumps({**PROBLEM, "task": "logic", "question": "Leo is red. " * 90_000}),
    "a story of 74,000 sentences": json.dumps({**PROBLEM, "task": "logic", "question": "a. " * 40_000}),
    "100,000 brackets": "[" * 100_000,
}


@pytest.mark.parametrize("case", ROWS_OF_PROBLEMS)
def test_a_hostile_row_of_a_problem_file_is_named(case, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(PROBLEM) + "\n" + ROWS_OF_PROBLEMS[case] + "\n")
    with pytest.raises(jsonl.JsonlError) as refused:
        jsonl.read(path)
    assert one_line(refused).startswith(f"{path} line 2: ")


@pytest.mark.parametrize("path", ["a\0b", "x" * 300, ".", "/", "/etc/shadow/x", "../../../../nothing", "\udc00"])
def test_a_path_that_is_no_file_is_one_line(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"source": "jsonl", "path": path}
    with pytest.raises(InputError) as refused:
        sources.load("train", problems_params((entry,), (), (), ()))
    one_line(refused)


@pytest.mark.parametrize("text", ["a=1 ", "a b=1 ", "2x+8=6 x=1 ", "1+1=2 ", "a " * 39 + "=1 b=3 ", "<<1+1=2>>"])
def test_a_solution_full_of_equations_is_read_in_bounded_time(text):
    with within(2.0):
        equations((text * 10_000)[: MAX_LENGTH - 1])


# Ids and file names: no file is named after an id, only after a source

IDS = [
    "../../../etc/passwd",
    "/etc/passwd",
    "..",
    "CON",
    "a b",
    "A",
    "a",
    "é",
    "x" * 200,
    "-rf",
    "~",
    "$(id)",
    "a;b",
    "%2e%2e",
]


def test_ids_name_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{**PROBLEM, "question": f"{number}?", "id": name} for number, name in enumerate(IDS)]
    Path("mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = jsonl.read(Path("mine.jsonl"))
    files = generate.call_files(problems, {(place, 0): ["key"] for place in range(len(problems))})
    assert list(files) == ["jsonl-0000-00.jsonl"]


@pytest.mark.parametrize("source", ["../../x", "/etc/passwd", "a/b\0", "", "...", "ÄÖÜ", "x" * 999, "-rf *", "a\nb"])
def test_a_source_is_a_plain_file_name(source):
    from stages.records.problem import Problem

    problem = Problem("p", "math", "arithmetic", source, "?", "1")
    (name,) = generate.call_files([problem], {(0, 0): ["key"]})
    assert Path(name).name == name and name.isascii() and len(name) < 100
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") and not name.startswith((".", "-"))


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "precious").write_text("old")
    (tmp_path / "chains.jsonl").symlink_to(tmp_path / "precious")
    replace_file(tmp_path / "chains.jsonl", "new")
    assert (tmp_path / "precious").read_text() == "old" and not (tmp_path / "chains.jsonl").is_symlink()
