"""Native calls that a model wrote out as text, in the marks of its template, and what stands after its thoughts."""

from __future__ import annotations

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from written_forms import ADD, ARGUMENTS, FORMS

from stages.tools import TOOLKITS
from stages.tools.calls import parse
from stages.tools.written import THOUGHTS_END, Unread, after_thoughts, written_calls

TOOLS = TOOLKITS["arithmetic"].tools


@pytest.mark.parametrize("form", FORMS)
def test_a_call_is_read_in_the_marks_of_every_template(form):
    assert written_calls(FORMS[form], TOOLS) == [("Add", "Add(a=3, b=0.5)")]


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{ADD}</tool_call>\n<tool_call>{ADD}</tool_call>",
        f"{ADD}; {ADD}",
        f"[TOOL_CALLS] [{ADD}, {ADD}]",
        f"<function=Add>{ARGUMENTS}</function><function=Add>{ARGUMENTS}</function>",
    ],
)
def test_several_calls_of_one_text_are_all_read_in_order(text):
    assert written_calls(text, TOOLS) == [("Add", "Add(a=3, b=0.5)")] * 2


def test_a_value_between_tags_has_the_type_of_its_parameter():
    text = "<tool_call><function={}><parameter={}>\n12\n</parameter></function></tool_call>"
    assert written_calls(text.format("Calculate", "expression"), TOOLS) == [("Calculate", 'Calculate(expression="12")')]
    assert written_calls(text.format("Finish", "answer"), TOOLS) == [("Finish", 'Finish(answer="12")')]
    assert written_calls(text.format("Price", "item"), TOOLS) == [("Price", 'Price(item="12")')]


@pytest.mark.parametrize(
    "text", ["", "The answer is 11.", "[7]", '{"answer": 11}', "{", '{"name": "Add"}', "Add(a=3, b=4)", '[{"a": 1}]']
)
def test_a_text_without_marks_that_is_no_call_holds_none(text):
    assert written_calls(text, TOOLS) == []


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>",
        '<tool_call>{"name": "Add", "arguments": {"a": 3, "b"',
        "<tool_call>{'name': 'Add', 'arguments': {'a': 3}}</tool_call>",
        '<tool_call>{"name": "Add", "arguments": {"a": 3, "a": 4}}</tool_call>',
        '<tool_call>{"name": "Add", "arguments": {"a": NaN}}</tool_call>',
        '<tool_call>{"name": "Add", "arguments": {}, "parameters": {}}</tool_call>',
        '<tool_call>{"name": ["Add"], "arguments": {}}</tool_call>',
        f"<tool_call>{ADD} and so on</tool_call>",
        "<tool_call>import os</tool_call>",
        "<function=Add><parameter=a>3</function>",
        f"<tool_call>{ADD}</tool_call><tool_response>3.5</tool_response>",
        '<tool_call>{"name": "Add", "arguments": ' + "[" * 50_000,
        "<tool_call>" * 10_000,
    ],
)
def test_marks_around_anything_else_are_unread_and_never_a_guess(text):
    with pytest.raises(Unread) as unread:
        written_calls(text, TOOLS)
    assert len(str(unread.value)) < 200


PIECES = [*FORMS.values(), *THOUGHTS_END, "<tool_call>", "</tool_call>", "{", "}", "[", '"', ADD, "<function=", "\n"]


@examples(500)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=6).map("".join))
def test_any_text_holds_calls_that_the_text_form_gives_back_or_is_unread(text):
    assert text.endswith(after_thoughts(text))
    try:
        calls = written_calls(text, TOOLS)
    except Unread:
        return
    for name, turn in calls:
        if name == "Add" and turn == "Add(a=3, b=0.5)":
            assert parse(turn, TOOLS).text() == turn


@pytest.mark.parametrize("mark", THOUGHTS_END)
def test_what_follows_the_last_mark_is_not_thought(mark):
    assert after_thoughts(f"Add? {mark} No. {mark}\n\nAdd(a=1, b=2)\n") == "Add(a=1, b=2)\n"
    assert after_thoughts("Add(a=1, b=2)") == "Add(a=1, b=2)"
    assert after_thoughts(f"Add? {mark}\n") == ""
