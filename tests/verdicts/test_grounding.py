"""The soft signs of luck in a right chain: they are columns, and leave the verdict."""

from dataclasses import replace

import pytest
from judged import DERIVED, PENS, RED, RIGHT, judged


@pytest.mark.parametrize(
    ("check", "problem", "firing"),
    [
        ("valid_calls", PENS, ["Divide(a=1, b=0)", *RIGHT]),
        ("not_repeated", PENS, [RIGHT[0], *RIGHT]),
        ("not_repeated", RED, ['Recall(about="Leo")', 'Recall(about="Leo")', *DERIVED]),
        ("results_used", PENS, ["Add(a=12, b=7)", *RIGHT]),
        ("results_used", PENS, ["Add(a=84, b=3)", RIGHT[0], RIGHT[2]]),
        ("numbers_grounded", PENS, ["Multiply(a=13, b=7)", "Subtract(a=91, b=4)", RIGHT[2]]),
        ("numbers_grounded", PENS, ['Calculate(expression="(8+5)*7-4")', RIGHT[2]]),
        ("question_numbers_used", PENS, ["Add(a=84, b=3)", RIGHT[2]]),
    ],
)
def test_a_soft_check_fires_and_leaves_the_verdict(check, problem, firing):
    row = judged(problem, firing)
    assert row["verdict"] == "correct" and not row[check]


def test_equal_results_of_different_calls_are_no_repetition():
    assert judged(PENS, ["Multiply(a=42, b=2)", *RIGHT])["not_repeated"]


def test_a_deduction_that_leads_nowhere_is_an_unused_result():
    both = replace(RED, question="Each rompus is tall. " + RED.question)
    assert not judged(both, ['Derive(fact="Leo is tall")', *DERIVED])["results_used"]
    assert judged(both, DERIVED)["results_used"]


@pytest.mark.parametrize(
    "call",
    [
        "Multiply(a=1200, b=0.3)",  # thousands separator, 30 %
        "Multiply(a=1200, b=1.3)",  # 30 % more
        "Multiply(a=1200, b=0.7)",  # 30 % less
        "Percent(percent=70, of=1200)",
        "Divide(a=1200, b=3)",  # a third
        "Multiply(a=1200, b=0.25)",  # a quarter
        "Multiply(a=1200, b=2)",  # twice
        "Add(a=-1200, b=1)",
        "Multiply(a=2/5, b=1200)",
        'SolveLinear(equation="3*x = 1200", unknown="x")',
    ],
)
def test_numbers_that_the_question_means_are_grounded(call):
    question = "A third of 1,200 is cut by 30% and a quarter, twice, and 2/5 of it."
    problem = replace(PENS, question=question)
    assert judged(problem, [call, 'Finish(answer="1")'])["numbers_grounded"]


@pytest.mark.parametrize(("share", "grounded"), [("1/6", True), ("1/7", False)])
def test_a_fraction_published_as_a_float_is_grounded_as_the_fraction(share, grounded):
    problem = replace(PENS, question="He eats 0.16666666666666666 of 84 pies.")
    assert judged(problem, [f"Multiply(a={share}, b=84)", 'Finish(answer="14")'])["numbers_grounded"] is grounded


@pytest.mark.parametrize(
    ("question", "call", "used"),
    [
        ("How much is 20% of 50?", "Multiply(a=50, b=0.2)", True),
        ("How much is 50 less 20%?", 'Calculate(expression="50 * 0.8")', True),
        ("How much is 50 less 20%?", 'Calculate(expression="50 - 50*20/100")', True),
        ("How much is 50 less 20%?", "Subtract(a=50, b=10)", False),
        ("How much is 2/5 of 1,200?", "Multiply(a=1200, b=0.4)", True),
        ("How much is 2/5 of 1,200?", 'Calculate(expression="1200/5*2")', True),
        ("How much is left of 1,200 without 2/5?", "Multiply(a=1200, b=0.6)", True),
        ("How much is 2/5 of 1,200?", "Multiply(a=1200, b=2)", False),
        ("On the 3rd day, one of the 7 sells 5. How many are left?", "Subtract(a=7, b=5)", True),
        ("He has -5 and 0.", "Add(a=5, b=0)", True),
        ("He eats 0.16666666666666666 of 2.", "Multiply(a=1/6, b=2)", True),
        ("He eats 0.16666666666666666 of 2.", "Multiply(a=1/7, b=2)", False),
        ("He has nothing.", "Add(a=5, b=1)", True),
    ],
)
def test_every_numeral_of_the_question_is_asked_for_in_some_meaning(question, call, used):
    row = judged(replace(PENS, question=question), [call, 'Finish(answer="1")'])
    assert row["question_numbers_used"] is used
