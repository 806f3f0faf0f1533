"""Your own problems: a JSONL file with question, answer and task, and optionally id, context, toolkit, solution."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

from stages.chain import Call
from stages.params import InputError
from stages.problems.problem import TASKS, Problem
from stages.tools import DEFAULT_TOOLKIT, TOOLKITS
from stages.tools.calls import CallError, parse

REQUIRED = ("question", "answer", "task")
OPTIONAL = ("id", "context", "toolkit", "solution")


class JsonlError(InputError):
    """A problem file or one of its rows cannot be used; the message names file and line."""


def read(path: Path, n: int | None = None, seed: int = 0) -> list[Problem]:
    """The file's problems, or `n` of them drawn with `seed`, in the file's order.

    `solution` is a list of calls in their text form; a missing `id` is the line's number.

    Raises:
        JsonlError: the file cannot be read, a row is no object, lacks a key, or holds what cannot be used.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise JsonlError(
            f"{path}: {getattr(error, 'strerror', None) or error}; check problems.*.path in params.yaml"
        ) from None
    made = [_problem(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    for name, count in Counter(problem.id for problem in made).items():
        if count > 1:
            raise JsonlError(f"{path}: id {name} stands {count} times; ids must differ")
    if n is not None and n < len(made):
        made = [made[index] for index in sorted(random.Random(seed).sample(range(len(made)), n))]
    return made


def _problem(path: Path, number: int, line: str) -> Problem:
    where = f"{path} line {number}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise JsonlError(f"{where}: no JSON object") from None
    if not isinstance(row, dict):
        raise JsonlError(f"{where}: no JSON object")
    for key in REQUIRED:
        if key not in row:
            raise JsonlError(
                f"{where}: key {key} is missing; a row has {', '.join(REQUIRED)} and may have {', '.join(OPTIONAL)}"
            )
    for key, value in row.items():
        if key in (*REQUIRED, *OPTIONAL) and key != "solution" and not isinstance(value, str):
            raise JsonlError(f"{where}: {key} is {type(value).__name__}; it takes a text")
    if row["task"] not in TASKS:
        raise JsonlError(f"{where}: task is {row['task']!r}; it takes {', '.join(TASKS)}")
    toolkit = row.get("toolkit", DEFAULT_TOOLKIT[row["task"]])
    if toolkit not in TOOLKITS:
        raise JsonlError(f"{where}: toolkit is {toolkit!r}; it takes {', '.join(TOOLKITS)}")
    question = " ".join(filter(None, [row.get("context", "").strip(), row["question"].strip()]))
    if not question or not row["answer"].strip():
        raise JsonlError(f"{where}: question or answer is empty")
    return Problem(
        id=f"{path.stem}/{row.get('id', f'{number:06d}')}",
        task=row["task"],
        toolkit=toolkit,
        source="jsonl",
        question=question,
        gold=row["answer"].strip(),
        solution=_solution(where, row.get("solution", []), toolkit),
    )


def _solution(where: str, texts: object, toolkit: str) -> tuple[Call, ...]:
    if not isinstance(texts, list):
        raise JsonlError(f"{where}: solution is {type(texts).__name__}; it takes a list of calls as texts")
    calls = []
    for text in texts:
        try:
            calls.append(parse(str(text), TOOLKITS[toolkit].tools))
        except CallError as error:
            raise JsonlError(f"{where}: solution: {error}") from None
    if calls and calls[-1].tool != "Finish":
        raise JsonlError(f"{where}: solution does not end with Finish")
    return tuple(calls)
