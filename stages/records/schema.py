"""The doors between the stages: what a file must look like, and the one way to write and to read it.

Files are JSON lines: UTF-8, one object a line, keys in the door's order, no NaN, so that equal rows give equal bytes.
A bad file or row is refused as a whole, on reading and on writing, with one error that names file, column and rows;
a file is replaced only when the new one is complete and on disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from stages.records.chain import FAILURES, STEP_FAILURES, STOPS
from stages.records.errors import InputError, brief, printable
from stages.records.files import replace_file, to_bytes
from stages.records.problem import TASKS

VERDICTS = ("correct", "incorrect", "undecided")
HARD_CHECKS = ("finished", "reproduced", "called", "answer_right", "grounded")  # all hold for a correct chain
# Recorded, never decide.
SOFT_CHECKS = ("valid_calls", "not_repeated", "results_used", "numbers_grounded", "question_numbers_used")
PERTURBATIONS = ("", "agrees", "disagrees")  # with other numbers in the question, against the problem's other chains
KINDS = ("chain", "step")
USES = ("heldout", "ood")


class DoorError(InputError):
    """A file, or rows to be written to it, do not fit its door; the message names file, column and first bad rows."""


def _text(value: object) -> bool:
    return type(value) is str


def _name(value: object) -> bool:
    return type(value) is str and bool(value.strip())


def _count(value: object) -> bool:
    return type(value) is int and value >= 0  # `type`, as True is an int to isinstance


def _amount(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def _flag(value: object) -> bool:
    return type(value) is bool


def _messages(value: object) -> bool:
    return (
        type(value) is list
        and bool(value)
        and all(
            type(message) is dict
            and message.keys() == {"role", "content"}
            and message["role"] in ("system", "user", "assistant")
            and type(message["content"]) is str
            for message in value
        )
    )


STEP_KEYS = ("text", "tool", "arguments", "result", "error", "failure")


def _steps(value: object) -> bool:
    return type(value) is list and all(
        type(step) is dict
        and step.keys() == set(STEP_KEYS)
        and type(step["arguments"]) is dict
        and all(type(text) is str for text in chain(step["arguments"].values(), (step[key] for key in _STEP_TEXTS)))
        and step["failure"] in ("", *STEP_FAILURES)
        and bool(step["failure"]) == bool(step["error"])
        for step in value
    )


_STEP_TEXTS = tuple(key for key in STEP_KEYS if key != "arguments")


@dataclass(frozen=True)
class Kind:
    """What the values of a column are: words for the message, and the test."""

    words: str
    fits: Callable[[object], bool]


def _one_of(*values: str) -> Kind:
    return Kind("one of " + ", ".join(value or '""' for value in values), lambda v: type(v) is str and v in values)


TEXT = Kind("a text", _text)
NAME = Kind("a text that is not empty", _name)
COUNT = Kind("an integer, 0 or more", _count)
AMOUNT = Kind("a finite number, 0 or more", _amount)
FLAG = Kind("true or false", _flag)
MESSAGES = Kind("a list, not empty, of {role: system, user or assistant; content: a text}", _messages)
STEPS = Kind(f"a list of {{{', '.join(STEP_KEYS)}}}, texts all but arguments (an object of texts)", _steps)
TASK, FAILURE = _one_of(*TASKS), _one_of("", *FAILURES)


@dataclass(frozen=True)
class Door:
    """Columns in the file's order, those that identify a row, and the stage that makes the file."""

    stage: str
    columns: dict[str, Kind]
    keys: tuple[str, ...]


DOORS = {
    "chains": Door(
        "generate",
        {
            "chain_id": NAME,
            "problem_id": NAME,
            "task": TASK,
            "toolkit": NAME,
            "source": TEXT,
            "question": NAME,
            "gold": NAME,
            "teacher": TEXT,
            "sample": COUNT,
            "messages": MESSAGES,
            "steps": STEPS,
            "answer": TEXT,
            "stop": _one_of(*STOPS),
            "prompt_tokens": COUNT,
            "completion_tokens": COUNT,
            "cost_usd": AMOUNT,
        },
        ("chain_id",),
    ),
    "corpus": Door(
        "generate",
        {"problem_id": NAME, "sample": COUNT, "task": TASK, "messages": MESSAGES},
        ("problem_id", "sample"),
    ),
    "verdicts": Door(
        "verify",
        {
            "chain_id": NAME,
            "problem_id": NAME,
            "verdict": _one_of(*VERDICTS),
            "failure": FAILURE,
            **dict.fromkeys((*HARD_CHECKS, *SOFT_CHECKS), FLAG),
            "perturbation": _one_of(*PERTURBATIONS),
        },
        ("chain_id",),
    ),
    "pairs": Door(
        "pair",
        {
            "pair_id": NAME,
            "problem_id": NAME,
            "task": TASK,
            "kind": _one_of(*KINDS),
            "prompt": MESSAGES,
            "chosen": MESSAGES,
            "rejected": MESSAGES,
            "chosen_chain_id": NAME,
            "rejected_chain_id": NAME,
            "failure": FAILURE,
        },
        ("pair_id",),
    ),
    "demonstrations": Door(
        "pair",
        {"chain_id": NAME, "problem_id": NAME, "task": TASK, "prompt": MESSAGES, "completion": MESSAGES},
        ("chain_id",),
    ),
    "predictions": Door(
        "eval",
        {
            "model": NAME,
            "use": _one_of(*USES),
            "problem_id": NAME,
            "task": TASK,
            "question": NAME,
            "gold": NAME,
            "steps": STEPS,
            "answer": TEXT,
            "stop": _one_of(*STOPS),
            "verdict": _one_of(*VERDICTS),
            "failure": FAILURE,
            "answer_right": FLAG,
            "tokens": COUNT,
        },
        ("model", "use", "problem_id"),
    ),
}


def read(path: str | Path, door: str) -> list[dict]:
    """The rows of a file, in its order, checked.

    Raises:
        DoorError: the file is missing, a line is no JSON object, or a row does not fit.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise DoorError(f"{path}: no such file; make it with `dvc repro {DOORS[door].stage}`") from None
    return parse(content, str(path), door)


def parse(content: bytes, name: str, door: str) -> list[dict]:
    """The rows of a file's content, as `read`; `name` is what messages call it.

    Raises:
        DoorError: a line is no JSON object, or a row does not fit.
    """
    lines = content.split(b"\n")  # never splitlines: U+2028 may stand inside a text
    if lines[-1] == b"":
        lines.pop()
    rows, bad = [], []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json_row(line.decode("utf-8")))
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
            bad.append(f"line {number}: not a JSON object in UTF-8: {brief(error)}")
    if not bad:
        bad = _problems(rows, DOORS[door])
    if bad:
        raise DoorError(f"{name}: {_listed(bad, '; ')}; make it again with `dvc repro {DOORS[door].stage}`")
    return rows


def write(path: str | Path, rows: list[dict], door: str) -> None:
    """Write rows as they stand, keys in the door's order; whatever goes wrong, the old file stays.

    Raises:
        DoorError: a row does not fit.
        FileError: the file cannot be written.
    """
    bad = _problems(rows, DOORS[door])
    if bad:
        raise DoorError(f"{path}: not written: {_listed(bad, '; ')}")
    columns = DOORS[door].columns
    ordered = ({name: _ordered(row[name], kind) for name, kind in columns.items()} for row in rows)
    # Line by line: the text of 100,000 chains is 0.4 GB, and its bytes as much again.
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in ordered)
    replace_file(path, map(to_bytes, lines))


def json_row(line: str) -> dict:
    """The object on a line; ValueError or RecursionError for a key given twice, NaN, or anything that is no object."""
    row = json.loads(line, object_pairs_hook=_object, parse_constant=_refuse)
    if type(row) is not dict:
        raise ValueError(f"a {type(row).__name__}")
    return row


def _object(pairs: list[tuple[str, object]]) -> dict:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _ordered(value: object, kind: Kind) -> object:
    """Nested objects with their keys in one order; an amount as a float, so that the column has one type."""
    if kind is MESSAGES:
        return [{"role": message["role"], "content": message["content"]} for message in value]
    if kind is STEPS:
        return [{key: step[key] for key in STEP_KEYS} for step in value]
    return float(value) if kind is AMOUNT else value


class _Missing:
    """Stands in a cell whose row lacks the column."""

    def __repr__(self) -> str:
        return "missing"


def _problems(rows: list[dict], door: Door) -> list[str]:
    """What does not fit, one text a column, from one vectorised pandera pass over all rows."""
    if not rows:
        return []
    import pandas
    import pandera.pandas as pandera

    present = dict.fromkeys(chain.from_iterable(rows))
    missing = _Missing()
    frame = pandas.DataFrame(
        {name: pandas.Series([row.get(name, missing) for row in rows], dtype=object) for name in present}
    )
    schema = pandera.DataFrameSchema(
        # nullable and ignore_na: pandera would drop None before the check, which then never sees it
        {
            name: pandera.Column(object, _check(pandera, kind.fits, f"not {kind.words}"), nullable=True)
            for name, kind in door.columns.items()
        },
        checks=pandera.Check(
            lambda table: ~table[[key for key in door.keys if key in table]].astype(str).duplicated(),
            error=f"{', '.join(door.keys)} stands twice",
            ignore_na=False,
        ),
        strict=True,
    )
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return [printable(_problem(error, rows, door)) for error in errors.schema_errors]
    return []


def _check(pandera: object, fits: Callable[[object], bool], error: str) -> object:
    return pandera.Check(lambda column: column.map(fits).astype(bool), error=error, ignore_na=False)


def _problem(error: object, rows: list[dict], door: Door) -> str:
    reason, cases = error.reason_code.name, error.failure_cases
    if reason == "COLUMN_NOT_IN_DATAFRAME":
        return f"column {cases}: missing"
    if reason == "COLUMN_NOT_IN_SCHEMA":
        return f"column {cases}: unknown; known: {', '.join(door.columns)}"
    column = error.schema.name
    places = []
    for index in dict.fromkeys(cases["index"]):
        row = rows[index]
        name = " ".join(str(row.get(key, "no " + key))[:80] for key in door.keys)
        name = "".join(letter if letter.isprintable() else "?" for letter in name)
        found = f" has {repr(row.get(column, _Missing()))[:60]}" if column else ""
        places.append(f"line {index + 1} ({name}){found}")
    return f"{f'column {column}: ' if column else ''}{error.check.error}: {_listed(places, ', ')}"


def _listed(parts: list[str], separator: str) -> str:
    """The first three, and how many more there are."""
    rest = [f"and {len(parts) - 3} more"] if len(parts) > 3 else []
    return separator.join([*parts[:3], *rest])
