"""How numbers stand in English text: in digits, as a fraction, spelled, or meant by a word such as `twice`."""

from __future__ import annotations

import math
import re
from fractions import Fraction

MAX_DENOMINATOR = 1_000  # of the fractions that floats of many places stand for
ULPS = 4  # how far some operations on floats lead from the exact result; of 125 golds of GSM-Hard the most is 3
CHANCE = Fraction(1, 10_000)  # that a decimal is near some fraction by accident is less likely, or it is none

NUMERAL = re.compile(r"[0-9]{1,30}(?:,[0-9]{3})*(?:\.[0-9]{1,30})?")
FRACTION = re.compile(r"([0-9]{1,15})\s?/\s?([0-9]{1,15})")
_NUMBER = re.compile(
    r"-?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,2})?|-?[0-9]{1,40}/[0-9]{1,40}"
)

_LONG = re.compile(r"-?([0-9]{1,12})\.([0-9]{5,40})")

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

# Parts of one, `5 twelfths`; `quarters` and `halves` are coins and games too.
_ORDINALS = """third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
sixteenth seventeenth eighteenth nineteenth twentieth""".split()
PARTS = {word: Fraction(1, value) for value, word in enumerate(_ORDINALS, start=3)}
PARTS |= {"hundredth": Fraction(1, 100), "thousandth": Fraction(1, 1000), "millionth": Fraction(1, 10**6)}
PARTS |= {f"{word}s": value for word, value in PARTS.items()}

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


def spread(published: str) -> Fraction:
    """How far the number may be that a published decimal stands for: 0, where it is not what a float prints.

    A float that is rounded has 16 or 17 digits, fewer where the last are 0: some steps of the float, and where 15 are
    left, as a digit may have been cut, half a unit of the last. Shorter decimals are what they say, `0.333` is not a
    third; so is money, which has few places.

    >>> spread("0.333"), spread("12345678901234.56"), 0 < spread("2333333.6666666665") < Fraction(1, 10**8)
    (Fraction(0, 1), Fraction(0, 1), True)
    """
    match = _LONG.fullmatch(published.strip())
    digits = len((match[1] + match[2]).lstrip("0")) if match else 0
    if not 12 <= digits <= 17:
        return Fraction(0)
    steps = ULPS * Fraction(math.ulp(float(match[0])))
    return steps + Fraction(1, 2 * 10 ** len(match[2])) if digits == 15 else steps


def near_fraction(value: Fraction, within: Fraction) -> Fraction | None:
    """The fraction of a small denominator that a rounded value surely is; None where it may be near one by chance."""
    near = value.limit_denominator(MAX_DENOMINATOR)
    sure = 2 * within * near.denominator**2 < CHANCE
    return near if sure and abs(near - value) <= within else None


def exact(published: str) -> Fraction | None:
    """The number that a published one stands for: `0.3333333333333333`, a third as a float, is 1/3; None for no number.

    Only what a float prints (`spread`) and numbers of 12 and more decimal places are taken for fractions, and only for
    such with a small denominator.

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
    within = spread(published)
    return (near_fraction(value, within) if within else None) or value
