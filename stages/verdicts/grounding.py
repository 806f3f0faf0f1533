"""Where the numbers of a call may come from: the question, an earlier result, or what everybody knows.

Soft checks only: they point at luck (a guessed operand, a result nobody used) and decide no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction

from stages.records.chain import Step, Value
from stages.records.numbers import FRACTION, NUMERAL, WORDS, exact
from stages.tools.calls import number

_COUNT = re.compile(NUMERAL.pattern + r"(?!st|nd|rd|th)")  # no ordinal
_WORD = re.compile(r"[a-z]+")

# Units and small steps that a solution may use without reading them anywhere: months, days, hours, cents, ...
CONSTANTS = tuple(map(Fraction, (0, 1, 2, 4, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000, 3600)))

# What a stated n may be used as, the plain number first: n% is n/100, 1 - n/100, 1 + n/100, 100 - n or 100 + n.
READINGS: tuple[Callable[[Fraction], Fraction], ...] = (
    lambda n: n,
    lambda n: n / 100,
    lambda n: 1 - n / 100,
    lambda n: 1 + n / 100,
    lambda n: 100 - n,
    lambda n: 100 + n,
)


def numbers_in(text: str) -> list[Fraction]:
    """The numerals of a text, thousands separators dropped: `1,200 at 0.5` gives 1200 and 1/2."""
    return [_numeral(numeral) for numeral in NUMERAL.findall(text)]


def _numeral(text: str) -> Fraction:
    """A third that is published as a float is a third, as it is in gold and in the tools' results."""
    plain = text.replace(",", "")
    return exact(plain) or number(plain)  # `exact` reads 40 digits at most


def question_numbers(question: str) -> set[Fraction]:
    """Every number that a question gives: numerals, fractions, number words, and what they mean as a percentage.

    n% may be used as n/100, 1 - n/100, 1 + n/100, 100 - n and 100 + n; n and 1/n stand for each other.
    """
    stated = set(numbers_in(question))
    stated |= {WORDS[word] for word in _WORD.findall(question.lower()) if word in WORDS}
    stated |= {Fraction(int(p), int(q)) for p, q in FRACTION.findall(question) if int(q)}
    return {meaning for value in stated for meaning in _meanings(value)}


def _meanings(value: Fraction) -> set[Fraction]:
    return {reading(value) for reading in READINGS} | ({1 / value} if value else set())


def operands(step: Step) -> list[Fraction]:
    """The numbers that a call computes with, also inside an expression or equation."""
    return [] if step.call is None else [part for value in step.call.arguments.values() for part in _parts(value)]


def _parts(value: Value) -> list[Fraction]:
    return [value] if isinstance(value, Fraction) else numbers_in(value) if isinstance(value, str) else []


def result_number(step: Step) -> Fraction | None:
    """The result as a number; None where the step failed or its result is no number."""
    try:
        return number(step.result)
    except ValueError:
        return None


def numbers_grounded(question: str, steps: Iterable[Step]) -> bool:
    """Whether every operand, its sign aside, is a constant, stated in the question, or an earlier result."""
    known = {abs(value) for value in (*CONSTANTS, *question_numbers(question))}
    for step in steps:
        if not {abs(value) for value in operands(step)} <= known:
            return False
        result = result_number(step)
        if result is not None:
            known.add(abs(result))
    return True


def question_numbers_used(question: str, steps: Iterable[Step]) -> bool:
    """Whether every numeral of the question is an operand in one of its meanings, `2/5` also as 2 and 5 or 1 - 2/5.

    Number words are not asked for: `one day` and `the two of them` are seldom meant to be computed with.
    """
    used = {abs(value) for step in steps for value in operands(step)}
    fractions = [(Fraction(int(p)), Fraction(int(q))) for p, q in FRACTION.findall(question) if int(q)]
    numerals = [_numeral(match[0]) for match in _COUNT.finditer(FRACTION.sub(" ", question))]
    return all(used & _meanings(value) for value in numerals) and all(
        used & {p / q, 1 - p / q, q / p if p else p, p * 100 / q} or {p, q} <= used for p, q in fractions
    )


def results_used(steps: Iterable[Step], answer: Fraction | None) -> bool:
    """Whether every result, its sign aside, is the answer or an operand of a later call."""
    needed = set() if answer is None else {abs(answer)}
    for step in reversed(list(steps)):
        result = result_number(step)
        if result is not None and abs(result) not in needed:
            return False
        needed |= {abs(value) for value in operands(step)}
    return True
