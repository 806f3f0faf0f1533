"""The arithmetic tools: exact, bounded, and refusing in words what they cannot do."""

import math
import time
from fractions import Fraction

import pytest
from conftest import examples
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.records.chain import number_text
from stages.tools.arithmetic.toolkit import ARITHMETIC
from stages.tools.calls import number, parse
from stages.tools.tool import ToolError

NUMBERS = st.fractions(-(10**9), 10**9, max_denominator=10**6)


def run(text: str) -> str:
    """The result of a call, the way the agent gets it."""
    call = parse(text, ARITHMETIC.tools)
    return ARITHMETIC.tools[call.tool].run(ARITHMETIC.open("any question"), **call.arguments)


def calculate(expression: str) -> str:
    return ARITHMETIC.tools["Calculate"].run(None, expression=expression)


def solve(equation: str, unknown: str = "x") -> str:
    return ARITHMETIC.tools["SolveLinear"].run(None, equation=equation, unknown=unknown)


def refusal(function, *arguments) -> str:
    with pytest.raises(ToolError) as refused:
        function(*arguments)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 200
    return str(refused.value)


@given(NUMBERS, NUMBERS)
def test_the_five_plain_tools_agree_with_fractions(a, b):
    arguments = f"(a={number_text(a)}, b={number_text(b)})"
    assert number(run("Add" + arguments)) == a + b
    assert number(run("Subtract" + arguments)) == a - b
    assert number(run("Multiply" + arguments)) == a * b
    assert number(run(f"Percent(percent={number_text(a)}, of={number_text(b)})")) == a * b / 100
    if b:
        assert number(run("Divide" + arguments)) == a / b


@st.composite
def expressions(draw, depth=0):
    """An expression as text, fully bracketed or not at all, and its value as Fractions give it."""
    kind = draw(st.sampled_from(["number", "+", "-", "*", "/", "%", "**", "neg", "percent"])) if depth < 4 else "number"
    if kind == "number":
        text = draw(st.integers(0, 999).map(str) | st.decimals(0, 99, places=2).map(str))
        return text, Fraction(text)
    left, a = draw(expressions(depth=depth + 1))
    if kind == "neg":
        return f"(-{left})", -a
    if kind == "percent":
        return f"({left}%)", a / 100
    if kind == "**":
        exponent = draw(st.integers(-3, 3))
        assume(a or exponent >= 0)
        return f"({left}**{exponent})", a**exponent
    right, b = draw(expressions(depth=depth + 1))
    assume(b or kind not in "/%")
    value = {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b, "%": lambda: a % b}[kind]()
    return f"({left} {kind} {right})", value


@examples(300)
@given(expressions())
def test_calculate_agrees_with_fractions(expression):
    text, value = expression
    assume(len(text) <= 300 and len(number_text(value)) <= 200)
    assert number(calculate(text)) == value


LEVELS = [
    {"**": lambda a, b: a**b},
    {"*": lambda a, b: a * b, "/": lambda a, b: a / b, "%": lambda a, b: a % b},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
]


@examples(300)
@given(
    st.lists(st.tuples(st.sampled_from(["+", "-", "*", "/", "**", "%"]), st.integers(1, 4)), max_size=6),
    st.integers(1, 9),
)
def test_unbracketed_operators_bind_as_in_school(rest, first):
    operators, values = [operator for operator, _ in rest], [Fraction(first), *(Fraction(value) for _, value in rest)]
    assume(("**", "**") not in zip(operators, operators[1:], strict=False))
    for level in LEVELS:
        while place := next((n for n, operator in enumerate(operators, 1) if operator in level), 0):
            values[place - 1 : place + 1] = [level[operators.pop(place - 1)](*values[place - 1 : place + 1])]
    assert number(calculate(" ".join([str(first), *(f"{operator} {value}" for operator, value in rest)]))) == values[0]


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("(16 - 3 - 4) * 2", "18"),
        ("0.1 + 0.2", "0.3"),
        ("10 / 3", "10/3"),
        ("1/3 + 1/6", "0.5"),
        ("-2**2", "-4"),
        ("(-2)**2", "4"),
        ("2**-1", "0.5"),
        ("2**3**2", "512"),
        ("2 - -3", "5"),
        ("--3", "3"),
        ("-+-3 + +2", "5"),
        ("20%", "0.2"),
        ("20% * 50", "10"),
        ("50 * (100% - 20%)", "40"),
        ("50 - 20%", "49.8"),
        ("20 % 3", "2"),
        ("17 % (2 + 3)", "2"),
        ("-7 % 3", "2"),
        (".5 + 1", "1.5"),
        ("2**64", "18446744073709551616"),
        ("0**0", "1"),
        ("\n1 +\t2 ", "3"),
    ],
)
def test_calculate_examples(expression, result):
    assert calculate(expression) == result


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("3 x 4", "write * for times"),
        ("3 × 4", "write * for times"),
        ("2(3 + 4)", "write * between factors"),
        ("2 3", "write * between factors"),
        ("2^3", "** for a power"),
        ("1,000 + 1", "1000 for 1,000"),
        ("$5 + 1", "no $ or ="),
        ("1 + 1 = 2", "no $ or ="),
        ("20% of 50", "write * for times"),
        ("sqrt(4)", "only numbers"),
        ("__import__('os').system('true')", "only numbers"),
        ("1e3", "only numbers"),
        ("9 // 2", "expected a number but found `/`"),
        ("", "is empty"),
        ("   ", "is empty"),
        ("1 +", "expected a number but found the end"),
        ("(1 + 2", "expected `)` but found the end"),
        ("1 + 2)", "expected an operator but found `)`"),
        ("()", "expected a number but found `)`"),
        ("1 / 0", "`1` is divided by 0"),
        ("1 / (2 - 2)", "the divisor must not be 0"),
        ("1 % 0", "the divisor must not be 0"),
        ("0**-1", "does not exist"),
        ("2**0.5", "the exponent must be an integer"),
        ("2**65", "the exponent must be an integer from -64 to 64"),
        ("9**9**9", "the exponent must be an integer from -64 to 64"),
        ("(((9**64)**64)**64)", "more than 2,048 bits"),
        ("(9**64 * 9**64)**6", "more than 2,048 bits"),
        ("97**64 *" * 5 + "97**64", "more than 2,048 bits"),
        ("1 / (97**64 * 97**64 * 97**30) + 1 / (89**64 * 89**64 * 89**34)", "more than 2,048 bits"),
        ("1/9**64/9**64/9**64/9**64/9**64/9**64/9**64/9**64/9**64/9**64/9**64", "more than 2,048 bits"),
        ("2**64 * 2**64 * 2**64 * 2**64 * 2**64 * 2**64 * 2**64 * 2**64 * 2**64 * 2**64 * 2**64", "limit 200"),
        ("(" * 81 + "1" + ")" * 81, "more than 160 numbers, signs and brackets"),
        ("-" * 200 + "1", "more than 160 numbers, signs and brackets"),
        ("1+" * 100 + "1", "more than 160 numbers, signs and brackets"),
        ("1" * 301, "301 characters, limit 300"),
        ("-" * 20_000 + "1", "20001 characters, limit 300"),
        ("１ + 1", "only numbers"),
        ("٣ + 1", "only numbers"),
    ],
)
def test_calculate_refuses_with_a_reason(expression, hint):
    assert hint in refusal(calculate, expression)


@examples(2000)
@given(st.text("0123456789.+-*/%() x=", max_size=60) | st.text("9*(%)", max_size=60) | st.text(max_size=30))
def test_random_expressions_raise_nothing_but_tool_error(text):
    for function in (calculate, solve):
        try:
            assert len(function(text)) <= 200
        except ToolError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "expression",
    [
        "97**64/89**64*" * 15 + "1",
        "(97/89)**64+" * 20 + "1",
        "-" * 159 + "1",
        "(" * 79 + "1" + ")" * 79,
        "2**" * 79 + "1",
        "(" * 25 + "7**64" + ")**3" * 25,
        "9*" * 149 + "9",
    ],
)
def test_the_most_expensive_expressions_take_milliseconds(expression):
    start = time.process_time()
    for _ in range(10):
        try:
            calculate(expression)
        except ToolError:
            continue
    assert (time.process_time() - start) / 10 < 0.02


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_solve_linear_finds_the_one_solution(a, b, c, d):
    assume(a != c)
    a_text, b_text, c_text, d_text = (f"({number_text(value)})" for value in (a, b, c, d))
    x = number(solve(f"{a_text}*x + {b_text} = {d_text} - x*(-{c_text})"))
    assert a * x + b == d + c * x


@pytest.mark.parametrize(
    ("equation", "unknown", "solution"),
    [
        ("2*x + 3 = 11", "x", "4"),
        ("11 = 2*x + 3", "x", "4"),
        ("x = 7", "x", "7"),
        ("3*(y - 2) = y", "y", "3"),
        ("n/4 + n/2 = 9", "n", "12"),
        ("price * (1 - 20%) = 40", "price", "50"),
        ("x - (x - 2*x) = 1", "x", "0.5"),
        ("-x = 2**3", "x", "-8"),
        ("3*x = 10", "x", "10/3"),
        ("(x - x + 2)*x = 6", "x", "3"),
    ],
)
def test_solve_linear_examples(equation, unknown, solution):
    assert solve(equation, unknown) == solution


@pytest.mark.parametrize(
    ("equation", "unknown", "reason"),
    [
        ("x*x = 4", "x", "not linear in x"),
        ("x**2 = 4", "x", "not linear in x"),
        ("x**1 = 4", "x", "not linear in x"),
        ("2**x = 4", "x", "not linear in x"),
        ("1/x = 4", "x", "not linear in x"),
        ("x % 2 = 0", "x", "not linear in x"),
        ("x = x + 1", "x", "no number solves it"),
        ("x = x", "x", "every number solves it"),
        ("3 = 3", "x", "every number solves it"),
        ("2*x + 3", "x", "0 equals signs; write one"),
        ("x = 2 = 3", "x", "2 equals signs; write one"),
        ("2*x == 3", "x", "2 equals signs; write one"),
        ("2x = 3", "x", "write * between factors"),
        ("x(2) = 3", "x", "write * between factors"),
        ("x + y = 3", "x", "`y` is not part of an expression; only numbers, x, "),
        ("x = ", "x", "is empty"),
        ("x / 0 = 1", "x", "divided by 0"),
        ("2*x = 4", "2*x", "give one name"),
        ("2*x = 4", "", "give one name"),
        ("2*x = 4", "x" * 33, "give one name"),
        ("x = 1" + " " * 300, "x", "limit 300"),
    ],
)
def test_solve_linear_refuses_with_a_reason(equation, unknown, reason):
    assert reason in refusal(solve, equation, unknown)


@pytest.mark.parametrize(
    ("x", "digits", "result"),
    [
        ("2.5", 0, "3"),
        ("3.5", 0, "4"),
        ("-2.5", 0, "-3"),
        ("3.145", 2, "3.15"),
        ("10/3", 2, "3.33"),
        ("1250", -2, "1300"),
        ("-1250", -2, "-1300"),
        ("0.5", 0, "1"),
        ("0.4999", 0, "0"),
        ("-0.4", 0, "0"),
        ("7", 3, "7"),
        ("2/3", 12, "0.666666666667"),
    ],
)
def test_round_takes_halves_away_from_zero(x, digits, result):
    assert run(f"Round(x={x}, digits={digits})") == result


@given(NUMBERS, st.integers(-12, 12))
def test_round_gives_the_nearest_multiple(x, digits):
    rounded, unit = number(run(f"Round(x={number_text(x)}, digits={digits})")), Fraction(10) ** -digits
    assert (rounded / unit).denominator == 1
    assert abs(rounded - x) <= unit / 2


@pytest.mark.parametrize("digits", ["13", "-13", "0.5", "9999999999"])
def test_round_refuses_strange_digits(digits):
    assert "an integer from -12 to 12" in refusal(run, f"Round(x=1, digits={digits})")


def test_division_by_zero_is_a_refusal_that_says_so():
    assert refusal(run, "Divide(a=5, b=0)") == "`5` is divided by 0; the divisor must not be 0"


@pytest.mark.parametrize(
    "call",
    ["Multiply(a={0}, b={0})", "Divide(a={0}, b=1/{0})", "Add(a=1/{0}, b=1/{1})", "Percent(percent={0}, of={0})"],
)
def test_results_that_fill_a_context_are_refused(call):
    refusal(run, call.format("9" * 400, "7" * 400))


def test_long_results_are_refused_and_200_characters_are_not():
    assert len(run(f"Add(a={'9' * 199}, b={10**199})")) == 200
    assert "limit 200" in refusal(run, f"Add(a={'9' * 200}, b=1)")


def test_a_result_is_always_an_argument_of_the_next_call():
    third = run("Divide(a=10, b=3)")
    assert run(f"Multiply(a={third}, b=3)") == "10"
    assert math.isclose(float(number(third)), 10 / 3)


def test_tools_keep_no_state():
    assert ARITHMETIC.open("A question.") is None
    assert [run("Add(a=1, b=2)") for _ in range(3)] == ["3"] * 3
