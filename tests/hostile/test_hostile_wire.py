"""Hostile native tool calls: each is the model's failed step, or the provider's failure with a name.

The server is strict as well: it refuses a conversation whose ids, names or arguments are not as the protocol asks. So a
model's nonsense that was sent back as it came would end its chain as the provider's failure.
"""

from __future__ import annotations

import json

import pytest
from projects import KEY, Project
from provider import Provider, completion
from strict_server import FINISH, after, solved
from test_hostile_server import with_key

from stages.records.chain import Chain
from stages.records.errors import InputError
from stages.teacher.journal.journal import Journal
from stages.teacher.teacher import ProviderError
from stages.tools.run import chain_from_row

GOOD = '{"a": 3, "b": 4}'

pytestmark = pytest.mark.usefixtures("environment")


def called(*calls: object, text: object = None, reason: str = "tool_calls", **fields: object) -> dict:
    """An answer whose tool_calls are these, of any type."""
    answer = completion(None, reason)
    answer["choices"][0]["message"] = {"role": "assistant", "content": text, "tool_calls": list(calls), **fields}
    return answer


def call(name: object = "Add", arguments: object = GOOD, call_id: object = "c1", **fields: object) -> dict:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def without(name: str) -> dict:
    return {key: value for key, value in call().items() if key != name}


PROVIDER = "the provider's"
# What the first step is: "" where the call runs, the failure's name where the model failed.
ANSWERS = {
    "an id that is missing": (called(without("id")), ""),
    "an id that is null": (called(call(call_id=None)), ""),
    "an id that is empty": (called(call(call_id="")), ""),
    "an id that is a number": (called(call(call_id=5)), ""),
    "an id that is a list": (called(call(call_id=["x"])), ""),
    "an id of a megabyte": (called(call(call_id="x" * 150_000)), ""),
    "an id of escape sequences": (called(call(call_id="\x1b[2J\r\nx")), ""),
    "an id of half a surrogate pair": (called(call(call_id="\ud800")), ""),
    "one id for two calls": (called(call(), call()), ""),
    "1,000 calls": (called(*(call(call_id=f"c{number}") for number in range(1000))), ""),
    "another type": (called(call(type="banana")), ""),
    "no type": (called(without("type")), ""),
    "calls and an old function_call": (called(call(), function_call={"name": "Sum", "arguments": "{}"}), ""),
    "a name that is empty": (called(call("")), "malformed_call"),
    "a name with a bracket": (called(call("Add(a=1, b=2)")), "malformed_call"),
    "a name of 10,000 letters": (called(call("A" * 10_000)), "malformed_call"),
    "a name of other letters": (called(call("Ａdd")), "malformed_call"),
    "a name of half a surrogate pair": (called(call("\udc00")), "malformed_call"),
    "a name of Python's own": (called(call("__class__")), "unknown_tool"),
    "litellm's old parallel call": (called(call("multi_tool_use.parallel", "{}x")), "malformed_call"),
    "no arguments": (called({"id": "c", "type": "function", "function": {"name": "Add"}}), "bad_arguments"),
    "arguments that are empty": (called(call(arguments="")), "bad_arguments"),
    "arguments that are null": (called(call(arguments="null")), "bad_arguments"),
    "arguments that are a list": (called(call(arguments="[3, 4]")), "bad_arguments"),
    "arguments that end early": (called(call(arguments='{"a": 3, "b')), "bad_arguments"),
    "arguments as an object": (called(call(arguments={"a": 3, "b": 4})), ""),
    "NaN": (called(call(arguments='{"a": NaN, "b": 4}')), "bad_arguments"),
    "a key given twice": (called(call(arguments='{"a": 3, "a": 5, "b": 4}')), "bad_arguments"),
    "hidden characters": (called(call(arguments='{"a": 3, "b\u202e": 4}')), "malformed_call"),
    "escaped NUL": (called(call("Reasoning", '{"thought": "\\u0000"}')), "bad_arguments"),
    "half a surrogate pair": (called(call("Reasoning", '{"thought": "\ud800"}')), "malformed_call"),
    "half an escaped pair": (called(call("Reasoning", '{"thought": "\\ud800"}')), "bad_arguments"),
    "150,000 characters": (called(call("Reasoning", json.dumps({"thought": "x" * 90_000}))), "malformed_call"),
    "600 lists": (called(call(arguments='{"a": ' + "[" * 600 + "]" * 600 + "}")), "bad_arguments"),
    "a half call at the limit": (called(call(arguments='{"a": 3, "b'), reason="length"), "bad_arguments"),
    "text beside a call": (called(call(), text="\ud800 \x1b[2J Let me add."), ""),
    "no calls": (called(), PROVIDER),
    "no calls and an old function_call": (called(function_call={"name": "Add", "arguments": GOOD}), PROVIDER),
    "calls that are null": (called() | {"choices": [{"index": 0, "message": {"tool_calls": None}}]}, PROVIDER),
    "calls that are a text": (called(tool_calls="boo"), PROVIDER),
    "calls that are an object": (called(tool_calls={"0": call()}), PROVIDER),
    "a call that is null": (called(None), PROVIDER),
    "a call that is a text": (called("Add"), PROVIDER),
    "a call without a function": (called(without("function")), PROVIDER),
    "a function that is a text": (called(call(function="Add")), PROVIDER),
    "a name that is null": (called(call(None)), PROVIDER),
    "a name that is a number": (called(call(5)), PROVIDER),
    "arguments that are a number": (called(call(arguments=5)), PROVIDER),
    "a call of another kind": (
        called({"id": "c", "type": "custom", "custom": {"name": "Add", "input": "3, 4"}}),
        PROVIDER,
    ),
    # litellm cannot read these three, and says that the server failed
    "1,500 lists": (called(call(arguments='{"a": ' + "[" * 1500 + "]" * 1500 + "}")), PROVIDER),
    "5,000 digits": (called(call(arguments=f'{{"a": {"9" * 5000}}}')), PROVIDER),
    "litellm's old parallel call without calls": (called(call("multi_tool_use.parallel", "{}")), PROVIDER),
    "300,000 characters of arguments": (called(call(arguments="x" * 300_000)), PROVIDER),
    "100,000 calls": (called(*[call(call_id="", name="", arguments="")] * 100_000), PROVIDER),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_strange_native_call_is_a_failed_step_or_the_providers_failure(case, tmp_path, capfd):
    answer, expected = ANSWERS[case]
    try:
        outcome = after(answer, tmp_path, timeout_s=20.0)[0]
    except ProviderError as failure:
        outcome = failure
    assert "Traceback" not in capfd.readouterr().err
    with Journal(tmp_path) as journal:
        assert len(journal.faults) == 0 and (len(journal) > 0) == isinstance(outcome, Chain)
    if not isinstance(outcome, Chain):
        assert expected == PROVIDER and outcome.kind in ("bad_answer", "server_error")
        assert str(outcome).isprintable() and len(str(outcome)) < 400
        return
    assert outcome.steps[0].failure == expected
    assert outcome.stop == ("max_tokens" if "limit" in case else "finish")
    assert "\n" not in outcome.steps[0].error and len(outcome.steps[0].error) < 1000
    assert chain_from_row(outcome.row()).row() == outcome.row()
    assert solved(tmp_path, "http://127.0.0.1:9/v1", "tools") == outcome  # every call is known


ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
ECHOES = {
    "the id": called(call(call_id=KEY)),
    "the name": called(call(KEY)),
    "the arguments": called(call(arguments=f'{{"a": "{KEY}"}}')),
    "broken arguments": called(call(arguments=f'{{"a": "{KEY}')),
    "escaped arguments": called(call("Reasoning", f'{{"thought": "I know {ESCAPED}."}}')),
    "an escaped name of an argument": called(call(arguments=f'{{"{ESCAPED}": 1}}')),
    "the first of two values": called(call(arguments=f'{{"a": "{ESCAPED}", "a": 1}}')),
    "a list": called(call(arguments=f'{{"a": ["{ESCAPED}"]}}')),
    "the second call": called(call(), call(arguments=f'{{"a": "{ESCAPED}"}}')),
    "the text beside a call": called(call(), text=KEY),
    "an old function_call": called(call(), function_call={"name": KEY, "arguments": KEY}),
}


@pytest.mark.parametrize("case", ECHOES)
def test_a_key_in_a_native_call_is_written_nowhere(case, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.edit("retries: 2", "retries: 0")
    project.edit("wire: text", "wire: tools")
    project.edit("samples: 3", "samples: 1")
    raised = ""
    with Provider(lambda request: ECHOES[case] if len(request["messages"]) == 2 else FINISH) as provider:
        project.at(provider)
        try:
            project.run()
        except InputError as refused:
            raised = str(refused)
        assert provider.keys and all(KEY in key for key in provider.keys)
    out, err = capfd.readouterr()
    assert KEY not in raised + out + err and not with_key(tmp_path) and not with_key(tmp_path, ESCAPED)
    assert ("bad_answer" in raised) == (case != "an old function_call")
