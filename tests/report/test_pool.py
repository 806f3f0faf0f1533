"""The pooled table of several runs: from real experiments of a DVC repository, from its remote, and from files."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from predicted import BASE, DPO, SFT, SUM, WRONG, cells, rows

from stages.records import schema
from stages.records.errors import InputError
from stages.report import pool
from stages.report.intervals import mcnemar, paired_difference, wilson
from stages.report.metrics import metrics

pytestmark = pytest.mark.timeout(600)


def part(name, **tried):
    """Predictions for problems that only this part has."""
    return rows(
        **{
            model: [(replace(problem, id=f"{name}/{problem.id}"), texts) for problem, texts in chains]
            for model, chains in tried.items()
        }
    )


ONE = part("one", base=BASE, sft=SFT, dpo=DPO)
TWO = part("two", base=[(SUM, WRONG), *BASE], sft=[(SUM, WRONG), *SFT], dpo=[(SUM, WRONG), *DPO])


def test_the_whole_is_what_one_run_over_all_problems_would_say():
    made = pool.pooled({"one": ONE, "two": TWO})
    one_run = metrics(ONE + TWO)
    for model in ("base", "sft", "dpo"):
        assert made[model]["all"].items() >= one_run[model]["all"].items()
        assert made[model]["failures"] == one_run[model]["failures"]
    assert made["gain"]["all"].items() >= one_run["gain"]["all"].items()
    assert made["base"]["all"]["n"] == 11


def test_every_gain_and_right_answers_have_their_interval():
    made = pool.pooled({"one": ONE, "two": TWO})
    right = {m: [row["answer_right"] for row in ONE + TWO if row["model"] == m] for m in ("base", "sft", "dpo")}
    correct = {m: [row["verdict"] == "correct" for row in ONE + TWO if row["model"] == m] for m in right}
    for model in right:
        interval = wilson(sum(right[model]), 11)
        summary = made[model]["all"]
        found = tuple(summary["answer_accuracy" + end] for end in ("", "_low", "_high"))
        assert found == (interval.estimate, interval.low, interval.high)
    assert made["base"]["all"]["answer_accuracy"] > made["base"]["all"]["accuracy"]  # one is right by a guess
    for better, worse in (("sft", "base"), ("dpo", "base"), ("dpo", "sft")):
        name, gain = f"{better}_minus_{worse}", paired_difference(correct[better], correct[worse])
        found = tuple(made["gain"]["all"][name + end] for end in ("", "_low", "_high", "_p"))
        assert found == (gain.estimate, gain.low, gain.high, mcnemar(correct[better], correct[worse]))
    assert made["parts"]["one"] == {
        "n": 5,
        "base": {"accuracy": 0.4, "answer_accuracy": 0.6},
        "sft": {"accuracy": 0.8, "answer_accuracy": 0.8},
        "dpo": {"accuracy": 1.0, "answer_accuracy": 1.0},
    }


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (ONE[:], r"two: problem one/.* stands in one too; pool runs that tested different ones"),
        (part("two", base=BASE, sft=SFT), r"two: its students are base, sft, those of one base, dpo, sft"),
        ([], r"two: no such held-out prediction"),
        (TWO[:-1], r"two: models are compared on the same problems"),
    ],
)
def test_runs_that_cannot_be_one_table_are_refused(other, message):
    with pytest.raises(InputError, match=message):
        pool.pooled({"one": ONE, "two": other})


def test_rows_of_a_file_that_are_out_of_distribution_or_of_another_source_are_left_out(tmp_path, capsys):
    far = [{**row, "use": "ood"} for row in part("far", base=BASE, sft=SFT, dpo=DPO)]
    schema.write(tmp_path / "one.jsonl", ONE + far, "predictions")
    schema.write(tmp_path / "two.jsonl", TWO, "predictions")
    pool.main([str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl"), "--out", str(tmp_path / "pooled.json")])
    assert "| all | 11 | 54.5 % [28.0, 78.7] |" in cells(capsys.readouterr().out)
    assert json.loads((tmp_path / "pooled.json").read_text())["dpo"]["all"]["n"] == 11
    pool.main([str(tmp_path / "one.jsonl"), "--source", "one"])
    assert "| all | 5 |" in cells(capsys.readouterr().out)
    with pytest.raises(InputError, match=r"two\.jsonl: no such held-out prediction; .* a source of theirs"):
        pool.main([str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl"), "--source", "one"])
    with pytest.raises(InputError, match=r"one\.jsonl: named twice"):
        pool.main([str(tmp_path / "one.jsonl")] * 2)


class Repository:
    """A git and DVC repository whose stage gives the predictions of `fold`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("STEPCALL", "DVC"))}
        self.env |= {"PATH": f"{Path(sys.executable).parent}:{self.env['PATH']}", "GIT_CONFIG_GLOBAL": "/dev/null"}
        who = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.env |= who

    def run(self, *command: str) -> None:
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_experiments_are_read_from_the_cache_and_in_a_clone_from_the_remote(tmp_path, monkeypatch, capsys):
    made = Repository(tmp_path / "made")
    for name, content in (("0", ONE), ("1", TWO)):
        schema.write(made.folder / "folds" / f"{name}.jsonl", content, "predictions")
    command = "python -c \"import os, shutil; os.makedirs('data', exist_ok=True); "
    command += "shutil.copyfile('folds/${fold}.jsonl', 'data/predictions.jsonl')\""
    stage = {"cmd": command, "deps": ["folds"], "outs": ["data/predictions.jsonl"]}
    (made.folder / "dvc.yaml").write_text(json.dumps({"stages": {"eval": stage}}))
    (made.folder / "params.yaml").write_text("fold: 0\n")
    (made.folder / ".gitignore").write_text("/data/\n")
    made.run("git", "init", "-q", "-b", "main")
    made.run("dvc", "init", "-q")
    made.run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    made.run("git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "origin"))
    made.run("git", "remote", "add", "origin", str(tmp_path / "origin"))
    made.run("git", "add", "-A")
    made.run("git", "commit", "-qm", "The project")
    for fold in "01":
        made.run("dvc", "exp", "run", "-q", "-n", f"fold-{fold}", "-S", f"fold={fold}")
    made.run("git", "push", "-q", "origin", "main")
    made.run("dvc", "exp", "push", "-q", "origin", "fold-0", "fold-1")

    monkeypatch.chdir(made.folder)
    pool.main(["fold-0", "fold-1"])
    table = capsys.readouterr().out
    assert "| all | 11 | 54.5 % [28.0, 78.7] |" in cells(table) and "| fold-1 | 6 |" in cells(table)
    with pytest.raises(InputError, match=r"^fold-7: no file, and data/predictions\.jsonl cannot be read .*fold-7"):
        pool.main(["fold-0", "fold-7"])

    clone = Repository(tmp_path / "clone")
    made.run("git", "clone", "-q", str(tmp_path / "origin"), str(clone.folder))
    clone.run("dvc", "exp", "pull", "-q", "--no-cache", "origin", "fold-0", "fold-1")
    assert not (clone.folder / ".dvc" / "cache").exists()
    monkeypatch.chdir(clone.folder)
    pool.main(["fold-0", "fold-1"])
    assert capsys.readouterr().out == table
    shutil.rmtree(tmp_path / "store")
    shutil.rmtree(clone.folder / ".dvc" / "cache", ignore_errors=True)
    with pytest.raises(InputError, match=r"^fold-0: no file, and .*; get it with `dvc pull`, or an experiment with"):
        pool.main(["fold-0", "fold-1"])
