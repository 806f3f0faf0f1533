"""Plain equations of solutions are calls where an exact calculation confirms them, with units, percent and all."""

import json
import re

import pytest
from conftest import within
from hypothesis import given
from hypothesis import strategies as st

from stages.problems.published import gsm8k
from stages.problems.solutions.annotations import call_of, equations
from stages.teacher.imported import gsm8k_solutions
from stages.verdicts.verdict import verdict


def read(text):
    return [(one.call, one.value) for one in equations(text)]


@pytest.mark.parametrize(
    ("text", "expression", "value"),
    [
        ("18 plums / 3 plums/bag = 6 bags", "18/3", 6),
        ("He kept 23 total meters – 13 calculated meters = 10 meters.", "23-13", 10),
        ("$5400/week * 4 weeks = $21,600", "5400*4", 21600),
        ("46*7kg = 322kg", "46*7", 322),
        ("60 (min/hour) * 2 hours = 120", "60*2", 120),
        ("($600 * 2)/weekend day * 2 weekend days = $2400", "(600*2)*2", 2400),
        ("3/12 x 100% = 25%", "3/12*100", 25),
        ("50 cups / 200 cups * 100% = 25%", "50/200*100", 25),
        ("100% - 40% = 60%", "100-40", 60),
        ("60% * 40% = 24%", "60%*40", 24),
        ("200 games * 63% = 126", "200*63%", 126),
        ("20% of 50 pens = 10 pens", "20%*50", 10),
        ("-4 + 1 = -3", "-4+1", -3),
        ("It is -4 + 1 = -3 degrees.", "-4+1", -3),
        ("2(3 + 4) = 14", "2*(3+4)", 14),
        ("158 * 1 1/2 = 237 fish", "158*(1+1/2)", 237),
        ("12 x 1 and 1/4 = 15", "12*(1+1/4)", 15),
        ("3/4 * 2 = 1 1/2 feet", "3/4*2", 1.5),
        ("1 - 1/4 = 3/4 of it", "1-1/4", 0.75),
        ("$100 000 - $11 000 = $89 000", "100000-11000", 89000),
        ("a total of 120 + 108 + 100 = 328", "120+108+100", 328),
        (".50 - .25 = .25", ".50-.25", 0.25),
        ("She pays 3 pens x $2/pen = $6\n- then she rests", "3*2", 6),
        ("5 pens + 1 pen = 6\nX is more", "5+1", 6),
    ],
)
def test_an_equation_is_read_with_its_units_signs_and_percent(text, expression, value):
    assert read(text) == [(call_of(expression), value)]


@pytest.mark.parametrize(
    "text",
    [
        "18 plums / 3 plums/bag = 7 bags",
        "16 dozen eggs / 4 = 4 eggs",  # 48
        "16 dozen / 4 + 1 = 5",
        "half of 4 + 1 = 5",
        "twice 4 + 1 = 9",
        "4 times 5 + 1 = 6",
        "20 - 4 dozen + 1 = 17",
        "3/12 x 100% = 25",  # 25 %, that is 0.25
        "50% + 25 = 75%",
        "60% * 40% = 2400%",
        "1/2 = 50%",
        "1 hour + 30 minutes = 90 minutes",
        "$1 / 2 = 50 cents",
        "2 1/2 * 2 = 21",  # never 21/2
        "1st + 2 = 3",
        "A4 + 1 = 5",
        "3x + 2 = 5",
        "5 - 2 = 3 - 1",
        "10 of 4 = 40 of",
    ],
)
def test_what_does_not_hold_as_it_stands_is_not_a_calculation(text):
    assert read(text) == []


def test_an_unknown_is_solved_where_its_value_follows():
    assert [one.call.tool for one in equations("3 * x + 4 = 19 and so x = 5")] == ["SolveLinear"]
    assert read("3 * x + 4 = 19 and so x = 6") == []


@given(
    st.integers(0, 999), st.integers(1, 999), st.sampled_from("+-*/"), st.sampled_from(["", " pens", " kg", " a day"])
)
def test_only_true_equations_are_read_whatever_they_count(a, b, operator, unit):
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[operator]
    true = operator != "/" or a % b == 0
    text = f"So {a}{unit} {operator} {b}{unit} = {value}{unit}."
    assert read(text) == ([(call_of(f"{a}{operator}{b}"), value)] if true else [])
    assert read(text.replace(f"= {value}", f"= {value + 1}")) == []


@pytest.mark.parametrize(
    "text", ["1+" * 5000 + "1=2", "1 a " * 2500 + "+ 1 = 2", "(" * 9999 + "=", "1=" * 5000, "1/" * 5000, "$-" * 5000]
)
def test_hostile_texts_take_no_time(text):
    with within(1.0):
        assert equations(text) == []


@pytest.mark.parametrize(
    ("solution", "failure"),
    [
        ("<<100/3=33.333333333333336>>\n<<100/33.333333333333336=3.0>>3\nA: 3", ""),
        ("<<2000/75=26.666666666666668>>\n<<(26.666666666666668+1)*3=83.0>>83\nA: 83", ""),
        ("<<100/33.333333333333336=3.0>>3\nA: 3", "ungrounded"),  # of no earlier result
        ("<<100/3=33.333333333333336>>\n<<100/33.33=3.0>>3\nA: 3", "ungrounded"),  # rounded by hand
    ],
)
def test_a_float_operand_is_the_earlier_result_that_it_prints(tmp_path, solution, failure):
    answer = re.search("A: (.*)", solution)[1]
    row = {"question": "How many are 100, 75 and 2000?", "ground_truth": f"<<{answer}+0={answer}>>\nA: {answer}"}
    row |= dict.fromkeys(gsm8k_solutions.MODELS, {"is_correct": True, "solution": solution})
    (tmp_path / "models.jsonl").write_text(json.dumps(row) + "\n")
    one = next(gsm8k_solutions.read(tmp_path / "models.jsonl"))
    assert verdict(gsm8k_solutions.chain(one.problem, one.text, one.model), 0.0)["failure"] == failure


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("It costs <<16=16>>16.\n#### 16", gsm8k.NO_CALLS),
        ("<<2*8=16>>16 and so on, <<17=17>>17\n#### 17", gsm8k.STOPS_SHORT),
    ],
)
def test_a_doubt_of_what_is_not_read_says_so(answer, reason):
    assert gsm8k.reference(answer, gsm8k.gold_of(answer)) == ((), reason) and reason.startswith("not all read")
