"""Intervals and tests for shares, and for the difference of two shares measured on the same problems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)  # two-sided 95 %


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % limits."""

    estimate: float
    low: float
    high: float


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 209-212, 1927).

    Never wider than [0, 1], never empty at 0 or n successes; for n = 0 nothing is known: [0, 1] around 0.
    """
    if n == 0:
        return Interval(0.0, 0.0, 1.0)
    share = successes / n
    centre = share + Z * Z / (2 * n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    # At the ends the limit is the share itself; rounding would put it a few 1e-17 off.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return Interval(share, low, high)


def paired_difference(first: Sequence[bool], second: Sequence[bool]) -> Interval:
    """`share(first) - share(second)` over the same problems in the same order, with its interval.

    Newcombe's square-and-add interval with Wilson limits and a correction for the correlation of the two samples
    (method 10 of R. G. Newcombe, Statistics in Medicine 17, 2635-2650, 1998). It stays inside [-1, 1] and keeps a width
    where no problem is decided differently, which the Wald interval does not.
    """
    n = len(first)
    if n == 0:
        return Interval(0.0, -1.0, 1.0)
    both, only_first, only_second, neither = _table(first, second)
    one, two = wilson(both + only_first, n), wilson(both + only_second, n)
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    agreement = both * neither - only_first * only_second
    if agreement > 0:
        agreement = max(agreement - n / 2, 0)
    phi = agreement / math.sqrt(margins) if margins else 0.0
    estimate = (only_first - only_second) / n
    below = _add(one.estimate - one.low, two.high - two.estimate, phi)
    above = _add(one.high - one.estimate, two.estimate - two.low, phi)
    return Interval(estimate, max(-1.0, estimate - below), min(1.0, estimate + above))


def _add(one: float, two: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * two + two * two))


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Exact two-sided p-value of McNemar's test: are problems decided differently as often one way as the other?

    The smaller count of discordant problems is binomial with share 1/2 under the null hypothesis (Q. McNemar,
    Psychometrika 12, 153-157, 1947; exact form); computed in integers. Without discordant problems it is 1.
    """
    _, only_first, only_second, _ = _table(first, second)
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**n)


def _table(first: Sequence[bool], second: Sequence[bool]) -> tuple[int, int, int, int]:
    """Counts of (both, only first, only second, neither)."""
    pairs = list(zip(first, second, strict=True))
    return tuple(pairs.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False)))
