"""A chat log, as OpenAI's API words it or in our text form, as the turns of a chain with the results it states."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise

from stages.chain import Call
from stages.params import InputError
from stages.tools.calls import CallError, parse
from stages.tools.json_calls import call_text
from stages.tools.tool import Tool

_ANSWER = re.compile(r"(?:#### ?|(?:final )?answer: ?|A: )(\S.*)", re.IGNORECASE)


class LogError(InputError):
    """A chain made elsewhere cannot be taken over; the message names its place."""


@dataclass(frozen=True)
class Turn:
    """A turn as the text form has it, and the result that the log states; None where the log ends with the turn."""

    text: str
    stated: str | None


def turns_of(where: str, messages: list, tools: dict[str, Tool]) -> list[Turn]:
    """The turns of a log, each with its result; `where` names the log in messages.

    Raises:
        LogError: it is no log, or a result is missing before the end.
    """
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise LogError(f"{where}: message {place + 1} is no object with a role")
        if "function_call" in message or message["role"] == "function":
            raise LogError(f"{where}: message {place + 1} has OpenAI's old function_call; rewrite it as tool_calls")
    starts = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    native = any(messages[start].get("tool_calls") for start in starts)
    turns = []
    for start, end in pairwise([*starts, len(messages)]):
        at = f"{where}: message {start + 1}"
        results = messages[start + 1 : end]
        calls = messages[start].get("tool_calls")
        if calls:
            turns += _native(at, calls, results, tools, last=end == len(messages))
            continue
        text = _content(at, messages[start])
        if len(results) > 1 or not results and end < len(messages):
            raise LogError(f"{at}: {len(results)} results of one turn; write one behind each turn")
        if native and not results:
            text = _answer(text, tools)
        turns.append(Turn(text, _content(at, results[0]) if results else None))
    return turns


def _native(at: str, calls: object, results: list[dict], tools: dict[str, Tool], last: bool) -> list[Turn]:
    """The calls of one message; a result is found by its call's id, or by its place where it has none."""
    if not isinstance(calls, list):
        raise LogError(f"{at}: tool_calls is no list")
    if any("tool_call_id" in result for result in results):
        by_id = {str(result.get("tool_call_id")): result for result in results}
    else:
        by_id = dict(zip(range(len(calls)), results, strict=False))
    if len(by_id) < len(results) or len(results) > len(calls):
        raise LogError(f"{at}: {len(calls)} calls and {len(results)} results; write one result a call, by its id")
    turns = []
    for place, call in enumerate(calls):
        made = call.get("function") if isinstance(call, dict) else None
        if not isinstance(made, dict) or not isinstance(made.get("name"), str):
            raise LogError(f"{at}: a call is no object with function: {{name, arguments}}")
        arguments = made.get("arguments")
        arguments = json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else arguments
        if not isinstance(arguments, str):
            raise LogError(f"{at}: the arguments of {made['name'][:60]} are neither JSON text nor an object")
        text = call_text(made["name"], arguments, tools)
        result = by_id.get(str(call.get("id")), by_id.get(place))
        if result is None and not last:
            raise LogError(f"{at}: no result of call {place + 1}; write one behind it")
        turns.append(Turn(text, None if result is None else _content(at, result)))
    return turns


def _content(at: str, message: dict) -> str:
    """A message's text, which may come in parts."""
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        content = "".join(str(part.get("text", "")) for part in content)
    if content is not None and not isinstance(content, str):
        raise LogError(f"{at}: content is {type(content).__name__}; it takes a text")
    return content or ""


def _answer(text: str, tools: dict[str, Tool]) -> str:
    """The last words behind native calls as `Finish`, unless they are a call already."""
    try:
        parse(text, tools)
    except CallError:
        marked = _ANSWER.fullmatch(text.strip().rpartition("\n")[2].strip())
        return Call("Finish", {"answer": marked[1] if marked else text.strip()}).text()
    return text
