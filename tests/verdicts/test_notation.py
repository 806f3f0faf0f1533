"""Notation in answers: Math-Verify compares it exactly, in bounded time, or not at all."""

import os
import signal

import pytest
from test_answers import DIFFERENT, EQUAL, UNDECIDED

from stages.verdicts import notation
from stages.verdicts.answers import equal

NOTATION_EQUAL = [
    (r"2^{10}", "1024"),
    (r"\sqrt{4}", "2"),
    ("√4", "2"),
    ("sqrt(8)", r"2\sqrt{2}"),
    (r"\frac{\sqrt{3}}{2}", r"\frac{3}{2\sqrt{3}}"),
    (r"$\frac{\pi}{2}$", "0.5π"),
    ("(x+1)^2", "x^2 + 2x + 1"),
    ("x < 3^1", r"(-\infty, 3)"),
    (r"\{\sqrt{2}, 1\}", r"\{1, \sqrt{2}\}"),
    (r"5 \pm \sqrt{2}", r"\{5 - \sqrt{2}, 5 + \sqrt{2}\}"),
    ("10^{-3}", "0.001"),
    (r"\log_2 8", "3"),
]
NOTATION_DIFFERENT = [
    (r"\sqrt{2}", "1.41421356"),
    ("π", "3.14159"),
    ("pi", "3"),
    (r"\frac{1}{3}", "0.333333333^1"),
    ("2^3", "9"),
    ("(x+1)^2", "x^2 + 1"),
    (r"(1, \sqrt{2}]", r"[1, \sqrt{2}]"),
    ("(1, ∞, 2)", "(1, 2)"),
]
NOTATION_UNDECIDED = [
    ("5x", "5"),
    ("x^2", "y^2"),
    (r"\sin 30^\circ", "0.5"),
    (r"3\sqrt{2}\text{ cm}", r"3\sqrt{2}"),
    ("2^3 apples", "8"),
    ("3^1 feet", "3^1 meters"),
    ("9^{9^9}", "1"),
    ("((9^{99})^{99})^{99}", "1"),
    ("(a+b+c+d+f)^9 (a+b+c+d+f)^9", "1"),
    ("100000000!", "1"),
    (r"\binom{100000}{50000}", "1"),
    (r"\sum_{n=1}^{9} n", "45"),
    (r"\frac{" * 16 + "1", "1"),
    (r"\input{/etc/passwd}", "1"),
    (r"\sqrt{2", r"\sqrt{2}"),
    ("__import__('os')^2", "1"),
    ("1234567890123^2", "1"),
]


@pytest.mark.parametrize(
    ("answer", "gold", "outcome"),
    [
        *((*pair, True) for pair in NOTATION_EQUAL),
        *((*pair, False) for pair in NOTATION_DIFFERENT),
        *((*pair, None) for pair in NOTATION_UNDECIDED),
    ],
)
def test_notation_is_compared_exactly_or_not_at_all(answer, gold, outcome):
    assert equal(answer, gold, "math") is outcome
    assert equal(gold, answer, "math") is outcome


def test_the_worker_is_not_asked_what_the_exact_tier_decides(monkeypatch):
    asked = []
    monkeypatch.setattr(notation.worker, "call", lambda *request: asked.append(request))
    for answer, gold in [*EQUAL, *DIFFERENT, *UNDECIDED, *NOTATION_UNDECIDED[2:]]:
        equal(answer, gold, "math")
    assert [request[1] for request in asked] == []


def test_a_comparison_that_takes_too_long_is_undecided(monkeypatch):
    notation.worker._worker.close()
    assert equal(r"\sqrt{16}", "4", "math") is True
    os.kill(notation.worker._worker.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(notation, "SECONDS", 0.2)
    assert equal(r"\sqrt{16}", "4.0", "math") is None
    monkeypatch.setattr(notation, "SECONDS", 5.0)
    assert equal(r"\sqrt{16}", "4.00", "math") is True
