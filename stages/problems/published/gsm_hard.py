"""GSM-Hard: GSM8K's test questions with large numbers; for testing only, without reference solutions.

Its published solutions are Python code, which is neither run nor translated here. Some answers are negative or long
decimals, as nobody checked what the larger numbers mean. They are floats, written with 10 decimal places at most: what
is a fraction of a small denominator is read as that, and any other long one says how far it may be from the exact
answer, `36.0000102016 ± 0.00000000005`. So the exact answer is right, whatever the tolerance.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from stages.problems.published.rows import number_gold, rows, text
from stages.records.chain import number_text
from stages.records.numbers import exact, near_fraction, spread
from stages.records.problem import Problem

# The hub calls the one part there is `train`.
HUB = {
    "path": "reasoning-machines/gsm-hard",
    "revision": "960448f73503112d4226baeb8eb41d3fb5ae2506",
    "split": "train",
}
FORM = "input and target"
ROUNDED_TO = "0.00000000005"  # half a unit of the tenth place
LONG = 8  # decimal places of a number that was rounded to 10, zeros at the end left out; exact ones have 4 at most


def read(path: Path | None = None) -> list[Problem]:
    """All problems in the published order; errors as for `published.rows`."""
    made = []
    for index, (where, row) in enumerate(rows(path, HUB)):
        question, gold = text(where, row, "input", FORM), gold_of(number_gold(where, row, "target", FORM))
        made.append(Problem(f"gsm_hard/{index:05d}", "math", "arithmetic", "gsm_hard", question, gold))
    return made


def gold_of(target: str) -> str:
    """The exact number that a published target surely is, else the target with what rounding took from it."""
    if len(target.partition(".")[2]) < LONG or spread(target) > Fraction(ROUNDED_TO):
        return target
    fraction = near_fraction(exact(target), Fraction(ROUNDED_TO))
    return f"{target} ± {ROUNDED_TO}" if fraction is None else number_text(fraction)
