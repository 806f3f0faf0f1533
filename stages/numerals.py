"""How numbers stand in English text: in digits, as a fraction, spelled, or meant by a word such as `twice`."""

from __future__ import annotations

import re
from fractions import Fraction

MAX_DENOMINATOR = 1_000  # of the fractions that floats of many places stand for

NUMERAL = re.compile(r"[0-9]{1,30}(?:,[0-9]{3})*(?:\.[0-9]{1,30})?")
FRACTION = re.compile(r"([0-9]{1,15})\s?/\s?([0-9]{1,15})")
_NUMBER = re.compile(
    r"-?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,2})?|-?[0-9]{1,40}/[0-9]{1,40}"
)

ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen \
eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = {
    **{word: Fraction(value) for value, word in enumerate(ONES, start=1)},
    **{word: Fraction(10 * value) for value, word in enumerate(TENS, start=2)},
    **dict.fromkeys(("half", "halves"), Fraction(1, 2)),
    **dict.fromkeys(("third", "thirds", "thrice", "triple", "tripled"), Fraction(3)),
    **dict.fromkeys(("quarter", "quarters", "fourth", "fourths", "quadruple"), Fraction(4)),
    **dict.fromkeys(("twice", "double", "doubled", "pair", "couple"), Fraction(2)),
    **dict.fromkeys(("fifth", "fifths"), Fraction(5)),
    "dozen": Fraction(12),
    "hundred": Fraction(100),
    "thousand": Fraction(1000),
}

# `two` to `ninety-nine`, also `ninety nine`; one may be no number.
SPELLED = {word: value for value, word in enumerate(ONES[1:], start=2)}
SPELLED |= {word: 10 * value for value, word in enumerate(TENS, start=2)}
SPELLED |= {
    f"{ten}{gap}{one}": SPELLED[ten] + value for ten in TENS for gap in "- " for value, one in enumerate(ONES[:9], 1)
}
SPELLED_NUMBER = re.compile(
    rf"(?<![\w-])(?:(?:{'|'.join(TENS)})(?:[- ](?:{'|'.join(ONES[:9])}))?|{'|'.join(ONES[1:])})(?![\w-])",
    re.IGNORECASE,
)


def exact(published: str) -> Fraction | None:
    """The number that a published one stands for: `0.3333333333333333`, a third as a float, is 1/3; None for no number.

    Only numbers of 12 and more decimal places are taken for fractions, and only for such with a small denominator.

    >>> exact("504.0"), exact("0.3333333333333333"), exact("3.333"), exact("a third")
    (Fraction(504, 1), Fraction(1, 3), Fraction(3333, 1000), None)
    """
    if not _NUMBER.fullmatch(published.strip()):
        return None
    try:
        value = Fraction(published.strip())
    except ZeroDivisionError:
        return None
    if len(published.partition(".")[2]) >= 12:
        near = value.limit_denominator(MAX_DENOMINATOR)
        if abs(near - value) < Fraction(1, 10**12):
            return near
    return value
