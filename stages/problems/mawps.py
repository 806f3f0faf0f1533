"""MAWPS, word problems with one unknown and its equation (`56*9=x`), and the four parts of it used for testing.

The parts addsub, multiarith, singleeq and singleop come as question and answer only. Of `mawps` itself two published
forms are read: its authors' (sQuestion, lEquations, lSolutions) and that of the hub's copy (question, equation,
result), which is another selection of the same collection.
"""

from __future__ import annotations

from pathlib import Path

from stages.params import ParamsError
from stages.problems import formulas
from stages.problems.jsonl import JsonlError
from stages.problems.problem import Problem
from stages.problems.published import number_gold, rows, text

HUB = {
    "path": "MU-NLPC/Calc-mawps",
    "revision": "38c10053efeafd20ab6ff4e08c3ec17de26c19b7",
    "split": "train+validation+test",
}
PARTS = ("mawps", "addsub", "multiarith", "singleeq", "singleop")
FORM = "iIndex, sQuestion, lEquations and lSolutions"
HUB_FORM = "id, question, equation and result"
PART_FORM = "input and target"


def read(path: Path | None = None, part: str = "mawps") -> list[Problem]:
    """The part's problems in the published order.

    Raises:
        JsonlError, ParamsError: as for `published.rows`; and a part other than `mawps` has no copy on the hub.
    """
    if path is None and part != "mawps":
        raise ParamsError(f"mawps: part {part} is read from a local file only; give it as problems.*.path")
    make = problem if part == "mawps" else _without_equation
    return [make(part, index, where, row) for index, (where, row) in enumerate(rows(path, HUB))]


def problem(part: str, index: int, where: str, row: dict) -> Problem:
    """One row with its equation, in either form; ids count rows from 0, as the published numbers are not unique."""
    if "question" in row:
        question, equation = (text(where, row, key, HUB_FORM) for key in ("question", "equation"))
        gold = number_gold(where, row, "result", HUB_FORM)
    else:
        question = text(where, row, "sQuestion", FORM)
        (equation,), (solution,) = (_only(where, row, key) for key in ("lEquations", "lSolutions"))
        equation = text(where, {"lEquations": equation}, "lEquations", FORM)
        gold = number_gold(where, {"lSolutions": solution}, "lSolutions", FORM)
    calls, doubt = formulas.solution(equation, gold)
    name = f"mawps/{part}/{index:05d}"
    return Problem(name, "math", "arithmetic", "mawps", question, gold, calls, doubt=doubt)


def _only(where: str, row: dict, key: str) -> list:
    if not isinstance(row.get(key), list) or len(row[key]) != 1:
        raise JsonlError(f"{where}: {key} is no list of one; a row has {FORM}")
    return row[key]


def _without_equation(part: str, index: int, where: str, row: dict) -> Problem:
    question, gold = text(where, row, "input", PART_FORM), number_gold(where, row, "target", PART_FORM)
    return Problem(f"mawps/{part}/{index:05d}", "math", "arithmetic", "mawps", question, gold)
