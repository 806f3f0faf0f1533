"""Hostile records and journal lines: refused by name or kept as they are; and no message steers a terminal."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from conftest import ROOT, examples
from door_rows import ROWS
from guard import harmless, one_line
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from stages.records import schema
from stages.records.errors import InputError, printable
from stages.teacher.journal.journal import Journal
from stages.teacher.journal.record import canonical, lines_of, request_key

# Records

LINES = {
    "a line that is cut": '{"chain_id": "p/1',
    "two objects on a line": "{}{}",
    "a list": "[{}]",
    "a number": "1",
    "null": "null",
    "NaN": '{"cost_usd": NaN}',
    "-Infinity": '{"cost_usd": -Infinity}',
    "a key given twice": '{"gold": "1", "gold": "2"}',
    "a key given twice inside": '{"steps": [{"text": "1", "text": "2"}]}',
    "5,000 digits": '{"sample": ' + "9" * 5000 + "}",
    "100,000 brackets": "[" * 100_000,
    "100,000 objects": '{"a":' * 100_000,
    "a byte order mark": "\ufeff{}",
    "a bare control character": '{"gold": "\x01"}',
    "single quotes": "{'gold': '1'}",
    "a comment": "// {}",
    "a pickle": "\x80\x04K\x01.",
    "HTML": "<html><script>alert(1)</script></html>",
    "a conflict of git": "<<<<<<< HEAD",
    "spaces": "   ",
}


@pytest.mark.parametrize("case", LINES)
def test_a_line_that_is_no_record_is_named(case, tmp_path):
    path = tmp_path / "chains.jsonl"
    path.write_text(json.dumps(ROWS["chains"]) + "\n" + LINES[case] + "\n", encoding="utf-8")
    with pytest.raises(schema.SchemaError) as refused:
        schema.read(path, "chains")
    assert "line 2: not a JSON object" in one_line(refused)


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\ud800", "\0", "\x1b[31m"])
def test_a_strange_character_stays_in_its_record(sign, tmp_path):
    """str.splitlines cuts a line at most of these; UTF-8 cannot hold half a surrogate pair."""
    row = {**ROWS["chains"], "answer": f"4{sign}2", "question": sign + "?"}
    schema.write(tmp_path / "chains.jsonl", [row, {**row, "chain_id": "other"}], "chains")
    assert schema.read(tmp_path / "chains.jsonl", "chains") == [row, {**row, "chain_id": "other"}]
    assert (tmp_path / "chains.jsonl").read_bytes().count(b"\n") == 2


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
COLUMNS = st.sampled_from(sorted(ROWS["chains"])) | st.text(max_size=5)


@examples(2000)
@given(
    st.text(max_size=40)
    | st.text('{}[]":,0123456789.eE-+ntfaNI\\u', max_size=40)
    | st.builds("{}{}".format, JSON_VALUES.map(json.dumps), st.text(max_size=2))
)
def test_any_line_is_one_object_or_an_error(line):
    with harmless():
        try:
            row = schema.json_row(line)
        except (ValueError, RecursionError):
            return
    assert type(row) is dict


TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from('\u2028\x85\0\r\n\ufeff"\\'), st.just("\ud800")), max_size=20
)
ROW = st.builds(
    lambda texts, count, arguments: {
        **ROWS["chains"],
        "answer": texts[0],
        "sample": count,
        "messages": [{"role": "user", "content": texts[1]}],
        "steps": [{**ROWS["chains"]["steps"][0], "text": texts[2], "arguments": arguments}],
    },
    st.lists(TEXTS, min_size=3, max_size=3),
    st.integers(0, 2**63 - 1),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
)


@examples(200, suppress_health_check=list(HealthCheck))
@given(st.lists(ROW, min_size=10, max_size=10), st.integers(1, 60))
def test_hostile_rows_come_back_as_they_were_written(tmp_path, rows, cut):
    path = tmp_path / "chains.jsonl"
    rows = [{**row, "chain_id": f"p/{number}"} for number, row in enumerate(rows)]
    schema.write(path, rows, "chains")
    assert schema.read(path, "chains") == rows
    path.write_bytes(path.read_bytes()[:-cut])  # a file that was cut is refused, unless only its last line end is gone
    if cut > 1:
        with pytest.raises(schema.SchemaError):
            schema.read(path, "chains")


@examples(150, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(COLUMNS, JSON_VALUES, min_size=1, max_size=2))
def test_a_row_of_any_shape_is_kept_or_refused_in_one_line(tmp_path, changes):
    path = tmp_path / "chains.jsonl"
    try:
        schema.write(path, [{**ROWS["chains"], **changes}], "chains")
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 2000
        return
    kept = schema.read(path, "chains")[0]
    assert json.dumps(kept) == json.dumps({**ROWS["chains"], **changes, "cost_usd": kept["cost_usd"]})


def test_a_metric_that_is_no_number_is_not_written(tmp_path):
    from stages.records.files import write_metrics

    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError):
            write_metrics(tmp_path / "m.json", {"share": value})
    assert not list(tmp_path.iterdir())


# The journal and its snapshot, which may come from anyone

ANSWER = {"text": "x", "prompt_tokens": 1, "completion_tokens": 1, "cost_usd": 0.0, "cut": False}
ANSWERS = {
    "a text that is a number": {**ANSWER, "text": 5},
    "no text": {name: value for name, value in ANSWER.items() if name != "text"},
    "a field more": {**ANSWER, "__class__": "x"},
    "true tokens": {**ANSWER, "prompt_tokens": True},
    "negative tokens": {**ANSWER, "completion_tokens": -1},
    "a negative cost": {**ANSWER, "cost_usd": -1.0},
    "a list": [ANSWER],
    "null": None,
    "calls that are null": {**ANSWER, "calls": None},
    "calls that are an object": {**ANSWER, "calls": {}},
    "calls that are a text": {**ANSWER, "calls": "boo"},
    "a call that is a text": {**ANSWER, "calls": ["boo"]},
    "a call without arguments": {**ANSWER, "calls": [{"id": "1", "name": "Add"}]},
    "a call whose id is a number": {**ANSWER, "calls": [{"id": 1, "name": "Add", "arguments": "{}"}]},
    "arguments that are an object": {**ANSWER, "calls": [{"id": "1", "name": "Add", "arguments": {}}]},
    "a call with a field more": {**ANSWER, "calls": [{"id": "1", "name": "Add", "arguments": "{}", "x": ""}]},
}


def call_line(response: object) -> str:
    """A line whose key and check are right, as anyone can compute them."""
    import hashlib

    request = {"messages": [{"role": "user", "content": "?"}], "model": "m", "sample": 0, "sampling": {}, "tools": None}
    key = request_key(request)
    check = hashlib.sha256((key + canonical(response)).encode()).hexdigest()[:16]
    return canonical({"check": check, "key": key, "request": {**request, "system": None}, "response": response}) + "\n"


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_of_a_wrong_type_is_no_call(case, tmp_path):
    (tmp_path / "calls.jsonl").write_text(call_line(ANSWERS[case]) + call_line(ANSWER))
    read = [line.entry for line in lines_of(tmp_path / "calls.jsonl", {})]
    assert read[0] is None and read[1]["response"] == ANSWER
    with Journal(tmp_path / "journal") as journal:
        journal.seed(tmp_path)
        assert (len(journal), len(journal.faults)) == (1, 1)


@pytest.mark.parametrize(
    "line", ["[" * 100_000, "{}", '{"key": 1}', '{"system": "x", "text": 5}', "null", "\x80\x04K\x01."]
)
def test_a_line_that_is_no_call_is_left_out(line, tmp_path):
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal/a.jsonl").write_text(line + "\n" + call_line(ANSWER))
    with Journal(tmp_path / "journal") as journal:
        assert (len(journal), len(journal.faults)) == (1, 1)


# What a terminal is shown


@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b]0;title\x07", "a\r\nerror: forged", "\u202e0001", "\x9b31m", "a\0b", "\u2028", "\x08\x08"]
)
def test_a_message_shows_no_control_character(text, tmp_path):
    """The one door to the terminal: what a stage ends with."""
    imports = "from stages.records.command import run\nfrom stages.records.errors import InputError\n"
    code = imports + f"def main(): raise InputError({text!r})\nrun(main)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    said = done.stderr.decode()
    assert said.count("\n") == 1 and said.rstrip("\n").isprintable() and said.startswith("error: ")
    with harmless():
        assert printable(text).isprintable()
