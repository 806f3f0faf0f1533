"""A chat log, in one of the ways that models and servers word it, as the turns of a chain with their stated results."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise

from stages.records.chain import Call
from stages.records.errors import InputError
from stages.teacher.imported.results import results_in
from stages.tools.calls import CallError, parse
from stages.tools.json_calls import call_text
from stages.tools.tool import Tool
from stages.tools.written import Unread, after_thoughts, written_calls

_ANSWER = re.compile(r"(?:#### ?|(?:final )?answer: ?|A: )(\S.*)", re.IGNORECASE)
_TEXT_PARTS = ("text", "input_text", "output_text", None)
_SILENT_PARTS = ("thinking", "redacted_thinking", "reasoning")  # thoughts are not part of a turn


class LogError(InputError):
    """A chain made elsewhere cannot be taken over; the message names its place, `reason` is what it is counted as."""

    def __init__(self, message: str, reason: str = "bad_row"):
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Turn:
    """A turn as the text form has it, and the result that the log states; None where the log ends with the turn.

    `tool` is the name of a native call's tool, as the log has it; empty where the turn is a text.
    """

    text: str
    stated: str | None
    tool: str = ""


@dataclass(frozen=True)
class _Called:
    """A native call, or a result: `id` is what joins them, "" where the log has none."""

    id: str
    text: str
    tool: str = ""


def turns_of(where: str, messages: list, tools: dict[str, Tool]) -> list[Turn]:
    """The turns of a log, each with its result; `where` names the log in messages.

    Raises:
        LogError: it is no log, a call in it is not surely read, or a result is missing before the end.
    """
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise LogError(f"{where}: message {place + 1} is no object with a role")
    starts = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    said = {place: _said(f"{where}: message {place + 1}", messages[place], tools) for place in starts}
    native = any(calls for _, calls in said.values())
    turns = []
    for start, end in pairwise([*starts, len(messages)]):
        at = f"{where}: message {start + 1}"
        text, calls = said[start]
        results = [result for message in messages[start + 1 : end] for result in _results(at, message)]
        if calls:
            turns += _native(at, calls, results, last=end == len(messages))
            continue
        if len(results) > 1 or not results and end < len(messages):
            raise LogError(f"{at}: {len(results)} results of one turn; write one behind each turn")
        if native and not results:
            text = _answer(text, tools)
        turns.append(Turn(text, results[0].text if results else None))
    return turns


def _said(at: str, message: dict, tools: dict[str, Tool]) -> tuple[str, list[_Called]]:
    """What a model's message says: its text without thoughts, and its native calls in whatever form they stand."""
    text, parts = _content(at, message)
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise LogError(f"{at}: tool_calls is no list")
    if old := message.get("function_call"):  # of OpenAI's API before tool_calls; null in what its client writes today
        calls = [*calls, {"function": old}]
    calls = [*calls, *(part for part in parts if part["type"] == "tool_use")]
    if calls:
        return text, [_call(at, call, tools) for call in calls]
    try:
        parse(text, tools)
    except CallError as error:
        if error.failure == "malformed_call":  # else it is a call in our form, of another tool or with other arguments
            text = after_thoughts(text)
            try:
                return text, [_Called("", turn, name) for name, turn in written_calls(text, tools)]
            except Unread as unread:
                raise LogError(f"{at}: {unread}", "call_not_read") from None
    return text, []


def _call(at: str, call: object, tools: dict[str, Tool]) -> _Called:
    """A call of `tool_calls`, the old `function_call`, or a part of type tool_use."""
    made = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(made, dict) or not isinstance(made.get("name"), str):
        raise LogError(f"{at}: a call is no object with function: {{name, arguments}}")
    arguments = made.get("input") if "arguments" not in made else made["arguments"]
    arguments = json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else arguments
    if not isinstance(arguments, str):
        raise LogError(f"{at}: the arguments of {made['name'][:60]} are neither JSON text nor an object")
    return _Called(str(call.get("id") or ""), call_text(made["name"], arguments, tools), made["name"])


def _results(at: str, message: dict) -> list[_Called]:
    """The results in a message: one, or as many as it has parts of type tool_result, or marks around results."""
    text, parts = _content(at, message)
    answered = [part for part in parts if part["type"] == "tool_result"]
    if answered and text.strip():
        raise LogError(f"{at}: results and a text in the message behind it; write them as messages of their own")
    if answered:
        results = []
        for part in answered:
            said, _ = _content(at, part)
            said = f"Error: {said}" if part.get("is_error") is True and "error" not in said.casefold() else said
            results.append(_Called(str(part.get("tool_use_id") or ""), said))
        return results
    return [_Called(str(message.get("tool_call_id") or ""), said) for said in results_in(text)]


def _native(at: str, calls: list[_Called], results: list[_Called], last: bool) -> list[Turn]:
    """The calls of one message; a result is found by its call's id, or by its place where no id joins them."""
    ids = [call.id for call in calls]
    if results and all(result.id for result in results) and all(ids):
        by_call = {result.id: result for result in results}
        fits = len(by_call) == len(results) and by_call.keys() <= set(ids) and len(set(ids)) == len(ids)
        found = [by_call.get(call.id) for call in calls]
    else:
        fits = len(results) <= len(calls)
        found = [*results, *[None] * (len(calls) - len(results))]
    if not fits:
        raise LogError(f"{at}: {len(calls)} calls and {len(results)} results; write one result a call, by its id")
    for place, result in enumerate(found):
        if result is None and not last:
            raise LogError(f"{at}: no result of call {place + 1}; write one behind it")
    return [
        Turn(call.text, None if result is None else result.text, call.tool)
        for call, result in zip(calls, found, strict=True)
    ]


def _content(at: str, message: dict) -> tuple[str, list[dict]]:
    """A message's text, which may come in parts, and the parts that are calls or results."""
    content = message.get("content")
    if not isinstance(content, list):
        if content is not None and not isinstance(content, str):
            raise LogError(f"{at}: content is {type(content).__name__}; it takes a text")
        return content or "", []
    texts, others = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else part
        if isinstance(part, dict) and kind in _TEXT_PARTS and isinstance(part.get("text", ""), str):
            texts.append(part.get("text", ""))
        elif isinstance(part, dict) and kind in ("tool_use", "tool_result"):
            others.append(part)
        elif not isinstance(kind, str) or kind not in _SILENT_PARTS:
            raise LogError(f"{at}: a part of its content is {str(kind)[:40]!r}; it takes texts, tool_use, tool_result")
    return "".join(texts), others


def _answer(text: str, tools: dict[str, Tool]) -> str:
    """The last words behind native calls as `Finish`, unless they are a call already."""
    try:
        parse(text, tools)
    except CallError:
        marked = _ANSWER.fullmatch(text.strip().rpartition("\n")[2].strip())
        return Call("Finish", {"answer": marked[1] if marked else text.strip()}).text()
    return text
