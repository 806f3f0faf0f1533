"""ProntoQA, chains of rules about fictional kinds; reference solutions by forward chaining.

Its options are True and False: gold is the word, as the deduction toolkit answers, and the options are not shown. The
published proofs, which the hub's copy does not have, are not read: forward chaining finds the same, call by call.
"""

from __future__ import annotations

from pathlib import Path

from stages.problems.published.options import asked, label
from stages.problems.published.rows import rows
from stages.problems.solutions.proofs import proof
from stages.records.problem import Problem

HUB = {"path": "renma/ProntoQA", "revision": "6f3e03863ce763efd1f9cd11aacf4caff1b7af02", "split": "validation"}


def read(path: Path | None = None) -> list[Problem]:
    """All problems in the published order; errors as for `published.rows`."""
    return [problem(where, row) for where, row in rows(path, HUB)]


def problem(where: str, row: dict) -> Problem:
    """One published row; `where` names it in messages."""
    name, question, options, answer = asked(where, row)
    gold = label(where, options, answer, ("True", "False"))
    solution, doubt = proof(question, gold)
    return Problem(f"prontoqa/{name}", "logic", "deduction", "prontoqa", question, gold, solution, doubt=doubt)
