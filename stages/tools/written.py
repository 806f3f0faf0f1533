"""What a model says after its thoughts, and native calls that it wrote out as text.

A chat template has marks of its own around thoughts and calls. A server takes them apart where its parsers are on;
where they are off, and in logs of what a model wrote, they stand in the text. A call is read only where name and
arguments are plain: marks with anything else between them are an `Unread`, never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from stages.records.schema import refuse_constant
from stages.tools.calls import CallError, parse
from stages.tools.json_calls import call_text
from stages.tools.tool import Tool

# Many templates write the opening mark into the prompt, so that the model's own text has the closing one alone.
THOUGHTS_END = ("</think>", "</thinking>", "[/THINK]", "</seed:think>", "◁/think▷")
_MARKS = {  # what opens a call, or a list of calls, and what closes it; models leave the closing one out
    "<tool_call>": "</tool_call>",  # Hermes, Qwen, GLM
    "<tool_calls>": "</tool_calls>",
    "<function_call>": "</function_call>",
    "<function=": "</function>",  # Llama 3.1, Qwen3-Coder
    "[TOOL_CALLS]": "[/TOOL_CALLS]",  # Mistral
    "<|python_tag|>": "<|eom_id|>",  # Llama 3
    "<|python_start|>": "<|python_end|>",
    "<|tool_call|>": "<|/tool_call|>",  # Granite, Phi-4
    "<|tool_call_begin|>": "<|tool_call_end|>",  # Kimi
    "<｜tool▁call▁begin｜>": "<｜tool▁call▁end｜>",  # DeepSeek
}
_OPENING = re.compile("|".join(map(re.escape, _MARKS)))
_AROUND = (
    *("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
    *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
)
_ANSWERED = ("<tool_response>", "[TOOL_RESULTS]", "<｜tool▁output▁begin｜>")
_END = re.compile(r"[\s;,`]*+(?:(?:</s>|<[|｜][a-z▁_]{1,30}[|｜]>)\s*+)?")  # a fence or an end of turn, behind a call
_NEXT = re.compile(r"[\s;,]*+")
_HEAD = re.compile(  # a name in front of its arguments: Mistral's, Kimi's, both of DeepSeek's
    r"\s*+(?:function<｜tool▁sep｜>)?(?:functions\.)?([A-Za-z_][A-Za-z0-9_-]{0,63})(?::[0-9]{1,3})?\s*+"
    r"(?:\[CALL_ID\][A-Za-z0-9]{1,32})?(?:\[ARGS\]|<｜tool▁sep｜>|<\|tool_call_argument_begin\|>)?\s*+(?:```json\s*+)?"
)
_FENCE = re.compile(r"```(?:json)?\s*+([\[{].*[\]}])\s*+```", re.DOTALL)
_KEYS = ("arguments", "parameters")
_BESIDE = {"name", "type", "id", "call_id", "index", *_KEYS}


class Unread(Exception):
    """The text has the marks of a call and is not surely read; the message says which."""


def after_thoughts(text: str) -> str:
    """What stands after the last mark that ends thoughts; the text as it is where none does.

    >>> after_thoughts("Three and four.</think>\\n\\nAdd(a=3, b=4)")
    'Add(a=3, b=4)'
    """
    ends = [place + len(mark) for mark in THOUGHTS_END if (place := text.rfind(mark)) >= 0]
    return text[max(ends) :].lstrip() if ends else text


def written_calls(text: str, tools: dict[str, Tool]) -> list[tuple[str, str]]:
    """The native calls that the text is or holds, each as its tool's name and the turn that a chain keeps for it.

    Without marks only a text that is a call, or a list of calls, and nothing else is one. [] where there is none;
    what stands beside marked calls is left out.

    Raises:
        Unread: marks of a call around something else, or results in the same text.
    """
    text = text.strip()
    fence = _FENCE.fullmatch(text)
    bare = fence[1] if fence else text
    if bare[:1] in ("{", "["):
        try:
            return [(name, call_text(name, arguments, tools)) for name, arguments in _objects(bare)]
        except Unread:
            pass
        if bare[0] == "[" and bare[-1] == "]" and (turn := _as_text(bare[1:-1], tools)):  # Llama 4 writes it so
            return [turn]
    for mark in _AROUND:
        text = text.replace(mark, "")
    places = [*_OPENING.finditer(text)]
    if not places:
        return []
    for mark in _ANSWERED:
        if mark in text:
            raise Unread(f"calls and {mark} in one text; write the results as messages of their own")
    calls = []
    for place, end in zip(places, [*(place.start() for place in places[1:]), len(text)], strict=True):
        body = text[place.end() : end].partition(_MARKS[place[0]])[0]
        if turn := _as_text(body, tools):
            calls.append(turn)
        elif body.strip():  # else the next mark stands inside this one
            calls += [(name, call_text(name, arguments, tools)) for name, arguments in _block(place[0], body, tools)]
    if not calls:
        raise Unread(f"nothing stands behind {places[0][0]}")
    return calls


def _as_text(text: str, tools: dict[str, Tool]) -> tuple[str, str] | None:
    """The call that a text is in our own form."""
    try:
        call = parse(text, tools)
    except CallError:
        return None
    return call.tool, call.text()


def _block(mark: str, body: str, tools: dict[str, Tool]) -> Iterator[tuple[str, str]]:
    """The calls between two marks, as name and JSON text of the arguments."""
    if body.lstrip()[:1] in ("{", "["):
        yield from _objects(body)
        return
    if mark == "<function=":
        name, _, rest = body.partition(">")
        tags = "<parameter=", ">", "</parameter>"
    else:
        head = _HEAD.match(body)
        if head is None:
            raise Unread(f"`{_short(body)}` behind {mark} does not begin with a call")
        name, rest = head[1], body[head.end() :]
        tags = "<arg_key>", "</arg_key>", "</arg_value>"
    name, rest = name.strip(), rest.lstrip()
    if rest[:1] == "{":
        value, end = _decoded(rest, 0)
        if _END.match(rest, end).end() < len(rest):
            raise Unread(f"`{_short(rest)}` behind {name} is more than one JSON object of arguments")
        yield name, _json(value)
        return
    kinds = tools[name].parameters if name in tools else {}
    pairs = _tagged(rest, *tags)
    arguments = (f"{json.dumps(key)}: {_typed(value, kinds.get(key, 'text'))}" for key, value in pairs)
    yield name, f"{{{', '.join(arguments)}}}"


def _tagged(text: str, opening: str, middle: str, closing: str) -> list[tuple[str, str]]:
    """The arguments of a call whose values stand between tags, without a type."""
    pairs = []
    for part in text.split(opening)[1:]:
        key, found, value = part.partition(middle)
        value, closed, _ = value.partition(closing)
        if not found or not closed:
            raise Unread(f"`{_short(part)}` behind {opening} is not closed")
        pairs.append((key.strip(), value.replace("<arg_value>", "", 1).strip()))
    if not pairs and _END.match(text).end() < len(text):
        raise Unread(f"`{_short(text)}` is neither a JSON object nor {opening} and values")
    return pairs


def _typed(text: str, kind: str) -> str:
    """A value between tags as JSON: as it stands where the tool takes no text and it is JSON, else as a text."""
    if kind in ("number", "texts"):
        try:
            _decoded(text, 0)
            return text
        except Unread:
            pass
    return json.dumps(text, ensure_ascii=False)


def _objects(text: str) -> Iterator[tuple[str, str]]:
    """The calls of JSON objects, or of one list of them: {"name", "arguments" or "parameters"}, nothing else."""
    place, found = _NEXT.match(text).end(), []
    while place < len(text) and text[place] in "{[":
        value, place = _decoded(text, place)
        found += value if type(value) is list else [value]
        place = _NEXT.match(text, place).end()
    if _END.match(text, place).end() < len(text):
        raise Unread(f"`{_short(text[place:])}` behind a call is no call")
    for value in found:
        if type(value) is dict and type(value.get("function")) is dict:
            value = value["function"]
        elif type(value) is dict and "name" not in value:
            value = {"name" if key == "function" else key: part for key, part in value.items()}
        given = [key for key in _KEYS if type(value) is dict and key in value]
        if len(given) != 1 or not value.keys() <= _BESIDE or type(value.get("name")) is not str:
            raise Unread(f"`{_short(text)}` is not an object with name and arguments")
        arguments = value[given[0]]
        yield value["name"], arguments if type(arguments) is str else _json(arguments)


def _decoded(text: str, place: int) -> tuple[object, int]:
    """The JSON value that begins at `place`, and where it ends."""
    try:
        return _DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        raise Unread(f"`{_short(text[place:])}` is not JSON") from None


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise Unread("the arguments are nested too deep") from None


def _once(pairs: list[tuple[str, object]]) -> dict:
    """An object whose keys differ: of a key given twice Python would take the last, another reader the first."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key is given twice")
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=refuse_constant)


def _short(text: str) -> str:
    return " ".join(text[:80].split())[:60]
