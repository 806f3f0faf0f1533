"""A chat log made elsewhere becomes a chain as it stands: its calls, the results that it states, and its answer."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from conftest import ROOT, examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from logs import PROBLEM, RIGHT, Folder, log_folder, native, stated, written

from stages import verify
from stages.agent.prompt import prompt_messages
from stages.problems import builtin
from stages.problems.gold import solved
from stages.records import schema
from stages.records.errors import InputError
from stages.teacher.imported import chains as imported
from stages.tools import TOOLKITS
from stages.tools.run import chain_from_row, run_call


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Folder:
    return log_folder(tmp_path, monkeypatch)


def test_a_log_of_native_calls_is_a_chain_in_the_text_form(folder):
    row = {"problem": PROBLEM, "messages": RIGHT, "teacher": "openai/gpt-4o", "cost_usd": 0.01}
    (chain,) = folder.chains({**row, "usage": {"prompt_tokens": 70, "completion_tokens": 9}})
    assert [step.text for step in chain.steps] == ["Multiply(a=4, b=2)", "Add(a=3, b=8)", 'Finish(answer="11")']
    assert [step.result for step in chain.steps] == ["8", "11", "11"]
    assert (chain.answer, chain.stop, chain.gold, chain.problem_id) == ("11", "finish", "11", "mine/000001")
    assert (chain.teacher, chain.sample, chain.cost_usd) == ("openai/gpt-4o", 0, 0.01)
    assert (chain.prompt_tokens, chain.completion_tokens) == (70, 9)
    assert chain.prompt == prompt_messages(stated(PROBLEM), 0)
    assert chain_from_row(chain.row()) == chain
    assert folder.verdicts({"problem": PROBLEM, "messages": RIGHT}) == [("correct", "")]


def test_the_log_in_the_readme_is_a_correct_chain(folder):
    text = re.search(r"```json\n(.*?)```", (ROOT / "stages/teacher/README.md").read_text(), re.DOTALL)[1]
    (chain,) = folder.chains(json.loads(text))
    assert [step.text for step in chain.steps[:2]] == ["Multiply(a=4, b=2)", "Add(a=3, b=8)"]
    assert folder.verdicts(json.loads(text)) == [("correct", "")]


@pytest.mark.parametrize("task", ["math", "logic"])
def test_our_own_messages_give_the_same_chain_again(folder, task):
    own = []
    for problem in builtin.problems(f"builtin/{task}", "dev", 20, 1):
        made = dataclasses.replace(
            solved(problem), prompt=prompt_messages(problem, 0), teacher="someone", source="messages"
        )
        own.append(dataclasses.replace(made, problem_id=f"mine/{problem.id}"))
    rows = [
        {
            "problem": {"id": c.problem_id[5:], "question": c.question, "answer": c.gold, "task": c.task},
            "messages": c.row()["messages"],
            "teacher": "someone",
        }
        for c in own
    ]
    assert folder.chains(*rows) == own
    assert set(folder.verdicts(*rows)) == {("correct", "")}


@pytest.mark.parametrize(
    "said", ["8", " 8\n", "8.0", "x = 8", "The result is 8.", '{"result": 8}', '{"value": "8.00"}', "8 apples"]
)
def test_a_result_that_says_the_same_number_is_our_tools(folder, said):
    messages = native(
        ("Multiply", {"a": 4, "b": 2}, said), ("Add", {"a": 3, "b": 8}, "11"), ("Finish", {"answer": 11}, "ok")
    )
    (chain,) = folder.chains({"problem": PROBLEM, "messages": messages})
    assert chain.steps[0].result == "8"
    assert folder.verdicts({"problem": PROBLEM, "messages": messages}) == [("correct", "")]


def test_the_rounding_of_a_float_is_our_tools(folder):
    problem = {**PROBLEM, "question": "Share 800 among 3.", "answer": "800/3"}
    messages = written("Divide(a=800, b=3)", "266.6666666666667", 'Finish(answer="800/3")')
    assert folder.verdicts({"problem": problem, "messages": messages}) == [("correct", "")]


@pytest.mark.parametrize("said", ["9", "-8", "8.01", "4 * 2 = 9", '{"status": "ok", "result": 9}', "9 plums"])
def test_any_other_result_stays_as_stated_and_is_not_reproduced(folder, said):
    messages = native(
        ("Multiply", {"a": 4, "b": 2}, said), ("Add", {"a": 3, "b": 8}, "11"), ("Finish", {"answer": 11}, None)
    )
    (chain,) = folder.chains({"problem": PROBLEM, "messages": messages})
    assert chain.steps[0].result == said and chain.answer == "11"
    assert folder.verdicts({"problem": PROBLEM, "messages": messages}) == [("incorrect", "ungrounded")]


def test_calls_of_tools_that_we_do_not_have_are_failed_steps(folder):
    messages = native(("python", {"code": "3 + 4*2"}, "11"), ("search", "no JSON", ""), end="11")
    (chain,) = folder.chains({"problem": PROBLEM, "messages": messages})
    assert [(step.failure, step.error) for step in chain.steps] == [
        ("unknown_tool", "11"),
        ("unknown_tool", "(empty)"),
        ("", ""),
    ]
    assert chain.answer == "11"
    assert folder.verdicts({"problem": PROBLEM, "messages": messages}) == [("undecided", "unknown_tool")]


def refusal(text: str) -> str:
    return run_call(text, TOOLKITS["arithmetic"].tools, None).error


@pytest.mark.parametrize("said", [refusal("Divide(a=1, b=0)"), "ZeroDivisionError", '{"error": "division by zero"}'])
def test_a_refusal_is_reproduced_in_whatever_words_it_stands(folder, said):
    turns = ("Divide(a=1, b=0)", said, "Calculate(expression='3+4*2')", "11", "Finish(answer=11)")
    (chain,) = folder.chains({"problem": PROBLEM, "messages": written(*turns)})
    assert chain.steps[0].error == refusal("Divide(a=1, b=0)")
    assert folder.verdicts({"problem": PROBLEM, "messages": written(*turns)}) == [("correct", "")]


def test_parallel_calls_become_steps_with_the_results_of_their_ids(folder):
    calls = [
        {"id": "b", "function": {"name": "Multiply", "arguments": {"a": 4, "b": 2}}},
        {"id": "a", "function": {"name": "Add", "arguments": {"a": 1.5, "b": 1.5}}},
    ]
    results = [
        {"role": "tool", "tool_call_id": "a", "content": "3"},
        {"role": "tool", "tool_call_id": "b", "content": "8"},
    ]
    log = [
        {"role": "assistant", "content": "Both.", "tool_calls": calls},
        *results,
        *native(("Add", {"a": 3, "b": 8}, "11"))[2:],
    ]
    (chain,) = folder.chains({"problem": PROBLEM, "messages": [*log, {"role": "assistant", "content": "So: 11"}]})
    assert [(step.text, step.result) for step in chain.steps[:2]] == [
        ("Multiply(a=4, b=2)", "8"),
        ("Add(a=1.5, b=1.5)", "3"),
    ]
    for result in results:
        del result["tool_call_id"]
    assert folder.chains({"problem": PROBLEM, "messages": log})[0].steps[0].result == "3"  # then by their places


@pytest.mark.parametrize(
    ("end", "answer"),
    [
        ("11", "11"),
        ("The answer is 11.", "The answer is 11."),
        ("First 4 * 2 = 8.\nThen 3 + 8 = 11.\n#### 11", "11"),
        ("It is eight and three.\n\nFinal answer: 11", "11"),
        ("Finish(answer=11)", "11"),
        ([{"type": "text", "text": "11"}], "11"),
    ],
)
def test_the_last_words_behind_native_calls_are_the_answer(folder, end, answer):
    messages = [
        *native(("Multiply", {"a": 4, "b": 2}, "8"), ("Add", {"a": 3, "b": 8}, "11")),
        {"role": "assistant", "content": end},
    ]
    (chain,) = folder.chains({"problem": PROBLEM, "messages": messages})
    assert (chain.answer, chain.stop) == (answer, "finish")
    assert folder.verdicts({"problem": PROBLEM, "messages": messages}) == [("correct", "")]


def test_in_the_text_form_words_are_no_answer(folder):
    messages = written("Calculate(expression='3+4*2')", "11", "The answer is 11.")
    (chain,) = folder.chains({"problem": PROBLEM, "messages": messages})
    assert chain.steps[-1].failure == "malformed_call" and chain.answer == ""
    assert folder.verdicts({"problem": PROBLEM, "messages": messages}) == [("incorrect", "no_answer")]


def test_what_follows_the_answer_is_no_part_of_the_chain(folder):
    more = [{"role": "user", "content": "Thanks"}, {"role": "assistant", "content": "Welcome"}]
    (chain,) = folder.chains({"problem": PROBLEM, "messages": [*RIGHT, *more]})
    assert len(chain.steps) == 3 and folder.verdicts({"problem": PROBLEM, "messages": [*RIGHT, *more]}) == [
        ("correct", "")
    ]


def test_a_chain_without_an_answer_says_how_it_ended(folder):
    for count, turn, stop in (
        (1, "Add(a=1, b=2)", "max_tokens"),
        (3, "What?", "max_errors"),
        (14, "Add(a=1, b=2)", "max_steps"),
    ):
        said = refusal("What?") if turn == "What?" else "3"
        (chain,) = folder.chains({"problem": PROBLEM, "messages": written(*[turn, said] * count)})
        assert (chain.stop, chain.answer, len(chain.steps)) == (stop, "", count)
        assert verify.verdicts([chain.row()], 0.0)[0]["reproduced"]


TEXTS = st.one_of(
    st.sampled_from(
        ["Add(a=1, b=2)", "3", "Finish(answer=11)", "", "{}", '{"a": 1, "b": 2}', '{"result": 3}', "\ud800"]
        + ['<tool_call>{"name": "Add", "arguments": {"a": 1, "b": 2}}', "Well</think>Add(a=1, b=2)", "<tool_call>[]"]
        + ["<tool_response>3</tool_response>", "[TOOL_CALLS]Add[ARGS]", "Price(item='pen')"]
    ),
    st.text(max_size=20),
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
FUNCTIONS = st.fixed_dictionaries({"name": st.one_of(st.just("Add"), TEXTS), "arguments": st.one_of(TEXTS, ANYTHING)})
CALLS = st.fixed_dictionaries(
    {}, optional={"id": st.one_of(TEXTS, ANYTHING), "function": st.one_of(FUNCTIONS, ANYTHING)}
)
PARTS = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(["text", "thinking", "tool_use", "tool_result"]), ANYTHING)},
    optional={name: st.one_of(TEXTS, ANYTHING) for name in ("text", "id", "name", "input", "tool_use_id", "content")},
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.one_of(st.sampled_from(["user", "assistant", "tool"]), ANYTHING)},
    optional={
        "content": st.one_of(TEXTS, st.lists(PARTS, max_size=2), ANYTHING),
        "tool_call_id": st.one_of(TEXTS, ANYTHING),
        "tool_calls": st.one_of(st.lists(CALLS, max_size=3), ANYTHING),
        "function_call": st.one_of(st.none(), FUNCTIONS, ANYTHING),
    },
)


@examples(300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.lists(MESSAGES, max_size=6), ANYTHING))
def test_any_log_is_a_chain_or_a_line_that_says_why_not(folder, messages):
    folder.write({"problem": PROBLEM, "messages": messages})
    try:
        ((chain,), _) = imported.load(folder.params, [])
    except InputError as error:
        assert str(error).startswith("mine.jsonl line 1: ") and len(str(error)) < 300
        return
    schema.write("chains.jsonl", [chain.row()], "chains")
    (row,) = schema.read("chains.jsonl", "chains")
    assert chain_from_row(row) == chain
    verify.verdicts([row], 0.0)
