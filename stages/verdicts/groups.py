"""Several numbers as one answer: sets, tuples, intervals and their unions, compared exactly.

What a notation leaves open stays open: `(1, 2)` is a pair or an open interval, `1, 2` a list in any order or in this
one. Two groups differ only where they differ in every reading, and are equal only where they are equal in every one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from stages.verdicts.quantities import quantity, rewritten

MAX_PARTS = 20
INFINITY = float("inf")  # compares exactly with a Fraction
_ENDS = {sign + end: -INFINITY if sign == "-" else INFINITY for end in ("∞", "oo", "inf") for sign in ("", "+", "-")}
_SETS = {"{}", "[)", "(]", "()", "[]"}
_BARE = re.compile(r", (?:and )?| and | or (?=[a-z] ?=)")  # `1,5` may be a decimal number, `4 or 5` a guess

Number = Fraction | float  # float: only an infinite end of an interval
Interval = tuple[Number, bool, Number, bool]  # low, low end open, high, high end closed


@dataclass(frozen=True)
class Group:
    """`marks` are the brackets around `parts`: `{}`, `()`, `[]`, `[)`, `(]`, or none; `∪`: the parts are intervals."""

    marks: str
    parts: tuple

    def surely_interval(self) -> bool:
        return self.marks in ("[)", "(]", "∪") or any(abs(part) == INFINITY for part in self.parts)

    def intervals(self) -> tuple[Interval, ...] | None:
        """The intervals in order, those that touch as one; None where a part is none."""
        parts = [Group.intervals(part) for part in self.parts] if self.marks == "∪" else [self._interval()]
        if None in parts:
            return None
        merged: list[Interval] = []
        for low, low_open, high, high_closed in sorted(interval for part in parts for interval in part):
            if merged and (low < merged[-1][2] or low == merged[-1][2] and (merged[-1][3] or not low_open)):
                before = merged[-1]
                merged[-1] = (*before[:2], *max(before[2:], (high, high_closed)))
            else:
                merged.append((low, low_open, high, high_closed))
        return tuple(merged)

    def _interval(self) -> tuple[Interval] | None:
        if self.marks not in ("()", "[]", "[)", "(]") or len(self.parts) != 2 or not self.parts[0] < self.parts[1]:
            return None
        low, high = self.parts
        return ((low, self.marks[0] == "(" or low == -INFINITY, high, self.marks[1] == "]" and high != INFINITY),)


def group(text: str) -> Group | None:
    """The numbers that a plain text lists, all of them exact and without unit; None for everything else."""
    text = rewritten(text)
    if "∪" in text:
        made = [group(part.strip()) for part in text.split("∪", MAX_PARTS)]
        return None if None in made or any(part.marks in ("", "{}", "∪") for part in made) else Group("∪", tuple(made))
    marks = text[:1] + text[-1:]
    if marks in _SETS:
        return _grouped(marks, text[1:-1].split(",", MAX_PARTS), text)
    return _grouped("", _BARE.split(text, MAX_PARTS), text)


def _grouped(marks: str, texts: list[str], text: str) -> Group | None:
    parts = tuple(_part(part.strip()) for part in texts)
    thousands = re.search(r"[0-9],[0-9]{3}(?![0-9])", text) is not None  # `(1,234)` is one number or two
    if None in parts or thousands or len(parts) < (1 if marks == "{}" else 2):
        return None
    infinite = any(abs(part) == INFINITY for part in parts)
    return None if infinite and (marks in ("", "{}") or len(parts) != 2) else Group(marks, parts)


def _part(text: str) -> Number | None:
    if text in _ENDS:
        return _ENDS[text]
    read = quantity(text)
    return read.value if read and not read.nouns else None


def equal_groups(a: Group, b: Group) -> bool | None:
    """Whether both are the same numbers in the same arrangement; None where that depends on how one reads them."""
    if a.surely_interval() or b.surely_interval():
        intervals = a.intervals(), b.intervals()
        return None if None in intervals else intervals[0] == intervals[1]
    if "{}" in (a.marks, b.marks):
        same = set(a.parts) == set(b.parts)
        return None if same and {a.marks, b.marks} & {"()", "[]"} else same
    if sorted(a.parts) != sorted(b.parts):
        return False
    if a.marks != b.marks:
        return None
    return True if a.parts == b.parts else None if a.marks == "" else False


def equal_number(numbers: Group, value: Fraction) -> bool | None:
    """Whether a group is one number: decided for sets; `4, 5` against `4` may be a list of alternatives."""
    return set(numbers.parts) == {value} if numbers.marks == "{}" else None
