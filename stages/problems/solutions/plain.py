"""Plain equations in solution texts: `18 plums / 3 plums/bag = 6 bags`, `3/12 x 100% = 25%`, `-4 + 1 = -3`.

Units are blanked out, and print such as `×` becomes what an expression has, each in its place. Then the row of numbers
and operators before an equals sign is one expression; a word that changes a number (`16 dozen`, `half of`) ends the
row. Whether an equation holds is not said here: who takes one runs its expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from stages.tools.arithmetic.expression import evaluate
from stages.tools.tool import ToolError
from stages.verdicts.quantities import CHANGING, SCALES

_TURNS = set(SCALES) | set(
    "half twice thrice double triple quarter times plus minus divided multiplied less more".split()
)
_NO_UNIT = CHANGING | _TURNS | set("and by of st nd rd th to so because then from".split())

_LETTERS = r"[^\W\d_]{1,30}+(?:['’][^\W\d_]{1,30}+)?"
_IN_BRACKETS = re.compile(rf"\({_LETTERS}(?:/{_LETTERS})?\)")  # `60 (min/hour)`
_BEHIND = re.compile(rf"(?<=[0-9%)])(?: ?/? ?{_LETTERS}){{1,5}}")  # `8 correct answers a day`
_WORD = re.compile(_LETTERS)
_SIGNS = str.maketrans("×÷−–$\u00a0", "*/--  ")
_TIMES = re.compile(r"(?<=[0-9)% ])[xX](?= {0,2}[(.]?[0-9])")
_SHARE = re.compile(r"([%)]|/[0-9]{1,9})( ?)of(?= {1,2}[(0-9])")  # `20% of 50`, `1/2 of 50`
_AND = re.compile(r"(?<=[0-9]) and (?=[0-9]{1,9}/[0-9])")  # `1 and 1/4`

# A row with its equals sign, the number behind it, and what says that more is computed there.
_ROW = re.compile(r"((?:[-+*/()%0-9 ]|[.,](?=[0-9]))+)(=?)")
_DECIMAL = r"[0-9]{0,30}+(?:[.,][0-9]{1,30}+)*(?: [0-9]{3})*"
_FRACTION = r"(?:[0-9]{1,9} {1,5})?[0-9]{1,9} ?/ ?[0-9]{1,9}"
_VALUE = re.compile(rf"\s*+(-? {{0,2}}(?:{_FRACTION}|{_DECIMAL}))( ?%)?")
_GOES_ON = re.compile(r" ?(?:[-+*×÷−%0-9]|/(?! ?[^\W\d_])|[xX] ?[$(]?[0-9]|[.,][0-9])")

# What stands in a row: `1,500` and `100 000`, `1 1/2`, two numbers side by side, and `2(3 + 4)`.
_SEPARATOR = re.compile(r"(?<=[0-9])(?:,(?=[0-9]{3})| (?=[0-9]{3}(?![0-9.,/])))")
_MIXED = re.compile(r"(?<![0-9.,/])([0-9]{1,9}) {1,5}([0-9]{1,9} ?/ ?[0-9]{1,9})(?![0-9.])")
_APART = re.compile(r"(?<=[0-9.%)]) ++(?=[0-9.(])")
_FACTOR = re.compile(r"(?<=[0-9)])(?=\()")


@dataclass(frozen=True)
class Equation:
    """An expression, what it says it gives (so many percent, where `percent`), and where in the text it starts."""

    expression: str
    value: Fraction
    percent: bool
    place: int

    def ways(self) -> list[str]:
        """Expressions for the value itself: `100% - 40% = 60%` as 100-40, and `60% * 40% = 24%` as 60%*40."""
        if not self.percent:
            return [self.expression]
        before, sign, behind = self.expression.rpartition("%")
        return [self.expression.replace("%", ""), before + behind] if sign else []


def equations(text: str) -> Iterator[Equation]:
    """The equations of a text whose right side is a number; whether they hold is not said."""
    plain = _plain(text)
    for row in _ROW.finditer(plain):
        value = _VALUE.match(plain, row.end()) if row[2] else None
        if value is None or _GOES_ON.match(text, value.end()) or not _begins(text, row):
            continue
        expression = _expression(row[1])
        if not re.search(r"[0-9)%][-+*/]", expression):
            continue
        try:
            yield Equation(expression, evaluate(_expression(value[1])), value[2] is not None, row.start())
        except ToolError:
            continue


def _plain(text: str) -> str:
    """The text with units as spaces and signs as an expression has them, of the same length."""
    text = _IN_BRACKETS.sub(lambda unit: " " * len(unit[0]), text)
    text = _BEHIND.sub(_without_units, text).translate(_SIGNS)
    text = _SHARE.sub(r"\1\2* ", _TIMES.sub("*", text))
    return _AND.sub("     ", text)


def _without_units(words: re.Match) -> str:
    """The words behind a number as spaces, up to one that is no unit; a single letter may be an unknown or a sign."""
    found = [*_WORD.finditer(words[0])]
    end = 0
    for place, word in enumerate(found):
        last = place == len(found) - 1
        between = word[0] == "of" and place > 0 or word[0] == "a"
        if (word[0].lower() in _NO_UNIT or len(word[0]) == 1) and (last or not between):
            break
        end = word.end()
    return " " * end + words[0][end:]


def _begins(text: str, row: re.Match) -> bool:
    """Whether an expression begins with a row: no word before it changes its first number or is a part of it."""
    before = text[max(0, row.start() - 200) : row.start()]
    line = before[before.rfind("\n") + 1 :]
    first = row[1].lstrip()
    if first[:1] in ("+", "*", "/", "%", ")") or line and line[-1].isalpha() and row[1][0] != " ":
        return False
    if first.startswith("- ") and re.search("[0-9]", line):  # a dash, as in `on Monday - 4 + 1 = 5`, or a minus
        return False
    words = line.split()
    while words and words[-1].lower() in ("of", "by", "than"):
        words.pop()
        if words and words[-1][-1].isdigit():
            return False
    return not words or words[-1].lower() not in _TURNS


def _expression(row: str) -> str:
    """What a row of numbers and operators says, as `Calculate` reads it; of two numbers side by side the second."""
    text = _MIXED.sub(r"(\1+\2)", _SEPARATOR.sub("", row).strip().removeprefix("- "))
    text = _FACTOR.sub("*", _APART.split(text)[-1]).replace(" ", "")
    while text.count("(") > text.count(")"):
        text = text.partition("(")[2]
    return text
