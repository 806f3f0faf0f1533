"""Hostile calls as native JSON: read as the call of their text or refused, and so is their record."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import examples
from guard import harmless, memory
from hypothesis import given
from hypothesis import strategies as st
from test_hostile_calls import CODE, FAILURES, TOOLS, TURNS, refused

from stages.records.chain import Call
from stages.tools.calls import CallError, parse
from stages.tools.json_calls import call_text, parse_json
from stages.tools.run import run_call

# Native calls: (tool, arguments as JSON). "10/3" is the one text that is a number: JSON has no fractions.
READ = {
    "0.1 is one tenth": ("Add", '{"a": 0.1, "b": 0.2}', "Add(a=0.1, b=0.2)"),
    "0.1 with zeros": ("Add", '{"a": 0.100, "b": -0.0}', "Add(a=0.1, b=0)"),
    "a fraction": ("Add", '{"a": "10/3", "b": "-7/2"}', "Add(a=10/3, b=-3.5)"),
    "20 digits": ("Add", '{"a": 12345678901234567891, "b": 1}', "Add(a=12345678901234567891, b=1)"),
    "18 places": (
        "Add",
        '{"b": 0.000000000000000001, "a": 1}',
        "Add(b=1/1000000000000000000, a=1)",
    ),
    "a text": ("Finish", '{"answer": "4\\u00b2 \\"x\\"\\n"}', 'Finish(answer="4² \\"x\\"\\n")'),
    "a number as value": ("Finish", '{"answer": 42}', "Finish(answer=42)"),
    "a quoted number as value": ("Finish", '{"answer": "42"}', 'Finish(answer="42")'),
    "texts": ("Prove", '{"premises": ["a", ""], "goal": "b"}', 'Prove(premises=["a", ""], goal="b")'),
    "no texts": ("Prove", ' {"premises" : [ ] , "goal": ""} ', 'Prove(premises=[], goal="")'),
    "a pair of surrogates": ("Finish", '{"answer": "\\ud83d\\ude00"}', 'Finish(answer="😀")'),
}
JSON = {
    "a key given twice": ('{"a": 1, "a": 2, "b": 1}', "bad_arguments"),
    "NaN": ('{"a": NaN, "b": 1}', "malformed_call"),
    "Infinity": ('{"a": Infinity, "b": 1}', "malformed_call"),
    "-Infinity": ('{"a": -Infinity, "b": 1}', "malformed_call"),
    "half a surrogate pair": ('{"a": "\\ud800", "b": 1}', "malformed_call"),
    "the other half in a key": ('{"\\udc00": 1, "a": 1, "b": 1}', "malformed_call"),
    "a right-to-left override by its number": ('{"a": "\\u202e1", "b": 1}', "malformed_call"),
    "NUL by its number": ('{"a": "\\u0000", "b": 1}', "malformed_call"),
    "a bare NUL": ('{"a": "\0", "b": 1}', "malformed_call"),
    "a bare line end in a text": ('{"a": "\n", "b": 1}', "malformed_call"),
    "an exponent": ('{"a": 1e3, "b": 1}', "bad_arguments"),
    "a huge exponent": ('{"a": 1e999999999, "b": 1}', "bad_arguments"),
    "617 digits": ('{"a": %s, "b": 1}' % ("9" * 617), "bad_arguments"),
    "617 places": ('{"a": 0.%s, "b": 1}' % ("0" * 617), "bad_arguments"),
    "a fraction with 617 digits": ('{"a": "1/%s", "b": 1}' % ("9" * 617), "bad_arguments"),
    "a denominator of 0": ('{"a": "1/0", "b": 1}', "bad_arguments"),
    "a quoted number": ('{"a": "6", "b": 7}', "bad_arguments"),
    "a quoted decimal": ('{"a": "0.5", "b": 7}', "bad_arguments"),
    "a fraction in other digits": ('{"a": "١/٢", "b": 7}', "bad_arguments"),
    "true": ('{"a": true, "b": 1}', "bad_arguments"),
    "null": ('{"a": null, "b": 1}', "bad_arguments"),
    "an object": ('{"a": {"$gt": 0}, "b": 1}', "bad_arguments"),
    "an object with a key given twice": ('{"a": {"b": 1, "b": 2}, "b": 1}', "bad_arguments"),
    "a list": ('{"a": [1], "b": 1}', "bad_arguments"),
    "a list of texts": ('{"a": ["1"], "b": 1}', "bad_arguments"),
    "a list of lists": ('{"a": [["1"]], "b": 1}', "bad_arguments"),
    "a key more": ('{"a": 1, "b": 2, "c": null}', "bad_arguments"),
    "a key less": ('{"a": 1}', "bad_arguments"),
    "an empty key": ('{"": 1, "a": 1, "b": 1}', "bad_arguments"),
    "a key that is a call": ('{"a=1, b": 2}', "bad_arguments"),
    "a dunder key": ('{"__proto__": 1, "a": 1, "b": 1}', "bad_arguments"),
    "the tool's own state": ('{"_state": 1, "a": 1, "b": 1}', "bad_arguments"),
    "an empty object": ("{}", "bad_arguments"),
    "a list of arguments": ("[1, 2]", "malformed_call"),
    "a number": ("1", "malformed_call"),
    "null alone": ("null", "malformed_call"),
    "nothing": ("", "malformed_call"),
    "an object in a text": ('"{\\"a\\": 1, \\"b\\": 2}"', "malformed_call"),
    "two objects": ('{"a": 1, "b": 2}{"a": 1, "b": 2}', "malformed_call"),
    "a comma too much": ('{"a": 1, "b": 2,}', "malformed_call"),
    "single quotes": ("{'a': 1, 'b': 2}", "malformed_call"),
    "a comment": ('{"a": 1, /* one */ "b": 2}', "malformed_call"),
    "Python's True": ('{"a": True, "b": 1}', "malformed_call"),
    "a plus sign": ('{"a": +1, "b": 1}', "malformed_call"),
    "a leading zero": ('{"a": 01, "b": 1}', "malformed_call"),
    "hexadecimal": ('{"a": 0x10, "b": 1}', "malformed_call"),
    "a byte order mark": ('\ufeff{"a": 1, "b": 2}', "malformed_call"),
    "the text form": ("a=1, b=2", "malformed_call"),
    "a fence": ('```json\n{"a": 1, "b": 2}\n```', "malformed_call"),
    "1,900 brackets": ("[" * 1900, "malformed_call"),
    "1,900 objects": ('{"a":' * 380, "malformed_call"),
    "100,000 brackets": ("[" * 100_000, "malformed_call"),
    "a megabyte": ('{"a": 1, "b": 2' + " " * 10**6 + "}", "malformed_call"),
}
NAMES = ["", "add", "Add ", "Ａdd", "__class__", "Add(a=1, b=2)", 'Finish(answer="x', "A" * 10_000, "\0", "\udc00"]


@pytest.mark.parametrize("case", READ)
def test_a_native_call_is_the_call_of_its_text(case):
    name, arguments, text = READ[case]
    with harmless():
        call = parse_json(name, arguments, TOOLS)
    assert call.text() == text == call_text(name, arguments, TOOLS)
    assert parse(text, TOOLS) == call


@pytest.mark.parametrize("case", JSON)
def test_hostile_json_is_refused_and_so_is_its_record(case):
    arguments, failure = JSON[case]
    assert refused(parse_json, "Add", arguments).failure == failure
    refused(parse, call_text("Add", arguments, TOOLS))


@pytest.mark.parametrize("name", NAMES)
def test_a_native_call_of_no_tool_is_refused_and_so_is_its_record(name):
    assert refused(parse_json, name, '{"a": 1, "b": 2}').failure == "unknown_tool"
    refused(parse, call_text(name, '{"a": 1, "b": 2}', TOOLS))
    refused(parse, call_text(name, ', b="', TOOLS))


WRITABLE = st.text(
    st.one_of(st.characters(exclude_categories=["C", "Zl", "Zp"]), st.sampled_from('\n\t\\"')), max_size=30
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["a", "b", "c", "answer", "goal", "premises", "", "a=1, b", "_state"]) | st.text(max_size=3)


@examples(2000)
@given(
    st.sampled_from([*sorted(TOOLS), "Power", 'Finish(answer="', "Add(a=1, b="]) | st.text(max_size=9),
    st.text(max_size=60)
    | st.text('{}[]":,ab1.-/\\u e', max_size=60)
    | st.dictionaries(KEYS, ANYTHING, max_size=3).map(json.dumps),
)
def test_any_native_call_is_one_call_or_a_call_error_and_its_record_agrees(name, arguments):
    with harmless():
        text = call_text(name, arguments, TOOLS)
        try:
            call = parse_json(name, arguments, TOOLS)
        except CallError as error:
            assert error.failure in FAILURES and str(error).isprintable()
            call = None
        try:
            assert parse(text, TOOLS) == call and text == call.text()
        except CallError:
            assert call is None


VALUES = {"number": st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=9), "text": WRITABLE}
VALUES |= {"texts": st.lists(WRITABLE, max_size=3), "value": VALUES["number"] | WRITABLE}


@examples(2000)
@given(st.data())
def test_every_valid_native_call_is_read_exactly(data):
    tool = TOOLS[data.draw(st.sampled_from(sorted(TOOLS)))]
    given_values = {key: data.draw(VALUES[kind]) for key, kind in tool.parameters.items()}
    members = [f"{json.dumps(key)}: {_json(value)}" for key, value in given_values.items()]
    call = parse_json(tool.name, "{" + ", ".join(members) + "}", TOOLS)
    assert call == Call(tool.name, {key: _value(value) for key, value in given_values.items()})
    assert parse(call.text(), TOOLS) == call


def _json(value: object) -> str:
    return json.dumps(value) if isinstance(value, str | list) else format(Decimal(value), "f")


def _value(value: object) -> object:
    return value if isinstance(value, str) else tuple(value) if isinstance(value, list) else Fraction(value)


def test_memory_stays_flat_under_a_stream_of_hostile_calls():
    texts = [*TURNS.values(), *(f"Add(a={code}, b=1)" for code in CODE)]
    objects = [arguments for arguments, _ in JSON.values()]

    def stream(rounds: int) -> None:
        chance = random.Random(1)
        for _ in range(rounds):
            for text in texts:
                run_call(text + str(chance.random()), TOOLS, None)
            for arguments in objects:
                call_text("Add", arguments + str(chance.random()), TOOLS)

    stream(3)
    before = memory()
    stream(30)
    assert memory() - before < 2**21
