"""The toolkit of math problems: exact rational arithmetic. `0.1 + 0.2` is 0.3, and 10 / 3 stays 10/3."""

from __future__ import annotations

import re
from fractions import Fraction

from stages.records.chain import number_text
from stages.tools.arithmetic.expression import add, divide, evaluate, evaluate_linear, multiply
from stages.tools.calls import shown
from stages.tools.tool import Tool, ToolError, toolkit

MAX_RESULT = 200  # characters; a longer number helps no model and fills its context
MAX_PLACES = 12
_UNKNOWN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")


def _result(number: Fraction) -> str:
    text = number_text(number)
    if len(text) > MAX_RESULT:
        raise ToolError(f"the result has {len(text)} characters, limit {MAX_RESULT}; use smaller numbers or Round")
    return text


def _add(_state: object, a: Fraction, b: Fraction) -> str:
    return _result(add(a, b))


def _subtract(_state: object, a: Fraction, b: Fraction) -> str:
    return _result(add(a, -b))


def _multiply(_state: object, a: Fraction, b: Fraction) -> str:
    return _result(multiply(a, b))


def _divide(_state: object, a: Fraction, b: Fraction) -> str:
    return _result(divide(a, b))


def _percent(_state: object, percent: Fraction, of: Fraction) -> str:
    return _result(divide(multiply(percent, of), Fraction(100)))


def _calculate(_state: object, expression: str) -> str:
    return _result(evaluate(expression))


def _solve_linear(_state: object, equation: str, unknown: str) -> str:
    """One equation, one unknown: both sides become slope * unknown + constant, whatever the order of terms."""
    if _UNKNOWN.fullmatch(unknown) is None:
        raise ToolError(f"unknown is {shown(unknown)}; give one name of letters, digits and _, such as x")
    sides = equation.split("=")
    if len(sides) != 2:
        raise ToolError(f"the equation has {len(sides) - 1} equals signs; write one, as in 2*{unknown} + 3 = 11")
    left, right = (evaluate_linear(side, unknown) for side in sides)
    slope = add(left.slope, -right.slope)
    constant = add(right.constant, -left.constant)
    if not slope:
        raise ToolError(f"the equation does not determine {unknown}: {'no' if constant else 'every'} number solves it")
    return _result(divide(constant, slope))


def _round(_state: object, x: Fraction, digits: Fraction) -> str:
    """Halves go away from zero (2.5 to 3, -2.5 to -3), as in school; Python's own round takes them to even."""
    if digits.denominator != 1 or abs(digits) > MAX_PLACES:
        raise ToolError(f"digits must be an integer from -{MAX_PLACES} to {MAX_PLACES}")
    unit = Fraction(10) ** -digits.numerator
    units = (abs(x) / unit + Fraction(1, 2)).__floor__() * unit
    return _result(-units if x < 0 else units)


ARITHMETIC = toolkit(
    "arithmetic",
    lambda question: None,
    [
        Tool("Add", {"a": "number", "b": "number"}, "Gives a + b.", "Add(a=2.5, b=4)", _add),
        Tool("Subtract", {"a": "number", "b": "number"}, "Gives a - b.", "Subtract(a=10, b=4)", _subtract),
        Tool("Multiply", {"a": "number", "b": "number"}, "Gives a * b.", "Multiply(a=3, b=1.25)", _multiply),
        Tool("Divide", {"a": "number", "b": "number"}, "Gives a / b, exactly.", "Divide(a=10, b=4)", _divide),
        Tool(
            "Percent",
            {"percent": "number", "of": "number"},
            "Gives percent / 100 * of.",
            "Percent(percent=20, of=50)",
            _percent,
        ),
        Tool(
            "Calculate",
            {"expression": "text"},
            "Gives the value of an expression of numbers, + - * / ** % and brackets; 20% is 20/100, 20 % 3 is 2.",
            'Calculate(expression="(16 - 3 - 4) * 2")',
            _calculate,
        ),
        Tool(
            "SolveLinear",
            {"equation": "text", "unknown": "text"},
            "Solves one linear equation in one unknown.",
            'SolveLinear(equation="2*x + 3 = 11", unknown="x")',
            _solve_linear,
        ),
        Tool(
            "Round",
            {"x": "number", "digits": "number"},
            "Rounds x to so many decimal places, halves away from zero; digits=-2 rounds to hundreds.",
            "Round(x=3.145, digits=2)",
            _round,
        ),
    ],
)
