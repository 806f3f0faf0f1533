"""Equations and formulas of the published sets become one operation a call, and must give gold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.problems.solutions import equations
from stages.tools import TOOLKITS
from stages.tools.calls import number
from stages.tools.tool import ToolError

SOLVE = TOOLKITS["arithmetic"].tools["SolveLinear"]
NUMBERS = st.sampled_from(["-3", "-1", "0", "1", "2", "5", "0.25"])
LEAVES = st.just("x") | NUMBERS
TREES = st.recursive(LEAVES, lambda part: st.builds("({} {} {})".format, part, st.sampled_from("+-*/"), part))
LINEAR = st.recursive(
    LEAVES,
    lambda part: (
        st.builds("({} {} {})".format, part, st.sampled_from("+-"), part)
        | st.builds("({} {} {})".format, part, st.sampled_from("*/"), NUMBERS)
    ),
)


@pytest.mark.parametrize(
    ("equation", "gold", "made"),
    [
        ("X=((33.0+9.0)/6.0)", "7", ["Add(a=33, b=9)", "Divide(a=42, b=6)"]),
        ("5+x=9", "4", ["Subtract(a=9, b=5)"]),
        ("20-x=9", "11", ["Subtract(a=20, b=9)"]),
        ("24/x=2*3", "4", ["Multiply(a=2, b=3)", "Divide(a=24, b=6)"]),
        ("(x/2)-1=3", "8", ["Add(a=3, b=1)", "Multiply(a=4, b=2)"]),
        ("4*books=2*books+6", "3", ["Subtract(a=4, b=2)", "Divide(a=6, b=2)"]),
        (
            "17.99+(0.18*miles)=18.95+(0.16*miles)",
            "48",
            ["Subtract(a=18.95, b=17.99)", "Subtract(a=0.18, b=0.16)", "Divide(a=0.96, b=0.02)"],
        ),
        ("65 + 0.4*x = 0.6*x", "325", ["Subtract(a=0.6, b=0.4)", "Divide(a=65, b=0.2)"]),
        ("7*n+6 = 3*n-18", "-6", ["Subtract(a=-18, b=6)", "Subtract(a=7, b=3)", "Divide(a=-24, b=4)"]),
        ("3*(x - 2) = 6 + x", "6", ["Multiply(a=3, b=2)", "Add(a=6, b=6)", "Subtract(a=3, b=1)", "Divide(a=12, b=2)"]),
        ("x + x/2 = 12", "8", ["Divide(a=1, b=2)", "Add(a=1, b=0.5)", "Divide(a=12, b=1.5)"]),
        ("4*x=2*x", "0", ["Subtract(a=4, b=2)", "Divide(a=0, b=2)"]),
        ("0.75 - 0.5", "0.25", ["Subtract(a=0.75, b=0.5)"]),
        ("x=10/3", "3.33", ["Divide(a=10, b=3)", "Round(x=10/3, digits=2)"]),
        ("x = -3 + 5", "2", ["Add(a=-3, b=5)"]),
        ("x=10/3", "3", equations.NOT_GOLD),
        ("x=4+5", "8", equations.NOT_GOLD),
        ("x=4", "4", equations.NOT_READ),
        ("x=y+4", "8", equations.NOT_READ),
        ("3+4=7", "7", equations.NOT_READ),
        ("x=2**3", "8", equations.NOT_READ),
        ("x=" + "(" * 60 + "1" + ")" * 60, "1", equations.NOT_READ),
        ("x=__import__('os')", "1", equations.NOT_READ),
        ("x=" + "1+" * 200 + "1", "201", equations.NOT_READ),
        ("x=4/0", "0", equations.REFUSED),
        ("x*x=9", "3", equations.REFUSED),
        ("x/(x-3)=2", "6", equations.REFUSED),
        ("x+4=x+5", "1", equations.REFUSED),
        ("x+4=x+4", "1", equations.REFUSED),
        ("(x-x)/0+x=5", "5", equations.REFUSED),
        ("x*(2-2)+x=x+1/0", "1", equations.REFUSED),
    ],
)
def test_an_equation_becomes_one_operation_a_call(equation, gold, made):
    calls, why = equations.solution(equation, gold)
    assert [call.text() for call in calls[:-1]] == (made if isinstance(made, list) else [])
    assert why == ("" if isinstance(made, list) else made)


@pytest.mark.parametrize(
    ("formula", "gold", "made"),
    [
        ("27-8=19; 19+3=22", "22", ["Subtract(a=27, b=8)", "Add(a=19, b=3)"]),
        ("29/3=9 r2", "2", ['Calculate(expression="29 % 3")']),
        (
            "29/3=9 r2",
            "10",
            ['Calculate(expression="29 % 3")', "Subtract(a=29, b=2)", "Divide(a=27, b=3)", "Add(a=9, b=1)"],
        ),
        ("29/3=9 r2; 3-2=1", "1", ['Calculate(expression="29 % 3")', "Subtract(a=3, b=2)"]),
        ("2 (day) * 24 (hour/day) = 48 (hour)", "48", ["Multiply(a=2, b=24)"]),
        ("27-8=18", "18", "a formula does not give the value it says"),
        ("29/3=9 r1", "9", "a formula does not give the value it says"),
        ("6:42=1:7", "1", equations.NOT_READ),
        ("x+y=5; x=2y", "3", equations.NOT_READ),
        ("GCD(9,15)=3", "3", equations.NOT_READ),
    ],
)
def test_a_formula_that_states_its_results_must_hold(formula, gold, made):
    calls, why = equations.chained(formula, gold)
    assert [call.text() for call in calls[:-1]] == (made if isinstance(made, list) else [])
    assert why == ("" if isinstance(made, list) else made)


def solved(equation):
    try:
        return equations.Work().equation(equation)
    except equations.FormulaError:
        return None


@given(TREES, TREES)
def test_an_equation_is_solved_as_solve_linear_solves_it_or_not_at_all(left, right):
    equation = f"{left} = {right}"
    try:
        solution = number(SOLVE.run(None, equation=equation, unknown="x"))
    except ToolError:
        solution = None
    if equation.count("x") > 1:
        assert solved(equation) in (solution, None)


@given(LINEAR, LINEAR)
def test_every_linear_equation_is_solved(left, right):
    equation = f"{left} = {right}"
    try:
        solution = number(SOLVE.run(None, equation=equation, unknown="x"))
    except ToolError:
        return
    assert solved(equation) == solution
