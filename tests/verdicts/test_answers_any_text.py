"""Answer equality on any text: the same in both directions, exact on plain numbers, and quick."""

from fractions import Fraction

import pytest
from conftest import examples, within
from hypothesis import given
from hypothesis import strategies as st

from stages.records.chain import number_text
from stages.verdicts.answers import canonical_number, equal

PIECES = st.sampled_from(
    [
        *"0123456789",
        *"$%-+/.,=()xe ",
        " ",
        " ",
        "1/2",
        "½",
        "1,000",
        "apples",
        "feet",
        "meters",
        "dozen",
        "cents",
        "hours",
        "is",
        "not",
        "and",
        "true",
        "False",
        "\\frac{1}{2}",
        "\\sqrt{2}",
        "{",
        "}",
        "[",
        ", ",
        "∪",
        "∞",
        "^2",
        "π",
        "option ",
        "10^3",
        "×",
        "€",
        "two",
        "**",
        "\n",
        "٣",
        "ß",
        "İ",
    ]
)
TEXTS = st.lists(PIECES, max_size=7).map("".join) | st.text(max_size=20)


@examples(2000)
@given(TEXTS, TEXTS, st.sampled_from(["math", "logic"]), st.sampled_from([Fraction(0), Fraction(1, 100), Fraction(2)]))
def test_equality_is_symmetric_and_reflexive_on_any_text(a, b, task, tolerance):
    assert equal(a, b, task, tolerance) is equal(b, a, task, tolerance)
    assert equal(a, a, task, tolerance) is True
    canonical_number(a)


@given(st.fractions(), st.fractions())
def test_plain_numbers_are_equal_exactly_where_they_are(a, b):
    assert equal(number_text(a), number_text(b), "math") is (a == b)
    assert canonical_number(number_text(a)) == a


@given(
    st.integers(-(10**12), 10**12), st.integers(0, 99), st.sampled_from(["", "$"]), st.sampled_from(["", " dollars"])
)
def test_money_and_thousands_separators_do_not_change_a_number(whole, cents, currency, unit):
    written = f"{'-' if whole < 0 else ''}{currency}{abs(whole):,}.{cents:02}{unit}"
    exact = Fraction(abs(whole) * 100 + cents, 100) * (-1 if whole < 0 else 1)
    assert equal(written, number_text(exact), "math") is True
    assert equal(written, number_text(exact + Fraction(1, 100)), "math") is False


@pytest.mark.parametrize(
    "text",
    [
        "1," * 50_000,
        "1 " * 50_000,
        "-" * 100_000,
        "\\frac{" * 20_000,
        "9" * 100_000,
        "is " * 33_000,
        "\\boxed{" * 14_000,
        " " * 100_000,
        "the answer is " * 7_000,
        "*`\"'" * 25_000,
        "(" * 100_000,
        "{1," * 33_000,
        "(1, 2) ∪ " * 11_000,
        "1, 2 and " * 11_000,
        "5 feet " * 14_000,
        "(a) " * 25_000,
        "sqrt(" * 20_000,
        "\\sqrt " * 14_000,
        "^{2" * 33_000,
        "x^2+" * 25_000,
        "π√" * 50_000,
    ],
)
def test_100000_hostile_characters_take_no_time(text):
    with within(0.5):
        for task in ("math", "logic"):
            assert equal(text, "18", task) in (None, False)
        assert canonical_number(text) is None
