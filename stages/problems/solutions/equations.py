"""Equations of published problems as calls, one operation a call: `(56-8)/4=x` is Subtract, then Divide.

A formula is read into a tree by recursive descent and worked off by the tools themselves; nothing is handed to `eval`.
Where the unknown stands among the numbers once, as in `x+3=12`, the operations around it are undone one by one; where
it stands more often, its coefficients and the constants are collected first (linear.py).
"""

from __future__ import annotations

import re
from fractions import Fraction

from stages.problems.solutions.linear import Tree, collected
from stages.records.chain import Call, number_text
from stages.records.numbers import exact, spread
from stages.tools import TOOLKITS
from stages.tools.calls import number
from stages.tools.tool import ToolError

MAX_LENGTH = 300  # characters of a formula
MAX_DEPTH = 25

NOT_READ = "a formula that is no plain equation"
NOT_GOLD = "the formula does not give the answer"

_TOOLS = {"+": "Add", "-": "Subtract", "*": "Multiply", "/": "Divide"}
_TOKEN = re.compile(r"\s*+(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|([A-Za-z][A-Za-z0-9_]*)|([-+*/()]))")
_UNIT = re.compile(r"\([A-Za-z]+(?:/[A-Za-z]+)?\)")  # `60 (min/hour)`
_REMAINDER = re.compile(r"\s*+([0-9]+)\s*r\s*([0-9]+)\s*+")


class FormulaError(Exception):
    """A formula gives no calls; the message is the reason, and names a reason only, so that reasons can be counted."""


def solution(formula: str, gold: str) -> tuple[tuple[Call, ...], str]:
    """The calls of an equation, ended by Finish, and ""; or no call, and why there is none.

    `gold` is a number's text. Where the equation gives more decimal places than gold has, a Round is the last call.
    """
    try:
        work = Work()
        result = work.equation(formula)
        return work.finished(result, gold), ""
    except FormulaError as error:
        return (), str(error)


def chained(formula: str, gold: str) -> tuple[tuple[Call, ...], str]:
    """As `solution`, for formulas that state their results: `27-8=19; 19+3=22`, `22/5=4 r2`, `2 (dime) * 10 = 20`.

    A quotient with remainder is computed by its remainder, `22 % 5`; where gold is one more than the quotient, 1 is
    added.
    """
    parts = [part for part in _UNIT.sub("", formula).split(";") if part.strip()]
    try:
        work = Work()
        result = None
        for place, part in enumerate(parts):
            result = work.stated(part, "; ".join(parts[place + 1 :]), gold)
        if result is None:
            raise FormulaError(NOT_READ)
        return work.finished(result, gold), ""
    except FormulaError as error:
        return (), str(error)


class Work:
    """The calls made so far; every method that computes runs its calls and returns the tool's exact result."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def call(self, tool: str, **arguments: Fraction | str) -> Fraction:
        try:
            result = TOOLKITS["arithmetic"].tools[tool].run(None, **arguments)
        except ToolError:
            raise FormulaError("the tools refuse an operation of the formula") from None
        self.calls.append(Call(tool, arguments))
        return number(result)

    def value(self, tree: Tree) -> Fraction:
        """The value of a tree without unknown, operands first, from left to right."""
        if isinstance(tree, Fraction):
            return tree
        if isinstance(tree, str):
            raise FormulaError(NOT_READ)
        operator, left, right = tree
        a = self.value(left)
        return self.call(_TOOLS[operator], a=a, b=self.value(right))

    def equation(self, formula: str) -> Fraction:
        """What an equation in at most one unknown gives for it; the value where it is an expression only."""
        sides = [parse(side) for side in formula.split("=")]
        unknowns = [name for side in sides for name in _unknowns(side)]
        if len(sides) > 2 or len(set(unknowns)) > 1 or (len(sides) == 2) != bool(unknowns):
            raise FormulaError(NOT_READ)
        if not unknowns:
            return self.value(sides[0])
        if len(unknowns) > 1:
            if collection := collected(*sides):
                return self.value(collection)
            # One name for all unknowns, `x`: a student learns to write one equation, not to name things.
            equation = " = ".join(_text(side) for side in sides)
            return self.call("SolveLinear", equation=equation, unknown="x")
        around, other = sides if _unknowns(sides[0]) else sides[::-1]
        return self.undone(around, other)

    def undone(self, tree: Tree, other: Tree) -> Fraction:
        """The unknown of `tree = other`, where it stands once in the tree and not in the other."""
        target = self.value(other)
        while isinstance(tree, tuple):
            operator, left, right = tree
            if _unknowns(left):
                known = self.value(right)
                inverse = {"+": "-", "-": "+", "*": "/", "/": "*"}[operator]
                target = self.call(_TOOLS[inverse], a=target, b=known)
                tree = left
            else:
                known = self.value(left)
                inverse = "-" if operator in "+-" else "/"
                pair = (target, known) if operator in "+*" else (known, target)
                target = self.call(_TOOLS[inverse], a=pair[0], b=pair[1])
                tree = right
        return target

    def stated(self, part: str, later: str, gold: str) -> Fraction:
        """The result of one equation with its value behind the sign; `later` shows which result is still needed."""
        left, sign, right = part.partition("=")
        if not sign:
            raise FormulaError(NOT_READ)
        tree = parse(left)
        remainder = _REMAINDER.fullmatch(right)
        if remainder:
            return self.divided(tree, *map(Fraction, remainder.groups()), later, gold)
        value = parse(right)
        if not isinstance(value, Fraction):
            raise FormulaError(NOT_READ)
        result = self.value(tree)
        if result != value and _rounded(result, number_text(value)) != value:
            raise FormulaError("a formula does not give the value it says")
        return result

    def divided(self, tree: Tree, quotient: Fraction, rest: Fraction, later: str, gold: str) -> Fraction:
        if not isinstance(tree, tuple) or tree[0] != "/":
            raise FormulaError(NOT_READ)
        a, b = self.value(tree[1]), self.value(tree[2])
        left = self.call("Calculate", expression=f"{number_text(a)} % {number_text(b)}")
        wanted = {quotient, rest} & set(_numbers(later)) if later else {exact(gold)}
        if left != rest or a - left != quotient * b:
            raise FormulaError("a formula does not give the value it says")
        if wanted == {rest} and quotient != rest:
            return left
        whole = self.call("Divide", a=self.call("Subtract", a=a, b=left), b=b)
        if wanted == {quotient + 1}:
            return self.call("Add", a=whole, b=Fraction(1))
        return whole

    def finished(self, result: Fraction, gold: str) -> tuple[Call, ...]:
        """All calls and the Finish; FormulaError where the last result is not gold, in gold's decimal places."""
        answer = exact(gold)
        if not self.calls:
            raise FormulaError(NOT_READ)
        if abs(result - answer) <= spread(gold):
            answer = result
        if result != answer:
            if _rounded(result, gold) != answer:
                raise FormulaError(NOT_GOLD)
            self.call("Round", x=result, digits=Fraction(len(gold.partition(".")[2])))
        return (*self.calls, Call("Finish", {"answer": number_text(answer)}))


def _rounded(result: Fraction, gold: str) -> Fraction | None:
    """The result in as many decimal places as gold has; None where gold has none, and is meant exactly."""
    places = len(gold.partition(".")[2])
    if not 0 < places <= 12:
        return None
    tools = TOOLKITS["arithmetic"].tools
    return number(tools["Round"].run(None, x=result, digits=Fraction(places)))


def parse(text: str) -> Tree:
    """The tree of an expression of numbers, one-word names, `+ - * /` and brackets; FormulaError for anything else."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(NOT_READ)
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise FormulaError(NOT_READ)
        tokens.append(match)
        place = match.end()
    reader = _Reader(tokens)
    tree = reader.sum(0)
    if reader.place < len(tokens):
        raise FormulaError(NOT_READ)
    return tree


class _Reader:
    """One pass over the tokens; every method reads what its name says."""

    def __init__(self, tokens: list[re.Match]) -> None:
        self.tokens = tokens
        self.place = 0

    def mark(self) -> str:
        return (self.tokens[self.place][3] or "") if self.place < len(self.tokens) else ""

    def sum(self, depth: int) -> Tree:
        tree = self.product(depth)
        while (mark := self.mark()) in ("+", "-"):
            self.place += 1
            tree = (mark, tree, self.product(depth))
        return tree

    def product(self, depth: int) -> Tree:
        tree = self.atom(depth)
        while (mark := self.mark()) in ("*", "/"):
            self.place += 1
            tree = (mark, tree, self.atom(depth))
        return tree

    def atom(self, depth: int) -> Tree:
        if self.place >= len(self.tokens) or depth > MAX_DEPTH:
            raise FormulaError(NOT_READ)
        match = self.tokens[self.place]
        self.place += 1
        if match[1]:
            return exact(match[1])
        if match[2]:
            return match[2]
        if match[3] == "-":
            below = self.atom(depth + 1)
            return -below if isinstance(below, Fraction) else ("-", Fraction(0), below)
        if match[3] != "(":
            raise FormulaError(NOT_READ)
        tree = self.sum(depth + 1)
        if self.mark() != ")":
            raise FormulaError(NOT_READ)
        self.place += 1
        return tree


def _unknowns(tree: Tree) -> list[str]:
    if isinstance(tree, tuple):
        return [name for part in tree[1:] for name in _unknowns(part)]
    return [tree] if isinstance(tree, str) else []


def _numbers(text: str) -> list[Fraction]:
    return [exact(literal) for literal in re.findall(r"[0-9]{1,30}(?:\.[0-9]{1,30})?", text)]


def _text(tree: Tree) -> str:
    """`3*(x+2)` as SolveLinear reads it; brackets around every operation inside another."""
    if isinstance(tree, tuple):
        operator, *sides = tree
        left, right = (f"({_text(side)})" if isinstance(side, tuple) else _text(side) for side in sides)
        return f"{left} {operator} {right}"
    if isinstance(tree, str):
        return "x"
    written = number_text(tree)
    return f"({written})" if "/" in written or tree < 0 else written
