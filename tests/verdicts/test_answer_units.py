"""Units and scales in answers: equal values are never called different, and plain nouns change no number."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.records.chain import number_text
from stages.verdicts.answers import equal
from stages.verdicts.quantities import _MEASURES, _VAGUE, SCALES, UNITS

EQUAL = [
    ("50 per cent", "0.5"),
    ("50per cent", "50%"),
    ("50 pct", "1/2"),
    ("2 lakh", "200000"),
    ("1.5 crore rupees", "15000000"),
    ("3 lakhs", "300,000"),
    ("2.5 dozens", "30"),
    ("3 gross", "432"),
    ("2 score", "40"),
    ("$3 bn", "3000000000"),
    ("5 twelfths", "5/12"),
    ("1 twelfth", "1/12"),
    ("5 sixteenths of the cake", "5/16"),
    ("7 hundredths", "0.07"),
    ("2 thirds", "2/3"),
    ("2 tonnes", "2000 kg"),
    ("4 tablespoons", "1/4 cup"),
    ("3 acres", "3"),
    ("2 tonnes", "2"),
    ("the score is 18", "18"),
    ("$500 gross", "500"),
    ("60 mph", "60"),
]
UNDECIDED = [
    ("2 tonnes", "2000"),
    ("2 fortnights", "28"),
    ("3 dimes", "30"),
    ("3 dimes", "30 cents"),
    ("1 acre", "4840 square yards"),
    ("18 stones", "19"),
    ("2 tons", "4000 pounds"),
    ("3 reams", "1500"),
    ("3 bushels", "12 pecks"),
    ("4 couples", "8"),
    ("5 kb", "5000"),
    ("60 mph", "1"),
    ("60 mph", "1 mile per minute"),
    ("60 km/h", "1 km/min"),
    ("68 degrees fahrenheit", "20 degrees celsius"),
    ("8 ounces", "1 cup"),
    ("50 cents", "0.5 euros"),
    ("9 square feet", "1296"),
    ("2 kwh", "7200000 joules"),
    ("2 boxes", "2000 kg"),
    ("5 twelfths", "5"),
    ("3 lakh", "3"),
    ("2 third graders", "2"),
    ("8 quarters", "2"),
    ("a gross", "144"),
    ("a fortnight", "14"),
    ("twelve hundred", "1200"),
    ("five sixteenths", "5/16"),
    ("XVIII", "18"),
    ("noon", "12"),
]
DIFFERENT = [
    ("18 plums", "19"),
    ("18 plums", "19 pears"),
    ("19 boxes of chocolates", "18"),
    ("2 lakh", "2000"),
    ("5 twelfths", "0.5"),
    ("3 gross", "36"),
    ("2 tonnes", "3"),
    ("2 tonnes", "20 kg"),
    ("3 tons", "2 tons"),
    ("45 degrees", "46"),
    ("60 km/h", "50 km/h"),
    ("60 mph", "50 mph"),
    ("28 feet", "84"),
    ("18 CDs", "19"),
    ("18 yo-yos", "19"),
    ("36 sq inches", "40"),
]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [(*pair, same) for pairs, same in ((EQUAL, True), (UNDECIDED, None), (DIFFERENT, False)) for pair in pairs],
)
def test_units_and_scales_are_converted_where_sure_and_undecided_where_not(a, b, same):
    assert equal(a, b, "math") is equal(b, a, "math") is same


@given(st.integers(2, 10**6), st.sampled_from(sorted(_VAGUE)), st.integers(2, 10**6))
def test_a_unit_of_unknown_size_is_never_called_wrong(n, word, other):
    for answer in (f"{n} {word}", f"{n} {word}s"):
        assert equal(answer, str(other), "math") is (True if n == other else None)
        assert equal(answer, f"{other} kg", "math") is not False
    assert equal(f"a {word}", str(other), "math") is None


@given(st.integers(1, 10**4), st.data())
def test_the_same_measure_in_two_units_of_a_table_is_never_called_wrong(n, data):
    line = data.draw(st.sampled_from(sorted(_MEASURES)))
    one, other = (data.draw(st.sampled_from([name for name in UNITS if UNITS[name][0] == line])) for _ in range(2))
    converted = number_text(n * UNITS[one][1] / UNITS[other][1])
    outcomes = {
        equal(f"{n} {one}", f"{converted} {other}", "math"),
        equal(f"{converted} {other}", f"{n} {one}", "math"),
    }
    assert outcomes <= {True, None} and (outcomes == {True} or min(len(one), len(other)) == 1)
    assert equal(f"{n} {one}", converted, "math") is not False


@given(st.fractions(Fraction(1), 10**6, max_denominator=100), st.sampled_from(sorted(SCALES)))
def test_a_number_with_a_scale_is_never_called_wrong_against_its_value(n, word):
    answer = f"{number_text(n)} {word}"
    assert equal(answer, number_text(n * SCALES[word]), "math") is not False
    assert equal(answer, number_text(n), "math") is not False


@given(st.integers(2, 10**6), st.integers(2, 10**6), st.sampled_from(["plums", "red pens", "children", "boxes a day"]))
def test_a_noun_that_is_no_unit_changes_no_number(n, other, noun):
    assert equal(f"{n} {noun}", str(other), "math") is (n == other)
