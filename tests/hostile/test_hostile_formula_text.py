"""Hostile text where a formula is expected: a formula, or soon one error of ours."""

from __future__ import annotations

import pytest
from conftest import examples, within
from formulas import refused
from hypothesis import example, given
from hypothesis import strategies as st

from stages.tools.fol.formula import FormulaError, text
from stages.tools.fol.reading import MAX_DEPTH, MAX_LENGTH, parse
from stages.tools.fol.symbols import signature


def bounded(source):
    """Nothing but a FormulaError, and soon."""
    with within(0.2):
        try:
            formula = parse(source)
            signature(formula)
            assert parse(text(formula)) == formula or len(text(formula)) > MAX_LENGTH
        except FormulaError as error:
            assert str(error).isprintable() and len(str(error)) < 250, str(error)


PIECES = "∀ ∃ ¬ ∧ ∨ → ↔ ⊕ = ≠ ( ) [ ] , . : x y P(x) Q(a,x) R a not and forall ^ - ∀x ( ) \u202e".split(" ")
HOSTILE = {
    "brackets": "(" * 1_999,
    "closed brackets": "(" * 999 + "P" + ")" * 999,
    "negations": "¬" * 1_998 + "P",
    "words of negation": "not " * 499 + "P",
    "quantifiers": "∀x " * 600 + "P(x)",
    "other quantifiers": "".join(f"∀v{number} " for number in range(300)) + "P(v1)",
    "variables": "∀" + ",".join(f"v{number}" for number in range(350)) + " P(v1)",
    "arrows": "P" + "→P" * 999,
    "conjunction": "P" + "∧P" * 999,
    "conjunction of brackets": "P" + "∧(P)" * 499,
    "terms": f"P({','.join('a' * 900)})",
    "a long name": "P" * 2_000,
    "a long term": f"P({'a' * 1_900})",
    "dots": "a" + ".a" * 999,
    "hyphens": "a" + "-a" * 900 + "(",
    "plus signs": "c" + "+" * 1_999,
    "equals": "a" + "=a" * 999,
    "spaces": " " * 1_999 + "P",
    "all kinds of spaces": "\u2003\u2028\t\n\x0b\x1c" * 300,
    "too long": "P ∧ " * 100_000,
    "bidi": "P(a) ∧ \u202eP(a)\u202c",
    "half a surrogate": "P(\ud800)",
    "code": "__import__('os').system('echo pwned')",
    "a format": "{0.__class__} %s %n",
    "a NUL": "\x00",
    "an own keyword": "forall forall exists not and (",
    "mixed brackets": "([(" * 300 + ")])" * 300,
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_ends_soon_and_with_an_error_of_ours(source):
    bounded(source)


def test_the_limits_are_named():
    assert refused("P ∧ " * 501, "length") == "the formula has 2,004 characters, limit 2,000; split it"
    assert refused("P" * 61, "length").endswith("the name has 61 characters, limit 60")
    deep = "¬" * MAX_DEPTH + "P"
    assert "more than 30 brackets, negations and quantifiers inside each other" in refused(deep, "depth")
    assert parse("¬" * (MAX_DEPTH - 1) + "P")


@examples(2_000)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)))
@example("∀x.y.P")
@example("∀x ∀")
@example("İ")
def test_any_text_is_a_formula_or_one_error_of_ours(source):
    bounded(source)
