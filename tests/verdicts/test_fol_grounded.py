"""Right answers that rest on a proof of the problem: sound chains are not refused, proofs about anything not taken."""

from __future__ import annotations

import pytest
from test_fol_verdicts import judged, no_memory  # noqa: F401

from stages.records.problem import Problem

WORDS = {"correct": "", "undecided": "undecided", "incorrect": "ungrounded"}


def problem(question, gold):
    return Problem("p/1", "logic", "fol", "p", question, gold)


def verdict_on(question, gold, premises, asked):
    """The verdict on a chain that states the premises, asks and finishes with gold; its failure fits it."""
    stated = [f'Premise(formula="{premise}")' for premise in premises]
    row = judged(problem(question, gold), *stated, f'Entails(formula="{asked}")', f'Finish(answer="{gold}")')
    assert row["failure"] == WORDS[row["verdict"]] and row["answer_right"]
    return row["verdict"]


# What the problem says outright (an option, a denied statement) is proved by saying it


FLAGS = """The red flag is the leftmost.
The blue flag is to the right of the red flag.
The green flag is to the right of the blue flag.
Which of the following is true?
A) The blue flag is the leftmost.
B) The green flag is the leftmost.
C) The red flag is the leftmost."""
FIRST = ["First(red)", "RightOf(blue, red)", "RightOf(green, blue)", "∀x ∀y (RightOf(x, y) → ¬First(x))"]


@pytest.mark.parametrize(
    ("question", "gold", "premises", "asked", "word"),
    [
        (FLAGS, "C", FIRST, "First(red)", "correct"),  # the text states it
        (FLAGS, "C", FIRST, "¬First(blue)", "incorrect"),  # about another option
        (FLAGS, "C", FIRST, "First(blue)", "incorrect"),  # which is false
        (FLAGS.replace("the following is", "the following is not"), "B", FIRST, "First(green)", "undecided"),
        (FLAGS.replace("the following is", "the following is not"), "B", FIRST, "¬First(green)", "undecided"),
        (FLAGS.replace("the leftmost.\nThe blue", "at the left end.\nThe blue"), "C", FIRST, "First(red)", "undecided"),
        (FLAGS, "C", ["Tall(tower)", "Tall(tower) → Old(tower)"], "Old(tower)", "undecided"),
    ],
)
def test_an_option_may_be_what_the_text_states(question, gold, premises, asked, word):
    assert verdict_on(question, gold, premises, asked) == word


LABELS = "Tom is tall.\nAll tall people are old.\nIs this true? Tom is {}.\nA) True\nB) False\nC) Uncertain"


@pytest.mark.parametrize(
    ("asks", "gold", "asked", "word"),
    [
        ("old", "A", "Old(tom)", "correct"),
        ("not old", "B", "¬Old(tom)", "correct"),
        ("green", "C", "Green(tom)", "correct"),
        ("not old", "B", "Old(tom)", "incorrect"),
        ("old", "A", "¬Old(tom)", "incorrect"),
    ],
)
def test_a_letter_of_a_label_is_that_label(asks, gold, asked, word):
    assert verdict_on(LABELS.format(asks), gold, ["Tall(tom)", "∀x (Tall(x) → Old(x))"], asked) == word


GAMES = "Lima hosted the last games.\nEvery host was rich.\nIs the following true, false or unknown? {}"


@pytest.mark.parametrize(
    ("statement", "gold", "asked", "word"),
    [
        ("The last games were not hosted by Lima.", "False", "¬Host(lima)", "undecided"),
        ("Lima hosted the last games.", "True", "Host(lima)", "correct"),
        ("Lima was rich.", "True", "Rich(lima)", "correct"),
        ("The last games took place in Lima.", "True", "Host(lima)", "undecided"),  # perhaps in other words
        ("Quito won nothing.", "True", "Host(lima)", "undecided"),
    ],
)
def test_a_statement_in_free_english_may_be_what_is_asked_or_denied(statement, gold, asked, word):
    premises = ["Host(lima)", "∀x (Host(x) → Rich(x))"]
    assert verdict_on(GAMES.format(statement), gold, premises, asked) == word


@pytest.mark.parametrize(("gold", "asked"), [("True", "¬Old(tom)"), ("True", "Old(tom)"), ("False", "Bad(tom)")])
def test_whether_something_is_false_is_answered_by_either_side(gold, asked):
    question = "Tom is tall.\nNo tall people are old.\nAll tall people are bad.\nIs it false that Tom is {}?"
    premises = ["Tall(tom)", "∀x (Tall(x) → ¬Old(x))", "∀x (Tall(x) → Bad(x))"]
    assert verdict_on(question.format("old" if gold == "True" else "bad"), gold, premises, asked) == "correct"


KIND = "Tom is tall.\nAll tall people are old.\nIs it true that Tom is old?"


@pytest.mark.parametrize(
    "premises",
    [["Old(tom)"], ["Old(tom) ∧ Tall(tom)"], ["∀x (Old(x))"], ["Tall(tom) → Old(tom) ∧ Tall(tom)", "Old(tom)"]],
)
def test_where_every_sentence_is_understood_no_premise_says_the_answer_alone(premises):
    assert verdict_on(KIND, "True", premises, "Old(tom)") == "incorrect"


# A proof has to speak of the problem


MEN = "All men are mortal.\nSocrates is a man.\nIs it true that Socrates is mortal?"


@pytest.mark.parametrize(
    ("premises", "asked", "word"),
    [
        (["P(a)", "P(a) → Q(a)"], "Q(a)", "undecided"),
        (["Foo(bar)", "∀x (Foo(x) → Baz(x))"], "Baz(bar)", "undecided"),
        (["∀x (M(x) → M2(x))", "M(s)"], "M2(s)", "undecided"),  # initials of Socrates, man and mortal
        (["Man(socrates)", "∀x (Man(x) → Mortal(x))", "Foo(bar)", "Foo(bar) → Baz(bar)"], "Baz(bar)", "undecided"),
        (["Man(socrates)", "∀x (Man(x) → Mortal(x))"], "Mortal(socrates)", "correct"),
        (["human(sokrates)", "forall x (human(x) -> dies(x))"], "dies(sokrates)", "undecided"),  # other words
        (["IsMan(socrates)", "∀x (IsMan(x) → WillDie(x))"], "WillDie(socrates)", "correct"),
        (["Socrates → Mortality", "Socrates"], "Mortality", "correct"),
    ],
)
def test_premises_share_a_word_with_the_text(premises, asked, word):
    assert verdict_on(MEN, "True", premises, asked) == word


def test_names_are_not_compared_with_a_text_in_another_script():
    chinese = "所有人都会死。\n苏格拉底是人。\n苏格拉底会死吗?"
    assert verdict_on(chinese, "True", ["Man(socrates)", "∀x (Man(x) → Mortal(x))"], "Mortal(socrates)") == "correct"


# Unknown: every statement stated, whatever is asked


TALL = "Tom is tall.\nAll tall things are old.\nTom is {}?"


def test_a_question_may_have_words_of_its_own():
    premises = ["Tall(tom)", "∀x (Tall(x) → Old(x))"]
    assert verdict_on(TALL.format("green"), "Unknown", premises, "Green(tom)") == "correct"
    assert verdict_on(TALL.format("green"), "Unknown", premises, "Blue(tom)") == "incorrect"  # refused: nowhere said
    assert verdict_on(TALL.format("green"), "Unknown", premises[:1], "Green(tom)") == "incorrect"
    msc = "Tom has a BSc.\nEveryone with a BSc is paid.\nHas Tom an MSc?"
    assert verdict_on(msc, "Unknown", ["HasBSc(tom)", "∀x (HasBSc(x) → Paid(x))"], "HasMSc(tom)") == "correct"


BIG = "If something is big then it is {}.\n{}\nTom is red.\nIs it true that Tom is big?"


@pytest.mark.parametrize(
    ("question", "premises", "word"),
    [
        (BIG.format("old", "All big things are old."), ["∀x (Big(x) → Old(x))"], "correct"),
        (BIG.format("not old", "If something is old then it is not big."), ["∀x (Big(x) → ¬Old(x))"], "correct"),
        (BIG.format("old", "All old things are big."), ["∀x (Big(x) → Old(x))"], "incorrect"),
        (BIG.format("old", "All old things are big."), ["∀x (Big(x) → Old(x))", "∀x (¬Old(x) → ¬Big(x))"], "incorrect"),
        (BIG.format("old", "All old things are big."), ["∀x (Big(x) ↔ Old(x))"], "undecided"),  # two in one premise
        (BIG.format("old", "Old and new are one."), ["∀x (Big(x) → Old(x))", "Red(tom) ∨ Red(tom)"], "undecided"),
    ],
)
def test_unknown_takes_a_different_premise_for_each_different_statement(question, premises, word):
    assert verdict_on(question, "Unknown", [*premises, "Red(tom)"], "Big(tom)") == word


GLAD = "All are glad when it rains.\nWhen it rains, all are glad.\nTom sings if he is glad.\nIs it true that Tom sings?"


def test_a_text_may_say_a_thing_twice_in_words_that_are_not_understood():
    rules = ["Rain → Glad", "Glad → Sings(tom)"]
    assert verdict_on(GLAD, "Unknown", rules, "Sings(tom)") == "undecided"
    assert verdict_on(GLAD, "Unknown", [rules[0], *rules], "Sings(tom)") == "undecided"  # the second is refused
    assert verdict_on(GLAD, "Unknown", rules[1:], "Sings(tom)") == "undecided"


def test_a_name_of_the_text_that_no_premise_has_is_no_obstacle_to_a_proof():
    text = "Quokkas are fluffy.\nIf a koala is fluffy, it is no quokka.\nIs a koala that is a quokka fluffy?"
    rule = "∀x (Quokka(x) → Fluffy(x))"
    assert verdict_on(text, "True", [rule], "∀x (Koala(x) ∧ Quokka(x) → Fluffy(x))") == "correct"


# Spelling


SHY = "Each {} is shy.\nMax is {}.\nAll shy people are old.\nIs it true that Max is old?"


def test_names_that_look_alike_are_not_refused_and_an_unknown_that_depends_on_them_is_undecided():
    rule, old = "∀x (Shy(x) → Old(x))", "Old(max)"
    text = SHY.format("rompus", "a rompus")
    assert verdict_on(text, "True", ["∀x (Rompus(x) → Shy(x))", "Rompus(max)", rule, "Rompuses(rex)"], old) == "correct"
    assert verdict_on(text, "Unknown", ["∀x (Rompus(x) → Shy(x))", "Rompuses(max)", rule], old) == "undecided"
    text = SHY.format("winner", "in a winter")
    assert verdict_on(text, "Unknown", ["∀x (Winner(x) → Shy(x))", "Winter(max)", rule], old) == "correct"


def test_a_misspelt_copy_is_no_second_premise():
    text = "All big things are old.\nTom is red.\nTom is tall.\nIs it true that Tom is big?"
    premises = ["∀x (Big(x) → Old(x))", "Red(tom)", "Red(Tom)"]
    assert verdict_on(text, "Unknown", premises, "Big(tom)") == "undecided"
    assert verdict_on(text, "Unknown", [*premises[:2], "Tall(tom)"], "Big(tom)") == "correct"
