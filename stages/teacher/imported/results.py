"""What a result in somebody's log says beside what our tool says: the same, surely another value, or neither.

Results are written in many ways: `12.0`, `3 + 9 = 12`, `12 plums`, `{"status": "ok", "result": 12}`, the parts of an
MCP server. Only a value that is surely read can make a chain wrong; what is not read is not compared.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction

from stages.records.chain import Step
from stages.teacher.imported.gsm8k_solutions import rounds_to
from stages.tools.calls import number
from stages.verdicts.answers import canonical_number, equal

_DEPTH = 6  # of JSON in JSON; deeper is not read
_VALUE_KEYS = ("result", "output", "value", "answer", "content", "response", "return", "data", "text")
_LEAD = re.compile(r"(?:the )?(?:result|output|value|answer|response|observation)(?:\s*[:=]\s*| is )", re.IGNORECASE)
_EQUATION = re.compile(r"[-+*/×÷%^(){}\[\]\s0-9.,=$x]*=\s*(-?[$]?[0-9.,/]+)")
_FAILED = ("error", "exception", "invalid", "fail", "cannot", "undefined")
_AROUND = (
    ("<tool_response>", "</tool_response>"),
    ("[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
    ("<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>"),
)
_LABELS = ("true", "false", "unknown")


def results_in(text: str) -> list[str]:
    """The results in a message: each one between the marks that a template puts around it, else the whole text."""
    for opening, closing in _AROUND:
        if opening in text:
            return [part.partition(closing)[0].strip() for part in text.split(opening)[1:]]
    return [text]


def agrees(stated: str, step: Step) -> bool | None:
    """Whether a stated result says what our tool says; False only where it is surely another value, None: not compared.

    Of two failures the words do not matter. What was answered to a thought says nothing.
    """
    ours = step.error or step.result
    if stated.split() == ours.split():
        return True
    said = _value(stated)
    failed = any(word in said.casefold() for word in _FAILED)
    if step.error:
        return True if failed else None
    if step.call.tool == "Reasoning":
        return True
    words = [text.casefold().strip(" .\n").split() for text in (said, ours)]
    if words[0] == words[1]:
        return True
    try:
        exact = number(ours)
    except ValueError:
        return False if all(len(text) == 1 and text[0] in _LABELS for text in words) else None
    return None if failed else _same_number(said, exact, ours)


def _same_number(said: str, exact: Fraction, ours: str) -> bool | None:
    read = canonical_number(said)
    if read is None:
        return None
    if rounds_to(exact, read):
        return True
    same = equal(said, ours, "math")
    return None if same is False and _rounding(said, exact, read) else same


def _rounding(said: str, exact: Fraction, read: Fraction) -> bool:
    """Whether a tool that gives fewer places, rounded or cut, would have said this of the exact value."""
    digits = re.search(r"\.([0-9]+)", said)
    return abs(exact - read) < Fraction(1, 10 ** len(digits[1])) if digits else abs(exact - read) < 1


def _value(stated: str, depth: int = _DEPTH) -> str:
    """The one value that a text states, with what is written around it taken off; the text where there is none."""
    text = stated.strip().strip("`").strip()
    try:
        value = json.loads(text, parse_int=str, parse_float=str) if depth and text[:1] in ("{", "[", '"') else None
    except (ValueError, RecursionError):
        value = None
    if value is not None:
        return _inner(value, depth - 1)
    text = _LEAD.sub("", text, count=1) if _LEAD.match(text) else text
    equation = _EQUATION.fullmatch(text)
    return equation[1] if equation else text


def _inner(value: object, depth: int) -> str:
    """The value inside JSON: of the one key that says so, of the only key, or of the only element."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return _value(value, depth)
    if isinstance(value, list) and len(value) == 1:
        return _inner(value[0], depth - 1) if depth > 0 else ""
    if not isinstance(value, dict) or depth <= 0:
        return ""
    if failure := next((value[key] for key in ("error", "isError", "is_error") if value.get(key)), None):
        return f"error: {failure}"
    named = [key for key in _VALUE_KEYS if value.get(key) is not None]
    if len(named) == 1 or len(value) == 1:
        return _inner(value[named[0] if len(named) == 1 else next(iter(value))], depth - 1)
    return ""
