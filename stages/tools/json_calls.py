"""A provider's native tool call, a name and a JSON object, read as the call that the text form would give.

JSON has its own ways to say one thing and mean another: a key given twice, `NaN`, half a surrogate pair, 0.1 as the
nearest float. They are refused or read exactly here; types, bounds and messages are those of calls.py, and a chain
keeps the call in its text form, so that its record does not depend on the wire.
"""

from __future__ import annotations

import json
import re

from stages.records.chain import Call, Value, value_text
from stages.records.schema import refuse_constant
from stages.tools.calls import KIND_EXAMPLES, CallError, check_length, number, refuse_hidden, shown, typed
from stages.tools.tool import Tool

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+")
_FRACTION = re.compile(r"-?[0-9]++/[0-9]++")


class _Numeral(str):
    """A number as it stands in the JSON text."""


class _Pairs(tuple):
    """An object's keys and values in the order written; a key given twice stands there twice."""


def parse_json(name: str, arguments_json: str, tools: dict[str, Tool]) -> Call:
    """The call of tool `name` with the arguments of one JSON object; CallError for anything else.

    A number is a JSON number without exponent or, as JSON has no fractions, a fraction such as "10/3" as a text.
    `parse` reads the text of the call back as the same call.
    """
    if name not in tools:
        raise CallError("unknown_tool", f"there is no tool {shown(name)}", tools)
    parameters = tools[name].parameters
    arguments = []
    for key, written in _pairs(arguments_json, tools):
        kind = parameters.get(key)
        try:  # a key that the tool does not have is refused by `typed`, whatever its value
            arguments.append((key, _value(written, kind) if kind else ""))
        except ValueError as error:
            raise CallError("bad_arguments", f"{name}: {key}: {error}", tools) from None
        except TypeError:
            raise CallError("bad_arguments", f"{name}: {key} must be {KIND_EXAMPLES[kind]}", tools) from None
    call = Call(name, typed(tools[name], arguments, tools))
    check_length(call.text(), tools)
    return call


def call_text(name: str, arguments_json: str, tools: dict[str, Tool]) -> str:
    """The turn that a chain keeps for a native call, whatever is wrong with it.

    `parse` reads it as the call that `parse_json` gives, and refuses it where that does. What has no text form (broken
    JSON, an object in an object) stands in it as one text without a name, which no tool takes.
    """
    try:
        return parse_json(name, arguments_json, tools).text()
    except CallError:
        if _NAME.fullmatch(name) is None:
            name = value_text(name)
    try:
        pairs = [(key, _value(written, "")) for key, written in _pairs(arguments_json, tools)]
    except (CallError, ValueError, TypeError):
        pairs = []
    if pairs and all(_NAME.fullmatch(key) for key, _ in pairs):
        return f"{name}({', '.join(f'{key}={value_text(value)}' for key, value in pairs)})"
    return f"{name}({value_text(arguments_json)})"


def _pairs(arguments_json: str, tools: dict[str, Tool]) -> _Pairs:
    """The object's keys and values; CallError where the text is no JSON object or holds what a call may not hold."""
    check_length(arguments_json, tools)
    try:
        pairs = json.loads(
            arguments_json,
            object_pairs_hook=_Pairs,
            parse_int=_Numeral,
            parse_float=_Numeral,
            parse_constant=refuse_constant,
        )
    except (ValueError, RecursionError):
        pairs = None
    if type(pairs) is not _Pairs:
        example = 'write one JSON object such as {"a": 2.5, "b": 4}'
        raise CallError("malformed_call", f"{shown(arguments_json)} is no object of arguments; {example}", tools)
    for key, written in pairs:
        for text in (key, *(written if type(written) is list else (written,))):
            if isinstance(text, str):
                refuse_hidden(text, tools)
    return pairs


def _value(written: object, kind: str) -> Value:
    """The argument; TypeError for what is no number, text or list of texts, ValueError for a number out of bounds."""
    if type(written) is _Numeral or kind == "number" and type(written) is str and _FRACTION.fullmatch(written):
        return number(written)
    if type(written) is list and all(type(text) is str for text in written):
        return tuple(written)
    if type(written) is not str:
        raise TypeError
    return written
