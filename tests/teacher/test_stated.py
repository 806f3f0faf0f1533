"""What a result in a log says beside ours: the same, surely another value, or neither."""

from __future__ import annotations

import json

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from stages.records.chain import number_text
from stages.teacher.imported.results import agrees, results_in
from stages.tools import TOOLKITS
from stages.tools.deduction.toolkit import DEDUCTION
from stages.tools.run import run_call

TOOLS = TOOLKITS["arithmetic"].tools
SEVEN = run_call("Add(a=3, b=4)", TOOLS, None)
THIRD = run_call("Divide(a=10, b=3)", TOOLS, None)
REFUSED = run_call("Divide(a=1, b=0)", TOOLS, None)
MCP = {"content": [{"type": "text", "text": "7"}], "isError": False}
WAYS = [
    *(
        "{}",
        " {}\n",
        "{}.0",
        "x = {}",
        "3 + 4 = {}",
        "3+4={}",
        "2*3 + 1 = 6 + 1 = {}",
        "Result: {}",
        "The result is {}.",
    ),
    *("{} plums", "${}", "**{}**", "`{}`", "[{}]", '"{}"', '{{"result": {}}}', '{{"status": "ok", "result": {}}}'),
    *(
        '{{"name": "Add", "content": {}}}',
        '{{"a": 3, "b": 4, "sum": 1, "result": "{}"}}',
        '{{"value": {{"value": {}}}}}',
    ),
    *('[{{"type": "text", "text": "{}"}}]', json.dumps(MCP).replace("{", "{{").replace("}", "}}").replace("7", "{}")),
    '{{"ok": true, "error": null, "output": "{}"}}',
]


@pytest.mark.parametrize("way", WAYS)
def test_the_same_value_is_read_in_every_way_and_another_one_is_surely_another(way):
    assert agrees(way.format(7), SEVEN) is True
    assert agrees(way.format(8), SEVEN) is False


@pytest.mark.parametrize(
    "said",
    [
        *("7 or 8", "", "done", "null", "{}", "[7, 8]", "NaN", "seven", '{"a": 7, "b": 8}', '{"status": "ok"}'),
        *("Error: out of memory", '{"error": "time-out", "result": 8}', '{"result": 8, "value": 7}', "[" * 10_000),
        *('{"isError": true, "content": [{"type": "text", "text": "8"}]}', "failed after 8 tries"),
    ],
)
def test_what_is_not_surely_a_value_is_not_compared(said):
    assert agrees(said, SEVEN) is None


@pytest.mark.parametrize(("said", "same"), [("3.33", None), ("3", None), ("3.4", None), ("3.32", False), ("5", False)])
def test_a_rounding_is_neither_the_same_nor_surely_another(said, same):
    assert agrees(said, THIRD) is same
    assert agrees("3.3333333333333335", THIRD) is True and agrees("7.01", SEVEN) is False


def test_two_failures_agree_and_a_value_where_ours_fails_is_not_compared():
    for said in (REFUSED.error, "ZeroDivisionError: division by zero", '{"error": "b is 0"}'):
        assert agrees(said, REFUSED) is True
    for said in ("inf", "0", ""):
        assert agrees(said, REFUSED) is None


def test_what_was_answered_to_a_thought_says_nothing():
    thought = run_call('Reasoning(thought="3 and 4")', TOOLS, None)
    assert all(agrees(said, thought) for said in ("", "ok", "Recorded.", "7", "Error"))


def test_labels_and_sentences_are_compared_by_their_words():
    state = DEDUCTION.open("Bob is cold. If someone is cold then they are kind.")
    step = run_call('Check(fact="Bob is cold.")', DEDUCTION.tools, state)
    assert step.result == "True"
    assert [agrees(said, step) for said in ("true", "True.", '{"result": true}')] == [True] * 3
    assert [agrees(said, step) for said in ("False", "unknown", '{"result": false}')] == [False] * 3
    assert agrees("Bob is cold", step) is None


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("7", ["7"]),
        ("<tool_response>\n7\n</tool_response>", ["7"]),
        ("<tool_response>\n7\n</tool_response>\n<tool_response>8", ["7", "8"]),
        ('[TOOL_RESULTS] {"content": 7}[/TOOL_RESULTS]', ['{"content": 7}']),
        ("<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>7<｜tool▁output▁end｜>", ["7"]),
    ],
)
def test_results_stand_between_the_marks_of_a_template(text, results):
    assert results_in(text) == results


@examples(300)
@given(st.fractions(max_denominator=1000), st.fractions(max_denominator=1000))
def test_only_the_number_itself_is_the_same(one, other):
    step = run_call(f"Multiply(a={number_text(one)}, b=1)", TOOLS, None)
    assert agrees(number_text(one), step) is True
    if one != other:
        assert agrees(number_text(other), step) is not True


@examples(300)
@given(st.text(max_size=30))
def test_any_text_is_compared_or_not(said):
    for step in (SEVEN, THIRD, REFUSED):
        assert agrees(said, step) in (True, False, None)
