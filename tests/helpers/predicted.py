"""Chains of students, the predictions of evaluation made of them, and its printed table."""

from __future__ import annotations

import re
from dataclasses import replace

from stages import eval as evaluation
from stages.agent.loop import Attempt, Reply
from stages.records.problem import Problem

SUM = Problem("p", "math", "arithmetic", "p", "What is 2 plus 3?", "5")
RIGHT = ("Add(a=2, b=3)", 'Finish(answer="5")')
LUCKY = ('Finish(answer="5")',)
WRONG = ("Add(a=2, b=2)", 'Finish(answer="4")')
REPAIRED = ("Plus(a=2, b=3)", *RIGHT)
STUCK = ("Add(a=2, b=2)",) * 4
LOGIC = Problem("l", "logic", "deduction", "l", "Leo is a wug. Each wug is red. Is it true that Leo is red?", "True")
DERIVED = ('Recall(about="Leo")', 'Derive(fact="Leo is red")', 'Finish(answer="True")')


def chain(problem, number, texts):
    attempt = Attempt(replace(problem, id=f"{problem.id}/{number}"), 4, 3, examples=0)
    for text in texts:
        attempt.advance(Reply(text, 10, len(text)))
    assert attempt.stop
    return attempt.chain()


def rows(**tried):
    """Predictions of each model, whose chains are given in the order of their problems."""
    made = []
    for model, chains in tried.items():
        chains = [chain(problem, number, texts) for number, (problem, texts) in enumerate(chains)]
        made += evaluation.predictions(model, "heldout", list(reversed(chains)), 0.0)
    return made


BASE = [(SUM, RIGHT), (SUM, WRONG), (SUM, LUCKY), (SUM, STUCK), (LOGIC, DERIVED)]
SFT = [(SUM, RIGHT), (SUM, RIGHT), (SUM, REPAIRED), (SUM, WRONG), (LOGIC, DERIVED)]
DPO = [(SUM, RIGHT), (SUM, RIGHT), (SUM, RIGHT), (SUM, RIGHT), (LOGIC, DERIVED)]


def cells(text: str) -> str:
    """A printed table without the spaces and dashes that align its columns."""
    return re.sub(r"(?<=-)-+|(?<= ) +", "", text)
