"""A problem: a question with a gold answer and, where known, a reference solution."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from stages.chain import Call

TASKS = ("math", "logic")


@dataclass(frozen=True)
class Problem:
    """`question` is all the text the model sees. `solution` ends with `Finish`.

    `misconception` is a wrong solution that someone who misreads the question in a typical way would give; built-in
    problems have it where the question holds a trap, and only the simulated error model reads it. `doubt` says why the
    solution that the source publishes cannot be run, or does not give `gold`; there is no `solution` then.
    """

    id: str
    task: str
    toolkit: str
    source: str
    question: str
    gold: str
    solution: tuple[Call, ...] = ()
    misconception: tuple[Call, ...] = ()
    doubt: str = ""


def text_key(question: str) -> str:
    """Identity of a question's text: sha256 of its words, case and spacing ignored."""
    return hashlib.sha256(" ".join(question.lower().split()).encode()).hexdigest()
