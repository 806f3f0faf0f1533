"""The wire form `tools`: a provider's native tool calls, there and back.

The provider is offered the tools as JSON schemas and sent its own calls again with the results under their ids; the
chain keeps each turn in the text form, so that nothing after generate knows which form it was. A provider has one call
a turn run, the first. What a model or a server writes is sent back only in a shape that no next request fails for:
ids, names and arguments that a provider would refuse are replaced, as a refused request would count as its failure.

The thoughts of a reasoning model (`reasoning_content`, `thinking_blocks`, or the text up to `</think>`) are not kept in
the chain and not sent back; those in the text stand in the journal, which has it as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from fractions import Fraction
from functools import cache

from stages.records.chain import Call, Message, Step, Value, number_text, readable, turns
from stages.records.errors import InputError, printable
from stages.records.schema import refuse_constant
from stages.tools import TOOLKITS
from stages.tools.calls import MAX_LENGTH, CallError, parse
from stages.tools.json_calls import call_text, parse_json
from stages.tools.tool import Tool
from stages.tools.written import THOUGHTS_END, Unread, after_thoughts, written_calls

NOT_RUN = "Not run: one call a turn, and the first was taken. Make this one again if it is still needed."
MOST_CALLS = 8  # of one reply that are sent back; what a model adds in a loop would fill every later request
MOST_AS_TEXT = 5  # turns of a run whose call came as text, before any came as it should; then it is the server
_ID = re.compile(r"[!-~]{1,4000}")  # litellm puts Gemini's thought signatures, some of 2,000 characters, into ids
_FUNCTION = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what OpenAI takes back

_NUMBER = {"type": "number"}
_FRACTION = {"type": "string", "pattern": "^-?[0-9]+/[0-9]+$"}
_SCHEMAS = {
    "number": {
        "anyOf": [_NUMBER, _FRACTION],
        "description": 'a number such as 6 or -0.5; a fraction in quotes, as "10/3"',
    },
    "text": {"type": "string", "description": "a text"},
    "texts": {"type": "array", "items": {"type": "string"}, "description": 'a list of texts, as ["one", "two"]'},
    "value": {
        "anyOf": [_NUMBER, {"type": "string"}],
        "description": 'a number such as 6 or -0.5, a fraction in quotes, as "10/3", or a text',
    },
}


@cache
def offered(toolkit: str, form: str) -> list[dict] | None:
    """The `tools` of a request in the form `tools`: name, sentence, example and JSON schema each; None in `text`.

    Do not change what it returns: it is part of every request, and so of every key.
    """
    if form == "text":
        return None
    tools = TOOLKITS[toolkit].tools
    return [{"type": "function", "function": _function(tool, tools)} for tool in tools.values()]


def _function(tool: Tool, tools: dict[str, Tool]) -> dict:
    return {
        "name": tool.name,
        "description": f"{tool.description} Example: {native_call(parse(tool.example, tools))['arguments']}",
        "parameters": {
            "type": "object",
            "properties": {name: _SCHEMAS[kind] for name, kind in tool.parameters.items()},
            "required": list(tool.parameters),
            "additionalProperties": False,
        },
    }


def native_call(call: Call, call_id: str = "") -> dict[str, str]:
    """A call as a provider gives it: {"id", "name", "arguments"}, the arguments as the text of a JSON object.

    >>> native_call(Call("Divide", {"a": Fraction(7, 2), "b": Fraction(10, 3)}))["arguments"]
    '{"a": 3.5, "b": "10/3"}'
    """
    pairs = (f"{json.dumps(name)}: {_json(value)}" for name, value in call.arguments.items())
    return {"id": call_id, "name": call.tool, "arguments": f"{{{', '.join(pairs)}}}"}


def _json(value: Value) -> str:
    """The value as JSON, numbers exactly: one that is no decimal is a text such as "10/3"."""
    if isinstance(value, Fraction):
        text = number_text(value)
        return f'"{text}"' if "/" in text else text
    return json.dumps(value, ensure_ascii=False)


def turn_text(text: str, calls: tuple[dict, ...], tools: dict[str, Tool]) -> str:
    """The turn that a chain keeps: the first call in the text form, or what a reply without a call says.

    Text beside a call is sent back to the provider and left out of the chain, where a turn is one call. Of a text what
    follows the model's thoughts, letter by letter; thoughts with nothing behind them leave the mark that ends them, as
    some providers refuse an empty turn.
    """
    if calls:
        return call_text(calls[0]["name"], calls[0]["arguments"], tools)
    if not any(mark in text for mark in THOUGHTS_END) or _is_call(text, tools):  # a text in a call may hold such a mark
        return text
    return after_thoughts(text) or next(mark for mark in THOUGHTS_END if text.rstrip().endswith(mark))


def _is_call(text: str, tools: dict[str, Tool]) -> bool:
    try:
        parse(text, tools)
    except CallError:
        return False
    return True


class Listening:
    """Whether the calls of a run come in the wire form that was asked for, of known replies and of new ones.

    A server whose tool parser is off returns them as text, so that every turn is a failed one, and paid. In the form
    `text` a model that writes native calls is told so by the first error, and counted where it goes on.
    """

    def __init__(self, model: str, form: str):
        self.model, self.form = model, form
        self.right = False  # a call came as it should: what fails from now on is the model's
        self.as_text = 0

    def to(
        self, ask: Callable[[list[Message], int], Awaitable], toolkit: str
    ) -> Callable[[list[Message], int], Awaitable]:
        """`ask`, with its replies listened to."""

        async def heard(messages: list[Message], sample: int) -> object:
            reply = await ask(messages, sample)
            if not self.right:
                self.hear(messages, reply.text, reply.calls, TOOLKITS[toolkit].tools)
            return reply

        return heard

    def hear(self, messages: list[Message], text: str, calls: tuple[dict, ...], tools: dict[str, Tool]) -> None:
        """Count the reply to `messages`.

        Raises:
            InputError: so many came as text, and none as it should; the message says what to change.
        """
        if calls or self.form == "text" and _is_call(turn_text(text, calls, tools), tools):
            self.right = True
        elif call_as_text(text, tools):
            told = messages[-1]["content"].startswith("Error: ") and call_as_text(messages[-2]["content"], tools)
            self.as_text += self.form == "tools" or told
        if self.right or self.as_text < MOST_AS_TEXT:
            return
        if self.form == "tools":
            said = "the server returns calls as text: switch its tool parser on, or take generate.teacher.wire: text"
        else:
            said = "the model writes native calls as text: take generate.teacher.wire: tools, or another model"
        example = printable(after_thoughts(text).strip()[:80])
        raise InputError(
            f"generate.teacher.model {self.model}: {said}; the last of {self.as_text} such turns is `{example}`; the "
            "answers are kept in the journal: to ask a server again that was changed, change generate.teacher.seed"
        )


def call_as_text(text: str, tools: dict[str, Tool]) -> bool:
    """Whether a reply that holds no native call is one, of one of these tools, written out as text."""
    try:
        calls = written_calls(after_thoughts(text), tools)
    except Unread:
        return False
    return bool(calls) and calls[0][0] in tools


def native_turn(
    text: str, calls: tuple[dict, ...], step: Step, earlier: list[Message], tools: dict[str, Tool]
) -> list[Message]:
    """The messages of a turn, to be sent behind `earlier`: the model's calls, and an answer under the id of each.

    A reply without a call goes the way of the text form. Broken arguments are answered by what is wrong with the JSON,
    where the chain says what is wrong with the call as text.
    """
    if not calls:
        return turns([step])
    sent = [
        {"id": call_id, "type": "function", "function": _sendable(call)}
        for call, call_id in zip(calls[:MOST_CALLS], _ids(calls[:MOST_CALLS], earlier), strict=True)
    ]
    messages = [{"role": "assistant", "content": after_thoughts(text), "tool_calls": sent}]
    if len(turns([step])) == 1:  # `Finish`: nothing follows
        return messages
    results = [_shown(calls[0], step, tools), *[NOT_RUN] * (len(sent) - 1)]
    return messages + [
        {"role": "tool", "tool_call_id": call["id"], "content": result}
        for call, result in zip(sent, results, strict=True)
    ]


def _shown(call: dict, step: Step, tools: dict[str, Tool]) -> str:
    try:
        parse_json(call["name"], call["arguments"], tools)
    except CallError as error:
        return f"Error: {error}"
    return step.error or step.result


def _ids(calls: tuple[dict, ...], earlier: list[Message]) -> list[str]:
    """The calls' ids as they came; one that is empty, strange or taken becomes `call` and five digits.

    Nine letters and digits, as Mistral asks for; the same for the same conversation, as it is part of the next key.
    """
    taken = {call["id"] for message in earlier for call in message.get("tool_calls", ())}
    found = []
    for call in calls:
        name, number = call["id"], len(taken)
        while name in taken or not _ID.fullmatch(name):
            name, number = f"call{number:05}", number + 1
        taken.add(name)
        found.append(name)
    return found


def _sendable(call: dict) -> dict:
    """Name and arguments as they came, or where a provider would refuse them, as near as it takes."""
    name, arguments = call["name"], call["arguments"]
    if not _FUNCTION.fullmatch(name):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", name[:64]) or "none"
    if len(arguments) > MAX_LENGTH or type(_read(arguments)) is not dict:
        arguments = json.dumps({"unreadable": arguments[:MAX_LENGTH]})
    return {"name": name, "arguments": readable(arguments)}


def _read(arguments: str, **how) -> object:
    """The JSON value; None where the text is no JSON."""
    try:
        return json.loads(arguments, parse_constant=refuse_constant, **how)
    except (ValueError, RecursionError):
        return None


def calls_of(message: object) -> tuple[dict[str, str], ...]:
    """The calls in litellm's message, as the provider sent them; an id that is no text is empty.

    Raises:
        ValueError: a call without a function's name, which no model can write.
    """
    calls = []
    for call in message.tool_calls or ():
        function = getattr(call, "function", None)  # a call of another type has none
        if function is None or function.name is None:
            raise ValueError("a tool call without a function's name")
        named = call.id if type(call.id) is str else ""
        calls.append({"id": named, "name": function.name, "arguments": function.arguments})
    return tuple(calls)


def said(calls: tuple[dict, ...]) -> str:
    """Everything that calls say, as it stands and with JSON's escapes read, to be searched for keys and measured."""
    return "\n".join(part for call in calls for part in (*call.values(), *_texts(call["arguments"])))


def _texts(arguments: str) -> Iterator[str]:
    waiting = [_read(arguments, object_pairs_hook=list, parse_int=str, parse_float=str)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list | tuple):
            waiting.extend(part)


def asked(tools: list[dict] | None) -> dict:
    """What litellm is told of a request's tools.

    Any `tools` makes litellm 1.106 import the MCP part of its proxy, which ends in "No module named 'mcp'".
    """
    return {} if tools is None else {"tools": tools, "_skip_mcp_handler": True}


def parameters(litellm, model: str) -> dict:
    """What goes with every request to a model that is offered tools: one call a turn, where it can be told so.

    Raises:
        InputError: litellm says that the model or its provider takes no tools.
    """
    ours = {entry["provider"] for entry in litellm.custom_provider_map}  # litellm says that these take everything
    known = litellm.model_cost.get(model) or {}
    takes = litellm.get_supported_openai_params(model) or ()
    if "tools" not in takes or known.get("supports_function_calling") is False or model.partition("/")[0] in ours:
        raise InputError(
            f"params.yaml: generate.teacher.wire is tools, and {model} takes no tools; "
            "set it to text, or choose another generate.teacher.model"
        )
    return {"parallel_tool_calls": False} if "parallel_tool_calls" in takes else {}
