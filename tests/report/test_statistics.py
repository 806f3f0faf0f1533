"""Intervals and tests of stages/report/intervals.py against published values, exact counting and stated properties."""

import math
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.report.intervals import mcnemar, paired_difference, wilson

outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=400)


def paired(both, only_first, only_second, neither):
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return first, second


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17, 857-872, 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_limits(successes, n, low, high):
    interval = wilson(successes, n)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_paired_difference_gives_the_published_limits():
    # Cavo et al. 2012 in Fagerland, Lydersen, Laake, Statistical Analysis of Contingency Tables, chapter 8
    interval = paired_difference(*paired(59, 6, 16, 80))
    assert (round(interval.estimate, 4), round(interval.low, 4), round(interval.high, 4)) == (-0.0621, -0.1186, -0.0046)


def test_nothing_measured_means_nothing_known():
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert (paired_difference([], []).low, paired_difference([], []).high) == (-1.0, 1.0)
    assert mcnemar([], []) == 1.0


def test_no_discordant_problem_still_leaves_a_width():
    interval = paired_difference([True] * 50, [True] * 50)
    assert interval.estimate == 0
    assert interval.low < 0 < interval.high


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_contains_the_share_and_mirrors(counts):
    successes, n = counts
    interval, mirrored = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert interval.low < interval.high
    assert math.isclose(interval.low, 1 - mirrored.high, abs_tol=1e-12)


@given(st.integers(2, 300), st.floats(0.05, 0.95))
def test_wilson_limits_solve_the_score_equation(n, share):
    successes = min(max(round(n * share), 1), n - 1)
    interval = wilson(successes, n)
    for limit in (interval.low, interval.high):
        score = abs(successes / n - limit) / math.sqrt(limit * (1 - limit) / n)
        assert math.isclose(score, 1.959964, abs_tol=1e-5)


@given(outcomes)
def test_paired_difference_contains_the_estimate_and_changes_sign_with_the_order(cells):
    first, second = [a for a, _ in cells], [b for _, b in cells]
    interval, swapped = paired_difference(first, second), paired_difference(second, first)
    assert -1 <= interval.low <= interval.estimate <= interval.high <= 1
    assert math.isclose(interval.estimate, (sum(first) - sum(second)) / len(cells), abs_tol=1e-12)
    assert math.isclose(interval.low, -swapped.high, abs_tol=1e-12)
    assert mcnemar(first, second) == mcnemar(second, first)


def test_paired_difference_covers_the_truth_about_as_often_as_it_says():
    n, cells = 30, (0.45, 0.3, 0.1, 0.15)  # shares of both, only first, only second, neither; difference 0.2
    covered = 0.0
    for both, only_first, only_second in product(range(n + 1), repeat=3):
        neither = n - both - only_first - only_second
        if neither < 0:
            continue
        counts = (both, only_first, only_second, neither)
        ways = math.factorial(n) // math.prod(map(math.factorial, counts))
        interval = paired_difference(*paired(*counts))
        if interval.low <= 0.2 <= interval.high:
            covered += ways * math.prod(share**count for share, count in zip(cells, counts, strict=True))
    assert 0.94 <= covered <= 0.97


def test_mcnemar_counts_every_outcome_at_least_as_uneven():
    for only_first, only_second in product(range(7), repeat=2):
        n = only_first + only_second
        uneven = [
            signs for signs in product((0, 1), repeat=n) if abs(2 * sum(signs) - n) >= abs(only_first - only_second)
        ]
        expected = Fraction(len(uneven), 2**n)
        assert mcnemar(*paired(5, only_first, only_second, 3)) == pytest.approx(float(expected), abs=1e-15)


def test_mcnemar_of_many_discordant_problems_stays_a_number():
    assert 0 < mcnemar(*paired(0, 900, 600, 0)) < 1e-12
