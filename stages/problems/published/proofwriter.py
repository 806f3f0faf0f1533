"""ProofWriter, open world, depth up to 5; reference solutions by forward chaining, as the set has none.

Its options are True, False and Unknown: gold is the word, as the deduction toolkit answers, and they are not shown.
"""

from __future__ import annotations

from pathlib import Path

from stages.problems.published.options import asked, label
from stages.problems.published.rows import rows
from stages.problems.solutions.proofs import proof
from stages.records.problem import LABELS, Problem

# No commit of this copy could be looked up, so it is not pinned: `main` is what the hub has on the day.
HUB = {"path": "renma/ProofWriter", "revision": "main", "split": "validation"}


def read(path: Path | None = None) -> list[Problem]:
    """All problems in the published order; errors as for `published.rows`."""
    return [problem(where, row) for where, row in rows(path, HUB)]


def problem(where: str, row: dict) -> Problem:
    """One published row; `where` names it in messages."""
    name, question, options, answer = asked(where, row)
    gold = label(where, options, answer, LABELS)
    solution, doubt = proof(question, gold)
    return Problem(f"proofwriter/{name}", "logic", "deduction", "proofwriter", question, gold, solution, doubt=doubt)
