"""Names across several formulas: one number of terms each, and names that look like one are found and not refused."""

from __future__ import annotations

import pytest

from stages.tools.fol.formula import FormulaError
from stages.tools.fol.reading import parse
from stages.tools.fol.symbols import Symbols


def admitted(*sources):
    symbols = Symbols()
    for source in sources:
        symbols.admit(parse(source))
    return symbols


def twins(*sources):
    """The names of the last formula that look like another, each with that one."""
    return admitted(*sources[:-1]).admit(parse(sources[-1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Platypus(a)", "Platypuses(a)"),
        ("Meeting(a)", "Meetings(a)"),
        ("City(a)", "Cities(a)"),
        ("GreyHound(a)", "Greyhound(a)"),
        ("Has_Fur(a)", "HasFur(a)"),
        ("At(a, strawberry)", "At(a, strawberries)"),
        ("At(a, Harry)", "At(a, harry)"),
        ("Fox(a)", "Foxes(a)"),
    ],
)
def test_two_spellings_of_one_name_are_found(one, other):
    names = [source.rstrip(")").replace("(", " ").replace(", ", " ").split() for source in (one, other)]
    changed = next((a, b) for a, b in zip(*names, strict=True) if a != b)
    assert twins(one, other) == [changed[::-1]]
    assert twins(other, one) == [changed]
    assert twins(f"{one} ∧ {other}") == [changed[::-1]]
    assert twins(one, other, f"{one} ∨ {other}") == []  # each is found once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Know(harry)", "Know(larry)"),
        ("Before2010(a)", "Before2011(a)"),
        ("Produced(a)", "Producer(a)"),
        ("PlanA(a)", "PlanB(a)"),
        ("Sour(a)", "Sound(a)"),
        ("Quiet(a)", "Quite(a)"),
        ("In(a, year1971)", "In(a, year1972)"),
        ("Bus(a)", "Bu(a)"),
        ("Class(a)", "Clas(b)"),
        ("Student(a)", "Likes(a, student)"),
    ],
)
def test_names_that_differ_on_purpose_are_not_taken_for_one(one, other):
    assert twins(one, other) == twins(other, one) == []


def test_a_refused_formula_leaves_no_names_behind():
    symbols = admitted("Likes(a, b)")
    for source in ("New(c) ∧ Likes(c)", "New(c) ∧ P(x)", "New(c) ∧ ∀x ∃x (P(x))"):
        with pytest.raises(FormulaError):
            symbols.admit(parse(source))
    assert (symbols.predicates, list(symbols.constants)) == ({"Likes": 2}, ["a", "b"])
