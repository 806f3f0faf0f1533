"""Formulas: one reading of each notation, and for everything else an error that says where and what to write."""

from __future__ import annotations

import json

import pytest
from conftest import examples, shared
from formulas import refused
from hypothesis import given
from hypothesis import strategies as st

from stages.tools.fol.formula import FormulaError, text
from stages.tools.fol.reading import MAX_LENGTH, parse
from stages.tools.fol.symbols import signature

P, Q, R = ("is", "P", "a"), ("is", "Q", "a"), ("is", "R", "a")


# Notation


@pytest.mark.parametrize(
    ("sources", "formula"),
    [
        (["¬P(a)", "~P(a)", "!P(a)", "not P(a)", "NOT P(a)", "Not(P(a))", "¬ ( P( a ) )", " ¬[P(a)]. "], ("¬", P)),
        (["P(a) ∧ Q(a)", "P(a) & Q(a)", "P(a)&&Q(a)", "P(a) and Q(a)", "(P(a) AND Q(a))"], ("∧", P, Q)),
        (["P(a) ∨ Q(a)", "P(a) | Q(a)", "P(a)||Q(a)", "P(a) or Q(a)", "((P(a)) or [Q(a)])"], ("∨", P, Q)),
        (["P(a) ⊕ Q(a)", "P(a) ⊻ Q(a)", "P(a) xor Q(a)"], ("⊕", P, Q)),
        (["P(a) → Q(a)", "P(a)->Q(a)", "P(a) => Q(a)", "P(a) ⇒ Q(a)", "P(a) implies Q(a)"], ("→", P, Q)),
        (["P(a) ↔ Q(a)", "P(a)<->Q(a)", "P(a) <=> Q(a)", "P(a) ⇔ Q(a)", "P(a) iff Q(a)"], ("↔", P, Q)),
        (["a = b", "a==b", "(a = b)"], ("=", "a", "b")),
        (["a ≠ b", "a != b", "¬(a = b)", "not a = b", "¬ a=b"], ("¬", ("=", "a", "b"))),
        (
            ["∀x (P(x))", "∀x P(x)", "forall x (P(x))", "all x. (P(x))", "∀x.P(x)", "Forall x: P(x)", "FORALL x[P(x)]"],
            ("∀", "x", ("is", "P", "x")),
        ),
        (["∃x (P(x))", "exists x P(x)", "Exists x. P(x)", "∃ x (P(x))"], ("∃", "x", ("is", "P", "x"))),
        (
            ["∀x ∀y (L(x, y))", "∀x∀y L(x,y)", "forall x y (L(x, y))", "∀x, y (L(x, y))", "all x y.L(x, y)"],
            ("∀", "x", ("∀", "y", ("is", "L", "x", "y"))),
        ),
        (["∀x ∃y (x = y)", "forall x exists y x = y", "∀x ∃y x=y"], ("∀", "x", ("∃", "y", ("=", "x", "y")))),
        (["P(a) ∧ Q(a) ∧ R(a)", "P(a) & Q(a) and R(a)"], ("∧", P, Q, R)),
        (["P(a) ∧ Q(a) → R(a)", "(P(a) ∧ Q(a)) → R(a)"], ("→", ("∧", P, Q), R)),
        (["P(a) ⊕ Q(a) ↔ Q(a) ∨ R(a)"], ("↔", ("⊕", P, Q), ("∨", Q, R))),
        (["¬P(a) ∧ Q(a)", "(¬P(a)) ∧ Q(a)"], ("∧", ("¬", P), Q)),
        (["¬¬P(a)", "not not P(a)"], ("¬", ("¬", P))),
        (["∀x (P(x)) ∧ Q(a)", "(∀x P(x)) ∧ Q(a)"], ("∧", ("∀", "x", ("is", "P", "x")), Q)),
        (["Rains → ¬Sunny", "Rains -> not Sunny"], ("→", ("is", "Rains"), ("¬", ("is", "Sunny")))),
        (["Eco-friendly(gpt-3)"], ("is", "Eco-friendly", "gpt-3")),
        (["WrittenIn(x86, c++)"], ("is", "WrittenIn", "x86", "c++")),
        (["Born(mr.smith, 1984)"], ("is", "Born", "mr.smith", "1984")),
        (["∃x Eco-friendly(x)"], ("∃", "x", ("is", "Eco-friendly", "x"))),
        (["Prénom(josé)"], ("is", "Prénom", "josé")),
        (["Allowed(allan) ∧ Order(oral)"], ("∧", ("is", "Allowed", "allan"), ("is", "Order", "oral"))),
    ],
)
def test_every_notation_of_a_formula_is_one_formula(sources, formula):
    assert [parse(source) for source in sources] == [formula] * len(sources)
    assert parse(text(formula)) == formula


OTHER_SIGNS = {
    "P(a) → ¬Q(a)": [
        "P(a) ⟶ ¬Q(a)",
        "P(a) --> ∼Q(a)",
        "P(a) –> ~Q(a)",
        "P(a) ==> !Q(a)",
        "Ｐ（ａ） → ￢Ｑ（ａ）",
        "𝑃(𝑎) → ¬𝑄(𝑎)",
    ],
    "P(a) ↔ Q(a)": ["P(a) ⟷ Q(a)", "P(a) <--> Q(a)", "P(a) <==> Q(a)"],
    "P(a) ∨ Q(a)": ["P(a) || Q(a)", "P(a) \\/ Q(a)"],
    "P(a) ∧ ¬Q(a)": ["P(a) /\\ ~Q(a)", "P(a) /\\NOT Q(a)", "P(a) && ¬Q(a)"],
    "∀x ∃y (L(x, y))": ["∀x ∃y L(x，y)"],
    "Likes(alice, O'Brien)": ["Likes(alice, O’Brien)"],
    "P(x86-64) ∧ P(x1a)": ["P(x86–64) ∧ P(x₁a)", "P(x86‑64) ∧ P(x₁a)"],
    "Prénom(josé)": ["Pre\u0301nom(jose\u0301)"],
    "Từ(Ștefan)": ["Tu\u031b\u0300(S\u0326tefan)"],
}


@pytest.mark.parametrize("canonical", OTHER_SIGNS)
def test_signs_of_keyboards_and_word_processors_are_read_where_they_can_mean_one_thing(canonical):
    assert [text(parse(source)) for source in OTHER_SIGNS[canonical]] == [canonical] * len(OTHER_SIGNS[canonical])
    assert text(parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        ("all x (P(x) & ~(x = a) -> Q(x))", "∀x (P(x) ∧ x ≠ a → Q(x))"),
        ("not (P(a) and Q(a))", "¬(P(a) ∧ Q(a))"),
        ("not forall x exists y (L(x, y))", "¬∀x ∃y (L(x, y))"),
        ("(P(a) and Q(a)) or R(a)", "(P(a) ∧ Q(a)) ∨ R(a)"),
        ("(P(a) -> Q(a)) -> R(a)", "(P(a) → Q(a)) → R(a)"),
        ("P(a) -> (Q(a) -> R(a))", "P(a) → (Q(a) → R(a))"),
        ("(P(a) & Q(a)) & R(a)", "(P(a) ∧ Q(a)) ∧ R(a)"),
        ("Rains", "Rains"),
    ],
)
def test_a_formula_has_one_spelling(source, canonical):
    assert text(parse(source)) == canonical


KEYWORDS = ("not", "and", "or", "xor", "implies", "iff", "forall", "all", "exists")


def names(pattern):
    return st.from_regex(pattern, fullmatch=True).filter(lambda name: name.lower() not in KEYWORDS)


NAMES = names(r"[A-Za-zé][A-Za-z0-9_]{0,8}(?:[-.'][a-z0-9]{1,3})?\+{0,2}")
VARIABLES = names(r"[a-z][a-z0-9_]{0,3}")
ATOMS = st.one_of(
    st.builds(lambda name, terms: ("is", name, *terms), NAMES, st.lists(NAMES, max_size=3)),
    st.builds(lambda a, b: ("=", a, b), NAMES, NAMES),
)
FORMULAS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda f: ("¬", f), inner),
        st.builds(lambda q, name, f: (q, name, f), st.sampled_from("∀∃"), VARIABLES, inner),
        st.builds(lambda op, f, g: (op, f, g), st.sampled_from("→↔⊕"), inner, inner),
        st.builds(lambda op, fs: (op, *fs), st.sampled_from("∧∨"), st.lists(inner, min_size=2, max_size=4)),
    ),
    max_leaves=12,
)


@examples(2_000)
@given(FORMULAS)
def test_every_formula_is_read_back_from_its_text(formula):
    source = text(formula)
    if len(source) <= MAX_LENGTH:
        assert parse(source) == formula
        assert parse(source, conventions=True) == formula
        assert text(parse(source)) == source


# Errors that say where and what to write


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "at the end: expected a formula such as Student(rina), ¬A or ∀x (A → B)"),
        ("P(a", "at the end: expected , or ) after a term"),
        ("(P(a) ∧ Q(a)", "at the end: expected an operator, or ) for the bracket at character 1"),
        ("(P(a)]", "at character 6, `]`: expected an operator, or ) for the bracket at character 1"),
        ("P(a))", "at character 5, `)`: no bracket is open"),
        ("P(a) Q(a)", "at character 6, `Q(a)`: expected an operator such as ∧ or → or the end"),
        ("P(a) ∧", "at the end: expected a formula such as"),
        ("∧ P(a)", "at character 1, `∧ P(a)`: ∧ stands between two formulas, as in A ∧ B"),
        ("And(P(a), Q(a))", "at character 1, `And(P(a), Q(a))`: ∧ stands between two formulas, as in A ∧ B"),
        ("P()", "at character 3, `)`: expected a variable or a name"),
        ("P(a,)", "at character 5, `)`: expected a variable or a name"),
        ("P(¬a)", "at character 3, `¬a)`: expected a variable or a name"),
        ("P(captain america)", "at character 11, `america)`: expected , or ) after a term; write a name as one word"),
        ("P(mother(a))", "at character 9, `(a))`: a term is a name; functions, and predicates inside each other"),
        ("∀ (P(x))", "at character 3, `(P(x))`: expected a variable after ∀, as in ∀x (...)"),
        ("∀x", "at the end: expected a formula such as"),
        ("a = ", "at the end: expected a variable or a name"),
        ("a = b = c", "at character 7, `= c`: expected an operator such as ∧ or → or the end"),
        ("P(a) ^ Q(a)", "at character 6, `^ Q(a)`: this sign has no place in a formula"),
        ("P('a')", "at character 3, `'a')`: this sign has no place in a formula; write names without quotes"),
        ("Cold($x)", "at character 6, `$x)`: this sign has no place in a formula"),
        ("\\alpha(a)", "at character 1, `\\alpha(a)`: this sign has no place in a formula"),
        ("P(a) ← Q(a)", "at character 6, `← Q(a)`: this sign has no place in a formula"),
        ("-P(a)", "at character 1, `-P(a)`: this sign has no place in a formula"),
        ("Age(a) > 3", "at character 8, `> 3`: this sign has no place in a formula"),
        ("P(a) + Q(a)", "at character 6, `+ Q(a)`: this sign has no place in a formula"),
        ("P(a);Q(a)", "at character 5, `;Q(a)`: this sign has no place in a formula"),
        ("P(a), Q(a)", "at character 5, `, Q(a)`: expected an operator such as ∧ or → or the end"),
        ("P(a)\u202e", "at character 5, `<U+202E>`: this sign has no place in a formula"),
        ("P(\x00)", "at character 3, `<U+0000>)`: this sign has no place in a formula"),
        ("Р(a)", "at character 1, `Р(a)`: this sign has no place in a formula"),  # a Cyrillic letter
        ("P(q\u0301)", "at character 4, "),  # no letter has this accent
        ("P(\u200ba)", "at character 3, `<U+200B>a)`: this sign has no place in a formula"),
        ("P(1٢)", "at character 4, `٢)`: this sign has no place in a formula"),
        ("__import__('os').system('true')", "at character 12, `'os').system('true')`: this sign has no place"),
        ("∀x (P('x'))", "at character 7, `'x'))`: this sign has no place in a formula"),
        ("'P' ∧ Q(a)", "at character 1, `'P' ∧ Q(a)`: this sign has no place in a formula"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(source, message):
    assert refused(source, "syntax").startswith(message)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("P(a) ∧ Q(a) ∨ R(a)", "at character 13, `∨ R(a)`: ∧ and ∨ in one row have two readings; add brackets"),
        ("P(a) or Q(a) and R(a)", "at character 14, `and R(a)`: ∨ and ∧ in one row have two readings; add brackets"),
        ("P(a) ∨ Q(a) ⊕ R(a)", "at character 13, `⊕ R(a)`: ∨ and ⊕ in one row"),
        ("P(a) ⊕ Q(a) ⊕ R(a)", "at character 13, `⊕ R(a)`: ⊕ and ⊕ in one row"),  # parity, or exactly one
        ("P(a) → Q(a) → R(a)", "at character 13, `→ R(a)`: → and → in one row"),
        ("P(a) → Q(a) ↔ R(a)", "at character 13, `↔ R(a)`: → and ↔ in one row"),
        ("P(a) ↔ Q(a) ↔ R(a)", "at character 13, `↔ R(a)`: ↔ and ↔ in one row"),
        ("P(a) → Q(a) ∧ R(a) ∨ P(a)", "at character 20, `∨ P(a)`: ∧ and ∨ in one row"),
        ("∀x P(x) → Q(x)", "at character 9, `→ Q(x)`: how far ∀x reaches has two readings; add brackets after it"),
        ("∃x ¬P(x) ∧ Q(a)", "at character 10, `∧ Q(a)`: how far ∃x reaches has two readings; add brackets after it"),
        ("∀x. P(x) & Q(x)", "at character 10, `& Q(x)`: how far ∀x reaches has two readings; add brackets after it"),
    ],
)
def test_what_has_two_common_readings_has_none(source, message):
    assert refused(source, "ambiguous").startswith(message)


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        ("P(a) ∧ Q(a) ∨ R(a)", "(P(a) ∧ Q(a)) ∨ R(a)"),
        ("P(a) ∨ Q(a) ∧ R(a) ⊕ P(a)", "P(a) ∨ ((Q(a) ∧ R(a)) ⊕ P(a))"),
        ("P(a) → Q(a) → R(a)", "P(a) → (Q(a) → R(a))"),
        ("P(a) ⊕ Q(a) ⊕ R(a)", "(P(a) ⊕ Q(a)) ⊕ R(a)"),
        ("P(a) ↔ Q(a) → R(a)", "P(a) ↔ (Q(a) → R(a))"),
        ("∀x P(x) → Q(x)", "∀x (P(x) → Q(x))"),
        ("∀x (P(x)) → Q(a)", "∀x (P(x)) → Q(a)"),
        ("P(a) ^ Q(a)", "P(a) ∧ Q(a)"),
    ],
)
def test_formulas_of_known_authors_are_read_by_the_conventions_of_books(source, canonical):
    assert text(parse(source, conventions=True)) == canonical


@pytest.mark.parametrize(
    ("source", "name"),
    [("P(x)", "x"), ("∀x (P(x)) → Q(x)", "x"), ("∀x (L(x, y2))", "y2"), ("z = a", "z"), ("∀m (P(m)) ∧ Q(m)", "m")],
)
def test_a_free_variable_is_named(source, name):
    assert f"the variable {name} is free; bind it" in refused(source, "free_variable")


def test_short_names_of_things_are_no_variables():
    assert signature(parse("Grade(a) ∧ Year(y1997) ∧ T(t) ∧ Vitamin(vitaminC)"))[1] == ("a", "y1997", "t", "vitaminC")


@pytest.mark.parametrize("source", ["∀x (P(x) ∧ ∃x (Q(x)))", "∃y ∃y (P(y))", "∀x ∀y (L(x, y) → ¬∀x (P(x)))"])
def test_a_variable_is_bound_once_on_the_way_to_its_place(source):
    assert "stands inside another quantifier of" in refused(source, "rebound")


@pytest.mark.parametrize("source", ["∀x (x)", "forall x p (x)", "∃y (P(y) ∧ y)", "x → Rains", "forall x. p q(x)"])
def test_a_variable_is_no_formula(source):
    refused(source, "syntax")


def test_a_variable_may_be_bound_again_beside_another_quantifier():
    assert signature(parse("∃x (P(x)) ∧ ∃x (Q(x))")) == ({"P": 1, "Q": 1}, ())


def test_a_predicate_has_one_number_of_terms():
    message = refused("Likes(a, b) ∧ Likes(a)", "arity")
    assert message == "Likes is used with 2 and with 1 terms; use one number of terms, or two names"
    assert "Rains is used with 0 and with 1 terms" in refused("Rains ∧ Rains(today)", "arity")


# Real formulas


BROKEN = {
    "": "at the end: expected a formula such as Student(rina), ¬A or ∀x (A → B)",
    "Code(burger) ∧ Mac(burger))": "at character 27, `)`: no bracket is open",
    "¬WorkAtPool(mary))": "at character 18, `)`: no bracket is open",
    "∀x (Road(x) → (MadeOfConcrete(x) ∨ MadeOfAsphalt(x))": "at the end: expected an operator, or ) for the bracket at",
    " American(captain america) ": "at character 19, `america) `: expected , or ) after a term; write a name as one",
    "∃x (Country(x) Nearby(medeempire, x) ∧ PlotsToSwallowUp(medeempire, x))": "at character 16, `Nearby(medeempire",
    "Luxury(Jess) ⊕ Miserly(Jess)) →  Luxury(Jess)": "at character 29, `) →  Luxury(Jess)`: no bracket is open",
}


@pytest.mark.shared_data
def test_the_premises_of_folio_are_read_and_the_broken_ones_say_where():
    rows = [json.loads(line) for line in shared("folio/train.jsonl").read_text("utf-8").split("\n") if line]
    assert len(rows) == 1_004
    errors, kinds = {}, {}
    for source in {source for row in rows for source in row["premises-FOL"]}:
        try:
            assert parse(text(parse(source, conventions=True))) == parse(source, conventions=True)
        except FormulaError as error:
            errors[source] = str(error)
        try:
            signature(parse(source))
        except FormulaError as error:
            kinds[source] = error.kind
    read = sum(errors.keys().isdisjoint(row["premises-FOL"]) for row in rows)
    clean = sum(kinds.keys().isdisjoint(row["premises-FOL"]) for row in rows)
    print(f"\nFOLIO train: {read} of 1,004 rows read as they stand; {clean} of them without any remark")
    for source, message in sorted(errors.items()):
        print(f"  {source!r}: {message}")
    assert (read, clean, len(errors)) == (970, 945, 13)
    assert all(message.startswith(("at character ", "at the end: ")) for message in errors.values())
    for source, message in BROKEN.items():
        assert errors[source].startswith(message)
