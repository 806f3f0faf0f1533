"""Hostile formulas: one reading or an error; no premise and no search without end supports an answer."""

from __future__ import annotations

import time

import pytest
from conftest import examples
from guard import SECONDS, harmless, refused
from hypothesis import given
from hypothesis import strategies as st

from stages.tools import TOOLKITS
from stages.tools.fol import toolkit as fol
from stages.tools.fol.formula import FormulaError, text
from stages.tools.fol.reading import parse
from stages.tools.fol.symbols import Symbols, signature
from stages.tools.tool import ToolError

FOL = TOOLKITS["fol"].tools
FORMULAS = {
    "nothing": "",
    "a space": "   ",
    "a free variable": "P(x)",
    "a variable bound twice": "∀x (P(x) → ∃x Q(x))",
    "a variable that binds nothing": "∀ (P(a))",
    "a quantifier without body": "∀x",
    "a scope with two readings": "∀x P(x) → Q(x)",
    "and beside or": "P(a) ∧ Q(a) ∨ R(a)",
    "or beside xor": "P(a) ∨ Q(a) ⊕ R(a)",
    "a chain of arrows": "P(a) → Q(a) → R(a)",
    "a chain of equivalences": "P(a) ↔ Q(a) ↔ R(a)",
    "a chain of xor": "P(a) ⊕ Q(a) ⊕ R(a)",
    "a caret": "P(a) ^ Q(a)",
    "two numbers of terms": "P(a) ∧ P(a, b)",
    "a predicate in a predicate": "P(Q(a))",
    "a function": "P(f(a))",
    "a predicate as a term of =": "P(a) = Q(a)",
    "a comparison": "a > 9",
    "no terms": "P()",
    "a comma too much": "P(a,)",
    "a bracket too much": "(P(a)))",
    "a bracket too few": "((P(a))",
    "brackets of two kinds": "(P(a)]",
    "no operator": "P(a) Q(a)",
    "only an operator": "∧",
    "an operator too much": "P(a) ∧ ∧ Q(a)",
    "code": "__import__('os').system('true')",
    "z3's own language": "(assert (forall ((x Int)) (> x 0)))",
    "python for a solver": "ForAll([x], Implies(P(x), Q(x)))",
    "a solver's command": "P(a). end_of_list. sos.",
    "LaTeX of two readings": "\\forall x P(x) \\to Q(x)",
    "LaTeX that is no sign": "\\input{/etc/passwd}(a)",
    "10,000 commands": "\\forall" * 10_000,
    "1,999 backslashes": "\\" * 1_999,
    "1,999 dollars": "$" * 1_999,
    "quotes": 'P("a")',
    "a right-to-left override": "P(\u202ea)",
    "a zero-width space": "P(a\u200bb)",
    "NUL": "P(a\0)",
    "half a surrogate pair": "P(\ud800)",
    "a full-width bracket too much": "P（a））",
    "a Greek letter that looks Latin": "Ρ(a)",
    "Cyrillic": "Р(a)",
    "emoji": "P(😀)",
    "31 negations": "¬" * 31 + "P(a)",
    "31 brackets": "(" * 31 + "P(a)" + ")" * 31,
    "31 quantifiers": "".join(f"∀v{i} (" for i in range(31)) + "P(v0)" + ")" * 31,
    "2,000 negations": "¬" * 1999,
    "1,999 brackets": "(" * 1999,
    "100,000 brackets": "(" * 100_000,
    "100,000 letters": "P" * 100_000,
    "a name of 61 letters": "P" * 61 + "(a)",
    "a name of dots": "P(" + "a." * 900 + ")",
    "2,001 characters": "P(a) ∧ " * 286 + "Q(a)",
    "a megabyte": "P(a) ∧ " * 140_000 + "Q(a)",
}


@pytest.mark.parametrize("case", FORMULAS)
def test_a_hostile_formula_is_refused_with_the_place(case):
    state = TOOLKITS["fol"].open("Leo is red.\nIs Leo red?")
    reason = refused(FOL["Premise"], state, formula=FORMULAS[case])
    assert reason and state.premises == [] and not state.symbols.predicates and not state.rests_on("True")
    refused(FOL["Entails"], state, formula=FORMULAS[case])


def asked(conclusion: str, *premises: str) -> tuple[str, object]:
    state = TOOLKITS["fol"].open("A story.\nA question?")
    for premise in premises:
        FOL["Premise"].run(state, formula=premise)
    return FOL["Entails"].run(state, formula=conclusion), state


def test_a_conclusion_that_is_smuggled_in_as_a_premise_supports_nothing():
    outcome, state = asked("Red(leo)", "Rompus(leo)", "Red(leo)")
    assert outcome == "True" and not state.rests_on("True")
    outcome, state = asked("Red(leo)", "Rompus(leo)", "¬¬Red(leo)")
    assert outcome == "True" and not state.rests_on("True")
    outcome, state = asked("Red(leo)", "Rompus(leo)", "¬Red(leo)")
    assert outcome == "False" and not state.rests_on("False")


def test_contradicting_premises_support_nothing():
    outcome, state = asked("Red(leo)", "Red(max)", "Shy(leo)", "¬Shy(leo)")
    assert outcome == "Inconsistent" and not any(map(state.rests_on, ("True", "False", "Unknown")))


def test_a_formula_that_is_always_true_supports_nothing():
    outcome, state = asked("Red(leo) ∨ ¬Red(leo)", "Red(leo) → Shy(leo)")
    assert outcome == "True" and not state.rests_on("True")


def test_a_predicate_that_no_premise_has_is_refused():
    with pytest.raises(ToolError, match="Blue stands in no premise"):
        asked("Blue(leo)", "Red(leo)")


def test_a_formula_that_a_solver_cannot_end_on_is_undecided_in_bounded_time():
    """It has infinite models only. z3's step limit ends the search, the same on any machine, before the clock does."""
    dense = ["∀x ∀y ∀z (L(x, y) ∧ L(y, z) → L(x, z))", "∀x ∃y (L(x, y))", "∀x (¬L(x, x))"]
    dense.append("∀x ∀y (L(x, y) → ∃z (L(x, z) ∧ L(z, y)))")
    asked("P(a)", "P(a)")  # starts the worker
    start = time.monotonic()
    outcome, state = asked("∃x (L(x, x))", *dense)
    assert time.monotonic() - start < fol.SECONDS + SECONDS
    assert outcome == "Undecided" and not any(map(state.rests_on, ("True", "False", "Unknown")))


SYMBOLS = st.sampled_from(
    "∀ ∃ ¬ ∧ ∨ → ↔ ⊕ = ≠ ( ) [ ] , . : ^ ~ & | -> <-> x y z a leo P Q Likes forall exists not and or P(a) Q(x)".split()
    + [" ", "\u202e", "\0", "\\", "$", "é"]
)


@examples(2000)
@given(
    st.lists(SYMBOLS, max_size=25).map(" ".join) | st.lists(SYMBOLS, max_size=25).map("".join) | st.text(max_size=40)
)
def test_any_text_is_one_formula_or_a_formula_error(source):
    with harmless():
        try:
            read = parse(source)
        except FormulaError as error:
            assert str(error).isprintable() and error.kind in ("length", "depth", "syntax", "ambiguous")
            return
        assert parse(text(read)) == read
        try:
            signature(read)
            Symbols().admit(read)
        except FormulaError as error:
            assert str(error).isprintable()
