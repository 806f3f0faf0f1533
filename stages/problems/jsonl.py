"""Your own problems: a JSONL file with question, answer and task, and optionally id, context, toolkit, solution."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from stages.problems import readable
from stages.records.errors import InputError, brief
from stages.records.problem import TASKS, Problem
from stages.records.schema import json_row
from stages.records.settings import fault
from stages.tools import DEFAULT_TOOLKIT, TOOLKITS
from stages.tools.calls import CallError, parse
from stages.tools.tool import ToolError

MAX_ID = 200  # characters


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("is not printable; write another")
    return name


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Row(BaseModel):
    """A line of the file; keys that are not here are the user's own."""

    model_config = ConfigDict(strict=True)

    question: Text
    answer: Text
    task: Literal[TASKS]
    id: Annotated[str, Field(min_length=1, max_length=MAX_ID), AfterValidator(_printable)] | None = None
    context: str = ""
    toolkit: Literal[tuple(TOOLKITS)] | None = None
    solution: list[str] = []


class JsonlError(InputError):
    """A problem file or one of its rows cannot be used; the message names file and line."""


def read(path: Path) -> list[Problem]:
    """The file's problems in the file's order.

    `solution` is a list of calls in their text form; a missing `id` is the line's number. An answer may be written as
    `... #### 7` or `Yes`; whether it is read at all `sources.load` asks.

    Raises:
        JsonlError: the file cannot be read, a row is no object, lacks a key, or holds what cannot be used.
    """
    made = [problem(path, number, where, row) for number, (where, row) in rows(path).items()]
    for name, count in Counter(one.id for one in made).items():
        if count > 1:
            raise JsonlError(f"{path}: id {name} stands {count} times; ids must differ")
    return made


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
            raise JsonlError(f"{where}: no JSON object: {brief(error)}") from None
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
    try:
        given = Row.model_validate(row)
        toolkit = given.toolkit or DEFAULT_TOOLKIT[given.task]
        question = f"{given.context.strip()} {given.question}".strip()
        TOOLKITS[toolkit].open(question)
        solution = tuple(parse(text, TOOLKITS[toolkit].tools) for text in given.solution)
    except ValidationError as error:
        raise JsonlError(f"{where}: {fault(Row, error)}") from None
    except ToolError as error:
        raise JsonlError(f"{where}: {error}") from None
    except CallError as error:
        raise JsonlError(f"{where}: solution: {error}") from None
    if solution and solution[-1].tool != "Finish":
        raise JsonlError(f"{where}: solution does not end with Finish")
    return Problem(
        id=f"{path.stem}/{given.id or f'{number:06d}'}",
        task=given.task,
        toolkit=toolkit,
        source="jsonl",
        question=question,
        gold=readable.stated(given.answer, given.task),
        solution=solution,
    )
