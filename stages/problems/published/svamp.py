"""SVAMP: 1,000 variations on simple word problems, with equations such as `( 8.0 - 3.0 )`; for testing.

Read from SVAMP.json as its authors publish it, or JSON lines of the same objects; the hub's copy cuts it into a train
and a test part, which are put together again, as the published from-scratch figures are on all of it.
"""

from __future__ import annotations

from pathlib import Path

from stages.problems.published.rows import number_gold, rows, text
from stages.problems.solutions import equations
from stages.records.problem import Problem

HUB = {
    "path": "ChilleD/SVAMP",
    "revision": "5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef",
    "split": "train+test",
}
FORM = "ID, Body, Question, Equation and Answer"


def read(path: Path | None = None) -> list[Problem]:
    """All problems in the published order; errors as for `published.rows`."""
    return [problem(where, row) for where, row in rows(path, HUB)]


def problem(where: str, row: dict) -> Problem:
    """One published row; `where` names it in messages."""
    name, body, question, equation = (text(where, row, key, FORM) for key in ("ID", "Body", "Question", "Equation"))
    gold = number_gold(where, row, "Answer", FORM)
    solution, doubt = equations.solution(equation, gold)
    return Problem(f"svamp/{name}", "math", "arithmetic", "svamp", f"{body} {question}", gold, solution, doubt=doubt)
