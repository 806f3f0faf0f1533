"""Hostile expressions and equations: refused with a reason, or computed exactly in a moment."""

from __future__ import annotations

import pytest
from conftest import examples
from guard import harmless, refused
from hypothesis import given
from hypothesis import strategies as st

from stages.tools.arithmetic.toolkit import ARITHMETIC, MAX_RESULT
from stages.tools.tool import ToolError
from stages.verdicts.answers import canonical_number

EXPRESSIONS = {
    "an import": "__import__('os').system('true')",
    "a dunder": "().__class__",
    "an attribute": "(1).real",
    "a file": "open('/etc/passwd')",
    "an escaped dunder": "getattr(0, '\\x5f\\x5fclass\\x5f\\x5f')",
    "a lambda": "(lambda: 1)()",
    "a walrus": "(x := 1)",
    "a comprehension": "[0 for _ in range(10**9)]",
    "a long list": "[0]*10**9",
    "a long text": "'a'*10**9",
    "an f-string": "f'{1}'",
    "sympy's functions": "factorial(10**7)",
    "a factorisation": "factorint(2**251-1)",
    "a matrix": "ones(20000)",
    "a tower of powers": "9**9**9",
    "a tower in brackets": "(((9**64)**64)**64)",
    "a power of a power": "((((2**64)**2)**2)**2)**9",
    "a negative tower": "9**-9**9",
    "a huge exponent": "2**99999999",
    "a fractional exponent": "2**0.5",
    "a root": "(-1)**(1/2)",
    "zero to minus one": "0**-1",
    "a division by zero": "1/(3-3)",
    "a division by a vanishing sum": "1/(0.1+0.2-0.3)",
    "a remainder by zero": "5 % 0",
    "300 digits to the power 64": "9" * 290 + "**64",
    "a product that grows": "*".join(["97**60"] * 30),
    "a sum of fractions that grows": "+".join(f"1/{p}**40" for p in (97, 89, 83, 79, 73, 71, 67, 61, 59, 53, 47, 43)),
    "300 minus signs": "-" * 299 + "1",
    "20,000 minus signs": "-" * 20_000 + "1",
    "150 brackets": "(" * 150 + "1" + ")" * 149,
    "100,000 brackets": "(" * 100_000,
    "brackets the wrong way": ")1(",
    "no operator": "1 1",
    "a factor without sign": "2(3)",
    "two operators": "1 */ 2",
    "floor division": "7 // 2",
    "a shift": "1 << 9999999",
    "a comparison": "1 < 2",
    "a conjunction": "1 and 2",
    "bits": "1 | 2",
    "an imaginary number": "1j",
    "an exponent in the number": "1e9999",
    "hexadecimal": "0xffff",
    "an underscore": "1_000",
    "infinity": "inf",
    "nan": "nan",
    "other digits": "１+１",
    "Arabic digits": "١+١",
    "a superscript": "2²",
    "a fraction slash": "1⁄2",
    "a minus sign that is no hyphen": "5 − 3",
    "NUL": "1\0+1",
    "a right-to-left override": "1\u202e+1",
    "a comment": "1 # 2",
    "two lines of code": "1; import os",
    "an unknown": "x + 1",
    "LaTeX": "\\frac{1}{2}",
    "nothing": "",
    "a megabyte": "1+" * 500_000 + "1",
}


@pytest.mark.parametrize("case", EXPRESSIONS)
def test_a_hostile_expression_is_refused(case):
    refused(ARITHMETIC.tools["Calculate"], None, expression=EXPRESSIONS[case])


EQUATIONS = {
    "an unknown that is code": ("x = 1", "__import__('os')"),
    "an unknown that is a pattern": ("x = 1", "(x+)+"),
    "an unknown that is an operator": ("2 + 3 = 5", "+"),
    "an unknown that is a number": ("2 = 2", "2"),
    "an unknown of 2,000 letters": ("x = 1", "x" * 2000),
    "an unknown in other letters": ("х = 1", "x"),
    "an unknown that is not there": ("2 = 3", "x"),
    "two unknowns": ("x + y = 1", "x"),
    "a square": ("x * x = 4", "x"),
    "an unknown in the exponent": ("2 ** x = 8", "x"),
    "an unknown under the line": ("1 / x = 2", "x"),
    "every number": ("x - x = 0", "x"),
    "no number": ("x = x + 1", "x"),
    "no equation": ("x + 1", "x"),
    "three sides": ("x = 1 = 1", "x"),
    "300 equals signs": ("=" * 300, "x"),
    "an assignment of code": ("x = __import__('os').system('true')", "x"),
    "a chain of powers": ("x * 9 ** 9 ** 9 = 1", "x"),
    "a huge slope": ("x * 97**60 * 97**60 * 97**60 * 97**60 * 97**60 * 97**60 = 1", "x"),
    "a slope that vanishes": ("(0.1 + 0.2 - 0.3) * x = 1", "x"),
    "100,000 brackets": ("(" * 100_000 + "x = 1", "x"),
    "a megabyte": ("x + " * 250_000 + "1 = 2", "x"),
}


@pytest.mark.parametrize("case", EQUATIONS)
def test_a_hostile_equation_is_refused(case):
    equation, unknown = EQUATIONS[case]
    refused(ARITHMETIC.tools["SolveLinear"], None, equation=equation, unknown=unknown)


@examples(2000)
@given(
    st.text("0123456789.+-*/%() x=", max_size=80) | st.text("9*()", max_size=80) | st.text(max_size=40),
    st.sampled_from(["x", "n", "_x", "price"]) | st.text(max_size=3),
)
def test_any_expression_has_a_short_exact_value_or_a_reason(expression, unknown):
    calls = (("Calculate", {"expression": expression}), ("SolveLinear", {"equation": expression, "unknown": unknown}))
    for name, arguments in calls:
        with harmless():
            try:
                result = ARITHMETIC.tools[name].run(None, **arguments)
            except ToolError as error:
                assert str(error).isprintable() and len(str(error)) < 700
                continue
        assert len(result) <= MAX_RESULT and canonical_number(result) is not None
