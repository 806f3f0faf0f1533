"""The pairs of real models' right and wrong solutions: one params file makes them, and they train a real student."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT, laid, shared
from students import student_folder

from stages import generate, pair, train, verify
from stages.params import checked, load
from stages.records import schema
from stages.students.load import load_student, save_student

PROTOCOL = laid(ROOT / "stages/protocols/model_solutions.yaml")


def test_no_teacher_is_asked_and_no_chain_is_longer_than_a_student_may_write():
    params = checked(PROTOCOL, "model_solutions")
    assert params.generate.samples == 0 and params.problems.train == ()
    assert {entry["source"] for entry in params.generate.chains} == {"gsm8k_model_solutions", "logic_programs"}
    assert params.train.max_length == params.pair.max_length


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with the protocol as params.yaml, the published files, and a student shaped like a real one.

    All of the model solutions; of each set of programs, and of the tested problems, the first forty rows. The student's
    tokens are bytes, so that a chain has some five times as many as a real one's.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("STEPCALL_JOURNAL", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["stage"])
    text = PROTOCOL.replace("max_length: 4096", "max_length: 12000").replace("rank: 16", "rank: 2")
    text = text.replace("Qwen/Qwen2.5-0.5B-Instruct", "student").replace("progress: true", "progress: false")
    (tmp_path / "params.yaml").write_text(text)
    params = load()
    for entry in (*params.generate.chains, *params.problems.dev, *params.problems.heldout):
        path = tmp_path / entry["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = shared(entry["path"].removeprefix("data/sources/")).read_text(encoding="utf-8").split("\n")
        whole = entry["source"] == "gsm8k_model_solutions"
        path.write_text("\n".join(lines if whole else lines[:40]), encoding="utf-8")
    student_folder(tmp_path / "student", "qwen")
    return tmp_path


@pytest.mark.shared_data
def test_the_pairs_are_made_from_the_published_files_and_train_a_student(folder, capsys):
    params = load()
    based = train.base(params, [])
    save_student(based.model, based.tokenizer, "models/base")
    generate.main()
    verify.main()
    pair.main()
    chains, verdicts = schema.read("data/chains.jsonl", "chains"), schema.read("data/verdicts.jsonl", "verdicts")
    assert Counter(row["source"] for row in chains) == {"gsm8k": 1320, "prontoqa": 80, "proofwriter": 80}
    counts = json.loads(Path("metrics/generate.json").read_text())
    assert counts["teacher_calls"] == counts["contamination"] == 0

    pairs = schema.read("data/pairs.jsonl", "pairs")
    made = json.loads(Path("metrics/pair.json").read_text())
    assert made["dropped"]["too_long"] == 0
    right = {row["chain_id"]: row["answer_right"] for row in verdicts}
    words = {row["chain_id"]: row["verdict"] for row in verdicts}
    math = [row for row in pairs if row["task"] == "math"]
    answers = {(row["problem_id"], right[row["chain_id"]]) for row in chains if row["source"] == "gsm8k"}
    both = {name for name, said in answers if (name, not said) in answers}
    covered = {row["problem_id"] for row in math}
    assert len(both) == 174 and both <= covered
    assert all(right[row["chosen_chain_id"]] for row in pairs)
    lucky = [row for row in pairs if words[row["chosen_chain_id"]] != "correct"]
    # Of these four problems only solutions that reach the answer by luck are right.
    assert made["lucky"] == len(lucky) and len(both & {row["problem_id"] for row in lucky}) == 4
    assert all(not right[row["rejected_chain_id"]] for row in lucky)
    assert (len(math), len(pairs) - len(math)) == (451, 49)

    teachers = {row["chain_id"]: row["teacher"] for row in chains}
    between = Counter((teachers[row["chosen_chain_id"]], teachers[row["rejected_chain_id"]]) for row in pairs)
    assert between["text-davinci-003", "gpt-3.5-turbo"] and between["175b_verification", "6b_finetuning"]

    # As trl's DPOTrainer takes them, and through our own stage: a step of each.
    from datasets import load_dataset

    rows = load_dataset("json", data_files="data/pairs.jsonl", split="train", cache_dir="cache")
    assert {side: rows[0][side][-1]["role"] for side in ("prompt", "chosen", "rejected")} == {
        "prompt": "user",
        "chosen": "assistant",
        "rejected": "assistant",
    }
    from trl.data_utils import is_conversational

    assert is_conversational(rows[0])
    short = sorted(pairs, key=lambda row: len(json.dumps(row)))[:8]
    (folder / "params.yaml").write_text((folder / "params.yaml").read_text().replace("steps: 200", "steps: 1"))
    trained = train.dpo(load(), "models/base", short)
    assert trained.metrics["trained_token_share"] == 1.0
    save_student(trained.model, trained.tokenizer, "models/dpo")
    load_student("models/dpo")
