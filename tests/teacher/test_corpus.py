"""The corpus: which problems the from-scratch student reads, and how often."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import pytest
from conftest import shared
from hypothesis import given
from hypothesis import strategies as st

from stages.params import CorpusParams, ErrorRates, ParamsError
from stages.problems import builtin
from stages.records.errors import InputError
from stages.records.problem import text_key
from stages.teacher.simulated.corpus import attempts, conversation, readable, rows
from stages.verdicts.answers import equal

SOME = ErrorRates(0.5, 0.1, 0.1)
SOURCES = ("builtin/math", "builtin/logic")


def reading(math, logic, *problems, rates=SOME):
    return CorpusParams(math, logic, problems, 5, rates)


def corpus(settings):
    return [row["messages"] for row in rows(attempts(settings), settings.rates)]


def answer(conversation):
    return conversation[-1]["content"].removeprefix('Finish(answer="').removesuffix('")')


def test_the_corpus_holds_both_tasks_by_id_and_no_question_of_another_part():
    settings = reading(40, 40)
    found = rows(attempts(settings), settings.rates)
    assert Counter(row["task"] for row in found) == {"math": 40, "logic": 40}
    assert [row["problem_id"] for row in found] == sorted({row["problem_id"] for row in found})
    made = [row["messages"] for row in found]
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
def test_each_problem_is_read_once_whatever_stands_beside_it(pens, math, logic, own):
    entry = pens(own)
    made = corpus(reading(math, logic, entry))
    kinds = ["own" if "pens and sold" in c[0]["content"] else "is" if "Is it" in c[0]["content"] else "" for c in made]
    assert Counter(kinds) == Counter({"": math, "is": logic, "own": own})
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
    with pytest.raises(InputError, match=r"generate\.corpus\.problems: none of 2 problems has a solution that gives"):
        corpus(reading(2, 0, {"source": "jsonl", "path": str(path)}))


def test_built_in_entries_are_of_the_part_of_train():
    made = corpus(reading(0, 0, {"source": "builtin/math", "n": 40, "seed": 3}))
    assert all(builtin.part(c[0]["content"]) in builtin.PARTS["train"] for c in made)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"source": "gsm"}, r"generate\.corpus\.problems\[1\]\.source is 'gsm'; it takes"),
        ({"source": "jsonl"}, r"missing key generate\.corpus\.problems\[1\]\.path"),
        (
            {"source": "mawps", "redraw": 3},
            r"unknown key generate\.corpus\.problems\[1\]\.redraw; known here: .*redraws",
        ),
        (
            {"source": "mawps", "fold": 3},
            r"unknown key generate\.corpus\.problems\[1\]\.fold; known here: source",
        ),
        ({"source": "asdiv", "n": 0}, r"generate\.corpus\.problems\[1\]\.n is 0; it takes 1 or more"),
    ],
)
def test_a_wrong_key_of_the_corpus_is_named(pens, entry, message):
    with pytest.raises(ParamsError, match=message):
        corpus(reading(0, 0, pens(1), entry))


def test_a_file_that_dvc_does_not_watch_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    outside = "generate.corpus.problems[0].path: own.jsonl is outside data/sources"
    for path, said in (("data/sources/own.jsonl", ""), ("own.jsonl", outside)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(sold(0)) + "\n")
        corpus(reading(0, 0, {"source": "jsonl", "path": path}))
        told = capsys.readouterr().err
        assert (said in told) if said else told == ""


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
