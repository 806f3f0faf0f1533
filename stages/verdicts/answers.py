"""Whether an answer is the gold answer: True, False, or None for undecided; a guess here would poison a label.

Both texts are read into one exact form: a number with its unit, numbers in a set, tuple or interval, a label, or the
letter of an option. What is not surely read (several numbers in a sentence, number words) is undecided, never False.
Only what is in a mathematician's notation, such as `\\sqrt{2}`, goes on to Math-Verify, in the killable worker.

- numbers are equal where they differ by at most the tolerance; without one, `1/3` and `0.3333` differ
- a long decimal is what a float prints: `0.3333333333333333` is `1/3`, `0.30000000000000004` is `0.3`
- a unit on one side only is ignored: `18 dollars` is `18`, `50%` is `50`; `18 apples` against `18 pears` is undecided
- measures of one kind are converted: `36 inches` is `3 feet`, `3 feet` is not `3 meters`; of two kinds are undecided
- a unit or scale in no table (`3 tons`, `20 degrees celsius`) against another number is undecided, never different
- `50%` is also `0.5`; `2 hours` against `120` or `3 dozen` against `3` is undecided, as the question decides the unit
- `{1, 2}` is `{2, 1}`, `(1, 2)` is not `(2, 1)`; `[1, 2]` against `(1, 2)` is undecided, `[1, 2)` is not `[1, 2]`
- `(A)` is `A`, and `A) True` too; a letter against what an option may say is undecided
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from stages.records.numbers import near_fraction
from stages.verdicts import notation
from stages.verdicts.groups import equal_groups, equal_number, group
from stages.verdicts.quantities import MAX_LENGTH, SCALES, Quantity, holds_no_number, quantity
from stages.verdicts.stated import stated

_LABELS = {
    "true": "True",
    "false": "False",
    "unknown": "Unknown",
    "uncertain": "Unknown",
    "undetermined": "Unknown",
    "cannot be determined": "Unknown",
}
_CHARACTERS = str.maketrans(
    {"−": "-", "’": "'", "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅕": " 1/5", "⅛": " 1/8"}
)
_LEAD = re.compile(r"^(?:(?:so |therefore,? )?(?:the )?(?:final |correct )?(?:answer|option|choice)(?: is:?|:)|it is) ")
_LETTER = re.compile(r"(?:(?:option|choice|answer) )?(?:([a-z])[.):]?|\(([a-z])\)|\[([a-z])\])")
_OPTION = re.compile(r"(?:\(([a-z])\)|([a-z])[.):]) ")


def equal(answer: str, gold: str, task: str, tolerance: Fraction = Fraction(0)) -> bool | None:
    """Whether both texts give the same answer to a problem of this task; None where that cannot be told.

    Reflexive and symmetric. `tolerance` is absolute, in the unit as written, and applies to numbers only.
    """
    if task not in ("math", "logic"):
        raise ValueError(f"task {task!r} has no answers; use math or logic")
    texts = _plain(answer), _plain(gold)
    if texts[0] == texts[1]:
        return True
    if task == "logic":
        return _equal_labels(*texts)
    quantities = quantity(texts[0]), quantity(texts[1])
    if None not in quantities:
        return _equal_quantities(*quantities, tolerance)
    if "" in texts:
        return False
    if max(map(len, texts)) > MAX_LENGTH:
        return None
    if quantities == (None, None):
        return _equal_groups_or_letters(*texts)
    one, other = (quantities[0], texts[1]) if quantities[0] else (quantities[1], texts[0])
    if holds_no_number(other, one.value):
        return False
    numbers = None if one.nouns else group(other)
    return notation.same(*texts) if numbers is None else equal_number(numbers, one.value)


def canonical_number(text: str) -> Fraction | None:
    """The number that a text surely states, its unit left out and `50%` as 1/2; None where it states none or several.

    >>> canonical_number("$1,234.50"), canonical_number("3 1/2 cups"), canonical_number("4 or 5")
    (Fraction(2469, 2), Fraction(7, 2), None)
    """
    read = quantity(_plain(text))
    if read is None:
        return None
    value = near_fraction(read.value, read.spread) or read.value if read.spread else read.value
    return value / 100 if read.dimension == "percent" else value


def _plain(text: str) -> str:
    """Case, spacing, quotes or emphasis around a text and its final period do not make another answer."""
    text = " ".join(stated(text.translate(_CHARACTERS).casefold()).split())
    return text.strip("*`\"' ").removesuffix(".").rstrip("*`\"' ")


def _equal_labels(answer: str, gold: str) -> bool | None:
    texts = [_LEAD.sub("", text) for text in (answer, gold)]
    letters = _equal_letters(*texts)
    if letters is not None:
        return letters
    labels = [_LABELS.get(_OPTION.sub("", text)) for text in texts]
    if None not in labels:
        return labels[0] == labels[1]
    known = labels != [None, None] or _letter(texts[0]) or _letter(texts[1])
    return False if "" in (answer, gold) and known else None


def _equal_groups_or_letters(answer: str, gold: str) -> bool | None:
    texts = [_LEAD.sub("", text) for text in (answer, gold)]
    letters = _equal_letters(*texts)
    if letters is not None:
        return letters
    groups = [group(text) for text in texts]
    return notation.same(*texts) if None in groups else equal_groups(*groups)


def _equal_letters(a: str, b: str) -> bool | None:
    """Whether both name the same option, where one of them is a letter and no more; None where one names none."""
    letters = _letter(a), _letter(b)
    if letters == ("", ""):
        return None
    named = [letter or _option(text) for letter, text in zip(letters, (a, b), strict=True)]
    return named[0] == named[1] if all(named) else None


def _letter(text: str) -> str:
    match = _LETTER.fullmatch(text)
    return match[match.lastindex] if match else ""


def _option(text: str) -> str:
    """The letter before an option's text, `a` of `(a) the green book`."""
    match = _OPTION.match(text)
    return match[match.lastindex] if match else ""


def _equal_quantities(a: Quantity, b: Quantity, tolerance: Fraction) -> bool | None:
    if a.nouns & b.nouns & set(SCALES):  # both count in dozens
        a, b = replace(a, value=a.face), replace(b, value=b.face)
    same = _equal_values(a, b, max(tolerance, a.spread, b.spread))
    other_nouns = a.nouns and b.nouns and not a.nouns & b.nouns
    if same and other_nouns and not (a.dimension and b.dimension):
        return None
    if same is False and (_may_convert(a, b) or other_nouns and bool(a.dimension) != bool(b.dimension)):
        return None
    if same is False and (a.face == a.scaled) != (b.face == b.scaled):
        readings = [abs(x - y) <= tolerance for x in (a.face, a.scaled) for y in (b.face, b.scaled)]
        return None if any(readings) else False
    return same


def _may_convert(a: Quantity, b: Quantity) -> bool:
    """Whether units that differ may make other numbers equal: one of no known size, or other rates."""
    rates = len(a.units) > 1 and len(b.units) > 1 and a.units != b.units
    return a.vague() != b.vague() or rates


def _equal_values(a: Quantity, b: Quantity, tolerance: Fraction) -> bool | None:
    if a.dimension == b.dimension:
        return abs(a.value * a.size - b.value * b.size) <= tolerance * max(a.size, b.size)
    if a.dimension and b.dimension:
        return None  # an ounce may be of milk, a pound money
    measure, plain = (a, b) if a.dimension else (b, a)
    as_written = abs(measure.value - plain.value) <= tolerance
    if measure.dimension == "percent":
        if abs(measure.value / 100 - plain.value) <= tolerance:
            return True
        return (True if abs(measure.value) >= 1 else None) if as_written else False
    converted = any(abs(measure.value * measure.size / size - plain.value) <= tolerance for size in measure.sizes())
    return True if as_written else None if converted else False
