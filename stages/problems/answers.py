"""Whether an answer is the gold answer: True, False, or None for undecided; a guess here would poison a label.

Both texts are read into one exact form: a number with its unit (math), or a label (logic). What is not surely read
(several numbers, number words, unknown notation) is undecided, never False. Where both sides are read:

- numbers are equal where they differ by at most the tolerance; without one, `1/3` and `0.3333` differ
- a unit on one side only is ignored: `18 dollars` is `18`, `50%` is `50`; `18 apples` against `18 pears` is undecided
- measures on both sides are converted: `36 inches` is `3 feet`, `3 feet` is neither `3 meters` nor `3 hours`
- `50%` is also `0.5`; `2 hours` against `120` or `3 dozen` against `3` is undecided, as the question decides the unit
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from stages.tools.calls import number

MAX_LENGTH = 200  # characters that are read; a longer answer is an essay, not an answer
MAX_EXPONENT = 64  # of a number in scientific notation

# What one unit is, in the first unit of its line; all exact by definition.
_MEASURES = {
    "percent": "% 1, percent 1",
    "dollars": "dollar 1, $ 1, usd 1, buck 1, cent 1/100, ¢ 1/100",
    "euros": "euro 1, € 1, eur 1",
    "length": "meter 1, metre 1, km 1000, kilometer 1000, kilometre 1000, cm 1/100, centimeter 1/100, "
    "centimetre 1/100, mm 1/1000, millimeter 1/1000, inch 127/5000, foot 381/1250, ft 381/1250, yard 1143/1250, "
    "mile 201168/125",
    "time": "second 1, sec 1, minute 60, min 60, hour 3600, hr 3600, h 3600, day 86400, week 604800",
    "calendar time": "month 1, year 12, yr 12, decade 120, century 1200",
    "mass": "gram 1, g 1, kg 1000, kilogram 1000, mg 1/1000, milligram 1/1000, pound 45359237/100000, "
    "lb 45359237/100000, £ 45359237/100000, ounce 45359237/1600000, oz 45359237/1600000",
    "volume": "liter 1, litre 1, l 1, ml 1/1000, milliliter 1/1000, millilitre 1/1000",
    "kitchen volume": "cup 1, pint 2, quart 4, gallon 16",
}
_UNITS = {
    unit.split()[0]: (dimension, number(unit.split()[1]))
    for dimension, units in _MEASURES.items()
    for unit in units.split(", ")
}
_PLURALS = {"feet": "foot", "inches": "inch", "centuries": "century"}
_POWERS = {"square": 2, "sq": 2, "cubic": 3}
_CURRENCIES = {"$", "€", "£"}
_SCALES = {"pair": 2, "pairs": 2, "dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}

_NUMBER_WORDS = set(_SCALES) | set(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundreds thousands millions billions dozens
    half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths
    ninth ninths tenth tenths hundredth hundredths thousandth thousandths trillion pi π inf nan""".split()
)
# Words that change or deny the number before them, or turn its direction.
_CHANGES = set(
    """squared cubed factorial root power minus plus times divided modulo negative and or not is are was were isn't
    wrong incorrect am pm o'clock below less fewer loss lost decrease decreased owes debt short colder lower under
    behind""".split()
)
# Words that stand for a number, or make the one behind them vague.
_QUANTIFIERS = set(
    """first once twice thrice double triple single couple both no none nothing nobody nil null all each every any some
    few several many infinity infinite about around approximately roughly nearly almost least most over above between
    more than""".split()
)
_IS = {"=", ":", "is", "are", "was", "were", "equals"}
_NO_LEAD = (_NUMBER_WORDS | _CHANGES | _QUANTIFIERS) - _IS
_FILLERS = {"a", "an", "per", "each", "every", "the", "of", "in", "total", "altogether", "left", "now"}

_LABELS = {
    "true": "True",
    "false": "False",
    "unknown": "Unknown",
    "uncertain": "Unknown",
    "undetermined": "Unknown",
    "cannot be determined": "Unknown",
}

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])|[0-9]++)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?|\.[0-9]++)"
    r"|(?P<word>[^\W\d_]++(?:'[^\W\d_]++)?)|(?P<symbol>\S)"
)
_REWRITES = [
    (re.compile(r"\\boxed\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\text\{([^{}]*)\}"), r" \1"),
    (re.compile(r"\\[dt]?frac\{([0-9]{1,99})\}\{([0-9]{1,99})\}"), r" \1/\2"),
    (re.compile(r"([0-9])\s?(?:×|\*|x|\\times)\s?10(?:\^|\*\*)\{?([-+]?[0-9]{1,2})(?![0-9])\}?"), r"\1e\2"),
    (re.compile(r"^\$([^$]*)\$$|^\\\((.*)\\\)$"), r"\1\2"),
    (re.compile(r"\\([$%])"), r"\1"),
]
_CHARACTERS = str.maketrans(
    {"−": "-", "’": "'", "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅕": " 1/5", "⅛": " 1/8"}
)
_LEAD = re.compile(r"^(?:(?:so |therefore,? )?(?:the )?(?:final )?answer(?: is|:)|it is) ")


@dataclass(frozen=True)
class Quantity:
    """`value` in units of `size` times the first unit of `dimension` ("" for a count).

    `face` is the number without, `scaled` with a word like `dozen`; `value` is the one of them that is meant.
    `nouns` are the words of the unit, without plural and fillers.
    """

    value: Fraction
    face: Fraction
    scaled: Fraction
    dimension: str
    size: Fraction
    nouns: frozenset[str]


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
    quantities = _quantity(texts[0]), _quantity(texts[1])
    if None not in quantities:
        return _equal_quantities(*quantities, tolerance)
    one, other = (quantities[0], texts[1]) if quantities[0] else (quantities[1], texts[0])
    return False if one and _holds_no_number(other, one.value) else None


def canonical_number(text: str) -> Fraction | None:
    """The number that a text surely states, its unit left out and `50%` as 1/2; None where it states none or several.

    >>> canonical_number("$1,234.50"), canonical_number("3 1/2 cups"), canonical_number("4 or 5")
    (Fraction(2469, 2), Fraction(7, 2), None)
    """
    quantity = _quantity(_plain(text))
    if quantity is None:
        return None
    return quantity.value / 100 if quantity.dimension == "percent" else quantity.value


def _plain(text: str) -> str:
    """Case, spacing, quotes or emphasis around a text and its final period do not make another answer."""
    text = " ".join(text.translate(_CHARACTERS).casefold().split())
    return text.strip("*`\"' ").removesuffix(".").rstrip("*`\"' ")


def _equal_labels(answer: str, gold: str) -> bool | None:
    labels = [_LABELS.get(_LEAD.sub("", text)) for text in (answer, gold)]
    if None not in labels:
        return labels[0] == labels[1]
    return False if "" in (answer, gold) and labels != [None, None] else None


def _equal_quantities(a: Quantity, b: Quantity, tolerance: Fraction) -> bool | None:
    if a.nouns & b.nouns & set(_SCALES):  # both count in dozens
        a, b = replace(a, value=a.face), replace(b, value=b.face)
    same = _equal_values(a, b, tolerance)
    if same and a.nouns and b.nouns and not a.nouns & b.nouns and not (a.dimension and b.dimension):
        return None
    if same is False and (a.face == a.scaled) != (b.face == b.scaled):
        readings = [abs(x - y) <= tolerance for x in (a.face, a.scaled) for y in (b.face, b.scaled)]
        return None if any(readings) else False
    return same


def _equal_values(a: Quantity, b: Quantity, tolerance: Fraction) -> bool | None:
    if a.dimension == b.dimension:
        return abs(a.value * a.size - b.value * b.size) <= tolerance * max(a.size, b.size)
    if a.dimension and b.dimension:
        return None if a.dimension.split()[-1] == b.dimension.split()[-1] else False
    measure, plain = (a, b) if a.dimension else (b, a)
    as_written = abs(measure.value - plain.value) <= tolerance
    if measure.dimension == "percent":
        if abs(measure.value / 100 - plain.value) <= tolerance:
            return True
        return (True if abs(measure.value) >= 1 else None) if as_written else False
    sizes = {size for dimension, size in _UNITS.values() if dimension == measure.dimension}
    converted = any(abs(measure.value * measure.size / size - plain.value) <= tolerance for size in sizes)
    return True if as_written else None if converted else False


def _quantity(text: str) -> Quantity | None:
    """The one number that the text states, `[words =] [-][$] number [dozen] [unit]`; None for everything else."""
    tokens = _tokens(text)
    first = next((place for place, token in enumerate(tokens) if token.lastgroup == "number"), None)
    if first is None:
        return None
    start, negative, names = _sign_and_currency(tokens, first)
    read = _read_number(tokens, first)
    if read is None or not _leads_in(tokens[:start]):
        return None
    face, end = read
    face = value = scaled = -face if negative else face
    after = [token[0] for token in tokens[end : end + 2]]
    if after[:1] and after[0] in _SCALES:
        value = scaled = face * _SCALES[after[0]]
        names.append(after[0])
        end += 1
    elif after[:1] == ["("] and after[1:] and after[1] in _SCALES:
        scaled = face * _SCALES[after[1]]
    if end < len(tokens) and tokens[end].lastgroup == "symbol" and tokens[end][0] in _UNITS:
        names.append(tokens[end][0])
        end += 1
    if not _is_unit(tokens[end:]):
        return None
    names += [token[0] for token in tokens[end:] if token.lastgroup == "word"]
    dimension, size = _measure([name for name in names if name not in _SCALES])
    nouns = frozenset(_PLURALS.get(name, name.removesuffix("s")) for name in names if name not in _FILLERS)
    return Quantity(value, face, scaled, dimension, size, nouns)


def _tokens(text: str) -> list[re.Match]:
    if len(text) > MAX_LENGTH:
        return []
    if "\\" in text or "$" in text or "10" in text:
        for pattern, replacement in _REWRITES:
            text = pattern.sub(replacement, text)
    return list(_TOKEN.finditer(text))


def _sign_and_currency(tokens: list[re.Match], first: int) -> tuple[int, bool, list[str]]:
    """Where the number with its sign and currency starts, for `-5`, `$5`, `-$5` and `$-5`; `- 5` is no sign."""
    start, sign, currency = first, "", []
    while start:
        symbol = tokens[start - 1][0]
        if symbol in _CURRENCIES and not currency:
            currency = [symbol]
        elif symbol in "+-" and not sign and tokens[start - 1].end() == tokens[start].start():
            sign = symbol
        else:
            break
        start -= 1
    return start, sign == "-", currency


def _read_number(tokens: list[re.Match], first: int) -> tuple[Fraction, int] | None:
    """A number, a fraction or a mixed number (`3 1/2`, `3 and 1/2`), and the place behind it."""
    texts = [token[0] for token in tokens[first : first + 5]]
    fraction_at = next((place for place in (0, 1, 2) if _is_fraction(texts[place : place + 3])), None)
    try:
        if fraction_at is None:
            return _decimal(texts[0]), first + 1
        fraction = number("".join(texts[fraction_at : fraction_at + 3]).replace(",", ""))
        if not fraction_at:
            return fraction, first + 3
        whole = _decimal(texts[0])
    except ValueError:
        return None
    if whole.denominator != 1 or fraction >= 1 or texts[1:fraction_at] not in ([], ["and"]):
        return None
    return whole + fraction, first + fraction_at + 3


def _is_fraction(texts: list[str]) -> bool:
    return len(texts) == 3 and texts[1] == "/" and texts[0][0] in "0123456789" and texts[2][0] in "0123456789"


def _decimal(text: str) -> Fraction:
    mantissa, _, exponent = text.replace(",", "").partition("e")
    power = int(exponent or 0)
    if abs(power) > MAX_EXPONENT:
        raise ValueError(f"the exponent {power} is beyond {MAX_EXPONENT}")
    return number(mantissa) * Fraction(10) ** power


def _leads_in(tokens: list[re.Match]) -> bool:
    """Whether the text before the number only announces it: nothing, or words that end in `=`, `:` or `is`."""
    texts = [token[0] for token in tokens]
    known = all(token.lastgroup == "word" or token[0] in "=:,." for token in tokens)
    return not texts or texts[-1] in _IS and known and not _NO_LEAD & set(texts)


def _is_unit(tokens: list[re.Match]) -> bool:
    """Whether the text after the number only names what is counted: nothing, `eggs a day`, `km/h`, `(red apples)`.

    Only in brackets may it be anything: `9 (quarters)` is 9, `9 quarters` may be money or a fraction.
    """
    texts = [token[0] for token in tokens]
    words = {token[0] for token in tokens if token.lastgroup == "word"}
    if not tokens:
        return True
    if not words or not set(texts) - words <= set("/()-,."):
        return False
    if texts[0] == "(" and texts[-1] == ")":
        return not words & {"not", "or"}
    factor = len(texts[0]) == 1 and texts[0] not in {"a", "(", "-", "/", *_UNITS} and texts[1:2] != ["-"]
    return not factor and not words & (_NUMBER_WORDS | _CHANGES)


def _measure(names: list[str]) -> tuple[str, Fraction]:
    """Dimension and size of the unit that comes first, also of `square feet`; ("", 1) for a noun or nothing."""
    if not names:
        return "", Fraction(1)
    if names[0] in _POWERS and len(names) > 1:
        dimension, size = _measure(names[1:])
        power = _POWERS[names[0]]
        return (f"{dimension} power{power}", size**power) if dimension else ("", size)
    name = _PLURALS.get(names[0], names[0])
    return _UNITS.get(name) or _UNITS.get(name.removesuffix("s")) or ("", Fraction(1))


def _holds_no_number(text: str, value: Fraction) -> bool:
    """Whether a text surely does not mean this number: plain words, none of them for a number.

    Nothing is sure about 0 and 1 (`it is free`, `an apple`).
    """
    tokens = _tokens(text)
    words = {token[0] for token in tokens if token.lastgroup == "word"}
    plain = text.isascii() and all(token.lastgroup == "word" or token[0] in "'?,.:()-" for token in tokens)
    known = plain and len(text) <= MAX_LENGTH and not words & (_NUMBER_WORDS | _QUANTIFIERS)
    return not text or known and value not in (0, 1)
