"""Whether two chains that give the same answer also do so when the question has other numbers.

A chain is read as a program: each operand is an earlier result, a number of the question (or what n% means), or a
constant. The question's numbers are drawn anew, the same tools run the program again, and two programs are compared by
what they give. So a chain that is right by luck (half of 4, where the square root was meant) parts from a sound one.
A second opinion and no verdict: where a number can be read in two ways, a sound chain may part too.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from stages.records.chain import Call, Step, Value, number_text
from stages.records.numbers import FRACTION
from stages.tools import TOOLKITS
from stages.tools.calls import number
from stages.tools.tool import ToolError
from stages.verdicts.grounding import CONSTANTS, READINGS, numbers_grounded, numbers_in, operands, result_number

SMALLEST = 5  # smaller ones stay: 2, 3 and 4 are as often a constant (halves, weeks) as a number of the question
_NUMERAL = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?")
_FIXED = (("Round", "digits"), ("SolveLinear", "unknown"))


def outputs(question: str, steps: Iterable[Step], answer: Fraction, redraws: int) -> tuple[Fraction, ...] | None:
    """What the calls of a math chain give for its answer in `redraws` questions with other numbers.

    The draws depend on the question alone, and leave its fractions as they are. None where it cannot be told: a call
    failed, the answer is no result, an operand comes from nowhere (a step is missing) or may come from two places (the
    question and a result), the question has no number to draw, or a tool refuses a drawn one.
    """
    steps = list(steps)
    results = [result_number(step) for step in steps]
    stated = set(numbers_in(FRACTION.sub(" ", question)))
    changing = sorted(value for value in stated if value >= SMALLEST)
    if None in results or answer not in results or not changing:
        return None
    end = len(results) - results[::-1].index(answer)
    twofold = any(stated & set(results[:place]) & set(operands(step)) for place, step in enumerate(steps[:end]))
    if twofold or not numbers_grounded(question, steps[:end]):
        return None
    rng = random.Random(question)
    drawn = [{value: value + rng.randint(1, 97) * _unit(value) for value in changing} for _ in range(redraws)]
    try:
        return tuple(_run([step.call for step in steps[:end]], results, draw) for draw in drawn)
    except ToolError:
        return None


def agreement(given: list[tuple[Fraction, ...] | None]) -> list[str]:
    """For each of a problem's right chains, whether it `agrees` with most of them or `disagrees`; "" is not told.

    Told where at least two chains, and more than half of those that could be run, give the same.
    """
    counts = Counter(numbers for numbers in given if numbers is not None)
    common, most = counts.most_common(1)[0] if counts else (None, 0)
    if most < 2 or 2 * most <= counts.total():
        return [""] * len(given)
    return ["" if numbers is None else "agrees" if numbers == common else "disagrees" for numbers in given]


def _unit(value: Fraction) -> Fraction:
    """1 for a whole number, 1/100 for 2.75: a drawn number has the places of the one it stands for."""
    places = len(number_text(value).partition(".")[2])
    return Fraction(1, 10**places)


def _run(calls: list[Call], results: list[Fraction], draw: dict[Fraction, Fraction]) -> Fraction:
    """The last result of the calls where the question has the numbers that `draw` puts for its own."""
    tools, made = TOOLKITS["arithmetic"].tools, []
    for call in calls:
        arguments = {
            name: value
            if (call.tool, name) in _FIXED
            else _changed(value, draw, list(zip(results, made, strict=False)))
            for name, value in call.arguments.items()
        }
        made.append(number(tools[call.tool].run(None, **arguments)))
    return made[-1]


def _changed(value: Value, draw: dict[Fraction, Fraction], earlier: list[tuple[Fraction, Fraction]]) -> Value:
    """An argument as it is with the drawn numbers; in a text, an expression or equation, every numeral."""
    if isinstance(value, str):
        return _NUMERAL.sub(lambda match: f"({number_text(_drawn(number(match[0]), draw, earlier))})", value)
    return _drawn(value, draw, earlier)


def _drawn(value: Fraction, draw: dict[Fraction, Fraction], earlier: list[tuple[Fraction, Fraction]]) -> Fraction:
    """An operand: the latest result that it is, else the number of the question, else a constant; the sign is kept.

    1 is a constant, and not 1 % of a stated 100.
    """
    sign = -1 if value < 0 else 1
    for before, now in reversed(earlier):
        if value and abs(before) == abs(value):
            return now * (value / before)
    for reading in READINGS:
        for before, now in draw.items():
            if reading(before) == abs(value) and (value not in CONSTANTS or abs(value) == before):
                return reading(now) * sign
    return value
