"""Exact arithmetic on bounded numbers, and the expressions of `Calculate` and `SolveLinear`.

Text is cut into tokens and computed by how tight its operators bind; nothing is handed to `eval`, `ast` or a solver.
Length and number of tokens are bounded first, and the size of every result before it is computed, so that no
expression takes longer than a few milliseconds or grows beyond 2,048 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from stages.tools.calls import number, shown
from stages.tools.tool import ToolError

MAX_LENGTH = 300
MAX_TOKENS = 160
MAX_EXPONENT = 64
MAX_BITS = 2_048

_TOKEN = re.compile(r"\s*+(?:([0-9]+(?:\.[0-9]+)?|\.[0-9]+)|([^\W\d]\w*)|(\*\*|.))", re.DOTALL)
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "**": 4}
_SIGN = 3  # -2**2 is -(2**2), and 2*-3 is 2*(-3)
_OPERATORS = {*_BINDS, "(", ")"}
_INSTEAD = "write * for times, / for divided by, ** for a power, 1000 for 1,000, and no $ or ="

ZERO = Fraction(0)


class Linear(NamedTuple):
    """slope * unknown + constant; a plain number has the slope 0."""

    slope: Fraction
    constant: Fraction

    def plus(self, other: Linear) -> Linear:
        return Linear(add(self.slope, other.slope), add(self.constant, other.constant))

    def each(self, operation: Callable[[Fraction, Fraction], Fraction], number: Fraction) -> Linear:
        """The operation with this number on both parts (the constant first: it is what an error names)."""
        constant = operation(self.constant, number)
        return Linear(operation(self.slope, number) if self.slope else ZERO, constant)

    def negative(self) -> Linear:
        return Linear(-self.slope, -self.constant)


def add(a: Fraction, b: Fraction) -> Fraction:
    _check(max(_bits(a.numerator, b.denominator), _bits(b.numerator, a.denominator)) + 1)
    _check(_bits(a.denominator, b.denominator))
    return a + b


def multiply(a: Fraction, b: Fraction) -> Fraction:
    _check(max(_bits(a.numerator, b.numerator), _bits(a.denominator, b.denominator)))
    return a * b


def divide(a: Fraction, b: Fraction) -> Fraction:
    if not b:
        raise ToolError(f"{shown(str(a))} is divided by 0; the divisor must not be 0")
    return multiply(a, 1 / b)


def remainder(a: Fraction, b: Fraction) -> Fraction:
    divide(a, b)  # has the same bounds
    return a % b


def power(a: Fraction, b: Fraction) -> Fraction:
    if b.denominator != 1 or abs(b) > MAX_EXPONENT:
        raise ToolError(f"the exponent must be an integer from -{MAX_EXPONENT} to {MAX_EXPONENT}")
    if not a and b < 0:
        raise ToolError("0 to a negative power does not exist")
    _check(max(a.numerator.bit_length(), a.denominator.bit_length()) * abs(b.numerator))
    return a**b.numerator


_OPERATIONS = {"*": multiply, "/": divide, "%": remainder, "**": power}


def _bits(a: int, b: int) -> int:
    return a.bit_length() + b.bit_length()


def _check(bits: int) -> None:
    if bits > MAX_BITS:
        raise ToolError(f"the result could have more than {MAX_BITS:,} bits; use smaller numbers")


def evaluate(text: str) -> Fraction:
    """The exact value of an expression of numbers, `+ - * / ** %` and brackets, with Python's precedence.

    `%` is the remainder where an operand follows it (`20 % 3`), else the percent sign (`20% * 50` is 10).
    """
    return _Reader(text, "").value().constant


def evaluate_linear(text: str, unknown: str) -> Linear:
    """An expression that may also hold `unknown`, as long as it is linear in it."""
    return _Reader(text, unknown).value()


class _Reader:
    """One pass over the tokens of one expression; every method reads what its name says and returns its value."""

    def __init__(self, text: str, unknown: str):
        if len(text) > MAX_LENGTH:
            raise ToolError(f"the expression has {len(text)} characters, limit {MAX_LENGTH}; compute it in parts")
        self.unknown = unknown
        self.tokens = [(match[1], match[2] or match[3]) for match in _TOKEN.finditer(text.rstrip())]
        self.position = 0
        if len(self.tokens) > MAX_TOKENS:
            raise ToolError(
                f"the expression has more than {MAX_TOKENS} numbers, signs and brackets; compute it in parts"
            )

    def value(self) -> Linear:
        for literal, mark in self.tokens:
            if literal is None and mark not in _OPERATORS and mark != self.unknown:
                known = f"{self.unknown}, " if self.unknown else ""
                allowed = f"only numbers, {known}+ - * / ** % and brackets are allowed"
                raise ToolError(f"{shown(mark)} is not part of an expression; {allowed}; {_INSTEAD}")
        if not self.tokens:
            raise ToolError("the expression is empty")
        value = self.bound(0)
        if self.position < len(self.tokens):
            self.unexpected("an operator")
        return value

    def unexpected(self, wanted: str) -> None:
        literal, mark = self.tokens[self.position] if self.position < len(self.tokens) else (None, None)
        found = shown(literal or mark) if literal or mark else "the end"
        hint = "; write * between factors" if wanted == "an operator" and mark != ")" else ""
        raise ToolError(f"expected {wanted} but found {found}{hint}")

    def mark(self) -> str | None:
        """The operator, bracket or name at this position; None at a number and at the end."""
        return self.tokens[self.position][1] if self.position < len(self.tokens) else None

    def bound(self, level: int) -> Linear:
        """An operand and what operators that bind tighter than `level` make of it."""
        left = self.operand()
        while (mark := self.mark()) and _BINDS.get(mark, 0) > level:
            self.position += 1
            right = self.bound(_SIGN - 1 if mark == "**" else _BINDS[mark])  # 2**3**2 is 2**(3**2)
            left = self.applied(mark, left, right)
        return left

    def applied(self, operator: str, left: Linear, right: Linear) -> Linear:
        if operator in ("+", "-"):
            return left.plus(right if operator == "+" else right.negative())
        if operator == "*" and not left.slope:
            left, right = right, left
        if right.slope or left.slope and operator in ("%", "**"):
            problem = f"the equation is not linear in {self.unknown}; only {self.unknown} times a number is allowed"
            raise ToolError(problem)
        return left.each(_OPERATIONS[operator], right.constant)

    def operand(self) -> Linear:
        """A number, a name or brackets, with the signs before it and the percent sign behind it."""
        mark = self.mark()
        if mark in ("+", "-"):
            self.position += 1
            value = self.bound(_SIGN)
            return value if mark == "+" else value.negative()
        value = self.atom()
        if self.mark() != "%" or self.operand_follows():
            return value
        self.position += 1
        return value.each(divide, Fraction(100))

    def operand_follows(self) -> bool:
        """Whether a number, a name or an opening bracket stands behind the `%` at this position."""
        literal, mark = self.tokens[self.position + 1] if self.position + 1 < len(self.tokens) else (None, ")")
        return literal is not None or mark == "(" or mark not in _OPERATORS

    def atom(self) -> Linear:
        literal, mark = self.tokens[self.position] if self.position < len(self.tokens) else (None, None)
        if literal is None and mark not in (self.unknown, "("):
            self.unexpected("a number")
        self.position += 1
        if literal is not None:
            return Linear(ZERO, number(literal))
        if mark == self.unknown:
            return Linear(Fraction(1), ZERO)
        value = self.bound(0)
        if self.mark() != ")":
            self.unexpected("`)`")
        self.position += 1
        return value
