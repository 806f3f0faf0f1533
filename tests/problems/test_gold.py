"""Gold answers are checked by their own solutions: what is confirmed, what is not and why, and who leaves it out."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import pytest
from conftest import ROOT, problems_params, shared, small_params

from stages.problems import builtin, jsonl
from stages.problems.gold import confirmed, doubt, reports, solved, table
from stages.problems.published import gsm8k
from stages.records.chain import Call
from stages.records.problem import Problem, drawn

PENS = {"question": "A box holds 12 pens. How many pens are 7 boxes and 3 pens?", "answer": "87", "task": "math"}
RED = {
    "question": "Leo is a rompus. Each rompus is red. Is it true that Leo is red?",
    "answer": "True",
    "task": "logic",
}
RIGHT = ["Multiply(a=12, b=7)", "Add(a=84, b=3)", 'Finish(answer="87")']
ROWS = {
    "right": {**PENS, "solution": RIGHT},
    "unsolved": PENS,
    "wrong gold": {**PENS, "answer": "88", "solution": RIGHT},
    "guess": {**PENS, "solution": RIGHT[-1:]},
    "refused": {**PENS, "solution": ["Divide(a=12, b=0)", *RIGHT]},
    "proved": {**RED, "solution": ['Derive(fact="Leo is red")', 'Finish(answer="True")']},
    "not proved": {**RED, "solution": ['Recall(about="Leo")', 'Finish(answer="True")']},
}
REASONS = {
    "right": "",
    "unsolved": "",
    "wrong gold": "the solution is incorrect: wrong_answer",
    "guess": "the solution is incorrect: no_tool_call",
    "refused": "a call is refused: `12` is divided by 0; the divisor must not be 0",
    "proved": "",
    "not proved": "the solution is incorrect: ungrounded",
}


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def path(tmp_path):
    """A file of problems, each with its name as id."""
    return written(tmp_path / "mine.jsonl", [{**row, "id": name} for name, row in ROWS.items()])


@pytest.fixture
def own(path):
    entry = {"source": "jsonl", "path": str(path)}
    return problems_params(train=(entry,), dev=(), heldout=(entry,), ood=())


@pytest.mark.parametrize("name", ROWS)
def test_a_solution_confirms_gold_or_says_why_not(path, name):
    (problem,) = (one for one in jsonl.read(path) if one.id == f"mine/{name}")
    assert doubt(problem) == REASONS[name]


def test_a_solution_must_give_gold_exactly():
    calls = (Call("Divide", {"a": Fraction(10), "b": Fraction(3)}), Call("Finish", {"answer": "10/3"}))
    third = Problem("p", "math", "arithmetic", "p", "What is 10 / 3?", "3.33", calls)
    assert doubt(third) == "the solution is incorrect: wrong_answer"
    assert doubt(replace(third, gold="10/3")) == ""


def test_a_question_that_its_toolkit_refuses_is_in_doubt():
    calls = (Call("Finish", {"answer": "True"}),)
    asked = Problem("p", "logic", "deduction", "p", "Leo is red. " * 9_999, "True", calls)
    assert doubt(asked).startswith("the toolkit refuses the question: ")


def test_the_doubt_of_a_source_is_kept():
    doubted = Problem("p", "math", "arithmetic", "p", "What is 10 / 3?", "3", doubt="no annotation")
    assert doubt(doubted) == "no annotation" and confirmed([doubted]) == []


def test_what_is_doubted_is_left_out_and_what_is_unchecked_stays(path):
    kept = confirmed(jsonl.read(path))
    assert [one.id.removeprefix("mine/") for one in kept] == ["right", "unsolved", "proved"]


@pytest.mark.parametrize("source", ["builtin/math", "builtin/logic"])
def test_built_in_problems_stay_without_being_run_as_none_is_in_doubt(source):
    made = builtin.problems(source, "train", 40, 5)
    assert confirmed(made) == made
    assert [doubt(one) for one in made] == [""] * 40


def test_a_reference_chain_is_what_the_agent_would_record(path):
    chain = solved(next(one for one in jsonl.read(path) if one.id == "mine/right"))
    assert [step.result for step in chain.steps] == ["84", "87", "87"]
    assert (chain.answer, chain.stop) == ("87", "finish")


def test_the_report_counts_and_names_everything(own):
    train, heldout = reports(own)
    assert (train["entry"], train["source"]) == ("problems.train[0]", "jsonl")
    assert (train["problems"], train["with_solution"], train["verified"]) == (7, 6, 2)
    assert train["left_out_of_training"] == 4 and heldout["left_out_of_training"] == 0
    assert train["not_verified"] == {REASONS[name]: [f"mine/{name}"] for name in sorted(ROWS, key=REASONS.get)[3:]}
    text = table([train, heldout])
    row = next(line for line in text.split("\n") if line.startswith("problems.train[0] "))
    assert re.split(r" {2,}", row.strip()) == ["problems.train[0]", "jsonl", "7", "6", "2 (33.33%)", "4"]
    for name, reason in REASONS.items():
        assert (f"1: {reason}\n  mine/{name}" in text) is bool(reason)


def test_many_ids_of_one_reason_are_cut_in_the_table_only(tmp_path):
    path = written(tmp_path / "mine.jsonl", [{**ROWS["guess"], "id": str(index)} for index in range(25)])
    (report,) = reports(problems_params(train=({"source": "jsonl", "path": str(path)},), dev=(), heldout=(), ood=()))
    assert len(report["not_verified"][REASONS["guess"]]) == 25
    assert table([report]).endswith("mine/8, mine/9 and 15 more")


def run(folder, *arguments, module="stages.problems.gold"):
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={"PATH": "", "PYTHONPATH": str(ROOT)}
    )


def test_the_command_prints_a_table_or_json(own, tmp_path):
    text = (ROOT / "params.yaml").read_text()
    begin, end = text.index("problems:"), text.index("# The loop around teacher and students")
    uses = {use: [dict(entry) for entry in getattr(own, use)] for use in ("train", "dev", "heldout", "ood")}
    uses |= {"fold": None, "overlap": {"ngram": 13, "share": 0.5, "other_numbers": "drop"}}
    (tmp_path / "params.yaml").write_text(text[:begin] + f"problems: {json.dumps(uses)}\n" + text[end:])
    printed = run(tmp_path)
    assert printed.returncode == 0 and "problems.heldout[0]" in printed.stdout
    assert json.loads(run(tmp_path, "--json").stdout) == reports(own)


def test_a_bad_source_is_one_line(tmp_path):
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("source: builtin/math, n: 600", "source: builtin/meth, n: 600"))
    ended = run(tmp_path)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: problems.train[0].source is 'builtin/meth'")


@pytest.mark.shared_data
def test_generate_asks_about_confirmed_problems_only(tmp_path):
    """The stage, as a user runs it, on real rows of which some do not verify."""
    published = shared("gsm8k/train.jsonl")
    doubted = {one.id for one in drawn(gsm8k.read("train", published), 100, 1) if doubt(one)}
    assert 0 < len(doubted) < 20
    text = small_params()
    begin, end = text.index("  train:"), text.index("  dev:")
    entry = f"{{source: gsm8k, split: train, path: {published}, n: 100, seed: 1}}"
    text = text[:begin] + f"  train:\n  - {entry}\n" + text[end:]
    (tmp_path / "params.yaml").write_text(text.replace("samples: 3", "samples: 1"))
    ended = run(tmp_path, module="stages.generate")
    assert ended.returncode == 0, ended.stderr
    assert (
        f"generate: {len(doubted)} of 100 problems whose own solution does not confirm gold are left out"
        in ended.stderr
    )
    chains = [json.loads(line) for line in (tmp_path / "data/chains.jsonl").read_text().split("\n") if line]
    assert len(chains) == 100 - len(doubted) and not {row["problem_id"] for row in chains} & doubted
    assert json.loads((tmp_path / "metrics/generate.json").read_text())["left_out"] == len(doubted)
