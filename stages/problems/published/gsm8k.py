"""GSM8K, grade-school math problems, with reference solutions made from their calculator annotations.

Read from a local file in the published form (JSON lines of question and answer, the answer ending in `#### 72`), or
without one from the hub, at a pinned revision. A reference solution is the annotated operations as calls; where these
stop short of the answer, the plain equations between them that hold exactly are taken too. What still does not end in
the answer gets no solution and a `doubt` that says why.
"""

from __future__ import annotations

import re
from pathlib import Path

from stages.problems.jsonl import JsonlError
from stages.problems.published.rows import rows, text
from stages.problems.solutions.annotations import Annotation, annotations, equations
from stages.records.chain import Call
from stages.records.problem import Problem
from stages.tools.calls import number

HUB = {"path": "openai/gsm8k", "name": "main", "revision": "740312add88f781978c0658806c59bc2815b9866"}
SPLITS = ("train", "test")
# Doubts that say nothing against gold: of what is not all written, or not in a form that is read.
NO_CALLS = "not all read: the solution has no calculation that is read"
STOPS_SHORT = "not all read: the calculations that are read do not end in the answer"
_GOLD = re.compile(r"(?:^|\n)(?:####|A:) ?(-?[0-9]{1,3}(?:,[0-9]{3})+|-?[0-9]++(?:\.[0-9]++)?)\s*+$")


def read(split: str, path: Path | None = None) -> list[Problem]:
    """The split's problems in the published order; ids count rows from 0.

    Raises:
        JsonlError: the file cannot be read, or a row is not in the published form.
        ParamsError: the hub's copy cannot be read.
    """
    found = enumerate(rows(path, {**HUB, "split": split}))
    return [problem(f"gsm8k/{split}/{index:05d}", where, row) for index, (where, row) in found]


def problem(name: str, where: str, row: dict) -> Problem:
    """One published row; `where` names it in messages."""
    question, answer = (text(where, row, key, "question and answer") for key in ("question", "answer"))
    gold = gold_of(answer)
    if gold is None:
        raise JsonlError(f"{where}: answer does not end in a line such as `#### 72`")
    solution, doubt = reference(answer, gold)
    return Problem(name, "math", "arithmetic", "gsm8k", question, gold, solution, doubt=doubt)


def gold_of(answer: str) -> str | None:
    """The number on the last line of a solution, without thousands separators; None where there is none."""
    match = _GOLD.search(answer)
    return match[1].replace(",", "") if match else None


def reference(answer: str, gold: str) -> tuple[tuple[Call, ...], str]:
    """The published solution as calls, and ""; or no call, and why it is none."""
    calls, doubt = _calls(annotations(answer), gold)
    if doubt:
        calls, _ = _calls(equations(answer), gold)
    return (calls, "") if calls else ((), doubt)


def _calls(annotated: list[Annotation], gold: str) -> tuple[tuple[Call, ...], str]:
    if not annotated:
        return (), NO_CALLS
    steps = [annotation.step() for annotation in annotated]
    for annotation, step in zip(annotated, steps, strict=True):
        if step.error:
            return (), "an annotation cannot be computed"
        if number(step.result) != annotation.value:
            return (), "an annotation does not give the value it says"
    if number(steps[-1].result) != number(gold):
        return (), STOPS_SHORT
    return (*(step.call for step in steps), Call("Finish", {"answer": gold})), ""
