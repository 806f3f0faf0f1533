"""GSM8K's solutions as calls: `<<48/2=24>>` is one call with its result, as the calculator of the data set had it.

Used for the published reference solutions and for what models wrote in the same form. Where a published solution leaves
steps unannotated, its plain equations are read too, as far as they hold exactly: `64 - 35 = 29`, and `2x + 8 = 66`
with a later `x = 29`. Nothing is evaluated here but by the tools themselves, so a text can say what it likes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice

from stages.problems.solutions.plain import equations as plain_equations
from stages.records.chain import Call, Step, Value, number_text
from stages.records.numbers import spread
from stages.tools import TOOLKITS
from stages.tools.calls import number
from stages.tools.run import run_call

MAX_LENGTH = 10_000  # characters of a text whose equations are read; GSM8K's longest solution has 1,228
MAX_SOLVED = 20  # statements such as `x = 29` of a text, and equations tried for each; GSM8K's solutions have 5

_ANNOTATION = re.compile(r"<<([^<>\n]{0,300}+)>>")
_BINARY = re.compile(r"(-?[0-9]*+(?:\.[0-9]++)?)([-+*/])(-?[0-9]*+(?:\.[0-9]++)?)")
_TOOLS = {"+": "Add", "-": "Subtract", "*": "Multiply", "/": "Divide"}

# An equation with an unknown, and a value of it, in plain text. The sides are bounded, as a long row of digits is
# scanned anew from each of them.
_VALUE = r"=[\s$]{0,40}+(-?[0-9]{1,30}+(?:,[0-9]{3})*(?:\.[0-9]{1,30}+)?)(?!\s?[-+*/x×÷%0-9]|[.,][0-9])"
_TERMS = r"(?:[-0-9.$+*/()−– ]|,(?=[0-9])|(?<![A-Za-z])[A-Za-z](?![A-Za-z])){1,80}"
_LINEAR = re.compile(_TERMS + "=" + _TERMS)
_SOLVED = re.compile(r"(?<![A-Za-z0-9*/+-])([A-Za-z]) ?" + _VALUE)
_OPERATOR = re.compile(r"[0-9)%A-Za-z]\s?[-+*/(A-Za-z]")
_FLOAT = re.compile(r"(?<![0-9.])[0-9]{1,12}\.[0-9]{5,30}(?![0-9.])")
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
    for equation in plain_equations(plain):
        stated = equation.value / 100 if equation.percent else equation.value
        if Annotation(call_of(equation.expression), stated, equation.place).holds():
            ways = (Annotation(call_of(way), equation.value, equation.place) for way in equation.ways())
            found += islice((way for way in ways if way.holds()), 1)
    for solved in islice(_SOLVED.finditer(plain), MAX_SOLVED):
        for equation in islice(_LINEAR.finditer(plain, 0, solved.start()), MAX_SOLVED):
            made = Annotation(_solution(equation[0], solved[1]), number_or_none(solved[2]), solved.start())
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


def with_results(call: Call, results: list[Fraction]) -> Call:
    """The call with its floats as the earlier results that they are: `100/33.333333333333336` divides by 100/3."""
    return Call(call.tool, {name: _with_results(value, results) for name, value in call.arguments.items()})


def _with_results(value: Value, results: list[Fraction]) -> Value:
    if isinstance(value, str):
        return _FLOAT.sub(lambda match: _result_text(match[0], results), value)
    if not isinstance(value, Fraction):
        return value
    return _earlier(f"{Decimal(value.numerator) / Decimal(value.denominator):f}", value, results)


def _result_text(decimal: str, results: list[Fraction]) -> str:
    value = _earlier(decimal, number(decimal), results)
    return decimal if value == number(decimal) else f"({number_text(value)})"


def _earlier(decimal: str, value: Fraction, results: list[Fraction]) -> Fraction:
    """The latest result whose float this decimal is; the value itself where it is none."""
    within = spread(decimal.lstrip("-")) if number(decimal) == value else 0
    return next((result for result in reversed(results) if abs(result - value) <= within), value)


def number_or_none(text: str) -> Fraction | None:
    """An integer, decimal or fraction, with or without thousands separators."""
    try:
        return number(text.strip().replace(",", ""))
    except ValueError:
        return None
