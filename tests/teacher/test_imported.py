"""Chains made elsewhere come in by the same road as a teacher's, and nothing they state is taken on trust."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT, shared
from logs import PROBLEM, RIGHT, Folder, log_folder, native, stated, written

from stages import generate, pair, verify
from stages.agent.prompt import prompt_messages
from stages.params import load
from stages.problems import sources
from stages.problems.gold import solved
from stages.records import schema
from stages.records.errors import InputError
from stages.teacher.imported import gsm8k_solutions
from stages.teacher.imported.gsm8k_solutions import MODELS


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Folder:
    return log_folder(tmp_path, monkeypatch)


def test_chains_on_a_training_problem_are_its_own_and_pair_with_the_teachers(folder):
    problem = sources.load("train", load().problems)[0]
    row = {"question": problem.question.upper(), "answer": problem.gold, "task": problem.task}
    wrong = {
        "problem": row,
        "messages": written("Add(a=1, b=1)", "2", "Finish(answer=-5)"),
        "teacher": "simulated/teacher",
    }
    folder.write(wrong, {**wrong, "teacher": "else"}, wrong)
    generate.main()
    rows = [row for row in schema.read("data/chains.jsonl", "chains") if row["problem_id"] == problem.id]
    assert [(row["teacher"], row["sample"]) for row in rows] == [
        ("simulated/teacher", 0),
        ("simulated/teacher", 1),
        ("simulated/teacher", 2),
        ("else", 0),
        ("simulated/teacher", 3),
    ]
    assert {json.dumps(row["messages"][:2]) for row in rows} == {json.dumps(prompt_messages(problem, 0))}
    right = dataclasses.replace(solved(problem), prompt=prompt_messages(problem, 0)).row()
    rows = [right, *rows[2:]]
    made, _ = pair.pairs(rows, verify.verdicts(rows, 0.0), load().pair)
    assert made and all(one["chosen_chain_id"] == right["chain_id"] for one in made)


def test_chains_stand_by_problem_and_ids_never_twice(folder):
    other = {
        "problem": {**PROBLEM, "question": "What is 1 + 1?", "answer": "2"},
        "messages": written("Finish(answer=2)"),
    }
    mine = {"problem": PROBLEM, "messages": RIGHT}
    folder.write(mine, other, mine)
    generate.main()
    made = schema.read("data/chains.jsonl", "chains")
    assert [(row["problem_id"], row["sample"]) for row in made[-3:]] == [
        ("mine/000001", 0),
        ("mine/000001", 1),
        ("mine/000002", 0),
    ]
    assert len({row["chain_id"] for row in made}) == len(made) == 4 * 2 + 3
    metrics = json.loads(Path("metrics/generate.json").read_text())
    assert (metrics["chains"], metrics["imported"], metrics["problems"]) == (11, 3, 6)
    before = Path("data/chains.jsonl").read_bytes(), Path("metrics/generate.json").read_bytes()
    generate.main()
    assert before == (Path("data/chains.jsonl").read_bytes(), Path("metrics/generate.json").read_bytes())


def test_without_samples_nothing_is_asked(folder):
    folder.edit("samples: 2", "samples: 0")
    folder.edit("model: simulated/teacher", "model: openai/nothing")
    folder.write({"problem": PROBLEM, "messages": RIGHT})
    generate.main()
    made = schema.read("data/chains.jsonl", "chains")
    assert [row["problem_id"] for row in made] == ["mine/000001"]
    metrics = json.loads(Path("metrics/generate.json").read_text())
    assert (metrics["chains"], metrics["imported"], metrics["teacher_calls"]) == (1, 1, 0)
    assert Path("data/calls").is_dir()
    assert [row["verdict"] for row in verify.verdicts(made, 0.0)] == ["correct"]


def test_samples_are_0_only_where_chains_are_given(folder):
    folder.edit("samples: 2", "samples: 0")
    folder.edit("\n  - {source: messages, path: mine.jsonl}", " []")
    with pytest.raises(InputError, match=r"generate is empty: samples is 0 and chains names none; write 1 or more"):
        load()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "no JSON object"),
        ({"messages": RIGHT}, "a row has problem"),
        ({"problem": PROBLEM, "messages": "text"}, "messages .a list"),
        ({"problem": {"question": "What?"}, "messages": RIGHT}, "missing key answer"),
        ({"problem": {**PROBLEM, "task": "art"}, "messages": RIGHT}, "task is 'art'"),
        ({"problem": PROBLEM, "messages": RIGHT[:2]}, "no turn of an assistant"),
        ({"problem": PROBLEM, "messages": ["text"]}, "message 1 is no object"),
        ({"problem": PROBLEM, "messages": [{"role": "assistant", "content": 5}]}, "message 1: content is int"),
        (
            {"problem": PROBLEM, "messages": [{"role": "assistant", "function_call": {"name": 1}}]},
            "a call is no object",
        ),
        ({"problem": PROBLEM, "messages": [{"role": "assistant", "tool_calls": "x"}]}, "tool_calls is no list"),
        ({"problem": PROBLEM, "messages": [{"role": "assistant", "tool_calls": [{}]}]}, "a call is no object"),
        ({"problem": PROBLEM, "messages": native(("Add", "{}", None), ("Add", "{}", "3"))}, "no result of call 1"),
        ({"problem": PROBLEM, "messages": [*RIGHT[:4], RIGHT[3], *RIGHT[4:]]}, "1 calls and 2 results"),
        (
            {"problem": PROBLEM, "messages": written("Add(a=1, b=2)", "3")[2:] * 2 + RIGHT[:2] * 2},
            "results of one turn",
        ),
        ({"problem": PROBLEM, "messages": RIGHT, "teacher": ""}, "teacher is no name"),
        ({"problem": PROBLEM, "messages": RIGHT, "usage": {"prompt_tokens": -1}}, "usage takes"),
        ({"problem": PROBLEM, "messages": RIGHT, "usage": 7}, "usage takes"),
        ({"problem": PROBLEM, "messages": RIGHT, "cost_usd": "free"}, "cost_usd is 'free'"),
        ({"problem": {**PROBLEM, "answer": "12"}, "messages": RIGHT}, "mine/first asks the same and has '11'"),
        ({"problem": {**PROBLEM, "question": "Other?", "id": "first"}, "messages": RIGHT}, "id mine/first is that of"),
        ({"problem": PROBLEM, "messages": [*RIGHT, {"role": "user", "content": "sk-secret-1234"}]}, r"\$MY_API_KEY"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line_and_the_others_are_taken(folder, monkeypatch, capsys, row, message):
    monkeypatch.setenv("MY_API_KEY", "sk-secret-1234")
    good = {"problem": {**PROBLEM, "id": "first"}, "messages": RIGHT}
    made = folder.chains(good, "", row, good)
    assert [chain.problem_id for chain in made] == ["mine/first", "mine/first"]
    said = capsys.readouterr().err
    assert re.search(rf"^generate: mine\.jsonl line 3: .*{message}", said) and "sk-secret" not in said
    assert "mine.jsonl: 1 of 3 rows are refused" in said


@pytest.mark.parametrize(
    ("rows", "end"), [(["{"], ""), (["{", {"messages": RIGHT}], "; none of its 2 rows can be taken")]
)
def test_a_file_of_which_no_row_can_be_taken_is_an_error(folder, rows, end):
    with pytest.raises(InputError, match=r"^mine\.jsonl line 1: no JSON object: [^;]*" + end + "$"):
        folder.chains(*rows)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{source: chains, path: mine.jsonl}", r"generate\.chains\[0\]\.source is 'chains'; it takes messages"),
        ("{source: messages}", r"missing key generate\.chains\[0\]\.path"),
        ("{source: messages, path: mine.jsonl, n: 3}", r"unknown key generate\.chains\[0\]\.n"),
        ("{source: messages, path: nowhere.jsonl}", r"nowhere\.jsonl: No such file"),
        ("{source: gsm8k_model_solutions, path: mine.jsonl}", r"mine\.jsonl line 1: no model solution"),
        ("{source: logic_programs, path: mine.jsonl}", r"mine\.jsonl: the file's name does not say set and model"),
        ("{source: logic_programs, path: ProofWriter_dev_x.json}", r"ProofWriter_dev_x\.json: No such file"),
    ],
)
def test_a_bad_entry_is_named_by_its_key(folder, entry, message):
    folder.edit("{source: messages, path: mine.jsonl}", entry)
    with pytest.raises(InputError, match=message):
        folder.chains({"problem": PROBLEM, "messages": RIGHT})


def test_model_solutions_of_gsm8k_are_chains_by_their_models(folder, capsys):
    solution = {"solution": "4 times 2 is <<4*2=8>>8.\n<<3+8=11>>11\nA: 11", "is_correct": True}
    wrong = {"solution": "3 plus 4 is <<3+4=8>>8.\nA: 8", "is_correct": False}
    row = {"question": PROBLEM["question"], "ground_truth": solution["solution"], **dict.fromkeys(MODELS, solution)}
    doubted = {**row, "question": "What is 5?", "ground_truth": "It is <<2*2=5>>5.\nA: 5"}
    folder.edit("source: messages", "source: gsm8k_model_solutions")
    made = folder.chains({**row, MODELS[1]: wrong}, doubted)
    assert [(chain.teacher, chain.answer) for chain in made] == list(zip(MODELS, ("11", "8", "11", "11"), strict=True))
    assert all(chain.prompt == prompt_messages(stated(PROBLEM), 0) for chain in made)
    assert "4 of 8 chains made elsewhere" in capsys.readouterr().err
    by_model = {row["chain_id"]: row for row in verify.verdicts([chain.row() for chain in made], 0.0)}
    assert [by_model[chain.chain_id]["verdict"] for chain in made] == ["correct", "incorrect", "correct", "correct"]
    assert not by_model[made[1].chain_id]["reproduced"]


@pytest.mark.shared_data
def test_the_published_model_solutions_go_through_verify_and_pair(folder):
    path = shared("gsm8k_model_solutions/even_0000-0658.jsonl")
    folder.edit("{source: messages, path: mine.jsonl}", f"{{source: gsm8k_model_solutions, path: {path}}}")
    folder.edit("samples: 2", "samples: 0")
    generate.main()
    rows = schema.read("data/chains.jsonl", "chains")
    assert Counter(row["teacher"] for row in rows) == dict.fromkeys(MODELS, len(rows) // 4)
    made = verify.verdicts(rows, 0.0)
    words = Counter(row["verdict"] for row in made)
    assert words == {"correct": 487, "incorrect": 833}
    solutions = list(gsm8k_solutions.read(path))
    published = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    right = [row[model]["is_correct"] for row in published for model in MODELS]
    flags = {(one.problem.id, one.model): flag for one, flag in zip(solutions, right, strict=True)}
    named = {row["chain_id"]: (row["problem_id"], row["teacher"]) for row in rows}
    assert {named[row["chain_id"]]: row["answer_right"] for row in made} == flags
    both = {name for name, _ in flags if len({flags[name, model] for model in MODELS}) == 2}
    # Of the 8 right answers that are not correct (a rounding, or a calculation, that no call makes; one false sum), 4
    # are their problem's only ones.
    for lucky, count in ((False, 170), (True, 174)):
        pairs, _ = pair.pairs(rows, made, dataclasses.replace(load().pair, lucky=lucky))
        assert len(both) == 174 and len(both & {row["problem_id"] for row in pairs}) == count


COLD = {
    "id": "Q1",
    "context": "Bob is cold. If someone is cold then they are kind.",
    "question": "Based on the above information, is the following statement true, false, or unknown? Bob is kind.",
    "options": ["A) True", "B) False", "C) Unknown"],
    "answer": "A",
}
COLD_PROGRAM = "Facts:\nCold(Bob, True)\nRules:\nCold($x, True) >>> Kind($x, True)\nQuery:\nKind(Bob, True)"


def programs(folder, **by_model) -> str:
    """The params' entries for a file of each model's program."""
    for model, program in by_model.items():
        row = {**COLD, "raw_logic_programs": [program]}
        (folder.folder / f"ProofWriter_dev_{model}.json").write_text(json.dumps([row]))
    lines = (f"{{source: logic_programs, path: ProofWriter_dev_{model}.json}}" for model in by_model)
    return "\n  - ".join(lines)


def test_logic_programs_of_two_models_meet_on_their_problem_and_pair(folder):
    wrong = COLD_PROGRAM.replace("Kind(Bob, True)", "Kind(Bob, False)")
    entries = programs(folder, right=COLD_PROGRAM, wrong=wrong, broken=COLD_PROGRAM.replace("Bob, True", "Bob"))
    folder.edit("{source: messages, path: mine.jsonl}", entries)
    made = folder.chains()
    assert [(one.teacher, one.sample, one.answer) for one in made] == [
        ("right", 0, "True"),
        ("wrong", 0, "False"),
        ("broken", 0, ""),
    ]
    assert {one.problem_id for one in made} == {"proofwriter/Q1"} and {one.toolkit for one in made} == {"fol"}
    schema.write("chains.jsonl", [one.row() for one in made], "chains")
    rows = schema.read("chains.jsonl", "chains")
    judged = verify.verdicts(rows, 0.0)
    pairs, _ = pair.pairs(rows, judged, load().pair)
    assert [(one["failure"], one["chosen"][-1]["content"]) for one in sorted(pairs, key=lambda p: p["failure"])] == [
        ("no_answer", 'Finish(answer="True")'),
        ("wrong_answer", 'Finish(answer="True")'),
    ]


def test_a_program_is_a_chain_of_fol_beside_the_deductions_of_its_problem(folder):
    (folder.folder / "own.json").write_text(json.dumps([COLD]))
    folder.edit(
        "  - {source: builtin/math, n: 2,",
        "  - {source: proofwriter, path: own.json}\n  - {source: builtin/math, n: 2,",
    )
    folder.edit("{source: messages, path: mine.jsonl}", programs(folder, right=COLD_PROGRAM))
    generate.main()
    rows = [row for row in schema.read("data/chains.jsonl", "chains") if row["problem_id"] == "proofwriter/Q1"]
    assert [(row["teacher"], row["toolkit"]) for row in rows] == [
        ("simulated/teacher", "deduction"),
        ("simulated/teacher", "deduction"),
        ("right", "fol"),
    ]
    assert rows[2]["question"].replace("\n", " ") == rows[0]["question"]
    assert "Premise(" in rows[2]["messages"][0]["content"] and "Derive(" in rows[0]["messages"][0]["content"]


def test_programs_on_a_problem_whose_gold_its_set_does_not_confirm_are_left_out(folder, capsys):
    folder.edit("{source: messages, path: mine.jsonl}", programs(folder, right=COLD_PROGRAM))
    path = folder.folder / "ProofWriter_dev_right.json"
    path.write_text(path.read_text().replace('"answer": "A"', '"answer": "C"'))
    assert folder.chains() == [] and "1 of 1 chains made elsewhere" in capsys.readouterr().err


def test_a_file_that_dvc_does_not_watch_is_said(folder, capsys):
    shutil.copyfile(ROOT / "dvc.yaml", "dvc.yaml")
    folder.chains({"problem": PROBLEM, "messages": RIGHT})
    said = "generate.chains[0].path: mine.jsonl is outside data/sources, the folder that DVC watches"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("use", ["dev", "train"])
def test_a_problem_file_that_dvc_does_not_watch_is_said(folder, capsys, use):
    shutil.copyfile(ROOT / "dvc.yaml", "dvc.yaml")
    Path("data/sources").mkdir(parents=True)
    folder.edit(f"  {use}:\n", f"  {use}:\n  - {{source: jsonl, path: data/sources/own.jsonl}}\n")
    Path("data/sources/own.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    sources.load(use, load().problems)
    assert capsys.readouterr().err == ""
    folder.edit("data/sources/own.jsonl", "own.jsonl")
    Path("data/sources/own.jsonl").rename("own.jsonl")
    sources.load(use, load().problems)
    said = f"problems.{use}[0].path: own.jsonl is outside data/sources, the folder that DVC watches, "
    assert said in capsys.readouterr().err
