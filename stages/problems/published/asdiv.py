"""ASDiv, word problems of grades 1 to 6 with formulas such as `(88-48)/5=8`; non-commercial (CC BY-NC 4.0).

An answer such as `9 (apples)` is a number, as the published figures count it; answers that are no numbers (`5:1`,
`Jesse's class`) stay as they are. What a formula states beside plain equations (systems, ratios, gcd and lcm,
comparisons) gives no solution and a `doubt`. Part `a` is ASDiv-A, the 1,218 arithmetic problems; its rows say so under
`asdiv_a`, which the hub's copy does not have.
"""

from __future__ import annotations

import re
from pathlib import Path

from stages.problems.jsonl import JsonlError
from stages.problems.published.rows import rows, text
from stages.problems.solutions import equations
from stages.records.chain import number_text
from stages.records.numbers import exact
from stages.records.problem import Problem

HUB = {
    "path": "EleutherAI/asdiv",
    "revision": "8f95807222d87b4c688c3c22a6ba2801e1fa03e2",
    "split": "validation",
}
PARTS = ("all", "a")
FORM = "body, question, answer and formula"
_NUMBER = re.compile(r"(-?[0-9.,/]+)(?:\s*\([^()]*\))?")


def read(path: Path | None = None, part: str = "all") -> list[Problem]:
    """The part's problems in the published order; errors as for `published.rows`."""
    made = []
    for index, (where, row) in enumerate(rows(path, HUB)):
        if part == "all" or _is_arithmetic(where, row):
            made.append(problem(index, where, row))
    return made


def _is_arithmetic(where: str, row: dict) -> bool:
    if type(row.get("asdiv_a")) is not bool:
        raise JsonlError(f"{where}: asdiv_a is missing; part a takes a local file whose rows say it, true or false")
    return row["asdiv_a"]


def problem(index: int, where: str, row: dict) -> Problem:
    """One published row; rows without an id, as on the hub, are counted from 0."""
    body, question, answer, formula = (text(where, row, key, FORM) for key in ("body", "question", "answer", "formula"))
    name = text(where, row, "id", FORM) if "id" in row else f"{index:05d}"
    gold = gold_of(answer)
    solution, doubt = (
        equations.chained(formula, gold) if exact(gold) is not None else ((), "an answer that is no number")
    )
    return Problem(f"asdiv/{name}", "math", "arithmetic", "asdiv", f"{body} {question}", gold, solution, doubt=doubt)


def gold_of(answer: str) -> str:
    """`9 (apples)` as `9`, `3.333 (minutes)` as `3.333`; everything that is no number with its unit as it stands."""
    match = _NUMBER.fullmatch(answer)
    value = exact(match[1].replace(",", "")) if match else None
    return answer if value is None else number_text(value)
