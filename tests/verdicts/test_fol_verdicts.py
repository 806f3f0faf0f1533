"""Verdicts on chains of first-order logic: what counts as a proof."""

from __future__ import annotations

import pytest

from stages.agent.loop import Attempt, Reply
from stages.agent.prompt import system_text
from stages.problems.builtin import example_problems
from stages.records.problem import Problem
from stages.tools.fol import toolkit as fol
from stages.tools.fol.toolkit import open_fol
from stages.verdicts.verdict import verdict

SOCRATES = Problem(
    "p/1", "logic", "fol", "p", "All men are mortal.\nSocrates is a man.\nIs it true that Socrates is mortal?", "True"
)
QUESTION = "All men are mortal.\nSocrates is a man.\nZeus is a god or a man.\nIs it true that Zeus is mortal?"
ZEUS = Problem("p/2", "logic", "fol", "p", QUESTION, "Unknown")
MEN = ['Premise(formula="∀x (Man(x) → Mortal(x))")', 'Premise(formula="Man(socrates)")']
ASK = 'Entails(formula="Mortal(socrates)")'


@pytest.fixture(autouse=True)
def no_memory():
    """Each test asks the solver itself."""
    fol._search.cache_clear()


def judged(problem, *texts):
    attempt = Attempt(problem, max_steps=20, max_errors=3, examples=0)
    for text_ in texts:
        attempt.advance(Reply(text_))
    return verdict(attempt.chain(), 0.0)


def test_a_proof_from_the_premises_is_correct():
    row = judged(SOCRATES, *MEN, ASK, 'Finish(answer="True")')
    assert (row["verdict"], row["failure"]) == ("correct", "")
    assert row["grounded"] and row["results_used"] and row["reproduced"] and row["numbers_grounded"]


@pytest.mark.parametrize(
    ("problem", "texts", "failure"),
    [
        (SOCRATES, [*MEN, 'Finish(answer="True")'], "ungrounded"),  # nothing asked
        (SOCRATES, ['Finish(answer="True")'], "no_tool_call"),
        (SOCRATES, [*MEN, ASK, 'Finish(answer="False")'], "wrong_answer"),
        (SOCRATES, [*MEN, ASK, MEN[0].replace("Man", "God"), 'Finish(answer="True")'], "ungrounded"),
        (SOCRATES, [MEN[0], MEN[1].replace("Man", "Mortal"), ASK, 'Finish(answer="True")'], "ungrounded"),  # smuggled
        (SOCRATES, [*MEN, ASK.replace("(socrates)", "(socrates) ∨ ¬Man(socrates)"), 'Finish(answer="True")'], ""),
        (SOCRATES, [*MEN, 'Entails(formula="Man(socrates) → Man(socrates)")', 'Finish(answer="True")'], "ungrounded"),
        (SOCRATES, [*MEN, 'Premise(formula="¬Mortal(socrates)")', ASK, 'Finish(answer="True")'], "ungrounded"),
        (SOCRATES, [*MEN, 'Entails(formula="¬Mortal(socrates)")', 'Finish(answer="True")'], "ungrounded"),
        (SOCRATES, [*MEN, ASK, 'Finish(answer="Undecided")'], "undecided"),
        (ZEUS, [*MEN, 'Premise(formula="God(zeus) ∨ Man(zeus)")', ASK, 'Finish(answer="Unknown")'], "ungrounded"),
        (ZEUS, [*MEN, 'Entails(formula="Mortal(zeus)")', 'Finish(answer="Unknown")'], "ungrounded"),
    ],
)
def test_a_right_answer_without_a_proof_is_not_correct(problem, texts, failure):
    row = judged(problem, *texts)
    assert row["failure"] == failure
    assert row["verdict"] == {"": "correct", "undecided": "undecided"}.get(failure, "incorrect")


def test_unknown_from_all_premises_is_correct():
    premise = 'Premise(formula="God(zeus) ∨ Man(zeus)")'
    row = judged(ZEUS, *MEN, premise, 'Entails(formula="Mortal(zeus)")', 'Finish(answer="Unknown")')
    assert row["verdict"] == "correct"


def test_a_question_that_led_nowhere_is_a_result_not_used():
    row = judged(SOCRATES, *MEN, 'Entails(formula="∀x (Mortal(x))")', ASK, 'Finish(answer="True")')
    assert row["verdict"] == "correct" and not row["results_used"]


def test_the_worked_examples_are_correct_chains():
    problems = example_problems("fol", 9)
    assert [problem.gold for problem in problems] == ["False", "Unknown", "True"]
    for problem in problems:
        assert open_fol(problem.question).story.statements == len(problem.solution) - 2
        assert judged(problem, *(call.text() for call in problem.solution))["verdict"] == "correct"
    assert system_text("fol", "logic", 2).count("> Entails(") == 2
