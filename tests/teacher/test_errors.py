"""The error model, and the simulated teacher that plays it behind litellm's interface."""

import asyncio
import os

import pytest

from stages.params import ErrorRates
from stages.problems import builtin
from stages.teacher.simulated.corpus import conversation
from stages.teacher.simulated.error_model import errant_texts
from stages.verdicts.answers import equal

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

NONE, SOME = ErrorRates(0.0, 0.0, 0.0), ErrorRates(0.5, 0.1, 0.1)
SOURCES = ("builtin/math", "builtin/logic")


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
