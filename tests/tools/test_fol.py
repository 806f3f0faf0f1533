"""The fol toolkit: five outcomes, refusals that say what to do, and which answers rest on what was stated and asked."""

from __future__ import annotations

import time

import pytest

from stages.tools import TOOLKITS, worker
from stages.tools.fol import toolkit as fol
from stages.tools.fol.toolkit import Fol, open_fol
from stages.tools.tool import ToolError

TOOLS = TOOLKITS["fol"].tools
LABELS = ("True", "False", "Unknown")

# No finite world has these: every number has a greater one.
ENDLESS = ["∀x ∃y (Less(x, y))", "∀x (¬Less(x, x))", "∀x ∀y ∀z (Less(x, y) ∧ Less(y, z) → Less(x, z))"]


@pytest.fixture(autouse=True)
def no_memory():
    """Each test asks the solver itself."""
    fol._search.cache_clear()


def stated(*premises):
    state = Fol()
    for premise in premises:
        TOOLS["Premise"].run(state, formula=premise)
    return state


def ask(state, formula):
    return TOOLS["Entails"].run(state, formula=formula)


def refusal(state, formula, tool="Entails"):
    before = (list(state.premises), dict(state.symbols.predicates), state.finding)
    with pytest.raises(ToolError) as error:
        TOOLS[tool].run(state, formula=formula)
    message = str(error.value)
    assert message.isprintable() and len(message) < 400
    assert before == (state.premises, state.symbols.predicates, state.finding)
    return message


# Outcomes


@pytest.mark.parametrize(
    ("premises", "asked", "outcome"),
    [
        (["∀x (Man(x) → Mortal(x))", "Man(socrates)"], "Mortal(socrates)", "True"),
        (["∀x (Man(x) → Mortal(x))", "Man(socrates)"], "not Mortal(socrates)", "False"),
        (["∀x (Man(x) → Mortal(x))", "Mortal(socrates)"], "Man(socrates)", "Unknown"),
        (["∀x (Man(x) → Mortal(x))", "¬Mortal(socrates)"], "Man(socrates)", "False"),  # classical: contraposition
        (["P(a) ∨ Q(a)", "P(a) → R(a)", "Q(a) → R(a)"], "R(a)", "True"),  # and proof by cases
        (["P(a)", "¬P(a)"], "P(a)", "Inconsistent"),
        (["P(a)", "∀x (P(x) → Q(x))", "¬∃x (Q(x))"], "Q(a)", "Inconsistent"),
        (["P(a) ⊕ Q(a)", "P(a)"], "Q(a)", "False"),
        (["P(a) ↔ Q(a)", "¬P(a)"], "Q(a)", "False"),
        (["a = b", "P(a)"], "P(b)", "True"),
        (["P(a)", "¬P(b)"], "a = b", "False"),
        (["P(a)", "Q(b)"], "a = b", "Unknown"),  # two names may be one thing
        (["∃x (P(x))", "Q(a)"], "P(a)", "Unknown"),
        (["∀x (P(x))"], "∃x (P(x))", "True"),  # there is something
        (["∀x ∃y (Likes(x, y))", "∀x ∀y (Likes(x, y) → Likes(y, x))"], "∀x ∃y (Likes(y, x))", "True"),
        (["∃y ∀x (Likes(x, y))"], "∀x ∃y (Likes(x, y))", "True"),
        (["∀x ∃y (Likes(x, y))"], "∃y ∀x (Likes(x, y))", "Unknown"),
        (["Rains → Wet", "Rains"], "Wet", "True"),
        (["Rains → Wet", "Wet"], "Rains", "Unknown"),
        (ENDLESS, "∃x (Less(x, x))", "Undecided"),  # it is denied, but are the premises consistent?
        (ENDLESS, "∃x ∀y (¬Less(y, x))", "Undecided"),
    ],
)
def test_what_the_premises_entail(premises, asked, outcome):
    assert ask(stated(*premises), asked) == outcome


def test_undecided_is_never_unknown():
    """A solver that gives up knows nothing; neither answer rests on it."""
    state = stated(*ENDLESS)
    assert ask(state, "∃x ∀y (¬Less(y, x))") == "Undecided"
    assert [answer for answer in LABELS if state.rests_on(answer)] == []
    assert state.objection("Unknown") == "the last question came out Undecided"


def test_undecided_by_the_clock_is_not_remembered(monkeypatch):
    monkeypatch.setattr(fol, "RLIMIT", 2_000_000_000)
    monkeypatch.setattr(fol, "SECONDS", 0.3)
    worker.call("entails", {"premises": [["is", "P", "a"]], "conclusion": ["is", "P", "a"], "rlimit": 1000}, 60.0)
    state = stated(*ENDLESS)
    start = time.monotonic()
    assert ask(state, "∃x ∀y (¬Less(y, x))") == "Undecided"
    assert time.monotonic() - start < 0.3 + 0.5  # 0.2 on a processor that nobody else uses
    assert fol._search.cache_info().currsize == 0
    monkeypatch.setattr(fol, "RLIMIT", 20_000)
    monkeypatch.setattr(fol, "SECONDS", 10.0)
    assert ask(stated("P(a)", "Q(a)"), "P(a) ∧ Q(a)") == "True"


def test_a_dead_worker_leaves_a_question_undecided(monkeypatch):
    def dead(*_):
        raise worker.WorkerError("entails", "death")

    monkeypatch.setattr(worker, "call", dead)
    state = stated("P(a)", "Q(a)")
    assert ask(state, "P(a) ∧ Q(a)") == "Undecided" and not any(map(state.rests_on, LABELS))


# What an answer may rest on


def test_an_answer_rests_on_the_last_question_only():
    state = stated("∀x (P(x) → Q(x))", "P(a)", "R(b) ∨ P(b)")
    assert [label for label in LABELS if state.rests_on(label)] == []
    ask(state, "Q(a)")
    assert [label for label in LABELS if state.rests_on(label)] == ["True"]
    ask(state, "R(b)")
    assert [label for label in LABELS if state.rests_on(label)] == ["Unknown"]
    TOOLS["Premise"].run(state, formula="¬P(b)")
    assert state.objection("Unknown") == "nothing was asked after the last premise"
    ask(state, "¬R(b)")
    assert [label for label in LABELS if state.rests_on(label)] == ["False"]


@pytest.mark.parametrize(
    "smuggled",
    [
        "Mortal(zeus)",
        "¬¬Mortal(zeus)",
        "¬Mortal(zeus)",
        "Mortal(zeus) ∧ Mortal(zeus)",
        "Mortal(zeus) ∨ (Mortal(zeus) ∧ Man(zeus))",
        "∀x (x = zeus → Mortal(x))",
        "∃x (x = zeus ∧ ¬Mortal(x))",
        "Man(zeus) ∨ ¬Man(zeus) → Mortal(zeus)",
    ],
)
def test_the_conclusion_or_its_negation_as_a_premise_proves_nothing(smuggled):
    state = stated("∀x (Man(x) → Mortal(x))", "Man(socrates)", smuggled)
    answer = ask(state, "Mortal(zeus)")
    assert answer in ("True", "False")
    assert state.doubt(answer) == "one premise says just what was asked for, or its negation"


def test_a_smuggled_rule_is_found_in_other_variables_and_turned_around():
    state = stated("∀y (¬Flies(y) → ¬Bird(y))", "Bird(tweety) ∨ Fish(tweety)")
    assert ask(state, "∀x (Bird(x) → Flies(x))") == "True" and not state.rests_on("True")


def test_a_premise_that_says_more_than_was_asked_is_a_proof():
    state = stated("Wizard(potter) ∧ Flies(potter)", "∀x (Wizard(x) → Old(x))")
    assert ask(state, "Flies(potter)") == "True" and state.rests_on("True")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [("P(a) ∨ ¬P(a)", "True"), ("∃x (P(x) → ∀y (P(y)))", "True"), ("Q(a) ∧ ¬Q(a)", "False"), ("a = a", "True")],
)
def test_what_is_true_without_premises_proves_nothing(asked, answer):
    state = stated("∀x (P(x) → Q(x))", "P(a)")
    assert ask(state, asked) == answer
    assert state.objection(answer) == "the formula asked for, or its negation, is true whatever the premises say"


def test_inconsistent_premises_support_no_answer():
    state = stated("P(a)", "¬P(a)", "Q(a)")
    assert ask(state, "Q(a)") == "Inconsistent" and not any(map(state.rests_on, LABELS))


PROBLEM = "All men are mortal.\nSocrates is a man.\nZeus is a god or a man.\nIs it true that Zeus is mortal?"


def test_unknown_needs_a_premise_for_each_statement_of_the_problem():
    """It is easy to know too little: Unknown comes out of every premise that was left out."""
    premises = ["∀x (Man(x) → Mortal(x))", "Man(socrates)", "God(zeus) ∨ Man(zeus)"]
    state = open_fol(PROBLEM)
    assert state.story.statements == 3
    for premise in premises[::2]:
        TOOLS["Premise"].run(state, formula=premise)
    assert ask(state, "Mortal(zeus)") == "Unknown"
    assert state.doubt("Unknown") == "2 premises say something, the problem makes 3 statements"
    TOOLS["Premise"].run(state, formula="Man(socrates) ∨ ¬Man(socrates)")
    assert ask(state, "Mortal(zeus)") == "Unknown" and not state.rests_on("Unknown")  # that one says nothing
    TOOLS["Premise"].run(state, formula=premises[1])
    assert ask(state, "Mortal(zeus)") == "Unknown" and state.rests_on("Unknown")


@pytest.mark.parametrize(
    ("question", "statements"),
    [
        (PROBLEM, 3),
        ("All men are mortal. Socrates is a man. Is Socrates mortal?", 0),
        ("Premises:\n\nA is B.\nB is C!\nConclusion:\nA is C.", 2),
        ("Dr. Who is a man.\n\nIs he?\n", 1),
        ("", 0),
    ],
)
def test_only_lines_that_are_sentences_are_counted(question, statements):
    assert open_fol(question).story.statements == statements


def test_lines_that_say_the_same_are_one_statement():
    question = "Kind people are nice.\nAll kind things are nice.\nBob is kind.\nBob is kind.\nIs Bob nice?"
    assert open_fol(question).story.statements == 2


TOLD = "Bob is cold.\nThe cat does not see Bob.\nIf Bob is cold then Bob is sad.\nIs the following true or false? "


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Bob is cold.", "True"),
        ("Bob is not cold.", "False"),
        ("The cat sees Bob.", "False"),
        ("Bob is sad.", ""),
        ("If Bob is cold then Bob is sad.", "True"),
        ("If Bob is not sad then Bob is not cold.", "True"),  # the same, turned around
        ("", ""),
    ],
)
def test_what_a_problem_asks_may_be_what_it_says(asked, told):
    assert open_fol(TOLD + asked).story.asked.told == told


def test_a_premise_that_is_the_answer_is_no_proof_unless_the_problem_says_it():
    premises = ("Cold(bob)", "¬Sees(cat, bob)", "Cold(bob) → Sad(bob)")
    for asked, formula, answer, objects in (
        ("Bob is cold.", "Cold(bob)", "True", False),
        ("Bob is not cold.", "¬Cold(bob)", "False", False),
        ("Bob is sad.", "Cold(bob)", "True", True),
    ):
        state = open_fol(TOLD + asked)
        for premise in premises:
            TOOLS["Premise"].run(state, formula=premise)
        assert ask(state, formula) == answer
        assert bool(state.objection(answer)) == objects
    state = open_fol(TOLD + "Bob is cold.")
    TOOLS["Premise"].run(state, formula="¬Cold(bob)")  # the problem says the opposite
    assert ask(state, "Cold(bob)") == "False" and "one premise says just what" in state.objection("False")


# Refusals that say what to do


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("Immortal(socrates)", "the predicate Immortal stands in no premise; the premises have: Man, Mortal"),
        ("∃x (God(x))", "the predicate God stands in no premise; the premises have: Man, Mortal"),
        ("Mortal(zeus)", "the name zeus stands in no premise; the premises have: socrates"),
        ("Mortal(x)", "the variable x is free; bind it with ∀x (...) or ∃x (...) around all its places"),
        ("Mortal(socrates, a)", "Mortal is used with 1 and with 2 terms; use one number of terms, or two names"),
        ("Mortals(socrates)", "Mortals looks like Mortal; use one spelling, or names that differ more"),
        ("Mortal(Socrates)", "Socrates looks like socrates; use one spelling, or names that differ more"),
        ("Mortal(socrates) ∧ Man(socrates) ∨ Man(socrates)", "at character 34, `∨ Man(socrates)`: ∧ and ∨ in one row"),
        ("Mortal(socrates", "at the end: expected , or ) after a term"),
        ("", "at the end: expected a formula"),
    ],
)
def test_a_question_in_other_words_is_refused(formula, message):
    assert refusal(stated("∀x (Man(x) → Mortal(x))", "Man(socrates)"), formula).startswith(message)


def test_a_new_name_is_no_obstacle_where_the_premises_speak_of_everything():
    state = stated("∀x (Man(x) → Mortal(x))", "Man(socrates)")
    assert ask(state, "Man(zeus) → Mortal(zeus)") == "True" and state.rests_on("True")


def test_premises_are_refused_when_they_do_not_fit_each_other():
    state = stated("∀x (Man(x) → Mortal(x))", "Man(socrates)")
    assert "use one number of terms" in refusal(state, "Man(zeus, socrates)", "Premise")
    assert "stands inside another quantifier of x" in refusal(state, "∀x ∃x (Man(x))", "Premise")
    assert refusal(state, "Man( socrates )", "Premise").startswith("this premise is stated already")
    assert "no premise is stated yet" in refusal(Fol(), "Man(socrates)")


def test_a_premise_with_a_name_that_looks_like_another_is_taken_with_a_hint_once():
    state = stated("∀x (Man(x) → Mortal(x))", "Man(socrates)")
    hint = "Mortals(zeus) (Mortals looks like Mortal: if both are one, state it again with one name)"
    assert TOOLS["Premise"].run(state, formula="Mortals(zeus)") == hint
    assert TOOLS["Premise"].run(state, formula="Mortals(socrates)") == "Mortals(socrates)"
    assert ask(state, "Mortals(zeus)") == "True"  # names mean what is written


def test_a_premise_is_shown_back_in_its_one_spelling():
    assert TOOLS["Premise"].run(Fol(), formula="all x. (Man(x) -> ~ Immortal(x))") == "∀x (Man(x) → ¬Immortal(x))"


def test_there_is_an_end_to_premises():
    state = stated(*(f"Likes(p{number}, q{number})" for number in range(fol.MAX_PREMISES)))
    assert "at most 60 premises of 20,000 characters together" in refusal(state, "Likes(a, b)", "Premise")
    long = " ∧ ".join(f"P{number}_{'i' * 40}(a)" for number in range(38))
    state = Fol()
    for number in range(10):
        TOOLS["Premise"].run(state, formula=long.replace("P", f"P{number}"))
    assert "at most" in refusal(state, long.replace("P", "Q"), "Premise")
