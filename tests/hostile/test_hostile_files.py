"""Hostile files: records, parameters, problem files, ids, weights, locks: refused in one line, or read exactly."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from guard import harmless
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from students import byte_tokenizer, random_model, student_folder
from test_schema import ROWS

from stages import generate, params, schema
from stages.files import replace_file
from stages.journal import Journal
from stages.params import InputError, ParamsError, printable
from stages.problems import jsonl, sources
from stages.record import canonical, lines_of, request_key
from stages.student.load import load_student, load_tokenizer, save_student

YAML = (ROOT / "params.yaml").read_text()
PLACE = "  max_errors: 3 "


def one_line(error: pytest.ExceptionInfo, limit: int = 1000) -> str:
    message = str(error.value)
    assert "\n" not in message and len(message) < limit
    return message


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
    with pytest.raises(schema.DoorError) as refused:
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


@settings(max_examples=2000, deadline=None)
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


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ROW, min_size=10, max_size=10), st.integers(1, 60))
def test_2000_hostile_rows_come_back_as_they_were_written(tmp_path, rows, cut):
    path = tmp_path / "chains.jsonl"
    rows = [{**row, "chain_id": f"p/{number}"} for number, row in enumerate(rows)]
    schema.write(path, rows, "chains")
    assert schema.read(path, "chains") == rows
    path.write_bytes(path.read_bytes()[:-cut])  # a file that was cut is refused, unless only its last line end is gone
    if cut > 1:
        with pytest.raises(schema.DoorError):
            schema.read(path, "chains")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
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
    from stages.files import write_metrics

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
        assert (len(journal), journal.dropped) == (1, 1)


@pytest.mark.parametrize(
    "line", ["[" * 100_000, "{}", '{"key": 1}', '{"system": "x", "text": 5}', "null", "\x80\x04K\x01."]
)
def test_a_line_that_is_no_call_is_left_out(line, tmp_path):
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal/a.jsonl").write_text(line + "\n" + call_line(ANSWER))
    with Journal(tmp_path / "journal") as journal:
        assert (len(journal), journal.dropped) == (1, 1)


# Parameters


def grown(depth: int) -> str:
    """A list of nine aliases of a list of nine aliases of ..."""
    lists = ["&a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefghi"[:depth], "bcdefghij", strict=False):
        lists.append(f"&{name} [{', '.join(['*' + before] * 9)}]")
    return f"[{', '.join(lists)}]"


VALUES = {
    "an alias bomb": grown(9),
    "a list in itself": "&a [*a]",
    "an object in itself": "&a {b: *a}",
    "100,000 brackets": "[" * 100_000,
    "3,000 lists": "[" * 3000 + "]" * 3000,
    "python's objects": "!!python/object/apply:os.system ['touch pwned']",
    "python's names": "!!python/name:os.system",
    "an unknown tag": "!danger 3",
    "5,000 digits": "9" * 5000,
    "4,000 digits": "9" * 4000,
    "5,000 hexadecimal digits": "0x" + "f" * 5000,
    "a date that does not exist": "2024-02-30",
    "a date": "2024-02-03",
    "a time": "12:30",
    "a float for an integer": "1e3",
    "infinity": ".inf",
    "true": "true",
    "no": "NO",
    "null": "~",
    "binary": "!!binary aGVsbG8=",
    "a set": "!!set {a, b}",
    "an integer that is none": "!!int x",
    "a boolean that is none": "!!bool x",
    "a quoted number": "'3'",
    "an undefined alias": "*nothing",
    "a negative number": "-1",
    "a terminal's escape sequence": '"\\e[2J"',
}
FILES = {
    "a key given twice": YAML + "\nverify:\n  tolerance: 0.1\n",
    "a key that is a list": YAML + "\n? [a, b]\n: c\n",
    "a key that is an object": YAML + "\n? {a: b}\n: c\n",
    "a key that is null": YAML + "\n~: c\n",
    "a merge of nothing": YAML + "\n<<: 5\n",
    "two documents": YAML + "\n---\na: 1\n",
    "NUL": YAML + "\0",
    "a tab": "\ta: 1",
    "3,000 levels": "".join(" " * level + "a:\n" for level in range(3000)),
    "an alias bomb beside the sections": YAML + "\nmore: " + grown(9),
    "nothing": "",
    "a text": "params",
    "a list": "[1]",
    "JSON that is cut": "{",
    "a conflict of git": "<<<<<<< HEAD\n" + YAML,
    "HTML": "<html>",
}


@pytest.mark.parametrize("case", [*VALUES, *FILES])
def test_hostile_parameters_are_refused_in_one_line(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert YAML.count(PLACE) == 1
    text = FILES[case] if case in FILES else YAML.replace(PLACE, f"  max_errors: {VALUES[case]} ")
    Path("params.yaml").write_text(text)
    with harmless_reading(), pytest.raises(ParamsError) as refused:
        params.load()
    one_line(refused)
    assert os.listdir() == ["params.yaml"]


def harmless_reading():
    """As `harmless`; 100,000 brackets cost ruamel's scanner, not our code, up to two seconds on a slow machine."""
    import contextlib
    import time

    @contextlib.contextmanager
    def timed():
        start = time.thread_time()
        yield
        assert time.thread_time() - start < 4.0

    return timed()


@pytest.mark.parametrize(
    "url",
    ["http://me:sk-1234567890@host/v1", "https://host/v1?key=sk-1234567890", "host:8000", "file:///etc", "http://a\tb"],
)
def test_a_url_that_could_hold_a_key_is_refused_without_showing_it(url, tmp_path):
    (tmp_path / "params.yaml").write_text(YAML.replace("  api_base: null ", f"  api_base: {json.dumps(url)} "))
    with pytest.raises(ParamsError) as refused:
        params.load(tmp_path / "params.yaml")
    assert "runtime.teacher.api_base is no plain URL" in str(refused.value) and "sk-" not in one_line(refused)


# Problem files

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
        sources.load("train", params.ProblemsParams((entry,), (), (), ()))
    one_line(refused)


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
    from stages.problems.problem import Problem

    problem = Problem("p", "math", "arithmetic", source, "?", "1")
    (name,) = generate.call_files([problem], {(0, 0): ["key"]})
    assert Path(name).name == name and name.isascii() and len(name) < 100
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") and not name.startswith((".", "-"))


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "precious").write_text("old")
    (tmp_path / "chains.jsonl").symlink_to(tmp_path / "precious")
    replace_file(tmp_path / "chains.jsonl", "new")
    assert (tmp_path / "precious").read_text() == "old" and not (tmp_path / "chains.jsonl").is_symlink()


# dvc.lock and metrics that generate reads


@pytest.mark.parametrize(
    "text", ["<<<<<<< HEAD\na: 1\n", "a: [", "!!python/name:os.system", "\0", "- a", "text", "stages: [a]", "[" * 3000]
)
def test_a_lock_that_is_no_yaml_is_one_line(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(text)
    with (
        Journal(tmp_path / "journal") as journal,
        pytest.raises(InputError, match="dvc.lock: not as DVC writes it") as refused,
    ):
        generate.guard_money("openai/test", journal)
    one_line(refused)


@pytest.mark.parametrize("text", ["[]", "null", "5", "{", '"version"', "[" * 100_000])
def test_metrics_that_are_none_count_as_not_there(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("metrics").mkdir()
    Path("metrics/generate.json").write_text(text)
    assert generate._recorded() == {}


# Weights


class Poison:
    """Its pickle runs a command where it is loaded."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return student_folder(tmp_path_factory.mktemp("student") / "qwen", "qwen")


def poisoned(folder: Path, to: Path, name: str) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    (to / name).write_bytes(pickle.dumps(Poison(to / "ran")))
    return to


def test_the_poison_is_one(tmp_path):
    pickle.loads(pickle.dumps(Poison(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors", "pytorch_model.bin.index.json"])
def test_poisoned_weights_run_nothing(name, folder, tmp_path):
    place = poisoned(folder, tmp_path / "student", name)
    if name != "model.safetensors":
        (place / "model.safetensors").unlink()
    with pytest.raises(InputError, match="cannot load"):
        load_student(place)
    assert not (place / "ran").exists()


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "generation_config.json", "adapter_model.bin"])
def test_poisoned_files_beside_the_weights_run_nothing(name, folder, tmp_path):
    place = poisoned(folder, tmp_path / "student", name)
    if name == "adapter_model.bin":
        adapter = {"peft_type": "LORA", "base_model_name_or_path": str(folder), "target_modules": ["q_proj"], "r": 1}
        (place / "adapter_config.json").write_text(json.dumps(adapter))
    try:
        load_student(place)
    except InputError as error:
        assert "\n" not in str(error)
    assert not (place / "ran").exists()


def test_code_named_by_a_tokenizer_is_not_run(folder, tmp_path):
    place = poisoned(folder, tmp_path / "student", "unused.bin")
    config = json.loads((place / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    (place / "evil.py").write_text(f"open({str(place / 'ran')!r}, 'w')\nclass Evil: pass\n")
    try:
        load_tokenizer(place)
    except InputError as error:
        assert "\n" not in str(error)
    assert not (place / "ran").exists()


def test_a_saved_student_holds_no_pickle(tmp_path):
    tokenizer = byte_tokenizer("qwen")
    save_student(random_model("qwen", tokenizer), tokenizer, tmp_path / "sft")
    names = {path.suffix for path in (tmp_path / "sft").iterdir()}
    assert names <= {".json", ".jinja", ".safetensors"}
    for path in (tmp_path / "sft").iterdir():
        assert not path.read_bytes().startswith((b"\x80", b"PK"))


# What a terminal is shown


@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b]0;title\x07", "a\r\nerror: forged", "\u202e0001", "\x9b31m", "a\0b", "\u2028", "\x08\x08"]
)
def test_a_message_shows_no_control_character(text, tmp_path):
    """The one door to the terminal: what a stage ends with."""
    code = f"from stages.params import InputError, run\ndef main(): raise InputError({text!r})\nrun(main)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    said = done.stderr.decode()
    assert said.count("\n") == 1 and said.rstrip("\n").isprintable() and said.startswith("error: ")
    with harmless():
        assert printable(text).isprintable()
