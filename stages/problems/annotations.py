"""GSM8K's solutions as calls: `<<48/2=24>>` is one call with its result, as the calculator of the data set had it.

Used for the published reference solutions and for what models wrote in the same form. Where a published solution leaves
steps unannotated, its plain equations are read too, as far as they hold exactly: `64 - 35 = 29`, and `2x + 8 = 66`
with a later `x = 29`. Nothing is evaluated here but by the tools themselves, so a text can say what it likes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from stages.chain import Call, Step
from stages.tools import TOOLKITS
from stages.tools.calls import number
from stages.tools.run import run_call

MAX_LENGTH = 10_000  # characters of a text whose equations are read; GSM8K's longest solution has 1,228
MAX_SOLVED = 20  # statements such as `x = 29` of a text, and equations tried for each; GSM8K's solutions have 5

_ANNOTATION = re.compile(r"<<([^<>\n]{0,300}+)>>")
_BINARY = re.compile(r"(-?[0-9]*+(?:\.[0-9]++)?)([-+*/])(-?[0-9]*+(?:\.[0-9]++)?)")
_TOOLS = {"+": "Add", "-": "Subtract", "*": "Multiply", "/": "Divide"}

# An equation in plain text, `$36 + $7 = $43`, one with an unknown, and a value of it. The left sides are bounded, as a
# long row of digits is scanned anew from each of them.
_VALUE = r"=[\s$]{0,40}+(-?[0-9]{1,30}+(?:,[0-9]{3})*(?:\.[0-9]{1,30}+)?)(?!\s?[-+*/x×÷%0-9]|[.,][0-9])"
_EQUATION = re.compile(r"([0-9$(.](?:[-0-9.$%+*/x×÷()−– ]|,(?=[0-9])){0,100})" + _VALUE)
_TERMS = r"(?:[-0-9.$+*/()−– ]|,(?=[0-9])|(?<![A-Za-z])[A-Za-z](?![A-Za-z])){1,80}"
_LINEAR = re.compile(_TERMS + "=" + _TERMS)
_SOLVED = re.compile(r"(?<![A-Za-z0-9*/+-])([A-Za-z]) ?" + _VALUE)
_OPERATOR = re.compile(r"[0-9)%A-Za-z]\s?[-+*/(A-Za-z]")
_PRODUCT = re.compile(r"(?<=[0-9)])(?=[A-Za-z(])")  # 3(x + 2), 3x
_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-", "–": "-", "$": "", ",": "", " ": ""})


@dataclass(frozen=True)
class Annotation:
    """A computation, what the text says it gave (None: no number), and where in the text."""

    call: Call
    value: Fraction | None
    place: int

    def step(self) -> Step:
        """The call, run; its result is the tool's."""
        return run_call(self.call.text(), TOOLKITS["arithmetic"].tools, None)

    def holds(self) -> bool:
        """Whether the call gives the stated value exactly."""
        return number_or_none(self.step().result) == self.value is not None


def annotations(text: str) -> list[Annotation]:
    """The annotations of a solution in their order; `<<10=10>>`, which computes nothing, is none."""
    made = []
    for match in _ANNOTATION.finditer(text):
        expression, _, value = match[1].rpartition("=")
        if not _idle(match):
            made.append(Annotation(call_of(expression), number_or_none(value), match.start()))
    return made


def equations(text: str) -> list[Annotation]:
    """The annotations and, in their places, the plain equations of a text that hold exactly."""
    found = annotations(text)
    if len(text) > MAX_LENGTH:
        return found
    plain = _ANNOTATION.sub(lambda match: (" " if _idle(match) else "<") * len(match[0]), text)
    for match in _EQUATION.finditer(plain):
        expression = _PRODUCT.sub("*", match[1].replace("x", "*").translate(_SIGNS))
        made = Annotation(call_of(expression), number_or_none(match[2]), match.start())
        if _OPERATOR.search(expression) and made.holds():
            found.append(made)
    for match in islice(_SOLVED.finditer(plain), MAX_SOLVED):
        for equation in islice(_LINEAR.finditer(plain, 0, match.start()), MAX_SOLVED):
            solved = _solution(equation[0], match[1])
            made = Annotation(solved, number_or_none(match[2]), match.start())
            if made.holds():
                found.append(made)
                break
    return sorted(found, key=lambda annotation: annotation.place)


def _idle(match: re.Match) -> bool:
    expression = match[1].rpartition("=")[0]
    return number_or_none(expression) is not None and "/" not in expression


def _solution(equation: str, unknown: str) -> Call:
    """`2x + 8 = 66` as SolveLinear("2*x+8=66"); `x` is a multiplication sign where something else is unknown."""
    text = equation if unknown in "xX" else equation.replace(" x ", "*")
    text = _PRODUCT.sub("*", text.translate(_SIGNS).strip("."))
    return Call("SolveLinear", {"equation": text if _OPERATOR.search(text) else "", "unknown": unknown})


def call_of(expression: str) -> Call:
    """`Add`, `Subtract`, `Multiply` or `Divide` for one operation on two numbers, else `Calculate`."""
    expression = expression.replace(" ", "").replace("//", "/")  # the data set's `560//10` is 56, without remainder
    match = _BINARY.fullmatch(expression)
    if match and match[1] not in ("", "-") and match[3] not in ("", "-"):
        return Call(_TOOLS[match[2]], {"a": number(match[1]), "b": number(match[3])})
    return Call("Calculate", {"expression": expression})


def number_or_none(text: str) -> Fraction | None:
    """An integer, decimal or fraction, with or without thousands separators."""
    try:
        return number(text.strip().replace(",", ""))
    except ValueError:
        return None
