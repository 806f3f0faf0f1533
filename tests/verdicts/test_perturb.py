"""Perturbation: a chain read as a program gives with other numbers what a sound chain gives, or it was luck."""

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from stages.tools.arithmetic.toolkit import ARITHMETIC
from stages.tools.calls import number
from stages.tools.run import run_call
from stages.verdicts.perturb import agreement, outputs

BOXES = "Each of 12 boxes holds 7 pens, and 15 pens lie about. 20% of all are red. How many are red?"


def run(question, *calls, answer=None, redraws=4):
    steps = [run_call(call, ARITHMETIC.tools, None) for call in calls]
    return outputs(question, steps, number(answer or steps[-1].result), redraws)


SOUND = run(BOXES, "Multiply(a=12, b=7)", "Add(a=84, b=15)", "Percent(percent=20, of=99)")


def test_a_chain_gives_other_answers_for_other_numbers():
    assert len(SOUND) == 4 == len(set(SOUND)) and number("19.8") not in SOUND


@pytest.mark.parametrize(
    "calls",
    [
        ["Multiply(a=7, b=12)", "Add(a=15, b=84)", "Multiply(a=99, b=0.2)"],
        ['Calculate(expression="(12*7 + 15) * 20%")'],
        ['Calculate(expression="20/100*(15+7*12)")'],
        ["Multiply(a=12, b=7)", "Add(a=84, b=15)", "Multiply(a=99, b=0.8)", "Subtract(a=99, b=79.2)"],
        ["Multiply(a=12, b=7)", "Add(a=84, b=15)", "Divide(a=20, b=100)", "Multiply(a=1/5, b=99)"],
        ["Multiply(a=12, b=7)", "Subtract(a=84, b=-15)", 'SolveLinear(equation="x/99 = 20/100", unknown="x")'],
    ],
)
def test_another_sound_way_gives_the_same(calls):
    assert run(BOXES, *calls) == SOUND


TICKETS = "A ticket costs 7 dollars and popcorn 9 dollars. How often can he go for 48 dollars?"
STAMPS = "A third of the 60 letters are stamped now, so that 30 are. How many were stamped before?"


@pytest.mark.parametrize(
    ("question", "sound", "lucky"),
    [
        (
            TICKETS,
            ["Add(a=7, b=9)", "Divide(a=48, b=16)"],
            ["Multiply(a=9, b=2)", "Add(a=18, b=9)", "Subtract(a=48, b=27)", "Divide(a=21, b=7)"],
        ),
        (
            STAMPS,
            ["Divide(a=60, b=3)", "Subtract(a=30, b=20)"],
            ["Divide(a=60, b=3)", "Subtract(a=60, b=20)", "Subtract(a=40, b=30)"],
        ),
        (STAMPS, ["Divide(a=60, b=3)", "Subtract(a=30, b=20)"], ["Divide(a=100, b=10)"]),
    ],
)
def test_a_lucky_way_parts(question, sound, lucky):
    assert (one := run(question, *sound)) is not None and (other := run(question, *lucky)) is not None
    assert all(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("calls", "answer"),
    [
        (["Multiply(a=12, b=7)"], "19.8"),  # the answer is no result
        (["Divide(a=1, b=0)", "Add(a=12, b=7)"], "19"),
        (["nonsense", "Add(a=12, b=7)"], "19"),
        (["Add(a=92, b=7)", "Percent(percent=20, of=99)"], "19.8"),  # 92 stands nowhere
        (["Multiply(a=12, b=1)", "Add(a=12, b=7)"], "19"),  # the second 12 may be the first call's
        (["Subtract(a=12, b=7)", "Subtract(a=5, b=5)", 'SolveLinear(equation="5*x = 0 * 15", unknown="x5")'], "0"),
        ([], "3"),
    ],
)
def test_what_cannot_be_told_is_none(calls, answer):
    assert run(BOXES, *calls, answer=answer) is None


def test_a_question_without_numbers_to_draw_is_none():
    assert run("Two pens and 3 pens?", "Add(a=2, b=3)") is None


def test_a_chain_that_uses_nothing_of_the_question_gives_the_same_again():
    assert run(BOXES, "Add(a=2, b=1)") == (3,) * 4
    assert run("5 of 100 are red. How many more?", "Subtract(a=2, b=1)") == (1,) * 4  # 1 is not 1 % of 100


def test_what_comes_after_the_answer_does_not_matter():
    calls = ["Multiply(a=12, b=7)", "Add(a=84, b=15)", "Percent(percent=20, of=99)", "Add(a=1, b=1)"]
    assert run(BOXES, *calls, answer="19.8") == SOUND


def test_numbers_too_small_to_tell_stay_as_they_are():
    question = "Half of 90 pens are red and 3 are lost; 1/8 are blue."
    (drawn,) = run(question, "Divide(a=90, b=2)", "Subtract(a=45, b=3)", redraws=1)
    assert (drawn + 3) * 2 in range(91, 90 + 98)


def test_the_places_to_round_to_are_no_number_of_the_question():
    question = "What is 7.25 times 8, to 8 places?"
    (drawn,) = run(question, "Multiply(a=7.25, b=8)", "Round(x=58, digits=8)", redraws=1)
    assert drawn == round(drawn, 2) and drawn > 58


def test_the_same_question_is_drawn_the_same_way_each_time():
    calls = ["Multiply(a=12, b=7)", "Add(a=84, b=15)", "Percent(percent=20, of=99)"]
    assert run(BOXES, *calls) == SOUND and run(BOXES, *calls, redraws=2) == SOUND[:2]
    assert run(BOXES + " Tell.", *calls) != SOUND


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([], []),
        ([(1,)], [""]),
        ([(1,), (1,)], ["agrees", "agrees"]),
        ([(1,), (2,)], ["", ""]),
        ([(1,), (2,), (1,)], ["agrees", "disagrees", "agrees"]),
        ([(1,), None, (1,), (2,)], ["agrees", "", "agrees", "disagrees"]),
        ([(1,), (2,), (1,), (2,)], ["", "", "", ""]),
        ([(1,), (2,), (1,), (3,)], ["", "", "", ""]),
        ([None, None], ["", ""]),
    ],
)
def test_chains_agree_with_the_majority_or_nothing_is_said(made, words):
    assert agreement(made) == words


TOOLS = st.sampled_from(["Add", "Subtract", "Multiply", "Divide"])
OPERANDS = st.sampled_from(["12", "7", "-15", "0.2", "0.8", "3", "0", "84", "20", "1/3"])


@examples(300)
@given(st.lists(st.tuples(TOOLS, OPERANDS, OPERANDS), max_size=6), st.integers(1, 3))
def test_any_chain_is_told_or_not_but_never_breaks(calls, redraws):
    steps = [run_call(f"{tool}(a={a}, b={b})", ARITHMETIC.tools, None) for tool, a, b in calls]
    last = next((step.result for step in reversed(steps) if step.result), "1")
    made = outputs(BOXES, steps, number(last), redraws)
    assert made is None or len(made) == redraws
