"""Your own problems: a JSONL file with question, answer and task, and optionally id, context, toolkit, solution."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from stages.problems import readable
from stages.records.chain import Call
from stages.records.errors import InputError
from stages.records.problem import TASKS, Problem, drawn
from stages.records.schema import json_row
from stages.tools import DEFAULT_TOOLKIT, TOOLKITS
from stages.tools.calls import CallError, parse
from stages.tools.tool import ToolError

REQUIRED = ("question", "answer", "task")
OPTIONAL = ("id", "context", "toolkit", "solution")
MAX_ID = 200  # characters

_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonlError(InputError):
    """A problem file or one of its rows cannot be used; the message names file and line."""


def read(path: Path, n: int | None = None, seed: int = 0) -> list[Problem]:
    """The file's problems, or `n` of them drawn with `seed`, in the file's order.

    `solution` is a list of calls in their text form; a missing `id` is the line's number. An answer may be written as
    `... #### 7` or `Yes`; whether it is read at all `sources.load` asks.

    Raises:
        JsonlError: the file cannot be read, a row is no object, lacks a key, or holds what cannot be used.
    """
    made = [problem(path, number, where, row) for number, (where, row) in rows(path).items()]
    for name, count in Counter(one.id for one in made).items():
        if count > 1:
            raise JsonlError(f"{path}: id {name} stands {count} times; ids must differ")
    return drawn(made, n, seed)


def rows(path: Path) -> dict[int, tuple[str, dict]]:
    """The objects of a file by their line's number, each with its place for messages; empty lines are no rows.

    Raises:
        JsonlError: the file cannot be read, or a line is no object.
    """
    found = {}
    for number, line in enumerate(file_text(path).split("\n"), 1):
        where = f"{path} line {number}"
        try:
            if line.strip():
                found[number] = where, json_row(line)
        except (ValueError, RecursionError) as error:
            raise JsonlError(f"{where}: no JSON object: {' '.join(str(error).split())[:120]}") from None
    return found


def file_text(path: Path) -> str:
    """The text of a problem file; JsonlError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # no UTF-8, or a path that no file can have
        raise JsonlError(
            f"{path}: {getattr(error, 'strerror', None) or error}; check its path in params.yaml"
        ) from None


def problem(path: Path, number: int, where: str, row: dict) -> Problem:
    """The problem on line `number`; `where` names the line in messages."""
    for key in REQUIRED:
        if key not in row:
            raise JsonlError(
                f"{where}: key {key} is missing; a row has {', '.join(REQUIRED)} and may have {', '.join(OPTIONAL)}"
            )
    for key, value in row.items():
        if key in (*REQUIRED, *OPTIONAL) and key != "solution" and not isinstance(value, str):
            raise JsonlError(f"{where}: {key} is {type(value).__name__}; it takes a text")
        if key in (*REQUIRED, *OPTIONAL) and _SURROGATE.search(str(value)):
            raise JsonlError(f"{where}: {key} holds half a surrogate pair, which no request can carry; take it out")
    name = row.get("id", f"{number:06d}")
    if not 1 <= len(name) <= MAX_ID or not name.isprintable():
        raise JsonlError(f"{where}: id is empty, longer than {MAX_ID} characters or not printable; write another")
    if row["task"] not in TASKS:
        raise JsonlError(f"{where}: task is {row['task']!r}; it takes {', '.join(TASKS)}")
    toolkit = row.get("toolkit", DEFAULT_TOOLKIT[row["task"]])
    if toolkit not in TOOLKITS:
        raise JsonlError(f"{where}: toolkit is {toolkit!r}; it takes {', '.join(TOOLKITS)}")
    question = " ".join(filter(None, [row.get("context", "").strip(), row["question"].strip()]))
    if not question or not row["answer"].strip():
        raise JsonlError(f"{where}: question or answer is empty")
    try:
        TOOLKITS[toolkit].open(question)
    except ToolError as error:
        raise JsonlError(f"{where}: {error}") from None
    return Problem(
        id=f"{path.stem}/{name}",
        task=row["task"],
        toolkit=toolkit,
        source="jsonl",
        question=question,
        gold=readable.stated(row["answer"].strip(), row["task"]),
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
