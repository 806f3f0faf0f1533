"""The error model, and the simulated teacher that plays it behind litellm's interface."""

import asyncio
import json
import os
from collections import Counter
from functools import cache

import pytest
from conftest import shared
from hypothesis import given
from hypothesis import strategies as st

from stages.params import BaseParams, ErrorRates, ParamsError
from stages.problems import builtin
from stages.records.errors import InputError
from stages.records.problem import text_key
from stages.teacher.simulated.error_model import conversation, corpus, errant_texts, readable
from stages.verdicts.answers import equal

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

NONE, SOME = ErrorRates(0.0, 0.0, 0.0), ErrorRates(0.5, 0.1, 0.1)
SOURCES = ("builtin/math", "builtin/logic")


def reading(math, logic, *problems, rates=SOME):
    return BaseParams(math, logic, problems, 5, rates, 1, 1, 0.1, 1)


def answer(conversation):
    return conversation[-1]["content"].removeprefix('Finish(answer="').removesuffix('")')


@pytest.mark.parametrize("source", SOURCES)
def test_without_errors_it_is_the_reference_solution(source):
    for problem in builtin.problems(source, "train", 30, 1):
        assert errant_texts(problem, "seed", NONE) == [call.text() for call in problem.solution]


@pytest.mark.parametrize("source", SOURCES)
def test_misconceptions_are_always_the_same_wrong_solution(source):
    for problem in builtin.problems(source, "train", 60, 1):
        if problem.misconception:
            texts = {tuple(errant_texts(problem, f"seed {seed}", ErrorRates(1.0, 0.0, 0.0))) for seed in range(5)}
            assert texts == {tuple(call.text() for call in problem.misconception)}


@pytest.mark.parametrize("source", SOURCES)
def test_slips_always_end_in_an_answer_and_some_are_right(source):
    slippery = ErrorRates(0.0, 0.5, 0.2)
    right, failed = [], 0
    for problem in builtin.problems(source, "train", 200, 1):
        made = conversation(problem, "seed", slippery)
        assert made[-1]["content"].startswith("Finish(")
        right.append(equal(answer(made), problem.gold, problem.task) is True)
        failed += any(m["content"].startswith("Error: ") for m in made)
    assert 0.2 < sum(right) / len(right) < 0.95
    assert failed > 20


def test_the_same_seed_makes_the_same_turns():
    for problem in builtin.problems("builtin/math", "train", 20, 1):
        rates = ErrorRates(0.5, 0.3, 0.3)
        assert errant_texts(problem, "a", rates) == errant_texts(problem, "a", rates)


def test_a_wrong_number_is_carried_on():
    """A slip early in a chain changes what follows, as it would for a person."""
    carried = 0
    for problem in builtin.problems("builtin/math", "train", 200, 3):
        made = conversation(problem, "seed", ErrorRates(0.0, 0.4, 0.0))
        results = [m["content"] for m in made[1:] if m["role"] == "user"]
        if equal(answer(made), problem.gold, "math") is False and answer(made) in results[-1:]:
            carried += 1
    assert carried > 20


def test_the_corpus_alternates_tasks_and_holds_no_question_of_another_part():
    made = corpus(reading(40, 40))
    assert len(made) == 80
    logic = ["Is it" in conversation[0]["content"] for conversation in made]
    assert logic == [False, True] * 40
    assert all(builtin.part(c[0]["content"]) in builtin.PARTS["train"] for c in made)
    heldout = {text_key(p.question) for s in SOURCES for p in builtin.problems(s, "heldout", 500, 5)}
    assert not heldout & {text_key(c[0]["content"]) for c in made}


def sold(index, **changes):
    """A row of one's own problem file whose solution gives its answer."""
    kept = 100 + index
    calls = [f"Subtract(a={kept + 7}, b=7)", f'Finish(answer="{kept}")']
    question = f"Tom had {kept + 7} pens and sold 7. How many did he keep?"
    return {"question": question, "answer": str(kept), "task": "math", "solution": calls, **changes}


@pytest.fixture(scope="module")
def pens(tmp_path_factory):
    """Makes an entry of so many problems of one's own."""
    folder = tmp_path_factory.mktemp("pens")

    @cache
    def entry(count):
        path = folder / f"{count}.jsonl"
        path.write_text("".join(json.dumps(sold(index)) + "\n" for index in range(count)))
        return path

    return lambda count: {"source": "jsonl", "path": str(entry(count))}


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 12))
def test_each_problem_is_read_once_and_the_kinds_are_spread_evenly(pens, math, logic, own):
    entry = pens(own)
    made = corpus(reading(math, logic, entry))
    kinds = ["own" if "pens and sold" in c[0]["content"] else "is" if "Is it" in c[0]["content"] else "" for c in made]
    assert Counter(kinds) == Counter({"": math, "is": logic, "own": own})
    for kind, count in (("", math), ("is", logic), ("own", own)):
        for end in range(len(made)):  # the first ones hold each kind's share, but for one a kind
            assert abs(kinds[:end].count(kind) - count * end / len(made)) < 3
    assert [c for c, kind in zip(made, kinds, strict=True) if kind != "own"] == corpus(reading(math, logic))


def test_problems_of_a_source_are_played_like_built_in_ones(pens):
    rates = ErrorRates(0.0, 0.3, 0.3)
    made = corpus(reading(0, 0, pens(60), rates=rates))
    assert made == [conversation(problem, "base 5", rates) for problem in readable(reading(0, 0, pens(60)))]
    right = sum(equal(answer(c), str(int(c[0]["content"].split()[2]) - 7), "math") is True for c in made)
    assert 20 < right < 60


def test_only_problems_with_a_solution_that_gives_gold_are_read(tmp_path):
    rows = [sold(0), sold(1, answer="3"), sold(2), sold(3)]
    del rows[2]["solution"]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = corpus(reading(0, 0, {"source": "jsonl", "path": str(path)}))
    assert [c[0]["content"] for c in made] == [rows[0]["question"], rows[3]["question"]]
    path.write_text(json.dumps(rows[1]) + "\n" + json.dumps(rows[2]) + "\n")
    with pytest.raises(InputError, match=r"train\.base\.problems: none of 2 problems has a solution that gives"):
        corpus(reading(2, 0, {"source": "jsonl", "path": str(path)}))


def test_built_in_entries_are_of_the_part_of_train():
    made = corpus(reading(0, 0, {"source": "builtin/math", "n": 40, "seed": 3}))
    assert all(builtin.part(c[0]["content"]) in builtin.PARTS["train"] for c in made)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"source": "gsm"}, r"train\.base\.problems\[1\]\.source is 'gsm'; it takes"),
        ({"source": "jsonl"}, r"missing key train\.base\.problems\[1\]\.path"),
        ({"source": "mawps", "redraw": 3}, r"unknown key train\.base\.problems\[1\]\.redraw; known here: .*redraws"),
        ({"source": "mawps", "fold": 3}, r"missing key train\.base\.problems\[1\]\.folds; fold takes"),
        ({"source": "asdiv", "n": 0}, r"train\.base\.problems\[1\]\.n is 0; it takes 1 or more"),
    ],
)
def test_a_wrong_key_of_the_corpus_is_named(pens, entry, message):
    with pytest.raises(ParamsError, match=message):
        corpus(reading(0, 0, pens(1), entry))


def test_a_file_that_dvc_does_not_watch_is_said(pens, tmp_path, monkeypatch, capsys):
    entry = pens(1)
    monkeypatch.chdir(tmp_path)
    start = "stages:\n  generate: {deps: [other]}\n  train:\n    foreach: {base: {start: s}, sft: {start: t}}\n"
    (tmp_path / "dvc.yaml").write_text(start + "    do:\n      deps: ['${item.start}']\n")
    corpus(reading(0, 0, entry))
    assert "is no dep of generate and train@base in dvc.yaml" in capsys.readouterr().err
    (tmp_path / "dvc.yaml").write_text(start.replace("start: s", f"start: {entry['path']}") + "    do: {deps: []}\n")
    corpus(reading(0, 0, entry))
    assert "is no dep of generate in dvc.yaml" in capsys.readouterr().err


def test_a_problem_that_cannot_be_redrawn_is_read_as_often_in_other_attempts(tmp_path):
    rows = [
        ("Tom has 12 pens and buys 34. How many?", "12+34=x", 46),
        ("Tom has 7 pens and 7 caps. In all?", "7+7=x", 14),
    ]
    path = tmp_path / "mawps.jsonl"
    path.write_text(
        "".join(
            json.dumps({"iIndex": 0, "sQuestion": asked, "lEquations": [equation], "lSolutions": [gold]}) + "\n"
            for asked, equation, gold in rows
        )
    )
    entry = {"source": "mawps", "path": str(path), "seed": 1, "redraws": 9}
    made = corpus(reading(0, 0, entry, rates=ErrorRates(0.0, 0.5, 0.5)))
    again = [talk for talk in made if "7 caps" in talk[0]["content"]]
    assert (len(made), len(again)) == (20, 10)
    assert len({json.dumps(talk) for talk in again}) > 3
    assert len(corpus(reading(0, 0, {**entry, "redraws": 1}))) == 4
    assert len(corpus(reading(0, 0, {"source": "mawps", "path": str(path)}))) == 2


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("source", "name", "keys", "count"),
    [
        ("mawps", "mawps/mawps.jsonl", {"redraws": 1}, 3000),
        ("asdiv", "asdiv/validation.jsonl", {"part": "a", "redraws": 1}, 1500),
        ("gsm8k", "gsm8k/train.jsonl", {"split": "train", "n": 500}, 480),
        ("prontoqa", "prontoqa/dev.jsonl", {}, 500),
        ("proofwriter", "proofwriter/dev.jsonl", {}, 590),
    ],
)
def test_the_error_model_plays_published_problems(source, name, keys, count):
    entry = {"source": source, "path": str(shared(name)), "seed": 1, **keys}
    made = corpus(reading(0, 0, entry, rates=ErrorRates(0.6, 0.3, 0.3)))
    assert len(made) >= count
    assert all(c[-1]["content"].startswith("Finish(") for c in made)


def ask(messages, **kwargs):
    import litellm

    request = {"temperature": 1.0, "seed": 1, "misconception": 0.0, "slip": 0.0, "overshoot": 0.0, **kwargs}
    return asyncio.run(litellm.acompletion(model="simulated/teacher", messages=messages, **request))


def test_the_simulated_teacher_is_a_litellm_provider_that_sees_only_the_messages():
    from stages.teacher.simulated.provider import register

    (problem,) = builtin.problems("builtin/math", "train", 1, 9)
    register([problem])
    messages = [{"role": "system", "content": "tools"}, {"role": "user", "content": problem.question}]
    said = []
    for _ in problem.solution:
        reply = ask(messages)
        said.append(reply.choices[0].message.content)
        messages += [{"role": "assistant", "content": said[-1]}, {"role": "user", "content": "a result"}]
    assert said == [call.text() for call in problem.solution]
    assert reply.usage.completion_tokens > 0


def test_a_question_it_does_not_know_is_said_so():
    from stages.teacher.simulated.provider import register

    register([])
    reply = ask([{"role": "user", "content": "What is 1 + 1?"}])
    assert reply.choices[0].message.content.startswith("Reasoning(")
