"""Numbers drawn anew: the new problem verifies and its text differs in those numerals only, or there is none."""

import random
import re
from collections import Counter

import pytest
from conftest import problems_params, shared
from hypothesis import given
from hypothesis import strategies as st

from stages.params import ParamsError
from stages.problems.gold import doubt
from stages.problems.published import asdiv, gsm8k, mawps
from stages.problems.redraw import _values, linked, redrawn
from stages.problems.solutions import equations
from stages.problems.sources import load
from stages.records.chain import Call
from stages.records.numbers import SPELLED, SPELLED_NUMBER
from stages.records.problem import Problem
from stages.tools.calls import number

NUMERAL = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+")


def problem(question, equation, gold):
    calls, why = equations.solution(equation, gold)
    assert not why
    return Problem("p", "math", "arithmetic", "mawps", question, gold, calls)


def masked(question):
    return SPELLED_NUMBER.sub("#", NUMERAL.sub("#", question))


def check(old, new):
    """What every redrawn problem must be, beside the problem it comes from."""
    assert doubt(new) == ""
    assert masked(new.question) == masked(old.question) and new.question != old.question
    for before, now in zip(old.solution[:-1], new.solution[:-1], strict=True):
        assert before.tool == now.tool
    changed = dict(zip(_values(old.question), _values(new.question), strict=True))
    for call, other in zip(old.solution[:-1], new.solution[:-1], strict=True):
        taken = [changed[value] for value in call.arguments.values() if value in changed]
        if call.tool in ("Add", "Multiply"):
            assert not Counter(taken) - Counter(other.arguments.values())
        else:
            assert all(
                other.arguments[name] == changed.get(value, other.arguments[name])
                for name, value in call.arguments.items()
            )
    gold, now = number(old.gold), number(new.gold)
    assert (gold > 0) == (now > 0) and (gold < 0) == (now < 0)
    assert len(new.gold.partition(".")[2]) <= len(old.gold.partition(".")[2])


def test_numbers_change_in_text_calls_and_gold_alike():
    old = problem(
        "Tom has 25,000 pens, sells 1,500 a month for 8 months. How many are left?", "25000-(1500*8)=x", "13000"
    )
    made = redrawn(old, 5, 1)
    assert len({new.question for new in made}) == len({new.id for new in made}) == 5
    for new in made:
        check(old, new)
        a, b, c = _values(new.question)
        assert number(new.gold) == a - b * c and re.search(r"has \d\d,\d{3} pens, sells \d,\d{3} a", new.question)


def test_decimals_keep_their_places_and_money_its_form():
    old = problem("A cap costs $4.50 and a pen .75 dollars. What do both cost?", "4.5+.75=x", "5.25")
    for new in redrawn(old, 10, 1):
        check(old, new)
        assert re.fullmatch(r"A cap costs \$\d\.\d\d and a pen \.\d\d dollars\. What do both cost\?", new.question)


def test_sums_and_products_take_an_earlier_result_first_then_the_numbers_as_the_text_has_them():
    old = problem("Tom has 12 caps and 34 pens. Each costs 5. What do all cost twice?", "2*(5*(34+12))=x", "460")
    for new in redrawn(old, 5, 1):
        caps, pens, cost = _values(new.question)
        calls = [call.text() for call in new.solution[:-1]]
        assert calls == [
            f"Add(a={caps}, b={pens})",
            f"Multiply(a={caps + pens}, b={cost})",
            f"Multiply(a={(caps + pens) * cost}, b=2)",
        ]
    old = problem("Tom had 34 pens, gave some away and now has 12. How many?", "34-12=x", "22")
    assert all(call.arguments["a"] > call.arguments["b"] for new in redrawn(old, 5, 1) for call in new.solution[:-1])


def test_spelled_numbers_are_drawn_and_stay_spelled():
    old = problem("Seven boys have sixty-four pens and two bags of 9. How many?", "64-7+9=x", "66")
    words = {value: word for word, value in SPELLED.items() if " " not in word}
    made = redrawn(old, 40, 1)
    for new in made:
        check(old, new)
        assert " two bags" in new.question and new.question[0].isupper()
        taken, given, found = (new.solution[i].arguments[k] for i, k in ((0, "b"), (0, "a"), (1, "b")))
        assert (
            new.question
            == f"{words[taken].capitalize()} boys have {words[given]} pens and two bags of {found}. How many?"
        )
    assert len({new.solution[0].arguments["a"] for new in made}) > 20


def test_every_number_from_two_to_ninety_nine_can_be_spelled():
    assert set(SPELLED.values()) == set(range(2, 100))
    for word in SPELLED:
        assert SPELLED_NUMBER.search(f"The {word.upper()} of them.")[0] == word.upper()


def test_what_stays_is_a_number_word_and_a_numeral_that_no_call_takes():
    old = problem("On day 3 Tom has twice as many as Ann's 14 pens. How many?", "14*2=x", "28")
    for new in redrawn(old, 5, 1):
        check(old, new)
        assert new.question.startswith("On day 3 Tom has twice") and new.solution[0].arguments["b"] == 2


@pytest.mark.parametrize(
    ("question", "equation", "gold"),
    [
        ("Tom has one pen and Ann one more. How many?", "1+1=x", "2"),  # one may be no number
        ("Tom has five hundred pens and finds seven. How many?", "500+7=x", "507"),  # five is no number of its own
        ("Tom, the twenty-first, has four pens and finds nine hundred. How many?", "21+4=x", "25"),
        ("Tom has 7 pens and finds 7 more. How many?", "7+7=x", "14"),  # two roles
        ("A garden is 10 m long and 2 m wide. What is its perimeter?", "(10+2)*2=x", "24"),  # 2 is also a constant
        ("A garden of 10 m by 2 m has which perimeter, halved?", "(10+2)=x", "12"),
        ("In 3 weeks of 5 days Tom reads how many days?", "3*7=x", "21"),  # 7 stands nowhere
        ("Tom reads 7 pages a day. How many in a week?", "7*7=x", "49"),
        ("Tom has 5 pens, 3 caps, 8 cups, and gives 8 of all away. How many pens and caps are left?", "5+3-8=x", "0"),
        ("Tom has 5 pens, 3 caps and 8 cups. What are pens and caps, less the cups?", "5+3-8=x", "0"),  # a result, or 8
        ("On 3/4 of 20 days it rained. How many?", "20*.75=x", "15"),
        ("Tom, the 3rd, has 4 pens and 5 caps. How many?", "4+5=x", "9"),  # a numeral that is no number
        ("Tom has 2 pens and two caps and 5 cups. How many pens and cups?", "2+5=x", "7"),  # 2 or two
        ("Half of the 24 pens go to 2 friends. How many are that?", "24/2=x", "12"),
        ("40 % of 50 pens are red. How many?", "50*.4=x", "20"),
        ("10 pens for 3 boys: how many each?", "10/3=x", "3.33"),  # rounded
        ("A number and 4 times it and 6 are 16.", "4*x+x+6=16", "2"),  # an equation to solve
    ],
)
def test_what_cannot_be_linked_surely_is_refused(question, equation, gold):
    assert redrawn(problem(question, equation, gold), 3, 1) == []


def test_without_a_solution_or_with_more_than_operations_there_is_none():
    old = Problem("p", "math", "arithmetic", "p", "What are 3 and 4?", "7")
    assert redrawn(old, 3, 1) == []
    calls = (Call("Calculate", {"expression": "3+4"}), Call("Finish", {"answer": "7"}))
    assert redrawn(Problem("p", "math", "arithmetic", "p", "What are 3 and 4?", "7", calls), 3, 1) == []


def test_the_draws_are_the_seed_s_and_the_first_do_not_depend_on_their_count():
    old = problem("Tom has 12 pens and finds 45. How many?", "12+45=x", "57")
    assert redrawn(old, 3, 1) == redrawn(old, 3, 1) == redrawn(old, 6, 1)[:3] != redrawn(old, 3, 2)


@given(a=st.integers(2, 9_999), b=st.integers(2, 9_999), operator=st.sampled_from("+-*/"), seed=st.integers(0, 99))
def test_any_redrawn_problem_verifies(a, b, operator, seed):
    gold = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[operator]
    if a != b and (operator != "/" or a % b == 0):
        old = problem(f"Given {a} and then {b}, what is {operator}?", f"{a}{operator}{b}=x", str(gold))
        for new in redrawn(old, 2, seed):
            check(old, new)


def test_only_training_problems_are_multiplied(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"question": "What are 12 pens and 34 cups?", "answer": "<<12+34=46>>46\\n#### 46"}\n')
    entry = {"source": "gsm8k", "split": "train", "path": str(path), "redraws": 4, "seed": 1}
    first, *others = load("train", problems_params(train=(entry,), dev=(), heldout=(), ood=()))
    assert [one.id for one in others] == [f"{first.id}-redrawn-{place}" for place in range(1, 5)]
    for other in others:
        check(first, other)
    with pytest.raises(ParamsError, match=r"problems\.heldout\[0\]\.redraws: only training problems are multiplied"):
        load("heldout", problems_params(train=(), dev=(), heldout=(entry,), ood=()))


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("read", "name", "share"),
    [
        (lambda path: asdiv.read(path, "a"), "asdiv/validation.jsonl", 0.65),
        (mawps.read, "mawps/mawps.jsonl", 0.7),
        (lambda path: gsm8k.read("train", path), "gsm8k/train.jsonl", 0.1),
    ],
)
def test_redrawn_problems_of_published_sets_verify(read, name, share):
    published = read(shared(name))
    chosen = random.Random(1).sample(published, 300)
    made = {old.id: redrawn(old, 2, 1) for old in chosen if linked(old)}
    assert len(made) >= share * len(chosen)
    for old in chosen:
        for new in made.get(old.id, []):
            check(old, new)
