"""Exact arithmetic on bounded numbers, and the expressions of `Calculate` and `SolveLinear`.

Text is tokenised and computed by recursive descent; nothing is handed to `eval`, `ast` or a solver. Length, depth and
number of operations are bounded first, and the size of every result before it is computed, so that no expression
takes longer than a few milliseconds or grows beyond 2,048 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from stages.tools.calls import number, shown
from stages.tools.tool import ToolError

MAX_LENGTH = 300
MAX_DEPTH = 25
MAX_NODES = 80
MAX_EXPONENT = 64
MAX_BITS = 2_048

_TOKEN = re.compile(r"\s*+(?:([0-9]+(?:\.[0-9]+)?|\.[0-9]+)|([^\W\d]\w*)|(\*\*|.))", re.DOTALL)
_OPERATORS = frozenset({"+", "-", "*", "/", "**", "%", "(", ")"})
_HINTS = {
    "x": "write * for times",
    "X": "write * for times",
    "×": "write * for times",
    "·": "write * for times",
    "÷": "write / for divided by",
    "−": "write - for minus",
    "–": "write - for minus",
    "^": "write ** for a power",
    ",": "write numbers without thousands separators",
    "$": "write numbers without a currency sign",
    "=": "an expression has no equals sign",
    "of": "write * for of, as in 20% * 50",
}


ZERO = Fraction(0)


class Linear(NamedTuple):
    """slope * unknown + constant; a plain number has the slope 0."""

    slope: Fraction
    constant: Fraction

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
    _check(max(_bits(a.numerator, b.denominator), _bits(a.denominator, b.numerator)))
    return a / b


def remainder(a: Fraction, b: Fraction) -> Fraction:
    if not b:
        raise ToolError(f"the remainder of {shown(str(a))} by 0 does not exist; the divisor must not be 0")
    _check(max(_bits(a.numerator, b.denominator), _bits(a.denominator, b.numerator)))
    return a % b


def power(a: Fraction, b: Fraction) -> Fraction:
    if b.denominator != 1 or abs(b) > MAX_EXPONENT:
        raise ToolError(f"the exponent must be an integer from -{MAX_EXPONENT} to {MAX_EXPONENT}")
    if not a and b < 0:
        raise ToolError("0 to a negative power does not exist")
    _check(max(a.numerator.bit_length(), a.denominator.bit_length()) * abs(b.numerator))
    return a**b.numerator


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
        self.depth = 0
        self.nodes = 0

    def value(self) -> Linear:
        for literal, mark in self.tokens:
            if literal is None and mark not in _OPERATORS and mark != self.unknown:
                self.refuse(mark)
        if not self.tokens:
            raise ToolError("the expression is empty")
        value = self.sum()
        if self.position < len(self.tokens):
            self.unexpected("an operator")
        return value

    def refuse(self, mark: str) -> None:
        known = f"{self.unknown}, " if self.unknown else ""
        hint = _HINTS.get(mark, f"only numbers, {known}+ - * / ** % and brackets are allowed")
        raise ToolError(f"{shown(mark)} is not part of an expression; {hint}")

    def unexpected(self, wanted: str) -> None:
        literal, mark = self.tokens[self.position] if self.position < len(self.tokens) else (None, None)
        found = shown(literal or mark) if literal or mark else "the end"
        hint = "; write * between factors" if wanted == "an operator" and mark != ")" else ""
        raise ToolError(f"expected {wanted} but found {found}{hint}")

    def mark(self) -> str | None:
        """The operator, bracket or name at this position; None at a number and at the end."""
        return self.tokens[self.position][1] if self.position < len(self.tokens) else None

    def node(self) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ToolError(f"the expression has more than {MAX_NODES} numbers and operations; compute it in parts")

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ToolError(f"the expression is nested more than {MAX_DEPTH} deep; compute it in parts")

    def sum(self) -> Linear:
        left = self.product()
        while (mark := self.mark()) in ("+", "-"):
            self.position += 1
            self.node()
            right = self.product()
            right = right if mark == "+" else right.negative()
            slope = add(left.slope, right.slope) if left.slope or right.slope else ZERO
            left = Linear(slope, add(left.constant, right.constant))
        return left

    def product(self) -> Linear:
        left = self.signed()
        while (mark := self.mark()) in ("*", "/", "%"):
            self.position += 1
            self.node()
            right = self.signed()
            if mark == "*" and not right.slope:
                left = left.each(multiply, right.constant)
            elif mark == "*" and not left.slope:
                left = right.each(multiply, left.constant)
            elif mark == "/" and not right.slope:
                left = left.each(divide, right.constant)
            elif mark == "%" and not left.slope and not right.slope:
                left = left.each(remainder, right.constant)
            else:
                self.not_linear()
        return left

    def signed(self) -> Linear:
        negative = False
        while (mark := self.mark()) in ("+", "-"):
            self.position += 1
            self.node()
            negative ^= mark == "-"
        value = self.power()
        return value.negative() if negative else value

    def power(self) -> Linear:
        base = self.percent()
        if self.mark() != "**":
            return base
        self.position += 1
        self.node()
        self.enter()
        exponent = self.signed()
        self.depth -= 1
        if base.slope or exponent.slope:
            self.not_linear()
        return base.each(power, exponent.constant)

    def percent(self) -> Linear:
        value = self.atom()
        if self.mark() != "%" or self.operand_follows():
            return value
        self.position += 1
        self.node()
        return value.each(divide, Fraction(100))

    def operand_follows(self) -> bool:
        """Whether a number, a name or an opening bracket stands behind the `%` at this position."""
        literal, mark = self.tokens[self.position + 1] if self.position + 1 < len(self.tokens) else (None, ")")
        return literal is not None or mark == "(" or mark not in _OPERATORS

    def atom(self) -> Linear:
        self.node()
        if self.position >= len(self.tokens):
            self.unexpected("a number")
        literal, mark = self.tokens[self.position]
        if literal is not None:
            self.position += 1
            return Linear(ZERO, number(literal))
        if mark == self.unknown:
            self.position += 1
            return Linear(Fraction(1), ZERO)
        if mark != "(":
            self.unexpected("a number")
        self.position += 1
        self.enter()
        value = self.sum()
        self.depth -= 1
        if self.mark() != ")":
            self.unexpected("`)`")
        self.position += 1
        return value

    def not_linear(self) -> None:
        raise ToolError(f"the equation is not linear in {self.unknown}; only {self.unknown} times a number is allowed")
