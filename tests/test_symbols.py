"""Names across several formulas: one name is written in one way and has one number of terms."""

from __future__ import annotations

import pytest

from stages.tools.formula import FormulaError, parse
from stages.tools.symbols import Symbols


def admitted(*sources):
    symbols = Symbols()
    for source in sources:
        symbols.admit(parse(source))
    return symbols


def twins(*sources):
    with pytest.raises(FormulaError) as error:
        admitted(*sources)
    assert error.value.kind in ("near_duplicate", "arity")
    return str(error.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Platypus(a)", "Platypuses(a)"),
        ("Meeting(a)", "Meetings(a)"),
        ("City(a)", "Cities(a)"),
        ("GreyHound(a)", "Greyhound(a)"),
        ("Has_Fur(a)", "HasFur(a)"),
        ("IsChessPlayer(a)", "IsChestPlayer(a)"),
        ("SpectatorsBetOn(a)", "SpectaorsBetOn(a)"),
        ("Quiet(a)", "Quite(a)"),
        ("At(a, strawberry)", "At(a, strawberries)"),
        ("At(a, Harry)", "At(a, harry)"),
        ("Fox(a)", "Foxes(a)"),
    ],
)
def test_two_spellings_of_one_name_are_refused(one, other):
    names = [source.rstrip(")").replace("(", " ").replace(", ", " ").split() for source in (one, other)]
    changed = next((a, b) for a, b in zip(*names, strict=True) if a != b)
    assert twins(one, other) == f"{changed[1]} looks like {changed[0]}; use one spelling, or names that differ more"
    assert "looks like" in twins(other, one)
    assert "looks like" in twins(f"{one} ∧ {other}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Know(harry)", "Know(larry)"),
        ("Before2010(a)", "Before2011(a)"),
        ("Produced(a)", "Producer(a)"),
        ("PlanA(a)", "PlanB(a)"),
        ("Sour(a)", "Sound(a)"),
        ("In(a, year1971)", "In(a, year1972)"),
        ("Bus(a)", "Bu(a)"),
        ("Class(a)", "Clas(b)"),
        ("Student(a)", "Likes(a, student)"),
    ],
)
def test_names_that_differ_on_purpose_are_not_taken_for_one(one, other):
    admitted(one, other)
    admitted(other, one)


def test_a_refused_formula_leaves_no_names_behind():
    symbols = admitted("Likes(a, b)")
    for source in ("New(c) ∧ Likes(c)", "New(c) ∧ Like(a, b)", "New(c) ∧ P(x)", "New(c) ∧ ∀x ∃x (P(x))"):
        with pytest.raises(FormulaError):
            symbols.admit(parse(source))
    assert (symbols.predicates, list(symbols.constants)) == ({"Likes": 2}, ["a", "b"])
