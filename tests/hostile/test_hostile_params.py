"""Hostile parameters, and a dvc.lock and metrics that generate reads: refused in one line, or as not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import ROOT
from guard import one_line

from stages import generate, params
from stages.params import ParamsError
from stages.records.errors import InputError
from stages.teacher.journal.journal import Journal

YAML = (ROOT / "params.yaml").read_text()
PLACE = "  max_errors: 3 "


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
    """As `harmless`; 100,000 brackets cost ruamel's scanner, not our code, some seconds on a slow machine."""
    import contextlib
    import time

    @contextlib.contextmanager
    def timed():
        start = time.thread_time()
        yield
        assert time.thread_time() - start < 12.0

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
