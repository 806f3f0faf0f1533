"""Problems: built-in generators, the parts they are split into, and one's own JSONL files."""

import json

import pytest
from conftest import examples, problems_params
from hypothesis import given
from hypothesis import strategies as st

from stages.agent.loop import Attempt, Reply
from stages.params import ParamsError
from stages.problems import builtin
from stages.problems.sources import load
from stages.records.problem import text_key
from stages.verdicts.answers import equal

SOURCES = ("builtin/math", "builtin/logic")
VARIANTS = [(source, variant) for source, variants in builtin.VARIANTS.items() for variant in variants]


def entries(**uses):
    return problems_params(**{use: tuple(uses.get(use, ())) for use in ("train", "dev", "heldout", "ood")})


@examples(20)
@given(st.sampled_from(VARIANTS), st.integers(0, 10**6))
def test_every_reference_solution_reaches_gold_without_a_failed_call(source_and_variant, seed):
    source, variant = source_and_variant
    for problem in builtin.problems(source, "ood", 20, seed, variant):
        attempt = Attempt(problem, max_steps=20, max_errors=1, examples=0)
        for call in problem.solution:
            attempt.advance(Reply(call.text()))
        assert attempt.stop == "finish" and not any(step.error for step in attempt.steps), problem
        assert equal(attempt.answer, problem.gold, problem.task) is True
        if problem.task == "logic":
            assert attempt.state.gold() == problem.gold
            assert attempt.state.rests_on(problem.gold)


@examples(20)
@given(st.sampled_from(SOURCES), st.integers(0, 10**6))
def test_every_misconception_is_a_valid_chain_to_a_wrong_answer_or_a_lucky_one(source, seed):
    lucky = trapped = 0
    for problem in builtin.problems(source, "train", 50, seed):
        if problem.misconception:
            attempt = Attempt(problem, max_steps=20, max_errors=1, examples=0)
            for call in problem.misconception:
                attempt.advance(Reply(call.text()))
            assert attempt.stop == "finish"
            trapped += 1
            lucky += equal(attempt.answer, problem.gold, problem.task) is True
    assert trapped >= 10 and lucky <= trapped / 4  # 50 % off, or a lure equal to the true number


@pytest.mark.parametrize("source", SOURCES)
def test_the_parts_share_no_question_whatever_the_seeds(source):
    keys = {
        use: {text_key(p.question) for seed in (1, 2) for p in builtin.problems(source, use, 300, seed)}
        for use in ("train", "dev", "heldout")
    }
    assert not keys["train"] & keys["dev"] and not keys["train"] & keys["heldout"] and not keys["dev"] & keys["heldout"]


@pytest.mark.parametrize("source", SOURCES)
def test_more_problems_begin_with_the_same_ones(source):
    assert builtin.problems(source, "train", 30, 7)[:10] == builtin.problems(source, "train", 10, 7)


def test_long_problems_need_more_calls_than_any_plain_one():
    for source, tool in (("builtin/math", None), ("builtin/logic", "Derive")):
        lengths = {
            variant: [
                sum(tool in (None, call.tool) for call in problem.solution)
                for problem in builtin.problems(source, "ood", 100, 1, variant)
            ]
            for variant in ("plain", "long")
        }
        assert min(lengths["long"]) > max(lengths["plain"])


def test_unseen_names_are_unseen():
    for source in SOURCES:
        words = {word.strip(".?") for p in builtin.problems(source, "train", 500, 1) for word in p.question.split()}
        for problem in builtin.problems(source, "ood", 50, 1, "names"):
            assert set(word.strip(".?") for word in problem.question.split()) - words


def test_logic_has_every_answer_and_negation():
    made = builtin.problems("builtin/logic", "train", 400, 1)
    golds = [problem.gold for problem in made]
    assert all(golds.count(gold) >= 30 for gold in ("True", "False", "Unknown"))
    for phrase in (" is not ", " is never ", " that is "):
        assert any(phrase in problem.question for problem in made)
    assert any(" not " in problem.question.split(". ")[-1] for problem in made)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"source": "builtin/maths", "n": 1, "seed": 1}, r"problems\.train\[0\]\.source is 'builtin/maths'; it takes"),
        ({"source": "builtin/math", "n": 1, "seed": 1, "size": 2}, r"unknown key problems\.train\[0\]\.size"),
        ({"source": "builtin/math", "n": 1}, r"missing key problems\.train\[0\]\.seed"),
        ({"source": "builtin/math", "n": "1", "seed": 1}, r"problems\.train\[0\]\.n is '1'; it takes int"),
        ({"source": "builtin/math", "n": 0, "seed": 1}, r"problems\.train\[0\]\.n is 0; it takes 1 or more"),
        (
            {"source": "builtin/math", "n": 1, "seed": 1, "variant": "hard"},
            r"variant is 'hard'; it takes plain, long, names",
        ),
    ],
)
def test_a_bad_entry_is_refused_by_its_key(entry, message):
    with pytest.raises(ParamsError, match=message):
        load("train", entries(train=[entry]))


def own(tmp_path, *rows):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return load("train", entries(train=[{"source": "jsonl", "path": str(path)}]))


def test_own_problems_are_read_with_context_and_solution(tmp_path):
    row = {
        "question": "How many?",
        "context": "Tom has 3.",
        "answer": "3",
        "task": "math",
        "solution": ['Finish(answer="3")'],
    }
    (problem,) = own(tmp_path, row)
    assert (problem.id, problem.question, problem.toolkit) == ("mine/000001", "Tom has 3. How many?", "arithmetic")
    assert problem.solution[0].text() == 'Finish(answer="3")'


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("not json", r"mine\.jsonl line 2: no JSON object"),
        ({"question": "q", "task": "math"}, r"line 2: missing key answer"),
        (
            {"question": "q", "answer": 3, "task": "math"},
            r"line 2: answer is 3 .*: Input should be a valid string",
        ),
        (
            {"question": "q", "answer": "3", "task": "maths"},
            r"line 2: task is 'maths' .* 'math' or 'logic'",
        ),
        ({"question": "q", "answer": "3", "task": "math", "solution": ["Plus(a=1)"]}, r"line 2: solution: "),
        ({"question": "q", "answer": "3", "task": "math", "solution": ["Add(a=1, b=2)"]}, r"does not end with Finish"),
        ({"question": "q", "answer": "3", "task": "math", "id": "a"}, r"id mine/a stands 2 times"),
    ],
)
def test_a_bad_row_names_file_and_line(tmp_path, row, message):
    from stages.problems.jsonl import JsonlError

    with pytest.raises(JsonlError, match=message):
        own(tmp_path, {"question": "first", "answer": "1", "task": "math", "id": "a"}, row)
