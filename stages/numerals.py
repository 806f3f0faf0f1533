"""How numbers stand in English text: in digits, as a fraction, spelled, or meant by a word such as `twice`."""

from __future__ import annotations

import re
from fractions import Fraction

NUMERAL = re.compile(r"[0-9]{1,30}(?:,[0-9]{3})*(?:\.[0-9]{1,30})?")
FRACTION = re.compile(r"([0-9]{1,15})\s?/\s?([0-9]{1,15})")

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
    rf"(?<![\w-])(?:{'|'.join(sorted(SPELLED, key=len, reverse=True))})(?![\w-])", re.IGNORECASE
)
