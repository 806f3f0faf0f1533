"""Nothing that trains reads a chain on a tested problem, whichever way the chain came in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import shared
from logs import PROBLEM, RIGHT, Folder, log_folder, written
from published_rows import ROWS

from stages import generate, pair, verify
from stages.params import load
from stages.problems import builtin, sources
from stages.records import schema
from stages.records.errors import InputError

OTHER = {"question": "A box holds 5 pens. How many pens are in 6 boxes?", "answer": "30", "task": "math"}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Folder:
    return log_folder(tmp_path, monkeypatch)


def hold_out(folder: Folder, use: str, *rows: dict) -> None:
    """These problems are tested ones of this use, beside the built-in ones."""
    (folder.folder / "tested.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder.edit(f"  {use}:\n", f"  {use}:\n  - {{source: jsonl, path: tested.jsonl}}\n")


def generated() -> tuple[list[dict], dict]:
    generate.main()
    return schema.read("data/chains.jsonl", "chains"), json.loads(Path("metrics/generate.json").read_text())


@pytest.mark.parametrize("use", ["dev", "heldout", "ood"])
def test_a_chain_made_elsewhere_on_a_tested_question_trains_nothing(folder, capsys, use):
    hold_out(folder, use, {**PROBLEM, "question": PROBLEM["question"].upper().replace(" ", "  ")})
    again = written("Multiply(a=5, b=6)", "30", 'Finish(answer="30")')
    folder.write({"problem": PROBLEM, "messages": RIGHT}, {"problem": OTHER, "messages": again})
    rows, counts = generated()
    assert "mine/000001" not in {row["problem_id"] for row in rows} and rows[-1]["problem_id"] == "mine/000002"
    said = "1 of 6 problems are too close to tested ones and left out, with 1 of 2 chains made elsewhere: "
    assert f"generate: {said}1 by shared words (mine/000001); metrics/generate.json" in capsys.readouterr().err
    assert (counts["contamination"], counts["imported"], counts["chains"]) == (1, 1, len(rows))
    verdicts = verify.verdicts(rows, 0.0)
    learned = pair.demonstrations(rows, verdicts, 2)
    pairs, _ = pair.pairs(rows, verdicts, load().pair)
    assert "mine/000002" in {row["problem_id"] for row in learned}
    assert "mine/000001" not in {row["problem_id"] for row in (*verdicts, *learned, *pairs)}


def test_chains_made_elsewhere_on_a_dropped_training_problem_go_with_it(folder):
    """The chain says the question in its own words; the problem that it belongs to decides."""
    problem = sources.load("train", load().problems)[0]
    stated = {"question": problem.question, "answer": problem.gold, "task": problem.task}
    hold_out(folder, "heldout", stated)
    folder.write({"problem": {**stated, "question": problem.question.upper()}, "messages": written("Finish(answer=1)")})
    rows, counts = generated()
    assert problem.id not in {row["problem_id"] for row in rows} and counts["contamination"] == 1
    assert counts["chains"] == len(rows) == 3 * 2 and "imported" not in counts


def test_built_in_problems_that_share_runs_of_words_with_a_tested_one_reach_no_student(folder):
    """As pair decided once, after sft had read them."""
    made = builtin.problems("builtin/math", "train", 200, 1)
    garden = next(one for one in made if "meters is it around the garden" in one.question)
    number = next(word for word in garden.question.split() if word.isdigit())
    hold_out(folder, "heldout", {"question": garden.question.replace(number, "977"), "answer": "9", "task": "math"})
    folder.edit("  train:\n  - {source: builtin/math, n: 2,", "  train:\n  - {source: builtin/math, n: 200,")
    folder.edit("ngram: 13", "ngram: 5")
    folder.edit("\n  - {source: messages, path: mine.jsonl}", " []")
    folder.edit("samples: 2", "samples: 1")
    rows, counts = generated()
    problems = {row["problem_id"] for row in rows}
    assert garden.id not in problems and counts["contamination"] >= 1
    assert len(problems) == len(rows) == 202 - counts["contamination"]


def test_where_all_that_is_given_is_tested_nothing_is_written(folder):
    hold_out(folder, "heldout", PROBLEM)
    folder.write({"problem": PROBLEM, "messages": RIGHT})
    folder.edit("samples: 2", "samples: 0")
    with pytest.raises(InputError, match=r"^no chain is left to make: 0 problems .* 1 problems are too close"):
        generate.main()
    assert not Path("data").exists()


def test_a_published_log_is_left_out_where_its_problems_are_tested(folder):
    """The program's questions are those of the set's file, in lines."""
    row = {**ROWS["proofwriter"], "raw_logic_programs": ["Facts:\nCold(Bob, True)\nQuery:\nCold(Bob, True)"]}
    (folder.folder / "ProofWriter_dev_model.json").write_text(json.dumps([row]))
    (folder.folder / "dev.json").write_text(json.dumps([ROWS["proofwriter"]]))
    entry = "{source: logic_programs, path: ProofWriter_dev_model.json}"
    folder.edit("{source: messages, path: mine.jsonl}", entry)
    _, counts = generated()
    assert counts["imported"] == 1
    folder.edit("  heldout:\n", "  heldout:\n  - {source: proofwriter, path: dev.json}\n")
    rows, counts = generated()
    assert counts["contamination"] == 1 and "imported" not in counts
    assert {row["source"] for row in rows} == {"builtin/math", "builtin/logic"}


@pytest.mark.shared_data
def test_solutions_of_tested_gsm8k_problems_are_left_out(folder, capsys):
    """The 330 problems of the published solutions are rows of the test split."""
    entry = f"{{source: gsm8k, split: test, path: {shared('gsm8k/test_0000-0658.jsonl')}}}"
    path = shared("gsm8k_model_solutions/even_0000-0658.jsonl")
    folder.edit("{source: messages, path: mine.jsonl}", f"{{source: gsm8k_model_solutions, path: {path}}}")
    folder.edit("  heldout:\n", f"  heldout:\n  - {entry}\n")
    rows, counts = generated()
    assert counts["contamination"] == 330 and len(rows) == 8
    assert "330 of 334 problems are too close to tested ones" in capsys.readouterr().err


def test_the_committed_default_leaves_out_what_shares_words(project_params):
    from stages.problems.overlap import overlap, tested

    problems = project_params.problems
    close = overlap(sources.load("train", problems), tested(problems), problems.overlap)
    assert close.out == {f"builtin/math/train-1/{index:05d}" for index in (190, 485, 565)}
