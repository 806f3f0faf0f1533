"""The agent's loop: one call a turn, what goes wrong is a step, and every limit has its name."""

import asyncio

import pytest

from stages.agent.loop import Attempt, Reply, solve
from stages.params import AgentParams
from stages.records.problem import Problem
from stages.tools.run import chain_from_row

PROBLEM = Problem("p1", "math", "arithmetic", "test", "Tom has 3 apples and buys 4. How many?", "7")
LIMITS = AgentParams(max_steps=6, max_errors=3, examples=0)


def scripted(*texts, cut=False):
    """A model that says these texts, one a turn."""
    said = list(texts)

    async def ask(messages, sample):
        return Reply(said.pop(0), prompt_tokens=10, completion_tokens=3, cost_usd=0.001, cut=cut)

    return ask


def attempt(*texts, **kwargs):
    return asyncio.run(solve(PROBLEM, 2, scripted(*texts, **kwargs), LIMITS, "scripted/model"))


def test_a_chain_calls_and_finishes():
    chain = attempt("Add(a=3, b=4)", 'Finish(answer="7")')
    assert [step.result for step in chain.steps] == ["7", "7"]
    assert (chain.answer, chain.stop, chain.sample, chain.teacher) == ("7", "finish", 2, "scripted/model")
    assert (chain.prompt_tokens, chain.completion_tokens, chain.cost_usd) == (20, 6, 0.002)
    assert [message["role"] for message in chain.messages()] == ["system", "user", "assistant", "user", "assistant"]
    assert chain.messages()[3]["content"] == "7"


def test_a_failed_call_stays_in_the_chain_and_is_shown_to_the_model():
    chain = attempt("Plus(a=3, b=4)", "Add(a=3, b=4)", 'Finish(answer="7")')
    first = chain.steps[0]
    assert (first.failure, first.result) == ("unknown_tool", "")
    assert "Add(a: number, b: number)" in first.error
    assert chain.messages()[3]["content"] == first.error
    assert chain.stop == "finish"


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("I would add them.", "malformed_call"),
        ("Add(a=3, b=4", "malformed_call"),
        ("Sum(a=3, b=4)", "unknown_tool"),
        ("Add(a=3)", "bad_arguments"),
        ('Add(a="3", b=4)', "bad_arguments"),
        ("Divide(a=3, b=0)", "tool_error"),
    ],
)
def test_what_is_wrong_with_a_turn_has_a_name(text, failure):
    chain = attempt(text, 'Finish(answer="7")')
    assert chain.steps[0].failure == failure
    assert "\n" not in chain.steps[0].error


def test_failed_calls_in_a_row_end_the_chain():
    chain = attempt("x", "x", "Add(a=1, b=1)", "x", "x", "x", "never asked")
    assert (chain.stop, len(chain.steps), chain.answer) == ("max_errors", 6, "")


def test_turns_are_limited():
    chain = attempt(*["Add(a=1, b=1)"] * 9)
    assert (chain.stop, len(chain.steps)) == ("max_steps", 6)


def test_a_turn_cut_by_the_token_limit_ends_the_chain():
    chain = attempt('Reasoning(thought="I think that', cut=True)
    assert (chain.stop, chain.steps[0].failure) == ("max_tokens", "malformed_call")


def test_what_the_provider_does_wrong_is_raised_and_is_no_step():
    async def ask(messages, sample):
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError):
        asyncio.run(solve(PROBLEM, 0, ask, LIMITS, "m"))


def test_a_chain_survives_its_row():
    chain = attempt("Add(a=0.1, b=10/3)", "oops", 'Reasoning(thought="a \\"quoted\\" word")', 'Finish(answer="7")')
    again = chain_from_row(chain.row())
    assert again == chain
    assert again.row() == chain.row()
    assert chain.row()["steps"][0]["arguments"] == {"a": "0.1", "b": "10/3"}


def test_the_prompt_shows_each_tool_as_signature_sentence_and_example():
    system = Attempt(PROBLEM, 6, 3, 0).messages[0]["content"]
    for line in ("Add(a: number, b: number)", "Finish(answer: value)", 'Example: Finish(answer="42")'):
        assert line in system


def test_worked_examples_are_run_not_written():
    system = Attempt(PROBLEM, 6, 3, 2).messages[0]["content"]
    assert system.count("> Finish(") == 2
