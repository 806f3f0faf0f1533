"""ProntoQA, chains of rules about fictional kinds, with the published proof as reference solution.

Its options are True and False: gold is the word, as the deduction toolkit answers, and the options are not shown. The
hub's copy has no proofs; forward chaining finds them.
"""

from __future__ import annotations

from pathlib import Path

from stages.problems.jsonl import JsonlError
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
    chain = row.get("explanation")
    if chain is not None and not (isinstance(chain, list) and all(isinstance(sentence, str) for sentence in chain)):
        raise JsonlError(f"{where}: explanation is no list of sentences; leave it out where there is none")
    solution, doubt = proof(question, gold, chain)
    return Problem(f"prontoqa/{name}", "logic", "deduction", "prontoqa", question, gold, solution, doubt=doubt)
