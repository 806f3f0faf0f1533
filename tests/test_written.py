"""Native calls that a model wrote out as text, in the marks of its template, and what stands after its thoughts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.tools import TOOLKITS
from stages.tools.calls import parse
from stages.tools.written import THOUGHTS_END, Unread, after_thoughts, written_calls

TOOLS = TOOLKITS["arithmetic"].tools
ADD = '{"name": "Add", "arguments": {"a": 3, "b": 0.5}}'
ARGUMENTS = '{"a": 3, "b": 0.5}'
FORMS = {
    "hermes": f"I will add.\n<tool_call>\n{ADD}\n</tool_call>",
    "hermes, cut at the closing mark": f"<tool_call>\n{ADD}\n",
    "llama 3": ADD.replace("arguments", "parameters"),
    "llama 3, tagged": f"<|python_tag|>{ADD.replace('arguments', 'parameters')}<|eom_id|>",
    "llama 3, typed": f'{{"type": "function", "function": {ADD}}}',
    "llama 3, its name under function": f'{{"type": "function", "function": "Add", "parameters": {ARGUMENTS}}}',
    "llama 3.1": f"<function=Add>{ARGUMENTS}</function>",
    "llama 4": "[Add(a=3, b=0.5)]",
    "mistral": f'[TOOL_CALLS] [{{"name": "Add", "arguments": {ARGUMENTS}, "id": "abcdefghi"}}]</s>',
    "mistral, name first": f"[TOOL_CALLS]Add{ARGUMENTS}",
    "mistral, v11": f"[TOOL_CALLS]Add[CALL_ID]abcdefghi[ARGS]{ARGUMENTS}",
    "granite": f"<|tool_call|>[{ADD}]",
    "deepseek v3": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>Add\n```json\n"
    f"{ARGUMENTS}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
    "deepseek v3.1": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>Add<｜tool▁sep｜>"
    f"{ARGUMENTS}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.Add:0<|tool_call_argument_begin|>"
    f"{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "qwen 3 coder": "<tool_call>\n<function=Add>\n<parameter=a>\n3\n</parameter>\n<parameter=b>\n0.5\n</parameter>\n"
    "</function>\n</tool_call>",
    "glm": "<tool_call>Add\n<arg_key>a</arg_key>\n<arg_value>3</arg_value>\n<arg_key>b</arg_key>\n"
    "<arg_value>0.5</arg_value>\n</tool_call>",
    "a fence": f"```json\n{ADD}\n```",
    "a list": f"[{ADD}]",
    "arguments as JSON text": f'<tool_calls>[{{"name": "Add", "arguments": {json.dumps(ARGUMENTS)}}}]</tool_calls>',
    "our form in marks": "<tool_call>Add(a=3, b=0.5)</tool_call>",
}


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


@settings(max_examples=500, deadline=None)
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
