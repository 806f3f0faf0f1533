"""The wire form `tools`: what is offered, what a turn looks like, and native calls there and back."""

from __future__ import annotations

import json
from fractions import Fraction

import jsonschema
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from strict_server import PROBLEM, what_a_provider_refuses
from values import VALUES

from stages.agent import native as wire
from stages.agent.loop import Attempt, Reply, reply_from_row
from stages.agent.prompt import system_text
from stages.records.chain import Call
from stages.teacher.journal.record import canonical
from stages.tools import TOOLKITS
from stages.tools.calls import parse
from stages.tools.json_calls import parse_json
from stages.tools.run import chain_from_row

TOOLS = TOOLKITS["arithmetic"].tools


def attempt(form: str = "tools", steps: int = 6) -> Attempt:
    return Attempt(PROBLEM, steps, 3, 0, wire=form)


def native(*calls: tuple[str, str, str], text: str = "", cut: bool = False) -> Reply:
    names = ("id", "name", "arguments")
    return Reply(text, cut=cut, calls=tuple(dict(zip(names, call, strict=True)) for call in calls))


# What is offered


@pytest.mark.parametrize("toolkit", TOOLKITS)
def test_every_tool_is_offered_with_its_sentence_an_example_and_a_schema_that_the_example_fits(toolkit):
    offered = {tool["function"]["name"]: tool["function"] for tool in wire.offered(toolkit, "tools")}
    assert list(offered) == list(TOOLKITS[toolkit].tools)
    for tool in TOOLKITS[toolkit].tools.values():
        schema = offered[tool.name]["parameters"]
        jsonschema.Draft202012Validator.check_schema(schema)
        sentence, _, example = offered[tool.name]["description"].partition(" Example: ")
        assert sentence == tool.description
        jsonschema.validate(json.loads(example), schema)
        assert parse_json(tool.name, example, TOOLKITS[toolkit].tools) == parse(tool.example, TOOLKITS[toolkit].tools)
        for wrong in ({}, json.loads(example) | {"other": 1}, dict.fromkeys(tool.parameters)):
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(wrong, schema)
    assert wire.offered(toolkit, "text") is None


def test_the_schema_of_a_number_takes_a_fraction_and_no_other_text():
    schema = wire.offered("arithmetic", "tools")[0]["function"]["parameters"]
    for right in (3, -0.5, "10/3", "-1/2"):
        jsonschema.validate({"a": right, "b": 1}, schema)
    for wrong in ("3", "ten", "1/", [1], True):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"a": wrong, "b": 1}, schema)


def test_the_system_message_lists_no_function_and_its_examples_are_native():
    assert "Add(" in system_text("arithmetic", "math", 2)
    text = system_text("arithmetic", "math", 2, "tools")
    assert "Add(" not in text and "Functions:" not in text
    assert text.count('> Finish {"answer": ') == 2
    assert "Worked examples" not in system_text("arithmetic", "math", 0, "tools")


# There and back


@st.composite
def call_lists(draw):
    made = []
    for name in draw(st.lists(st.sampled_from(sorted(set(TOOLS) - {"Finish"})), max_size=5)) + ["Finish"]:
        parameters = draw(st.permutations(list(TOOLS[name].parameters)))
        made.append(Call(name, {key: draw(VALUES[TOOLS[name].parameters[key]]) for key in parameters}))
    return made


def as_json_says(call: Call) -> Call:
    """JSON has no fractions: where a text is allowed too, `10/3` is one."""
    kinds = TOOLS[call.tool].parameters
    arguments = {}
    for name, value in call.arguments.items():
        if kinds[name] == "value" and isinstance(value, Fraction) and "/" in Call("", {"": value}).text():
            value = Call("", {"": value}).text()[2:-1]
        arguments[name] = value
    return Call(call.tool, arguments)


@examples(300)
@given(
    call_lists(), st.lists(st.sampled_from(["", "a", "a", "call00000", "\u202e", "x" * 5000]), min_size=6, max_size=6)
)
def test_calls_become_native_messages_and_again_the_same_calls(calls, ids):
    there, text = attempt(steps=9), attempt("text", steps=9)
    for call, call_id in zip(calls, ids, strict=False):
        if there.stop:
            break
        there.advance(Reply("", calls=(wire.native_call(call, call_id),)))
        text.advance(Reply(as_json_says(call).text()))
    assert there.chain().row() == text.chain().row()
    assert chain_from_row(there.chain().row()) == there.chain()
    assert what_a_provider_refuses({"messages": there.messages[: 1 - 2 * (there.stop == "finish") or None]}) == ""
    sent = [message["tool_calls"][0]["function"] for message in there.messages if message["role"] == "assistant"]
    for function, call in zip(sent, calls, strict=False):
        schema = next(t for t in wire.offered("arithmetic", "tools") if t["function"]["name"] == call.tool)["function"]
        if len(function["arguments"]) <= 2000 and "unreadable" not in function["arguments"]:
            assert parse_json(function["name"], function["arguments"], TOOLS) == as_json_says(call)
            jsonschema.validate(json.loads(function["arguments"]), schema["parameters"])


def test_a_reply_survives_the_journal_and_one_without_calls_has_the_bytes_it_always_had():
    reply = native(("1", "Add", '{"a": 1}'), text="Now.", cut=True)
    assert reply_from_row(json.loads(canonical(reply.row()))) == reply
    plain = '{"completion_tokens":3,"cost_usd":0.0,"cut":false,"prompt_tokens":7,"text":"x"}'
    assert canonical(Reply("x", 7, 3).row()) == plain
    assert reply_from_row(json.loads(plain)) == Reply("x", 7, 3)


# What a turn looks like


def test_a_native_turn_is_answered_under_its_id():
    made = attempt()
    made.advance(native(("call_abc", "Add", '{"a":3, "b": 4}'), text="First the sum."))
    assert made.messages[2:] == [
        {
            "role": "assistant",
            "content": "First the sum.",
            "tool_calls": [
                {"id": "call_abc", "type": "function", "function": {"name": "Add", "arguments": '{"a":3, "b": 4}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_abc", "content": "7"},
    ]
    assert made.chain().messages()[2:] == [
        {"role": "assistant", "content": "Add(a=3, b=4)"},
        {"role": "user", "content": "7"},
    ]


def test_of_several_calls_the_first_is_run_and_each_is_answered():
    made = attempt()
    made.advance(native(*((f"c{n}", "Add", f'{{"a": {n}, "b": 1}}') for n in range(20))))
    assert [step.result for step in made.steps] == ["1"]
    sent, *results = made.messages[2:]
    assert [call["id"] for call in sent["tool_calls"]] == [f"c{n}" for n in range(wire.MOST_CALLS)]
    assert [result["tool_call_id"] for result in results] == [call["id"] for call in sent["tool_calls"]]
    assert [result["content"] for result in results] == ["1", *[wire.NOT_RUN] * (wire.MOST_CALLS - 1)]


@pytest.mark.parametrize(
    ("name", "arguments", "shown", "failure"),
    [
        ("Add", '{"a": 3, "b"', '`{"a": 3, "b"` is no object of arguments', "bad_arguments"),
        ("Add", '{"a": 3}', "Add: b is missing", "bad_arguments"),
        ("Add", '{"a": "3", "b": 4}', "a must be a number such as 6", "bad_arguments"),
        ("Sum", '{"a": 3, "b": 4}', "there is no tool `Sum`", "unknown_tool"),
        ("functions.Add", '{"a": 3, "b": 4}', "there is no tool `functions.Add`", "malformed_call"),
        ("Divide", '{"a": 3, "b": 0}', "0", "tool_error"),
    ],
)
def test_what_is_wrong_with_a_native_call_is_a_failed_step_shown_under_its_id(name, arguments, shown, failure):
    made = attempt()
    made.advance(native(("c1", name, arguments)))
    result = made.messages[-1]
    assert (result["role"], result["tool_call_id"]) == ("tool", "c1")
    assert result["content"].startswith("Error: ") and shown in result["content"] and "\n" not in result["content"]
    assert made.steps[0].failure == failure and not made.stop
    assert what_a_provider_refuses({"messages": made.messages}) == ""
    assert chain_from_row(made.chain().row()).row() == made.chain().row()


def test_broken_or_endless_arguments_go_back_inside_an_object_and_right_ones_as_they_came():
    made = attempt()
    made.advance(native(("c1", "Add", '{"a": 3, "b"')))
    made.advance(native(("c2", "Add", '{ "a":3,"b" : 4 }')))
    made.advance(native(("c3", "Reasoning", json.dumps({"thought": "x" * 50_000}))))
    deep = '{"a": ' + "[" * 1900
    made.advance(native(("c4", "Add", deep)))
    assert wire.said(({"id": "", "name": "", "arguments": deep},)).split() == ['{"a":', "[" * 1900]
    sent = [message["tool_calls"][0]["function"] for message in made.messages if message["role"] == "assistant"]
    assert json.loads(sent[0]["arguments"]) == {"unreadable": '{"a": 3, "b"'}
    assert sent[1]["arguments"] == '{ "a":3,"b" : 4 }'
    assert len(sent[2]["arguments"]) < 2100
    assert json.loads(sent[3]["arguments"]) == {"unreadable": deep}


def test_an_id_that_is_missing_taken_or_strange_becomes_nine_letters_and_digits():
    made = attempt()
    odd = ["", "a", "a", "with space", "x" * 4001, "\x1b[2J", "call00002", "\ud800"]
    made.advance(native(*((name, "Add", '{"a": 1, "b": 1}') for name in odd)))
    ids = [call["id"] for call in made.messages[2]["tool_calls"]]
    assert ids == [*("call00000", "a", "call00002", "call00003", "call00004", "call00005", "call00006", "call00007")]
    made.advance(native(("a", "Add", '{"a": 1, "b": 1}')))  # the same id in a later turn
    assert made.messages[-1]["tool_call_id"] == "call00008"


def test_a_text_instead_of_a_call_goes_the_way_of_the_text_form():
    made, text = attempt(), attempt("text")
    for said in ("I would add them.", "Add(a=3, b=4)", 'Finish(answer="7")'):
        made.advance(Reply(said))
        text.advance(Reply(said))
    assert made.messages[1:] == text.messages[1:] and made.chain() == text.chain()


def test_a_fraction_is_a_text_where_json_has_no_number_for_it():
    made = attempt()
    made.advance(native(("c", "Multiply", '{"a": "10/3", "b": 0.1}')))
    assert (made.steps[0].text, made.steps[0].result) == ("Multiply(a=10/3, b=0.1)", "1/3")


def test_a_half_call_at_the_token_limit_ends_the_chain():
    made = attempt()
    made.advance(native(("c", "Reasoning", '{"thought": "I think that'), cut=True))
    assert (made.stop, made.steps[0].failure) == ("max_tokens", "bad_arguments")
