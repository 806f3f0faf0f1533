"""Equations of published problems as calls, one operation a call: `(56-8)/4=x` is Subtract, then Divide.

A formula is read into a tree by Python's own parser and worked off by the tools themselves; nothing of it is run.
Where the unknown stands among the numbers once, as in `x+3=12`, the operations around it are undone one by one; where
it stands more often, its slopes and the constants are collected first: `65 + 0.4*x = 0.6*x` is 65 / (0.6 - 0.4).
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction

from stages.records.chain import Call, number_text
from stages.records.numbers import exact, spread
from stages.tools import TOOLKITS
from stages.tools.calls import number
from stages.tools.tool import ToolError

MAX_LENGTH = 300  # characters of a formula

NOT_READ = "a formula that is no plain equation"
NOT_GOLD = "the formula does not give the answer"
REFUSED = "the tools refuse an operation of the formula"

Tree = Fraction | str | tuple  # a number, the unknown, or (tool, left, right)

_TOOLS = {ast.Add: "Add", ast.Sub: "Subtract", ast.Mult: "Multiply", ast.Div: "Divide"}
_INVERSE = {"Add": "Subtract", "Subtract": "Add", "Multiply": "Divide", "Divide": "Multiply"}
_PLAIN = re.compile(r"(?:[A-Za-z][A-Za-z0-9_]*+|[0-9.]++(?![A-Za-z_])|[-+*/() ])+")
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
            raise FormulaError(REFUSED) from None
        self.calls.append(Call(tool, arguments))
        return number(result)

    def value(self, tree: Tree) -> Fraction:
        """The value of a tree without unknown, operands first, from left to right."""
        if isinstance(tree, Fraction):
            return tree
        if isinstance(tree, str):
            raise FormulaError(NOT_READ)
        tool, left, right = tree
        a = self.value(left)
        return self.call(tool, a=a, b=self.value(right))

    def equation(self, formula: str) -> Fraction:
        """What an equation in at most one unknown gives for it; the value where it is an expression only."""
        sides = [parse(side) for side in formula.split("=")]
        unknowns = [name for side in sides for name in _unknowns(side)]
        if len(sides) > 2 or len(set(unknowns)) > 1 or (len(sides) == 2) != bool(unknowns):
            raise FormulaError(NOT_READ)
        if not unknowns:
            return self.value(sides[0])
        if len(unknowns) > 1:
            return self.collected(*sides)
        around, other = sides if _unknowns(sides[0]) else sides[::-1]
        return self.undone(around, other)

    def undone(self, tree: Tree, other: Tree) -> Fraction:
        """The unknown of `tree = other`, where it stands once in the tree and not in the other."""
        target = self.value(other)
        while isinstance(tree, tuple):
            tool, left, right = tree
            if _unknowns(left):
                target = self.call(_INVERSE[tool], a=target, b=self.value(right))
                tree = left
            else:
                known = self.value(left)
                a, b = (target, known) if tool in ("Add", "Multiply") else (known, target)
                target = self.call("Subtract" if tool in ("Add", "Subtract") else "Divide", a=a, b=b)
                tree = right
        return target

    def collected(self, left: Tree, right: Tree) -> Fraction:
        """The unknown of `left = right`, which are linear in it."""
        lines = self.line(left), self.line(right)
        (low, other), (high, constant) = sorted(lines, key=lambda line: line[0])
        number = self.joined("Subtract", other, constant)
        return self.call("Divide", a=number, b=self.joined("Subtract", high, low))

    def line(self, tree: Tree) -> tuple[Fraction, Fraction]:
        """A side as slope * unknown + constant."""
        if isinstance(tree, str):
            return Fraction(1), Fraction(0)
        if not _unknowns(tree):
            return Fraction(0), self.value(tree)
        tool, *sides = tree
        (slope, constant), (other_slope, other_constant) = map(self.line, sides)
        if tool in ("Add", "Subtract"):
            return self.joined(tool, slope, other_slope), self.joined(tool, constant, other_constant)
        if other_slope and (slope or tool == "Divide"):
            raise FormulaError(REFUSED)
        if other_slope:
            return self.scaled(tool, constant, other_slope), self.scaled(tool, constant, other_constant)
        return self.scaled(tool, slope, other_constant), self.scaled(tool, constant, other_constant)

    def joined(self, tool: str, a: Fraction, b: Fraction) -> Fraction:
        """The sum or difference; nothing is added to 0, and nothing below 0 where the other tool says it better."""
        if not a or not b:
            return a or (b if tool == "Add" else -b)
        if b < 0:
            tool, b = _INVERSE[tool], -b
        return self.call(tool, a=a, b=b)

    def scaled(self, tool: str, a: Fraction, b: Fraction) -> Fraction:
        """The product or quotient, computed without signs, and only where it is not one of the two numbers anyway."""
        if b == 1 or (b and not a):
            return a
        if tool == "Multiply" and (a == 1 or not b):
            return b
        if a < 0 or b < 0:
            return self.scaled(tool, abs(a), abs(b)) * (1 if a < 0 and b < 0 else -1)
        return self.call(tool, a=a, b=b)

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
        if not isinstance(tree, tuple) or tree[0] != "Divide":
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
    text = " ".join(text.split())
    if len(text) > MAX_LENGTH or not _PLAIN.fullmatch(text):
        raise FormulaError(NOT_READ)
    try:
        return _tree(text, ast.parse(text, mode="eval").body)
    except (SyntaxError, MemoryError, RecursionError):  # the last two: more brackets than Python's parser takes
        raise FormulaError(NOT_READ) from None


def _tree(text: str, node: ast.expr) -> Tree:
    if isinstance(node, ast.BinOp) and type(node.op) in _TOOLS:
        return _TOOLS[type(node.op)], _tree(text, node.left), _tree(text, node.right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        below = _tree(text, node.operand)
        return -below if isinstance(below, Fraction) else ("Subtract", Fraction(0), below)
    if isinstance(node, ast.Name):
        return node.id
    value = exact(text[node.col_offset : node.end_col_offset]) if isinstance(node, ast.Constant) else None
    if value is None:
        raise FormulaError(NOT_READ)
    return value


def _unknowns(tree: Tree) -> list[str]:
    if isinstance(tree, tuple):
        return [name for part in tree[1:] for name in _unknowns(part)]
    return [tree] if isinstance(tree, str) else []


def _numbers(text: str) -> list[Fraction]:
    return [exact(literal) for literal in re.findall(r"[0-9]{1,30}(?:\.[0-9]{1,30})?", text)]
