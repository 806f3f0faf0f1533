"""The verify stage as a command."""

import json
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from judged import DERIVED, PENS, RED, RIGHT, row_of

from stages.records import schema


@pytest.fixture
def folder(tmp_path):
    """A project folder with chains, beside which the stage is run as a user runs it."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    rows = [row_of(PENS, RIGHT), row_of(RED, DERIVED)]
    schema.write(tmp_path / "data/chains.jsonl", rows, "chains")
    return tmp_path


def run(folder, *arguments):
    command = [sys.executable, "-m", "stages.verify", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={"PATH": "", "PYTHONPATH": str(ROOT)}
    )


OUTPUTS = ("data/verdicts.jsonl", "metrics/verify.json", "metrics/details/verify.json")


def test_the_stage_writes_the_same_bytes_each_time(folder):
    assert run(folder).returncode == 0
    first = [(folder / name).read_bytes() for name in OUTPUTS]
    assert run(folder).returncode == 0
    assert first == [(folder / name).read_bytes() for name in OUTPUTS]
    assert json.loads(first[1])["correct"] == 2
    assert list(json.loads(first[2])) == ["failures", "checks", "perturbation"]


def test_the_stage_ends_with_one_line_of_what_came_out(folder):
    assert run(folder).stdout == (
        "verify: 2 chains: 2 correct (math 100.0 %, logic 100.0 %), 0 incorrect, 0 undecided; "
        "most frequent failures: none\n"
    )


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda text: text.replace('"gold": "87", ', "", 1), "column gold"),
        (lambda text: text + '{"chain_id": \n', "line 3"),
        (lambda text: text.replace('"sample": 0', '"sample": "0"', 1), "column sample"),
    ],
)
def test_a_bad_chains_file_is_one_line_and_nothing_is_lost(folder, spoil, named):
    run(folder)
    before = (folder / "data/verdicts.jsonl").read_bytes()
    (folder / "data/chains.jsonl").write_text(spoil((folder / "data/chains.jsonl").read_text()))
    ended = run(folder)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: data/chains.jsonl: ") and ended.stderr.count("\n") == 1
    assert named in ended.stderr
    assert (folder / "data/verdicts.jsonl").read_bytes() == before


def test_help_is_there():
    assert "usage: python -m stages.verify" in run(ROOT, "--help").stdout
