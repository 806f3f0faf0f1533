"""A problem: a question with a gold answer and, where known, a reference solution."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass

from stages.records.chain import Call, Chain

TASKS = ("math", "logic")
LABELS = ("True", "False", "Unknown")  # gold of a question whether something follows


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

    def chain(self, **made: object) -> Chain:
        """A chain on this problem; `made` is what the attempt adds to what was asked: its steps, answer, stop, ..."""
        return Chain(
            problem_id=self.id,
            task=self.task,
            toolkit=self.toolkit,
            source=self.source,
            question=self.question,
            gold=self.gold,
            **made,
        )


def text_key(question: str) -> str:
    """Identity of a question's text: sha256 of its words, case and spacing ignored."""
    return hashlib.sha256(" ".join(question.lower().split()).encode()).hexdigest()


def drawn(problems: list[Problem], n: int | None, seed: int) -> list[Problem]:
    """`n` of the problems drawn with `seed`, in their order; all of them where there are no more, or n is None."""
    if n is None or n >= len(problems):
        return problems
    return [problems[index] for index in sorted(random.Random(seed).sample(range(len(problems)), n))]


def folded(problems: list[Problem], folds: int, fold: int, held: bool, seed: int, by: str = "words") -> list[Problem]:
    """One fold of a cross-validation, or with `held` false the problems of all the others.

    `by` words: problems with the same words are in one fold; MAWPS repeats 222 of its questions, 128 of them with other
    spaces and commas. `by` row: each problem is drawn alone, as published cross-validations do, and what one fold tests
    may stand word for word in the others. Which fold is drawn with `seed`; every problem is in exactly one.
    """
    keys = [problem.id if by == "row" else words(problem) for problem in problems]
    groups = sorted(set(keys))
    random.Random(seed).shuffle(groups)
    places = {group: place % folds for place, group in enumerate(groups)}
    return [problem for problem, key in zip(problems, keys, strict=True) if (places[key] == fold) == held]


def words(problem: Problem) -> tuple[str, ...]:
    """The question's words and numbers, case, spaces and punctuation ignored."""
    return tuple(re.findall(r"\w+", problem.question.lower()))
