"""The built-in problems: seeded generators, split into disjoint parts by the question's own text.

A question belongs to the part that a hash of its text says (`part`), so train, dev and held-out problems share no
question whatever the seeds are, and nothing has to be compared to keep it so.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from stages.problems.builtin.logic import logic_problem
from stages.problems.builtin.math import math_problem
from stages.problems.problem import Problem, text_key

# Tenths of all questions; the base student's corpus is drawn from the part of `train`.
PARTS = {"train": range(0, 7), "dev": range(7, 8), "heldout": range(8, 10), "ood": range(8, 10)}
# What training never shows. long: more calls; names: other words; conditions: a rule with a condition that is met.
VARIANTS = {"builtin/math": ("plain", "long", "names"), "builtin/logic": ("plain", "long", "names", "conditions")}

MAKERS: dict[str, Callable[[random.Random, str], Problem]] = {
    "builtin/math": math_problem,
    "builtin/logic": logic_problem,
}


def part(question: str) -> int:
    """Which tenth of all questions this one falls into, 0 to 9."""
    return int(text_key(question)[:8], 16) % 10


def problems(source: str, use: str, n: int, seed: int, variant: str = "plain") -> list[Problem]:
    """`n` different problems of `source` in the part of `use`; the first k of them do not depend on n.

    Raises:
        ValueError: `n` different questions could not be drawn.
    """
    rng = random.Random(f"{source} {use} {variant} {seed}")
    made: dict[str, Problem] = {}
    for _ in range(100 * n + 1000):
        if len(made) == n:
            break
        problem = MAKERS[source](rng, variant)
        key = text_key(problem.question)
        if key not in made and part(problem.question) in PARTS[use]:
            tag = "" if variant == "plain" else f"-{variant}"
            made[key] = Problem(
                **{**vars(problem), "id": f"{source}/{use}{tag}-{seed}/{len(made):05d}", "source": source}
            )
    if len(made) < n:
        raise ValueError(f"{source}: only {len(made)} different questions of {n} could be drawn")
    return list(made.values())


def example_problems(toolkit: str, count: int) -> list[Problem]:
    """Problems for the worked examples in the prompt, from the part of `train` and a seed of their own."""
    source = {"arithmetic": "builtin/math", "deduction": "builtin/logic"}[toolkit]
    return problems(source, "train", count, seed=-1)
