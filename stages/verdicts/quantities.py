"""The one number that a text surely states, with its unit; None for everything else, never a guess.

`18`, `$1,234.50`, `12 red apples`, `50%`, `3 1/2 cups`, `1.5 × 10^3`, `x = -3`, `3 dozen eggs`, `5 twelfths` and
`2 lakh` are read; several numbers (`5 feet 6 inches`), number words, ranges, times of day, roots and powers are not.
Every pattern runs in linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from stages.records.numbers import PARTS, spread
from stages.tools.calls import number

MAX_LENGTH = 200  # characters that are read; a longer answer is an essay, not an answer
MAX_EXPONENT = 64  # of a number in scientific notation

# What one unit is, in the first unit of its line; all exact by definition.
_MEASURES = {
    "percent": "% 1, percent 1, pct 1",
    "dollars": "dollar 1, $ 1, usd 1, buck 1, cent 1/100, ¢ 1/100, penny 1/100",
    "euros": "euro 1, € 1, eur 1",
    "length": "meter 1, metre 1, km 1000, kilometer 1000, kilometre 1000, cm 1/100, centimeter 1/100, "
    "centimetre 1/100, mm 1/1000, millimeter 1/1000, millimetre 1/1000, dm 1/10, decimeter 1/10, decimetre 1/10, "
    "inch 127/5000, foot 381/1250, ft 381/1250, yard 1143/1250, yd 1143/1250, mile 201168/125, mi 201168/125",
    "time": "second 1, sec 1, minute 60, min 60, hour 3600, hr 3600, h 3600, day 86400, week 604800, "
    "ms 1/1000, millisecond 1/1000",
    "calendar time": "month 1, year 12, yr 12, decade 120, century 1200",
    "mass": "gram 1, g 1, kg 1000, kilogram 1000, kilo 1000, tonne 1000000, mg 1/1000, milligram 1/1000, "
    "pound 45359237/100000, lb 45359237/100000, £ 45359237/100000, ounce 45359237/1600000, oz 45359237/1600000",
    "volume": "liter 1, litre 1, l 1, ml 1/1000, milliliter 1/1000, millilitre 1/1000, cl 1/100, centiliter 1/100, "
    "centilitre 1/100, dl 1/10, deciliter 1/10, decilitre 1/10",
    "kitchen volume": "cup 1, pint 2, quart 4, gallon 16, tablespoon 1/16, tbsp 1/16, teaspoon 1/48, tsp 1/48",
}
UNITS = {
    unit.split()[0]: (dimension, number(unit.split()[1]))
    for dimension, units in _MEASURES.items()
    for unit in units.split(", ")
}
_PLURALS = {"feet": "foot", "inches": "inch", "centuries": "century", "pennies": "penny", "gross": "gross"}
_POWERS = {"square": 2, "sq": 2, "cubic": 3}
_CURRENCIES = {"$", "€", "£"}
# What a word right behind a number multiplies it by.
_TIMES = {"pair": 2, "dozen": 12, "hundred": 100, "thousand": 10**3, "lakh": 10**5, "lac": 10**5, "crore": 10**7}
_TIMES |= {"million": 10**6, "billion": 10**9, "trillion": 10**12, "mn": 10**6, "bn": 10**9, "tn": 10**12}
_TIMES |= {f"{word}s": factor for word, factor in _TIMES.items()} | PARTS
_OTHERWISE = {"gross": 144, "score": 20}  # and where no number stands before it: `the score is 18`, `$500 gross`
SCALES = _TIMES | _OTHERWISE

# Units and scales that are in no table, as their size depends on where and when, or is seldom asked for. A number with
# one of them may be equal to any other. A word that is not here names what is counted, `plums`, and changes no number.
_VAGUE = set(
    """nickel dime furlong chain rod fathom hand acre hectare fortnight stone grain carat watt kilowatt kw megawatt
    hertz hz kilohertz khz megahertz mhz gigahertz bit byte ton quintal league cubit ell karat dram scruple
    hundredweight cwt micron micrometer micrometre nanometer nanometre angstrom parsec lightyear mil nautical knot
    mph kph kmh kmph mps fps rpm mpg ppm ppb bps dpi permille percentage bushel peck barrel hogshead cord gill cc
    floz fluid jigger ream quire brace couple trio quartet quintet sextet octet myriad googol zillion milliard
    billiard quadrillion quintillion sextillion septillion octillion nonillion decillion kharab arab wan farthing
    shilling guinea pence quid florin paise paisa pfennig kopeck centavo centime celsius fahrenheit kelvin rankine
    radian gradian steradian arcminute arcsecond joule kilojoule calorie kilocalorie kcal cal btu erg electronvolt
    therm kwh wh horsepower volt kilovolt millivolt ampere amp milliamp ohm farad coulomb tesla gauss newton
    kilonewton dyne pascal kilopascal kpa hectopascal millibar mbar atm psi torr mmhg becquerel curie sievert lumen
    lux candela decibel kilobit kilobyte kib megabit megabyte mib gigabit gigabyte gib terabit terabyte petabyte mol
    mmol molar semester trimester biennium lustrum microgram mcg microsecond nanosecond microliter microlitre
    kiloliter kilolitre decagram dag hectogram decameter decametre hectometer hectometre megameter""".split()
)

_NUMBER_WORDS = set(_TIMES) | set(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety half halves quarter quarters pi π inf
    nan""".split()
)
_SHORT = set("sq ad am as at bc be by cd do ex go he if in is it me my no of on or ox so to tv up us we yo".split())
_ROMAN = re.compile(r"[ivxlcdm]{2,20}+")
# Words that change or deny the number before them, or turn its direction.
_CHANGES = set(
    """squared cubed factorial root power minus plus times divided modulo negative and or not is are was were isn't
    wrong incorrect am pm o'clock below less fewer loss lost decrease decreased owes debt short colder lower under
    behind""".split()
)
# Words that stand for a number, or make the one behind them vague.
_QUANTIFIERS = set(
    """first once twice thrice double triple single couple both no none nothing nobody nil null all each every any some
    few several many infinity infinite noon midnight naught nought
    about around approximately roughly nearly almost least most over above between
    more than""".split()
)
_IS = {"=", ":", "is", "are", "was", "were", "equals"}
CHANGING = _NUMBER_WORDS | _CHANGES | set(_OTHERWISE)
_NO_LEAD = (_NUMBER_WORDS | _CHANGES | _QUANTIFIERS) - _IS
_FILLERS = {"a", "an", "per", "each", "every", "the", "of", "in", "total", "altogether", "left", "now"}

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9]{3})|[0-9]++)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?|\.[0-9]++)"
    r"|(?P<word>[^\W\d_]++(?:'[^\W\d_]++)?)|(?P<symbol>\S)"
)
_REWRITES = [
    (re.compile(r"\\(?:left|right|[!,;: ])|(?<=[0-9])\{(?=,\})|(?<=,)\}(?=[0-9])"), ""),
    (re.compile(r"\\text\{([^{}]*)\}"), r" \1"),
    (re.compile(r"\\[dt]?frac\{([0-9]{1,99})\}\{([0-9]{1,99})\}"), r" \1/\2"),
    (re.compile(r"\\[dt]?frac([0-9])([0-9])(?![0-9])"), r" \1/\2"),
    (re.compile(r"\\boxed\{([^{}]*)\}"), r"\1"),
    (re.compile(r"([0-9])\s?(?:×|\*|x|\\times)\s?10(?:\^|\*\*)\{?([-+]?[0-9]{1,2})(?![0-9])\}?"), r"\1e\2"),
    (re.compile(r"^\$([^$]*)\$$|^\\\((.*)\\\)$"), r"\1\2"),
    (re.compile(r"\^\{?\\circ\}?|°"), " degrees "),
    (re.compile(r"\\([$%{}])"), r"\1"),
    (re.compile(r"\\infty(?![a-z])"), "∞"),
    (re.compile(r"\\cup(?![a-z])"), "∪"),
]
_REWRITTEN = re.compile(r"[\\$°{]|10")
_PER_CENT = re.compile(r"(?<=[0-9]) ?per cent(?![a-z])")
_ROUNDED = re.compile(r"(-?[0-9]{1,30}+\.[0-9]{1,30}+) ± (0\.0{9}[0-9]{1,9}+)")  # as golds of GSM-Hard have it


@dataclass(frozen=True)
class Quantity:
    """`value` in units of `size` times the first unit of `dimension` ("" for a count).

    `face` is the number without, `scaled` with a word like `dozen`; `value` is the one of them that is meant.
    `nouns` are the words of the unit, without plural and fillers; `units` those of them that are units or may be one,
    of a rate also what it is per. `spread` is how far the value may be from what is written, as floats are rounded.
    """

    value: Fraction
    face: Fraction
    scaled: Fraction
    dimension: str
    size: Fraction
    nouns: frozenset[str]
    units: frozenset[str]
    spread: Fraction = Fraction(0)

    def vague(self) -> frozenset[str]:
        """The units whose size is not known."""
        return self.units - UNITS.keys()

    def sizes(self) -> set[Fraction]:
        """The sizes of the units that a bare number may be in, also of square and cubic ones."""
        line, _, power = self.dimension.partition(" power")
        return {UNITS[unit][1] ** int(power or 1) for unit in UNITS if UNITS[unit][0] == line}


def quantity(text: str) -> Quantity | None:
    """The one number that a plain text states, `[words =] [-][$] number [dozen] [unit]`; None for everything else."""
    if len(text) > MAX_LENGTH:
        return None
    text = rewritten(text)
    if rounded := _ROUNDED.fullmatch(text):
        return replace(_quantity(list(_TOKEN.finditer(rounded[1]))), spread=number(rounded[2]))
    return _quantity(list(_TOKEN.finditer(text)))


def rewritten(text: str) -> str:
    """The text with its LaTeX numbers written plainly: `\\frac{1}{2}` as 1/2, `1.5 × 10^3` as 1.5e3, no `\\boxed{}`."""
    text = _PER_CENT.sub(" percent", text)
    if _REWRITTEN.search(text):
        for pattern, replacement in _REWRITES:
            text = pattern.sub(replacement, text)
    return text


def _quantity(tokens: list[re.Match]) -> Quantity | None:
    first = next((place for place, token in enumerate(tokens) if token.lastgroup == "number"), None)
    if first is None:
        return None
    start, negative, names = _sign_and_currency(tokens, first)
    read = _read_number(tokens, first)
    if read is None or not _leads_in(tokens[:start]):
        return None
    face, end = read
    face = value = scaled = -face if negative else face
    decimal = tokens[first][0].replace(",", "") if end == first + 1 else ""
    after = [token[0] for token in tokens[end : end + 2]]
    if after[:1] and _scales(after[0], face, names):
        value = scaled = face * SCALES[after[0]]
        names.append(after[0])
        end += 1
    elif after[:1] == ["("] and after[1:] and after[1] in SCALES:
        scaled = face * SCALES[after[1]]
    if end < len(tokens) and tokens[end].lastgroup == "symbol" and tokens[end][0] in UNITS:
        names.append(tokens[end][0])
        end += 1
    if not _is_unit(tokens[end:]):
        return None
    names += [token[0] for token in tokens[end:] if token.lastgroup == "word"]
    dimension, size = _measure([name for name in names if name not in SCALES])
    nouns = frozenset(_PLURALS.get(name, name.removesuffix("s")) for name in names if name not in _FILLERS)
    rounding = spread(decimal) * abs(value / face if face else 1)
    return Quantity(value, face, scaled, dimension, size, nouns, _units(names), rounding)


def _scales(word: str, face: Fraction, currency: list[str]) -> bool:
    """Whether the word behind a number multiplies it: `2 thirds` and `3 gross`, not `2 third graders`, `$3 gross`."""
    if word in PARTS:
        return word.endswith("s") == (face != 1)
    return word in SCALES and not (currency and word in _OTHERWISE)


def _units(names: list[str]) -> frozenset[str]:
    """The words that are units, or may be one: two letters behind a number mostly are."""
    singular = [_PLURALS.get(name, name.removesuffix("s")) for name in names if name not in _FILLERS]
    known = {name for name in singular if name in UNITS or {name, f"{name}s"} & _VAGUE}
    short = {name for name in names[:1] if len(name) == 2 and name not in _SHORT}
    return frozenset(known | short)


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
    factor = len(texts[0]) == 1 and texts[0] not in {"a", "(", "-", "/", *UNITS} and texts[1:2] != ["-"]
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
    return UNITS.get(name) or UNITS.get(name.removesuffix("s")) or ("", Fraction(1))


def holds_no_number(text: str, value: Fraction) -> bool:
    """Whether a text surely does not mean this number: plain words, none of them for a number.

    Nothing is sure about 0 and 1 (`it is free`, `an apple`), about a unit (`a week` is 7 days), nor about a single
    letter, which may name an option.
    """
    tokens = list(_TOKEN.finditer(text[:MAX_LENGTH]))
    words = {token[0] for token in tokens if token.lastgroup == "word"}
    plain = text.isascii() and all(token.lastgroup == "word" or token[0] in "'?,.:()-" for token in tokens)
    known = plain and 1 < len(text) <= MAX_LENGTH and not words & (_NUMBER_WORDS | _QUANTIFIERS | _OTHERWISE.keys())
    known = known and not any(_units(["", word]) for word in words) and not _ROMAN.fullmatch(text)
    return not text or known and value not in (0, 1)
