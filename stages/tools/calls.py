"""The one place where a model's text becomes a call: typed, bounded, and never evaluated.

A call is `Tool(name=constant, ...)`. The text is scanned once from left to right by three small patterns (linear time,
no recursion), so that 20,000 minus signs or brackets cost what their length costs. A number is read from the
text as it stands there ("0.1" is 1/10), never from a float.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from stages.records.chain import Call, Value
from stages.tools.tool import Tool

MAX_LENGTH = 2_000
MAX_DIGITS = 616  # of a numerator or a denominator: every such number is below 2,048 bits
ECHO = 60

_NUMBER = re.compile(r"(-?)([0-9]+|(?=\.[0-9]))(?:\.([0-9]+)|/([0-9]+))?")
_TOOL = re.compile(r"([^\W\d]\w*)\s*\(\s*")
_NAME = re.compile(r"([^\W\d]\w*)\s*=(?!=)\s*")
_CONSTANT = re.compile(
    r"(-?(?:[0-9]+(?:\.[0-9]+|/[0-9]+)?|\.[0-9]+))(?![\w.])"
    r'|"([^"\\]*+(?:\\.[^"\\]*+)*)"'
    r"|'([^'\\]*+(?:\\.[^'\\]*+)*)'",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"\\": "\\", '"': '"', "'": "'", "n": "\n"}
_SPACE = re.compile(r"\s*+")
_FENCE = re.compile(r"```[A-Za-z_]*[ \t]*\n(.*)```|```(.*)```|`([^`]*)`", re.DOTALL)
KIND_EXAMPLES = {
    "number": "a number such as 6, -0.5 or 10/3, without quotes",
    "text": "a text in double quotes",
    "texts": 'a list of texts such as ["one", "two"]',
    "value": "a number such as 6, -0.5 or 10/3, or a text in double quotes",
}


class CallError(Exception):
    """The text is not one valid call. `failure` is the step's failure; the message is one line shown to the model."""

    def __init__(self, failure: str, problem: str, tools: dict[str, Tool]):
        super().__init__(f"{problem}; valid calls: {', '.join(tool.signature() for tool in tools.values())}")
        self.failure = failure


def number(text: str) -> Fraction:
    """An integer, a decimal or a fraction `p/q` as an exact number; ValueError for anything else.

    Refused on purpose: `1,000`, `1_000`, `1e3`, `0x10`, `+1`, `1.`, digits other than 0-9 and more than 616 digits.

    >>> number("0.1"), number("-10/3")
    (Fraction(1, 10), Fraction(-10, 3))
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(text)} is not a number; write an integer, a decimal or a fraction such as 10/3")
    sign, whole, places, denominator = match.groups()
    digits = whole + (places or "")
    if len(digits) > MAX_DIGITS or len(places or "") >= MAX_DIGITS or len(denominator or "") > MAX_DIGITS:
        raise ValueError(f"{shown(text)} has more than {MAX_DIGITS} digits")
    numerator = -int(digits) if sign else int(digits)
    if places:
        return Fraction(numerator, 10 ** len(places))
    if denominator is None:
        return Fraction(numerator)
    if not int(denominator):
        raise ValueError(f"{shown(text)} has the denominator 0")
    return Fraction(numerator, int(denominator))


def parse(text: str, tools: dict[str, Tool]) -> Call:
    """The one call that the text is, its arguments typed against the tool; CallError for anything else.

    Whitespace around the call and one pair of markdown fences or backticks are tolerated. Strings take single or double
    quotes and may run over lines; `\\\\`, `\\"`, `\\'` and `\\n` are escapes, any other backslash is itself.
    """
    check_length(text, tools)
    source = text.strip()
    if not source.isprintable():
        refuse_hidden(source, tools)
    if source[:1] == "`" and (fence := _FENCE.fullmatch(source)):
        source = fence[fence.lastindex].strip()
    head = _TOOL.match(source)
    if head is None:
        raise CallError("malformed_call", f"{shown(source)} is not a call; write exactly one", tools)
    name = head[1]
    if name not in tools:
        raise CallError("unknown_tool", f"there is no tool {shown(name)}", tools)
    arguments, end = _arguments(source, head.end(), tools)
    if end < len(source):
        problem = f"text after the call: {shown(source[end:].lstrip())}; write exactly one call and nothing else"
        raise CallError("malformed_call", problem, tools)
    return Call(name, typed(tools[name], arguments, tools))


def _arguments(source: str, position: int, tools: dict[str, Tool]) -> tuple[list[tuple[str, Value]], int]:
    """(name, constant) pairs as written, name "" where it is missing; and the position behind the bracket."""
    arguments = []
    if source.startswith(")", position):
        return arguments, position + 1
    while True:
        name = _NAME.match(source, position)
        if name is not None:
            position = name.end()
        value, position = _constant(source, position, tools)
        arguments.append((name[1] if name else "", value))
        position = _SPACE.match(source, position).end()
        mark = source[position : position + 1]
        if mark == ")":
            return arguments, position + 1
        if mark != ",":
            found = f"found {shown(source[position:])}" if mark else "the text ends"
            problem = f"after the argument {arguments[-1][0] or len(arguments)}, expected ',' or ')' but {found}"
            raise CallError("malformed_call", problem + "; arguments are constants, not calculations", tools)
        position = _SPACE.match(source, position + 1).end()


def _constant(source: str, position: int, tools: dict[str, Tool]) -> tuple[Value, int]:
    if source.startswith("[", position):
        return _texts(source, position + 1, tools)
    match = _CONSTANT.match(source, position)
    if match is None:
        found = shown(source[position:]) if position < len(source) else "the end of the text"
        problem = f"{found} does not start with a constant; write {KIND_EXAMPLES['value']}"
        raise CallError("malformed_call", problem, tools)
    if match[1] is None:
        return _unescaped(match), match.end()
    try:
        return number(match[1]), match.end()
    except ValueError as error:
        raise CallError("bad_arguments", str(error), tools) from None


def _texts(source: str, position: int, tools: dict[str, Tool]) -> tuple[tuple, int]:
    """The rest of a list whose opening bracket was read; lists hold texts and do not nest."""
    texts = []
    position = _SPACE.match(source, position).end()
    if source.startswith("]", position):
        return (), position + 1
    while True:
        match = _CONSTANT.match(source, position)
        if match is None or match[1] is not None:
            raise CallError("malformed_call", "a list holds texts in double quotes and nothing else", tools)
        texts.append(_unescaped(match))
        position = _SPACE.match(source, match.end()).end()
        mark = source[position : position + 1]
        if mark == "]":
            return tuple(texts), position + 1
        if mark != ",":
            raise CallError("malformed_call", "a list is not closed; expected ',' or ']' after a text", tools)
        position = _SPACE.match(source, position + 1).end()


def _unescaped(match: re.Match) -> str:
    text = match[2] if match[2] is not None else match[3]
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[0]), text) if "\\" in text else text


def typed(tool: Tool, arguments: list[tuple[str, Value]], tools: dict[str, Tool]) -> dict[str, Value]:
    """The arguments by name, in the order written, where they are exactly the tool's parameters and of their types."""
    typed = {}
    for name, value in arguments:
        kind = tool.parameters.get(name)
        if kind is None:
            given = f"no parameter {shown(name)}" if name else f"an argument without a name ({shown(str(value))})"
            problem = f"{tool.name}: {given}; write name=constant, numbers without thousands separators"
            raise CallError("bad_arguments", problem, tools)
        if name in typed:
            raise CallError("bad_arguments", f"{tool.name}: {name} is given twice", tools)
        written = "number" if isinstance(value, Fraction) else "text" if isinstance(value, str) else "texts"
        if written != kind and (kind != "value" or written == "texts"):
            problem = f"{tool.name}: {name} must be {KIND_EXAMPLES[kind]}"
            raise CallError("bad_arguments", problem, tools)
        typed[name] = value
    if len(typed) < len(tool.parameters):
        missing = " and ".join(name for name in tool.parameters if name not in typed)
        raise CallError("bad_arguments", f"{tool.name}: {missing} is missing", tools)
    return typed


def check_length(text: str, tools: dict[str, Tool]) -> None:
    """CallError where a call is too long to be read."""
    if len(text) > MAX_LENGTH:
        problem = f"the call has {len(text):,} characters, limit {MAX_LENGTH:,}; write a shorter one"
        raise CallError("malformed_call", problem, tools)


def refuse_hidden(text: str, tools: dict[str, Tool]) -> None:
    """Control and format characters (NUL, right-to-left override) show a reader another call than the one that runs."""
    for character in text:
        if character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            problem = f"the hidden character U+{ord(character):04X} is not allowed; write plain text"
            raise CallError("malformed_call", problem, tools)


def shown(text: str) -> str:
    """At most 60 characters of a model's text on one line, for an error message."""
    return f"`{clipped(text)}`"


def clipped(text: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in text[: ECHO + 1])
    return line if len(line) <= ECHO else f"{line[: ECHO - 3]}..."
