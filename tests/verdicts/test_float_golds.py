"""Golds that a float printed stand for the exact number, and short decimals for themselves."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_rows import ROWS, from_file

from stages.problems.gold import doubt, solved
from stages.records.chain import number_text
from stages.records.numbers import exact, spread
from stages.tools.arithmetic.toolkit import ARITHMETIC
from stages.tools.calls import parse
from stages.verdicts.answers import canonical_number, equal
from stages.verdicts.verdict import verdict


def gold_of(tmp_path, target):
    (problem,) = from_file(tmp_path, "gsm_hard", {**ROWS["gsm_hard"], "target": target})
    return problem.gold


@pytest.mark.parametrize(
    ("target", "gold", "answer"),
    [
        (2333333.6666666665, "7000001/3", "7000001/3"),  # a quotient as a float
        (3244047.0999999996, "3244047.1", "3244047.1"),  # a sum of floats
        (-425561.9444444444, "-15320230/36", "-425561 17/18"),
        (162741.6666666667, "488225/3", "162741 2/3"),  # to 10 places
        (5.3333333333, "16/3", "16/3"),
        (36.0000102016, "36.0000102016 ± 0.00000000005", "36.00001020164833"),
        (0.0000005158, "0.0000005158 ± 0.00000000005", "0.0000005158232"),
        (12.25, "12.25", "12 1/4"),
        (1234569.0, "1234569", "1,234,569"),
    ],
)
def test_a_target_of_gsm_hard_is_the_number_that_its_float_stands_for(tmp_path, target, gold, answer):
    made = gold_of(tmp_path, target)
    assert made == gold or Fraction(made) == Fraction(gold)
    assert equal(answer, made, "math") is equal(made, answer, "math") is True


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (2333333.6666666665, "2333333.67"),
        (2333333.6666666665, "2333333.6667"),
        (5.3333333333, "5.33"),
        (36.0000102016, "36.00001"),
        (36.0000102016, "36"),
        (12.25, "12.2500001"),
    ],
)
def test_a_rounded_answer_to_a_float_gold_stays_wrong_without_tolerance(tmp_path, target, answer):
    assert equal(answer, gold_of(tmp_path, target), "math") is False


def test_a_chain_that_divides_exactly_is_correct_on_a_float_gold(tmp_path):
    row = {"input": "7000001 litres are shared by 3 farms. How much does each get?", "target": 2333333.6666666665}
    (problem,) = from_file(tmp_path, "gsm_hard", row)
    texts = "Divide(a=7000001, b=3)", 'Finish(answer="7000001/3")'
    calls = tuple(parse(text, ARITHMETIC.tools) for text in texts)
    row = verdict(solved(replace(problem, solution=calls)), 0.0)
    assert (row["verdict"], row["results_used"]) == ("correct", True)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("0.3333333333333333", "1/3", True),
        ("0.30000000000000004", "0.3", True),
        ("233333.333333333", "700000/3", True),
        ("$1,234,567.666666667", "3703703/3", True),
        ("0.333", "1/3", False),
        ("5.3773173391494", "4931/917", True),  # the float ends in zeros
        ("0.33333333333333", "1/3", False),  # 14 digits of a float that has 16
        ("0.10000000000000000001", "0.1", False),  # nor are 20
        ("0.1000000000000001", "0.1", False),  # 7 steps of the float away
        ("12345678901234.56", "12345678901234.57", False),  # money of 16 digits
        ("12345678901234567", "12345678901234568", False),
        ("36.5 ± 0.5", "36", None),
    ],
)
def test_only_what_a_float_prints_is_taken_for_a_rounded_number(a, b, same):
    assert equal(a, b, "math") is equal(b, a, "math") is same


@given(st.integers(1, 10**9), st.integers(1, 1000))
def test_the_float_of_a_quotient_is_the_quotient(a, b):
    printed = repr(a / b)
    if "e" not in printed:
        assert equal(printed, number_text(Fraction(a, b)), "math") is True
        assert abs(exact(printed) - Fraction(a, b)) <= spread(printed)
        assert canonical_number(printed) == exact(printed)


@given(st.integers(1, 10**9), st.integers(1, 10**4), st.integers(1, 999))
def test_sums_and_products_of_floats_are_near_enough(a, b, c):
    printed, value = repr((a / 100 + b / 10) * c), (Fraction(a, 100) + Fraction(b, 10)) * c
    if "e" not in printed:
        assert equal(printed, number_text(value), "math") is True


@given(st.integers(-(10**9), 10**9), st.integers(0, 9))
def test_a_decimal_of_few_digits_stands_for_itself(digits, places):
    value = Fraction(digits, 10**places)
    assert exact(number_text(value)) == value and spread(number_text(value)) == 0
    assert equal(number_text(value + Fraction(1, 10**places)), number_text(value), "math") is False


def test_an_equation_whose_gold_is_a_float_gives_the_exact_answer(tmp_path):
    row = {**ROWS["mawps"], "lEquations": ["x=12345678/1237"], "lSolutions": [12345678 / 1237]}
    (problem,) = from_file(tmp_path, "mawps", row)
    assert problem.gold == repr(12345678 / 1237) and doubt(problem) == ""
    assert problem.solution[-1].text() == 'Finish(answer="12345678/1237")'
