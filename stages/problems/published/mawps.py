"""MAWPS, word problems with one unknown and its equation (`56*9=x`), and the four parts of it used for testing.

The parts addsub, multiarith, singleeq and singleop come as question and answer only. Of `mawps` itself two published
forms are read: its authors' (sQuestion, lEquations, lSolutions) and that of the hub's copy (question, equation,
result), which is another selection of the same collection. Part `single` is MAWPS-single, the selection that
MWPToolkit's published figures are of (dataset/mawps-single there, 1,987 problems): those whose equation says what the
unknown is (`56*9=x`), where that is one word of letters.
"""

from __future__ import annotations

import re
from pathlib import Path

from stages.params import ParamsError
from stages.problems.jsonl import JsonlError
from stages.problems.published.rows import number_gold, rows, text
from stages.problems.solutions import equations
from stages.records.problem import Problem

HUB = {
    "path": "MU-NLPC/Calc-mawps",
    "revision": "38c10053efeafd20ab6ff4e08c3ec17de26c19b7",
    "split": "train+validation+test",
}
PARTS = ("mawps", "single", "addsub", "multiarith", "singleeq", "singleop")
WITH_EQUATION = ("mawps", "single")
# Spaces aside. `X=0.32=0.21`, a misprint, is in the published selection, and `9=3+6` is not.
_SINGLE = re.compile(r"[A-Za-z]+=[^A-Za-z_]+|[^A-Za-z_=]+(?:=[A-Za-z]+)?")
FORM = "iIndex, sQuestion, lEquations and lSolutions"
HUB_FORM = "id, question, equation and result"
PART_FORM = "input and target"


def read(path: Path | None = None, part: str = "mawps") -> list[Problem]:
    """The part's problems in the published order.

    Raises:
        JsonlError, ParamsError: as for `published.rows`; and a part without equations has no copy on the hub.
    """
    if path is None and part not in WITH_EQUATION:
        raise ParamsError(f"mawps: part {part} is read from a local file only; give it as problems.*.path")
    found = enumerate(rows(path, HUB))
    if part not in WITH_EQUATION:
        return [_without_equation(part, index, where, row) for index, (where, row) in found]
    read = [problem(index, where, row) for index, (where, row) in found]
    return [one for one, equation in read if part == "mawps" or _SINGLE.fullmatch("".join(equation.split()))]


def problem(index: int, where: str, row: dict) -> tuple[Problem, str]:
    """One row of either form, and its equation; ids count rows from 0, as the published numbers are not unique."""
    if "question" in row:
        question, equation = (text(where, row, key, HUB_FORM) for key in ("question", "equation"))
        gold = number_gold(where, row, "result", HUB_FORM)
    else:
        question = text(where, row, "sQuestion", FORM)
        (equation,), (solution,) = (_only(where, row, key) for key in ("lEquations", "lSolutions"))
        equation = text(where, {"lEquations": equation}, "lEquations", FORM)
        gold = number_gold(where, {"lSolutions": solution}, "lSolutions", FORM)
    calls, doubt = equations.solution(equation, gold)
    name = f"mawps/mawps/{index:05d}"
    return Problem(name, "math", "arithmetic", "mawps", question, gold, calls, doubt=doubt), equation


def _only(where: str, row: dict, key: str) -> list:
    if not isinstance(row.get(key), list) or len(row[key]) != 1:
        raise JsonlError(f"{where}: {key} is no list of one; a row has {FORM}")
    return row[key]


def _without_equation(part: str, index: int, where: str, row: dict) -> Problem:
    question, gold = text(where, row, "input", PART_FORM), number_gold(where, row, "target", PART_FORM)
    return Problem(f"mawps/{part}/{index:05d}", "math", "arithmetic", "mawps", question, gold)
