"""The built-in problems: seeded generators, split into disjoint parts by the question's own text.

A question belongs to the part that a hash of its text says (`part`), so train, dev and held-out problems share no
question whatever the seeds are, and nothing has to be compared to keep it so.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from stages.problems.builtin.logic import logic_problem
from stages.problems.builtin.math import math_problem
from stages.records.chain import Call
from stages.records.problem import Problem, text_key

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
            made[key] = replace(problem, id=f"{source}/{use}{tag}-{seed}/{len(made):05d}", source=source)
    if len(made) < n:
        raise ValueError(f"{source}: only {len(made)} different questions of {n} could be drawn")
    return list(made.values())


# Worked examples of the fol toolkit, which has no generated problems: sentences with their formulas, question, answer.
FOL_EXAMPLES = (
    (
        {
            "All students who like logic are curious.": "∀x (Student(x) ∧ LikesLogic(x) → Curious(x))",
            "No curious person is bored.": "∀x (Curious(x) → ¬Bored(x))",
            "Rina is a student who likes logic.": "Student(rina) ∧ LikesLogic(rina)",
        },
        ("Is it true that Rina is bored?", "Bored(rina)", "False"),
    ),
    (
        {
            "Every ticket is either cheap or flexible.": "∀x (Ticket(x) → Cheap(x) ⊕ Flexible(x))",
            "Some flexible tickets can be returned.": "∃x (Ticket(x) ∧ Flexible(x) ∧ Returnable(x))",
            "Ticket seven is not cheap.": "Ticket(seven) ∧ ¬Cheap(seven)",
        },
        ("Is it true that ticket seven can be returned?", "Returnable(seven)", "Unknown"),
    ),
    (
        {
            "Whoever teaches someone is patient.": "∀x (∃y (Teaches(x, y)) → Patient(x))",
            "Ada teaches Ben.": "Teaches(ada, ben)",
            "If Ada is patient, Ben is glad or asleep.": "Patient(ada) → Glad(ben) ∨ Asleep(ben)",
            "Ben is not asleep.": "¬Asleep(ben)",
        },
        ("Is it true that Ben is glad?", "Glad(ben)", "True"),
    ),
)


def example_problems(toolkit: str, count: int) -> list[Problem]:
    """Problems for the worked examples in the prompt, from the part of `train` and a seed of their own; fol has 3."""
    if toolkit == "fol":
        return [_fol_example(*example) for example in FOL_EXAMPLES[:count]]
    source = {"arithmetic": "builtin/math", "deduction": "builtin/logic"}[toolkit]
    return problems(source, "train", count, seed=-1)


def _fol_example(premises: dict[str, str], asked: tuple[str, str, str]) -> Problem:
    question, formula, gold = asked
    calls = [Call("Premise", {"formula": premise}) for premise in premises.values()]
    solution = (*calls, Call("Entails", {"formula": formula}), Call("Finish", {"answer": gold}))
    return Problem("", "logic", "fol", "builtin/fol", "\n".join([*premises, question]), gold, solution)
