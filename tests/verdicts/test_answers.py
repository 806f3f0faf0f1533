"""Answer equality: three outcomes, never a guess."""

import json
from fractions import Fraction

import pytest
from conftest import shared

from stages.verdicts.answers import equal

EQUAL = [
    ("18", "18"),
    ("18.0", "18"),
    ("018", "18"),
    ("$18", "18"),
    ("$18.00", "18"),
    ("18$", "18"),
    ("$ 18", "18"),
    ("-$5", "-5"),
    ("$-5", "-5"),
    ("\u22125", "-5"),
    ("$1,234.50", "1234.5"),
    ("1,234,567", "1234567"),
    ("12 apples", "12"),
    ("9 (apples)", "9"),
    ("9 (quarters)", "9"),
    ("19 (pairs of shoes)", "19"),
    ("19 (pairs of shoes)", "19 pairs"),
    ("426 (white t-shirts)", "426 t-shirts"),
    ("12 apples", "12 red apples"),
    ("18 dollars", "$18"),
    ("18 dollars a day", "18"),
    ("$18 per hour", "18 dollars"),
    ("60 km/h", "60"),
    ("3-day", "3 days"),
    ("50%", "50"),
    ("50%", "0.5"),
    ("50 percent", "50%"),
    ("50%", "1/2"),
    ("12.5 %", "12.5"),
    ("1/2", "0.5"),
    ("10/3", "20/6"),
    ("10 / 3", "10/3"),
    ("1,000/2", "500"),
    ("3 1/2", "3.5"),
    ("3 and 1/2", "7/2"),
    ("-3 1/2", "-3.5"),
    ("3½", "3.5"),
    ("3 1/2 cups", "3.5"),
    ("1e3", "1000"),
    ("1.5 × 10^3", "1500"),
    ("2.5e-1", "1/4"),
    ("x = 3", "3"),
    ("x=-3", "-3"),
    ("The answer is 18.", "18"),
    ("A: 18", "18"),
    ("Total cost = $18", "18"),
    ("**18**", "18"),
    ("`18`", '"18"'),
    ("18.", "18"),
    (r"\boxed{18}", "18"),
    (r"$\frac{10}{3}$", "10/3"),
    (r"3\frac{1}{2}", "3.5"),
    (r"18\text{ apples}", "18"),
    (r"\$18", "18"),
    ("36 inches", "3 feet"),
    ("$0.18", "18 cents"),
    ("90 minutes", "1.5 hours"),
    ("9 square feet", "1 square yard"),
    ("$2 million", "2,000,000"),
    ("3 dozen eggs", "36"),
    ("3 dozen eggs", "3 (dozen)"),
    ("Tuesday", "tuesday."),
    ("45°", "45 degrees"),
    (r"45^\circ", "45"),
    (r"\frac12", "0.5"),
    (r"\boxed{\frac{1}{2}}", "1/2"),
    ("1{,}000", "1000"),
    (r"1,\!000", "1000"),
    ("{1, 2}", "{2, 1}"),
    ("{1, 1, 2}", "{1, 2}"),
    (r"\{1, 2\}", "1 and 2"),
    ("{0.5, 3}", r"{3, \frac{1}{2}}"),
    ("x = 1 or x = 2", "{1, 2}"),
    ("{4}", "4"),
    ("(1, 2)", "(1.0, 4/2)"),
    ("[1, 2)", r"\left[1, 2\right)"),
    ("(-∞, 2)", r"(-\infty, 2)"),
    ("(-oo, 2)", "[-inf, 2)"),
    (r"(3, \infty) \cup (-\infty, 2)", "(-∞, 2) ∪ (3, ∞)"),
    ("(1, 2] ∪ (2, 3)", "(1, 3)"),
    ("(A)", "A"),
    ("option (a)", "A."),
    ("The answer is B", "(B)"),
    ("A) the green book", "(A)"),
]
DIFFERENT = [
    ("18", "19"),
    ("18", "-18"),
    ("1.5", "15"),
    ("0.3333333", "1/3"),
    ("3.33", "10/3"),
    ("3 feet", "3 meters"),
    ("18 cents", "18 dollars"),
    ("2 hours", "3"),
    ("50%", "51"),
    ("50%", "5"),
    ("x = 4", "3"),
    ("The answer is 17", "18"),
    ("1e3", "100"),
    ("3 dozen", "4"),
    ("3 dozen", "3 million"),
    ("3 dozen", "36 (dozen)"),
    ("unknown", "18"),
    ("I do not know.", "18"),
    ("a rompus", "18"),
    ("", "18"),
    ("", "0"),
    ("12345678901234567890", "12345678901234567891"),
    ("{1, 2}", "{1, 3}"),
    ("{1, 2}", "2, 3"),
    ("{4, 5}", "4"),
    ("(1, 2)", "(2, 1)"),
    ("(1, 2)", "[1, 3]"),
    ("[1, 2)", "[1, 2]"),
    ("(-∞, 2)", "(-∞, 2]"),
    ("(1, 2) ∪ (2, 3)", "(1, 3)"),
    ("(A)", "(D)"),
    ("A", "B."),
    ("A) the green book", "B"),
    ("", "A"),
    ("", "{1, 2}"),
]
UNDECIDED = [
    ("4 or 5", "4"),
    ("(1, 2)", "1"),
    ("[1, 2]", "(1, 2)"),
    ("{1, 2}", "(1, 2)"),
    ("{1, 2}", "[1, 2]"),
    ("{1, 2}", "[1, 2)"),
    ("1, 2", "2, 1"),
    ("1, 2", "(1, 2)"),
    ("4, 5", "4"),
    ("(1,234)", "1,234"),
    ("{1,234}", "{1, 234}"),
    ("(1, 2", "1"),
    ("{1 apple, 2}", "{1, 2}"),
    ("1 hour, 90 minutes", "2.5 hours"),
    ("5 feet 6 pounds", "5"),
    ("3 feet", "3 hours"),
    ("3 square feet", "3 feet"),
    ("£5", "$5"),
    ("5 feet 6 inches", "66 inches"),
    ("$5 and 10 cents", "5"),
    ("A", "18"),
    ("A) 18", "18"),
    ("24k", "24"),
    ("3-5", "4"),
    ("2 + 3 = 5", "5"),
    ("3*6", "36"),
    ("3*6", "18"),
    ("3-5", "-5"),
    ("3 - 1/2", "3.5"),
    ("3-1/2", "3.5"),
    ("- 18", "18"),
    ("1,5", "1.5"),
    ("1,5", "15"),
    ("12,34", "1234"),
    ("1 234", "1234"),
    ("eighteen", "18"),
    ("18 and a half", "18"),
    ("3 halves", "3"),
    ("9 quarters", "9"),
    ("18 (or 19)", "18"),
    ("18 (or so)", "18"),
    ("1,2341/2", "1234.5"),
    ("half is 18", "18"),
    ("each is 18", "18"),
    ("十八", "18"),
    ("19 (pairs)", "38"),
    ("twice as many", "18"),
    ("about 18", "18"),
    ("not 18", "18"),
    ("18 less", "18"),
    ("18 squared", "18"),
    ("5!", "5"),
    ("5x", "5"),
    ("0.333...", "0.333"),
    ("3:30", "3"),
    ("7 pm", "7 am"),
    ("5/0", "5"),
    ("3 5/4", "4.25"),
    ("1e65", "1"),
    ("1e999999999", "1"),
    ("1.2.3", "1.2"),
    ("１８", "18"),
    ("٣", "3"),
    ("18 apples", "18 pears"),
    ("18 dollars", "18 apples"),
    ("18 cents", "0.18"),
    ("2 hours", "120"),
    ("3 dozen", "3"),
    ("0.5%", "0.5"),
    ("12 months", "12 weeks"),
    ("it is free", "0"),
    ("an apple", "1"),
    ("Tuesday", "Wednesday"),
    ("18 " * 100, "18"),
    ("18 " + "very " * 100 + "good apples", "18"),
]


@pytest.mark.parametrize(("answer", "gold"), EQUAL)
def test_the_same_number_written_differently_is_equal(answer, gold):
    assert equal(answer, gold, "math") is True
    assert equal(gold, answer, "math") is True


@pytest.mark.parametrize(("answer", "gold"), DIFFERENT)
def test_a_different_number_or_clearly_none_is_different(answer, gold):
    assert equal(answer, gold, "math") is False
    assert equal(gold, answer, "math") is False


@pytest.mark.parametrize(("answer", "gold"), UNDECIDED)
def test_what_is_not_surely_read_is_undecided_and_never_wrong(answer, gold):
    assert equal(answer, gold, "math") is None
    assert equal(gold, answer, "math") is None


@pytest.mark.parametrize(
    ("answer", "gold", "outcome"),
    [
        ("True", "True", True),
        ("true.", "True", True),
        ('"False"', "False", True),
        ("The answer is true", "True", True),
        ("Uncertain", "Unknown", True),
        ("It is unknown", "Unknown", True),
        ("cannot be determined", "Unknown", True),
        ("True", "False", False),
        ("Unknown", "True", False),
        ("Uncertain", "False", False),
        ("", "True", False),
        ("A", "True", None),
        ("(A)", "(D)", False),
        ("A) True", "A", True),
        ("B) The red book is the first.", "A", False),
        ("The correct option is (C).", "C", True),
        ("(A) True", "True", True),
        ("(A) True", "Unknown", False),
        ("the green book", "A", None),
        ("yes", "True", None),
        ("not true", "True", None),
        ("it is not true", "False", None),
        ("True or False", "True", None),
        ("Leo is red", "True", None),
        ("1", "True", None),
        ("A", "A", True),
    ],
)
def test_logic_answers_are_compared_by_label(answer, gold, outcome):
    assert equal(answer, gold, "logic") is outcome
    assert equal(gold, answer, "logic") is outcome


def test_the_tolerance_is_absolute_and_inclusive():
    assert equal("3.33", "10/3", "math", Fraction(1, 300)) is True
    assert equal("3.33", "10/3", "math", Fraction(1, 301)) is False
    assert equal("3.01 feet", "3 feet", "math", Fraction(1, 100)) is True
    assert (
        equal("1 foot", "15 inches", "math", Fraction(1)) is equal("15 inches", "1 foot", "math", Fraction(1)) is True
    )
    assert equal("True", "False", "logic", Fraction(10)) is False


def test_a_task_without_answers_is_refused_by_name():
    with pytest.raises(ValueError, match="task 'poetry' has no answers"):
        equal("1", "1", "poetry")


@pytest.mark.shared_data
def test_real_model_answers_are_judged_as_their_publishers_do():
    path = shared("gsm8k_model_solutions/even_0000-0658.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    pairs, flags = [], []
    for row in rows:
        gold = row["ground_truth"].split("\n")[-1].removeprefix("A: ")
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            last = row[model]["solution"].split("\n")[-1]
            pairs.append((last.removeprefix("A: ") if last.startswith("A: ") else "", gold))
            flags.append(row[model]["is_correct"])
    outcomes = [equal(answer, gold, "math") for answer, gold in pairs]
    assert outcomes == flags and len(flags) == 1320
