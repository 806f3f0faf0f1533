"""Plain equations in solution texts: `18 plums / 3 plums/bag = 6 bags`, `3/12 x 100% = 25%`, `-4 + 1 = -3`.

What stands before an equals sign is read as one expression from as far left as it goes, units left out; words that
change a number (`16 dozen`, `half of`) are none. Nothing is computed here: who takes an equation runs its expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from stages.tools.calls import number
from stages.verdicts.quantities import CHANGING, SCALES

MAX_TOKENS = 60  # of one side; GSM8K's longest has some 50
MAX_UNIT = 5  # words behind a number: `8 correct answers a day`
MAX_DEPTH = 10

_TOKEN = re.compile(
    r"(?P<number>[0-9]{1,3}+(?: [0-9]{3}){1,9}(?![0-9.,/])|[0-9]{1,30}+(?:,[0-9]{3,6}+)*(?:\.[0-9]{1,30}+)?"
    r"|\.[0-9]{1,30}+)"
    r"|(?P<word>[^\W\d_]++(?:['’][^\W\d_]++)?)|(?P<sign>[^\s])|(?P<line>\n)"
)
_OPERATORS = {"+": "+", "-": "-", "−": "-", "–": "-", "*": "*", "×": "*", "x": "*", "X": "*", "/": "/", "÷": "/"}
_NO_UNIT = CHANGING | {"and", "by", "of", "st", "nd", "rd", "th", "to", "so", "because", "then", "from"}
_TURNS = set(SCALES) | set(
    "half twice thrice double triple quarter times plus minus divided multiplied less more".split()
)
_PARTS = {*_OPERATORS, "%", ")"}


class _NotRead(Exception):
    pass


@dataclass(frozen=True)
class Equation:
    """An expression, what it says it gives (so many percent, where `percent`), and where in the text it starts."""

    parts: tuple[str, ...]
    value: Fraction
    percent: bool
    place: int

    def expression(self) -> str:
        return "".join(self.parts)

    def ways(self) -> list[str]:
        """Expressions for the value itself: `100% - 40% = 60%` as 100-40, and `60% * 40% = 24%` as 60%*40."""
        signs = [place for place, part in enumerate(self.parts) if part == "%"]
        if not self.percent or not signs:
            return [] if self.percent else [self.expression()]
        without = "".join(part for part in self.parts if part != "%")
        return [without, "".join(self.parts[: signs[-1]] + self.parts[signs[-1] + 1 :])]


def equations(text: str) -> Iterator[Equation]:
    """The equations of a text whose right side is a number; whether they hold is not said."""
    tokens = list(_TOKEN.finditer(text))
    start = 0
    for place, token in enumerate(tokens):
        if token[0] == "=":
            left, start = tokens[start:place], place + 1
            right = _value(tokens[place + 1 : place + 12])
            read = _expression(left) if right else None
            if read:
                yield Equation(tuple(read[0]), *right, read[1])
        elif token.lastgroup == "line" or token.lastgroup == "sign" and token[0] not in "+-−–*×/÷%()$":
            start = place + 1


def _value(tokens: list[re.Match]) -> tuple[Fraction, bool] | None:
    """The number behind an equals sign, and whether it is a percentage; None where more is computed there."""
    while tokens and tokens[0].lastgroup == "line":
        tokens = tokens[1:]
    lines = [place for place, token in enumerate(tokens) if token.lastgroup == "line"]
    tokens = tokens[: lines[0]] if lines else tokens
    place = next((place for place, token in enumerate(tokens) if token[0] not in ("$", "-", "−")), len(tokens))
    if place == len(tokens) or tokens[place].lastgroup != "number":
        return None
    negative = any(token[0] != "$" for token in tokens[:place])
    fraction, end = _fraction(tokens, place)
    value = number(_digits(tokens[place][0])) if fraction is None else fraction
    percent = end < len(tokens) and tokens[end][0] == "%"
    if _goes_on(tokens[end + percent :], tokens[end + percent - 1].end()):
        return None
    return (-value if negative else value), percent


def _goes_on(tokens: list[re.Match], end: int) -> bool:
    """Whether the number before these tokens is a part of something longer: `5 - 1`, `5,5`, but `5/week`, `5 x`."""
    if not tokens:
        return False
    text, kinds = tokens[0][0], [token.lastgroup for token in tokens[:2]]
    number_next = kinds[1:] == ["number"] or len(tokens) > 1 and tokens[1][0] in "$("
    if text == "/":
        return kinds[1:] != ["word"]
    if text in ("x", "X"):
        return number_next
    if text in (",", "."):
        return number_next and tokens[1].start() == tokens[0].end() == end + 1
    return kinds[0] == "number" or text in "+-−*×÷%"


def _digits(text: str) -> str:
    return text.replace(",", "").replace(" ", "")


def _fraction(tokens: list[re.Match], place: int) -> tuple[Fraction | None, int]:
    """`3/4`, `1 1/2` and `1 and 1/2` as a number, and the place behind it."""
    texts = [token[0] for token in tokens[place : place + 5]]
    kinds = [token.lastgroup for token in tokens[place : place + 5]]
    for whole in (0, 1, 2):
        part = texts[whole : whole + 3]
        if (
            kinds[whole : whole + 3] == ["number", "sign", "number"]
            and part[1] == "/"
            and (not whole or kinds[0] == "number")
        ):
            if whole == 2 and texts[1] != "and" or not all(text.isdigit() for text in (part[0], part[2], texts[0])):
                continue
            if not int(part[2]) or whole and int(part[0]) >= int(part[2]):
                continue
            value = Fraction(int(part[0]), int(part[2])) + (int(texts[0]) if whole else 0)
            return value, place + whole + 3
    return None, place + 1


def _expression(tokens: list[re.Match]) -> tuple[list[str], int] | None:
    """The longest expression that ends where the tokens do, with an operator, and its place in the text."""
    cut = len(tokens) > MAX_TOKENS
    tokens = tokens[-MAX_TOKENS:]
    for start, token in enumerate(tokens):
        if token.lastgroup == "word" or token[0] in _OPERATORS and token[0] not in "-−" or token[0] in ")%":
            continue
        reader = _Reader(tokens[start:])
        try:
            parts = reader.sum(0)
        except _NotRead:
            continue
        if reader.place < len(reader.tokens) or not reader.operators:
            continue
        return (parts, token.start()) if _begins(tokens, start) and not (cut and not start) else None
    return None


def _begins(tokens: list[re.Match], start: int) -> bool:
    """Whether an expression begins here: what stands before is neither a part of it nor changes its first number."""
    if not start:
        return True
    before, last = tokens[:start], tokens[start - 1]
    if last.end() == tokens[start].start() and last[0] != "(":
        return False
    if last[0] in "-–−":  # as between words: `on Monday - 4 + 1 = 5`
        return not any(token.lastgroup == "number" for token in before)
    while before and before[-1][0].lower() in ("of", "by", "than"):
        before = before[:-1]
    if not before:
        return True
    linked = len(before) < start and before[-1].lastgroup == "number"
    return not linked and before[-1][0] not in _PARTS and before[-1][0].lower() not in _TURNS


def _is_share(parts: list[str]) -> bool:
    """Whether these end in a percentage or a fraction, of which something may be taken."""
    return parts[-1] in ("%", ")") or parts[-2:-1] == ["/"]


class _Reader:
    """One pass over the tokens of an expression; units are passed over."""

    def __init__(self, tokens: list[re.Match]) -> None:
        self.tokens = tokens
        self.texts = [token[0] for token in tokens]
        self.place = 0
        self.operators = 0
        self.named_last = False  # whether words of a unit stand behind the last operand

    def kind(self, ahead: int = 0) -> str:
        place = self.place + ahead
        return self.tokens[place].lastgroup if place < len(self.tokens) else ""

    def text(self, ahead: int = 0) -> str:
        place = self.place + ahead
        return self.texts[place] if place < len(self.texts) else ""

    def sum(self, depth: int) -> list[str]:
        parts = self.operand(depth)
        while True:
            text = self.text()
            if text in _OPERATORS:
                parts.append(_OPERATORS[text])
            elif (
                text == "of"
                and not self.named_last
                and _is_share(parts)
                and (self.kind(1) == "number" or self.text(1) in ("$", "("))
            ):
                parts.append("*")
            elif text == "(" and self.tokens[self.place - 1].end() == self.tokens[self.place].start():
                parts.append("*")
                self.place -= 1
            else:
                return parts
            self.place += 1
            self.operators += 1
            parts += self.operand(depth)

    def operand(self, depth: int) -> list[str]:
        sign = []
        if self.text() in ("-", "−") and self.attached():
            sign = ["-"]
            self.place += 1
        if self.text() == "$":
            self.place += 1
        if self.text() == "(" and depth < MAX_DEPTH:
            self.place += 1
            inner = self.sum(depth + 1)
            if self.text() != ")":
                raise _NotRead
            self.place += 1
            made = ["(", *inner, ")"]
        elif self.kind() == "number":
            made = self.number()
        else:
            raise _NotRead
        if self.text() == "%":
            made.append("%")
            self.place += 1
        self.unit()
        return sign + made

    def attached(self) -> bool:
        return (
            self.place + 1 < len(self.tokens) and self.tokens[self.place].end() == self.tokens[self.place + 1].start()
        )

    def number(self) -> list[str]:
        mixed = self.kind(1) == "number" or self.text(1) == "and"
        value, end = _fraction(self.tokens, self.place) if mixed else (None, 0)
        if value is not None:
            whole = self.text()
            self.place = end
            return ["(", whole, "+", self.texts[end - 3], "/", self.texts[end - 1], ")"]
        text = _digits(self.text())
        self.place += 1
        return [text]

    def unit(self) -> None:
        """Passes over `meters`, `correct answers`, `meals/day`, `(min/hour)`."""
        if self.text() == "(" and self.kind(1) == "word":
            end = next((at for at in range(2, MAX_UNIT + 2) if self.text(at) == ")"), 0)
            if not end or any(self.kind(at) != "word" and self.text(at) != "/" for at in range(1, end)):
                raise _NotRead
            self.place += end + 1
        start = self.place
        while self.place < start + MAX_UNIT:
            if self.text() == "/" and self.kind(1) == "word" and self.named(1):
                self.place += 1
            elif self.kind() != "word" or not self.named(0):
                break
            self.place += 1
        self.named_last = self.place > start

    def named(self, ahead: int) -> bool:
        """Whether a word names what is counted; a single letter may be an unknown or a sign."""
        word = self.text(ahead).lower()
        if word == "of":
            return self.kind(ahead + 1) == "word" and self.kind(ahead - 1) == "word"
        return word not in _NO_UNIT and (len(word) > 1 or word == "a" and self.kind(ahead + 1) == "word")
